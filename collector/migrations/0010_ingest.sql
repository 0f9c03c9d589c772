-- Uploads, the bundles they become, what was found in them, and the jobs that get them there.
-- Times are UTC milliseconds, ids UUIDv7 text, states change by compare-and-set only.

CREATE TABLE uploads (
    id              TEXT PRIMARY KEY,
    ticket_id       TEXT NOT NULL,
    code_id         TEXT NOT NULL,
    -- Chosen at creation, so that completing twice gives the same bundle.
    bundle_id       TEXT NOT NULL UNIQUE,
    receipt         TEXT NOT NULL UNIQUE,
    state           TEXT NOT NULL CHECK (state IN ('created', 'receiving', 'complete', 'failed', 'cancelled', 'expired')),
    -- Fencing: every request that may change the upload takes the next number, and commits under it only.
    epoch           BIGINT NOT NULL,
    offset_bytes    BIGINT NOT NULL,
    -- NULL while the length is deferred.
    length_bytes    BIGINT,
    reserved_bytes  BIGINT NOT NULL,
    filename        TEXT NOT NULL,
    -- The Upload-Metadata header as it came, given back by HEAD.
    metadata        TEXT NOT NULL,
    declared_sha256 TEXT,
    consent         TEXT,
    sha256          TEXT,
    reason          TEXT,
    created_ms      BIGINT NOT NULL,
    touched_ms      BIGINT NOT NULL,
    expires_ms      BIGINT NOT NULL
);
CREATE INDEX uploads_by_state ON uploads (state, expires_ms);
CREATE INDEX uploads_by_code ON uploads (code_id, state);

CREATE TABLE bundles (
    id             TEXT PRIMARY KEY,
    upload_id      TEXT NOT NULL UNIQUE,
    ticket_id      TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('stored', 'scanning', 'ready', 'rejected', 'quarantined', 'deleting', 'deleted')),
    reason         TEXT,
    detail         TEXT,
    filename       TEXT NOT NULL,
    bytes          BIGINT NOT NULL,
    sha256         TEXT NOT NULL,
    receipt        TEXT NOT NULL,
    host           TEXT,
    profile        TEXT,
    collected_ms   BIGINT,
    unpacked_bytes BIGINT NOT NULL DEFAULT 0,
    files          BIGINT NOT NULL DEFAULT 0,
    items_asked    BIGINT NOT NULL DEFAULT 0,
    items_complete BIGINT NOT NULL DEFAULT 0,
    evaluated      BIGINT NOT NULL DEFAULT 0,
    -- JSON list of {id, reason}.
    not_evaluated  TEXT NOT NULL DEFAULT '[]',
    received_ms    BIGINT NOT NULL,
    verdict_ms     BIGINT
);
CREATE INDEX bundles_by_ticket ON bundles (ticket_id, received_ms);
CREATE INDEX bundles_by_state ON bundles (state, received_ms);

CREATE TABLE findings (
    id            TEXT PRIMARY KEY,
    bundle_id     TEXT NOT NULL,
    ticket_id     TEXT NOT NULL,
    signature_id  TEXT NOT NULL,
    severity      TEXT NOT NULL,
    -- 0 is the worst, for sorting.
    severity_rank BIGINT NOT NULL,
    title         TEXT NOT NULL,
    -- The whole finding as the engine reported it, JSON.
    body          TEXT NOT NULL,
    created_ms    BIGINT NOT NULL,
    UNIQUE (bundle_id, signature_id)
);
CREATE INDEX findings_by_ticket ON findings (ticket_id, severity_rank);
CREATE INDEX findings_by_signature ON findings (signature_id, created_ms);

CREATE TABLE jobs (
    id             TEXT PRIMARY KEY,
    kind           TEXT NOT NULL,
    subject        TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'done', 'dead')),
    owner          TEXT,
    lease_until_ms BIGINT NOT NULL DEFAULT 0,
    attempt        BIGINT NOT NULL DEFAULT 0,
    run_after_ms   BIGINT NOT NULL,
    last_error     TEXT,
    created_ms     BIGINT NOT NULL,
    ended_ms       BIGINT,
    UNIQUE (kind, subject)
);
CREATE INDEX jobs_by_state ON jobs (state, run_after_ms);
