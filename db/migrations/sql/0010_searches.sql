-- Rows of search_jobs as tasks. The table may be missing, as an application that knows nothing of it may drop it: so it is
-- named only where a statement is made when it runs, and with it nothing of ours is lost.

ALTER TABLE worker.tasks
    DROP CONSTRAINT tasks_job_table_check,
    ADD CONSTRAINT tasks_job_table_check CHECK (job_table IN ('scraping_jobs', 'background_jobs', 'search_jobs'));

-- The engine knows every job by a UUID. A search's id is any text, and may be that of a job in another table too: so it
-- gets a UUID of its own, always the same.
CREATE FUNCTION worker.search_key(p_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('search_jobs:' || p_id)::uuid;

-- What a search asks for, which search_jobs has no columns for; and which search a key is of. Whoever puts a search in
-- may put this in beside it; adoption makes the rows that are missing.
CREATE TABLE worker.searches (
    job_id          text        PRIMARY KEY,
    key             uuid        NOT NULL UNIQUE GENERATED ALWAYS AS (worker.search_key(job_id)) STORED,
    user_id         text,
    keywords        jsonb,
    target_username text,
    region          text,
    search_params   jsonb,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- As those of the other tables: they append to the inbox and swallow their own errors.
CREATE FUNCTION worker.note_inserted_searches() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    INSERT INTO worker.inbox (job_table, job_id)
    SELECT TG_TABLE_NAME, worker.search_key(arrived.id)::text FROM arrived WHERE arrived.status = 'queued';
    INSERT INTO worker.searches (job_id) SELECT arrived.id FROM arrived WHERE arrived.status = 'queued'
    ON CONFLICT DO NOTHING;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$body$;

CREATE FUNCTION worker.note_queued_search() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    INSERT INTO worker.inbox (job_table, job_id) VALUES (TG_TABLE_NAME, worker.search_key(NEW.id)::text);
    INSERT INTO worker.searches (job_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$body$;

CREATE OR REPLACE FUNCTION worker.ensure_triggers() RETURNS SETOF text
LANGUAGE plpgsql
AS $body$
DECLARE
    v_table    text;
    v_word     text;
    v_inserted text;
    v_again    text;
BEGIN
    FOR v_table, v_word, v_inserted, v_again IN VALUES
        ('scraping_jobs', 'pending', 'note_inserted_jobs', 'note_pending_job'),
        ('background_jobs', 'pending', 'note_inserted_jobs', 'note_pending_job'),
        ('search_jobs', 'queued', 'note_inserted_searches', 'note_queued_search')
    LOOP
        CONTINUE WHEN to_regclass(format('public.%I', v_table)) IS NULL AND v_table = 'search_jobs';
        IF NOT EXISTS (SELECT FROM pg_trigger
                        WHERE tgrelid = format('public.%I', v_table)::regclass AND tgname = 'trawler_inserted') THEN
            EXECUTE format('CREATE TRIGGER trawler_inserted AFTER INSERT ON public.%I '
                           'REFERENCING NEW TABLE AS arrived '
                           'FOR EACH STATEMENT EXECUTE FUNCTION worker.%I()', v_table, v_inserted);
            RETURN NEXT v_table || '.trawler_inserted';
        END IF;
        IF NOT EXISTS (SELECT FROM pg_trigger
                        WHERE tgrelid = format('public.%I', v_table)::regclass AND tgname = 'trawler_pending') THEN
            EXECUTE format('CREATE TRIGGER trawler_pending AFTER UPDATE OF status ON public.%I '
                           'FOR EACH ROW WHEN (NEW.status = %L) '
                           'EXECUTE FUNCTION worker.%I()', v_table, v_word, v_again);
            RETURN NEXT v_table || '.trawler_pending';
        END IF;
    END LOOP;
END
$body$;
SELECT worker.ensure_triggers();

-- The row of a search as JSON, with whom it is for; NULL when there is none.
CREATE FUNCTION worker.search_row(p_key uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $body$
BEGIN
    IF to_regclass('public.search_jobs') IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT to_jsonb(s) || jsonb_build_object('user_id', coalesce(w.user_id, c.user_id))
              FROM worker.searches w JOIN public.search_jobs s ON s.id = w.job_id
              LEFT JOIN public.campaigns c ON c.id = s.campaign_id
             WHERE w.key = p_key);
END
$body$;

-- Locks the row of a search for the rest of the transaction; false when the application holds it, which must not hold up
-- the engine.
CREATE FUNCTION worker.lock_search(p_key uuid) RETURNS boolean
LANGUAGE plpgsql
AS $body$
BEGIN
    IF to_regclass('public.search_jobs') IS NULL THEN
        RETURN true;
    END IF;
    PERFORM FROM worker.searches w JOIN public.search_jobs s ON s.id = w.job_id
      WHERE w.key = p_key FOR NO KEY UPDATE OF s SKIP LOCKED;
    RETURN FOUND OR worker.search_row(p_key) IS NULL;
END
$body$;

-- An event of a search. p_mark says which of several of its kind it is.
CREATE FUNCTION worker.tell_of_search(p_key uuid, p_type text, p_mark text, p_data jsonb) RETURNS boolean
LANGUAGE plpgsql
AS $body$
DECLARE
    v_row jsonb := worker.search_row(p_key);
BEGIN
    RETURN worker.tell(
        concat_ws(':', 'trawler', p_type, v_row ->> 'id', p_mark), p_type, 'search_job', v_row ->> 'id',
        jsonb_build_object('userId', v_row -> 'user_id', 'campaignId', v_row -> 'campaign_id',
                           'platform', v_row -> 'platform', 'creators', v_row -> 'completed_count',
                           'target', v_row -> 'total_count') || p_data);
END
$body$;

-- Ends a search whose row has one of the words p_from, and tells of it. The table has no column for an error: the event,
-- and the task's attempts, have its text. Gives whether the row took the news.
CREATE FUNCTION worker.end_search(p_key uuid, p_from text[], p_outcome text, p_reason text, p_detail text, p_mark text)
RETURNS boolean
LANGUAGE plpgsql
AS $body$
BEGIN
    IF to_regclass('public.search_jobs') IS NULL THEN
        RETURN false;
    END IF;
    UPDATE public.search_jobs s
       SET status = p_outcome, completed_at = worker.utc_now(), updated_at = worker.utc_now()
      FROM worker.searches w
     WHERE w.key = p_key AND s.id = w.job_id AND s.status = ANY (p_from);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM worker.tell_of_search(
        p_key, CASE p_outcome WHEN 'completed' THEN 'job_completed' WHEN 'timeout' THEN 'job_timeout' ELSE 'job_failed' END,
        p_mark, jsonb_build_object('reason', p_reason, 'error', left(p_detail, 4000)));
    IF p_reason = 'plan_limit' THEN
        PERFORM worker.tell_of_search(p_key, 'plan_limit_reached', p_mark, jsonb_build_object('reason', p_reason));
    END IF;
    RETURN true;
END
$body$;

-- Sets a search that ended as error or timeout to 'queued' again.
CREATE FUNCTION worker.requeue_search(p_key uuid) RETURNS boolean
LANGUAGE plpgsql
AS $body$
BEGIN
    IF to_regclass('public.search_jobs') IS NULL THEN
        RETURN false;
    END IF;
    UPDATE public.search_jobs s SET status = 'queued', completed_at = NULL, updated_at = worker.utc_now()
      FROM worker.searches w
     WHERE w.key = p_key AND s.id = w.job_id AND s.status IN ('error', 'timeout');
    RETURN FOUND;
END
$body$;

-- The searches of a campaign: how many, how many of them have no end yet, and what they add up to.
CREATE FUNCTION worker.searches_of(p_campaign uuid, p_final text[], OUT o_jobs bigint, OUT o_open bigint,
                                   OUT o_completed bigint, OUT o_creators bigint)
LANGUAGE plpgsql STABLE
AS $body$
BEGIN
    IF to_regclass('public.search_jobs') IS NULL THEN
        SELECT 0, 0, 0, 0 INTO o_jobs, o_open, o_completed, o_creators;
        RETURN;
    END IF;
    SELECT count(*), count(*) FILTER (WHERE s.status <> ALL (p_final)), count(*) FILTER (WHERE s.status = 'completed'),
           coalesce(sum(s.completed_count), 0)
      INTO o_jobs, o_open, o_completed, o_creators
      FROM public.search_jobs s WHERE s.campaign_id = p_campaign;
END
$body$;

-- As before, and searches: their rows have no deadline of their own, so the task keeps it.
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
    ELSIF p_task.job_table = 'search_jobs' THEN
        o_held := NOT worker.lock_search(p_task.job_id::uuid);
        IF o_held OR to_regclass('public.search_jobs') IS NULL THEN
            o_started := false;
            RETURN;
        END IF;
        UPDATE public.search_jobs s
           SET status = 'processing', completed_at = NULL, updated_at = worker.utc_now()
          FROM worker.searches w
         WHERE w.key = p_task.job_id::uuid AND s.id = w.job_id
           AND (s.status = 'queued' OR (s.status = 'processing' AND p_task.claimed_at IS NOT NULL));
        o_started := FOUND;
        o_deadline := coalesce(CASE WHEN p_task.deadline_at > clock_timestamp() OR p_task.claimed_at IS NOT NULL
                                    THEN p_task.deadline_at END, clock_timestamp() + p_job_timeout);
        IF o_started AND p_task.claimed_at IS NULL THEN
            PERFORM worker.tell_of_search(p_task.job_id::uuid, 'job_started', NULL, '{}');
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

-- Deletes old events of our own that are done. The fleet's role may delete no events; it may call this, which takes none
-- that is younger than 30 days, and none that the application raised.
CREATE FUNCTION worker.forget_events(p_age interval, p_batch integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    v_gone integer;
BEGIN
    WITH old AS MATERIALIZED (
        SELECT e.id FROM public.events e
         WHERE e.source_system = 'trawler' AND e.processing_status = 'completed'
           AND e.timestamp < worker.utc_now() - greatest(p_age, interval '30 days')
         LIMIT p_batch FOR UPDATE SKIP LOCKED)
    DELETE FROM public.events e USING old o WHERE e.id = o.id;
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END
$body$;
