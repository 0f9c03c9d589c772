//! Articles: written in versions, in two languages for two audiences; from draft over review to published. Who reviews
//! is not who wrote.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::words;
use crate::db::articles::{self as rows, ArticleRow, TextRow, VersionRow};
use crate::db::words::{self as index, Scope};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};
use crate::tickets::model::{Happened, words};
use crate::tickets::{self, Caller, text};

/// Longest part of an article, in characters.
const PART_MAX: usize = 20_000;

words! {
    /// What is done with an article.
    Step {
        /// The author thinks it is done.
        Submit = "submit",
        /// The reviewer does not.
        Return = "return",
        /// The reviewer does.
        Publish = "publish",
        /// It is not to be used any more.
        Retire = "retire",
    }
}

/// An article in one language.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// One line; without one there is no text in this language.
    #[schema(max_length = 200)]
    pub title: String,
    /// How it shows.
    pub problem: String,
    /// Who is hit: versions, systems.
    pub affected: String,
    /// Why it happens.
    pub cause: String,
    /// What to do, for the person at the machine; a step a line.
    pub fix_plain: String,
    /// What to do, for an engineer.
    pub fix_expert: String,
    /// How to see that it worked.
    pub verify: String,
    /// How to undo it.
    pub rollback: String,
    /// What helps until then.
    pub workaround: String,
}

/// A version as it is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What is new.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub note: String,
    /// Ids of the signatures it explains.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub signatures: Vec<String>,
    /// Key of the ticket it comes from, of a new article.
    #[serde(default)]
    pub ticket: Option<String>,
    /// English.
    #[serde(default)]
    pub en: Text,
    /// Simplified Chinese.
    #[serde(default)]
    pub zh: Text,
}

impl Text {
    fn fields(&self) -> [(&'static str, &String); 9] {
        [
            ("title", &self.title),
            ("problem", &self.problem),
            ("affected", &self.affected),
            ("cause", &self.cause),
            ("fix_plain", &self.fix_plain),
            ("fix_expert", &self.fix_expert),
            ("verify", &self.verify),
            ("rollback", &self.rollback),
            ("workaround", &self.workaround),
        ]
    }

    /// The row of a version; none when nothing is written in this language.
    fn row(&self, language: &str) -> AppResult<Option<TextRow>> {
        if self.fields().iter().all(|(_, text)| text.trim().is_empty()) {
            return Ok(None);
        }
        let part = |field: &'static str, value: &str| text(field, value, 0, PART_MAX);
        Ok(Some(TextRow {
            language: language.to_owned(),
            title: tickets::one_line(&text("title", &self.title, 1, 200)?),
            problem: part("problem", &self.problem)?,
            affected: part("affected", &self.affected)?,
            cause: part("cause", &self.cause)?,
            fix_plain: part("fix_plain", &self.fix_plain)?,
            fix_expert: part("fix_expert", &self.fix_expert)?,
            verify: part("verify", &self.verify)?,
            rollback: part("rollback", &self.rollback)?,
            workaround: part("workaround", &self.workaround)?,
            ..TextRow::default()
        }))
    }
}

impl From<TextRow> for Text {
    fn from(row: TextRow) -> Self {
        Self {
            title: row.title,
            problem: row.problem,
            affected: row.affected,
            cause: row.cause,
            fix_plain: row.fix_plain,
            fix_expert: row.fix_expert,
            verify: row.verify,
            rollback: row.rollback,
            workaround: row.workaround,
        }
    }
}

/// An article of this short name; 404 when there is none.
pub async fn load(conn: &mut AnyConnection, slug: &str) -> AppResult<ArticleRow> {
    let none = || AppError::not_found("article");
    if slug.chars().any(char::is_control) {
        return Err(none());
    }
    rows::find(conn, slug).await?.ok_or_else(none)
}

/// Writes a new article.
pub async fn create(state: &AppState, caller: &Caller, draft: &Draft) -> AppResult<ArticleRow> {
    let texts = checked(draft)?;
    let now = state.now_ms();
    let mut row = ArticleRow {
        id: new_id(),
        state: "draft".to_owned(),
        version: 1,
        created_by: caller.actor.name().to_owned(),
        created_ms: now,
        updated_ms: now,
        ..ArticleRow::default()
    };
    let ticket = match draft.ticket.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => Some(tickets::load(state, key).await?),
        None => None,
    };
    row.ticket_id = ticket.as_ref().map(|ticket| ticket.id.clone());
    let base = short_name(&texts[0].title, &row.id);
    for n in 1..50 {
        row.slug = if n == 1 {
            base.clone()
        } else {
            format!("{base}-{n}")
        };
        let mut tx = state.db.begin().await?;
        match rows::insert(&mut tx, &row).await {
            Err(error) if error.is_unique_violation() => continue,
            other => other?,
        }
        write(&mut tx, caller, (&row, now), draft, &texts).await?;
        if let Some(ticket) = &ticket {
            let actor = &caller.actor;
            let happened =
                tickets::event(now, &ticket.id, Happened::Article, false, actor, &row.slug);
            tickets::append(&mut tx, &happened).await?;
        }
        caller
            .audit(&mut tx, state, "article.create", &row.slug)
            .await?;
        tx.commit().await?;
        return Ok(row);
    }
    Err(AppError::conflict(
        "name_taken",
        "many articles have this title; give it another one",
    ))
}

/// Writes the next version; what is published stays so until this one is.
pub async fn edit(
    state: &AppState,
    caller: &Caller,
    slug: &str,
    (base, draft): (i64, &Draft),
) -> AppResult<ArticleRow> {
    let texts = checked(draft)?;
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let old = load(&mut tx, slug).await?;
    let moved = || {
        AppError::conflict(
            "changed_meanwhile",
            "somebody else has written a version meanwhile: load it and edit that one",
        )
    };
    if old.version != base {
        return Err(moved());
    }
    let row = ArticleRow {
        state: "draft".to_owned(),
        version: old.version + 1,
        updated_ms: now,
        ..old.clone()
    };
    if !rows::advance(&mut tx, &row, (old.version, &old.state)).await? {
        return Err(moved());
    }
    write(&mut tx, caller, (&row, now), draft, &texts).await?;
    caller
        .audit(&mut tx, state, "article.edit", &row.slug)
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// Moves an article on its way.
pub async fn step(
    state: &AppState,
    caller: &Caller,
    slug: &str,
    step: Step,
) -> AppResult<ArticleRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let old = load(&mut tx, slug).await?;
    let mut row = ArticleRow {
        updated_ms: now,
        ..old.clone()
    };
    let (state_word, published) = match (step, old.state.as_str()) {
        (Step::Submit, "draft") => ("review", old.published),
        (Step::Return, "review") => ("draft", old.published),
        (Step::Publish, "review") => ("published", old.version),
        (Step::Retire, "draft" | "review" | "published") => ("retired", 0),
        _ => {
            let detail = format!("an article that is {} cannot do this", old.state);
            return Err(AppError::conflict("wrong_state", detail));
        }
    };
    (row.state, row.published) = (state_word.to_owned(), published);
    if step == Step::Publish {
        another_person(&mut tx, caller, &old).await?;
        rows::reviewed(&mut tx, (&old.id, old.version), caller.actor.name(), now).await?;
        let texts = rows::texts(&mut tx, &old.id, old.version).await?;
        index::replace(&mut tx, &old.id, Scope::Published, &indexed(&texts)).await?;
    }
    if step == Step::Retire {
        for scope in [Scope::Published, Scope::Latest] {
            index::replace(&mut tx, &old.id, scope, &[]).await?;
        }
    }
    if !rows::advance(&mut tx, &row, (old.version, &old.state)).await? {
        return Err(AppError::conflict(
            "changed_meanwhile",
            "somebody else has changed it meanwhile",
        ));
    }
    let action = format!("article.{}", step.word());
    caller.audit(&mut tx, state, &action, &row.slug).await?;
    tx.commit().await?;
    Ok(row)
}

/// Who publishes must not be who wrote the version.
async fn another_person(
    conn: &mut AnyConnection,
    caller: &Caller,
    article: &ArticleRow,
) -> AppResult<()> {
    let versions = rows::versions(conn, &article.id).await?;
    let newest = versions.iter().find(|v| v.version == article.version);
    let author = newest.map_or("", |v| v.author_id.as_str());
    let me = caller.actor.person().map_or("", |p| p.id.as_str());
    if author == me {
        let detail = "another person than the author reviews and publishes";
        return Err(AppError::conflict("own_article", detail));
    }
    Ok(())
}

fn checked(draft: &Draft) -> AppResult<Vec<TextRow>> {
    let texts = [draft.en.row("en")?, draft.zh.row("zh-CN")?];
    let texts: Vec<TextRow> = texts.into_iter().flatten().collect();
    if texts.is_empty() {
        return Err(AppError::invalid(
            "title",
            "an article needs a text in one language at least",
        ));
    }
    if draft.signatures.len() > 50 {
        return Err(AppError::invalid("signatures", "at most 50"));
    }
    Ok(texts)
}

async fn write(
    conn: &mut AnyConnection,
    caller: &Caller,
    (row, now): (&ArticleRow, i64),
    draft: &Draft,
    texts: &[TextRow],
) -> AppResult<()> {
    let version = VersionRow {
        article_id: row.id.clone(),
        version: row.version,
        author: caller.actor.name().to_owned(),
        author_id: caller
            .actor
            .person()
            .map(|p| p.id.clone())
            .unwrap_or_default(),
        created_ms: now,
        note: text("note", &draft.note, 0, 500)?,
        ..VersionRow::default()
    };
    rows::add_version(conn, &version).await?;
    for text in texts {
        let text = TextRow {
            article_id: row.id.clone(),
            version: row.version,
            ..text.clone()
        };
        rows::add_text(conn, &text).await?;
    }
    let mut signatures = Vec::new();
    for id in &draft.signatures {
        let id = text("signatures", id, 0, 100)?;
        if !id.is_empty() {
            signatures.push(id);
        }
    }
    rows::set_signatures(conn, &row.id, &signatures).await?;
    index::replace(conn, &row.id, Scope::Latest, &indexed(texts)).await?;
    Ok(())
}

/// What a version is found by, in both languages.
fn indexed(texts: &[TextRow]) -> Vec<(String, i64)> {
    let fields = texts.iter().flat_map(|t| {
        [
            (t.title.as_str(), 8),
            (t.problem.as_str(), 3),
            (t.affected.as_str(), 2),
            (t.cause.as_str(), 2),
            (t.fix_plain.as_str(), 1),
            (t.fix_expert.as_str(), 1),
            (t.workaround.as_str(), 1),
        ]
    });
    words::of_text(&fields.collect::<Vec<_>>())
}

/// What an article is called in addresses: the Latin words of its title, or a part of its id.
fn short_name(title: &str, id: &str) -> String {
    let mut name = String::new();
    for c in title.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.chars().take(60).collect();
    match name.trim_matches('-') {
        "" | "new" => format!("kb-{}", &id[id.len().saturating_sub(8)..]),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_plain() {
        for (title, expected) in [
            ("Disk full: ENOSPC!", "disk-full-enospc"),
            ("磁盘满", "kb-12345678"),
            ("磁盘 ENOSPC", "enospc"),
            ("New", "kb-12345678"),
        ] {
            assert_eq!(short_name(title, "0000-12345678"), expected);
        }
    }
}
