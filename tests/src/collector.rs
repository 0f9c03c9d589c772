//! The support team's side: the real collector on a free loopback port, and an
//! engineer who uses its public API.

use crate::binaries;
use crate::process::{self, Running, wait_for};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A running collector with one administrator.
pub struct Collector {
    process: Running,
    data_dir: PathBuf,
    address: SocketAddr,
    token: String,
    client: reqwest::blocking::Client,
}

/// A ticket, as far as the tests need it.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Its id in the API.
    pub id: String,
    /// Its name to people, `TKT-1`.
    pub key: String,
}

/// A finding as the API gives it.
#[derive(Debug, serde::Deserialize)]
pub struct Finding {
    /// The signature's id.
    pub id: String,
    /// critical, high, medium, low or info.
    pub severity: String,
    /// What is wrong, in a line.
    pub title: String,
    /// Where it is seen.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
}

/// One place where a finding is seen.
#[derive(Debug, serde::Deserialize)]
pub struct Evidence {
    /// The file in the bundle.
    pub file: String,
    /// The line, from 1.
    #[serde(default)]
    pub line: u64,
    /// The text of the line.
    #[serde(default)]
    pub text: String,
}

const PASSWORD: &str = "a-password-for-this-demo-only";
const NAME: &str = "admin";

impl Collector {
    /// Starts a collector with a fresh `data_dir` and makes the administrator.
    ///
    /// # Errors
    /// With what the collector wrote to its log, when it does not come up.
    pub fn start(data_dir: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(data_dir)
            .map_err(|error| format!("cannot make {}: {error}", data_dir.display()))?;
        let (process, address) = launch(data_dir)?;
        // Another test of this process may have been first: that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        let mut collector = Self {
            process,
            data_dir: data_dir.to_path_buf(),
            address,
            token: String::new(),
            client,
        };
        collector.token = collector.set_up()?;
        Ok(collector)
    }

    /// The first administrator by the one-time setup token, and a token for the API.
    fn set_up(&self) -> Result<String, String> {
        let file = self.data_dir.join("setup-token");
        let token = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let body = json!({"token": token.trim(), "login": NAME, "password": PASSWORD});
        let made = self.send(self.client.post(self.at("/api/v1/setup")).json(&body))?;
        text(&made, "token")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its pages.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The administrator's name.
    #[must_use]
    pub fn admin_name(&self) -> &'static str {
        NAME
    }

    /// The administrator's password.
    #[must_use]
    pub fn admin_password(&self) -> &'static str {
        PASSWORD
    }

    /// Peak resident memory of the service itself, its children apart.
    #[must_use]
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        self.process.peak_rss_bytes()
    }

    /// Kills the service as a power cut would, and starts it again on the same
    /// data and port.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn crash_and_restart(&mut self) -> Result<(), String> {
        self.process.kill();
        let (process, address) = launch_at(&self.data_dir, self.address)?;
        self.process = process;
        self.address = address;
        Ok(())
    }

    /// Kills the service and leaves it down.
    pub fn crash(&mut self) {
        self.process.kill();
    }

    /// Waits for Ctrl-C, which ends the whole process group.
    pub fn wait_until_interrupted(mut self) {
        drop(self.process.wait(Duration::from_secs(30 * 24 * 3600)));
    }

    /// Opens a ticket.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn create_ticket(&self, title: &str) -> Result<Ticket, String> {
        let made = self.post(
            "/api/v1/tickets",
            &json!({"title": title, "customer": "Acme GmbH"}),
        )?;
        Ok(Ticket {
            id: text(&made, "id")?,
            key: text(&made, "key")?,
        })
    }

    /// Asks for a bundle; the link that the customer gets.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn create_code(&self, ticket: &str) -> Result<String, String> {
        Ok(format!(
            "{}/u/{}",
            self.url(),
            self.create_code_only(ticket)?
        ))
    }

    /// Asks for a bundle; the bare code.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn create_code_only(&self, ticket: &str) -> Result<String, String> {
        text(
            &self.post(&format!("/api/v1/tickets/{ticket}/codes"), &json!({}))?,
            "code",
        )
    }

    /// The bundles of a ticket.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn bundles(&self, ticket: &str) -> Result<Vec<Value>, String> {
        let list = self.get(&format!("/api/v1/tickets/{ticket}/bundles"))?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until a bundle of the ticket has a verdict; its id.
    ///
    /// # Errors
    /// When the limit passes, or the verdict is not `ready`.
    pub fn wait_for_verdict(&self, ticket: &str, limit: Duration) -> Result<String, String> {
        let mut last = Value::Null;
        wait_for("a verdict on the bundle", limit, || {
            let bundles = self.bundles(ticket).unwrap_or_default();
            last = bundles.last().cloned().unwrap_or_default();
            matches!(
                last["state"].as_str(),
                Some("ready" | "rejected" | "quarantined")
            )
        })?;
        if last["state"] == "ready" {
            text(&last, "id")
        } else {
            Err(format!("the bundle was not taken: {last}"))
        }
    }

    /// What is known of a bundle.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn bundle(&self, bundle: &str) -> Result<Value, String> {
        self.get(&format!("/api/v1/bundles/{bundle}"))
    }

    /// What was found in a bundle.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn findings(&self, bundle: &str) -> Result<Vec<Finding>, String> {
        let list = self.get(&format!("/api/v1/bundles/{bundle}/findings"))?;
        serde_json::from_value(list["items"].clone()).map_err(|error| format!("{error}: {list}"))
    }

    /// The tags of a ticket.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn ticket_tags(&self, ticket: &str) -> Result<Vec<String>, String> {
        let shown = self.get(&format!("/api/v1/tickets/{ticket}"))?;
        serde_json::from_value(shown["tags"].clone()).map_err(|error| format!("{error}: {shown}"))
    }

    /// The stored bytes of a bundle.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn download(&self, bundle: &str) -> Result<Vec<u8>, String> {
        self.bytes(&format!("/api/v1/bundles/{bundle}/download"))
    }

    /// One file of a bundle, by its path.
    ///
    /// # Errors
    /// With the collector's answer when it refuses, or when there is no such file.
    pub fn file(&self, bundle: &str, path: &str) -> Result<String, String> {
        let list = self.get(&format!("/api/v1/bundles/{bundle}/files"))?;
        let files = list["items"].as_array().cloned().unwrap_or_default();
        let file = files
            .iter()
            .find(|file| file["path"] == path)
            .ok_or_else(|| format!("no {path} in {list}"))?;
        let id = file["id"]
            .as_str()
            .map_or_else(|| file["id"].to_string(), str::to_owned);
        let bytes = self.bytes(&format!("/api/v1/bundles/{bundle}/files/{id}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Takes back every code of a ticket.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn revoke_codes(&self, ticket: &str) -> Result<(), String> {
        let list = self.get(&format!("/api/v1/tickets/{ticket}/codes"))?;
        for code in list["items"].as_array().into_iter().flatten() {
            let path = format!("/api/v1/tickets/{ticket}/codes/{}", text(code, "id")?);
            let gone = self
                .client
                .delete(self.at(&path))
                .bearer_auth(&self.token)
                .send()
                .map_err(|error| error.to_string())?;
            if !gone.status().is_success() {
                return Err(format!("{path}: {}", gone.status()));
            }
        }
        Ok(())
    }

    /// Uploads bytes by tus 1.0, as any client with an upload code could.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn upload_as_tus_client(&self, code: &str, name: &str, bytes: &[u8]) -> Result<(), String> {
        let made = self
            .client
            .post(self.at("/api/v1/uploads"))
            .bearer_auth(code)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Length", bytes.len())
            .header(
                "Upload-Metadata",
                format!("filename {}", base64(name.as_bytes())),
            )
            .send()
            .map_err(|error| error.to_string())?;
        let place = made
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let Some(place) = place else {
            return Err(format!("no upload was made: {}", made.status()));
        };
        let url = if place.starts_with('/') {
            self.at(&place)
        } else {
            place
        };
        let sent = self
            .client
            .patch(url)
            .bearer_auth(code)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Offset", 0)
            .header("Content-Type", "application/offset+octet-stream")
            .body(bytes.to_vec())
            .send()
            .map_err(|error| error.to_string())?;
        if sent.status().is_success() {
            Ok(())
        } else {
            Err(format!("the upload was refused: {}", sent.status()))
        }
    }

    /// Any GET of the API as the administrator.
    ///
    /// # Errors
    /// With the collector's answer when it is not a success.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        self.send(self.client.get(self.at(path)).bearer_auth(&self.token))
    }

    /// Any POST of the API as the administrator.
    ///
    /// # Errors
    /// With the collector's answer when it is not a success.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send(
            self.client
                .post(self.at(path))
                .bearer_auth(&self.token)
                .json(body),
        )
    }

    /// A request with `token` (or none) whose refusal is what is looked at.
    ///
    /// # Errors
    /// When no answer comes at all.
    pub fn answer(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
    ) -> Result<(u16, Value), String> {
        let method =
            reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.client.request(method, self.at(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        Ok((status, response.json().unwrap_or(Value::Null)))
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, String> {
        let response = self
            .client
            .get(self.at(path))
            .bearer_auth(&self.token)
            .send()
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response.bytes().map_err(|error| error.to_string())?;
        if status.is_success() {
            Ok(body.to_vec())
        } else {
            Err(format!(
                "{path}: {status}: {}",
                String::from_utf8_lossy(&body)
            ))
        }
    }

    fn send(&self, request: reqwest::blocking::RequestBuilder) -> Result<Value, String> {
        let response = request.send().map_err(|error| error.to_string())?;
        let (status, url) = (response.status(), response.url().clone());
        let body = response.text().map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{url}: {status}: {body}"));
        }
        serde_json::from_str(&body).map_err(|error| format!("{url}: {error}: {body}"))
    }
}

fn launch(data_dir: &Path) -> Result<(Running, SocketAddr), String> {
    launch_at(data_dir, SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Starts `sitrepd serve`; the address comes from the file that it writes when
/// it is ready.
fn launch_at(data_dir: &Path, listen: SocketAddr) -> Result<(Running, SocketAddr), String> {
    let ready = data_dir.join("address");
    drop(std::fs::remove_file(&ready));
    let log_path = data_dir.join("service.log");
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|error| error.to_string())?;
    let mut command = process::command(&binaries::sitrepd());
    command
        .arg("serve")
        .env("SITREPD_DATA_DIR", data_dir)
        .env("SITREPD_LISTEN", listen.to_string())
        .env("SITREPD_TLS_MODE", "off")
        .stdout(Stdio::null())
        .stderr(log);
    let mut process = Running::start(&mut command)?;
    let mut address = None;
    let came_up = wait_for("the collector to be ready", Duration::from_secs(30), || {
        address = std::fs::read_to_string(&ready)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        address.is_some()
    });
    match (came_up, address) {
        (Ok(()), Some(address)) => Ok((process, address)),
        (error, _) => {
            process.kill();
            Err(format!(
                "{error:?}\n{}",
                std::fs::read_to_string(&log_path).unwrap_or_default()
            ))
        }
    }
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    value[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("no {field} in {value}"))
}

/// Standard base64, which tus wants for metadata.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or_default();
            text.push(if place <= group.len() {
                char::from(DIGITS[digit])
            } else {
                '='
            });
        }
    }
    text
}
