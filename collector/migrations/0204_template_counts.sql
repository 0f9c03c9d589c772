-- How common an unknown error is, kept with it: pages must not count over all bundles.

ALTER TABLE templates ADD COLUMN bundles BIGINT NOT NULL DEFAULT 0;
ALTER TABLE templates ADD COLUMN tickets BIGINT NOT NULL DEFAULT 0;
ALTER TABLE templates ADD COLUMN lines BIGINT NOT NULL DEFAULT 0;
UPDATE templates SET
    bundles = (SELECT COUNT(*) FROM bundle_templates b WHERE b.template_id = templates.id),
    tickets = (SELECT COUNT(DISTINCT b.ticket_id) FROM bundle_templates b WHERE b.template_id = templates.id),
    lines = (SELECT CAST(COALESCE(SUM(b.count), 0) AS BIGINT) FROM bundle_templates b WHERE b.template_id = templates.id);
CREATE INDEX templates_by_tickets ON templates (tickets DESC, bundles DESC, id) WHERE ignored IS NULL;
