//! What the page of a ticket is put together from, each part read by itself.

use super::super::Frame;
use super::{Asked, view};
use crate::auth::{Role, Roles};
use crate::bundles::browse::BrowseError;
use crate::db::findings::FindingRow;
use crate::db::tickets::TicketRow;
use crate::db::undos::UndoRow;
use crate::db::words::Scope;
use crate::db::{articles, timeline, users};
use crate::error::AppResult;
use crate::knowledge;
use crate::state::AppState;
use crate::tickets::diagnosis::{self, Missing};
use crate::tickets::model::Happened;
use crate::tickets::solution::language_of;
use crate::tickets::tag_rules;

/// Articles that are offered by their words.
const ARTICLES_MAX: usize = 3;

/// How long a change is told with the way to take it back.
const TOLD_MS: i64 = 15_000;

/// The closed ticket that one goes on from.
pub(super) struct Followed {
    pub(super) key: String,
    pub(super) title: String,
    /// Id and host of its last bundle.
    pub(super) bundle: Option<(String, String)>,
}

/// The change that was made just now.
pub(super) struct Undoable {
    pub(super) id: String,
    pub(super) text: String,
}

/// Something that a solution can be drafted from.
pub(super) struct Offer {
    pub(super) source: String,
    pub(super) label: String,
}

pub(super) async fn missing(state: &AppState, bundle: &str) -> AppResult<Vec<Missing>> {
    let Ok(id) = uuid::Uuid::parse_str(bundle) else {
        return Ok(Vec::new());
    };
    match state.bundles.browse.manifest(id).await {
        Ok(manifest) => Ok(diagnosis::missing(&manifest)),
        Err(BrowseError::Absent) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Which events belong to a choice of the timeline.
pub(super) fn belongs(show: &str, kind: &str, public: bool) -> bool {
    let is = |happened: Happened| happened.word() == kind;
    match show {
        "public" => public,
        "notes" => is(Happened::Note) || is(Happened::Reply) || is(Happened::Attempt),
        "bundles" => is(Happened::Bundle) || is(Happened::Findings) || is(Happened::Code),
        "changes" => !(is(Happened::Note) || is(Happened::Reply) || is(Happened::Bundle)),
        _ => true,
    }
}

/// The person's own last change, just after it was made.
pub(super) fn undoable(
    frame: &Frame,
    (open, events): (&[UndoRow], &[timeline::EventRow]),
    asked: &Asked,
    now: i64,
) -> Option<Undoable> {
    let me = frame.user.as_ref()?;
    let last = open.iter().find(|change| change.made_by == me.name)?;
    if asked.done.is_empty() || now - last.created_ms > TOLD_MS {
        return None;
    }
    let event = events.iter().find(|event| event.id == last.id);
    let text = event.map(|event| {
        let told = view::told(frame, event);
        format!("{} {told}", frame.l.event(&event.kind))
    });
    Some(Undoable {
        id: last.id.clone(),
        text: text.unwrap_or_default(),
    })
}

/// Tags that findings propose and that are not set, each with the signatures that ask for it.
pub(super) async fn proposed(
    conn: &mut sqlx::AnyConnection,
    row: &TicketRow,
    (found, tags): (&[FindingRow], &[(String, String)]),
) -> AppResult<Vec<(String, String)>> {
    let stand: Vec<&FindingRow> = found.iter().filter(|f| f.stands()).collect();
    if stand.is_empty() {
        return Ok(Vec::new());
    }
    let asked = tag_rules::asked(conn, row, &stand).await?;
    let new = asked.proposed.into_iter();
    let new = new.filter(|(tag, _)| tags.iter().all(|(known, _)| known != tag));
    Ok(new
        .map(|(tag, by)| (tag, by.into_iter().collect::<Vec<_>>().join(", ")))
        .collect())
}

/// Login and name of whoever can be in charge or is, and the login of who is.
pub(super) async fn people(
    conn: &mut sqlx::AnyConnection,
    owner: Option<&str>,
) -> AppResult<(Vec<(String, String)>, String)> {
    let all = users::list(conn).await?;
    let login = all.iter().find(|u| Some(u.id.as_str()) == owner);
    let login = login.map(|u| u.login.clone()).unwrap_or_default();
    let able = all
        .into_iter()
        .filter(|u| {
            // Who is in charge is among them in any case: a form must be able to say that it stays so.
            let able = u.disabled == 0 && Roles::parse(&u.roles).allow(Role::Engineer);
            able || Some(u.id.as_str()) == owner
        })
        .map(|u| (u.login, u.name));
    Ok((able.collect(), login))
}

/// What a solution can be drafted from: articles and fixes of the findings, then articles with the ticket's words.
pub(super) async fn offers(
    conn: &mut sqlx::AnyConnection,
    frame: &Frame,
    row: &TicketRow,
    found: &[FindingRow],
) -> AppResult<Vec<Offer>> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut add = |source: String, label: String| {
        if offers.iter().all(|offer| offer.source != source) {
            offers.push(Offer { source, label });
        }
    };
    let language = language_of(frame.l.code());
    let mut ids: Vec<&str> = Vec::new();
    for finding in found.iter().filter(|f| f.stands()) {
        if ids.contains(&finding.signature_id.as_str()) {
            continue;
        }
        ids.push(&finding.signature_id);
        for article in articles::of_signature(conn, &finding.signature_id).await? {
            let title = knowledge::title(conn, &article, Scope::Published, language).await?;
            add(format!("article:{}", article.slug), title);
        }
        let label = format!("{} {}", finding.signature_id, finding.title);
        add(format!("signature:{}", finding.signature_id), label);
    }
    let words = format!("{} {}", row.title, row.error_text);
    let hits = knowledge::search(conn, Scope::Published, (&words, language), ARTICLES_MAX).await?;
    for hit in hits {
        add(format!("article:{}", hit.slug), hit.title);
    }
    Ok(offers)
}
