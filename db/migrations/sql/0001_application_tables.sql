-- The application's own tables, as its documents describe them. A table that already exists is adopted as it is: nothing
-- of it is created, altered or dropped, indexes included. Times are UTC without time zone.

CREATE TABLE public.campaigns (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     text NOT NULL,                            -- Clerk user id, e.g. user_2abc
    name        text NOT NULL,
    description text,
    search_type varchar(20) NOT NULL,  -- keyword | similar | instagram-reels | tiktok-keyword | ...
    status      varchar(20) NOT NULL DEFAULT 'draft',     -- draft | active | completed | archived
    created_at  timestamp NOT NULL DEFAULT now(),
    updated_at  timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_campaigns_user_id ON public.campaigns (user_id);

CREATE TABLE public.scraping_jobs (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id           text NOT NULL,
    run_id            text,                               -- external run id (an Apify run)
    status            varchar(20) NOT NULL DEFAULT 'pending',  -- pending | processing | completed | error | timeout
    keywords          jsonb,                              -- array of strings: keyword search
    platform          varchar(50) NOT NULL DEFAULT 'Tiktok',   -- TikTok | Instagram | YouTube, any casing is met
    region            varchar(10) NOT NULL DEFAULT 'US',
    campaign_id       uuid REFERENCES public.campaigns (id),
    target_username   text,                               -- similar search, with or without @
    search_params     jsonb,
    qstash_message_id text,                               -- the application's; never written by us
    processed_runs    integer NOT NULL DEFAULT 0,         -- page calls made
    processed_results integer NOT NULL DEFAULT 0,         -- creators stored
    target_results    integer NOT NULL DEFAULT 1000,
    cursor            integer DEFAULT 0,                  -- integer cursor where the endpoint has one, else the page ordinal
    progress          numeric DEFAULT '0',                -- 0..100, never falls, 100 only with completed
    created_at        timestamp NOT NULL DEFAULT now(),
    started_at        timestamp,
    completed_at      timestamp,
    timeout_at        timestamp,
    updated_at        timestamp NOT NULL DEFAULT now(),
    error             text
);
CREATE INDEX idx_scraping_jobs_status_created ON public.scraping_jobs (status, created_at DESC);
CREATE INDEX idx_scraping_jobs_platform ON public.scraping_jobs (platform);
CREATE INDEX idx_scraping_jobs_user_campaign ON public.scraping_jobs (user_id, campaign_id);

CREATE TABLE public.scraping_results (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_id     uuid REFERENCES public.scraping_jobs (id),
    creators   jsonb NOT NULL,                            -- array of creator objects, one batch a page
    created_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_scraping_results_job_id ON public.scraping_results (job_id);
CREATE INDEX idx_scraping_results_created_at ON public.scraping_results (created_at);

CREATE TABLE public.users (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id           text NOT NULL UNIQUE,               -- Clerk user id
    email             text,
    full_name         text,
    business_name     text,
    brand_description text,
    industry          text,
    onboarding_step   varchar(50) NOT NULL DEFAULT 'pending',  -- pending | info_captured | intent_captured | completed
    is_admin          boolean NOT NULL DEFAULT false,
    created_at        timestamp NOT NULL DEFAULT now(),
    updated_at        timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_users_email ON public.users (email);
CREATE INDEX idx_users_onboarding ON public.users (onboarding_step);
CREATE INDEX idx_users_admin ON public.users (is_admin) WHERE is_admin = true;

CREATE TABLE public.user_subscriptions (
    id                        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id                   uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    current_plan              varchar(50) NOT NULL DEFAULT 'free',
    intended_plan             varchar(50),
    subscription_status       varchar(20) NOT NULL DEFAULT 'none',     -- none | trialing | active | past_due | canceled
    trial_status              varchar(20) NOT NULL DEFAULT 'pending',  -- pending | active | expired | cancelled | converted
    trial_start_date          timestamp,
    trial_end_date            timestamp,
    trial_conversion_date     timestamp,
    subscription_cancel_date  timestamp,
    subscription_renewal_date timestamp,
    billing_sync_status       varchar(50) NOT NULL DEFAULT 'pending',
    created_at                timestamp NOT NULL DEFAULT now(),
    updated_at                timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_user_subscriptions_user_id ON public.user_subscriptions (user_id);
CREATE INDEX idx_user_subscriptions_current_plan ON public.user_subscriptions (current_plan);
CREATE INDEX idx_user_subscriptions_active_trials
    ON public.user_subscriptions (trial_status, trial_start_date, trial_end_date) WHERE trial_status <> 'pending';

CREATE TABLE public.user_billing (
    id                          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id                     uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    stripe_customer_id          text UNIQUE,
    stripe_subscription_id      text,
    payment_method_id           text,
    card_last_4                 varchar(4),
    card_brand                  varchar(20),
    card_exp_month              integer,
    card_exp_year               integer,
    billing_address_city        text,
    billing_address_country     varchar(2),
    billing_address_postal_code varchar(20),
    created_at                  timestamp NOT NULL DEFAULT now(),
    updated_at                  timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_user_billing_user_id ON public.user_billing (user_id);
CREATE INDEX idx_user_billing_stripe_subscription ON public.user_billing (stripe_subscription_id);

CREATE TABLE public.user_usage (
    id                           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id                      uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    plan_campaigns_limit         integer,                 -- -1 = unlimited
    plan_creators_limit          integer,                 -- -1 = unlimited
    plan_features                jsonb NOT NULL DEFAULT '{}',
    usage_campaigns_current      integer NOT NULL DEFAULT 0,
    usage_creators_current_month integer NOT NULL DEFAULT 0,
    enrichments_current_month    integer NOT NULL DEFAULT 0,
    usage_reset_date             timestamp NOT NULL DEFAULT now(),
    created_at                   timestamp NOT NULL DEFAULT now(),
    updated_at                   timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_user_usage_user_id ON public.user_usage (user_id);
CREATE INDEX idx_user_usage_reset_date ON public.user_usage (usage_reset_date);

CREATE TABLE public.user_system_data (
    id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id                uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    signup_timestamp       timestamp NOT NULL DEFAULT now(),
    email_schedule_status  jsonb NOT NULL DEFAULT '{}',   -- {"trial_day2": {"status": "scheduled|sent|failed|cancelled", ...}}
    last_webhook_event     varchar(100),
    last_webhook_timestamp timestamp,
    created_at             timestamp NOT NULL DEFAULT now(),
    updated_at             timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_user_system_data_user_id ON public.user_system_data (user_id);

CREATE TABLE public.subscription_plans (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    plan_key                varchar(50) NOT NULL UNIQUE,  -- free | glow_up | viral_surge | fame_flex
    display_name            text NOT NULL,
    description             text,
    monthly_price           integer NOT NULL,             -- cents
    yearly_price            integer,
    stripe_monthly_price_id text NOT NULL,
    stripe_yearly_price_id  text,
    campaigns_limit         integer NOT NULL,             -- -1 = unlimited
    creators_limit          integer NOT NULL,             -- a month; -1 = unlimited
    features                jsonb DEFAULT '{}',
    is_active               boolean NOT NULL DEFAULT true,
    sort_order              integer DEFAULT 0,
    created_at              timestamp NOT NULL DEFAULT now(),
    updated_at              timestamp NOT NULL DEFAULT now()
);

CREATE TABLE public.system_configurations (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    category          varchar(50) NOT NULL,               -- api_limits | timeouts | job_processing | email | feature_flags | ...
    key               varchar(100) NOT NULL,
    value             text NOT NULL,
    value_type        varchar(20) NOT NULL,               -- number | duration | boolean | string
    description       text,
    is_hot_reloadable varchar(5) NOT NULL DEFAULT 'true', -- text, 'true' | 'false'
    created_at        timestamp NOT NULL DEFAULT now(),
    updated_at        timestamp NOT NULL DEFAULT now(),
    CONSTRAINT system_configurations_category_key_unique UNIQUE (category, key)
);

CREATE TABLE public.events (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    aggregate_id      text NOT NULL,
    aggregate_type    varchar(50) NOT NULL,               -- user | subscription | onboarding | payment | trial | job
    event_type        varchar(100) NOT NULL,
    event_version     integer NOT NULL DEFAULT 1,
    event_data        jsonb NOT NULL,
    metadata          jsonb,
    timestamp         timestamp NOT NULL DEFAULT now(),
    processed_at      timestamp,
    processing_status varchar(20) NOT NULL DEFAULT 'pending',  -- pending | processing | completed | failed
    retry_count       integer NOT NULL DEFAULT 0,
    error             text,
    idempotency_key   text NOT NULL UNIQUE,
    source_system     varchar(50) NOT NULL,               -- stripe_webhook | admin_action | user_action | system_automation | ...
    correlation_id    text,
    causation_id      text
);
CREATE INDEX idx_events_aggregate_type_timestamp ON public.events (aggregate_id, aggregate_type, timestamp DESC);
CREATE INDEX idx_events_processing_pending
    ON public.events (processing_status, timestamp) WHERE processing_status = 'pending';

CREATE TABLE public.background_jobs (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_type          varchar(100) NOT NULL,              -- complete_onboarding | send_trial_email | expire_trial | ...
    payload           jsonb NOT NULL,
    status            varchar(20) NOT NULL DEFAULT 'pending',  -- pending | processing | completed | failed
    qstash_message_id text,                               -- the application's; never written by us
    priority          integer NOT NULL DEFAULT 100,       -- lower is sooner
    max_retries       integer NOT NULL DEFAULT 3,
    retry_count       integer NOT NULL DEFAULT 0,
    scheduled_for     timestamp NOT NULL DEFAULT now(),
    started_at        timestamp,
    completed_at      timestamp,
    failed_at         timestamp,
    error             text,
    result            jsonb,
    created_at        timestamp NOT NULL DEFAULT now(),
    updated_at        timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_background_jobs_pending
    ON public.background_jobs (status, priority, scheduled_for) WHERE status = 'pending';

CREATE TABLE public.search_jobs (
    id              text PRIMARY KEY,
    campaign_id     uuid REFERENCES public.campaigns (id),
    platform        varchar(20) NOT NULL,
    search_type     varchar(20) NOT NULL,
    status          varchar(20) NOT NULL DEFAULT 'queued',     -- queued | processing | completed | error | timeout
    total_count     integer NOT NULL,
    completed_count integer NOT NULL DEFAULT 0,
    created_at      timestamp NOT NULL DEFAULT now(),
    updated_at      timestamp NOT NULL DEFAULT now(),
    completed_at    timestamp
);

CREATE TABLE public.search_results (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_id           text NOT NULL REFERENCES public.search_jobs (id),
    profile_id       text NOT NULL,
    username         text NOT NULL,
    display_name     text,
    platform         varchar(20) NOT NULL,
    profile_url      text,
    post_url         text,
    post_description text,
    avatar_url       text,
    followers        integer DEFAULT 0,
    is_verified      varchar(10) DEFAULT 'false',
    email            text,
    bio              text,
    raw_data         jsonb,
    created_at       timestamp NOT NULL DEFAULT now()
);
