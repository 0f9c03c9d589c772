//! What an event here means to a system with tickets: which of its four verbs, with which words.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Case, Comment, Fault, Labels, Remote, Settings, System, fields, report};
use crate::db::connectors::ConnectorRow;
use crate::db::outbox::{self as rows, LinkRow, OutboxRow};
use crate::db::tickets::TicketRow;
use crate::db::timeline::EventRow;
use crate::locale::Locale;
use crate::state::AppState;
use crate::tickets::{self, model::Happened};

/// Largest report, unless the settings say otherwise: systems take five to ten times as much by default.
const REPORT_MAX_BYTES: u64 = 1 << 20;

/// What we know of a ticket there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    /// Tags that we set.
    pub(super) tags: Vec<String>,
    /// Its status, in their word.
    pub(super) status: String,
    /// The last comment.
    pub(super) comment: i64,
}

impl Seen {
    /// Of a link; nothing when it cannot be read.
    pub(super) fn of(link: &LinkRow) -> Self {
        serde_json::from_str(&link.seen).unwrap_or_default()
    }

    /// As it is stored.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether systems with tickets hear of such an event.
pub(super) fn heard(happened: Happened) -> bool {
    use Happened as H;
    !matches!(
        happened,
        H::Assigned | H::Team | H::Code | H::Attempt | H::Pin | H::Link | H::Article | H::Promise
    )
}

/// Carries one event over.
pub(super) async fn carry(
    state: &AppState,
    (connector, settings, system): (&ConnectorRow, &Settings, &dyn System),
    head: &OutboxRow,
) -> Result<(), Fault> {
    let (event, ticket, tags) = super::outbox::contents(state, head).await?;
    let errand = Errand {
        state,
        settings,
        system,
        locale: Locale::by_code(&settings.language).unwrap_or_default(),
        url: super::page(state, &ticket),
        again: head.tries > 0,
        event: &event,
        ticket: &ticket,
    };
    let (link, new) = errand.link(connector).await?;
    let happened = Happened::parse(&event.kind);
    if let Some((text, public)) = errand.words(happened) {
        let comment = errand.comment("", text, public, None);
        system.comment(&link.remote_id, &comment).await?;
    }
    // A ticket that was just opened here has nothing yet; what is found has an event of its own.
    let late = new && happened != Some(Happened::Created);
    if late || matches!(happened, Some(Happened::Findings | Happened::Connected)) {
        errand.report(&link.remote_id).await?;
    }
    let labels = errand.label(&link, &tags, happened).await?;
    let mut tx = state.db.begin().await?;
    // It may have been read for news meanwhile.
    if let Some(mut link) = rows::linked(&mut tx, (&link.connector_id, &link.ticket_id)).await? {
        let mut seen = Seen::of(&link);
        seen.tags = labels.add;
        seen.status = labels.status.unwrap_or(seen.status);
        link.seen = seen.text();
        rows::link(&mut tx, &link).await?;
    }
    tx.commit().await?;
    Ok(())
}

struct Errand<'a> {
    state: &'a AppState,
    settings: &'a Settings,
    system: &'a dyn System,
    locale: Locale,
    url: String,
    again: bool,
    event: &'a EventRow,
    ticket: &'a TicketRow,
}

impl Errand<'_> {
    /// The ticket there; attached or opened when there is none yet, which is the second value.
    async fn link(&self, connector: &ConnectorRow) -> Result<(LinkRow, bool), Fault> {
        let names = (&*connector.id, &*self.ticket.id);
        let known = rows::linked(&mut *self.state.db.read().await?, names).await?;
        let data: Value = serde_json::from_str(&self.event.data).unwrap_or_default();
        let wanted = data["remote"].as_str().filter(|id| !id.is_empty());
        if let Some(link) = known
            && wanted.is_none_or(|id| id == link.remote_id)
        {
            return Ok((link, false));
        }
        let case = self.case();
        let Remote { id, url } = match wanted {
            Some(id) => self.system.attach(id, &case).await?,
            None => self.system.open(&case).await?,
        };
        let mut conn = self.state.db.read().await?;
        if let Some(other) = rows::linked_to(&mut conn, (&connector.id, &id)).await?
            && other.ticket_id != self.ticket.id
        {
            return Err(Fault::Refused(format!(
                "ticket {id} there belongs to another ticket here already"
            )));
        }
        drop(conn);
        // What was said there before is theirs; news begin now.
        let before = self.system.news(&id, None).await?;
        let seen = Seen {
            comment: before.last,
            status: before.status,
            ..Seen::default()
        };
        let link = LinkRow {
            connector_id: connector.id.clone(),
            ticket_id: self.ticket.id.clone(),
            remote_id: id,
            url,
            seen: seen.text(),
            created_ms: self.state.now_ms(),
        };
        let mut tx = self.state.db.begin().await?;
        rows::link(&mut tx, &link).await?;
        tx.commit().await?;
        Ok((link, true))
    }

    fn case(&self) -> Case {
        let row = self.ticket;
        let mut text = String::new();
        let parts = [
            ("ticket_new.happened", &row.happened),
            ("ticket_new.expected", &row.expected),
            ("ticket_new.since", &row.since),
            ("ticket_new.error_text", &row.error_text),
            ("ticket_new.changed", &row.changed),
            ("ticket_new.tried", &row.tried),
            ("tickets.customer", &row.customer),
        ];
        for (label, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "{}\n{value}\n", self.locale.t(label));
        }
        let key = tickets::key(row);
        let _ = write!(text, "Sitrep {key}: {}", self.url);
        let contact = Some(row.contact.trim());
        Case {
            title: format!("[{key}] {}", row.title),
            key,
            text,
            url: self.url.clone(),
            contact: contact
                .filter(|text| text.contains('@') && !text.contains(char::is_whitespace))
                .map(str::to_owned),
        }
    }

    /// What is written about an event, and whether the customer may see it there.
    fn words(&self, happened: Option<Happened>) -> Option<(String, bool)> {
        use Happened as H;
        let event = self.event;
        let body = fields::taken(&event.body);
        let by = format!("{} {}", event.actor_name, self.locale.event(&event.kind));
        let told = |body: &str| format!("{by}:\n\n{body}");
        match happened? {
            // To the customer as it was written; all else is for colleagues, also the customer's own words, since some
            // systems mail what is public to the customer.
            H::Note if event.public == 1 => Some((body, true)),
            H::Proposed => Some((body, true)),
            H::Note
            | H::Reply
            | H::Escalated
            | H::Outcome
            | H::Reopened
            | H::Satisfaction
            | H::Closed
            | H::Bundle
            | H::Deleted
            | H::Merged
            | H::FollowUp => Some((told(&body), false)),
            _ => None,
        }
    }

    /// A comment with its mark; `part` tells apart what is written about one event.
    fn comment(
        &self,
        part: &str,
        text: String,
        public: bool,
        file: Option<(String, String)>,
    ) -> Comment {
        let mark = fields::mark(&format!("{}{part}", self.event.id));
        Comment {
            text: format!("{}\n\n{mark}", text.trim_end()),
            mark,
            public,
            again: self.again,
            file,
        }
    }

    /// The report, in the largest form that is taken there.
    async fn report(&self, id: &str) -> Result<(), Fault> {
        let mut max = match self.settings.report_bytes {
            0 => REPORT_MAX_BYTES,
            bytes => bytes,
        };
        loop {
            let made = report::of_ticket(self.state, self.ticket, &self.locale, max).await?;
            let Some(made) = made else { return Ok(()) };
            let name = format!("sitrep-{}.html", tickets::key(self.ticket));
            let size = made.html.as_ref().map_or(0, String::len) as u64;
            let file = made.html.map(|html| (name, html));
            let bare = file.is_none();
            let comment = self.comment("/report", made.text, false, file);
            match self.system.comment(id, &comment).await {
                Err(Fault::TooLarge(_)) if !bare => max = size / 2,
                other => return other,
            }
        }
    }

    /// Tags, fields and status. Only what we set is ever taken off.
    async fn label(
        &self,
        link: &LinkRow,
        tags: &[String],
        happened: Option<Happened>,
    ) -> Result<Labels, Fault> {
        let seen = Seen::of(link);
        let mut conn = self.state.db.read().await?;
        let now = self.state.now_ms();
        let found = crate::db::findings::of_ticket(&mut conn, &self.ticket.id, now).await?;
        drop(conn);
        let mut labels = Labels {
            fields: fields::values(self.settings, (self.ticket, &self.url), &found),
            ..Labels::default()
        };
        if !self.settings.tags_field.is_empty() {
            labels.add = tags.to_vec();
            let over = seen.tags.iter().filter(|tag| !tags.contains(tag));
            labels.remove = over.cloned().collect();
        }
        if matches!(happened, Some(Happened::Status)) {
            labels.status = self.status_there(&seen.status);
        }
        self.system.label(&link.remote_id, &labels).await?;
        Ok(labels)
    }

    /// The status there that means ours; none when the one there means it already, or none does.
    fn status_there(&self, there: &str) -> Option<String> {
        let ours = &self.ticket.status;
        let mut map = fields::pairs(&self.settings.statuses);
        if map
            .clone()
            .any(|(word, means)| word == there && means == ours)
        {
            return None;
        }
        map.find(|(_, means)| means == ours)
            .map(|(word, _)| word.to_owned())
    }
}
