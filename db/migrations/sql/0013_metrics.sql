-- What all processes have counted so far, dead ones too. A row is one sample of Prometheus: a counter, or a bucket, the
-- sum or the count of a histogram. Values only grow. Everything an older release writes stays valid.
CREATE TABLE worker.metrics (
    name   text             NOT NULL,
    labels jsonb            NOT NULL DEFAULT '{}',
    value  double precision NOT NULL CHECK (value >= 0),
    PRIMARY KEY (name, labels)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The newest addition that a process made: one that is sent again, as its reply was lost, is not made twice.
ALTER TABLE worker.workers
    ADD COLUMN metrics_seq bigint NOT NULL DEFAULT 0;

-- Few rows each, and hardly ever written: what somebody must look at.
CREATE INDEX tasks_parked ON worker.tasks (lane) WHERE state = 'parked';
CREATE INDEX quarantine_open ON worker.quarantine (id)
 WHERE verdict IS NULL OR verdict NOT IN ('stored', 'duplicate', 'filtered', 'dropped');
