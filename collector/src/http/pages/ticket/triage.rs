//! The form that triages a ticket. It sends all its fields, so each comes with what was shown in it (`was_<name>`): only
//! what differs is changed, and never what somebody else has changed meanwhile.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use sitrep_shared::time::UtcMs;

use super::super::Frame;
use super::forms::done;
use crate::auth::Access;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Kept, Path};
use crate::locale::Locale;
use crate::state::AppState;
use crate::tickets::change::change_seen;
use crate::tickets::model::{Audience, Priority, Status};
use crate::tickets::seen::{MEANWHILE, Seen, one_form};
use crate::tickets::{Caller, Change};

/// The route.
pub(super) fn routes() -> Routes {
    Routes::default().post("/tickets/{ticket}/triage", Access::Engineer, triage)
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct TriageForm {
    status: String,
    was_status: Option<String>,
    priority: String,
    was_priority: Option<String>,
    owner: String,
    was_owner: Option<String>,
    team: String,
    was_team: Option<String>,
    product: String,
    was_product: Option<String>,
    category: String,
    was_category: Option<String>,
    contact: String,
    was_contact: Option<String>,
    language: String,
    was_language: Option<String>,
    audience: String,
    was_audience: Option<String>,
    next_step: String,
    was_next_step: Option<String>,
    promised: String,
    was_promised: Option<String>,
}

/// The fields that differ from what was shown.
#[derive(Default)]
struct Differing(Vec<Seen>);

impl Differing {
    /// The new text of a field, none where it is what was shown. A form that does not say what was shown means all.
    fn text(&mut self, field: &'static str, new: String, was: Option<String>) -> Option<String> {
        let Some(was) = was else { return Some(new) };
        if one_form(&was) == one_form(&new) {
            return None;
        }
        let seen = new.clone();
        self.0.push(Seen {
            field,
            was,
            new: seen,
        });
        Some(new)
    }

    /// The same of a field with a choice, where nothing chosen changes nothing.
    fn choice<T>(
        &mut self,
        field: &'static str,
        (new, was): (String, Option<String>),
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = parse(&new)?;
        self.text(field, new, was).map(|_| value)
    }
}

fn change(form: TriageForm) -> AppResult<(Change, Vec<Seen>)> {
    let mut seen = Differing::default();
    let promised = seen.text("promised", form.promised, form.was_promised);
    let promised_ms = match promised.as_deref() {
        None => None,
        Some("") => Some(0),
        Some(text) => {
            let time = UtcMs::parse(&format!("{text}:00Z"));
            let time =
                time.map_err(|_| AppError::invalid("promised", "must be a date and a time"))?;
            Some(time.0)
        }
    };
    let change = Change {
        status: seen.choice("status", (form.status, form.was_status), Status::parse),
        priority: seen.choice(
            "priority",
            (form.priority, form.was_priority),
            Priority::parse,
        ),
        owner: seen.text("owner", form.owner, form.was_owner),
        team: seen.text("team", form.team, form.was_team),
        product: seen.text("product", form.product, form.was_product),
        category: seen.text("category", form.category, form.was_category),
        contact: seen.text("contact", form.contact, form.was_contact),
        language: seen.text("language", form.language, form.was_language),
        audience: seen.choice(
            "audience",
            (form.audience, form.was_audience),
            Audience::parse,
        ),
        next_step: seen.text("next_step", form.next_step, form.was_next_step),
        promised_ms,
        ..Change::default()
    };
    Ok((change, seen.0))
}

async fn triage(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<TriageForm>,
) -> AppResult<Response> {
    let result = match change(form) {
        Ok((change, seen)) => change_seen(&state, &caller, &ticket, (&change, &seen)).await,
        Err(error) => Err(error),
    };
    let result = result.map_err(|error| in_words(&frame.l, error));
    done(&state, frame.with_typed(&typed), (&ticket, ""), result).await
}

/// What was changed meanwhile, in the reader's language.
fn in_words(l: &Locale, error: AppError) -> AppError {
    if error.code() != MEANWHILE {
        return error;
    }
    let names = error.fields().iter().map(|fault| {
        let name = match fault.field.as_str() {
            "owner" => "owner_name",
            "promised" => "promised_ms",
            name => name,
        };
        l.w("field", name)
    });
    let names = names.collect::<Vec<_>>().join(", ");
    AppError::conflict(MEANWHILE, format!("{} {names}", l.t("ticket.meanwhile")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> (Change, Vec<Seen>) {
        change(serde_urlencoded::from_str(form).unwrap()).unwrap()
    }

    #[test]
    fn only_what_differs_from_what_was_shown_is_changed() {
        let untouched = "status=open&was_status=open&priority=high&was_priority=high&owner=&was_owner=&team=&was_team=\
            &product=A&was_product=A&category=&was_category=&contact=&was_contact=&language=en&was_language=en\
            &audience=plain&was_audience=plain&next_step=&was_next_step=&promised=2026-01-02T03%3A04\
            &was_promised=2026-01-02T03%3A04";
        let (none, seen) = read(untouched);
        assert!(seen.is_empty());
        assert!(none.status.is_none() && none.priority.is_none() && none.audience.is_none());
        assert!(none.owner.is_none() && none.language.is_none() && none.promised_ms.is_none());
        let (one, seen) = read(&untouched.replace("&product=A&", "&product=B&"));
        assert_eq!(one.product.as_deref(), Some("B"));
        assert!(one.status.is_none() && one.owner.is_none());
        let expected = Seen {
            field: "product",
            was: "A".into(),
            new: "B".into(),
        };
        assert_eq!(seen, [expected]);
    }

    #[test]
    fn a_form_that_does_not_say_what_was_shown_means_all() {
        let (all, seen) = read("priority=high&owner=ann&promised=");
        assert!(seen.is_empty());
        assert_eq!(all.priority, Some(Priority::High));
        assert_eq!(all.owner.as_deref(), Some("ann"));
        assert_eq!(all.team.as_deref(), Some(""));
        assert_eq!((all.promised_ms, all.status), (Some(0), None));
    }
}
