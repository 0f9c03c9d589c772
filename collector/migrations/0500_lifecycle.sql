-- What happens to a ticket between intake and closing.

-- Group that works on it.
ALTER TABLE tickets ADD COLUMN team TEXT NOT NULL DEFAULT '';
-- How the customer is spoken to: plain or expert.
ALTER TABLE tickets ADD COLUMN audience TEXT NOT NULL DEFAULT 'plain';
-- What the customer is told comes next, and by when.
ALTER TABLE tickets ADD COLUMN next_step TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN promised_ms BIGINT;
-- First public answer, and when a fix was last proposed.
ALTER TABLE tickets ADD COLUMN replied_ms BIGINT;
ALTER TABLE tickets ADD COLUMN solved_ms BIGINT;
-- Why it happened and how it ended: words of the service; required for closing.
ALTER TABLE tickets ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN resolution TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN closing_note TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN reopened BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN satisfaction TEXT;
ALTER TABLE tickets ADD COLUMN satisfaction_note TEXT NOT NULL DEFAULT '';
-- The clock: time it ran before its last start, and that start; NULL while it pauses.
ALTER TABLE tickets ADD COLUMN worked_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN running_ms BIGINT;
-- The ticket it belongs to, and as what: duplicate, or one of many with the same problem.
ALTER TABLE tickets ADD COLUMN main_id TEXT;
ALTER TABLE tickets ADD COLUMN relation TEXT CHECK (relation IN ('duplicate', 'problem'));
UPDATE tickets SET running_ms = created_ms WHERE status IN ('new', 'open');
CREATE INDEX tickets_team ON tickets (team, updated_ms, number);
CREATE INDEX tickets_main ON tickets (main_id);
