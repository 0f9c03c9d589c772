//! Ticket systems that teams use already, the real programs of Debian on free loopback ports: Request Tracker and Redmine.
//! A colleague works in them beside the collector.

use crate::postgres::free_port;
use crate::process::{self, Running, output, wait_for};
use crate::receiver::{Answer, Receiver, Request};
use crate::workspace_root;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one may take to come up; Redmine runs all its migrations first.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running system.
pub struct Desk {
    script: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    server: Option<Running>,
    colleague: Colleague,
}

/// Somebody who works there.
#[derive(Clone)]
pub struct Colleague {
    client: Client,
    url: String,
    /// The header with the secret.
    header: (&'static str, String),
}

/// A form of a system: its script, the header of a secret with what stands before that, and a harmless question.
type Form = (&'static str, (&'static str, &'static str), &'static str);
const RT: Form = ("rt.sh", ("authorization", "token "), "/REST/2.0/rt");
const REDMINE: Form = (
    "redmine.sh",
    ("x-redmine-api-key", ""),
    "/users/current.json",
);

impl std::ops::Deref for Desk {
    type Target = Colleague;

    fn deref(&self) -> &Colleague {
        &self.colleague
    }
}

impl Desk {
    /// Request Tracker.
    ///
    /// # Errors
    /// With what it wrote, when it does not come up.
    pub fn rt() -> Result<Self, String> {
        Self::start(RT)
    }

    /// Redmine.
    ///
    /// # Errors
    /// The same.
    pub fn redmine() -> Result<Self, String> {
        Self::start(REDMINE)
    }

    fn start((script, (header, before), hello): Form) -> Result<Self, String> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .timeout(Duration::from_secs(60))
            .no_proxy();
        let port = free_port()?;
        let mut desk = Self {
            script: workspace_root().join("tests/fixtures/desks").join(script),
            dir: tempfile::tempdir().map_err(|error| error.to_string())?,
            port,
            server: None,
            colleague: Colleague {
                client: client.build().map_err(|error| error.to_string())?,
                url: format!("http://127.0.0.1:{port}"),
                header: (header, String::new()),
            },
        };
        let told = output(&mut desk.command("prepare"))?;
        if !told.status.success() {
            let log = std::fs::read_to_string(desk.dir.path().join("setup.log"));
            let said = String::from_utf8_lossy(&told.stderr);
            return Err(format!("{script}: {said}\n{}", log.unwrap_or_default()));
        }
        desk.colleague.header.1 = format!("{before}{}", desk.secret_of("colleague")?);
        desk.resume_with(hello)?;
        Ok(desk)
    }

    fn command(&self, what: &str) -> std::process::Command {
        let mut command = process::command(Path::new("/bin/bash"));
        command.arg(&self.script).arg(what).arg(self.dir.path());
        command.arg(self.port.to_string());
        command
    }

    /// What its administrator does, by its script.
    ///
    /// # Errors
    /// With what the script says.
    pub fn administer(&self, what: &str, value: &str) -> Result<(), String> {
        let told = output(self.command(what).arg(value))?;
        match told.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&told.stderr).into_owned()),
        }
    }

    /// Takes it down, with all its processes.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Brings it up again.
    ///
    /// # Errors
    /// With what it wrote, when it does not come up.
    pub fn resume(&mut self) -> Result<(), String> {
        let forms = [RT, REDMINE];
        let own = forms.iter().find(|form| self.script.ends_with(form.0));
        self.resume_with(own.map_or("", |form| form.2))
    }

    fn resume_with(&mut self, hello: &str) -> Result<(), String> {
        self.server = Some(Running::start_group(&mut self.command("serve"))?);
        let up = wait_for("the ticket system", PATIENCE, || self.get(hello).is_ok());
        up.map_err(|error| {
            let log = std::fs::read_to_string(self.dir.path().join("server.log"));
            format!("{error}\n{}", log.unwrap_or_default())
        })
    }

    /// The secret of the account that the collector uses.
    ///
    /// # Errors
    /// When it was not made.
    pub fn secret(&self) -> Result<String, String> {
        self.secret_of("connector")
    }

    fn secret_of(&self, account: &str) -> Result<String, String> {
        let text = std::fs::read_to_string(self.dir.path().join(account));
        text.map_err(|error| format!("{account}: {error}"))
            .map(|text| text.trim().to_owned())
    }

    /// An address in front of it. Before a request goes through, `before` sees it, and may do something else first, or
    /// answer in its place.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn front(
        &self,
        before: impl Fn(&Colleague, &Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Result<Receiver, String> {
        let colleague = self.colleague.clone();
        Receiver::start(move |request, _| {
            before(&colleague, request).unwrap_or_else(|| {
                let gone = |error: String| (502, String::new(), error);
                colleague.forward(request).unwrap_or_else(gone)
            })
        })
    }
}

impl Colleague {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Passes a request on as it is.
    ///
    /// # Errors
    /// When nothing answers.
    pub fn forward(&self, request: &Request) -> Result<Answer, String> {
        let (method, path) = request.line.split_once(' ').unwrap_or_default();
        let method = reqwest::Method::from_bytes(method.as_bytes());
        let method = method.map_err(|error| error.to_string())?;
        let mut on = self.client.request(method, self.at(path));
        for (name, value) in &request.headers {
            if !["host", "content-length", "connection"].contains(&&**name) {
                on = on.header(name, value);
            }
        }
        let answer = on.body(request.body.clone()).send();
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let etag = answer.headers().get("etag");
        let etag = etag.and_then(|tag| tag.to_str().ok());
        let etag = etag.map_or_else(String::new, |tag| format!("etag: {tag}\r\n"));
        let text = answer.text().map_err(|error| error.to_string())?;
        Ok((status, etag, text))
    }

    /// What the colleague asks.
    ///
    /// # Errors
    /// With its answer, when it refuses.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        Ok(self.tagged(path)?.1)
    }

    /// What the colleague asks with parameters.
    ///
    /// # Errors
    /// The same.
    pub fn find(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", percent(value)))
            .collect();
        self.get(&format!("{path}?{}", pairs.join("&")))
    }

    /// What the colleague does; the status, and the answer.
    ///
    /// # Errors
    /// When nothing answers.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        (etag, body): (Option<&str>, &Value),
    ) -> Result<(u16, Value), String> {
        let method = reqwest::Method::from_bytes(method.as_bytes());
        let method = method.map_err(|error| error.to_string())?;
        let mut request = self.client.request(method, self.at(path)).json(body);
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        self.raw(request)
            .map(|(status, _, answer)| (status, answer))
    }

    /// The same, which must be done.
    ///
    /// # Errors
    /// With its answer, when it refuses.
    pub fn does(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        match self.send(method, path, (None, body))? {
            (200..=299, answer) => Ok(answer),
            (status, answer) => Err(format!("{method} {path}: {status}: {answer}")),
        }
    }

    /// Something with its entity tag.
    ///
    /// # Errors
    /// With its answer, when it refuses.
    pub fn tagged(&self, path: &str) -> Result<(String, Value), String> {
        match self.raw(self.client.get(self.at(path)))? {
            (200..=299, etag, answer) => Ok((etag, answer)),
            (status, _, answer) => Err(format!("{path}: {status}: {answer}")),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn raw(&self, request: RequestBuilder) -> Result<(u16, String, Value), String> {
        let answer = request.header(self.header.0, &self.header.1).send();
        let answer = answer.map_err(|error| error.to_string())?;
        let etag = answer.headers().get("etag");
        let etag = etag.and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let (status, etag) = (answer.status().as_u16(), etag.to_owned());
        let text = answer.text().map_err(|error| error.to_string())?;
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((status, etag, value))
    }
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
