-- What each endpoint's answers usually look like, and who is looking up which creator at present.

-- One row an endpoint and adapter version: a new version reads another shape, and begins to learn anew.
CREATE TABLE worker.shapes (
    provider        text        NOT NULL,
    endpoint        text        NOT NULL,
    adapter_version integer     NOT NULL,
    shape           jsonb       NOT NULL DEFAULT '{}',  -- counts by path, as platforms/drift.py has them
    told            text,                               -- fingerprint of the departures that were last told
    drift           jsonb,                              -- the departures while the endpoint has drifted, else NULL
    sample          text,                               -- the answer in which they were seen, cut off
    drifted_at      timestamptz,
    looked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, endpoint, adapter_version)
);

-- A creator's look-up under way: others wait for it instead of paying for it again.
CREATE TABLE worker.profile_claims (
    platform   text        NOT NULL,
    creator_id text        NOT NULL,
    claimant   uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (platform, creator_id)
);
CREATE INDEX profile_claims_expiry ON worker.profile_claims (expires_at);
