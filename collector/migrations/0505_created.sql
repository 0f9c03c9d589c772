-- Counting the tickets of a span without reading them.
CREATE INDEX tickets_created ON tickets (created_ms, top_finding);
