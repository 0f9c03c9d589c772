//! What is done with findings on pages: judging them, and the draft of a signature from an unknown error.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use super::Frame;
use crate::auth::Access;
use crate::db::findings::FindingRow;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::unknown::drafted;
use crate::http::extract::{Form, Path};
use crate::signatures::feedback::{self, Judgement, Reason, Verdict};
use crate::state::AppState;
use crate::tickets::Caller;

/// A finding on a page.
pub(super) struct FindingView {
    /// Id of its row.
    pub(super) row: String,
    pub(super) shadow: bool,
    pub(super) suppressed: bool,
    /// confirmed, the reason of a dismissal, or empty.
    pub(super) verdict: String,
    pub(super) note: String,
    pub(super) by: String,
    pub(super) id: String,
    pub(super) severity: String,
    pub(super) severity_word: String,
    pub(super) title: String,
    pub(super) cause: String,
    pub(super) impact: String,
    pub(super) steps: Vec<String>,
    pub(super) evidence: Vec<EvidenceView>,
    pub(super) hits: u64,
}

/// A line that proves a finding.
pub(super) struct EvidenceView {
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) text: String,
    pub(super) why: String,
    pub(super) href: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .post("/findings/{id}/verdict", Access::Engineer, judge)
        .get(
            "/bundles/{id}/unknown/{template}",
            Access::Engineer,
            show_draft,
        )
}

#[derive(Deserialize)]
struct JudgeForm {
    /// confirmed, open, or the reason of a dismissal.
    verdict: String,
    #[serde(default)]
    note: String,
}

async fn judge(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<JudgeForm>,
) -> AppResult<Response> {
    let (verdict, reason) = match form.verdict.as_str() {
        "confirmed" => (Verdict::Confirmed, None),
        "wrong_match" => (Verdict::Dismissed, Some(Reason::WrongMatch)),
        "not_relevant" => (Verdict::Dismissed, Some(Reason::NotRelevant)),
        "accepted" => (Verdict::Dismissed, Some(Reason::Accepted)),
        "open" => (Verdict::Open, None),
        // Refused by the service for want of a reason.
        _ => (Verdict::Dismissed, None),
    };
    let judgement = Judgement {
        verdict,
        reason,
        note: form.note,
    };
    let id = crate::http::api::id("finding", &id)?;
    let row = feedback::judge(&state, &caller, &id, &judgement).await?;
    Ok(Redirect::to(&format!(
        "/bundles/{}#f-{}",
        row.bundle_id, row.signature_id
    ))
    .into_response())
}

#[derive(Template)]
#[template(path = "draft.html")]
struct DraftPage {
    frame: Frame,
    bundle: String,
    template: String,
    yaml: String,
}

async fn show_draft(
    State(state): State<AppState>,
    frame: Frame,
    Path((bundle, template)): Path<(String, String)>,
) -> AppResult<Response> {
    let yaml = drafted(&state, &bundle, &template).await?;
    super::html(&DraftPage {
        frame,
        bundle,
        template,
        yaml,
    })
}

/// A finding as pages show it; evidence links to its line when the reader may see the bundle.
pub(super) fn finding_view(frame: &Frame, bundle: Option<&str>, row: &FindingRow) -> FindingView {
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let audience = if bundle.is_some() { "expert" } else { "plain" };
    let language = if frame.l.code().starts_with("zh") {
        "zh"
    } else {
        "en"
    };
    let steps = [audience, "plain", "expert"]
        .iter()
        .flat_map(|audience| [language, "en"].map(|language| &body["fix"][*audience][language]))
        .filter_map(Value::as_array)
        .find(|steps| !steps.is_empty());
    let evidence = body["evidence"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    FindingView {
        row: row.id.clone(),
        shadow: row.shadow == 1,
        suppressed: row.suppressed.is_some(),
        verdict: match row.verdict.as_deref() {
            Some("dismissed") => row.verdict_reason.clone().unwrap_or_default(),
            other => other.unwrap_or_default().to_owned(),
        },
        note: row.verdict_note.clone(),
        by: row.verdict_by.clone().unwrap_or_default(),
        id: row.signature_id.clone(),
        severity: row.severity.clone(),
        severity_word: frame.l.severity(&row.severity).to_owned(),
        title: row.title.clone(),
        cause: text("cause"),
        impact: text("impact"),
        steps: steps
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        evidence: evidence
            .iter()
            .map(|item| evidence_view(bundle, item))
            .collect(),
        hits: body["hits"].as_u64().unwrap_or_default(),
    }
}

fn evidence_view(bundle: Option<&str>, item: &Value) -> EvidenceView {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let (file, line) = (text("file"), item["line"].as_u64().unwrap_or_default());
    let href = match bundle {
        Some(bundle) if line > 0 => format!(
            "/bundles/{bundle}/file?path={}&L={line}#L{line}",
            query(&file)
        ),
        _ => String::new(),
    };
    EvidenceView {
        file,
        line,
        text: text("text"),
        why: text("why"),
        href,
    }
}

/// Percent-encodes what stands in a query.
pub(super) fn query(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_hold_only_harmless_bytes() {
        assert_eq!(
            query("sos/var/log/a b&c=<d>#\u{e9}"),
            "sos/var/log/a%20b%26c%3D%3Cd%3E%23%C3%A9"
        );
    }
}
