//! Mail to customers and their answers: a real SMTP conversation with a mail server that is busy, wants a password and
//! knows not everybody; and answers in the folder of the connector, wanted and unwanted.

use serde_json::{Value, json};
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::postgres::free_port;
use sitrep_tests::process::{self, Running, wait_for};
use sitrep_tests::workspace_root;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// A mail server.
struct Sink {
    port: u16,
    file: PathBuf,
    _process: Running,
}

impl Sink {
    fn start(dir: &Path) -> Result<Self, String> {
        let (port, file) = (free_port()?, dir.join("mail.jsonl"));
        let venv = std::env::var_os("SITREP_TESTS_VENV");
        let venv = venv.map_or_else(|| workspace_root().join("target/venv"), PathBuf::from);
        let mut command = process::command(&venv.join("bin/python"));
        command.arg(workspace_root().join("tests/fixtures/smtp_sink.py"));
        command
            .arg(port.to_string())
            .arg(&file)
            .args(["desk", "right"]);
        command.stderr(std::process::Stdio::null());
        let process = Running::start(&mut command)?;
        wait_for("the mail server", LIMIT, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        Ok(Self {
            port,
            file,
            _process: process,
        })
    }

    fn mails(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.collect()
    }
}

/// A collector with a connector for mail.
struct Desk {
    collector: Collector,
    sink: Sink,
    id: String,
    dir: tempfile::TempDir,
}

impl Desk {
    fn start() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let sink = Sink::start(dir.path())?;
        let setting = Setting {
            env: vec![("SITREPD_CONNECTORS_POLL".into(), "1s".into())],
            ..Setting::default()
        };
        let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
        let mut desk = Self {
            collector,
            sink,
            id: String::new(),
            dir,
        };
        let made = desk
            .collector
            .post("/api/v1/connectors", &desk.connector("wrong", false))?;
        desk.id = made["info"]["id"].as_str().unwrap_or_default().to_owned();
        Ok(desk)
    }

    fn connector(&self, secret: &str, open: bool) -> Value {
        let url = format!("smtp://127.0.0.1:{}", self.sink.port);
        let mut body = json!({"kind": "mail", "name": "Post", "url": url, "secret": secret, "enabled": true,
            "settings": {"private": true, "place": "help@desk.test", "user": "desk", "open": open}});
        if !self.id.is_empty() {
            body["kind"] = json!("");
        }
        body
    }

    fn ticket(&self, contact: &str) -> Result<String, String> {
        let new = json!({"title": "账单 stands still", "contact": contact});
        let made = self.collector.post("/api/v1/tickets", &new)?;
        Ok(made["key"].as_str().unwrap_or_default().to_owned())
    }

    fn note(&self, ticket: &str, text: &str, public: bool) -> Result<String, String> {
        let path = format!("/api/v1/tickets/{ticket}/notes");
        let made = self
            .collector
            .post(&path, &json!({"body": text, "public": public}))?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    fn dead(&self, text: &str) -> Result<(), String> {
        let mut list = Value::Null;
        wait_for(text, LIMIT, || {
            list = self
                .collector
                .get("/api/v1/outbox?state=dead")
                .unwrap_or_default();
            list["items"][0]["error"].to_string().contains(text)
        })
        .map_err(|error| format!("{error}: {list}"))
    }

    fn mails(&self, count: usize) -> Result<Vec<Value>, String> {
        wait_for(&format!("{count} mails"), LIMIT, || {
            let waiting = self
                .collector
                .get("/api/v1/outbox?state=waiting")
                .unwrap_or_default();
            waiting["items"].as_array().is_some_and(Vec::is_empty)
                && self.sink.mails().len() >= count
        })?;
        let all = self.sink.mails();
        match all.len() == count {
            true => Ok(all),
            false => Err(format!("{all:?}")),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let data = self.dir.path().join("collector/mail");
        data.join(&self.id).join(name)
    }

    /// A mail server puts a mail into the folder; waits until it was looked at.
    fn put(&self, name: &str, mail: &str) -> Result<(), String> {
        let new = self.folder("new");
        wait_for("the folder", LIMIT, || new.is_dir())?;
        let aside = self.folder(name);
        std::fs::write(&aside, mail.replace('\n', "\r\n")).map_err(|error| error.to_string())?;
        std::fs::rename(&aside, new.join(name)).map_err(|error| error.to_string())?;
        wait_for("the mail to be taken", LIMIT, || !new.join(name).exists())
    }

    fn events(&self, ticket: &str, kind: &str) -> Result<Vec<Value>, String> {
        let all = self
            .collector
            .get(&format!("/api/v1/tickets/{ticket}/timeline"))?;
        let all = all["items"].as_array().cloned().unwrap_or_default();
        Ok(all
            .into_iter()
            .filter(|event| event["kind"] == kind)
            .collect())
    }
}

#[test]
fn customers_are_written_to_and_answer_in_one_thread() -> Result<(), String> {
    let desk = Desk::start()?;
    let key = desk.ticket("anna@example.test")?;
    let first = desk.note(&key, "请重启 and tell us", true)?;
    desk.note(&key, "not for her", false)?;
    desk.dead("does not take the name or password")?;
    let path = format!("/api/v1/connectors/{}", desk.id);
    desk.collector
        .patch(&path, &desk.connector("right", false))?;
    desk.collector
        .post(&format!("{path}/replay"), &Value::Null)?;
    let mails = desk.mails(1)?;
    assert_eq!(
        mails[0]["Subject"],
        json!(format!("[{key}] 账单 stands still")),
        "{mails:?}"
    );
    assert_eq!(
        mails[0]["Message-ID"],
        json!(format!("<{first}@desk.test>"))
    );
    assert_eq!(mails[0]["to"], json!(["anna@example.test"]));
    let body = mails[0]["body"].as_str().unwrap_or_default();
    assert!(body.starts_with("请重启 and tell us"), "{body}");
    assert!(!body.contains("not for her"));

    let answer = format!(
        "From: Anna <Anna@example.test>\nMessage-ID: <m1@example.test>\nIn-Reply-To: <{first}@desk.test>\n\
         Subject: Re: whatever\nContent-Type: text/plain; charset=utf-8\n\ndone, 好了\n\nOn Sunday we wrote:\n> 请重启\n"
    );
    let waiting = json!({"status": "waiting"});
    desk.collector
        .patch(&format!("/api/v1/tickets/{key}"), &waiting)?;
    desk.put("1", &answer)?;
    desk.put("2", &answer)?;
    let replies = desk.events(&key, "reply")?;
    assert_eq!(replies.len(), 1, "once: {replies:?}");
    assert_eq!(replies[0]["body"], "done, 好了");
    let shown = desk.collector.get(&format!("/api/v1/tickets/{key}"))?;
    assert_eq!(shown["status"], "open");

    // Our answer belongs to theirs.
    desk.note(&key, "thank you", true)?;
    let mails = desk.mails(2)?;
    assert_eq!(mails[1]["In-Reply-To"], "<m1@example.test>", "{mails:?}");
    assert!(
        mails[1]["References"]
            .to_string()
            .contains("m1@example.test")
    );
    Ok(())
}

#[test]
fn what_comes_by_mail_is_somebodys_word() -> Result<(), String> {
    let desk = Desk::start()?;
    let path = format!("/api/v1/connectors/{}", desk.id);
    desk.collector
        .patch(&path, &desk.connector("right", false))?;
    let key = desk.ticket("anna@example.test")?;
    let mail = |id: &str, from: &str, subject: &str, more: &str| {
        format!(
            "From: {from}\nMessage-ID: <{id}@example.test>\nSubject: {subject}\n{more}\nsome words\n"
        )
    };
    let subject = format!("Re: [{key}] it");
    desk.put("stranger", &mail("s", "mallory@example.test", &subject, ""))?;
    let notes = desk.events(&key, "note")?;
    assert_eq!(
        (notes.len(), &notes[0]["public"]),
        (1, &json!(false)),
        "{notes:?}"
    );
    assert_eq!(notes[0]["actor"], "mallory@example.test");
    desk.put(
        "away",
        &mail(
            "a",
            "anna@example.test",
            &subject,
            "Auto-Submitted: auto-replied\n",
        ),
    )?;
    assert!(
        desk.events(&key, "reply")?.is_empty(),
        "programs are not answered"
    );
    for (name, text) in [
        ("other", mail("o", "bo@example.test", "something else", "")),
        ("broken", "\u{0}\u{1} no mail".to_owned()),
    ] {
        desk.put(name, &text)?;
        assert!(
            desk.folder("bad").join(name).exists(),
            "{name} is kept for a person"
        );
    }
    // A link leads nowhere.
    let secret = desk.dir.path().join("secret");
    std::fs::write(&secret, mail("l", "anna@example.test", &subject, ""))
        .map_err(|error| error.to_string())?;
    let link = desk.folder("new").join("link");
    std::os::unix::fs::symlink(&secret, &link).map_err(|error| error.to_string())?;
    wait_for("the link to be put away", LIMIT, || !link.is_symlink())?;
    assert!(secret.exists() && desk.events(&key, "reply")?.is_empty());

    // When it is wanted, a new mail opens a ticket.
    desk.collector
        .patch(&path, &desk.connector("right", true))?;
    desk.put(
        "printer",
        &mail("n", "bo@example.test", "Printer burns", ""),
    )?;
    let list = desk.collector.get("/api/v1/tickets")?;
    let made = &list["items"][0];
    assert_eq!(
        (&made["title"], &made["contact"]),
        (&json!("Printer burns"), &json!("bo@example.test")),
        "{list}"
    );

    // An address that nobody has is a dead letter, not a loop.
    let nobody = desk.ticket("nobody@example.test")?;
    desk.note(&nobody, "hello", true)?;
    desk.dead("does not take mail to nobody@example.test")
}
