//! An engineer who uses the collector's public API.

use super::Collector;
use crate::process::wait_for;
use crate::uploader::Sent;
use serde_json::{Value, json};
use sitrep_shared::hash::sha256;
use std::time::Duration;

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

impl Collector {
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

    /// Asks for bundles; a code that takes twenty.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn create_wide_code(&self, ticket: &str) -> Result<String, String> {
        let path = format!("/api/v1/tickets/{ticket}/codes");
        text(&self.post(&path, &json!({"max_bundles": 20}))?, "code")
    }

    /// Waits until the ticket has exactly these uploads as bundles, all with a verdict, byte for byte: none lost, none
    /// twice.
    ///
    /// # Errors
    /// With what is missing or too much.
    pub fn check_all_there(&self, ticket: &str, sent: &[Sent]) -> Result<(), String> {
        let mut bundles = Vec::new();
        let over = wait_for("all verdicts", Duration::from_secs(600), || {
            bundles = self.all_bundles().unwrap_or_default();
            bundles.retain(|bundle| bundle["ticket_id"] == *ticket);
            let settled = |bundle: &&Value| {
                matches!(
                    bundle["state"].as_str(),
                    Some("ready" | "rejected" | "quarantined")
                )
            };
            bundles.iter().filter(settled).count() >= sent.len()
        });
        over.map_err(|error| format!("{error}: {} of {} uploads", bundles.len(), sent.len()))?;
        if bundles.len() != sent.len() {
            return Err(format!(
                "{} bundles of {} uploads",
                bundles.len(),
                sent.len()
            ));
        }
        let mut expected: Vec<&str> = sent.iter().map(|sent| sent.sha256.as_str()).collect();
        for bundle in &bundles {
            let id = text(bundle, "id")?;
            let stored = sha256(&self.download(&id)?).to_string();
            if bundle["state"] != "ready" || bundle["sha256"] != stored {
                return Err(format!("{stored} was read, of {bundle}"));
            }
            let place = expected.iter().position(|sha256| *sha256 == stored);
            expected.swap_remove(place.ok_or_else(|| format!("{stored} was not sent, or once"))?);
        }
        Ok(())
    }

    /// All bundles of the collector.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn all_bundles(&self) -> Result<Vec<Value>, String> {
        let (mut all, mut path) = (Vec::new(), "/api/v1/bundles".to_owned());
        loop {
            let page = self.get(&path)?;
            all.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_before"].as_str() {
                Some(next) => path = format!("/api/v1/bundles?before={next}"),
                None => return Ok(all),
            }
        }
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

    /// Sends bundles to a new ticket, as a tus client, and waits until all have their verdict.
    ///
    /// # Errors
    /// With the collector's answer when it refuses, or when they have none after `limit`.
    pub fn send_bundles(
        &self,
        title: &str,
        bundles: &[Vec<u8>],
        limit: Duration,
    ) -> Result<Ticket, String> {
        let ticket = self.create_ticket(title)?;
        let path = format!("/api/v1/tickets/{}/codes", ticket.id);
        let made = self.post(&path, &json!({"max_bundles": bundles.len()}))?;
        let code = text(&made, "code")?;
        for (n, bytes) in bundles.iter().enumerate() {
            self.upload_as_tus_client(&code, &format!("bundle-{n}.tar.gz"), bytes)?;
        }
        wait_for("verdicts on all bundles", limit, || {
            let known = self.bundles(&ticket.id).unwrap_or_default();
            let ready = known.iter().filter(|bundle| bundle["state"] == "ready");
            ready.count() == bundles.len()
        })?;
        Ok(ticket)
    }

    /// Waits until a retro-scan or back-test has ended; what it came to.
    ///
    /// # Errors
    /// When it has not ended after `limit`.
    pub fn wait_for_scan(&self, id: &str, limit: Duration) -> Result<Value, String> {
        let path = format!("/api/v1/retro-scans/{id}");
        wait_for("the end of the retro-scan", limit, || {
            let shown = self.get(&path).unwrap_or_default();
            !matches!(shown["state"].as_str(), Some("queued" | "running") | None)
        })?;
        self.get(&path)
    }
}

pub(super) fn text(value: &Value, field: &str) -> Result<String, String> {
    value[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("no {field} in {value}"))
}
