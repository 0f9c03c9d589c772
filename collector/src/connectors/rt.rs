//! Request Tracker by its interface REST2. Our ticket's page is a link of the ticket there (`RefersTo`), by which it is
//! found again. What the customer may see is correspondence, which RT mails to the requestor; all else is a comment.

mod undone;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Map, Value, json};
use sitrep_shared::time::UtcMs;

use self::undone::{Undone, undone};
use super::desks::{self, PAGES_MAX, int, word};
use super::outgoing::{Ask, Http};
use super::{
    Case, Comment, Fault, Kind, Labels, Made, News, Remote, Said, SecretForm, Setup, Soon, System,
    fields,
};

/// Its line in the registry.
pub(super) const KIND: Kind = Kind {
    word: "rt",
    tickets: true,
    reads: true,
    schemes: super::guard::WEB,
    secret: SecretForm::Given,
    uses: desks::USES,
    statuses: &[
        "open = open",
        "stalled = waiting",
        "resolved = solved",
        "rejected = solved",
    ],
    make,
};

/// Rows of a page of a list, the most RT gives.
const PAGE: usize = 100;
/// Texts that are looked through for a mark, newest first.
const LOOK_MAX: usize = 60;
/// Tries to change a ticket that others change as well.
const TRIES: usize = 8;

struct Rt {
    http: Http,
    queue: String,
    tags_field: String,
}

fn make(setup: &Setup) -> Result<Made, Fault> {
    let token = format!("token {}", setup.secret.reveal());
    Ok(Made::System(Box::new(Rt {
        http: Http::new(setup, &[("authorization", token)])?,
        queue: setup.settings.place.clone(),
        tags_field: setup.settings.tags_field.clone(),
    })))
}

impl Rt {
    fn remote(&self, id: String) -> Remote {
        let url = self.http.page(&format!("Ticket/Display.html?id={id}"));
        Remote { id, url }
    }

    /// All rows of a list.
    async fn rows(&self, path: &str, fields: &str) -> Result<Vec<Value>, Fault> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let (page, size) = (page.to_string(), PAGE.to_string());
            let query = [("fields", fields), ("per_page", &*size), ("page", &*page)];
            let answer = self.http.get(path, &query).await?.json();
            let rows = answer["items"].as_array().cloned().unwrap_or_default();
            let last = rows.len() < PAGE;
            all.extend(rows);
            if last {
                break;
            }
        }
        Ok(all)
    }

    async fn find(&self, case: &Case) -> Result<Option<Remote>, Fault> {
        let url = case.url.replace(['\'', '\\'], "");
        let query = format!("RefersTo = '{url}'");
        let answer = self
            .http
            .get("REST/2.0/tickets", &[("query", &query)])
            .await?;
        let first = int(&answer.json()["items"][0]["id"]);
        Ok((first > 0).then(|| self.remote(first.to_string())))
    }

    /// The text of an attachment.
    async fn text(&self, row: &Value) -> Result<String, Fault> {
        let path = format!("REST/2.0/attachment/{}", int(&row["id"]));
        let answer = self.http.get(&path, &[]).await?.json();
        let bytes = STANDARD.decode(word(&answer["Content"]).replace(['\n', '\r'], ""));
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        Ok(match row["ContentType"].as_str() {
            Some("text/html") => fields::plain(&text),
            _ => text,
        })
    }

    /// The parts of a ticket's history that are written text, oldest first.
    async fn texts(&self, id: &str) -> Result<Vec<Value>, Fault> {
        let path = format!("REST/2.0/ticket/{id}/attachments");
        let mut rows = self
            .rows(&path, "TransactionId,ContentType,Filename")
            .await?;
        let written = |row: &Value| {
            let media = row["ContentType"].as_str().unwrap_or_default();
            word(&row["Filename"]).is_empty() && ["text/plain", "text/html"].contains(&media)
        };
        rows.retain(written);
        rows.sort_by_key(|row| int(&row["id"]));
        Ok(rows)
    }

    async fn has_mark(&self, id: &str, mark: &str) -> Result<bool, Fault> {
        for row in self.texts(id).await?.iter().rev().take(LOOK_MAX) {
            if self.text(row).await?.trim_end().ends_with(mark) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn write(&self, id: &str, comment: &Comment) -> Result<(), Fault> {
        if comment.again && self.has_mark(id, &comment.mark).await? {
            return Ok(());
        }
        let mut body = json!({"Content": comment.text, "ContentType": "text/plain"});
        if let Some((name, html)) = &comment.file {
            body["Attachments"] = json!([{"FileName": name, "FileType": "text/html",
                "FileContent": STANDARD.encode(html)}]);
        }
        let verb = if comment.public {
            "correspond"
        } else {
            "comment"
        };
        let path = format!("REST/2.0/ticket/{id}/{verb}");
        self.http.json(Method::POST, &path, &body).await.map(|_| ())
    }

    /// What has to change on a ticket that looks like this, when these changes of the tags were [`undone`].
    fn change(
        &self,
        ticket: &Value,
        labels: &Labels,
        undone: &Undone,
    ) -> Result<Map<String, Value>, Fault> {
        let mut custom = Map::new();
        let there = |name: &str| -> Result<Vec<String>, Fault> {
            let all = ticket["CustomFields"].as_array().into_iter().flatten();
            let field = all.into_iter().find(|field| field["name"] == name);
            // RT takes values of fields it does not know, and forgets them.
            let field = field.ok_or_else(|| {
                Fault::Refused(format!(
                    "RT has no custom field {name:?} on this ticket: make it, apply it to the queue, and let the account \
                     see and change it; or change the settings here"
                ))
            })?;
            let values = field["values"].as_array().into_iter().flatten();
            Ok(values.map(word).collect())
        };
        if !self.tags_field.is_empty() {
            let old = there(&self.tags_field)?;
            let theirs = fields::merged(&old, &undone.lost, &undone.back);
            let new = fields::merged(&theirs, &labels.add, &labels.remove);
            if new != old {
                custom.insert(self.tags_field.clone(), json!(new));
            }
        }
        for (name, value) in &labels.fields {
            if there(name)?.first().map_or("", String::as_str) != value {
                custom.insert(name.clone(), json!(value));
            }
        }
        let mut change = Map::new();
        if !custom.is_empty() {
            change.insert("CustomFields".into(), Value::Object(custom));
        }
        if let Some(status) = &labels.status
            && ticket["Status"] != **status
        {
            change.insert("Status".into(), json!(status));
        }
        Ok(change)
    }

    /// What was [`undone`] on a ticket since it was read with this entity tag, which is its last change.
    async fn undone(&self, id: &str, ticket: &Value, seen: &str) -> Result<Undone, Fault> {
        let all = ticket["CustomFields"].as_array().into_iter().flatten();
        let mut all = all.filter(|field| field["name"] == *self.tags_field);
        let field = all.next().map_or(0, |field| int(&field["id"]));
        let seen = seen.trim_matches('"').parse().unwrap_or(i64::MAX);
        let path = format!("REST/2.0/ticket/{id}/history");
        let size = PAGE.to_string();
        let query = [
            ("fields", "Type,Creator,Field,OldValue,NewValue"),
            ("orderby", "id"),
            ("order", "DESC"),
            ("per_page", &*size),
        ];
        let answer = self.http.get(&path, &query).await?.json();
        let rows = answer["items"].as_array().into_iter().flatten().rev();
        let rows = rows.filter(|row| {
            row["Type"] == "CustomField" && int(&row["id"]) > seen && int(&row["Field"]) == field
        });
        Ok(undone(rows))
    }

    /// A set of values replaces the one that is there, so it is written only if nobody has changed the ticket since it was
    /// read. RT looks at that before it changes anything, and at nothing while it does: what somebody wrote in between is
    /// undone, and only the history still knows it. So what was written is read again, until nothing is left to change.
    async fn set(&self, id: &str, labels: &Labels) -> Result<(), Fault> {
        let path = format!("REST/2.0/ticket/{id}");
        let mut last = Fault::later("others change the ticket all the time");
        let mut written: Option<String> = None;
        for _ in 0..TRIES {
            let answer = self.http.get(&path, &[]).await?;
            let (etag, ticket) = (answer.etag.clone().unwrap_or_default(), answer.json());
            let undone = match &written {
                Some(seen) => self.undone(id, &ticket, seen).await?,
                None => Undone::default(),
            };
            let change = self.change(&ticket, labels, &undone)?;
            if change.is_empty() {
                return Ok(());
            }
            let headers = [("if-match", etag.clone())];
            let ask = Ask {
                path: &path,
                body: Some(("application/json", Value::Object(change).to_string().into())),
                headers: &headers,
                ..Ask::default()
            };
            match self.http.ask(Method::PUT, ask).await {
                Ok(_) => written = Some(etag),
                Err(Fault::Conflict(why)) => last = Fault::Conflict(why),
                Err(other) => return Err(other),
            }
        }
        Err(last)
    }

    async fn read(&self, id: &str, after: Option<i64>) -> Result<News, Fault> {
        let ticket = self.http.get(&format!("REST/2.0/ticket/{id}"), &[]).await?;
        let ticket = ticket.json();
        let path = format!("REST/2.0/ticket/{id}/history");
        let history = self.rows(&path, "Type,Creator").await?;
        let mut news = News {
            status: word(&ticket["Status"]),
            last: history.iter().map(|row| int(&row["id"])).max().unwrap_or(0),
            said: Vec::new(),
        };
        let Some(after) = after else { return Ok(news) };
        let is_new = |row: &&Value| {
            let kind = row["Type"].as_str().unwrap_or_default();
            int(&row["id"]) > after && ["Comment", "Correspond"].contains(&kind)
        };
        let new: Vec<&Value> = history.iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(news);
        }
        let texts = self.texts(id).await?;
        let requestors = ticket["Requestor"].as_array().cloned().unwrap_or_default();
        for row in new {
            let number = int(&row["id"]);
            let own = |text: &&Value| int(&text["TransactionId"]) == number;
            let Some(part) = texts.iter().find(own) else {
                continue;
            };
            let author = word(&row["Creator"]["id"]);
            news.said.push(Said {
                id: number,
                body: self.text(part).await?,
                public: row["Type"] == "Correspond",
                by_customer: requestors.iter().any(|one| one["id"] == *author),
                author,
            });
        }
        news.said.sort_by_key(|said| said.id);
        Ok(news)
    }
}

impl System for Rt {
    fn check(&self) -> Soon<'_, ()> {
        Box::pin(async move { self.http.get("REST/2.0/rt", &[]).await.map(|_| ()) })
    }

    fn open<'a>(&'a self, case: &'a Case) -> Soon<'a, Remote> {
        Box::pin(async move {
            if let Some(known) = self.find(case).await? {
                return Ok(known);
            }
            let mut body = json!({"Queue": self.queue, "Subject": case.title, "Content": case.text,
                "ContentType": "text/plain", "RefersTo": [case.url]});
            if let Some(contact) = &case.contact {
                body["Requestor"] = json!(contact);
            }
            let answer = self
                .http
                .json(Method::POST, "REST/2.0/ticket", &body)
                .await?;
            let id = int(&answer.json()["id"]);
            if id <= 0 {
                return Err(Fault::Refused(
                    "RT opened a ticket and did not say which: is the address that of RT itself?"
                        .into(),
                ));
            }
            Ok(self.remote(id.to_string()))
        })
    }

    fn attach<'a>(&'a self, id: &'a str, case: &'a Case) -> Soon<'a, Remote> {
        Box::pin(async move {
            let path = format!("REST/2.0/ticket/{}", fields::number(id)?);
            let body = json!({"AddRefersTo": [case.url]});
            self.http.json(Method::PUT, &path, &body).await?;
            Ok(self.remote(id.to_owned()))
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
                let (page, size) = (page.to_string(), PAGE.to_string());
                let query = [
                    ("query", "id > 0"),
                    ("orderby", "LastUpdated"),
                    ("order", "DESC"),
                    ("fields", "LastUpdated"),
                    ("per_page", &*size),
                    ("page", &*page),
                ];
                let answer = self.http.get("REST/2.0/tickets", &query).await?.json();
                let rows = answer["items"].as_array().cloned().unwrap_or_default();
                for row in &rows {
                    let at = UtcMs::parse(&word(&row["LastUpdated"])).map_or(i64::MAX, |at| at.0);
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
