//! What the tags that signatures ask for do by themselves: set, proposed or nothing, for a product or for all. People
//! decide it; and a tag that they take off often enough from the tickets of a product falls to a proposal by itself,
//! until somebody says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::model::words;
use super::tags::{own_tags, tag_word};
use super::{Caller, text};
use crate::auth::Actor;
use crate::db::findings::FindingRow;
use crate::db::tag_rules::{self as rows, EVERY, RuleRow};
use crate::db::tickets::TicketRow;
use crate::db::{DbError, refusals};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};

/// Tickets of a product at which people must have taken a tag off before its signature only proposes it there.
pub const TAUGHT: i64 = 3;

words! {
    /// What a tag does that a signature asks for.
    Mode {
        /// It is set by itself.
        Set = "set",
        /// It is proposed, and a person sets it.
        Propose = "propose",
        /// Nothing.
        Never = "never",
    }
}

/// A rule as it is written.
#[derive(Debug, Clone, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// Id of the signature.
    #[schema(min_length = 1, max_length = 200)]
    pub signature: String,
    /// Product as tickets name it; every product when absent.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub product: Option<String>,
    /// The tag; also one that the signature does not ask for by itself.
    #[schema(min_length = 1, max_length = 60)]
    pub tag: String,
    /// What it does.
    pub mode: Mode,
}

/// Writes a rule, in the place of the one about the same tag, signature and product. What was taken off before does
/// not count against it.
pub async fn store(state: &AppState, caller: &Caller, new: &NewRule) -> AppResult<RuleRow> {
    let signature = text("signature", &new.signature, 1, 200)?;
    if state
        .bundles
        .signatures
        .current()
        .await?
        .find(&signature)
        .is_none()
    {
        return Err(AppError::invalid("signature", "is not in the catalogue")
            .hint("take its id from the page of signatures"));
    }
    let product = match &new.product {
        Some(product) => text("product", product, 0, 200)?,
        None => EVERY.to_owned(),
    };
    let now = state.now_ms();
    let mut row = RuleRow {
        id: new_id(),
        signature_id: signature,
        product,
        tag: tag_word(&new.tag)?,
        mode: new.mode.word().to_owned(),
        learnt: 0,
        since_ms: now,
        changed_by: caller.actor.name().to_owned(),
        changed_ms: now,
    };
    let mut tx = state.db.begin().await?;
    row.id = rows::put(&mut tx, &row).await?;
    audit(&mut tx, state, caller, "tag_rule.store", &row).await?;
    tx.commit().await?;
    Ok(row)
}

/// Takes a rule out: what the signature asks for stands again.
pub async fn remove(state: &AppState, caller: &Caller, id: &str) -> AppResult<()> {
    let mut tx = state.db.begin().await?;
    let row = rows::remove(&mut tx, id).await?;
    let row = row.ok_or_else(|| AppError::not_found("rule about a tag"))?;
    audit(&mut tx, state, caller, "tag_rule.remove", &row).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes in the audit log what was done to a rule.
pub(super) async fn audit(
    conn: &mut AnyConnection,
    state: &AppState,
    caller: &Caller,
    action: &str,
    row: &RuleRow,
) -> Result<(), DbError> {
    let object = format!(
        "{} {} {} {}",
        row.signature_id, row.product, row.tag, row.mode
    );
    caller.audit(conn, state, action, &object).await
}

/// What findings ask for on a ticket, each tag with the signatures that ask for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// To be set by itself.
    pub set: BTreeMap<String, BTreeSet<String>>,
    /// To be proposed; nothing that is to be set.
    pub proposed: BTreeMap<String, BTreeSet<String>>,
}

impl Asked {
    /// Whether anything asks for a tag, in either way.
    pub fn has(&self, tag: &str) -> bool {
        self.set.contains_key(tag) || self.proposed.contains_key(tag)
    }

    /// The signatures that ask for a tag.
    pub fn by(&self, tag: &str) -> impl Iterator<Item = &String> {
        let all = [&self.set, &self.proposed].into_iter();
        all.filter_map(|tags| tags.get(tag)).flatten()
    }
}

/// What findings ask for by the rules of the ticket's product, without what people took off on this ticket.
///
/// # Errors
/// When the database does not answer.
pub async fn asked(
    conn: &mut AnyConnection,
    ticket: &TicketRow,
    found: &[&FindingRow],
) -> Result<Asked, DbError> {
    let rules = rows::of_product(conn, &ticket.product).await?;
    let mut asked = by_rules(&rules, found);
    for tag in refusals::of_ticket(conn, &ticket.id).await? {
        asked.set.remove(&tag);
        asked.proposed.remove(&tag);
    }
    Ok(asked)
}

/// What findings ask for by rules.
pub(super) fn by_rules(rules: &[RuleRow], found: &[&FindingRow]) -> Asked {
    let mut asked = Asked::default();
    for row in found {
        let own = own_tags(row);
        let ruled = rules
            .iter()
            .filter(|rule| rule.signature_id == row.signature_id);
        let tags: BTreeSet<&String> = own.iter().chain(ruled.map(|rule| &rule.tag)).collect();
        for tag in tags {
            let mode = match standing(rules, &row.signature_id, tag) {
                Some(rule) => Mode::parse(&rule.mode).unwrap_or(Mode::Never),
                None => Mode::Set,
            };
            let place = match mode {
                Mode::Set => &mut asked.set,
                Mode::Propose => &mut asked.proposed,
                Mode::Never => continue,
            };
            let by = place.entry(tag.clone()).or_default();
            by.insert(row.signature_id.clone());
        }
    }
    let Asked { set, proposed } = &mut asked;
    proposed.retain(|tag, _| !set.contains_key(tag));
    asked
}

/// The rule that decides: the product's own before the one for every product.
fn standing<'a>(rules: &'a [RuleRow], signature: &str, tag: &str) -> Option<&'a RuleRow> {
    let about = |rule: &&RuleRow| rule.signature_id == signature && rule.tag == tag;
    let all = || rules.iter().filter(about);
    all()
        .find(|rule| rule.product != EVERY)
        .or_else(|| all().next())
}

/// A tag was taken off: each signature that sets it by itself falls to proposing it for this product, if it was taken
/// off often enough. Gives the rules that were made.
///
/// # Errors
/// When the database refuses.
pub(super) async fn learn(
    conn: &mut AnyConnection,
    ticket: &TicketRow,
    (tag, signatures): (&str, &BTreeSet<String>),
    now_ms: i64,
) -> Result<Vec<RuleRow>, DbError> {
    let rules = rows::of_product(conn, &ticket.product).await?;
    let mut made = Vec::new();
    for signature in signatures {
        let known = standing(&rules, signature, tag);
        let since_ms = known.map_or(0, |rule| rule.since_ms);
        let what = (signature.as_str(), tag);
        if refusals::count(conn, what, &ticket.product, since_ms).await? < TAUGHT {
            continue;
        }
        let mut row = RuleRow {
            id: new_id(),
            signature_id: signature.clone(),
            product: ticket.product.clone(),
            tag: tag.to_owned(),
            mode: Mode::Propose.word().to_owned(),
            learnt: 1,
            since_ms,
            changed_by: Actor::System.name().to_owned(),
            changed_ms: now_ms,
        };
        row.id = rows::put(conn, &row).await?;
        made.push(row);
    }
    Ok(made)
}

/// A tag was set again: what was learnt from taking it off is forgotten where that was not often enough any more.
///
/// # Errors
/// When the database refuses.
pub(super) async fn unlearn(
    conn: &mut AnyConnection,
    ticket: &TicketRow,
    tag: &str,
) -> Result<(), DbError> {
    let rules = rows::of_product(conn, &ticket.product).await?;
    for rule in rules
        .into_iter()
        .filter(|rule| rule.learnt == 1 && rule.tag == tag)
    {
        let what = (&*rule.signature_id, tag);
        if refusals::count(conn, what, &rule.product, rule.since_ms).await? >= TAUGHT {
            continue;
        }
        rows::remove(conn, &rule.id).await?;
        if rule.since_ms > 0 {
            // A person had said that it is to be set; that stands again.
            let before = RuleRow {
                mode: Mode::Set.word().to_owned(),
                learnt: 0,
                changed_ms: rule.since_ms,
                ..rule
            };
            rows::put(conn, &before).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, tags: &str) -> FindingRow {
        FindingRow {
            signature_id: id.into(),
            body: format!(r#"{{"auto_tag":[{tags}]}}"#),
            ..FindingRow::default()
        }
    }

    fn rule(id: &str, product: &str, tag: &str, mode: &str) -> RuleRow {
        RuleRow {
            signature_id: id.into(),
            product: product.into(),
            tag: tag.into(),
            mode: mode.into(),
            ..RuleRow::default()
        }
    }

    #[test]
    fn the_products_rule_goes_before_the_one_for_all() {
        let (one, two) = (
            finding("S1", r#""disk","full""#),
            finding("S2", r#""full""#),
        );
        let words = |rules: &[RuleRow]| {
            let asked = by_rules(rules, &[&one, &two]);
            let keys =
                |tags: &BTreeMap<String, _>| tags.keys().cloned().collect::<Vec<_>>().join(" ");
            format!("{} | {}", keys(&asked.set), keys(&asked.proposed))
        };
        for (rules, expected) in [
            (vec![], "disk full | "),
            (vec![rule("S1", EVERY, "disk", "propose")], "full | disk"),
            (vec![rule("S1", EVERY, "full", "never")], "disk full | "),
            (
                vec![
                    rule("S1", EVERY, "disk", "never"),
                    rule("S1", "P", "disk", "set"),
                ],
                "disk full | ",
            ),
            (
                vec![
                    rule("S2", EVERY, "more", "set"),
                    rule("S9", EVERY, "none", "set"),
                ],
                "disk full more | ",
            ),
            (vec![rule("S2", "P", "full", "propose")], "disk full | "),
        ] {
            assert_eq!(words(&rules), expected, "{rules:?}");
        }
    }
}
