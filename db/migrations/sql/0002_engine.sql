-- The engine's own schema. The application's schema push drops what it does not know in its tables, and leaves other
-- schemas and triggers alone: so everything the engine must not lose lives here.

-- A lane is a named stream of tasks that share limits. Running tasks are counted from live leases, never stored.
CREATE TABLE worker.lanes (
    lane            text        PRIMARY KEY,
    paused          boolean     NOT NULL DEFAULT false,
    max_running     integer     NOT NULL CHECK (max_running >= 0),
    max_per_tenant  integer     NOT NULL CHECK (max_per_tenant >= 0),
    ageing_seconds  integer     NOT NULL DEFAULT 60 CHECK (ageing_seconds > 0),
    cooldown_until  timestamptz NOT NULL DEFAULT '-infinity',
    cooldown_reason text
);

-- Who was served last, so that tenants take turns.
CREATE TABLE worker.tenant_turns (
    lane      text        NOT NULL,
    tenant    text        NOT NULL,
    served_at timestamptz NOT NULL,
    PRIMARY KEY (lane, tenant)
) WITH (fillfactor = 70);

-- "Look at this row": appended by the triggers, emptied by adoption.
CREATE TABLE worker.inbox (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_table text NOT NULL,
    job_id    text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- One task a row of the application. Narrow and hot: a heartbeat changes expires_at alone, which no index names.
CREATE TABLE worker.tasks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_table    text        NOT NULL CHECK (job_table IN ('scraping_jobs')),
    job_id       text        NOT NULL,
    lane         text        NOT NULL REFERENCES worker.lanes (lane),
    tenant       text        NOT NULL,
    priority     integer     NOT NULL DEFAULT 100,
    state        text        NOT NULL CHECK (state IN ('waiting', 'ready', 'leased', 'parked', 'closed')),
    run_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    wait_reason  text,
    token        uuid,
    last_token   uuid,
    epoch        bigint      NOT NULL DEFAULT 0,
    owner        text,
    claimed_at   timestamptz,
    expires_at   timestamptz,
    slices       integer     NOT NULL DEFAULT 0,
    failures     integer     NOT NULL DEFAULT 0,
    crashes      integer     NOT NULL DEFAULT 0,
    waits        integer     NOT NULL DEFAULT 0,
    deadline_at  timestamptz,
    adopted_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at    timestamptz,
    end_reason   text,
    UNIQUE (job_table, job_id),
    CHECK ((state = 'leased') = (token IS NOT NULL)),
    CHECK ((state = 'leased') = (expires_at IS NOT NULL)),
    CHECK ((state IN ('closed', 'parked')) = (closed_at IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE INDEX tasks_ready ON worker.tasks (lane, tenant, priority, run_at, id) WHERE state = 'ready';
CREATE INDEX tasks_waiting ON worker.tasks (run_at) WHERE state = 'waiting';
CREATE INDEX tasks_leased ON worker.tasks (lane, tenant) WHERE state = 'leased';
CREATE INDEX tasks_deadline ON worker.tasks (deadline_at) WHERE state IN ('ready', 'waiting') AND deadline_at IS NOT NULL;
CREATE INDEX tasks_closed ON worker.tasks (closed_at) WHERE state IN ('closed', 'parked');

-- Where a task goes on: the cursor envelope after its newest page.
CREATE TABLE worker.checkpoints (
    task_id    bigint      PRIMARY KEY REFERENCES worker.tasks (id) ON DELETE CASCADE,
    seq        integer     NOT NULL,
    envelope   jsonb       NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);

-- The ledger: a page's effects happen once. seq counts a task's pages from 1 and never starts again.
CREATE TABLE worker.pages (
    task_id    bigint      NOT NULL REFERENCES worker.tasks (id) ON DELETE CASCADE,
    seq        integer     NOT NULL,
    epoch      bigint      NOT NULL,
    word       text        NOT NULL,
    cursor     text        NOT NULL,
    items      integer     NOT NULL,
    stored     integer     NOT NULL,
    duplicates integer     NOT NULL,
    unreadable integer     NOT NULL,
    credits    integer     NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (task_id, seq)
);

-- What a job has stored, by the platform's stable id.
CREATE TABLE worker.seen_creators (
    task_id bigint NOT NULL REFERENCES worker.tasks (id) ON DELETE CASCADE,
    key     text   NOT NULL,
    PRIMARY KEY (task_id, key)
);

-- Append only: what happened to a task, slice by slice.
CREATE TABLE worker.attempts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id    bigint      NOT NULL REFERENCES worker.tasks (id) ON DELETE CASCADE,
    epoch      bigint      NOT NULL,
    owner      text        NOT NULL,
    outcome    text        NOT NULL,
    reason     text        NOT NULL,
    detail     text,
    started_at timestamptz,
    ended_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX attempts_task ON worker.attempts (task_id, id);

-- Every process of ours, alive or dead; last_tick_at is its newest sign of useful life.
CREATE TABLE worker.workers (
    id           text        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('worker', 'reconciler')),
    host         text        NOT NULL,
    pid          integer     NOT NULL,
    slots        integer     NOT NULL DEFAULT 0,
    in_use       integer     NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_tick_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);

-- Items that could not be read, as they came, so that nothing is lost.
CREATE TABLE worker.quarantine (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id         bigint      NOT NULL REFERENCES worker.tasks (id) ON DELETE CASCADE,
    seq             integer     NOT NULL,
    provider        text        NOT NULL,
    endpoint        text        NOT NULL,
    adapter_version integer     NOT NULL,
    reason          text        NOT NULL,
    message         text        NOT NULL,
    raw             text        NOT NULL,
    found_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX quarantine_task ON worker.quarantine (task_id);

-- Profiles paid for once, shared between jobs while they are young.
CREATE TABLE worker.creator_profiles (
    platform   text        NOT NULL,
    creator_id text        NOT NULL,
    provider   text        NOT NULL,
    profile    jsonb       NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (platform, creator_id)
);

-- A key given to enqueue names its job for ever.
CREATE TABLE worker.enqueue_keys (
    key        text        PRIMARY KEY,
    job_table  text        NOT NULL,
    job_id     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The application's tz-less columns hold UTC, whatever the session's zone is.
CREATE FUNCTION worker.utc_now() RETURNS timestamp
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN clock_timestamp() AT TIME ZONE 'UTC';

-- The triggers only append to the inbox, so they cannot deadlock with the engine, and they swallow every error of their
-- own: a fault of ours may never break an insert of the application. The sweep finds what they missed.
CREATE FUNCTION worker.note_inserted_jobs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    INSERT INTO worker.inbox (job_table, job_id)
    SELECT TG_TABLE_NAME, arrived.id::text FROM arrived WHERE arrived.status = 'pending';
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$body$;

CREATE FUNCTION worker.note_pending_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    INSERT INTO worker.inbox (job_table, job_id) VALUES (TG_TABLE_NAME, NEW.id::text);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$body$;

-- Puts the triggers on the application's tables where they are missing; returns those it made.
CREATE FUNCTION worker.ensure_triggers() RETURNS SETOF text
LANGUAGE plpgsql
AS $body$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['scraping_jobs'] LOOP
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

-- Leases up to cardinality(p_tokens) tasks of one lane, best first; each gets one of the tokens, its row 'processing'.
-- Called again with the same tokens after a lost reply, it gives the same answer.
-- Locks: the lane row (so that caps and turns are exact), then each task, then its row.
CREATE FUNCTION worker.claim(p_lane text, p_owner text, p_tokens uuid[], p_ttl interval, p_job_timeout interval)
RETURNS SETOF worker.tasks
LANGUAGE plpgsql SET lock_timeout = '2s'
AS $body$
DECLARE
    v_lane     worker.lanes;
    v_free     integer;
    v_given    integer := 0;
    v_pick     record;
    v_again    boolean := true;
    v_busy     bigint[] := '{}';
    v_deadline timestamptz;
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
            SELECT t.id, t.job_id, t.tenant, t.claimed_at, t.deadline_at
              FROM candidates c
              JOIN worker.tasks t ON t.id = c.id
             WHERE t.state = 'ready'
             ORDER BY c.place, floor(c.rank / 10), c.served_at NULLS FIRST, c.rank, c.run_at, c.id
             LIMIT v_free - v_given
               FOR UPDATE OF t SKIP LOCKED
        LOOP
            -- A row that the application holds must not hold up the lane: it is passed over, and asked again later.
            PERFORM FROM public.scraping_jobs j WHERE j.id = v_pick.job_id::uuid FOR NO KEY UPDATE SKIP LOCKED;
            IF NOT FOUND AND EXISTS (SELECT FROM public.scraping_jobs j WHERE j.id = v_pick.job_id::uuid) THEN
                v_busy := v_busy || v_pick.id;
                v_again := true;
                CONTINUE;
            END IF;
            -- A row that somebody else set to 'processing' is theirs; ours was claimed since it was last pending.
            UPDATE public.scraping_jobs j
               SET status = 'processing', updated_at = worker.utc_now(),
                   started_at = coalesce(j.started_at, worker.utc_now()),
                   error = NULL, completed_at = NULL, progress = least(j.progress, 99),
                   timeout_at = coalesce(CASE WHEN j.timeout_at > worker.utc_now() THEN j.timeout_at END,
                                         v_pick.deadline_at AT TIME ZONE 'UTC', worker.utc_now() + p_job_timeout)
             WHERE j.id = v_pick.job_id::uuid
               AND (j.status = 'pending' OR (j.status = 'processing' AND v_pick.claimed_at IS NOT NULL))
            RETURNING j.timeout_at AT TIME ZONE 'UTC' INTO v_deadline;
            IF NOT FOUND THEN
                UPDATE worker.tasks t
                   SET state = 'closed', closed_at = clock_timestamp(), end_reason = 'outside', wait_reason = NULL
                 WHERE t.id = v_pick.id;
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
                       deadline_at = v_deadline, wait_reason = NULL
                 WHERE t.id = v_pick.id
                RETURNING t.*;
        END LOOP;
    END LOOP;
END
$body$;
