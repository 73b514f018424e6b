-- Caps of credits: what is used of each, and what is set aside for calls under way. Only deployments with caps use it.

-- One row a cap in use: of a provider's account a day, of a tenant a day, of a job. It counts what was charged and what
-- is set aside, and begins with what the ledger knows.
CREATE TABLE worker.budget_use (
    scope    text        NOT NULL CHECK (scope IN ('day', 'tenant_day', 'job')),
    provider text        NOT NULL,
    subject  text        NOT NULL,  -- the account, the tenant, or the job's id
    day      date        NOT NULL,  -- UTC; '-infinity' for a job, whose cap has no window
    credits  bigint      NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, provider, subject, day)
);

CREATE TABLE worker.budget_reservations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider   text        NOT NULL,
    account    text        NOT NULL,
    tenant     text        NOT NULL,
    job_id     text        NOT NULL,
    scopes     text[]      NOT NULL,
    day        date        NOT NULL,
    credits    bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX budget_reservations_expiry ON worker.budget_reservations (provider, expires_at);

-- The rows of worker.budget_use that a call counts in, always in the order in which they are locked.
CREATE FUNCTION worker.budget_rows(
    p_scopes text[], p_account text, p_tenant text, p_job_id text, p_day date)
RETURNS TABLE (scope text, subject text, day date)
LANGUAGE sql IMMUTABLE AS $$
    SELECT r.scope, r.subject, r.day
      FROM (VALUES (1, 'day', p_account, p_day), (2, 'tenant_day', p_tenant, p_day),
                   (3, 'job', p_job_id, '-infinity'::date)) AS r (place, scope, subject, day)
     WHERE r.scope = ANY (p_scopes)
     ORDER BY r.place
$$;

-- Counts credits in the rows of one call.
CREATE FUNCTION worker.count_credits(
    p_scopes text[], p_provider text, p_account text, p_tenant text, p_job_id text, p_day date, p_credits bigint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM worker.budget_rows(p_scopes, p_account, p_tenant, p_job_id, p_day) LOOP
        UPDATE worker.budget_use u SET credits = u.credits + p_credits
         WHERE u.scope = r.scope AND u.provider = p_provider AND u.subject = r.subject AND u.day = r.day;
    END LOOP;
END
$$;

-- Gives back what calls set aside whose process never told how they ended.
CREATE FUNCTION worker.release_expired_credits(p_provider text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    gone  worker.budget_reservations;
    total bigint := 0;
BEGIN
    FOR gone IN
        DELETE FROM worker.budget_reservations b
         WHERE b.id IN (SELECT e.id FROM worker.budget_reservations e
                         WHERE e.provider = p_provider AND e.expires_at < clock_timestamp()
                         ORDER BY e.id LIMIT 100 FOR UPDATE SKIP LOCKED)
        RETURNING b.*
    LOOP
        PERFORM worker.count_credits(gone.scopes, gone.provider, gone.account, gone.tenant, gone.job_id, gone.day,
                                     -gone.credits);
        total := total + gone.credits;
    END LOOP;
    RETURN total;
END
$$;

-- Sets credits aside under every cap, or under none: then it tells which cap is in the way.
-- Caps stand beside p_scopes. Locks: the rows of worker.budget_use, in one order; nothing else for longer than this.
CREATE FUNCTION worker.reserve_credits(
    p_scopes text[], p_caps bigint[], p_provider text, p_account text, p_tenant text, p_job_id text, p_credits bigint,
    p_life interval)
RETURNS TABLE (reservation bigint, refused text, used bigint, day_left interval)
LANGUAGE plpgsql AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    since timestamptz := today::timestamp AT TIME ZONE 'UTC';
    r     record;
    known bigint;
BEGIN
    day_left := since + interval '1 day' - clock_timestamp();
    FOR r IN
        SELECT b.*, p_caps[array_position(p_scopes, b.scope)] AS cap
          FROM worker.budget_rows(p_scopes, p_account, p_tenant, p_job_id, today) b
    LOOP
        LOOP
            SELECT u.credits INTO known FROM worker.budget_use u
             WHERE u.scope = r.scope AND u.provider = p_provider AND u.subject = r.subject AND u.day = r.day
               FOR NO KEY UPDATE;
            EXIT WHEN FOUND;
            INSERT INTO worker.budget_use (scope, provider, subject, day, credits)
            SELECT r.scope, p_provider, r.subject, r.day, coalesce(sum(s.credits), 0)
              FROM worker.spend s
             WHERE s.provider = p_provider
               AND CASE r.scope WHEN 'job' THEN s.job_id = r.subject
                                WHEN 'day' THEN s.account = r.subject AND s.spent_at >= since
                                ELSE s.tenant = r.subject AND s.spent_at >= since END
            ON CONFLICT DO NOTHING;
            IF r.scope = 'day' THEN
                -- The first call of a day forgets the days of last week, and jobs long gone.
                DELETE FROM worker.budget_use u
                 WHERE (u.scope <> 'job' AND u.day < today - 7) OR u.begun_at < clock_timestamp() - interval '90 days';
            END IF;
        END LOOP;
        IF known + p_credits > r.cap THEN
            refused := r.scope;
            used := known;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
    PERFORM worker.count_credits(p_scopes, p_provider, p_account, p_tenant, p_job_id, today, p_credits);
    INSERT INTO worker.budget_reservations (provider, account, tenant, job_id, scopes, day, credits, expires_at)
    VALUES (p_provider, p_account, p_tenant, p_job_id, p_scopes, today, p_credits, clock_timestamp() + p_life)
    RETURNING id INTO reservation;
    RETURN NEXT;
END
$$;

-- Puts what was charged in the place of what was set aside. A reservation that is gone counts as nothing set aside.
CREATE FUNCTION worker.settle_credits(
    p_reservation bigint, p_scopes text[], p_provider text, p_account text, p_tenant text, p_job_id text,
    p_charged bigint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    gone  worker.budget_reservations;
BEGIN
    DELETE FROM worker.budget_reservations b WHERE b.id = p_reservation RETURNING b.* INTO gone;
    IF coalesce(gone.credits, 0) <> p_charged THEN
        PERFORM worker.count_credits(p_scopes, p_provider, p_account, p_tenant, p_job_id, coalesce(gone.day, today),
                                     p_charged - coalesce(gone.credits, 0));
    END IF;
END
$$;
