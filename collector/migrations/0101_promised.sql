-- What is promised to open uploads is summed whenever one is made: from the index alone.
CREATE INDEX uploads_promised ON uploads (state, reserved_bytes, offset_bytes) WHERE state IN ('created', 'receiving');
