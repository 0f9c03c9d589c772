//! Mail to customers: what is for them goes to the address that the ticket names, in one thread for each ticket. Their
//! answers come back through a folder, see `pickup`.

mod pickup;

use std::sync::Arc;
use std::time::Duration;

use mail_send::mail_builder::MessageBuilder;
use mail_send::smtp::message::Message as Envelope;
use mail_send::{Credentials, Error, SmtpClientBuilder};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_rustls::TlsConnector;

use super::guard::{MAIL, address, resolve};
use super::{Fault, Hook, Kind, Made, Message, SecretForm, Settings, Setup, Soon, fields};
use crate::config::Secret;
use crate::db::connectors::ConnectorRow;
use crate::db::{DbError, timeline};
use crate::state::AppState;
use crate::tickets::model::Happened;

/// Its line in the registry.
pub(super) const KIND: Kind = Kind {
    word: "mail",
    tickets: false,
    reads: true,
    schemes: MAIL,
    secret: SecretForm::Optional,
    uses: &["private", "place", "user", "open"],
    statuses: &[],
    make,
};

/// Longest wait for the whole conversation.
const ANSWER: Duration = Duration::from_secs(30);

struct Mail {
    name: String,
    host: String,
    port: u16,
    /// TLS from the first byte on; otherwise by STARTTLS.
    wrapped: bool,
    settings: Settings,
    sender: Sender,
    password: Secret,
}

/// The address that mail comes from.
#[derive(Debug, Clone)]
struct Sender {
    address: String,
    domain: String,
}

impl Sender {
    /// The id of a mail, without its brackets: an event's, or a ticket's for the head of its thread.
    fn message_id(&self, id: &str) -> String {
        format!("{id}@{}", self.domain)
    }
}

fn make(setup: &Setup) -> Result<Made, Fault> {
    let Setup { name, settings, .. } = setup;
    let url = address(&setup.url, settings.private, MAIL)
        .map_err(|what| Fault::Refused(format!("the address of {name} {what}")))?;
    let wrapped = url.scheme() == "smtps";
    let address = contact(&settings.place).ok_or_else(|| {
        Fault::Refused(format!("give {name} the mail address that it writes from"))
    })?;
    let domain = address.rsplit('@').next().unwrap_or_default().to_owned();
    Ok(Made::Hook(Box::new(Mail {
        name: name.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        port: url.port().unwrap_or(if wrapped { 465 } else { 587 }),
        wrapped,
        settings: settings.clone(),
        sender: Sender { address, domain },
        password: setup.secret.clone(),
    })))
}

/// The one plain mail address that a text is; none for everything else, since it becomes a part of commands.
fn contact(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let dotted = domain
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    let good = !local.is_empty() && local.chars().all(plain) && !domain.is_empty() && dotted;
    (good && text.len() <= 254).then(|| text.to_owned())
}

/// Whom a ticket's contact is to mail.
#[derive(Debug, PartialEq, Eq)]
enum Reached {
    /// At this address.
    At(String),
    /// It names no mail: a telephone number, a room.
    Otherwise,
    /// It looks like an address and is none that mail can be sent to.
    Unclear,
}

/// The address of `anna@example.test` or `Anna <anna@example.test>`. The name is dropped; the address is as strict as
/// alone.
fn reached(text: &str) -> Reached {
    let text = text.trim();
    if !text.contains('@') {
        return Reached::Otherwise;
    }
    let named = text.strip_suffix('>').and_then(|text| {
        let (name, address) = text.split_once('<')?;
        let odd = |c: char| c.is_control() || c == '@' || c == '>';
        (!name.contains(odd)).then_some(address)
    });
    contact(named.unwrap_or(text)).map_or(Reached::Unclear, Reached::At)
}

impl Mail {
    async fn send(&self, state: &AppState, told: &Message<'_>) -> Result<(), Fault> {
        let (event, ticket) = (told.event, told.ticket);
        let happened = Happened::parse(&event.kind);
        let meant = matches!(happened, Some(Happened::Note | Happened::Proposed));
        if !meant || event.public != 1 {
            return Ok(());
        }
        let to = match reached(&ticket.contact) {
            Reached::At(to) => to,
            Reached::Otherwise => return Ok(()),
            Reached::Unclear => {
                return Err(Fault::Refused(format!(
                    "{} knows no mail address in the ticket's contact: make it `name@host` or `Name <name@host>`, then \
                     send again",
                    self.name
                )));
            }
        };
        let head = self.sender.message_id(&ticket.id);
        let last = last_mail(&mut *state.db.read().await?, &ticket.id).await?;
        let thread: Vec<String> = std::iter::once(head).chain(last).collect();
        let key = crate::tickets::key(ticket);
        let name = &state.config.name;
        let body = event.body.replace("\r\n", "\n");
        let mail = MessageBuilder::new()
            .message_id(self.sender.message_id(&event.id))
            // What the customer wrote last comes last, so that their program shows one conversation.
            .in_reply_to(thread.last().cloned().unwrap_or_default())
            .references(thread)
            .from((name.clone(), self.sender.address.clone()))
            .to(to.clone())
            .subject(format!("[{key}] {}", fields::one_line(&ticket.title)))
            .text_body(format!("{body}\n\n-- \n{name} {key}\n"))
            .write_to_vec()
            .map_err(|error| Fault::Refused(format!("the mail cannot be written: {error}")))?;
        let envelope = Envelope::new(self.sender.address.clone(), [to.clone()], mail);
        let sent = tokio::time::timeout(ANSWER, self.deliver(envelope)).await;
        sent.unwrap_or(Err(Error::Timeout))
            .map_err(|error| self.fault(&error, &to))
    }

    async fn deliver(&self, envelope: Envelope<'_>) -> Result<(), Error> {
        let private = self.settings.private;
        // The connection goes to the address that was looked at; the certificate is still that of the name.
        let at = resolve(&self.host, private).await?.remove(0);
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trust = rustls::ClientConfig::builder().with_platform_verifier();
        let trust = trust.map_err(|error| Error::Tls(Box::new(error)))?;
        let client = SmtpClientBuilder {
            timeout: ANSWER,
            tls_connector: TlsConnector::from(Arc::new(trust.with_no_client_auth())),
            tls_hostname: self.host.clone(),
            tls_implicit: self.wrapped,
            credentials: self.credentials(),
            addr: std::net::SocketAddr::new(at, self.port).to_string(),
            is_lmtp: false,
            say_ehlo: true,
            local_host: self.sender.domain.clone(),
            local_ip: None,
        };
        match client.connect().await {
            Ok(mut server) => server.send(envelope).await,
            // A relay of one's own network may know no TLS.
            Err(Error::MissingStartTls) if private => {
                client.connect_plain().await?.send(envelope).await
            }
            Err(error) => Err(error),
        }
    }

    fn credentials(&self) -> Option<Credentials<String>> {
        let secret = self.password.reveal();
        let username = match &*self.settings.user {
            "" => self.sender.address.clone(),
            user => user.to_owned(),
        };
        (!secret.is_empty()).then(|| Credentials::Plain {
            username,
            secret: secret.to_owned(),
        })
    }

    fn fault(&self, error: &Error, to: &str) -> Fault {
        let name = &self.name;
        match error {
            Error::AuthenticationFailed(_) | Error::UnsupportedAuthMechanism => {
                Fault::Refused(format!(
                    "{name} does not take the name or password: enter valid ones, then send again. It said: {error}"
                ))
            }
            Error::UnexpectedReply(reply) if reply.code() == 530 => Fault::Refused(format!(
                "{name} asks for a name and password: enter them, then send again. It said: {error}"
            )),
            Error::UnexpectedReply(reply) if (500..600).contains(&reply.code()) => {
                Fault::Refused(format!(
                    "{name} does not take mail to {to}: correct the ticket's contact, then send again. It said: {error}"
                ))
            }
            Error::MissingStartTls => Fault::Refused(format!(
                "{name} offers no TLS: use smtps://, or say that it is inside your own network"
            )),
            other => Fault::later(format!("{name} cannot be reached: {other}")),
        }
    }
}

impl Hook for Mail {
    fn tell<'a>(&'a self, state: &'a AppState, told: &'a Message<'a>) -> Soon<'a, ()> {
        Box::pin(self.send(state, told))
    }

    fn pick_up<'a>(&'a self, state: &'a AppState, row: &'a ConnectorRow) -> Soon<'a, ()> {
        Box::pin(pickup::pick_up(state, row, &self.settings, &self.sender))
    }
}

/// The id of the last mail that came in on a ticket.
async fn last_mail(
    conn: &mut sqlx::AnyConnection,
    ticket_id: &str,
) -> Result<Option<String>, DbError> {
    let events = timeline::list(conn, ticket_id).await?;
    Ok(events.iter().rev().find_map(|event| {
        let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
        Some(data["message_id"].as_str()?.to_owned())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_become_parts_of_commands() {
        for (text, good) in [
            ("anna@example.test", true),
            (" anna.b+c@example.test ", true),
            ("Anna <anna@example.test>", false),
            ("a@b\r\nRCPT TO:<x@y>", false),
            ("a@b>", false),
            ("a@b@c", false),
            ("@b", false),
            ("a@", false),
            ("Anna, room 7", false),
        ] {
            assert_eq!(contact(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn a_contact_is_an_address_or_holds_one_or_is_unclear() {
        let at = |address: &str| Reached::At(address.to_owned());
        for (text, expected) in [
            ("m2@b.example", at("m2@b.example")),
            ("M. Roth <m1@b.example>", at("m1@b.example")),
            (" \"Roth, M.\" <m1@b.example> ", at("m1@b.example")),
            ("<m1@b.example>", at("m1@b.example")),
            ("+49 30 123456", Reached::Otherwise),
            ("", Reached::Otherwise),
            ("m2@b.example (de)", Reached::Unclear),
            ("a@b, c@d", Reached::Unclear),
            ("A <a@b> B <c@d>", Reached::Unclear),
            ("A <a@b>>", Reached::Unclear),
            ("a@b <c@d>", Reached::Unclear),
            ("A\r\nBcc: x <a@b>", Reached::Unclear),
            ("A <a@b\r\nBcc: x@y>", Reached::Unclear),
            ("A <B <a@b>", Reached::Unclear),
            ("A <>@", Reached::Unclear),
        ] {
            assert_eq!(reached(text), expected, "{text}");
        }
    }
}
