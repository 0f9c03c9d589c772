-- Error lines that no signature explains, grouped by what they have in common, over all bundles.

CREATE TABLE templates (
    -- Digest of the text it was first seen with.
    id         TEXT PRIMARY KEY,
    -- What its lines have in common; <*> stands for what differs.
    text       TEXT NOT NULL,
    -- Number of words and the first one: only templates of one shape are compared.
    shape      TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- Why nobody is to be bothered with it; NULL while it counts.
    ignored    TEXT
);
CREATE INDEX templates_by_shape ON templates (shape, created_ms);

CREATE TABLE bundle_templates (
    bundle_id   TEXT NOT NULL,
    template_id TEXT NOT NULL,
    ticket_id   TEXT NOT NULL,
    -- Lines in this bundle.
    count       BIGINT NOT NULL,
    file        TEXT NOT NULL,
    line        BIGINT NOT NULL,
    example     TEXT NOT NULL,
    PRIMARY KEY (bundle_id, template_id)
);
CREATE INDEX bundle_templates_by_template ON bundle_templates (template_id, ticket_id);
CREATE INDEX bundle_templates_by_ticket ON bundle_templates (ticket_id, template_id);
