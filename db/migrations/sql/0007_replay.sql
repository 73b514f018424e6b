-- What reading a quarantined item again needs, and what became of it. Everything an older release writes stays valid.

ALTER TABLE worker.quarantine
    ADD COLUMN walk        text,                            -- JSON, as it stood when the page was asked for
    ADD COLUMN cut         boolean NOT NULL DEFAULT false,  -- raw is not the whole item
    ADD COLUMN replayed_at timestamptz,
    ADD COLUMN verdict     text;                            -- of the newest replay, null before the first

UPDATE worker.quarantine SET cut = true WHERE octet_length(raw) >= 200000;
