//! The redaction report of a bundle: families and rules with their counts, files with their lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use sitrep_shared::redact::families;

use super::Frame;
use super::bundle::{BundleHead, head, ticket};
use super::findings::query;
use crate::auth::Access;
use crate::bundles::Bundles;
use crate::bundles::browse::BrowseError;
use crate::bundles::redactions::{File, Origin, Report, Withheld, report};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::extract::Path;

/// Files and places that a page shows; the API has the rest.
const FILES_MAX: usize = 1_000;
const PLACES_MAX: usize = 200;

/// Its line in the registry.
pub fn routes() -> Routes {
    Routes::default().get("/bundles/{id}/redactions", Access::Viewer, show)
}

struct RuleView {
    family: String,
    rule: String,
    count: u64,
}

struct PlaceView {
    line: u64,
    rule: String,
    href: String,
}

struct FileView {
    path: String,
    total: u64,
    places: Vec<PlaceView>,
    more: u64,
}

#[derive(Template)]
#[template(path = "redactions.html")]
struct RedactionsPage {
    frame: Frame,
    bundle: BundleHead,
    known: bool,
    by_marks: bool,
    level: String,
    total: u64,
    rules: Vec<RuleView>,
    files: Vec<FileView>,
    withheld: Vec<Withheld>,
    complete: bool,
}

/// `GET /bundles/{id}/redactions`.
pub async fn show(
    State(bundles): State<Arc<Bundles>>,
    frame: Frame,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let (id, row) = load(&bundles, &id).await?;
    let (key, href) = ticket(&bundles, &row).await?;
    let found = match report(&bundles.browse, id).await {
        Ok(found) => Some(found),
        Err(BrowseError::Absent) => None,
        Err(error) => return Err(error.into()),
    };
    super::html(&page(frame, head(&row, key, href), found))
}

fn page(frame: Frame, bundle: BundleHead, report: Option<Report>) -> RedactionsPage {
    let known = report.is_some();
    let mut page = RedactionsPage {
        frame,
        bundle,
        known,
        by_marks: false,
        level: String::new(),
        total: 0,
        rules: Vec::new(),
        files: Vec::new(),
        withheld: Vec::new(),
        complete: true,
    };
    if let Some(report) = report {
        page.by_marks = report.origin == Origin::Marks;
        page.rules = rules(&report.by_rule);
        page.complete = report.complete && report.files.len() <= FILES_MAX;
        page.files = report
            .files
            .into_iter()
            .take(FILES_MAX)
            .map(|file| file_view(&page.bundle.id, file))
            .collect();
        page.level = report.level;
        page.total = report.total;
        page.withheld = report.withheld;
    }
    page
}

/// The rules in the order of their families.
fn rules(by_rule: &BTreeMap<String, u64>) -> Vec<RuleView> {
    let mut rules: Vec<RuleView> = by_rule
        .iter()
        .map(|(rule, count)| RuleView {
            family: family(rule),
            rule: rule.clone(),
            count: *count,
        })
        .collect();
    rules.sort_by(|a, b| (&a.family, &a.rule).cmp(&(&b.family, &b.rule)));
    rules
}

/// The title of the family that a rule is of; empty for a mark's label and a customer's own words.
fn family(rule: &str) -> String {
    families()
        .iter()
        .find(|family| {
            family.rules.iter().any(|r| r.id == rule) || family.tokens.iter().any(|t| t.id == rule)
        })
        .map(|family| family.title.clone())
        .unwrap_or_default()
}

fn file_view(bundle: &str, file: File) -> FileView {
    let path = query(&file.path);
    let listed = file.places.len().min(PLACES_MAX) as u64;
    FileView {
        more: file.total.saturating_sub(listed),
        total: file.total,
        places: file
            .places
            .into_iter()
            .take(PLACES_MAX)
            .map(|place| PlaceView {
                href: format!(
                    "/bundles/{bundle}/file?path={path}&L={line}#L{line}",
                    line = place.line
                ),
                line: place.line,
                rule: place.rule,
            })
            .collect(),
        path: file.path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_stand_with_their_family() {
        let by_rule = BTreeMap::from([("url".to_owned(), 2), ("keys.password".to_owned(), 3)]);
        let rules = rules(&by_rule);
        let of = |rule: &str| {
            let found = rules.iter().find(|r| r.rule == rule).unwrap();
            (found.family.as_str(), found.count)
        };
        assert_eq!(of("url"), ("Credentials in URLs", 2));
        assert_eq!(of("keys.password"), ("Values of telling keys", 3));
        assert_eq!(family("own.word"), "");
    }

    #[test]
    fn what_a_page_does_not_list_is_counted() {
        let place = |line| crate::bundles::redactions::Place {
            line,
            rule: "url".to_owned(),
        };
        let file = File {
            path: "sos/a b".to_owned(),
            total: 500,
            by_rule: BTreeMap::new(),
            places: (1..=300).map(place).collect(),
        };
        let view = file_view("x", file);
        assert_eq!((view.places.len(), view.more), (PLACES_MAX, 300));
        assert!(view.places[0].href.ends_with("&L=1#L1"));
        assert!(!view.places[0].href.contains(' '));
    }
}
