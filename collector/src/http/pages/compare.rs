//! Two bundles side by side: a sentence first, then what differs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::Frame;
use super::bundle::{BundleHead, head, ticket};
use crate::auth::Access;
use crate::bundles::compare::{Change, Comparison, ConfigFile, Difference, FoundIn};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::extract::{Path, Query};
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::customer::viewed;

/// Files whose lines are shown at once; the others have an address of their own.
const OPEN_MAX: usize = 8;

/// The route.
pub fn routes() -> Routes {
    Routes::default().get("/compare/{pair}", Access::Engineer, show)
}

struct Config {
    file: ConfigFile,
    change: Option<Change>,
    href: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    frame: Frame,
    before: BundleHead,
    after: BundleHead,
    told: Comparison,
    tables: [(&'static str, Vec<Difference>, bool); 3],
    configs: Vec<Config>,
    summary: Vec<(&'static str, String)>,
    alike: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// Only this file of configuration.
    file: String,
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(pair): Path<String>,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let (before, after) = pair
        .split_once("...")
        .ok_or_else(|| AppError::not_found("comparison"))?;
    let bundles = &state.bundles;
    let ((one, before), (other, after)) =
        (load(bundles, before).await?, load(bundles, after).await?);
    for row in [&before, &after] {
        viewed(&state, &caller, &row.id, &row.ticket_id).await?;
    }
    let mut told = bundles.compare((&before, &after), state.now_ms()).await?;
    let only = !asked.file.is_empty();
    if only {
        told.configs.retain(|file| file.path == asked.file);
    }
    let mut configs = Vec::new();
    for (place, file) in told.configs.iter().enumerate() {
        let change = match place < OPEN_MAX {
            true => Some(bundles.compare_file((one, other), file).await?),
            false => None,
        };
        configs.push(Config {
            href: format!(
                "/compare/{pair}?file={}",
                super::findings::query(&file.path)
            ),
            file: file.clone(),
            change,
        });
    }
    let (before_ticket, after_ticket) = (
        ticket(bundles, &before).await?,
        ticket(bundles, &after).await?,
    );
    let summary = if only { Vec::new() } else { summary(&told) };
    let alike = told == Comparison::default();
    if only {
        told = Comparison::default();
    }
    let take = std::mem::take::<Vec<Difference>>;
    let tables = [
        ("compare.facts", take(&mut told.facts), true),
        ("compare.packages", take(&mut told.packages), true),
        ("compare.readings", take(&mut told.readings), false),
    ];
    super::html(&ComparePage {
        before: head(&before, before_ticket.0, before_ticket.1),
        after: head(&after, after_ticket.0, after_ticket.1),
        alike,
        told,
        tables,
        configs,
        summary,
        frame,
    })
}

/// What matters most, in a few words each: the key of the label, and what it is.
fn summary(told: &Comparison) -> Vec<(&'static str, String)> {
    let names = |of: &dyn Fn(&&FoundIn) -> bool| -> String {
        let names: Vec<&str> = told
            .findings
            .iter()
            .filter(of)
            .map(|f| f.id.as_str())
            .collect();
        names.join(", ")
    };
    let count = |n: usize| if n == 0 { String::new() } else { n.to_string() };
    let lost = told.visibility.iter().filter(|v| v.lost).count();
    let new_errors = told.errors.iter().filter(|e| e.before == 0).count();
    let parts = [
        ("compare.new", names(&|f| !f.before && f.after)),
        ("compare.gone", names(&|f| f.before && !f.after)),
        ("compare.lost", count(lost)),
        ("compare.facts", count(told.facts.len())),
        ("compare.packages", count(told.packages.len())),
        ("compare.configs", count(told.configs.len())),
        ("compare.new_errors", count(new_errors)),
    ];
    let told = parts.into_iter().filter(|(_, text)| !text.is_empty());
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_what_matters() {
        assert!(summary(&Comparison::default()).is_empty());
        let found = |id: &str, before, after| FoundIn {
            id: id.into(),
            title: String::new(),
            severity: String::new(),
            before,
            after,
        };
        let told = Comparison {
            findings: vec![
                found("S1", false, true),
                found("S2", true, false),
                found("S3", true, true),
            ],
            ..Comparison::default()
        };
        let expected = [
            ("compare.new", "S1".to_owned()),
            ("compare.gone", "S2".to_owned()),
        ];
        assert_eq!(summary(&told), expected);
    }
}
