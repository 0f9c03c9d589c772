//! Notices in a chat, by an incoming webhook of Slack, Mattermost or what takes the same JSON. Its address is the secret.

use reqwest::Method;
use serde_json::json;

use super::outgoing::Http;
use super::{Fault, Hook, Kind, Made, Message, SecretForm, Setup, Soon, fields};
use crate::locale::Locale;
use crate::state::AppState;

/// Its line in the registry.
pub(super) const KIND: Kind = Kind {
    word: "chat",
    tickets: false,
    reads: false,
    schemes: super::guard::WEB,
    secret: SecretForm::Address,
    uses: &["private", "events", "language"],
    statuses: &[],
    make,
};

/// Longest text of an event in a notice, in characters.
const BODY_MAX: usize = 300;

struct Chat {
    http: Http,
    locale: Locale,
}

fn make(setup: &Setup) -> Result<Made, Fault> {
    // The row shows the host only; what may be posted with is the whole address.
    let whole = Setup {
        name: setup.name.clone(),
        url: setup.secret.reveal().to_owned(),
        secret: setup.secret.clone(),
        settings: setup.settings.clone(),
    };
    Ok(Made::Hook(Box::new(Chat {
        http: Http::new(&whole, &[])?,
        locale: Locale::by_code(&setup.settings.language).unwrap_or_default(),
    })))
}

impl Hook for Chat {
    fn tell<'a>(&'a self, _: &'a AppState, told: &'a Message<'a>) -> Soon<'a, ()> {
        Box::pin(async move {
            let text = notice(told, &self.locale);
            let body = json!({"text": text});
            self.http.json(Method::POST, "", &body).await.map(|_| ())
        })
    }
}

fn notice(told: &Message<'_>, l: &Locale) -> String {
    let (event, ticket) = (told.event, told.ticket);
    let body: String = fields::one_line(&event.body)
        .chars()
        .take(BODY_MAX)
        .collect();
    let key = crate::tickets::key(ticket);
    let lines = [
        format!(
            "{key} {} ({})",
            calm(&ticket.title),
            l.status(&ticket.status)
        ),
        format!(
            "{} {}: {}",
            calm(&event.actor_name),
            l.event(&event.kind),
            calm(&body)
        ),
        told.url.clone(),
    ];
    lines.join("\n")
}

/// A text that calls nobody and is no markup: `<` begins a command in Slack, `@` calls people in Mattermost.
fn calm(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_calls_nobody() {
        assert_eq!(
            calm("<!channel> @all & so"),
            "&lt;!channel&gt; @\u{200b}all &amp; so"
        );
    }
}
