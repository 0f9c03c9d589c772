//! The scanners: each owns some anchors and says which bytes round an anchor must go.

pub(crate) mod addr;
pub(crate) mod bare;
pub(crate) mod blocks;
pub(crate) mod host;
pub(crate) mod identity;
pub(crate) mod inside;
pub(crate) mod join;
pub(crate) mod k8s;
pub(crate) mod kv;
pub(crate) mod lines;
pub(crate) mod mac;
pub(crate) mod maps;
pub(crate) mod own;
pub(crate) mod paired;
pub(crate) mod pem;
pub(crate) mod procnet;
pub(crate) mod settle;
pub(crate) mod token;
pub(crate) mod url;

use crate::redact::Level;
use crate::redact::context::{Context, Lines};
use crate::redact::edit::Found;
use crate::redact::filter::{Anchor, Hit, Literal};
use crate::redact::redactor::{Rules, literal};
use crate::redact::window::View;

/// Forms that begin with a word of their own.
const PUTTY: u8 = 1;
const HEX: u8 = 2;
const EXECVE: u8 = 3;
const HOST: u8 = 4;

/// What goes on at a later position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Continue {
    /// One record per line, by the file's name.
    Lines(Lines),
    /// The body of a private key whose end is not in sight.
    Pem,
    /// The rest of a value that is longer than the window, up to its quote or a blank.
    Rest { quote: Option<u8>, rule: u16 },
    /// Entries of a Kubernetes secret.
    Data {
        indent: usize,
        deeper: Option<usize>,
    },
    /// Items below a key.
    Block(blocks::Block),
}

/// Literals that scanners look for by themselves, without a data file.
pub(crate) fn literals(level: Level) -> Vec<Literal> {
    let mut list = [
        literal("://", false, Anchor::Url),
        literal("-----begin", true, Anchor::Pem),
        literal("---- begin ", true, Anchor::Pem),
        literal("data:", false, Anchor::Form(0)),
        literal("data\"", false, Anchor::Form(0)),
        literal("data\\\"", false, Anchor::Form(0)),
        literal("stringdata", true, Anchor::Form(0)),
        literal("private-lines:", true, Anchor::Form(PUTTY)),
        literal("proctitle=", false, Anchor::Form(HEX)),
        literal("type=execve", true, Anchor::Form(EXECVE)),
    ]
    .to_vec();
    if level == Level::Strict {
        let ends = host::CLEAR.iter().chain(host::UNCLEAR);
        list.extend(ends.map(|end| literal(&format!(".{end}"), true, Anchor::Form(HOST))));
    }
    list
}

/// Asks the scanner that owns the anchor.
pub(crate) fn look(rules: &Rules, ctx: &Context, view: &View<'_>, hit: Hit, found: &mut Found) {
    match hit.tag {
        Anchor::Key => kv::look(rules, ctx, view, hit, found),
        Anchor::Url => url::look(rules, view, hit, found),
        Anchor::Token(n) => token::look(rules, ctx, view, hit, n, found),
        Anchor::Pem => pem::look(rules, view, hit, found),
        Anchor::Name(n) => own::look(rules, view, hit, n, found),
        Anchor::Byte(b) => identity::look(rules, ctx, view, hit, b, found),
        Anchor::Form(PUTTY) => pem::putty(rules, view, hit, found),
        Anchor::Form(HEX) => inside::hex(rules, view, hit, found),
        Anchor::Form(HOST) => host::name(rules, ctx, view, hit, found),
        Anchor::Form(EXECVE) => inside::execve(rules, view, hit, found),
        Anchor::Form(_) => k8s::look(rules, view, hit, found),
    }
}

/// Goes on with what was begun before.
pub(crate) fn resume(
    rules: &Rules,
    _ctx: &Context,
    view: &View<'_>,
    at: usize,
    what: &Continue,
    found: &mut Found,
) {
    match what {
        Continue::Lines(Lines::ProcNet) => procnet::resume(rules, view, at, found),
        Continue::Lines(kind) => lines::resume(rules, view, at, *kind, found),
        Continue::Pem => pem::resume(rules, view, at, found),
        Continue::Rest { quote, rule } => blocks::rest(view, at, *quote, *rule, found),
        Continue::Data { indent, deeper } => k8s::entries(rules, view, at, *indent, *deeper, found),
        Continue::Block(block) => blocks::resume(rules, view, at, block, found),
    }
    if found.more.as_ref().is_some_and(|m| m.0 <= at) {
        found.more = None;
    }
}
