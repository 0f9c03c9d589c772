//! The connector for Zammad against a stand-in, since the program itself cannot be installed here: it takes the requests
//! that Zammad documents, in their documented form, and refuses all others.

mod desks;

use desks::{note, tag};
use serde_json::{Value, json};
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::fleet;
use sitrep_tests::process::wait_for;
use sitrep_tests::receiver::{Answer, Receiver, Request};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// What the stand-in holds.
#[derive(Default)]
struct Zammad {
    tickets: Vec<Value>,
    articles: Vec<Value>,
    tags: Vec<String>,
    /// Requests that Zammad does not document.
    wrong: Vec<String>,
}

impl Zammad {
    fn answer(&mut self, request: &Request) -> Answer {
        let said = |status: u16, value: &Value| (status, String::new(), value.to_string());
        if request.header("authorization") != "Token token=right" {
            return said(401, &json!({"error": "Authentication required"}));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match self.act(&request.line, &body) {
            Some((status, value)) => said(status, &value),
            None => {
                self.wrong.push(format!("{} {body}", request.line));
                said(422, &json!({"error": "not documented"}))
            }
        }
    }

    fn act(&mut self, line: &str, body: &Value) -> Option<(u16, Value)> {
        let (method, target) = line.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let id = || path.rsplit('/').next()?.parse::<usize>().ok();
        let now = || "2999-01-01T00:00:00.000Z";
        Some(match (method, path) {
            ("GET", "/api/v1/users/me") => (200, json!({"id": 3})),
            ("GET", "/api/v1/tickets/search") => {
                assert!(
                    query.contains("query=") && query.contains("limit="),
                    "{query}"
                );
                (200, Value::Array(self.tickets.clone()))
            }
            ("POST", "/api/v1/tickets") => {
                let article = &body["article"];
                let whole = ["title", "group", "customer_id"]
                    .iter()
                    .all(|key| !body[key].is_null());
                if !whole || article["body"].is_null() || article["type"] != "note" {
                    return None;
                }
                let id = self.tickets.len() + 1;
                let ticket = json!({"id": id, "title": body["title"], "group": body["group"], "state": "new",
                    "severity": "", "updated_at": now()});
                self.tickets.push(ticket.clone());
                self.article(id, article, "Agent");
                (201, ticket)
            }
            ("POST", "/api/v1/ticket_articles") => {
                let ticket = body["ticket_id"].as_u64()?;
                let files = body["attachments"].as_array().into_iter().flatten();
                let whole = |file: &Value| {
                    ["filename", "data", "mime-type"]
                        .iter()
                        .all(|key| file[key].is_string())
                };
                let good = body["body"].is_string()
                    && body["internal"].is_boolean()
                    && files.into_iter().all(whole);
                if !good {
                    return None;
                }
                (
                    201,
                    self.article(usize::try_from(ticket).ok()?, body, "Agent"),
                )
            }
            ("GET", "/api/v1/tags") => (200, json!({"tags": self.tags})),
            ("POST", "/api/v1/tags/add") if body["object"] == "Ticket" && body["o_id"].is_u64() => {
                self.tags.push(body["item"].as_str()?.to_owned());
                (201, json!(true))
            }
            ("DELETE", "/api/v1/tags/remove") if body["object"] == "Ticket" => {
                self.tags.retain(|tag| body["item"] != **tag);
                (200, json!(true))
            }
            ("GET", _) if path.starts_with("/api/v1/ticket_articles/by_ticket/") => {
                let id = id()?;
                let own = self
                    .articles
                    .iter()
                    .filter(|article| article["ticket_id"] == id);
                (200, Value::Array(own.cloned().collect()))
            }
            ("GET", _) if path.starts_with("/api/v1/tickets/") => {
                (200, self.tickets.get(id()? - 1)?.clone())
            }
            ("PUT", _) if path.starts_with("/api/v1/tickets/") => {
                let ticket = self.tickets.get_mut(id()? - 1)?;
                for (key, value) in body.as_object()? {
                    ticket[key] = value.clone();
                }
                (200, ticket.clone())
            }
            _ => return None,
        })
    }

    fn article(&mut self, ticket: usize, from: &Value, sender: &str) -> Value {
        let mut article = from.clone();
        article["id"] = json!(self.articles.len() + 10);
        article["ticket_id"] = json!(ticket);
        article["sender"] = json!(sender);
        article["from"] = json!("Anna");
        self.articles.push(article.clone());
        article
    }
}

#[test]
fn tickets_are_told_in_the_documented_form() -> Result<(), String> {
    let zammad = Arc::new(Mutex::new(Zammad::default()));
    let state = || zammad.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = Arc::clone(&zammad);
    let server = Receiver::start(move |request, _| {
        let mut zammad = shared.lock().unwrap_or_else(PoisonError::into_inner);
        zammad.answer(request)
    })?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let setting = Setting {
        env: vec![("SITREPD_CONNECTORS_POLL".into(), "1s".into())],
        ..Setting::default()
    };
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let settings = json!({"private": true, "open": true, "place": "Support", "tags_field": "tags",
        "fields": ["severity = severity"]});
    let made = collector.post(
        "/api/v1/connectors",
        &json!({"kind": "zammad", "name": "Desk", "url": server.url(), "secret": "right", "enabled": true,
            "settings": settings}),
    )?;
    assert_eq!(made["info"]["enabled"], json!(true));
    let told = || {
        wait_for("everything to be told", LIMIT, || {
            let list = collector
                .get("/api/v1/outbox?state=waiting")
                .unwrap_or_default();
            list["items"].as_array().is_some_and(Vec::is_empty)
        })?;
        let dead = collector.get("/api/v1/outbox?state=dead")?;
        let wrong = state().wrong.clone();
        match dead["items"].as_array().is_some_and(Vec::is_empty) {
            true => Ok(()),
            false => Err(format!("{dead} {wrong:?}")),
        }
    };
    collector.post_text("/api/v1/signatures", &fleet::signature("live"))?;
    state().tags.push("theirs".into());
    let ticket =
        collector.send_bundles("Billing stands still", &[fleet::bundle(7, true)?], LIMIT)?;
    note(&collector, &ticket.key, "are you sure?", true)?;
    tag(&collector, &ticket.key, "ours", true)?;
    told()?;
    tag(&collector, &ticket.key, "ours", false)?;
    told()?;
    {
        let zammad = state();
        assert!(zammad.wrong.is_empty(), "{:?}", zammad.wrong);
        assert_eq!(zammad.tickets.len(), 1);
        assert_eq!(zammad.tags, ["theirs", "billing-lease"]);
        assert_eq!(zammad.tickets[0]["severity"], "high");
        let public: Vec<&Value> = zammad
            .articles
            .iter()
            .filter(|one| one["internal"] == false)
            .collect();
        assert_eq!(public.len(), 1, "{public:?}");
        assert!(public[0]["body"].to_string().contains("are you sure?"));
        let files = zammad
            .articles
            .iter()
            .filter(|one| one["attachments"].is_array());
        assert_eq!(files.count(), 1, "one report");
    }
    // The customer answers there.
    {
        let mut zammad = state();
        zammad.tickets[0]["state"] = json!("pending reminder");
        let said =
            json!({"body": "<p>quite sure</p>", "content_type": "text/html", "internal": false});
        zammad.article(1, &said, "Customer");
    }
    wait_for("the answer", LIMIT, || {
        let all = collector
            .get(&format!("/api/v1/tickets/{}/timeline", ticket.key))
            .unwrap_or_default();
        let mut all = all["items"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .into_iter();
        all.any(|event| {
            event["kind"] == "reply"
                && event["body"] == "quite sure"
                && event["actor"] == "Anna (Desk)"
        })
    })
}
