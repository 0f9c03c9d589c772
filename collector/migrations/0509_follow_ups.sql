-- The closed ticket that a new one goes on from.
ALTER TABLE tickets ADD COLUMN follows_id TEXT;
CREATE INDEX tickets_follows ON tickets (follows_id, number) WHERE follows_id IS NOT NULL;
