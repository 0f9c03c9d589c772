-- What is derived from tickets and bundles, and marks of those that have changed since. A change only adds a mark, so
-- that nobody waits for anybody.

CREATE TABLE marks (
    id      TEXT PRIMARY KEY,
    -- figures: of a day; words: of a ticket or bundle.
    kind    TEXT NOT NULL CHECK (kind IN ('figures', 'words')),
    -- The day as a number; ticket:<id>, bundle:<id>.
    subject TEXT NOT NULL
);
CREATE INDEX marks_subject ON marks (kind, subject);

-- The figures of the tickets that were created on a day, packed: what statistics are made of.
CREATE TABLE figure_days (
    -- Days since 1970.
    day  BIGINT PRIMARY KEY,
    -- JSON of tickets/figures.rs.
    body TEXT NOT NULL
);

-- What the search finds, and the words it finds it by. A document's number rises with time.
CREATE TABLE search_documents (
    number BIGINT PRIMARY KEY,
    kind   TEXT NOT NULL CHECK (kind IN ('ticket', 'bundle')),
    id     TEXT NOT NULL,
    -- Of its words, to tell whether they have changed.
    digest TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE TABLE search_words (
    word     TEXT NOT NULL,
    document BIGINT NOT NULL REFERENCES search_documents (number) ON DELETE CASCADE,
    PRIMARY KEY (word, document)
);
CREATE INDEX search_words_document ON search_words (document);

-- What the host runs, as the bundle's facts tell it.
ALTER TABLE bundles ADD COLUMN os TEXT NOT NULL DEFAULT '';
CREATE INDEX bundles_by_host ON bundles (host, received_ms);

-- What signatures came to, counted without reading the findings themselves.
CREATE INDEX findings_counted ON findings (signature_id, ticket_id, created_ms, verdict, verdict_reason);

INSERT INTO marks (id, kind, subject)
    SELECT 'day' || (created_ms / 86400000), 'figures', CAST(created_ms / 86400000 AS TEXT) FROM tickets GROUP BY created_ms / 86400000;
INSERT INTO marks (id, kind, subject) SELECT id, 'words', 'ticket:' || id FROM tickets;
INSERT INTO marks (id, kind, subject) SELECT id, 'words', 'bundle:' || id FROM bundles WHERE state <> 'deleted';
