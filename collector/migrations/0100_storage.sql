-- What lets any replica go on with an upload whose bytes lie in an object store, and what quotas are counted by.

-- The SHA-256 state over the acknowledged bytes, hex.
ALTER TABLE uploads ADD COLUMN hash_state TEXT;
-- The multipart upload in the object store; on an upload that has ended: still to be removed there.
ALTER TABLE uploads ADD COLUMN multipart_id TEXT;
-- The client's address, or its network for IPv6.
ALTER TABLE uploads ADD COLUMN address TEXT NOT NULL DEFAULT '';
CREATE INDEX uploads_by_address ON uploads (address, state);
CREATE INDEX uploads_by_ticket ON uploads (ticket_id, state);

CREATE TABLE upload_pieces (
    upload_id    TEXT NOT NULL,
    -- A part's etag, or a tail's key.
    name         TEXT NOT NULL,
    -- Number of the part from 0, or -1 for a tail.
    number       BIGINT NOT NULL,
    offset_bytes BIGINT NOT NULL,
    bytes        BIGINT NOT NULL,
    sha256       TEXT NOT NULL,
    -- Two parts of the same bytes have the same etag.
    PRIMARY KEY (upload_id, number, name)
);
