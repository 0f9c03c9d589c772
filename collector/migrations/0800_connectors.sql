-- Systems that are told what happens to tickets: how they are reached, which of their tickets is which of ours, what is
-- still to be told, and what they told us.

CREATE TABLE connectors (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    enabled    BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    url        TEXT NOT NULL,
    settings   TEXT NOT NULL,
    -- Sealed under the key file.
    secret     TEXT NOT NULL,
    -- How far the other side was read.
    cursor_ms  BIGINT NOT NULL,
    -- Faults in a row, the last of them, and when it is asked again.
    failures   BIGINT NOT NULL,
    fault      TEXT NOT NULL,
    retry_ms   BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_ms BIGINT NOT NULL
);

CREATE TABLE connector_links (
    connector_id TEXT NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    ticket_id    TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    remote_id    TEXT NOT NULL,
    url          TEXT NOT NULL,
    -- What we set there and have seen there, JSON.
    seen         TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    PRIMARY KEY (connector_id, ticket_id),
    UNIQUE (connector_id, remote_id)
);
CREATE INDEX connector_links_ticket ON connector_links (ticket_id);

-- In the order of their ids for each connector and ticket.
CREATE TABLE outbox (
    id           TEXT PRIMARY KEY,
    connector_id TEXT NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    ticket_id    TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    event_id     TEXT NOT NULL REFERENCES ticket_events (id) ON DELETE CASCADE,
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead', 'dropped')),
    tries        BIGINT NOT NULL,
    error        TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    ended_ms     BIGINT,
    UNIQUE (connector_id, event_id)
);
CREATE INDEX outbox_lane ON outbox (connector_id, ticket_id, id);
CREATE INDEX outbox_state ON outbox (state, id);

CREATE TABLE inbound_messages (
    connector_id TEXT NOT NULL REFERENCES connectors (id) ON DELETE CASCADE,
    message_id   TEXT NOT NULL,
    at_ms        BIGINT NOT NULL,
    PRIMARY KEY (connector_id, message_id)
);
CREATE INDEX inbound_messages_age ON inbound_messages (at_ms);

-- 1: asked for again since it was claimed, so it runs once more.
ALTER TABLE jobs ADD COLUMN rerun BIGINT NOT NULL DEFAULT 0 CHECK (rerun IN (0, 1));
