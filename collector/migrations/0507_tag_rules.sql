-- What a signature's tags do by themselves, for a product or for all: what people decided, and what their undoing taught.

CREATE TABLE tag_rules (
    id           TEXT PRIMARY KEY,
    signature_id TEXT NOT NULL,
    -- As tickets name it; '*' is every product.
    product      TEXT NOT NULL,
    tag          TEXT NOT NULL,
    mode         TEXT NOT NULL CHECK (mode IN ('set', 'propose', 'never')),
    -- 1: not decided by a person, but taught by tags that were taken off.
    learnt       BIGINT NOT NULL CHECK (learnt IN (0, 1)),
    -- Tags that were taken off before do not count any more.
    since_ms     BIGINT NOT NULL,
    changed_by   TEXT NOT NULL,
    changed_ms   BIGINT NOT NULL,
    UNIQUE (signature_id, product, tag)
);
