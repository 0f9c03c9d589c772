-- Tags that findings set and people took off: they are not set there again, and a signature learns from it.

CREATE TABLE tag_refusals (
    ticket_id    TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    tag          TEXT NOT NULL,
    -- The signature that had asked for it.
    signature_id TEXT NOT NULL,
    refused_by   TEXT NOT NULL,
    at_ms        BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, tag, signature_id)
);
CREATE INDEX tag_refusals_signature ON tag_refusals (signature_id, tag);
