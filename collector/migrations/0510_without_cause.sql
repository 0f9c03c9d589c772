-- The coverage page lists closed tickets without a cause, of which there should be few among many.

CREATE INDEX tickets_without_cause ON tickets (closed_ms DESC, number DESC)
    WHERE status = 'closed' AND closed_ms IS NOT NULL AND cause IN ('', 'unknown');
