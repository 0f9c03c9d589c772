//! Connectors that take events: signed webhooks out and in, and notices in a chat. What is signed is verified by the
//! reference library of Standard Webhooks, and messages that come in are signed by it.

use serde_json::{Value, json};
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::fleet;
use sitrep_tests::postgres::Postgres;
use sitrep_tests::process::{self, wait_for};
use sitrep_tests::receiver::{Receiver, Request};
use sitrep_tests::workspace_root;
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Calls the reference library of the signature: `sign` or `verify` of a message under a secret.
fn reference(what: &str, values: &[&str]) -> Result<String, String> {
    let venv = std::env::var_os("SITREP_TESTS_VENV");
    let venv = venv.map_or_else(|| workspace_root().join("target/venv"), Into::into);
    let mut command = process::command(&Path::new(&venv).join("bin/python"));
    command.arg(workspace_root().join("tests/fixtures/standard_webhooks.py"));
    let told = process::output(command.arg(what).args(values))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match told.status.success() {
        true => Ok(text(&told.stdout)),
        false => Err(text(&told.stderr)),
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}

/// Adds a connector; its id, and the secret that was made.
fn add(collector: &Collector, connector: &Value) -> Result<(String, String), String> {
    let made = collector.post("/api/v1/connectors", connector)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&made["info"]["id"]), text(&made["secret"])))
}

/// Waits until letters in a state are so many.
fn letters(collector: &Collector, state: &str, count: usize) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let path = format!("/api/v1/outbox?state={state}");
    wait_for(&format!("{count} letters {state}"), LIMIT, || {
        let list = collector.get(&path).unwrap_or_default();
        found = list["items"].as_array().cloned().unwrap_or_default();
        found.len() == count
    })
    .map_err(|error| format!("{error}: {found:?}"))?;
    Ok(found)
}

fn note(collector: &Collector, ticket: &str, text: &str) -> Result<Value, String> {
    let path = format!("/api/v1/tickets/{ticket}/notes");
    collector.post(&path, &json!({"body": text, "public": false}))
}

fn fine() -> (u16, String, String) {
    (200, String::new(), "{}".to_owned())
}

#[test]
fn events_come_signed_in_order_and_once_through_faults_and_crashes() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    // It is down for the first three messages, and asks to wait once.
    let receiver = Receiver::start(|_, before| match before {
        0 | 1 => (503, String::new(), "busy".to_owned()),
        2 => (429, "retry-after: 1\r\n".to_owned(), String::new()),
        _ => fine(),
    })?;
    let mut collector = Collector::start(&dir.path().join("collector"))?;
    let (_, secret) = add(
        &collector,
        &json!({"kind": "webhook", "name": "Bus", "url": format!("{}/in", receiver.url()), "enabled": true,
            "settings": {"private": true}}),
    )?;
    assert!(secret.starts_with("whsec_"), "{secret}");
    let ticket = collector.create_ticket("Orders stand still")?;
    for n in 1..=4 {
        note(&collector, &ticket.id, &format!("note {n}"))?;
    }
    collector.crash_and_restart()?;
    note(&collector, &ticket.id, "note 5")?;
    letters(&collector, "sent", 6)?;
    letters(&collector, "waiting", 0)?;

    let (mut ids, mut said) = (Vec::new(), Vec::new());
    for request in receiver.seen() {
        assert_eq!(request.line, "POST /in");
        let (id, text) = (
            request.header("webhook-id"),
            String::from_utf8_lossy(&request.body),
        );
        let (at, signature) = (
            request.header("webhook-timestamp"),
            request.header("webhook-signature"),
        );
        reference("verify", &[&secret, &text, id, at, signature])?;
        let other = text.replace("note", "vote");
        if other != text {
            assert!(reference("verify", &[&secret, &other, id, at, signature]).is_err());
        }
        // What is repeated after a fault has the same id.
        if ids.last().map(String::as_str) != Some(id) {
            ids.push(id.to_owned());
            let message = body(&request);
            assert_eq!(message["data"]["ticket"]["key"], json!(ticket.key));
            said.push(format!(
                "{} {}",
                message["type"], message["data"]["event"]["body"]
            ));
        }
    }
    let expected: Vec<String> = std::iter::once("\"ticket.created\" \"\"".to_owned())
        .chain((1..=5).map(|n| format!("\"ticket.note\" \"note {n}\"")))
        .collect();
    assert_eq!(said, expected, "in order, none lost, none again later");
    assert!(receiver.seen().len() >= 9, "three were refused");
    Ok(())
}

#[test]
fn a_target_that_does_not_answer_holds_up_no_bundle() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    // Nobody is answered before the bundle has its verdict.
    let receiver = Receiver::start(move |_, _| {
        drop(gate.lock().map(|gate| gate.recv()));
        fine()
    })?;
    let setting = Setting {
        env: vec![("SITREPD_WORKERS".into(), "1".into())],
        ..Setting::default()
    };
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let hook = json!({"kind": "webhook", "name": "Silent", "url": receiver.url(), "enabled": true,
        "settings": {"private": true}});
    add(&collector, &hook)?;
    for n in 0..6 {
        collector.create_ticket(&format!("Told to nobody {n}"))?;
    }
    wait_for("the first message", LIMIT, || !receiver.seen().is_empty())?;
    collector.send_bundles("Read meanwhile", &[fleet::bundle(1, false)?], LIMIT)?;
    let waiting = collector.get("/api/v1/outbox?state=waiting")?;
    let faults: Vec<&Value> = waiting["items"].as_array().into_iter().flatten().collect();
    assert!(faults.len() >= 7, "{waiting}");
    assert!(
        faults.iter().all(|letter| letter["error"] == ""),
        "the bundle waited until the target was given up: {waiting}"
    );
    drop(open);
    letters(&collector, "waiting", 0)?;
    Ok(())
}

#[test]
fn replicas_tell_once_and_in_order() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let postgres = Postgres::start()?;
    let setting = Setting {
        env: vec![(
            "SITREPD_DATABASE_URL".into(),
            postgres.database("connectors")?,
        )],
        ..Setting::default()
    };
    let receiver = Receiver::start(|_, before| match before % 5 {
        0 => (503, String::new(), String::new()),
        _ => fine(),
    })?;
    let one = Collector::start_with(&dir.path().join("one"), setting)?;
    let two = one.replica(&dir.path().join("two"))?;
    add(
        &one,
        &json!({"kind": "webhook", "name": "Bus", "url": receiver.url(), "enabled": true,
            "settings": {"private": true, "events": ["note"]}}),
    )?;
    let ticket = one.create_ticket("Orders stand still")?;
    for n in 0..12 {
        note([&one, &two][n % 2], &ticket.id, &n.to_string())?;
    }
    letters(&two, "sent", 12)?;
    let seen = receiver.seen().into_iter().enumerate();
    let taken = seen.filter(|(before, _)| before % 5 != 0);
    let said: Vec<String> = taken
        .map(|(_, request)| body(&request)["data"]["event"]["body"].to_string())
        .collect();
    let expected: Vec<String> = (0..12).map(|n| format!("\"{n}\"")).collect();
    assert_eq!(said, expected);
    Ok(())
}

#[test]
fn a_dead_letter_holds_its_ticket_up_until_a_person_decides() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let strict =
        Receiver::start(
            |request, _| match body(request)["data"]["event"]["body"] == "bad" {
                true => (400, String::new(), "I do not like\nthis".to_owned()),
                false => fine(),
            },
        )?;
    let elsewhere = Receiver::start(|_, _| fine())?;
    let away = format!("location: {}/secret\r\n", elsewhere.url());
    let leads_away = Receiver::start(move |_, _| (307, away.clone(), String::new()))?;
    let over = Receiver::start(|_, _| (410, String::new(), String::new()))?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let connector = |name: &str, url: &str, events: &[&str]| {
        json!({"kind": "webhook", "name": name, "url": url, "enabled": true,
            "settings": {"private": true, "events": events}})
    };
    add(&collector, &connector("Strict", &strict.url(), &["note"]))?;
    let ticket = collector.create_ticket("One")?;
    let other = collector.create_ticket("Two")?;
    for text in ["good", "bad", "after"] {
        note(&collector, &ticket.id, text)?;
    }
    note(&collector, &other.id, "elsewhere")?;
    let dead = letters(&collector, "dead", 1)?;
    letters(&collector, "sent", 2)?;
    letters(&collector, "waiting", 1)?;
    let error = dead[0]["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("Strict answered 400: I do not like this"),
        "{error}"
    );
    let id = dead[0]["id"].as_str().unwrap_or_default();
    collector.answer(
        "POST",
        &format!("/api/v1/outbox/{id}/replay"),
        Some(collector.token()),
    )?;
    wait_for("another try", LIMIT, || strict.seen().len() == 4)?;
    letters(&collector, "dead", 1)?;
    let (status, _) = collector.answer(
        "POST",
        &format!("/api/v1/outbox/{id}/drop"),
        Some(collector.token()),
    )?;
    assert_eq!(status, 204);
    letters(&collector, "sent", 3)?;

    // A redirect is not followed, and a host that wants no more is not asked again.
    add(
        &collector,
        &connector("Away", &leads_away.url(), &["created"]),
    )?;
    add(&collector, &connector("Over", &over.url(), &["created"]))?;
    collector.create_ticket("Three")?;
    letters(&collector, "dead", 2)?;
    assert!(elsewhere.seen().is_empty(), "it was not followed");
    let all = collector.get("/api/v1/connectors")?;
    let named = |name: &str| {
        let all = all["items"].as_array().cloned().unwrap_or_default();
        all.into_iter()
            .find(|row| row["name"] == name)
            .unwrap_or_default()
    };
    assert_eq!(named("Over")["enabled"], json!(false), "{all}");
    assert!(
        named("Away")["fault"]
            .to_string()
            .contains("points elsewhere"),
        "{all}"
    );
    assert!(
        !all.to_string().contains("whsec_"),
        "secrets are not shown again"
    );
    Ok(())
}

#[test]
fn only_hosts_that_an_administrator_named_are_reached() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let inside = Receiver::start(|_, _| fine())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let port = inside
        .url()
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    for (url, private) in [
        (inside.url(), false),
        (format!("https://127.0.0.1:{port}"), false),
        (format!("https://[::ffff:127.0.0.1]:{port}"), false),
        ("http://169.254.169.254/latest/meta-data".to_owned(), true),
        ("ftp://example.com".to_owned(), true),
    ] {
        let body =
            json!({"kind": "webhook", "name": "N", "url": url, "settings": {"private": private}});
        let made = collector.post("/api/v1/connectors", &body);
        assert!(made.is_err_and(|told| told.contains("422")), "{url}");
    }
    // A name is looked at where it leads, each time.
    let named = json!({"kind": "webhook", "name": "Named", "url": format!("https://localhost:{port}/"), "enabled": true});
    let (id, _) = add(&collector, &named)?;
    collector.create_ticket("One")?;
    wait_for("a fault", LIMIT, || {
        let all = collector.get("/api/v1/connectors").unwrap_or_default();
        all["items"][0]["fault"]
            .to_string()
            .contains("private or special address")
    })?;
    assert!(inside.seen().is_empty(), "nothing came through");

    // A secret stays with the host that it was given for.
    let path = format!("/api/v1/connectors/{id}");
    let moved = json!({"name": "Named", "url": "https://other.example.com/"});
    let client = reqwest::blocking::Client::new();
    let patch = client.patch(format!("{}{path}", collector.url()));
    let told = patch.bearer_auth(collector.token()).json(&moved).send();
    assert_eq!(told.map_err(|error| error.to_string())?.status(), 422);
    Ok(())
}

#[test]
fn messages_that_come_in_count_once_and_only_when_signed_now() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let receiver = Receiver::start(|_, _| fine())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let (id, secret) = add(
        &collector,
        &json!({"kind": "webhook", "name": "Bus", "url": receiver.url(), "enabled": true,
            "settings": {"private": true}}),
    )?;
    let url = format!("{}/api/v1/connectors/{id}/messages", collector.url());
    let send = |message: &str, seconds: i64, body: &Value, signed: Option<&str>| {
        let (text, at) = (body.to_string(), seconds.to_string());
        let signature = match signed {
            Some(wrong) => wrong.to_owned(),
            None => reference("sign", &[&secret, &text, message, &at])?,
        };
        let request = reqwest::blocking::Client::new().post(&url).body(text);
        let answer = request
            .header("webhook-id", message)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .send()
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        Ok::<_, String>((status, answer.json::<Value>().unwrap_or_default()))
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now
        .map_err(|error| error.to_string())?
        .as_secs()
        .cast_signed();
    let open =
        json!({"type": "ticket.open", "data": {"title": "From the bus", "customer": "Acme"}});
    let (status, made) = send("m1", now, &open, None)?;
    assert_eq!(status, 200, "{made}");
    let ticket = made["ticket"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        send("m1", now, &open, None)?,
        (200, json!({"ticket": null}))
    );
    let comment = json!({"type": "ticket.comment", "data": {"ticket": ticket, "body": "seen here too", "author": "Bo"}});
    assert_eq!(send("m2", now, &comment, None)?.0, 200);
    let waiting = json!({"type": "ticket.status", "data": {"ticket": ticket, "status": "waiting"}});
    assert_eq!(send("m3", now, &waiting, None)?.0, 200);
    for (message, at, body, signed, expected) in [
        ("m4", now - 3600, &comment, None, 401),
        ("m4", now, &comment, Some("v1,AAAA"), 401),
        (
            "m4",
            now,
            &json!({"type": "ticket.delete", "data": {}}),
            None,
            422,
        ),
        (
            "m5",
            now,
            &json!({"type": "ticket.status", "data": {"ticket": ticket, "status": "closed"}}),
            None,
            422,
        ),
        (
            "m6",
            now,
            &json!({"type": "ticket.comment", "data": {"ticket": "TKT-9999", "body": "x"}}),
            None,
            404,
        ),
    ] {
        assert_eq!(send(message, at, body, signed)?.0, expected, "{body}");
    }
    let shown = collector.get(&format!("/api/v1/tickets/{ticket}"))?;
    assert_eq!(shown["status"], "waiting");
    let timeline = collector.get(&format!("/api/v1/tickets/{ticket}/timeline"))?;
    let notes: Vec<&Value> = timeline["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|event| event["kind"] == "note")
        .collect();
    assert_eq!(notes.len(), 1, "{timeline}");
    assert_eq!(notes[0]["actor"], "Bo (Bus)");
    // What came from there is not told there.
    letters(&collector, "waiting", 0)?;
    assert!(
        receiver
            .seen()
            .iter()
            .all(|request| body(request)["type"] != "ticket.note")
    );
    Ok(())
}

#[test]
fn a_chat_gets_notices_that_call_nobody() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let chat = Receiver::start(|_, _| (200, String::new(), "ok".to_owned()))?;
    let setting = Setting::default();
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let url = format!("{}/services/T0/B0/very-secret", chat.url());
    add(
        &collector,
        &json!({"kind": "chat", "name": "Room", "url": url, "enabled": true,
            "settings": {"private": true, "events": ["created", "note"], "language": "zh-CN"}}),
    )?;
    let ticket = collector.create_ticket("<!channel> stands still")?;
    note(&collector, &ticket.id, "@all look")?;
    letters(&collector, "sent", 2)?;
    let seen = chat.seen();
    assert_eq!(seen[0].line, "POST /services/T0/B0/very-secret");
    let text = |n: usize| {
        body(&seen[n])["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        text(0).contains(&format!("{} &lt;!channel&gt; stands still", ticket.key)),
        "{}",
        text(0)
    );
    assert!(text(0).contains("创建了工单"), "{}", text(0));
    assert!(text(1).contains("@\u{200b}all look"), "{}", text(1));
    let shown = collector.get("/api/v1/connectors")?.to_string();
    assert!(
        !shown.contains("very-secret") && shown.contains(&chat.url()),
        "{shown}"
    );
    Ok(())
}
