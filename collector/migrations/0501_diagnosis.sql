-- What was tried on a ticket, which lines count, what was proposed, and texts that are written often.

CREATE TABLE ticket_attempts (
    id         TEXT PRIMARY KEY,
    ticket_id  TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    hypothesis TEXT NOT NULL,
    action     TEXT NOT NULL,
    result     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'confirmed', 'refuted')),
    made_by    TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);
CREATE INDEX ticket_attempts_ticket ON ticket_attempts (ticket_id, created_ms, id);

CREATE TABLE ticket_pins (
    id         TEXT PRIMARY KEY,
    ticket_id  TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    bundle_id  TEXT NOT NULL,
    file       TEXT NOT NULL,
    line       BIGINT NOT NULL,
    text       TEXT NOT NULL,
    note       TEXT NOT NULL,
    pinned_by  TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (ticket_id, bundle_id, file, line)
);
CREATE INDEX ticket_pins_bundle ON ticket_pins (bundle_id);

CREATE TABLE solutions (
    id           TEXT PRIMARY KEY,
    ticket_id    TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    -- article:<slug>, signature:<id>, or empty.
    source       TEXT NOT NULL,
    title        TEXT NOT NULL,
    steps        TEXT NOT NULL,
    success      TEXT NOT NULL,
    rollback     TEXT NOT NULL,
    language     TEXT NOT NULL,
    audience     TEXT NOT NULL,
    proposed_by  TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    -- What the customer said; NULL while nothing.
    outcome      TEXT CHECK (outcome IN ('worked', 'failed')),
    outcome_note TEXT NOT NULL DEFAULT '',
    outcome_ms   BIGINT
);
CREATE INDEX solutions_ticket ON solutions (ticket_id, created_ms, id);
CREATE INDEX solutions_source ON solutions (source, outcome);

CREATE TABLE macros (
    id         TEXT PRIMARY KEY,
    title      TEXT NOT NULL,
    body_en    TEXT NOT NULL,
    body_zh    TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_ms BIGINT NOT NULL
);
