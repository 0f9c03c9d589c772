//! Known issues that look like the text of an error: signatures that would match some of its lines, published articles
//! with its words, and unknown errors that other tickets have. Hints for a person, not findings.

use std::sync::{Arc, Mutex, PoisonError};

use regex::{RegexSet, RegexSetBuilder};
use serde::Serialize;
use sitrep_shared::signature::model::Matcher;
use sitrep_shared::signature::{Miner, Report, Status, Template};
use utoipa::ToSchema;

use super::Hit;
use crate::db::{similar, templates, words::Scope};
use crate::error::{AppError, AppResult};
use crate::signatures::catalogue::Loaded;
use crate::state::AppState;

/// Lines of a pasted text that are looked at.
const LINES_MAX: usize = 200;
/// Longest line that is looked at, in bytes.
const LINE_BYTES: usize = 8_192;
/// A condition shorter than this says nothing by itself.
const TELLING_MIN: usize = 8;
/// Hints of a kind.
const SHOWN_MAX: usize = 5;

/// A signature that looks like it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LikeSignature {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: String,
    /// Conditions that lines of the text meet.
    pub met: usize,
    /// Conditions it has.
    pub of: usize,
    /// The first line that meets one.
    pub line: String,
}

/// A ticket in whose bundles a line of this kind stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LikeTicket {
    /// `TKT-1042`.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: String,
    /// What the lines have in common.
    pub template: String,
}

/// What is known that looks like a text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Known {
    /// Signatures, the best first.
    pub signatures: Vec<LikeSignature>,
    /// Published articles.
    pub articles: Vec<Hit>,
    /// Tickets.
    pub tickets: Vec<LikeTicket>,
}

impl Known {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty() && self.articles.is_empty() && self.tickets.is_empty()
    }
}

/// The conditions of the signatures in force, compiled; again when the signatures change.
struct Compiled {
    revision: String,
    set: RegexSet,
    /// For each expression, place of its signature.
    owners: Vec<usize>,
}

static COMPILED: Mutex<Option<Arc<Compiled>>> = Mutex::new(None);

/// Looks a pasted text up.
pub async fn look(state: &AppState, text: &str, language: &str) -> AppResult<Known> {
    let lines: Vec<String> = text
        .lines()
        .map(|line| cut(line.trim()).to_owned())
        .filter(|line| !line.is_empty())
        .take(LINES_MAX)
        .collect();
    if lines.is_empty() {
        return Ok(Known::default());
    }
    let loaded = state.bundles.signatures.current().await;
    let loaded = loaded.map_err(AppError::internal)?;
    let mut conn = state.db.read().await?;
    let mut known = Known {
        articles: super::search(&mut conn, Scope::Published, (text, language), SHOWN_MAX).await?,
        ..Known::default()
    };
    for text in mined(&lines) {
        let same = templates::of_shape(&mut conn, &Template::shape(&text)).await?;
        let same = same
            .into_iter()
            .find(|(_, other)| Template::means_same(&text, other));
        let Some((id, template)) = same else { continue };
        for row in similar::with_template(&mut conn, &id, 5).await? {
            let key = sitrep_shared::ids::TicketKey::of_number(row.0.unsigned_abs()).to_string();
            if known.tickets.len() < SHOWN_MAX && known.tickets.iter().all(|t| t.key != key) {
                known.tickets.push(LikeTicket {
                    key,
                    title: row.1,
                    status: row.2,
                    template: template.clone(),
                });
            }
        }
    }
    drop(conn);
    let look = move || like(&loaded, &lines);
    known.signatures = state.tasks.cpu("known issues", look).await?;
    Ok(known)
}

/// Templates of the error lines, as bundles have them.
fn mined(lines: &[String]) -> Vec<String> {
    let mut miner = Miner::default();
    miner.begin("var/log/pasted.log");
    for line in lines {
        miner.push(line.as_bytes());
        miner.push(b"\n");
    }
    miner.end();
    let nothing = Report {
        schema: String::new(),
        findings: Vec::new(),
        not_evaluated: Vec::new(),
        evaluated: 0,
    };
    let found = miner.finish(&nothing);
    found
        .into_iter()
        .take(20)
        .map(|template| template.text)
        .collect()
}

fn cut(line: &str) -> &str {
    &line[..line.floor_char_boundary(LINE_BYTES)]
}

fn like(loaded: &Loaded, lines: &[String]) -> Vec<LikeSignature> {
    let Some(compiled) = compiled(loaded) else {
        return Vec::new();
    };
    // Place of the signature, the expressions met, and the first line that met one.
    let mut met: Vec<(usize, Vec<usize>, &String)> = Vec::new();
    for line in lines {
        for expression in compiled.set.matches(line) {
            let owner = compiled.owners[expression];
            match met.iter_mut().find(|(known, ..)| *known == owner) {
                Some((_, all, _)) if all.contains(&expression) => {}
                Some((_, all, _)) => all.push(expression),
                None => met.push((owner, vec![expression], line)),
            }
        }
    }
    let mut found: Vec<LikeSignature> = met
        .into_iter()
        .map(|(owner, all, line)| {
            let signature = &loaded.entries[owner].signature;
            LikeSignature {
                id: signature.id.clone(),
                title: signature.title.clone(),
                severity: signature.severity.as_str().to_owned(),
                met: all.len(),
                of: signature
                    .rule
                    .as_ref()
                    .map_or(0, |rule| rule.positives.len()),
                line: line.clone(),
            }
        })
        .collect();
    found.sort_by(|a, b| {
        (b.met * a.of)
            .cmp(&(a.met * b.of))
            .then_with(|| a.id.cmp(&b.id))
    });
    found.truncate(SHOWN_MAX);
    found
}

fn compiled(loaded: &Loaded) -> Option<Arc<Compiled>> {
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.as_ref().filter(|c| c.revision == loaded.revision) {
        return Some(Arc::clone(known));
    }
    let mut expressions = Vec::new();
    let mut owners = Vec::new();
    for (place, entry) in loaded.entries.iter().enumerate() {
        // What only staff is to see is no known issue yet.
        let rule = entry.signature.rule.as_ref();
        let Some(rule) = rule.filter(|_| entry.signature.status() == Status::Live) else {
            continue;
        };
        for positive in &rule.positives {
            if let Some(expression) = telling(&positive.matcher) {
                expressions.push(expression);
                owners.push(place);
            }
        }
    }
    let set = RegexSetBuilder::new(&expressions)
        .size_limit(64 << 20)
        .build()
        .ok()?;
    let new = Arc::new(Compiled {
        revision: loaded.revision.clone(),
        set,
        owners,
    });
    *kept = Some(Arc::clone(&new));
    Some(new)
}

/// The expression of a condition that says something by itself.
fn telling(matcher: &Matcher) -> Option<String> {
    match matcher {
        Matcher::Literal(text) if text.len() >= TELLING_MIN => Some(regex::escape(text)),
        Matcher::Regex(text) => {
            let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
            let compiles = letters >= TELLING_MIN && regex::Regex::new(text).is_ok();
            compiles.then(|| text.clone())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signatures::catalogue::Own;

    #[test]
    fn a_pasted_line_brings_the_signature_that_would_match_it() {
        let loaded = Loaded::new("r1", &Own::default()).unwrap();
        let lines = [
            "2026-01-01 ERROR cannot write the export: No space left on device (os error 28)"
                .to_owned(),
            "and something else".to_owned(),
        ];
        let found = like(&loaded, &lines);
        assert!(found.iter().any(|s| s.id == "SIG-0001"), "{found:?}");
        assert_eq!(found[0].line, lines[0]);
        assert!(like(&loaded, &["all is well".to_owned()]).is_empty());
    }

    #[test]
    fn short_conditions_say_nothing_by_themselves() {
        assert_eq!(telling(&Matcher::Literal("ERROR".into())), None);
        assert_eq!(telling(&Matcher::Regex(".*[0-9]+".into())), None);
        assert!(telling(&Matcher::Literal("No space left".into())).is_some());
    }
}
