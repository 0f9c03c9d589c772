//! What the page of a ticket shows of each thing, as text.

use serde_json::Value;
use sitrep_shared::ids::TicketKey;
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;

use super::super::findings::query;
use super::super::{Frame, span, time};
use crate::db::bundles::BundleRow;
use crate::db::diagnosis::PinRow;
use crate::db::findings::FindingRow;
use crate::db::lifecycle::{LifeRow, RelatedRow};
use crate::db::tickets::TicketRow;
use crate::db::timeline::EventRow;
use crate::tickets::change::{DESCRIBED, from_to};
use crate::tickets::lifecycle;
use crate::tickets::model::Audience;
use crate::tickets::solution::fix;

/// Lines of evidence of a finding; the page of the bundle has all.
const EVIDENCE_MAX: usize = 3;

pub(in crate::http::pages) struct Evidence {
    pub(in crate::http::pages) file: String,
    pub(in crate::http::pages) line: u64,
    pub(in crate::http::pages) text: String,
    pub(in crate::http::pages) href: String,
}

pub(in crate::http::pages) struct FindingView {
    pub(in crate::http::pages) id: String,
    pub(in crate::http::pages) shadow: bool,
    pub(in crate::http::pages) severity: String,
    pub(in crate::http::pages) title: String,
    pub(in crate::http::pages) cause: String,
    pub(in crate::http::pages) steps: Vec<String>,
    pub(in crate::http::pages) evidence: Vec<Evidence>,
}

pub(in crate::http::pages) struct BundleView {
    pub(in crate::http::pages) id: String,
    pub(in crate::http::pages) host: String,
    pub(in crate::http::pages) received: String,
    pub(in crate::http::pages) size: String,
    pub(in crate::http::pages) state: String,
    pub(in crate::http::pages) reason: String,
    pub(in crate::http::pages) findings: usize,
    pub(in crate::http::pages) completeness: String,
    /// The bundle of the same host before it.
    pub(in crate::http::pages) previous: Option<String>,
}

pub(in crate::http::pages) struct Entry {
    pub(in crate::http::pages) at: String,
    pub(in crate::http::pages) at_iso: String,
    pub(in crate::http::pages) who: String,
    pub(in crate::http::pages) kind: String,
    pub(in crate::http::pages) text: String,
    pub(in crate::http::pages) internal: bool,
    /// The change that can be taken back.
    pub(in crate::http::pages) undo: Option<String>,
}

pub(in crate::http::pages) struct PinView {
    pub(in crate::http::pages) row: PinRow,
    pub(in crate::http::pages) href: String,
}

pub(in crate::http::pages) struct RelatedView {
    pub(in crate::http::pages) key: String,
    pub(in crate::http::pages) row: RelatedRow,
}

/// What is left of the promised times, as text; empty when there is nothing to be late with.
#[derive(Default)]
pub(in crate::http::pages) struct DueView {
    pub(in crate::http::pages) text: String,
    pub(in crate::http::pages) late: bool,
}

/// The nearest of the promised times.
pub(in crate::http::pages) fn due(
    frame: &Frame,
    row: &TicketRow,
    life: &LifeRow,
    now: i64,
) -> DueView {
    let due = lifecycle::due(row, life, now);
    let (word, left) = match (due.reply_ms, due.solve_ms) {
        (Some(left), _) => ("sla.reply", left),
        (None, Some(_)) if due.paused => {
            return DueView {
                text: frame.l.t("sla.paused").to_owned(),
                late: false,
            };
        }
        (None, Some(left)) => ("sla.solve", left),
        (None, None) => return DueView::default(),
    };
    let when = if left < 0 { "sla.late" } else { "sla.in" };
    let span = span(&frame.l, left.abs());
    DueView {
        text: format!("{} {} {span}", frame.l.t(word), frame.l.t(when)),
        late: left < 0,
    }
}

/// A time as an input of a form wants it.
pub(in crate::http::pages) fn input_time(ms: i64) -> String {
    crate::tickets::seen::input_time(ms)
}

pub(in crate::http::pages) fn intake(row: &TicketRow) -> Vec<(&'static str, String)> {
    let answers = [
        ("ticket_new.happened", &row.happened),
        ("ticket_new.expected", &row.expected),
        ("ticket_new.error_text", &row.error_text),
        ("ticket_new.since", &row.since),
        ("ticket_new.changed", &row.changed),
        ("ticket_new.tried", &row.tried),
    ];
    answers
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(label, text)| (label, text.clone()))
        .collect()
}

pub(in crate::http::pages) fn finding(frame: &Frame, row: &FindingRow) -> FindingView {
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let evidence = body["evidence"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    FindingView {
        id: row.signature_id.clone(),
        shadow: row.shadow == 1,
        severity: row.severity.clone(),
        title: row.title.clone(),
        cause: body["cause"].as_str().unwrap_or_default().to_owned(),
        steps: fix(&body, frame.l.code(), Audience::Expert),
        evidence: evidence
            .iter()
            .take(EVIDENCE_MAX)
            .map(|item| line(&row.bundle_id, item))
            .collect(),
    }
}

fn line(bundle: &str, item: &Value) -> Evidence {
    let file = item["file"].as_str().unwrap_or_default().to_owned();
    let line = item["line"].as_u64().unwrap_or_default();
    Evidence {
        href: format!(
            "/bundles/{bundle}/file?path={}&L={line}#L{line}",
            query(&file)
        ),
        text: item["text"].as_str().unwrap_or_default().to_owned(),
        file,
        line,
    }
}

pub(in crate::http::pages) fn pin(row: PinRow) -> PinView {
    let (bundle, line) = (&row.bundle_id, row.line);
    let href = format!(
        "/bundles/{bundle}/file?path={}&L={line}#L{line}",
        query(&row.file)
    );
    PinView { href, row }
}

pub(in crate::http::pages) fn related(row: RelatedRow) -> RelatedView {
    let key = TicketKey::of_number(row.number.unsigned_abs()).to_string();
    RelatedView { key, row }
}

pub(in crate::http::pages) fn bundle(row: &BundleRow, findings: &[FindingRow]) -> BundleView {
    let own = findings
        .iter()
        .filter(|f| f.bundle_id == row.id && f.stands());
    BundleView {
        id: row.id.clone(),
        host: row.host.clone().unwrap_or_else(|| row.filename.clone()),
        received: time(row.received_ms),
        size: format_bytes(row.bytes.unsigned_abs()),
        state: row.state.clone(),
        reason: row.reason.clone().unwrap_or_default(),
        findings: own.count(),
        completeness: if row.items_asked > 0 {
            format!("{}/{}", row.items_complete, row.items_asked)
        } else {
            String::new()
        },
        previous: None,
    }
}

/// An event, and whether it can be taken back; what is a word of the service is told in the reader's language.
pub(in crate::http::pages) fn entry(frame: &Frame, row: EventRow, undo: bool) -> Entry {
    Entry {
        undo: undo.then(|| row.id.clone()),
        at: time(row.at_ms),
        at_iso: UtcMs(row.at_ms).rfc3339(),
        internal: row.kind == "note" && row.public == 0,
        text: told(frame, &row),
        who: row.actor_name,
        kind: if row.kind == "note" && row.public == 1 {
            "reply".to_owned()
        } else {
            row.kind
        },
    }
}

/// The text of an event in the reader's language.
pub(in crate::http::pages) fn told(frame: &Frame, row: &EventRow) -> String {
    let data: Value = serde_json::from_str(&row.data).unwrap_or_default();
    let word = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let mut parts = match row.kind.as_str() {
        "status" if data["to"].is_string() => {
            let (from, to) = (word("from"), word("to"));
            return format!("{} → {}", frame.l.status(&from), frame.l.status(&to));
        }
        "closed" => {
            let (cause, resolution) = (word("cause"), word("resolution"));
            vec![
                frame.l.w("cause", &cause).to_owned(),
                frame.l.w("resolution", &resolution).to_owned(),
            ]
        }
        "outcome" => vec![frame.l.w("outcome", &word("outcome")).to_owned()],
        "satisfaction" => vec![frame.l.w("satisfaction", &word("satisfaction")).to_owned()],
        "promise" => {
            let step = word("next_step");
            let until = data["promised_ms"].as_i64().map(time).unwrap_or_default();
            return [step, until]
                .into_iter()
                .filter(|p| !p.is_empty())
                .collect::<Vec<_>>()
                .join(" · ");
        }
        "merged" => vec![frame.l.w("relation", &word("relation")).to_owned()],
        "undone" => data["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| Some(frame.l.w("field", field.as_str()?).to_owned()))
            .collect(),
        DESCRIBED => {
            let text = |change: &Value, n: usize| change[n].as_str().unwrap_or_default().to_owned();
            let changes = data["changes"].as_array().into_iter().flatten();
            let changes = changes.map(|change| {
                let what = text(change, 0);
                let values = from_to(&text(change, 1), &text(change, 2));
                format!("{}: {values}", frame.l.w("field", &what))
            });
            return changes.collect::<Vec<_>>().join(" · ");
        }
        "tags" if data["rule"].is_string() => vec![frame.l.t("tag_rules.told").to_owned()],
        _ => return row.body.clone(),
    };
    parts.push(row.body.clone());
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}
