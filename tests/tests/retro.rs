//! A new signature over bundles that were stored before it was written: told what it costs, run, and the tickets it
//! explains are tagged. Every part is the real one.

use serde_json::{Value, json};
use sitrep_tests::collector::Collector;
use sitrep_tests::fleet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn a_new_signature_explains_old_tickets() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let quiet: Result<Vec<_>, _> = (0..8).map(|n| fleet::bundle(n, false)).collect();
    let quiet = collector.send_bundles("Quiet hosts", &quiet?, LIMIT)?;
    let one = collector.send_bundles("Billing stands still", &[fleet::bundle(90, true)?], LIMIT)?;
    let two = collector.send_bundles("Orders wait", &[fleet::bundle(91, true)?], LIMIT)?;

    // Nobody knows the line yet: it is among the unknown errors, and makes the two tickets similar.
    let bundle = collector.bundles(&one.id)?[0]["id"].clone();
    let bundle = bundle.as_str().unwrap_or_default();
    let unknown = collector.get(&format!("/api/v1/bundles/{bundle}/unknown-errors"))?;
    let first = &unknown["items"][0];
    assert!(
        first["text"]
            .as_str()
            .is_some_and(|text| text.contains(fleet::RARE)),
        "{unknown}"
    );
    assert_eq!(
        (&first["bundles"], &first["tickets"]),
        (&json!(2), &json!(2))
    );
    let similar = collector.get(&format!("/api/v1/tickets/{}/similar", one.key))?;
    assert_eq!(similar["items"][0]["key"], json!(two.key), "{similar}");

    // A draft is tried on what is stored, and nothing is kept of it.
    let tried = collector.post_text("/api/v1/signature-backtests", &fleet::signature("draft"))?;
    let tried = collector.wait_for_scan(tried["id"].as_str().unwrap_or_default(), LIMIT)?;
    assert_eq!(
        (&tried["state"], hits(&tried)),
        (&json!("done"), 2),
        "{tried}"
    );
    assert!(collector.ticket_tags(&one.id)?.is_empty());

    // In shadow it is run, but tags nobody.
    collector.post_text("/api/v1/signatures", &fleet::signature("shadow"))?;
    let estimate = collector.get("/api/v1/signatures/OWN-0042/retro-scan-estimate")?;
    assert_eq!(
        (&estimate["bundles"], &estimate["candidates"]),
        (&json!(10), &json!(2)),
        "{estimate}"
    );
    let done = scan(&collector)?;
    assert_eq!(
        (hits(&done), &done["bundles_read"]),
        (2, &json!(2)),
        "{done}"
    );
    assert!(collector.ticket_tags(&one.id)?.is_empty());
    let found = collector.findings(bundle)?;
    assert!(
        found.iter().any(|finding| finding.id == "OWN-0042"),
        "{found:?}"
    );

    // Live, it tags the tickets it explains and no other.
    collector.post_text("/api/v1/signatures", &fleet::signature("live"))?;
    let done = scan(&collector)?;
    assert_eq!((hits(&done), &done["faults"]), (2, &json!(0)), "{done}");
    for ticket in [&one, &two] {
        assert_eq!(collector.ticket_tags(&ticket.id)?, ["billing-lease"]);
    }
    assert!(collector.ticket_tags(&quiet.id)?.is_empty());
    let why = collector.get(&format!("/api/v1/bundles/{bundle}/explain/OWN-0042"))?;
    assert_eq!(why["found"], json!(true), "{why}");
    let other = collector.bundles(&quiet.id)?[0]["id"].clone();
    let path = format!(
        "/api/v1/bundles/{}/explain/OWN-0042",
        other.as_str().unwrap_or_default()
    );
    let why_not = collector.get(&path)?;
    assert_eq!(why_not["found"], json!(false));
    assert!(
        why_not["files"].to_string().contains("no entry"),
        "{why_not}"
    );

    // A bundle that comes now is matched with it at once.
    let three = collector.send_bundles("One more", &[fleet::bundle(92, true)?], LIMIT)?;
    assert_eq!(collector.ticket_tags(&three.id)?, ["billing-lease"]);
    Ok(())
}

fn scan(collector: &Collector) -> Result<Value, String> {
    let started = collector.post("/api/v1/signatures/OWN-0042/retro-scans", &Value::Null)?;
    collector.wait_for_scan(started["id"].as_str().unwrap_or_default(), LIMIT)
}

fn hits(scan: &Value) -> usize {
    scan["hits"].as_array().map_or(0, Vec::len)
}
