//! The connector for Request Tracker against the real server: tickets, comments, reports, tags and status, there and back,
//! through a wrong token, an outage, a crash, and a colleague who changes the same field.

mod desks;

use desks::{Team, note, tag};
use serde_json::{Value, json};
use sitrep_tests::desk::{Colleague, Desk};
use sitrep_tests::fleet;
use sitrep_tests::receiver::{Answer, Request};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

const KIND: &str = "rt";

/// The one ticket there that refers to ours.
fn there(team: &Team, key: &str) -> Result<String, String> {
    let query = format!("RefersTo = '{}/tickets/{key}'", team.collector.url());
    let found = team.desk.find("/REST/2.0/tickets", &[("query", &query)])?;
    let items = found["items"].as_array().cloned().unwrap_or_default();
    match &*items {
        [one] => Ok(one["id"].as_str().unwrap_or_default().to_owned()),
        other => Err(format!("{} tickets for {key}", other.len())),
    }
}

/// What was written on a ticket there, oldest first: the kind, and the text before the mark.
fn written(team: &Team, id: &str) -> Result<Vec<(String, String)>, String> {
    let history = format!("/REST/2.0/ticket/{id}/history");
    let history = team
        .desk
        .find(&history, &[("fields", "Type"), ("per_page", "100")])?;
    let parts = format!("/REST/2.0/ticket/{id}/attachments");
    let fields = "Content,TransactionId,Filename";
    let parts = team
        .desk
        .find(&parts, &[("fields", fields), ("per_page", "100")])?;
    let list = |value: &Value| value["items"].as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for row in list(&history) {
        let kind = row["Type"].as_str().unwrap_or_default();
        if !["Comment", "Correspond"].contains(&kind) {
            continue;
        }
        let own = |part: &&Value| part["TransactionId"] == row["id"] && part["Filename"] == "";
        let parts = list(&parts);
        let text = parts.iter().find(own).map(|part| part["Content"].clone());
        let text = text.unwrap_or_default();
        let text = text.as_str().unwrap_or_default();
        let text = text.split("\n\n[sitrep:").next().unwrap_or_default();
        all.push((kind.to_owned(), text.trim().to_owned()));
    }
    Ok(all)
}

fn field(team: &Team, id: &str, name: &str) -> Result<Vec<String>, String> {
    let ticket = team.desk.get(&format!("/REST/2.0/ticket/{id}"))?;
    let fields = ticket["CustomFields"].as_array().into_iter().flatten();
    let field = fields.into_iter().find(|field| field["name"] == name);
    let values = field
        .map(|field| field["values"].clone())
        .unwrap_or_default();
    serde_json::from_value(values).map_err(|error| error.to_string())
}

/// The attached reports, in order.
fn reports(team: &Team, id: &str) -> Result<Vec<String>, String> {
    let path = format!("/REST/2.0/ticket/{id}/attachments");
    let fields = [("fields", "Content,Filename"), ("per_page", "100")];
    let parts = team.desk.find(&path, &fields)?;
    let all = parts["items"].as_array().into_iter().flatten();
    let named = all.filter(|part| part["Filename"].to_string().contains("sitrep-"));
    Ok(named
        .map(|part| part["Content"].as_str().unwrap_or_default().to_owned())
        .collect())
}

/// Sets a value as a careful colleague does, or takes it off: what is there is kept, it is tried until it is so, and what RT
/// did to other values, since somebody changed them while it wrote, is put right.
fn colleague(desk: &Colleague, id: &str, value: &str, there: bool) -> Result<(), String> {
    let path = format!("/REST/2.0/ticket/{id}");
    for _ in 0..40 {
        let Ok((etag, ticket)) = desk.tagged(&path) else {
            continue;
        };
        let fields = ticket["CustomFields"].as_array().into_iter().flatten();
        let mut fields = fields.filter(|field| field["name"] == "Signatures");
        let values = fields.next().and_then(|field| field["values"].as_array());
        let mut values = values.cloned().unwrap_or_default();
        if values.contains(&json!(value)) == there {
            return Ok(());
        }
        values.retain(|other| other != value);
        values.extend(there.then(|| json!(value)));
        let body = json!({"CustomFields": {"Signatures": values}});
        let answer = match desk.send("PUT", &path, (Some(&etag), &body)) {
            Ok((200, answer)) => answer,
            // Its SQLite has one writer: who waits too long for it hears 500.
            Ok((412 | 500..=599, _)) | Err(_) => continue,
            Ok((status, answer)) => return Err(format!("{status}: {answer}")),
        };
        let told = answer.as_array().into_iter().flatten();
        for told in told.filter_map(Value::as_str) {
            let set = told.strip_suffix(" added as a value for Signatures");
            let taken = told.strip_suffix(" is no longer a value for custom field Signatures");
            match (set, taken) {
                (Some(other), _) if other != value => colleague(desk, id, other, false)?,
                (_, Some(other)) if other != value => colleague(desk, id, other, true)?,
                _ => {}
            }
        }
    }
    Err(format!("the colleague gave up on {value}"))
}

/// What comes between RT's look at the entity tag and its write: before so many of the collector's writes of the field, the
/// colleague sets a value and takes one off, and the write goes through as if it had been looked at before.
#[derive(Debug, Default)]
struct Between(AtomicUsize);

impl Between {
    fn pass(&self, desk: &Colleague, request: &Request) -> Option<Answer> {
        let field = request.line.starts_with("PUT ")
            && String::from_utf8_lossy(&request.body).contains("\"Signatures\"");
        let one_less = |left: usize| left.checked_sub(1);
        if !field || self.0.fetch_update(Relaxed, Relaxed, one_less).is_err() {
            return None;
        }
        let id = request.line.rsplit('/').next().unwrap_or_default();
        let left = self.0.load(Relaxed);
        let done = colleague(desk, id, &format!("between-{left}"), true)
            .and_then(|()| colleague(desk, id, &format!("before-{left}"), false))
            .and_then(|()| {
                let mut late = request.clone();
                late.headers.retain(|(name, _)| name != "if-match");
                desk.forward(&late)
            });
        Some(done.unwrap_or_else(|error| (500, String::new(), error)))
    }
}

#[test]
fn tickets_live_in_both() -> Result<(), String> {
    let settings = json!({"private": true, "open": true, "publish": true, "place": "Diagnostics",
        "tags_field": "Signatures", "fields": ["Severity = severity"]});
    let (desk, between) = (Desk::rt()?, Arc::new(Between::default()));
    let seen = Arc::clone(&between);
    let front = desk.front(move |desk, request| seen.pass(desk, request))?;
    let url = desk.url();
    let mut team = Team::start(KIND, desk, &url, &settings)?;
    let key = team.wrong_secret()?;
    let id = there(&team, &key)?;
    let first = ("Correspond".to_owned(), "are you sure?".to_owned());
    assert_eq!(written(&team, &id)?, [first]);
    team.outage_and_crash(&key, "cannot be reached", |team| {
        let comments = written(team, &id)?.into_iter();
        let comments = comments.filter(|(kind, _)| kind == "Comment");
        Ok(comments.map(|(_, text)| text).collect())
    })?;
    team.move_to(&front.url())?;
    report_and_tags(&team, &between, &key, &id)?;
    team.move_to(&url)?;
    back(&team, &key, &id)?;
    oversize(&team, &settings)?;
    attach(&team)
}

fn report_and_tags(team: &Team, between: &Between, key: &str, id: &str) -> Result<(), String> {
    team.collector
        .post_text("/api/v1/signatures", &fleet::signature("live"))?;
    colleague(&team.desk, id, "theirs-0", true)?;
    team.send_bundle(key)?;
    team.done()?;
    let reports = reports(team, id)?;
    let last = reports.last().cloned().unwrap_or_default();
    assert!(
        last.contains("OWN-0042") && last.contains(fleet::RARE),
        "{reports:?}"
    );
    assert_eq!(field(team, id, "Severity")?, ["high"]);

    // Both change the same field at once: nothing of either is lost.
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            (1..12).try_for_each(|n| colleague(&team.desk, id, &format!("theirs-{n}"), true))
        });
        for n in 0..4 {
            tag(&team.collector, key, &format!("ours-{n}"), true)?;
            team.done()?;
        }
        tag(&team.collector, key, "ours-0", false)?;
        theirs
            .join()
            .map_err(|_| "the colleague panicked".to_owned())?
    })?;
    team.done()?;
    let mut values = field(team, id, "Signatures")?;
    values.sort();
    let mut expected = vec!["billing-lease".to_owned()];
    expected.extend((1..4).map(|n| format!("ours-{n}")));
    expected.extend((0..12).map(|n| format!("theirs-{n}")));
    expected.sort();
    assert_eq!(values, expected);

    // The colleague comes between RT's look and its write: what was undone is done again, and that may happen twice.
    for n in 0..2 {
        colleague(&team.desk, id, &format!("before-{n}"), true)?;
    }
    between.0.store(2, Relaxed);
    tag(&team.collector, key, "ours-4", true)?;
    team.done()?;
    assert_eq!(between.0.load(Relaxed), 0, "they met");
    let mut values = field(team, id, "Signatures")?;
    values.sort();
    expected.extend(["between-0", "between-1", "ours-4"].map(str::to_owned));
    expected.sort();
    assert_eq!(values, expected);
    Ok(())
}

fn back(team: &Team, key: &str, id: &str) -> Result<(), String> {
    let path = format!("/REST/2.0/ticket/{id}");
    let said = json!({"Content": "<p>we look at <b>it</b></p>", "ContentType": "text/html"});
    team.desk
        .does("POST", &format!("{path}/correspond"), &said)?;
    let said = json!({"Content": "for us alone", "ContentType": "text/plain"});
    team.desk.does("POST", &format!("{path}/comment"), &said)?;
    team.desk
        .does("PUT", &path, &json!({"Status": "stalled"}))?;
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
        (&json!(true), &json!("colleague (Desk)")),
        "{events:?}"
    );
    assert_eq!(from_there("for us alone")["public"], json!(false));
    team.only_ours_and(key, 2)?;
    // What is done here is done there, and does not come back as news.
    team.set_status(key, "solved")?;
    team.done()?;
    assert_eq!(team.desk.get(&path)?["Status"], "resolved");
    team.set_status(key, "open")?;
    team.done()?;
    assert_eq!(team.desk.get(&path)?["Status"], "open");
    team.status(key, "open")
}

fn oversize(team: &Team, settings: &Value) -> Result<(), String> {
    let mut small = settings.clone();
    small["report_bytes"] = json!(600);
    team.set_up(&small)?;
    let ticket = team.collector.create_ticket("Another one")?;
    team.send_bundle(&ticket.key)?;
    team.done()?;
    let id = there(team, &ticket.key)?;
    let reports = reports(team, &id)?;
    let last = reports.last().cloned().unwrap_or_default();
    assert!(last.len() <= 600 && !last.contains(fleet::RARE), "{last}");
    assert!(last.contains(&format!("/tickets/{}", ticket.key)), "{last}");
    team.set_up(settings)
}

fn attach(team: &Team) -> Result<(), String> {
    let new = json!({"Queue": "Diagnostics", "Subject": "From a customer", "Content": "help", "ContentType": "text/plain",
        "Requestor": "anna@example.test"});
    let made = team.desk.does("POST", "/REST/2.0/ticket", &new)?;
    let id = made["id"].as_str().unwrap_or_default().to_owned();
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
    assert_eq!(there(team, &ticket.key)?, id);
    let texts = written(team, &id)?;
    assert!(
        texts.len() == 1 && texts[0].1.contains("told there"),
        "{texts:?}"
    );
    let links = team.collector.get(&path)?;
    assert_eq!(links["items"][0]["remote"], json!(id), "{links}");
    Ok(())
}
