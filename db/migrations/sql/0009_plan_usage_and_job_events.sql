-- What a user's plan has left of the month's creators; NULL is without a limit. The user's own limit goes before that of
-- the plan; -1 is none. A user of whom no limit or no counter is known gets p_unplanned. A month that is over counts as
-- begun: it has nothing used, and o_month is to be begun by who counts first.
CREATE FUNCTION worker.plan_of(p_user_id text, p_unplanned integer,
                               OUT o_usage uuid, OUT o_left integer, OUT o_month timestamp,
                               OUT o_creators integer, OUT o_enrichments integer)
LANGUAGE plpgsql STABLE
AS $body$
DECLARE
    v_limit integer;
    v_user  uuid;
    v_month timestamp := date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC');
BEGIN
    SELECT g.id, g.user_id, g.plan_creators_limit, g.usage_creators_current_month, g.enrichments_current_month,
           CASE WHEN g.usage_reset_date < v_month THEN v_month END
      INTO o_usage, v_user, v_limit, o_creators, o_enrichments, o_month
      FROM public.users u JOIN public.user_usage g ON g.user_id = u.id
     WHERE u.user_id = p_user_id ORDER BY g.created_at, g.id LIMIT 1;
    IF o_usage IS NOT NULL AND v_limit IS NULL THEN
        SELECT p.creators_limit INTO v_limit
          FROM public.user_subscriptions s JOIN public.subscription_plans p ON p.plan_key = s.current_plan
         WHERE s.user_id = v_user ORDER BY s.created_at, s.id LIMIT 1;
    END IF;
    v_limit := coalesce(v_limit, p_unplanned);
    IF v_limit >= 0 THEN
        o_left := greatest(v_limit - CASE WHEN o_month IS NULL THEN coalesce(o_creators, 0) ELSE 0 END, 0);
    END IF;
END
$body$;

-- The same with the counter locked for the rest of the transaction. Lock and look are two statements: the second sees
-- what the one that held the lock before has counted. Who holds it for long must not hold up a connection of ours.
CREATE FUNCTION worker.lock_plan(p_user_id text, p_unplanned integer,
                                 OUT o_usage uuid, OUT o_left integer, OUT o_month timestamp,
                                 OUT o_creators integer, OUT o_enrichments integer)
LANGUAGE plpgsql SET lock_timeout = '1s'
AS $body$
BEGIN
    PERFORM FROM public.user_usage g
      WHERE g.id = (SELECT r.id FROM public.users u JOIN public.user_usage r ON r.user_id = u.id
                     WHERE u.user_id = p_user_id ORDER BY r.created_at, r.id LIMIT 1)
        FOR NO KEY UPDATE;
    SELECT p.* INTO o_usage, o_left, o_month, o_creators, o_enrichments FROM worker.plan_of(p_user_id, p_unplanned) p;
END
$body$;

-- Raises an event once a key. A table of events that is not as it was, or refuses the row, must not hold up a job; one
-- that is locked does, as the row would be lost else.
CREATE FUNCTION worker.tell(p_key text, p_type text, p_aggregate_type text, p_aggregate_id text, p_data jsonb,
                            p_source text DEFAULT 'trawler') RETURNS boolean
LANGUAGE plpgsql
AS $body$
BEGIN
    INSERT INTO public.events (aggregate_id, aggregate_type, event_type, event_data, timestamp, idempotency_key,
                               source_system, correlation_id)
    VALUES (p_aggregate_id, p_aggregate_type, p_type, jsonb_strip_nulls(p_data), worker.utc_now(), p_key, p_source,
            p_aggregate_id)
    ON CONFLICT (idempotency_key) DO NOTHING;
    RETURN FOUND;
EXCEPTION WHEN syntax_error_or_access_rule_violation OR integrity_constraint_violation OR data_exception THEN
    RAISE WARNING 'event % not raised: %', p_key, SQLERRM;
    RETURN false;
END
$body$;

-- An event of a scraping job. p_mark says which of several of its kind it is.
CREATE FUNCTION worker.tell_of_job(p_job_id uuid, p_type text, p_mark text, p_data jsonb) RETURNS boolean
LANGUAGE sql
RETURN worker.tell(concat_ws(':', 'trawler', p_type, p_job_id, p_mark), p_type, 'scraping_job', p_job_id::text, p_data);

-- As before, and a scraping job's first start is told.
CREATE OR REPLACE FUNCTION worker.start_row(p_task worker.tasks, p_job_timeout interval,
                                            OUT o_held boolean, OUT o_started boolean, OUT o_deadline timestamptz)
LANGUAGE plpgsql
AS $body$
DECLARE
    v_told jsonb;
BEGIN
    o_held := false;
    -- A row that somebody else set to 'processing' is theirs; ours was claimed since it was last pending.
    IF p_task.job_table = 'scraping_jobs' THEN
        PERFORM FROM public.scraping_jobs j WHERE j.id = p_task.job_id::uuid FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND AND EXISTS (SELECT FROM public.scraping_jobs j WHERE j.id = p_task.job_id::uuid) THEN
            o_held := true;
            RETURN;
        END IF;
        UPDATE public.scraping_jobs j
           SET status = 'processing', updated_at = worker.utc_now(), started_at = coalesce(j.started_at, worker.utc_now()),
               error = NULL, completed_at = NULL, progress = least(j.progress, 99),
               -- A deadline that has passed counts only while the row itself still names one.
               timeout_at = coalesce(
                   CASE WHEN j.timeout_at > worker.utc_now() THEN j.timeout_at END,
                   CASE WHEN j.timeout_at IS NOT NULL OR p_task.deadline_at > clock_timestamp()
                        THEN p_task.deadline_at AT TIME ZONE 'UTC' END,
                   worker.utc_now() + p_job_timeout)
         WHERE j.id = p_task.job_id::uuid
           AND (j.status = 'pending' OR (j.status = 'processing' AND p_task.claimed_at IS NOT NULL))
        RETURNING j.timeout_at AT TIME ZONE 'UTC',
                  jsonb_build_object('userId', j.user_id, 'campaignId', j.campaign_id, 'platform', j.platform,
                                     'target', j.target_results)
             INTO o_deadline, v_told;
        o_started := FOUND;
        IF o_started AND p_task.claimed_at IS NULL THEN
            PERFORM worker.tell_of_job(p_task.job_id::uuid, 'job_started', NULL, v_told);
        END IF;
        RETURN;
    END IF;
    PERFORM FROM public.background_jobs b WHERE b.id = p_task.job_id::uuid FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND AND EXISTS (SELECT FROM public.background_jobs b WHERE b.id = p_task.job_id::uuid) THEN
        o_held := true;
        RETURN;
    END IF;
    UPDATE public.background_jobs b
       SET status = 'processing', updated_at = worker.utc_now(), started_at = coalesce(b.started_at, worker.utc_now()),
           error = NULL, failed_at = NULL, completed_at = NULL
     WHERE b.id = p_task.job_id::uuid
       AND ((b.status = 'pending' AND b.scheduled_for <= worker.utc_now())
            OR (b.status = 'processing' AND p_task.claimed_at IS NOT NULL));
    o_started := FOUND;
END
$body$;
