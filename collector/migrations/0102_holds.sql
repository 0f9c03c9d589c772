-- Legal holds: what must not be deleted, neither by retention nor by anybody, until the hold is lifted.
CREATE TABLE holds (
    -- `ticket:<id>` for all bundles of a ticket, `bundle:<id>` for one.
    subject   TEXT PRIMARY KEY,
    ticket_id TEXT NOT NULL,
    reason    TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_ms BIGINT NOT NULL
);
CREATE INDEX holds_by_ticket ON holds (ticket_id);
