-- How changes of tickets are taken back.

CREATE TABLE undos (
    -- Of the event that it belongs to, if there is one.
    id         TEXT PRIMARY KEY,
    ticket_id  TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    -- JSON of tickets/undo.rs.
    what       TEXT NOT NULL,
    made_by    TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    done_ms    BIGINT
);
CREATE INDEX undos_ticket ON undos (ticket_id, created_ms);
