-- What provider calls cost, and which provider gave which page. Everything an older release writes stays valid.

ALTER TABLE worker.pages
    ADD COLUMN provider text,
    ADD COLUMN endpoint text,
    ADD COLUMN filtered integer NOT NULL DEFAULT 0,
    ADD COLUMN dropped  integer NOT NULL DEFAULT 0;

-- Append only: calls and credits, in the provider's own unit. It outlives the task, as money spent stays spent.
CREATE TABLE worker.spend (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_table text        NOT NULL,
    job_id    text        NOT NULL,
    tenant    text        NOT NULL,
    provider  text        NOT NULL,
    account   text        NOT NULL,
    endpoint  text        NOT NULL,
    calls     integer     NOT NULL,
    credits   bigint      NOT NULL,
    spent_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX spend_job ON worker.spend (job_id);
CREATE INDEX spend_age ON worker.spend (spent_at);
