//! Zammad by its documented interface. Our ticket's key is in the title of the one there and its page in the first
//! article, by which it is found again. Tags are set one by one, so nothing of others is ever replaced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Map, Value, json};
use sitrep_shared::time::UtcMs;

use super::desks::{self, PAGES_MAX, int, word};
use super::outgoing::Http;
use super::{
    Case, Comment, Fault, Kind, Labels, Made, News, Remote, Said, SecretForm, Setup, Soon, System,
    fields,
};

/// Its line in the registry.
pub(super) const KIND: Kind = Kind {
    word: "zammad",
    tickets: true,
    reads: true,
    schemes: super::guard::WEB,
    secret: SecretForm::Given,
    uses: desks::USES,
    statuses: &[
        "open = open",
        "pending reminder = waiting",
        "pending close = solved",
        "closed = solved",
    ],
    make,
};

/// Tickets of a page of a list.
const PAGE: usize = 100;

struct Zammad {
    http: Http,
    group: String,
    tags: bool,
}

fn make(setup: &Setup) -> Result<Made, Fault> {
    let token = format!("Token token={}", setup.secret.reveal());
    Ok(Made::System(Box::new(Zammad {
        http: Http::new(setup, &[("authorization", token)])?,
        group: setup.settings.place.clone(),
        // Zammad has tags of its own: any name of a field turns them on.
        tags: !setup.settings.tags_field.is_empty(),
    })))
}

/// The text of an article.
fn text(article: &Value) -> String {
    let body = word(&article["body"]);
    match article["content_type"].as_str() {
        Some("text/html") => fields::plain(&body),
        _ => body,
    }
}

impl Zammad {
    fn remote(&self, id: i64) -> Remote {
        Remote {
            id: id.to_string(),
            url: self.http.page(&format!("#ticket/zoom/{id}")),
        }
    }

    async fn me(&self) -> Result<i64, Fault> {
        let me = self.http.get("api/v1/users/me", &[]).await?.json();
        Ok(int(&me["id"]))
    }

    async fn articles(&self, id: &str) -> Result<Vec<Value>, Fault> {
        let path = format!("api/v1/ticket_articles/by_ticket/{id}");
        let mut all = self.http.get(&path, &[]).await?.json();
        let mut all = all.as_array_mut().map(std::mem::take).unwrap_or_default();
        all.sort_by_key(|article| int(&article["id"]));
        Ok(all)
    }

    async fn search(&self, query: &str, page: usize) -> Result<Vec<Value>, Fault> {
        let (page, size) = (page.to_string(), PAGE.to_string());
        let query = [
            ("query", query),
            ("sort_by", "updated_at"),
            ("order_by", "desc"),
            ("limit", &*size),
            ("page", &*page),
            ("expand", "true"),
        ];
        let mut found = self.http.get("api/v1/tickets/search", &query).await?.json();
        Ok(found.as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    async fn find(&self, case: &Case) -> Result<Option<Remote>, Fault> {
        let title = format!("title:\"{}\"", case.key);
        for ticket in self.search(&title, 1).await? {
            let id = int(&ticket["id"]);
            if !word(&ticket["title"]).contains(&format!("[{}]", case.key)) {
                continue;
            }
            let articles = self.articles(&id.to_string()).await?;
            let first = articles.first().map(text).unwrap_or_default();
            if first
                .lines()
                .any(|line| line.trim_end().ends_with(&*case.url))
            {
                return Ok(Some(self.remote(id)));
            }
        }
        Ok(None)
    }

    async fn write(&self, id: &str, comment: &Comment) -> Result<(), Fault> {
        if comment.again {
            let all = self.articles(id).await?;
            if all
                .iter()
                .any(|a| text(a).trim_end().ends_with(&comment.mark))
            {
                return Ok(());
            }
        }
        let id: i64 = id.parse().unwrap_or_default();
        let mut body = json!({"ticket_id": id, "body": comment.text, "content_type": "text/plain",
            "type": "note", "internal": !comment.public});
        if let Some((name, html)) = &comment.file {
            body["attachments"] = json!([{"filename": name, "mime-type": "text/html",
                "data": STANDARD.encode(html)}]);
        }
        let path = "api/v1/ticket_articles";
        self.http.json(Method::POST, path, &body).await.map(|_| ())
    }

    async fn set(&self, id: &str, labels: &Labels) -> Result<(), Fault> {
        let number: i64 = id.parse().unwrap_or_default();
        if self.tags {
            let query = [("object", "Ticket"), ("o_id", id)];
            let there = self.http.get("api/v1/tags", &query).await?.json();
            let has = |tag: &String| {
                let mut all = there["tags"].as_array().into_iter().flatten();
                all.any(|known| known == tag)
            };
            let one = |tag: &String| json!({"object": "Ticket", "o_id": number, "item": tag});
            for tag in labels.add.iter().filter(|tag| !has(tag)) {
                let path = "api/v1/tags/add";
                self.http.json(Method::POST, path, &one(tag)).await?;
            }
            for tag in labels.remove.iter().filter(|tag| has(tag)) {
                let path = "api/v1/tags/remove";
                self.http.json(Method::DELETE, path, &one(tag)).await?;
            }
        }
        let path = format!("api/v1/tickets/{id}");
        let ticket = self.http.get(&path, &[("expand", "true")]).await?.json();
        let mut change = Map::new();
        for (field, value) in &labels.fields {
            if ticket.get(field).is_none() {
                return Err(Fault::Refused(format!(
                    "Zammad's tickets have no attribute {field:?}: make it; or change the settings here"
                )));
            }
            if ticket[field] != **value {
                change.insert(field.clone(), json!(value));
            }
        }
        if let Some(status) = &labels.status
            && ticket["state"] != **status
        {
            change.insert("state".into(), json!(status));
        }
        if change.is_empty() {
            return Ok(());
        }
        let change = Value::Object(change);
        self.http
            .json(Method::PUT, &path, &change)
            .await
            .map(|_| ())
    }

    async fn read(&self, id: &str, after: Option<i64>) -> Result<News, Fault> {
        let path = format!("api/v1/tickets/{id}");
        let ticket = self.http.get(&path, &[("expand", "true")]).await?.json();
        let articles = self.articles(id).await?;
        let said = |article: &Value| Said {
            id: int(&article["id"]),
            author: word(&article["from"]),
            body: text(article),
            public: article["internal"] != true,
            by_customer: article["sender"] == "Customer",
        };
        let new = articles.iter().map(said);
        Ok(News {
            status: word(&ticket["state"]),
            last: articles.last().map_or(0, |article| int(&article["id"])),
            said: new
                .filter(|said| after.is_some_and(|last| said.id > last) && !said.body.is_empty())
                .collect(),
        })
    }
}

impl System for Zammad {
    fn check(&self) -> Soon<'_, ()> {
        Box::pin(async move { self.me().await.map(|_| ()) })
    }

    fn open<'a>(&'a self, case: &'a Case) -> Soon<'a, Remote> {
        Box::pin(async move {
            if let Some(known) = self.find(case).await? {
                return Ok(known);
            }
            let customer = match &case.contact {
                Some(contact) => json!(format!("guess:{contact}")),
                // Every ticket there has a customer: ourselves, when we know of none.
                None => json!(self.me().await?),
            };
            let body = json!({"title": case.title, "group": self.group, "customer_id": customer,
                "article": {"subject": case.title, "body": case.text, "content_type": "text/plain",
                    "type": "note", "internal": true}});
            let answer = self
                .http
                .json(Method::POST, "api/v1/tickets", &body)
                .await?;
            match int(&answer.json()["id"]) {
                id if id > 0 => Ok(self.remote(id)),
                _ => Err(Fault::Refused(
                    "Zammad opened a ticket and did not say which: is the address that of Zammad itself?".into(),
                )),
            }
        })
    }

    fn attach<'a>(&'a self, id: &'a str, _: &'a Case) -> Soon<'a, Remote> {
        Box::pin(async move {
            // The report that follows says where ours is.
            let path = format!("api/v1/tickets/{}", fields::number(id)?);
            let ticket = self.http.get(&path, &[]).await?.json();
            Ok(self.remote(int(&ticket["id"])))
        })
    }

    fn comment<'a>(&'a self, id: &'a str, comment: &'a Comment) -> Soon<'a, ()> {
        Box::pin(self.write(id, comment))
    }

    fn label<'a>(&'a self, id: &'a str, labels: &'a Labels) -> Soon<'a, ()> {
        Box::pin(self.set(id, labels))
    }

    fn changed(&self, since_ms: i64) -> Soon<'_, Vec<String>> {
        Box::pin(async move {
            let mut ids = Vec::new();
            for page in 1..=PAGES_MAX {
                let rows = self.search("*", page).await?;
                for row in &rows {
                    let at = UtcMs::parse(&word(&row["updated_at"])).map_or(i64::MAX, |at| at.0);
                    if at < since_ms {
                        return Ok(ids);
                    }
                    ids.push(int(&row["id"]).to_string());
                }
                if rows.len() < PAGE {
                    break;
                }
            }
            Ok(ids)
        })
    }

    fn news<'a>(&'a self, id: &'a str, last: Option<i64>) -> Soon<'a, News> {
        Box::pin(self.read(id, last))
    }
}
