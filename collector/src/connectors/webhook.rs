//! Signed webhooks by the Standard Webhooks specification (<https://www.standardwebhooks.com>): every event as one message
//! of a constant shape, which the OpenAPI document describes. The same event has the same `webhook-id` in every try, so
//! that a receiver can tell a repetition.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use sitrep_shared::time::UtcMs;

use super::outgoing::{Ask, Http};
use super::{Fault, Hook, Kind, Made, Message, SecretForm, Setup, Soon};
use crate::auth::random;
use crate::config::Secret;
use crate::state::AppState;

/// Its line in the registry.
pub(super) const KIND: Kind = Kind {
    word: "webhook",
    tickets: false,
    reads: false,
    schemes: super::guard::WEB,
    secret: SecretForm::Made,
    uses: &["private", "events"],
    statuses: &[],
    make,
};

/// Longest text of an event in a message, in characters: messages are kept below 20 kB.
const BODY_MAX: usize = 4_000;
/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// How far the time of a message may be from ours, in milliseconds.
pub(super) const TOLERANCE_MS: i64 = 5 * 60_000;

/// A message, as it is sent to webhooks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookMessage {
    /// `ticket.` and the kind of the event: `ticket.created`, `ticket.note`, `ticket.findings` …
    #[serde(rename = "type")]
    kind: String,
    /// When it happened, RFC 3339.
    timestamp: String,
    data: WebhookData,
}

/// What a message is about.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookData {
    ticket: WebhookTicket,
    event: WebhookEvent,
}

/// The ticket as it is when the message is sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookTicket {
    id: String,
    /// `TKT-1042`.
    key: String,
    title: String,
    status: String,
    priority: String,
    customer: String,
    /// Worst finding, as `SIG-0001 title`.
    top_finding: Option<String>,
    tags: Vec<String>,
    /// Its page.
    url: String,
}

/// What happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookEvent {
    id: String,
    kind: String,
    /// Whether the customer may see it.
    public: bool,
    actor: String,
    /// Text; a long one is cut, and ends in `…`.
    body: String,
    /// Further values, by kind.
    #[schema(value_type = Object)]
    data: Value,
}

/// A new secret: 256 bits.
pub fn new_secret() -> Secret {
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(random::<32>())))
}

/// The key of a secret; none when it has not the form `whsec_` with 24 to 64 bytes in base64.
pub fn key(secret: &Secret) -> Option<Vec<u8>> {
    let text = secret.reveal().strip_prefix(PREFIX)?;
    let key = STANDARD.decode(text).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

fn mac(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    mac
}

/// The signature of a message.
pub fn sign(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> String {
    let mac = mac(key, id, seconds, body).finalize().into_bytes();
    format!("v1,{}", STANDARD.encode(mac))
}

/// Whether one of the signatures, separated by spaces, is that of the message. Takes the same time for every wrong one.
pub fn verify(key: &[u8], id: &str, seconds: i64, body: &[u8], signatures: &str) -> bool {
    signatures
        .split(' ')
        .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok())
        .any(|tag| mac(key, id, seconds, body).verify_slice(&tag).is_ok())
}

fn message(told: &Message<'_>) -> WebhookMessage {
    let (event, ticket) = (told.event, told.ticket);
    let body = match event.body.char_indices().nth(BODY_MAX) {
        Some((end, _)) => format!("{}…", &event.body[..end]),
        None => event.body.clone(),
    };
    WebhookMessage {
        kind: format!("ticket.{}", event.kind),
        timestamp: UtcMs(event.at_ms).rfc3339(),
        data: WebhookData {
            ticket: WebhookTicket {
                id: ticket.id.clone(),
                key: crate::tickets::key(ticket),
                title: ticket.title.clone(),
                status: ticket.status.clone(),
                priority: ticket.priority.clone(),
                customer: ticket.customer.clone(),
                top_finding: ticket.top_finding.clone(),
                tags: told.tags.to_vec(),
                url: told.url.clone(),
            },
            event: WebhookEvent {
                id: event.id.clone(),
                kind: event.kind.clone(),
                public: event.public == 1,
                actor: event.actor_name.clone(),
                body,
                data: serde_json::from_str(&event.data).unwrap_or_default(),
            },
        },
    }
}

struct Webhook {
    http: Http,
    key: Vec<u8>,
}

fn make(setup: &Setup) -> Result<Made, Fault> {
    let key = key(&setup.secret).ok_or_else(|| {
        Fault::Refused(format!(
            "the secret of {} must be {PREFIX} and 24 to 64 bytes in base64; leave it empty to have one made",
            setup.name
        ))
    })?;
    let http = Http::new(setup, &[])?;
    Ok(Made::Hook(Box::new(Webhook { http, key })))
}

impl Hook for Webhook {
    fn tell<'a>(&'a self, _: &'a AppState, told: &'a Message<'a>) -> Soon<'a, ()> {
        Box::pin(async move {
            let body = serde_json::to_vec(&message(told)).unwrap_or_default();
            let (id, seconds) = (&told.event.id, told.now_ms / 1000);
            let headers = [
                ("webhook-id", id.clone()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", sign(&self.key, id, seconds, &body)),
            ];
            let ask = Ask {
                body: Some(("application/json", body)),
                headers: &headers,
                ..Ask::default()
            };
            self.http.ask(Method::POST, ask).await.map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let key = key(&secret).unwrap();
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let body = br#"{"test": 2432232314}"#;
        let signed = sign(&key, id, at, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(verify(&key, id, at, body, &format!("v1,AAAA {signed}")));
        for (id, at, signed) in [
            ("msg_x", at, &*signed),
            (id, at + 1, &signed),
            (id, at, "v1,AAAA"),
            (id, at, ""),
            (id, at, &signed[3..]),
        ] {
            assert!(!verify(&key, id, at, body, signed), "{id} {at} {signed}");
        }
    }

    #[test]
    fn secrets_have_their_form() {
        assert_eq!(key(&new_secret()).unwrap().len(), 32);
        for wrong in [
            "",
            "whsec_",
            "whsec_AAAA",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(key(&Secret::new(wrong)).is_none(), "{wrong}");
        }
    }
}
