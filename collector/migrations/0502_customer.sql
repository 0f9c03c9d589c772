-- The customer's page of a ticket: the secrets of its links, and who looked at a bundle.

CREATE TABLE ticket_links (
    id          TEXT PRIMARY KEY,
    ticket_id   TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    selector    TEXT NOT NULL UNIQUE,
    secret_hmac TEXT NOT NULL,
    created_by  TEXT NOT NULL,
    created_ms  BIGINT NOT NULL,
    expires_ms  BIGINT NOT NULL,
    revoked_ms  BIGINT
);
CREATE INDEX ticket_links_ticket ON ticket_links (ticket_id, created_ms);

CREATE TABLE bundle_views (
    bundle_id TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    viewer    TEXT NOT NULL,
    first_ms  BIGINT NOT NULL,
    last_ms   BIGINT NOT NULL,
    PRIMARY KEY (bundle_id, viewer)
);
CREATE INDEX bundle_views_ticket ON bundle_views (ticket_id, last_ms);
