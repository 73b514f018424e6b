-- One lease over many background jobs that take a moment each. Its tasks stay 'ready': the row below keeps them from
-- everybody else, so that a job costs one update of its task and one of its row instead of two of each.
CREATE TABLE worker.group_leases (
    token      uuid        PRIMARY KEY,
    lane       text        NOT NULL REFERENCES worker.lanes (lane),
    owner      text        NOT NULL,
    tasks      bigint[]    NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Tasks that may have killed their workers: see worker.claim.
CREATE INDEX tasks_suspected ON worker.tasks (lane) WHERE state = 'ready' AND crashes >= 2;

-- How many groups a lane has, and their tasks. To be asked under the lane's lock.
CREATE FUNCTION worker.groups_of(p_lane text, OUT o_groups integer, OUT o_tasks bigint[])
LANGUAGE sql VOLATILE
AS $body$
    SELECT count(DISTINCT g.token)::integer, coalesce(array_agg(u.task) FILTER (WHERE u.task IS NOT NULL), '{}')
      FROM worker.group_leases g LEFT JOIN LATERAL unnest(g.tasks) AS u (task) ON true
     WHERE g.lane = p_lane
$body$;

-- Leases up to p_count of the lane's next tasks as one group, and gives what is to be done for each. A group has jobs of
-- nobody alone ('-'), since a tenant's are capped one by one, and only those on their first run, for which nothing else
-- is to be seen to: the others are for worker.claim, and o_more says that the lane has some. To its lane a group is one
-- running task, because its jobs are run one after another. o_version tells a row that was changed since from one that
-- was not: nobody sees 'processing' on it, and may change it meanwhile. o_waited is how long it was due, in seconds.
CREATE FUNCTION worker.claim_group(p_lane text, p_owner text, p_token uuid, p_count integer, p_ttl interval)
RETURNS TABLE (o_task bigint, o_job text, o_payload text, o_version text,
               o_waited double precision, o_more boolean)
LANGUAGE plpgsql SET lock_timeout = '2s' SET jit = off
AS $body$
DECLARE
    v_lane     worker.lanes;
    v_groups   integer;
    v_taken    bigint[];
    v_tasks    bigint[];
    v_jobs     text[];
    v_payloads text[];
    v_versions text[];
    v_waited   double precision[];
    v_more     boolean;
    v_now      timestamptz;
BEGIN
    -- Lock and count are two statements, as in worker.claim.
    SELECT n.* INTO v_lane FROM worker.lanes n WHERE n.lane = p_lane FOR NO KEY UPDATE;
    -- Under the lock, because the first call with this token may still be at it.
    SELECT array_agg(t.id ORDER BY u.place), array_agg(t.job_id ORDER BY u.place),
           array_agg(b.payload::text ORDER BY u.place), array_agg(b.xmin::text ORDER BY u.place),
           array_agg(extract(epoch FROM g.claimed_at - t.run_at) ORDER BY u.place)
      INTO v_tasks, v_jobs, v_payloads, v_versions, v_waited
      FROM worker.group_leases g
     CROSS JOIN LATERAL unnest(g.tasks) WITH ORDINALITY AS u (task, place)
      JOIN worker.tasks t ON t.id = u.task
      JOIN public.background_jobs b ON b.id = t.job_id::uuid
     WHERE g.token = p_token;
    IF v_tasks IS NULL THEN
        IF v_lane.lane IS NULL OR v_lane.paused OR v_lane.cooldown_until > clock_timestamp() THEN
            RETURN;
        END IF;
        v_now := clock_timestamp();
        SELECT g.o_groups, g.o_tasks INTO v_groups, v_taken FROM worker.groups_of(p_lane) g;
        IF v_groups + (SELECT count(*) FROM worker.tasks t WHERE t.lane = p_lane AND t.state = 'leased')
           >= v_lane.max_running THEN
            RETURN;
        END IF;
        SELECT array_agg(h.id ORDER BY h.priority, h.run_at, h.id) FILTER (WHERE h.plain),
               array_agg(h.job_id ORDER BY h.priority, h.run_at, h.id) FILTER (WHERE h.plain),
               array_agg(h.payload ORDER BY h.priority, h.run_at, h.id) FILTER (WHERE h.plain),
               array_agg(h.version ORDER BY h.priority, h.run_at, h.id) FILTER (WHERE h.plain),
               array_agg(extract(epoch FROM v_now - h.run_at) ORDER BY h.priority, h.run_at, h.id)
                   FILTER (WHERE h.plain),
               bool_or(NOT h.plain)
          INTO v_tasks, v_jobs, v_payloads, v_versions, v_waited, v_more
          FROM (SELECT t.id, t.job_id, t.priority, t.run_at, b.payload::text AS payload, b.version,
                       b.id IS NOT NULL AND t.slices = 0 AND t.failures = 0 AND t.cancel_at IS NULL
                           AND t.deadline_at IS NULL AS plain
                  FROM (SELECT k.* FROM worker.tasks k
                         WHERE k.lane = p_lane AND k.tenant = '-' AND k.state = 'ready' AND k.id <> ALL (v_taken)
                         ORDER BY k.priority, k.run_at, k.id
                         LIMIT p_count) t
                  LEFT JOIN LATERAL (
                       SELECT r.id, r.payload, r.xmin::text AS version FROM public.background_jobs r
                        WHERE r.id = t.job_id::uuid AND t.job_table = 'background_jobs' AND r.status = 'pending'
                          AND r.scheduled_for <= worker.utc_now() AND 'job.' || r.job_type = p_lane
                        LIMIT 1) b ON true) h;
        IF v_tasks IS NULL THEN
            RETURN;
        END IF;
        INSERT INTO worker.group_leases (token, lane, owner, tasks, claimed_at, expires_at)
        VALUES (p_token, p_lane, p_owner, v_tasks, v_now, v_now + p_ttl);
    END IF;
    v_more := coalesce(v_more, false)
        OR EXISTS (SELECT FROM worker.tasks t WHERE t.lane = p_lane AND t.state = 'ready' AND t.tenant < '-')
        OR EXISTS (SELECT FROM worker.tasks t WHERE t.lane = p_lane AND t.state = 'ready' AND t.tenant > '-');
    RETURN QUERY SELECT w.task, w.job, w.payload, w.version, w.waited, v_more
                   FROM unnest(v_tasks, v_jobs, v_payloads, v_versions, v_waited)
                        AS w (task, job, payload, version, waited);
END
$body$;

-- As before, and what a group has is neither picked nor free. A task that crashed twice is suspected: a process has one
-- such task of a lane at a time, so that a job that kills its workers does not take those beside it with it.
CREATE OR REPLACE FUNCTION worker.claim(p_lane text, p_owner text, p_tokens uuid[], p_ttl interval, p_job_timeout interval)
RETURNS SETOF worker.tasks
-- Estimates grow with what is ready, and compiling would cost far more than it saves.
LANGUAGE plpgsql SET lock_timeout = '2s' SET jit = off
AS $body$
DECLARE
    v_lane      worker.lanes;
    v_free      integer;
    v_given     integer := 0;
    v_picks     worker.tasks[];
    v_pick      worker.tasks;
    v_started   bigint[];
    v_deadlines timestamptz[];
    v_again     boolean := true;
    v_groups    integer;
    v_busy      bigint[];
    v_suspects  integer;
    v_start     record;
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
    SELECT g.o_groups, g.o_tasks INTO v_groups, v_busy FROM worker.groups_of(p_lane) g;
    SELECT v_lane.max_running - v_groups - count(*) INTO v_free
      FROM worker.tasks t WHERE t.lane = p_lane AND t.state = 'leased';
    v_free := least(v_free, cardinality(p_tokens));
    v_suspects := CASE WHEN EXISTS (SELECT FROM worker.tasks t
                                     WHERE t.lane = p_lane AND t.state = 'leased' AND t.crashes >= 2
                                       AND t.owner = p_owner) THEN 0 ELSE 1 END;

    -- Picked again when a pick came to nothing: behind it there may be work.
    WHILE v_again AND v_given < v_free LOOP
        v_again := false;
        v_picks := ARRAY(
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
                SELECT h.id, h.crashes, h.run_at, u.served_at,
                       coalesce(b.running, 0)
                           + row_number() OVER (PARTITION BY n.tenant ORDER BY h.priority, h.run_at, h.id) AS place,
                       h.priority - extract(epoch FROM clock_timestamp() - h.run_at) / v_lane.ageing_seconds AS rank
                  FROM tenants n
                  LEFT JOIN busy b ON b.tenant = n.tenant
                  LEFT JOIN worker.tenant_turns u ON u.lane = p_lane AND u.tenant = n.tenant
                 CROSS JOIN LATERAL (
                        SELECT t.id, t.crashes, t.priority, t.run_at FROM worker.tasks t
                         WHERE t.lane = p_lane AND t.state = 'ready' AND t.tenant = n.tenant
                           AND t.id <> ALL (v_busy) AND (v_suspects > 0 OR t.crashes < 2)
                         ORDER BY t.priority, t.run_at, t.id
                         LIMIT CASE n.tenant WHEN '-' THEN v_free - v_given
                               ELSE greatest(least(v_free - v_given, v_lane.max_per_tenant - coalesce(b.running, 0)), 0)
                               END) h
                 WHERE n.tenant IS NOT NULL)
            SELECT locked.task
              FROM (SELECT o.id FROM (
                        SELECT c.id, c.crashes, row_number() OVER turn AS turn,
                               count(*) FILTER (WHERE c.crashes >= 2) OVER turn AS suspects
                          FROM candidates c
                        WINDOW turn AS (
                               ORDER BY c.place, floor(c.rank / 10), c.served_at NULLS FIRST, c.rank, c.run_at, c.id)) o
                     WHERE o.crashes < 2 OR o.suspects <= v_suspects
                     ORDER BY o.turn) best
             -- One probe a task, in this order: as a plain join it may be planned as a scan of all that is ready.
             CROSS JOIN LATERAL (
                    SELECT t AS task FROM worker.tasks t WHERE t.id = best.id AND t.state = 'ready'
                       FOR UPDATE OF t SKIP LOCKED) locked
             LIMIT v_free - v_given);

        v_started := worker.start_rows(v_picks);
        v_deadlines := array_fill(NULL::timestamptz, ARRAY[cardinality(v_started)]);
        FOREACH v_pick IN ARRAY v_picks LOOP
            CONTINUE WHEN v_pick.id = ANY (v_started);
            SELECT * INTO v_start FROM worker.start_row(v_pick, p_job_timeout);
            IF v_start.o_started THEN
                v_started := v_started || v_pick.id;
                v_deadlines := v_deadlines || v_start.o_deadline;
                CONTINUE;
            END IF;
            v_again := true;
            IF v_start.o_held THEN
                v_busy := v_busy || v_pick.id;
            ELSE
                PERFORM worker.pass_over(v_pick);
            END IF;
        END LOOP;

        INSERT INTO worker.tenant_turns AS u (lane, tenant, served_at)
        SELECT p_lane, s.tenant, clock_timestamp()
          FROM (SELECT p.tenant FROM unnest(v_picks) WITH ORDINALITY p
                 WHERE p.id = ANY (v_started) GROUP BY p.tenant ORDER BY max(p.ordinality)) s
        ON CONFLICT (lane, tenant) DO UPDATE SET served_at = excluded.served_at;

        RETURN QUERY
            UPDATE worker.tasks t
               SET state = 'leased', token = p_tokens[v_given + s.place], epoch = t.epoch + 1, owner = p_owner,
                   claimed_at = clock_timestamp(), expires_at = clock_timestamp() + p_ttl,
                   deadline_at = s.deadline, wait_reason = NULL
              FROM unnest(v_started, v_deadlines) WITH ORDINALITY AS s (id, deadline, place)
             WHERE t.id = s.id
            RETURNING t.*;
        v_given := v_given + cardinality(v_started);
        v_suspects := v_suspects - (SELECT count(*) FROM unnest(v_picks) p WHERE p.crashes >= 2 AND p.id = ANY (v_started));
    END LOOP;
END
$body$;
