-- Tasks of both tables, a way to cancel them, schedules, and what on-call needs to know of a process. Everything an older
-- release reads or calls keeps its name and meaning, so that both can run on one database.

ALTER TABLE worker.tasks
    DROP CONSTRAINT tasks_job_table_check,
    ADD CONSTRAINT tasks_job_table_check CHECK (job_table IN ('scraping_jobs', 'background_jobs')),
    ADD COLUMN max_failures  integer,
    ADD COLUMN cancel_at     timestamptz,
    ADD COLUMN cancel_reason text;

ALTER TABLE worker.lanes
    ADD COLUMN pause_reason text,
    ADD COLUMN paused_at    timestamptz;

ALTER TABLE worker.workers
    ADD COLUMN rss_mb  integer,
    ADD COLUMN polling boolean NOT NULL DEFAULT false,
    ADD COLUMN release text;

-- What a slice did, and of a crash what is known: the process's last words to the table of workers.
ALTER TABLE worker.attempts ADD COLUMN evidence jsonb;
-- Ages by which old rows are found.
CREATE INDEX attempts_ended ON worker.attempts (ended_at);

CREATE INDEX creator_profiles_fetched ON worker.creator_profiles (fetched_at);
CREATE INDEX enqueue_keys_created ON worker.enqueue_keys (created_at);

-- Rows put in by the clock. next_at is the newest firing not yet done; whoever moves it on has done it.
CREATE TABLE worker.schedules (
    name      text        PRIMARY KEY,
    cron      text        NOT NULL,
    time_zone text        NOT NULL DEFAULT 'UTC',
    missed    text        NOT NULL DEFAULT 'once' CHECK (missed IN ('skip', 'once')),
    job_type  text        NOT NULL,
    payload   jsonb       NOT NULL DEFAULT '{}',
    priority  integer     NOT NULL DEFAULT 100,
    enabled   boolean     NOT NULL DEFAULT true,
    next_at   timestamptz,
    last_at   timestamptz
);

CREATE OR REPLACE FUNCTION worker.ensure_triggers() RETURNS SETOF text
LANGUAGE plpgsql
AS $body$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['scraping_jobs', 'background_jobs'] LOOP
        IF NOT EXISTS (SELECT FROM pg_trigger
                        WHERE tgrelid = format('public.%I', v_table)::regclass AND tgname = 'trawler_inserted') THEN
            EXECUTE format('CREATE TRIGGER trawler_inserted AFTER INSERT ON public.%I '
                           'REFERENCING NEW TABLE AS arrived '
                           'FOR EACH STATEMENT EXECUTE FUNCTION worker.note_inserted_jobs()', v_table);
            RETURN NEXT v_table || '.trawler_inserted';
        END IF;
        IF NOT EXISTS (SELECT FROM pg_trigger
                        WHERE tgrelid = format('public.%I', v_table)::regclass AND tgname = 'trawler_pending') THEN
            EXECUTE format('CREATE TRIGGER trawler_pending AFTER UPDATE OF status ON public.%I '
                           'FOR EACH ROW WHEN (NEW.status = ''pending'') '
                           'EXECUTE FUNCTION worker.note_pending_job()', v_table);
            RETURN NEXT v_table || '.trawler_pending';
        END IF;
    END LOOP;
END
$body$;
SELECT worker.ensure_triggers();

-- Sets the row of a task 'processing' and gives its deadline. o_held: the application holds the row, which must not hold
-- up the lane. Neither held nor started: the row is not ours to run.
CREATE FUNCTION worker.start_row(p_task worker.tasks, p_job_timeout interval,
                                 OUT o_held boolean, OUT o_started boolean, OUT o_deadline timestamptz)
LANGUAGE plpgsql
AS $body$
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
        RETURNING j.timeout_at AT TIME ZONE 'UTC' INTO o_deadline;
    ELSE
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
    END IF;
    o_started := FOUND;
END
$body$;

-- A task whose row cannot be started: put off when the application moved its schedule, else closed.
CREATE FUNCTION worker.pass_over(p_task worker.tasks) RETURNS void
LANGUAGE plpgsql
AS $body$
DECLARE
    v_later timestamptz;
BEGIN
    IF p_task.job_table = 'background_jobs' THEN
        SELECT b.scheduled_for AT TIME ZONE 'UTC' INTO v_later FROM public.background_jobs b
         WHERE b.id = p_task.job_id::uuid AND b.status = 'pending';
    END IF;
    IF v_later IS NOT NULL THEN
        UPDATE worker.tasks t SET state = 'waiting', run_at = v_later, wait_reason = 'scheduled' WHERE t.id = p_task.id;
    ELSE
        UPDATE worker.tasks t
           SET state = 'closed', closed_at = clock_timestamp(), end_reason = 'outside', wait_reason = NULL
         WHERE t.id = p_task.id;
    END IF;
END
$body$;

CREATE OR REPLACE FUNCTION worker.claim(p_lane text, p_owner text, p_tokens uuid[], p_ttl interval, p_job_timeout interval)
RETURNS SETOF worker.tasks
LANGUAGE plpgsql SET lock_timeout = '2s'
AS $body$
DECLARE
    v_lane     worker.lanes;
    v_free     integer;
    v_given    integer := 0;
    v_pick     worker.tasks;
    v_again    boolean := true;
    v_busy     bigint[] := '{}';
    v_start    record;
BEGIN
    -- Lock and count are two statements: in one, the snapshot is older than the lock and two claimers see the same
    -- free slot.
    SELECT n.* INTO v_lane FROM worker.lanes n WHERE n.lane = p_lane FOR NO KEY UPDATE;
    -- Under the lock, because the first call with these tokens may still be at it.
    RETURN QUERY SELECT t.* FROM worker.tasks t
                  WHERE t.lane = p_lane AND t.state = 'leased' AND t.token = ANY (p_tokens);
    IF FOUND OR v_lane.lane IS NULL OR v_lane.paused OR v_lane.cooldown_until > clock_timestamp() THEN
        RETURN;
    END IF;
    SELECT v_lane.max_running - count(*) INTO v_free
      FROM worker.tasks t WHERE t.lane = p_lane AND t.state = 'leased';
    v_free := least(v_free, cardinality(p_tokens));

    -- Picked again when a pick came to nothing: behind it there may be work.
    WHILE v_again AND v_given < v_free LOOP
        v_again := false;
        FOR v_pick IN
            WITH RECURSIVE tenants (tenant) AS (  -- one index probe a tenant with ready work
                    (SELECT t.tenant FROM worker.tasks t
                      WHERE t.lane = p_lane AND t.state = 'ready' ORDER BY t.tenant LIMIT 1)
                UNION ALL
                    SELECT (SELECT t.tenant FROM worker.tasks t
                             WHERE t.lane = p_lane AND t.state = 'ready' AND t.tenant > n.tenant
                             ORDER BY t.tenant LIMIT 1)
                      FROM tenants n WHERE n.tenant IS NOT NULL),
            busy AS (
                SELECT t.tenant, count(*) AS running FROM worker.tasks t
                 WHERE t.lane = p_lane AND t.state = 'leased' GROUP BY t.tenant),
            candidates AS (
                SELECT h.id, h.run_at, u.served_at,
                       coalesce(b.running, 0)
                           + row_number() OVER (PARTITION BY n.tenant ORDER BY h.priority, h.run_at, h.id) AS place,
                       h.priority - extract(epoch FROM clock_timestamp() - h.run_at) / v_lane.ageing_seconds AS rank
                  FROM tenants n
                  LEFT JOIN busy b ON b.tenant = n.tenant
                  LEFT JOIN worker.tenant_turns u ON u.lane = p_lane AND u.tenant = n.tenant
                 CROSS JOIN LATERAL (
                        SELECT t.id, t.priority, t.run_at FROM worker.tasks t
                         WHERE t.lane = p_lane AND t.state = 'ready' AND t.tenant = n.tenant
                           AND t.id <> ALL (v_busy)
                         ORDER BY t.priority, t.run_at, t.id
                         LIMIT greatest(least(v_free - v_given, v_lane.max_per_tenant - coalesce(b.running, 0)), 0)) h
                 WHERE n.tenant IS NOT NULL)
            SELECT t.*
              FROM candidates c
              JOIN worker.tasks t ON t.id = c.id
             WHERE t.state = 'ready'
             ORDER BY c.place, floor(c.rank / 10), c.served_at NULLS FIRST, c.rank, c.run_at, c.id
             LIMIT v_free - v_given
               FOR UPDATE OF t SKIP LOCKED
        LOOP
            SELECT * INTO v_start FROM worker.start_row(v_pick, p_job_timeout);
            IF v_start.o_held THEN
                v_busy := v_busy || v_pick.id;
                v_again := true;
                CONTINUE;
            END IF;
            IF NOT v_start.o_started THEN
                PERFORM worker.pass_over(v_pick);
                v_again := true;
                CONTINUE;
            END IF;

            INSERT INTO worker.tenant_turns AS u (lane, tenant, served_at)
            VALUES (p_lane, v_pick.tenant, clock_timestamp())
            ON CONFLICT (lane, tenant) DO UPDATE SET served_at = excluded.served_at;

            v_given := v_given + 1;
            RETURN QUERY
                UPDATE worker.tasks t
                   SET state = 'leased', token = p_tokens[v_given], epoch = t.epoch + 1, owner = p_owner,
                       claimed_at = clock_timestamp(), expires_at = clock_timestamp() + p_ttl,
                       deadline_at = v_start.o_deadline, wait_reason = NULL
                 WHERE t.id = v_pick.id
                RETURNING t.*;
        END LOOP;
    END LOOP;
END
$body$;
