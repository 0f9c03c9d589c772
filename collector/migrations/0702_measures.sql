-- Numbers of a host by which bundles are found, as their facts tell them.

CREATE TABLE bundle_measures (
    bundle_id TEXT NOT NULL,
    -- Of bundles/measures.rs.
    name      TEXT NOT NULL,
    value     DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (bundle_id, name)
);
-- Whether its facts have been read for them.
ALTER TABLE bundles ADD COLUMN measured BIGINT NOT NULL DEFAULT 0 CHECK (measured IN (0, 1));
CREATE INDEX bundles_unmeasured ON bundles (state, id) WHERE measured = 0;
