//! What the tests of connectors for ticket systems share: a collector, a system, and a connector between them that begins
//! with a wrong secret.

#![allow(dead_code, reason = "each test uses what it needs")]

use serde_json::{Value, json};
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::desk::Desk;
use sitrep_tests::fleet;
use sitrep_tests::process::wait_for;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

/// A team with both.
pub struct Team {
    /// Ours.
    pub collector: Collector,
    /// Theirs.
    pub desk: Desk,
    /// Settings of the connector.
    pub settings: Value,
    url: String,
    id: String,
    _dir: tempfile::TempDir,
}

/// Writes a note here.
///
/// # Errors
/// With the collector's answer when it refuses.
pub fn note(collector: &Collector, ticket: &str, text: &str, public: bool) -> Result<(), String> {
    let path = format!("/api/v1/tickets/{ticket}/notes");
    let body = json!({"body": text, "public": public});
    collector.post(&path, &body).map(drop)
}

/// Sets a tag here, or takes it off.
///
/// # Errors
/// The same.
pub fn tag(collector: &Collector, ticket: &str, tag: &str, add: bool) -> Result<(), String> {
    let field = if add { "add_tags" } else { "remove_tags" };
    collector.patch(&format!("/api/v1/tickets/{ticket}"), &json!({field: [tag]}))
}

impl Team {
    /// A connector named Desk with a wrong secret.
    ///
    /// # Errors
    /// When something does not come up.
    pub fn start(kind: &str, desk: Desk, url: &str, settings: &Value) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let setting = Setting {
            env: vec![("SITREPD_CONNECTORS_POLL".into(), "1s".into())],
            ..Setting::default()
        };
        let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
        let made = collector.post(
            "/api/v1/connectors",
            &json!({"kind": kind, "name": "Desk", "url": url, "secret": "wrong", "enabled": true,
                "settings": settings}),
        )?;
        Ok(Self {
            id: made["info"]["id"].as_str().unwrap_or_default().to_owned(),
            collector,
            desk,
            settings: settings.clone(),
            url: url.to_owned(),
            _dir: dir,
        })
    }

    /// Gives it the right secret, and sends what is dead again.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn right_secret(&self) -> Result<(), String> {
        let path = format!("/api/v1/connectors/{}", self.id);
        let wrong = self
            .collector
            .post(&format!("{path}/check"), &Value::Null)?;
        assert_eq!(wrong["ok"], json!(false), "{wrong}");
        self.with_secret()?;
        let right = self
            .collector
            .post(&format!("{path}/check"), &Value::Null)?;
        assert_eq!(right["ok"], json!(true), "{right}");
        self.collector
            .post(&format!("{path}/replay"), &Value::Null)
            .map(drop)
    }

    /// A public note cannot be told with the wrong secret, and is with the right one; the ticket here.
    ///
    /// # Errors
    /// With what is not as it should be.
    pub fn wrong_secret(&self) -> Result<String, String> {
        let ticket = self.collector.create_ticket("Billing stands still")?;
        note(&self.collector, &ticket.key, "are you sure?", true)?;
        let dead = self.letters("dead", 1)?;
        let error = dead[0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("does not take the secret (401)"), "{error}");
        // The note, and the status that follows from it.
        self.letters("waiting", 2)?;
        self.right_secret()?;
        self.done()?;
        Ok(ticket.key)
    }

    /// The system is down for a while, with this fault, then the collector crashes: of the notes, each is among the
    /// internal texts there once and in order.
    ///
    /// # Errors
    /// With what is not as it should be.
    pub fn outage_and_crash(
        &mut self,
        key: &str,
        fault: &str,
        internal: impl Fn(&Self) -> Result<Vec<String>, String>,
    ) -> Result<(), String> {
        self.desk.stop();
        for n in 0..3 {
            note(&self.collector, key, &format!("down {n}"), false)?;
        }
        self.fault(fault)?;
        self.desk.resume()?;
        self.done()?;
        for n in 0..6 {
            note(&self.collector, key, &format!("crash {n}"), false)?;
        }
        self.collector.crash_and_restart()?;
        note(&self.collector, key, "crash 6", false)?;
        self.done()?;
        let texts = internal(self)?;
        for (word, count) in [("down ", 3), ("crash ", 7)] {
            let some = texts.iter().filter(|text| text.contains(word));
            let numbers: Vec<&str> = some.map(|text| &text[text.len() - 1..]).collect();
            let expected: Vec<String> = (0..count).map(|n: u32| n.to_string()).collect();
            assert_eq!(numbers, expected, "{texts:?}");
        }
        Ok(())
    }

    fn with_secret(&self) -> Result<(), String> {
        let path = format!("/api/v1/connectors/{}", self.id);
        let body = json!({"name": "Desk", "url": self.url, "secret": self.desk.secret()?, "enabled": true,
            "settings": self.settings});
        self.collector.patch(&path, &body)
    }

    /// The connector finds the system at another address, for which the secret must be given again.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn move_to(&mut self, url: &str) -> Result<(), String> {
        url.clone_into(&mut self.url);
        self.with_secret()
    }

    /// Sets it up anew, with the secret it has.
    ///
    /// # Errors
    /// The same.
    pub fn set_up(&self, settings: &Value) -> Result<(), String> {
        let path = format!("/api/v1/connectors/{}", self.id);
        let body = json!({"name": "Desk", "url": self.url, "enabled": true, "settings": settings});
        self.collector.patch(&path, &body)
    }

    /// Waits for letters in a state.
    ///
    /// # Errors
    /// With those there are when the limit passes.
    pub fn letters(&self, state: &str, count: usize) -> Result<Vec<Value>, String> {
        let mut found = Vec::new();
        let path = format!("/api/v1/outbox?state={state}");
        let waited = wait_for(&format!("{count} letters {state}"), LIMIT, || {
            let list = self.collector.get(&path).unwrap_or_default();
            found = list["items"].as_array().cloned().unwrap_or_default();
            found.len() == count
        });
        waited.map_err(|error| {
            let all = self.collector.get("/api/v1/outbox").unwrap_or_default();
            format!("{error}: {found:?} of {all}")
        })?;
        Ok(found)
    }

    /// Waits until everything was told.
    ///
    /// # Errors
    /// With what was not.
    pub fn done(&self) -> Result<(), String> {
        self.letters("waiting", 0)?;
        let dead = self.collector.get("/api/v1/outbox?state=dead")?;
        match dead["items"].as_array().is_some_and(Vec::is_empty) {
            true => Ok(()),
            false => Err(dead.to_string()),
        }
    }

    /// Waits until the connector says what is wrong.
    ///
    /// # Errors
    /// When the limit passes.
    pub fn fault(&self, text: &str) -> Result<(), String> {
        wait_for(text, LIMIT, || {
            let all = self.collector.get("/api/v1/connectors").unwrap_or_default();
            all["items"][0]["fault"].to_string().contains(text)
        })
    }

    /// Sends a bundle with a known problem to a ticket, and waits for its verdict.
    ///
    /// # Errors
    /// When it gets none.
    pub fn send_bundle(&self, ticket: &str) -> Result<(), String> {
        let code = self.collector.create_code_only(ticket)?;
        let bundle = fleet::bundle(7, true)?;
        self.collector
            .upload_as_tus_client(&code, "bundle.tar.gz", &bundle)?;
        self.collector.wait_for_verdict(ticket, LIMIT).map(drop)
    }

    /// Waits until a ticket here has a status.
    ///
    /// # Errors
    /// When the limit passes.
    pub fn status(&self, ticket: &str, status: &str) -> Result<(), String> {
        wait_for(&format!("the status {status}"), LIMIT, || {
            let shown = self.collector.get(&format!("/api/v1/tickets/{ticket}"));
            shown.is_ok_and(|shown| shown["status"] == status)
        })
    }

    /// Sets the status of a ticket here.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn set_status(&self, ticket: &str, status: &str) -> Result<(), String> {
        self.collector.patch(
            &format!("/api/v1/tickets/{ticket}"),
            &json!({"status": status}),
        )
    }

    /// The events of a kind on a ticket here.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn events(&self, ticket: &str, kind: &str) -> Result<Vec<Value>, String> {
        let all = self
            .collector
            .get(&format!("/api/v1/tickets/{ticket}/timeline"))?;
        let all = all["items"].as_array().cloned().unwrap_or_default();
        Ok(all
            .into_iter()
            .filter(|event| event["kind"] == kind)
            .collect())
    }

    /// After some more readings, just so many notes here are from there: none came twice, and none of ours came back.
    ///
    /// # Errors
    /// With those there are otherwise.
    pub fn only_ours_and(&self, ticket: &str, count: usize) -> Result<(), String> {
        let read = || {
            let all = self.collector.page("/metrics").unwrap_or_default();
            let text = String::from_utf8_lossy(&all).into_owned();
            let line = text
                .lines()
                .find(|line| line.starts_with("sitrepd_readings_total"));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let before = read();
        wait_for("three more readings", LIMIT, || read() >= before + 3)?;
        let notes = self.events(ticket, "note")?;
        let from_there = notes
            .iter()
            .filter(|event| event["actor"].to_string().contains("(Desk)"));
        match from_there.count() {
            found if found == count => Ok(()),
            _ => Err(format!("{notes:?}")),
        }
    }
}
