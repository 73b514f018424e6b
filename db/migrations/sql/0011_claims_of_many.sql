-- Sets the rows of many tasks 'processing' at once and gives those tasks, where that is all there is to do: background
-- jobs that nobody holds and that are ours to run. The others are left to worker.start_row.
CREATE FUNCTION worker.start_rows(p_tasks worker.tasks[]) RETURNS bigint[]
LANGUAGE plpgsql
AS $body$
DECLARE
    v_started bigint[];
BEGIN
    WITH free AS MATERIALIZED (
        SELECT p.id, p.claimed_at, b.id AS row_id
          FROM unnest(p_tasks) p JOIN public.background_jobs b ON b.id = p.job_id::uuid
         WHERE p.job_table = 'background_jobs'
           FOR NO KEY UPDATE OF b SKIP LOCKED),
    started AS (
        UPDATE public.background_jobs b
           SET status = 'processing', updated_at = worker.utc_now(),
               started_at = coalesce(b.started_at, worker.utc_now()), error = NULL, failed_at = NULL,
               completed_at = NULL
          FROM free f
         WHERE b.id = f.row_id
           AND ((b.status = 'pending' AND b.scheduled_for <= worker.utc_now())
                OR (b.status = 'processing' AND f.claimed_at IS NOT NULL))
        RETURNING f.id)
    SELECT coalesce(array_agg(s.id), '{}') INTO v_started FROM started s;
    RETURN v_started;
END
$body$;

-- As before, and what it picks is started and leased by a few statements instead of a few for each task. Jobs of nobody
-- ('-') are capped by their lane alone: they have no tenant who could take it all.
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
    v_busy      bigint[] := '{}';
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
    SELECT v_lane.max_running - count(*) INTO v_free
      FROM worker.tasks t WHERE t.lane = p_lane AND t.state = 'leased';
    v_free := least(v_free, cardinality(p_tokens));

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
                         LIMIT CASE n.tenant WHEN '-' THEN v_free - v_given
                               ELSE greatest(least(v_free - v_given, v_lane.max_per_tenant - coalesce(b.running, 0)), 0)
                               END) h
                 WHERE n.tenant IS NOT NULL)
            SELECT locked.task
              FROM (SELECT c.id FROM candidates c
                     ORDER BY c.place, floor(c.rank / 10), c.served_at NULLS FIRST, c.rank, c.run_at, c.id) best
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
    END LOOP;
END
$body$;
