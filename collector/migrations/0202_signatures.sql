-- Packs of signatures beside those that are built in, and the operator's own.

CREATE TABLE signature_packs (
    -- Lower-case word; `own` holds the operator's own signatures.
    name        TEXT PRIMARY KEY,
    version     TEXT NOT NULL,
    licence     TEXT NOT NULL,
    -- own, upload, or folder: found in the data folder.
    source      TEXT NOT NULL CHECK (source IN ('own', 'upload', 'folder')),
    enabled     BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    -- Of all files, to tell whether anything changed.
    digest      TEXT NOT NULL,
    signatures  BIGINT NOT NULL,
    -- JSON list of what could be better.
    remarks     TEXT NOT NULL,
    changed_by  TEXT NOT NULL,
    changed_ms  BIGINT NOT NULL
);

CREATE TABLE signature_files (
    pack TEXT NOT NULL REFERENCES signature_packs (name) ON DELETE CASCADE,
    path TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (pack, path)
);

-- Where a signature stands, when it is not as its file says.
CREATE TABLE signature_states (
    signature_id TEXT PRIMARY KEY,
    status       TEXT NOT NULL CHECK (status IN ('draft', 'shadow', 'live', 'retired')),
    changed_by   TEXT NOT NULL,
    changed_ms   BIGINT NOT NULL
);
