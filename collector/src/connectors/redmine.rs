//! Redmine by its REST interface. Our ticket's key is in the subject of the issue there and its page in the description, by
//! which it is found again. What is not for the customer is a private note.

use reqwest::Method;
use serde_json::{Map, Value, json};
use sitrep_shared::time::UtcMs;

use super::desks::{self, PAGES_MAX, int, word};
use super::outgoing::{Ask, Http};
use super::{
    Case, Comment, Fault, Kind, Labels, Made, News, Remote, Said, SecretForm, Setup, Soon, System,
    fields,
};

/// Its line in the registry.
pub(super) const KIND: Kind = Kind {
    word: "redmine",
    tickets: true,
    reads: true,
    schemes: super::guard::WEB,
    secret: SecretForm::Given,
    uses: desks::USES,
    statuses: &[
        "In Progress = open",
        "Feedback = waiting",
        "Resolved = solved",
        "Closed = solved",
        "Rejected = solved",
    ],
    make,
};

/// Issues of a page of a list, the most Redmine gives.
const PAGE: usize = 100;
/// Tries to change an issue that others change as well.
const TRIES: usize = 8;

struct Redmine {
    http: Http,
    project: String,
    tags_field: String,
}

fn make(setup: &Setup) -> Result<Made, Fault> {
    let key = setup.secret.reveal().to_owned();
    Ok(Made::System(Box::new(Redmine {
        http: Http::new(setup, &[("x-redmine-api-key", key)])?,
        project: setup.settings.place.clone(),
        tags_field: setup.settings.tags_field.clone(),
    })))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The values of a field: of one with several, or of a text with commas.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().map(word).collect(),
        Value::String(text) => {
            let parts = text.split(',').map(str::trim);
            parts
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        }
        _ => Vec::new(),
    }
}

impl Redmine {
    fn remote(&self, id: String) -> Remote {
        let url = self.http.page(&format!("issues/{id}"));
        Remote { id, url }
    }

    /// Our own number there. The one question that a wrong key is refused at: others are answered as to a stranger.
    async fn me(&self) -> Result<i64, Fault> {
        let answer = self.http.get("users/current.json", &[]).await?.json();
        Ok(int(&answer["user"]["id"]))
    }

    async fn issue(&self, id: &str) -> Result<Value, Fault> {
        let path = format!("issues/{id}.json");
        let answer = self.http.get(&path, &[("include", "journals")]).await?;
        Ok(answer.json()["issue"].clone())
    }

    async fn find(&self, case: &Case) -> Result<Option<Remote>, Fault> {
        let subject = format!("~[{}]", case.key);
        let query = [
            ("status_id", "*"),
            ("subject", &*subject),
            ("limit", "100"),
            ("sort", "id"),
        ];
        let answer = self.http.get("issues.json", &query).await?.json();
        // Another Sitrep may have the same key: the address is ours alone.
        let ours = |issue: &&Value| {
            let text = issue["description"].as_str().unwrap_or_default();
            text.lines()
                .any(|line| line.trim_end().ends_with(&*case.url))
        };
        let known = list(&answer["issues"]).iter().find(ours);
        Ok(known.map(|issue| self.remote(int(&issue["id"]).to_string())))
    }

    async fn put(&self, id: &str, issue: Value) -> Result<(), Fault> {
        let path = format!("issues/{id}.json");
        let body = json!({"issue": issue});
        self.http.json(Method::PUT, &path, &body).await.map(|_| ())
    }

    async fn upload(&self, name: &str, html: &str) -> Result<String, Fault> {
        let ask = Ask {
            path: "uploads.json",
            query: &[("filename", name)],
            body: Some(("application/octet-stream", html.as_bytes().to_vec())),
            ..Ask::default()
        };
        match self.http.ask(Method::POST, ask).await {
            // All that it refuses of a file is its size or its ending.
            Err(Fault::Invalid(why)) => Err(Fault::TooLarge(why)),
            other => Ok(word(&other?.json()["upload"]["token"])),
        }
    }

    async fn note_with(&self, id: &str, mark: &str) -> Result<Option<Value>, Fault> {
        let issue = self.issue(id).await?;
        let mut notes = list(&issue["journals"]).iter().rev();
        let marked = |note: &&Value| word(&note["notes"]).trim_end().ends_with(mark);
        Ok(notes.find(marked).cloned())
    }

    async fn write(&self, id: &str, comment: &Comment) -> Result<(), Fault> {
        let mut known = None;
        if comment.again {
            known = self.note_with(id, &comment.mark).await?;
        }
        if known.is_none() {
            let mut issue = json!({"notes": comment.text, "private_notes": !comment.public});
            if let Some((name, html)) = &comment.file {
                let token = self.upload(name, html).await?;
                issue["uploads"] =
                    json!([{"token": token, "filename": name, "content_type": "text/html"}]);
            }
            self.put(id, issue).await?;
            known = self.note_with(id, &comment.mark).await?;
        }
        // Redmine answers the same when the account may not write, or not in private.
        match known {
            None => Err(Fault::Refused(
                "Redmine did not keep the note: give the account's role the permission to add notes and to view \
                 private notes, then send again"
                    .into(),
            )),
            Some(note) if !comment.public && note["private_notes"] != true => Err(Fault::Refused(
                "Redmine made an internal note visible: give the account's role the permission to set notes as private, \
                 and hide the last note"
                    .into(),
            )),
            Some(_) => Ok(()),
        }
    }

    /// The value of a custom field.
    fn value<'a>(issue: &'a Value, field: &str) -> Result<&'a Value, Fault> {
        let mut all = list(&issue["custom_fields"]).iter();
        let found = all.find(|known| int(&known["id"]).to_string() == field);
        let found = found.ok_or_else(|| {
            Fault::Refused(format!(
                "Redmine has no custom field number {field:?} on this issue: turn it on for the project and its trackers; \
                 or change the settings here"
            ))
        })?;
        Ok(&found["value"])
    }

    async fn change(&self, issue: &Value, labels: &Labels) -> Result<Map<String, Value>, Fault> {
        let mut custom = Vec::new();
        if !self.tags_field.is_empty() {
            let value = Self::value(issue, &self.tags_field)?;
            let old = words(value);
            let new = fields::merged(&old, &labels.add, &labels.remove);
            if new != old {
                // A field of several values, or one text with commas.
                let value = match value {
                    Value::Array(_) => json!(new),
                    _ => json!(new.join(", ")),
                };
                custom.push(json!({"id": self.tags_field, "value": value}));
            }
        }
        for (field, value) in &labels.fields {
            if word(Self::value(issue, field)?) != *value {
                custom.push(json!({"id": field, "value": value}));
            }
        }
        let mut change = Map::new();
        if !custom.is_empty() {
            change.insert("custom_fields".into(), json!(custom));
        }
        if let Some(status) = &labels.status
            && issue["status"]["name"] != **status
        {
            let all = self.http.get("issue_statuses.json", &[]).await?.json();
            let mut known = list(&all["issue_statuses"]).iter();
            if let Some(found) = known.find(|one| one["name"] == **status) {
                change.insert("status_id".into(), found["id"].clone());
            }
        }
        Ok(change)
    }

    /// Redmine has no condition for a change, and a set of values replaces the one that is there. Its journal tells what a
    /// change took away: what was somebody else's is put back.
    async fn set(&self, id: &str, labels: &Labels) -> Result<(), Fault> {
        let mut back: Vec<String> = Vec::new();
        for _ in 0..TRIES {
            let issue = self.issue(id).await?;
            let with_back = Labels {
                add: [&*labels.add, &*back].concat(),
                remove: labels.remove.clone(),
                fields: labels.fields.clone(),
                status: labels.status.clone(),
            };
            let change = self.change(&issue, &with_back).await?;
            if change.is_empty() {
                return Ok(());
            }
            let tags = change.contains_key("custom_fields") && !self.tags_field.is_empty();
            self.put(id, Value::Object(change)).await?;
            if !tags {
                return Ok(());
            }
            let last = list(&issue["journals"]).iter().map(|note| int(&note["id"]));
            let last = last.max().unwrap_or(0);
            back = self.taken_away(id, last, labels).await?;
            if back.is_empty() {
                return Ok(());
            }
        }
        Err(Fault::Conflict(
            "others change the issue all the time".into(),
        ))
    }

    /// Values of others that our changes after `last` took away.
    async fn taken_away(&self, id: &str, last: i64, labels: &Labels) -> Result<Vec<String>, Fault> {
        let (issue, me) = (self.issue(id).await?, self.me().await?);
        let mut lost = Vec::new();
        for note in list(&issue["journals"]) {
            if int(&note["id"]) <= last || int(&note["user"]["id"]) != me {
                continue;
            }
            for detail in list(&note["details"]) {
                if detail["property"] != "cf" || detail["name"] != *self.tags_field {
                    continue;
                }
                let (old, new) = (words(&detail["old_value"]), words(&detail["new_value"]));
                let gone = |value: &String| !new.contains(value) && !labels.remove.contains(value);
                lost.extend(old.into_iter().filter(gone));
            }
        }
        Ok(lost)
    }

    async fn read(&self, id: &str, after: Option<i64>) -> Result<News, Fault> {
        let issue = self.issue(id).await?;
        let notes = list(&issue["journals"]);
        let said = |note: &Value| Said {
            id: int(&note["id"]),
            author: word(&note["user"]["name"]),
            body: word(&note["notes"]),
            public: note["private_notes"] != true,
            by_customer: false,
        };
        let mut new: Vec<Said> = notes
            .iter()
            .map(said)
            .filter(|said| after.is_some_and(|last| said.id > last) && !said.body.is_empty())
            .collect();
        new.sort_by_key(|said| said.id);
        Ok(News {
            status: word(&issue["status"]["name"]),
            last: notes.iter().map(|note| int(&note["id"])).max().unwrap_or(0),
            said: new,
        })
    }
}

impl System for Redmine {
    fn check(&self) -> Soon<'_, ()> {
        Box::pin(async move { self.me().await.map(|_| ()) })
    }

    fn open<'a>(&'a self, case: &'a Case) -> Soon<'a, Remote> {
        Box::pin(async move {
            self.me().await?;
            if let Some(known) = self.find(case).await? {
                return Ok(known);
            }
            let body = json!({"issue": {"project_id": self.project, "subject": case.title, "description": case.text}});
            let answer = self.http.json(Method::POST, "issues.json", &body).await?;
            let id = int(&answer.json()["issue"]["id"]);
            if id <= 0 {
                return Err(Fault::Refused(
                    "Redmine opened an issue and did not say which: is the address that of Redmine itself?".into(),
                ));
            }
            Ok(self.remote(id.to_string()))
        })
    }

    fn attach<'a>(&'a self, id: &'a str, _: &'a Case) -> Soon<'a, Remote> {
        Box::pin(async move {
            // The report that follows says where ours is.
            self.me().await?;
            self.issue(fields::number(id)?).await?;
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
            for page in 0..PAGES_MAX {
                let (from, size) = ((page * PAGE).to_string(), PAGE.to_string());
                let query = [
                    ("status_id", "*"),
                    ("sort", "updated_on:desc"),
                    ("limit", &*size),
                    ("offset", &*from),
                ];
                let answer = self.http.get("issues.json", &query).await?.json();
                let rows = list(&answer["issues"]);
                for row in rows {
                    let at = UtcMs::parse(&word(&row["updated_on"])).map_or(i64::MAX, |at| at.0);
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
