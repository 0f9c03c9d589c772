-- Runs of one signature over stored bundles.

CREATE TABLE retro_scans (
    id            TEXT PRIMARY KEY,
    signature_id  TEXT NOT NULL,
    -- scan: what is found is kept and tags tickets. backtest: it is only counted.
    mode          TEXT NOT NULL CHECK (mode IN ('scan', 'backtest')),
    -- The signature file that is tried; NULL for a stored signature.
    yaml          TEXT,
    state         TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'cancelled', 'failed')),
    error         TEXT,
    created_by    TEXT NOT NULL,
    created_ms    BIGINT NOT NULL,
    ended_ms      BIGINT,
    -- The last bundle that was looked at; ids rise with time.
    cursor        TEXT NOT NULL DEFAULT '',
    -- Bundles received later have the signature from the start.
    until_ms      BIGINT NOT NULL,
    bundles       BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    bundles_done  BIGINT NOT NULL DEFAULT 0,
    bundles_read  BIGINT NOT NULL DEFAULT 0,
    -- Of bundles, and of the indexes beside them.
    bytes_read    BIGINT NOT NULL DEFAULT 0,
    index_read    BIGINT NOT NULL DEFAULT 0,
    faults        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX retro_scans_by_signature ON retro_scans (signature_id, created_ms);

CREATE TABLE retro_hits (
    scan_id   TEXT NOT NULL REFERENCES retro_scans (id) ON DELETE CASCADE,
    bundle_id TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    hits      BIGINT NOT NULL,
    file      TEXT NOT NULL,
    line      BIGINT NOT NULL,
    -- 1: nothing was known of it before.
    fresh     BIGINT NOT NULL,
    PRIMARY KEY (scan_id, bundle_id)
);
