-- The next job of a kind, whatever else waits.
CREATE INDEX jobs_lane ON jobs (kind, state, run_after_ms, id);

-- Most tickets belong to none, and an index of those says nothing.
DROP INDEX tickets_main;
CREATE INDEX tickets_main ON tickets (main_id, number) WHERE main_id IS NOT NULL;
