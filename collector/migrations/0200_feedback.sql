-- What people say about findings, and where a signature is not to speak.

-- Only counted, not shown to customers and not acted upon: the signature was in shadow.
ALTER TABLE findings ADD COLUMN shadow BIGINT NOT NULL DEFAULT 0 CHECK (shadow IN (0, 1));
-- confirmed or dismissed; NULL while nobody has judged.
ALTER TABLE findings ADD COLUMN verdict TEXT CHECK (verdict IN ('confirmed', 'dismissed'));
-- wrong_match, not_relevant or accepted, of a dismissed one.
ALTER TABLE findings ADD COLUMN verdict_reason TEXT;
ALTER TABLE findings ADD COLUMN verdict_note TEXT NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN verdict_by TEXT;
ALTER TABLE findings ADD COLUMN verdict_ms BIGINT;
-- The engine writes it so, without spaces.
UPDATE findings SET shadow = 1 WHERE body LIKE '%"shadow":true%';

CREATE TABLE suppressions (
    id           TEXT PRIMARY KEY,
    signature_id TEXT NOT NULL,
    scope        TEXT NOT NULL CHECK (scope IN ('ticket', 'customer', 'host')),
    -- Id of the ticket, name of the customer, name of the host.
    value        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    -- NULL: until somebody ends it.
    expires_ms   BIGINT,
    ended_ms     BIGINT
);
CREATE INDEX suppressions_by_signature ON suppressions (signature_id, created_ms);
