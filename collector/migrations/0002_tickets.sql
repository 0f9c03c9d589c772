-- Tickets, their timeline and tags, and the upload codes that belong to them.

CREATE TABLE tickets (
    id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    impact TEXT NOT NULL,
    urgency TEXT NOT NULL,
    customer TEXT NOT NULL,
    contact TEXT NOT NULL,
    language TEXT NOT NULL,
    product TEXT NOT NULL,
    category TEXT NOT NULL,
    expected TEXT NOT NULL,
    happened TEXT NOT NULL,
    since TEXT NOT NULL,
    error_text TEXT NOT NULL,
    changed TEXT NOT NULL,
    tried TEXT NOT NULL,
    owner_id TEXT REFERENCES users (id),
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    closed_ms BIGINT,
    top_finding TEXT
);
CREATE INDEX tickets_updated ON tickets (updated_ms, number);
CREATE INDEX tickets_status ON tickets (status, updated_ms, number);
CREATE INDEX tickets_owner ON tickets (owner_id, updated_ms, number);

CREATE TABLE ticket_tags (
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    source TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, tag)
);
CREATE INDEX ticket_tags_tag ON ticket_tags (tag, ticket_id);

CREATE TABLE ticket_events (
    id TEXT PRIMARY KEY,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    at_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    public BIGINT NOT NULL CHECK (public IN (0, 1)),
    actor_kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    body TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX ticket_events_ticket ON ticket_events (ticket_id, at_ms, id);

CREATE TABLE upload_codes (
    id TEXT PRIMARY KEY,
    selector TEXT NOT NULL UNIQUE,
    secret_hmac TEXT NOT NULL,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    profile TEXT NOT NULL,
    since TEXT,
    requested_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    max_bytes BIGINT NOT NULL,
    max_bundles BIGINT NOT NULL,
    used_bundles BIGINT NOT NULL DEFAULT 0,
    used_ms BIGINT,
    revoked_ms BIGINT
);
CREATE INDEX upload_codes_ticket ON upload_codes (ticket_id, created_ms);
