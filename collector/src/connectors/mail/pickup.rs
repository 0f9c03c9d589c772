//! Answers by mail: a mail server puts them, a file each, into the connector's folder `mail/<id>/new` in the data folder.
//! What belongs to a ticket is written on it and the file removed; the rest is kept in `mail/<id>/bad`, where a person
//! finds it. Everything in a mail is somebody's word: only a sender that is the ticket's contact speaks for the customer.

use std::path::Path;

use mailparse::{DispositionType, MailHeaderMap as _, ParsedMail};
use serde_json::json;
use sqlx::AnyConnection;

use super::super::{Fault, Settings, fields};
use super::Sender;
use crate::auth::Actor;
use crate::db::connectors::{self, ConnectorRow};
use crate::db::{DbError, tickets, timeline};
use crate::error::AppResult;
use crate::state::AppState;
use crate::tickets::follow_up::{self, Answer, NewFollowUp};
use crate::tickets::model::{Happened, Status};
use crate::tickets::{Caller, NewTicket, Opened, append, event, intake, lifecycle, with_data};

/// Files that are read at a time.
const FILES_MAX: usize = 100;
/// Largest mail that is read.
const MAIL_MAX_BYTES: u64 = 25 << 20;

/// A mail, as far as it counts.
#[derive(Debug, Default, PartialEq)]
struct Letter {
    id: String,
    /// Ids of mails that it answers.
    answers: Vec<String>,
    from: String,
    subject: String,
    body: String,
    /// Sent by a program: answering it would go round and round.
    automatic: bool,
    attachments: usize,
}

/// Takes in what lies in the folder.
pub(super) async fn pick_up(
    state: &AppState,
    row: &ConnectorRow,
    settings: &Settings,
    sender: &Sender,
) -> Result<(), Fault> {
    let folder = state.config.data_dir.join("mail").join(&row.id);
    let fault = |error: std::io::Error| {
        Fault::Refused(format!(
            "the folder {} cannot be used: {error}; give it to the service's account",
            folder.display()
        ))
    };
    for name in ["new", "bad"] {
        tokio::fs::create_dir_all(folder.join(name))
            .await
            .map_err(fault)?;
    }
    let mut entries = tokio::fs::read_dir(folder.join("new"))
        .await
        .map_err(fault)?;
    let mut paths = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(fault)? {
        paths.push(entry.path());
        if paths.len() == FILES_MAX {
            break;
        }
    }
    paths.sort();
    for path in paths {
        let taken = match read(&path).await {
            Some(letter) => take(state, (row, settings, sender), &letter).await?,
            None => false,
        };
        if taken {
            tokio::fs::remove_file(&path).await.map_err(fault)?;
        } else {
            tracing::warn!(connector = %row.name, file = %path.display(), "a mail belongs to no ticket, or cannot be read");
            let name = path.file_name().unwrap_or_default();
            tokio::fs::rename(&path, folder.join("bad").join(name))
                .await
                .map_err(fault)?;
        }
    }
    Ok(())
}

async fn read(path: &Path) -> Option<Letter> {
    // A link could lead anywhere.
    let meta = tokio::fs::symlink_metadata(path).await.ok()?;
    if !meta.is_file() || meta.len() > MAIL_MAX_BYTES {
        return None;
    }
    parse(&tokio::fs::read(path).await.ok()?)
}

/// The ids of a header, without their brackets.
fn ids(mail: &ParsedMail<'_>, header: &str) -> Vec<String> {
    let text = mail.headers.get_first_value(header).unwrap_or_default();
    let parts = text.split('<').skip(1);
    parts
        .filter_map(|part| Some(part.split_once('>')?.0.trim().to_owned()))
        .collect()
}

fn parse(bytes: &[u8]) -> Option<Letter> {
    let mail = mailparse::parse_mail(bytes).ok()?;
    let header = |name: &str| mail.headers.get_first_value(name).unwrap_or_default();
    let from = mailparse::addrparse(&header("From")).ok()?;
    let from = from.extract_single_info()?.addr;
    let word = |name: &str| header(name).trim().to_ascii_lowercase();
    let automatic = !["", "no"].contains(&&*word("Auto-Submitted"))
        || ["bulk", "junk", "list"].contains(&&*word("Precedence"))
        || word("Return-Path") == "<>";
    let mut answers = ids(&mail, "In-Reply-To");
    answers.extend(ids(&mail, "References"));
    let attached = |part: &ParsedMail<'_>| {
        part.get_content_disposition().disposition == DispositionType::Attachment
    };
    let of = |media: &str| {
        let mut parts = mail.parts();
        let part = parts.find(|part| part.ctype.mimetype == media && !attached(part));
        part.and_then(|part| part.get_body().ok())
    };
    let html = || of("text/html").map(|html| fields::plain(&html));
    let body = of("text/plain").or_else(html).unwrap_or_default();
    let id = ids(&mail, "Message-ID").pop();
    Some(Letter {
        id: id.unwrap_or_else(|| crate::auth::sha256_hex(bytes)),
        answers,
        from,
        subject: fields::one_line(&header("Subject")),
        body: fields::taken(own_words(&body.replace("\r\n", "\n"))),
        automatic,
        attachments: mail.parts().filter(|part| attached(part)).count(),
    })
}

/// A text without what it quotes at its end.
fn own_words(text: &str) -> &str {
    let mut end = text.trim_end().len();
    let mut quoted = false;
    while let Some(line) = text[..end].lines().next_back() {
        let quotes = line.trim_start().starts_with('>');
        // The line before a quotation says whose it is.
        let says = quoted && line.trim_end().ends_with([':', '：']);
        let blank = line.trim().is_empty();
        if !(quotes || says || blank) {
            break;
        }
        quoted = (quoted || quotes) && !says;
        end -= line.len();
        end = text[..end].trim_end_matches(['\n', '\r']).len();
        if says {
            break;
        }
    }
    &text[..end]
}

/// Writes a mail on its ticket; false when it has none.
async fn take(
    state: &AppState,
    (row, settings, sender): (&ConnectorRow, &Settings, &Sender),
    letter: &Letter,
) -> Result<bool, Fault> {
    if letter.automatic {
        return Ok(true);
    }
    let now = state.now_ms();
    let actor = Actor::Connector {
        id: row.id.clone(),
        name: letter.from.clone(),
    };
    let mut tx = state.db.begin().await?;
    if !connectors::take_message(&mut tx, (&row.id, &letter.id), now).await? {
        return Ok(true);
    }
    let data = json!({"from_connector": row.id, "message_id": letter.id});
    let caller = Caller {
        actor: actor.clone(),
        address: std::net::IpAddr::from([0, 0, 0, 0]),
    };
    match ticket(&mut tx, letter, sender).await? {
        Some(id) => {
            let id = going_on(&mut tx, (state, &caller), &id, letter).await?;
            write((&mut tx, state), &id, (&actor, letter), (&data, now)).await?;
        }
        None if settings.open => {
            let title = match &*letter.subject {
                "" => letter.from.clone(),
                text => text.chars().take(200).collect(),
            };
            let new = NewTicket {
                title,
                contact: letter.from.clone(),
                ..NewTicket::default()
            };
            let made = intake::create_on(&mut tx, state, &caller, &new).await?;
            write((&mut tx, state), &made.id, (&actor, letter), (&data, now)).await?;
        }
        None => return Ok(false),
    }
    tx.commit().await?;
    Ok(true)
}

/// The ticket in which a mail's ticket goes on: a follow-up when its contact answers what was closed long ago.
async fn going_on(
    conn: &mut AnyConnection,
    (state, caller): (&AppState, &Caller),
    id: &str,
    letter: &Letter,
) -> AppResult<String> {
    let ticket = Opened::load(conn, id).await?;
    if !theirs(&ticket.row, letter) || follow_up::answer(state, &ticket.row) != Answer::Follows {
        return Ok(id.to_owned());
    }
    let new = (&ticket, &NewFollowUp::default());
    Ok(follow_up::create_on(conn, state, caller, new).await?.id)
}

/// Whether a mail is from the ticket's contact.
fn theirs(row: &tickets::TicketRow, letter: &Letter) -> bool {
    match super::reached(&row.contact) {
        super::Reached::At(contact) => contact.eq_ignore_ascii_case(&letter.from),
        super::Reached::Otherwise | super::Reached::Unclear => false,
    }
}

/// The ticket that a mail answers: by the ids of our mails, else by the key in its subject.
async fn ticket(
    conn: &mut AnyConnection,
    letter: &Letter,
    sender: &Sender,
) -> Result<Option<String>, DbError> {
    for id in &letter.answers {
        let Some((id, domain)) = id.split_once('@') else {
            continue;
        };
        if domain != sender.domain {
            continue;
        }
        if let Some(event) = timeline::find(conn, id).await? {
            return Ok(Some(event.ticket_id));
        }
        if let Some(ticket) = tickets::find(conn, id).await? {
            return Ok(Some(ticket.id));
        }
    }
    let mut parts = letter.subject.split(['[', ']']);
    let number = parts.find_map(|part| part.strip_prefix("TKT-")?.parse().ok());
    match number {
        Some(number) => Ok(tickets::find_by_number(conn, number)
            .await?
            .map(|row| row.id)),
        None => Ok(None),
    }
}

async fn write(
    (conn, state): (&mut AnyConnection, &AppState),
    ticket_id: &str,
    (actor, letter): (&Actor, &Letter),
    (data, now): (&serde_json::Value, i64),
) -> AppResult<()> {
    let mut ticket = Opened::load(conn, ticket_id).await?;
    let theirs = theirs(&ticket.row, letter);
    let happened = if theirs {
        Happened::Reply
    } else {
        Happened::Note
    };
    let mut body = match &*letter.body {
        "" => "–".to_owned(),
        text => text.to_owned(),
    };
    if letter.attachments > 0 {
        body.push_str(&format!(
            "\n\n[{} attachments were not taken]",
            letter.attachments
        ));
    }
    let new = event(now, &ticket.row.id, happened, theirs, actor, &body);
    append(conn, &with_data(new, data)).await?;
    if theirs && follow_up::answer(state, &ticket.row) == Answer::Opens {
        lifecycle::move_to(conn, &mut ticket, Status::Open, actor, now).await?;
    }
    ticket.store(conn, now).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_at_the_end_is_left_out() {
        for (text, own) in [
            (
                "yes\n\nOn Monday Lin wrote:\n> did it work?\n> well?\n",
                "yes",
            ),
            ("yes\n> did it work?\nno", "yes\n> did it work?\nno"),
            ("好的\n林 写道：\n> 可以吗\n", "好的"),
            ("these steps:\n", "these steps:"),
            ("> only\n", ""),
        ] {
            assert_eq!(own_words(text), own, "{text}");
        }
    }

    #[test]
    fn a_mail_is_read_as_far_as_it_counts() {
        let mail = "From: Anna <anna@example.test>\r\nMessage-ID: <m1@example.test>\r\nIn-Reply-To: <e1@desk.test>\r\n\
                    References: <t1@desk.test> <e1@desk.test>\r\nSubject: =?utf-8?b?5L2g5aW9?=\r\n\
                    Content-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: base64\r\n\r\nxOO6ww==\r\n";
        let letter = parse(mail.as_bytes()).unwrap();
        let expected = Letter {
            id: "m1@example.test".into(),
            answers: ["e1", "t1", "e1"]
                .map(|id| format!("{id}@desk.test"))
                .to_vec(),
            from: "anna@example.test".into(),
            subject: "你好".into(),
            body: "你好".into(),
            automatic: false,
            attachments: 0,
        };
        assert_eq!(letter, expected);
        let bounce = format!("Auto-Submitted: auto-replied\r\n{mail}");
        assert!(parse(bounce.as_bytes()).unwrap().automatic);
        assert_eq!(parse(b"no mail at all"), None);
    }
}
