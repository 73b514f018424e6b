"""The older table as tests make it, and the five tables as they read them."""

import psycopg
from psycopg.sql import SQL, Identifier

COLUMNS = """
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id text, name text, company_name text, industry text,
    email text, created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now(),
    signup_timestamp timestamp DEFAULT now(), onboarding_step varchar(50) DEFAULT 'pending', full_name text,
    business_name text, brand_description text, email_schedule_status jsonb DEFAULT '{}', trial_start_date timestamp,
    trial_end_date timestamp, trial_status varchar(20) DEFAULT 'pending', stripe_customer_id text,
    stripe_subscription_id text, subscription_status varchar(20) DEFAULT 'none',
    current_plan varchar(50) DEFAULT 'free', is_admin boolean DEFAULT false, payment_method_id text,
    card_last_4 varchar(4), card_brand varchar(20), card_exp_month integer, card_exp_year integer,
    billing_address_city text, billing_address_country varchar(2), billing_address_postal_code varchar(20),
    plan_campaigns_limit integer, plan_creators_limit integer, plan_features jsonb,
    usage_campaigns_current integer DEFAULT 0, usage_creators_current_month integer DEFAULT 0,
    usage_reset_date timestamp DEFAULT now(), last_webhook_event varchar(100), last_webhook_timestamp timestamp,
    billing_sync_status varchar(20) DEFAULT 'pending', trial_conversion_date timestamp,
    subscription_cancel_date timestamp, subscription_renewal_date timestamp, intended_plan varchar(50)
"""
"""The last form of the table, but that nothing says a Clerk id must be there and be there once."""

TABLES = ("users", "user_subscriptions", "user_billing", "user_usage", "user_system_data")


def older_table(rows: psycopg.Connection, columns: str = COLUMNS) -> None:
    rows.execute(f"CREATE TABLE public.user_profiles ({columns})".encode())


def fill(rows: psycopg.Connection, first: int, last: int) -> None:
    """Users with a value in every column."""
    rows.execute(
        """
        INSERT INTO public.user_profiles (
            user_id, full_name, business_name, brand_description, industry, email, created_at, updated_at,
            signup_timestamp, onboarding_step, email_schedule_status, trial_start_date, trial_end_date, trial_status,
            stripe_customer_id, stripe_subscription_id, subscription_status, current_plan, is_admin, payment_method_id,
            card_last_4, card_brand, card_exp_month, card_exp_year, billing_address_city, billing_address_country,
            billing_address_postal_code, plan_campaigns_limit, plan_creators_limit, plan_features,
            usage_campaigns_current, usage_creators_current_month, usage_reset_date, last_webhook_event,
            last_webhook_timestamp, billing_sync_status, trial_conversion_date, subscription_cancel_date,
            subscription_renewal_date, intended_plan)
        SELECT 'user_' || lpad(n::text, 6, '0'), 'Name ' || n, 'Business ' || n, repeat('brand ', 20) || n, 'food',
               'person' || n || '@example.com', t, t + interval '2 h', t - interval '1 min', 'completed',
               jsonb_build_object('welcome', jsonb_build_object('status', 'sent', 'n', n)), t + interval '1 h',
               t + interval '7 d', 'converted', 'cus_' || n, 'sub_' || n, 'active', 'viral_surge', n %% 100 = 0,
               'pm_' || n, lpad((n %% 10000)::text, 4, '0'), 'visa', n %% 12 + 1, 2030, 'Town ' || n, 'DE', 'P' || n,
               10, 10000, jsonb_build_object('exports', true, 'share', n / 7.0), n %% 10 + 1, n %% 9999,
               t + interval '30 d', 'invoice.paid', t + interval '8 d', 'synced', t + interval '7 d',
               t + interval '90 d', t + interval '60 d', 'fame_flex'
          FROM generate_series(%s::int, %s::int) n,
               LATERAL (SELECT timestamp '2025-06-01 12:00' + n * interval '97.5 s' AS t) times
        """,
        (first, last),
    )


def counts(rows: psycopg.Connection) -> dict[str, int]:
    return {
        table: rows.execute(SQL("SELECT count(*) FROM public.{}").format(Identifier(table))).fetchone()[0]
        for table in TABLES
    }


def lost(rows: psycopg.Connection) -> list[str]:
    """Users of the older table of whom any field is not in the five tables, or who are there twice.

    Written out by hand and in SQL, so that it shares nothing with what is tested.
    """
    found = rows.execute(
        """
        SELECT p.user_id FROM public.user_profiles p
         WHERE 1 <> (
            SELECT count(*) FROM public.users u
              JOIN public.user_subscriptions s ON s.user_id = u.id JOIN public.user_billing b ON b.user_id = u.id
              JOIN public.user_usage g ON g.user_id = u.id JOIN public.user_system_data d ON d.user_id = u.id
             WHERE u.user_id = p.user_id
               AND (u.email, u.full_name, u.business_name, u.brand_description, u.industry, u.onboarding_step)
                   IS NOT DISTINCT FROM
                   (p.email, p.full_name, p.business_name, p.brand_description, p.industry, p.onboarding_step)
               AND (u.is_admin, u.created_at, u.updated_at) = (p.is_admin, p.created_at, p.updated_at)
               AND (s.current_plan, s.intended_plan, s.subscription_status, s.trial_status, s.trial_start_date,
                    s.trial_end_date, s.trial_conversion_date, s.subscription_cancel_date,
                    s.subscription_renewal_date, s.billing_sync_status, s.created_at, s.updated_at)
                   IS NOT DISTINCT FROM
                   (p.current_plan, p.intended_plan, p.subscription_status, p.trial_status, p.trial_start_date,
                    p.trial_end_date, p.trial_conversion_date, p.subscription_cancel_date,
                    p.subscription_renewal_date, p.billing_sync_status, p.created_at, p.updated_at)
               AND (b.stripe_customer_id, b.stripe_subscription_id, b.payment_method_id, b.card_last_4, b.card_brand,
                    b.card_exp_month, b.card_exp_year, b.billing_address_city, b.billing_address_country,
                    b.billing_address_postal_code, b.created_at, b.updated_at)
                   IS NOT DISTINCT FROM
                   (p.stripe_customer_id, p.stripe_subscription_id, p.payment_method_id, p.card_last_4, p.card_brand,
                    p.card_exp_month, p.card_exp_year, p.billing_address_city, p.billing_address_country,
                    p.billing_address_postal_code, p.created_at, p.updated_at)
               AND (g.plan_campaigns_limit, g.plan_creators_limit, g.plan_features, g.usage_campaigns_current,
                    g.usage_creators_current_month, g.usage_reset_date, g.created_at, g.updated_at)
                   IS NOT DISTINCT FROM
                   (p.plan_campaigns_limit, p.plan_creators_limit, p.plan_features, p.usage_campaigns_current,
                    p.usage_creators_current_month, p.usage_reset_date, p.created_at, p.updated_at)
               AND (d.signup_timestamp, d.email_schedule_status, d.last_webhook_event, d.last_webhook_timestamp,
                    d.created_at, d.updated_at)
                   IS NOT DISTINCT FROM
                   (p.signup_timestamp, p.email_schedule_status, p.last_webhook_event, p.last_webhook_timestamp,
                    p.created_at, p.updated_at))
         ORDER BY 1
        """
    ).fetchall()
    return [user_id for (user_id,) in found]


def contents(rows: psycopg.Connection, table: str = "public.user_profiles") -> str:
    """A checksum of a table as it is."""
    return rows.execute(
        f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t".encode()
    ).fetchone()[0]
