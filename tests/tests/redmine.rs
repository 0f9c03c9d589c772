//! The connector for Redmine against the real server: issues, notes, reports, tags and status, there and back, through a
//! wrong key, an outage, a crash, and a colleague who changes the same field, which Redmine has no condition for.

mod desks;

use desks::{Team, note, tag};
use serde_json::{Value, json};
use sitrep_tests::desk::{Colleague, Desk};
use sitrep_tests::fleet;
use sitrep_tests::receiver::{Answer, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const KIND: &str = "redmine";

/// The one issue there that is ours.
fn there(team: &Team, key: &str) -> Result<String, String> {
    let subject = format!("~[{key}]");
    let query = [("status_id", "*"), ("subject", &*subject)];
    let found = team.desk.find("/issues.json", &query)?;
    let items = found["issues"].as_array().cloned().unwrap_or_default();
    match &*items {
        [one] => Ok(one["id"].to_string()),
        other => Err(format!("{} issues for {key}", other.len())),
    }
}

fn issue(team: &Team, id: &str) -> Result<Value, String> {
    let include = [("include", "journals,attachments")];
    let found = team.desk.find(&format!("/issues/{id}.json"), &include)?;
    Ok(found["issue"].clone())
}

/// What was written on an issue there, oldest first: whether in private, and the text before the mark.
fn written(team: &Team, id: &str) -> Result<Vec<(bool, String)>, String> {
    let issue = issue(team, id)?;
    let notes = issue["journals"].as_array().into_iter().flatten();
    let all = notes.filter_map(|note| {
        let text = note["notes"].as_str().filter(|text| !text.is_empty())?;
        let text = text.replace("\r\n", "\n");
        let text = text.split("\n\n[sitrep:").next().unwrap_or_default();
        Some((note["private_notes"] == true, text.trim().to_owned()))
    });
    Ok(all.collect())
}

fn field(team: &Team, id: &str, number: i64) -> Result<Value, String> {
    let issue = issue(team, id)?;
    let fields = issue["custom_fields"].as_array().into_iter().flatten();
    let field = fields.into_iter().find(|field| field["id"] == number);
    Ok(field
        .map(|field| field["value"].clone())
        .unwrap_or_default())
}

/// Adds a value as the colleague does.
fn colleague_adds(colleague: &Colleague, id: &str, value: &str) -> Result<(), String> {
    let issue = colleague.get(&format!("/issues/{id}.json"))?;
    let fields = issue["issue"]["custom_fields"]
        .as_array()
        .into_iter()
        .flatten();
    let field = fields.into_iter().find(|field| field["id"] == 1);
    let mut values = field
        .map(|field| field["value"].clone())
        .unwrap_or_default();
    if let Some(values) = values.as_array_mut() {
        values.push(json!(value));
    }
    let body = json!({"issue": {"custom_fields": [{"id": 1, "value": values}]}});
    colleague
        .does("PUT", &format!("/issues/{id}.json"), &body)
        .map(drop)
}

/// How often the colleague is to be quicker than the collector with the next change of tags, and the value that comes next.
#[derive(Default)]
struct Plan {
    races: AtomicUsize,
    next: AtomicUsize,
}

/// Between what the collector reads and what it writes, the colleague adds a value.
fn race(plan: &Plan, colleague: &Colleague, request: &Request) -> Option<Answer> {
    let path = request.line.strip_prefix("PUT /issues/")?;
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    let field = body["issue"]["custom_fields"].as_array()?;
    let left = plan.races.load(Relaxed);
    if left > 0 && field.iter().any(|field| field["value"].is_array()) {
        plan.races.store(left - 1, Relaxed);
        let value = format!("theirs-{}", plan.next.fetch_add(1, Relaxed) + 1);
        let told = colleague_adds(colleague, path.trim_end_matches(".json"), &value);
        return told.err().map(|error| (500, String::new(), error));
    }
    None
}

#[test]
fn issues_live_in_both() -> Result<(), String> {
    let settings = json!({"private": true, "open": true, "publish": true, "place": "diag", "tags_field": "1",
        "fields": ["2 = severity"]});
    let (desk, plan) = (Desk::redmine()?, Arc::new(Plan::default()));
    let seen = Arc::clone(&plan);
    let front = desk.front(move |colleague, request| race(&seen, colleague, request))?;
    let mut team = Team::start(KIND, desk, &front.url(), &settings)?;
    let key = team.wrong_secret()?;
    let id = there(&team, &key)?;
    assert_eq!(written(&team, &id)?, [(false, "are you sure?".to_owned())]);
    team.outage_and_crash(&key, "answered 502", |team| {
        let notes = written(team, &id)?.into_iter();
        Ok(notes.filter(|note| note.0).map(|note| note.1).collect())
    })?;
    report_and_tags(&team, &plan, &key, &id)?;
    back(&team, &key, &id)?;
    oversize(&team)?;
    attach(&team)
}

fn report_and_tags(team: &Team, plan: &Plan, key: &str, id: &str) -> Result<(), String> {
    team.collector
        .post_text("/api/v1/signatures", &fleet::signature("live"))?;
    colleague_adds(&team.desk, id, "theirs-0")?;
    team.send_bundle(key)?;
    team.done()?;
    let shown = issue(team, id)?;
    let files = shown["attachments"].as_array().cloned().unwrap_or_default();
    let last = files.last().cloned().unwrap_or_default();
    assert_eq!(
        last["filename"],
        json!(format!("sitrep-{key}.html")),
        "{files:?}"
    );
    let path = last["content_url"].as_str().unwrap_or_default();
    let html = team.desk.get(path.trim_start_matches(&team.desk.url()))?;
    assert!(html.to_string().contains(fleet::RARE), "{html}");
    assert_eq!(field(team, id, 2)?, json!("high"));

    // Both change the same field at once: what the colleague has set is there in the end.
    for (tagged, races) in [(true, 3), (false, 2), (true, 1)] {
        plan.races.store(races, Relaxed);
        tag(&team.collector, key, "by-hand", tagged)?;
        team.done()?;
        assert_eq!(plan.races.load(Relaxed), 0, "they met");
    }
    let values: Vec<String> =
        serde_json::from_value(field(team, id, 1)?).map_err(|error| error.to_string())?;
    for n in 0..7 {
        assert!(values.contains(&format!("theirs-{n}")), "{n}: {values:?}");
    }
    for ours in ["billing-lease", "by-hand"] {
        assert_eq!(
            values.iter().filter(|value| *value == ours).count(),
            1,
            "{values:?}"
        );
    }
    Ok(())
}

fn back(team: &Team, key: &str, id: &str) -> Result<(), String> {
    let path = format!("/issues/{id}.json");
    let says = |note: Value| {
        team.desk
            .does("PUT", &path, &json!({"issue": note}))
            .map(drop)
    };
    says(json!({"notes": "we look at it"}))?;
    says(json!({"notes": "for us alone", "private_notes": true}))?;
    says(json!({"status_id": 4}))?;
    team.status(key, "waiting")?;
    let events = team.events(key, "note")?;
    let from_there = |text: &str| {
        let mut all = events.iter();
        all.find(|event| event["body"] == text)
            .cloned()
            .unwrap_or_default()
    };
    let told = from_there("we look at it");
    assert_eq!(
        (&told["public"], &told["actor"]),
        (&json!(true), &json!("colleague Test (Desk)")),
        "{events:?}"
    );
    assert_eq!(from_there("for us alone")["public"], json!(false));
    team.only_ours_and(key, 2)?;
    // What is done here is done there, and does not come back as news.
    team.set_status(key, "solved")?;
    team.done()?;
    assert_eq!(issue(team, id)?["status"]["name"], "Resolved");
    team.set_status(key, "open")?;
    team.done()?;
    assert_eq!(issue(team, id)?["status"]["name"], "In Progress");
    team.status(key, "open")
}

/// Redmine takes less than the settings say: nothing at all in the end, so the note with its link stands alone.
fn oversize(team: &Team) -> Result<(), String> {
    team.desk.administer("limit", "0")?;
    let ticket = team.collector.create_ticket("Another one")?;
    team.send_bundle(&ticket.key)?;
    team.done()?;
    let id = there(team, &ticket.key)?;
    let shown = issue(team, &id)?;
    assert_eq!(shown["attachments"], json!([]), "{shown}");
    let texts = written(team, &id)?;
    let report: Vec<_> = texts
        .iter()
        .filter(|(_, text)| text.contains("OWN-0042"))
        .collect();
    let link = format!("{}/tickets/{}", team.collector.url(), ticket.key);
    assert!(
        matches!(&*report, [(true, text)] if text.contains(&link)),
        "{texts:?}"
    );
    Ok(())
}

fn attach(team: &Team) -> Result<(), String> {
    let new = json!({"issue": {"project_id": "diag", "subject": "From a customer", "description": "help"}});
    let made = team.desk.does("POST", "/issues.json", &new)?;
    let id = made["issue"]["id"].to_string();
    let mut closed = team.settings.clone();
    closed["open"] = json!(false);
    team.set_up(&closed)?;
    let ticket = team.collector.create_ticket("From a customer")?;
    note(&team.collector, &ticket.key, "not told there", false)?;
    let path = format!("/api/v1/tickets/{}/connections", ticket.key);
    team.collector
        .answer_to(&path, &json!({"connector": "Desk", "remote": id}))?;
    note(&team.collector, &ticket.key, "told there", false)?;
    team.done()?;
    let texts = written(team, &id)?;
    assert!(
        texts.len() == 1 && texts[0].1.contains("told there"),
        "{texts:?}"
    );
    let links = team.collector.get(&path)?;
    assert_eq!(links["items"][0]["remote"], json!(id), "{links}");
    Ok(())
}
