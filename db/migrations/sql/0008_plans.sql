-- The plans that users may have. A plan that is there keeps every word of its own. Prices are in cents; the application
-- writes the price ids of its payment provider, which nobody else knows.

INSERT INTO public.subscription_plans
       (plan_key, display_name, description, monthly_price, stripe_monthly_price_id, campaigns_limit, creators_limit,
        sort_order, created_at, updated_at)
SELECT w.*, worker.utc_now(), worker.utc_now()
  FROM (VALUES
       ('free',        'Free',        'Look around',                               0, '',  0,     0, 0),
       ('glow_up',     'Glow Up',     '3 campaigns, 1,000 creators a month',    9900, '',  3,  1000, 1),
       ('viral_surge', 'Viral Surge', '10 campaigns, 10,000 creators a month', 24900, '', 10, 10000, 2),
       ('fame_flex',   'Fame Flex',   'Campaigns and creators without a limit', 49900, '', -1,  -1, 3))
       AS w (plan_key, display_name, description, monthly_price, stripe_monthly_price_id, campaigns_limit,
             creators_limit, sort_order)
 WHERE NOT EXISTS (SELECT FROM public.subscription_plans p WHERE p.plan_key = w.plan_key)
ON CONFLICT DO NOTHING;

-- Finds users by any piece of a name or address. It is an aid: where the extension cannot be had, or the right to make
-- an index is missing, the same query reads the table.
DO $body$
DECLARE
    v_schema text;
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    SELECT n.nspname INTO v_schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_trgm';
    EXECUTE format('CREATE INDEX IF NOT EXISTS trawler_users_search ON public.users USING gin (lower('
                   'coalesce(full_name, '''') || '' '' || coalesce(business_name, '''') || '' '' || '
                   'coalesce(email, '''') || '' '' || user_id) %I.gin_trgm_ops)', v_schema);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'users are searched without an index: %', SQLERRM;
END
$body$;
