//! Host names, domains and mail addresses.

use crate::redact::context::Context;
use crate::redact::edit::{Found, Put};
use crate::redact::filter::Hit;
use crate::redact::redactor::Rules;
use crate::redact::scan::addr::{self, replace};
use crate::redact::standin;
use crate::redact::window::View;

/// Last labels that make a dotted word a host name.
pub(crate) const CLEAR: &[&str] = &[
    "com",
    "net",
    "org",
    "edu",
    "gov",
    "mil",
    "local",
    "internal",
    "lan",
    "corp",
    "intra",
    "intranet",
    "localdomain",
    "arpa",
    "uk",
    "de",
    "fr",
    "nl",
    "es",
    "eu",
    "ru",
    "cn",
    "jp",
    "kr",
    "br",
    "au",
    "ca",
    "ch",
    "se",
    "fi",
    "dk",
    "pl",
    "cz",
    "ie",
    "pt",
    "gr",
    "hu",
    "ro",
    "tr",
    "ua",
    "il",
    "mx",
    "ar",
    "cl",
    "nz",
    "za",
    "sg",
    "hk",
    "tw",
    "th",
    "vn",
    "asia",
    "biz",
    "xyz",
    "cloud",
    "online",
    "us",
    "tv",
];
/// Last labels that are also file extensions or members in code: only of three labels and more.
pub(crate) const UNCLEAR: &[&str] = &[
    "io", "co", "ai", "dev", "app", "me", "cc", "in", "it", "at", "be", "no", "my", "id", "info",
    "tech", "site", "home", "int", "ph", "is", "ly", "to", "fm", "gg",
];
/// First labels of package names.
const PACKAGE: &[&str] = &[
    "com", "org", "net", "io", "edu", "java", "javax", "sun", "jdk", "kotlin", "android", "gov",
    "de", "ch", "www-", "scala", "akka", "jakarta", "fr", "ru", "cn", "uk", "me", "dev", "app",
    "info",
];
/// Sites that every host talks to; in a URL they tell nothing about anybody.
const PUBLIC: &[&str] = &[
    "elastic.co",
    "github.com",
    "githubusercontent.com",
    "gitlab.com",
    "w3.org",
    "apache.org",
    "kernel.org",
    "gnu.org",
    "debian.org",
    "ubuntu.com",
    "redhat.com",
    "fedoraproject.org",
    "centos.org",
    "launchpad.net",
    "freedesktop.org",
    "json-schema.org",
    "openxmlformats.org",
    "xmlsoap.org",
    "example.com",
    "example.org",
    "example.net",
    "pypi.org",
    "pythonhosted.org",
    "npmjs.org",
    "npmjs.com",
    "rubygems.org",
    "docker.com",
    "docker.io",
    "quay.io",
    "gcr.io",
    "googleapis.com",
    "golang.org",
    "python.org",
    "oracle.com",
    "mysql.com",
    "postgresql.org",
    "mozilla.org",
    "microsoft.com",
    "snapcraft.io",
    "maven.org",
    "suse.com",
    "opensuse.org",
    "kubernetes.io",
    "k8s.io",
    "systemd.io",
    "nginx.org",
    "openssl.org",
    "mongodb.com",
    "mongodb.org",
    "datadoghq.com",
    "hashicorp.com",
    "zapier.com",
    "office.com",
    "slack.com",
    "discord.com",
    "puppet.com",
    "archlinux.org",
    "slf4j.org",
    "springframework.org",
    "sourceforge.net",
    "readthedocs.io",
    "man7.org",
    "ietf.org",
    "dochub.mongodb.org",
    "bugzilla.redhat.com",
    "fsf.org",
    "schemas.android.com",
];

fn label(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

/// A dot and the last label of a host name.
pub(crate) fn name(rules: &Rules, ctx: &Context, view: &View<'_>, hit: Hit, found: &mut Found) {
    let end = hit.at + hit.len;
    // The quick way out: the name goes on.
    let tail = view.slice(end, end + 8);
    let signs = tail
        .iter()
        .take_while(|b| matches!(b, b'.' | b'-' | b'_'))
        .count();
    if tail.get(signs).is_some_and(|b| label(*b)) || ctx.version {
        return;
    }
    let back = view
        .slice(hit.at.saturating_sub(256), hit.at)
        .iter()
        .rev()
        .take_while(|b| label(**b) || **b == b'.')
        .count();
    let mut start = hit.at - back;
    let run = view.slice(start, end);
    if let Some(cut) = run.len().checked_sub(addr::REVERSED.len())
        && run[cut..].eq_ignore_ascii_case(addr::REVERSED)
    {
        return addr::reversed(rules, view, start, start + cut, found);
    }
    if let Some(cut) = run.len().checked_sub(addr::REVERSED6.len())
        && run[cut..].eq_ignore_ascii_case(addr::REVERSED6)
        && addr::reversed6(rules, view, start, start + cut, found)
    {
        return;
    }
    let first = memchr::memchr(b'.', run).unwrap_or_default();
    if first == 0
        || first > 63
        || matches!(view.before(start), Some(b'$' | b'@' | b'\\'))
        || matches!(view.at(end), Some(b'@' | b'('))
        || !is_host(run, view, start, end)
    {
        return;
    }
    // `ip-10-0-1-2.ec2.internal`: the address has a stand-in of its own.
    if run.starts_with(b"ip-")
        && run[3..first]
            .iter()
            .all(|b| b.is_ascii_digit() || *b == b'-')
    {
        start += first + 1;
    }
    let name = view.slice(start, end);
    let put = match found.hosts.get(name) {
        Some(known) => known.to_owned(),
        None => {
            let put = standin::host(&rules.keyed, name);
            found.hosts.put(name, &put);
            put
        }
    };
    replace(view, start, end, put, rules.ids.host, found);
}

/// Whether a dotted word is a host name rather than a file, a class or a property.
fn is_host(run: &[u8], view: &View<'_>, start: usize, end: usize) -> bool {
    let Some(cut) = memchr::memrchr(b'.', run) else {
        return false;
    };
    let last = &run[cut + 1..];
    let one_of = |list: &[&str]| list.iter().any(|t| last.eq_ignore_ascii_case(t.as_bytes()));
    let alphabetic =
        last.len() >= 2 && last.len() <= 11 && last.iter().all(u8::is_ascii_alphabetic);
    let clear = alphabetic && one_of(CLEAR);
    if !(clear || alphabetic && one_of(UNCLEAR)) {
        return false;
    }
    let mut small = [0u8; 512];
    let Some(lower) = small.get_mut(..run.len()) else {
        return false;
    };
    lower.copy_from_slice(run);
    lower.make_ascii_lowercase();
    let lower = &*lower;
    let labels = || lower.split(|b| *b == b'.');
    if labels().any(|l| l.is_empty() || l.len() > 63 || l.starts_with(b"_"))
        || lower.ends_with(b".invalid")
    {
        return false;
    }
    let first = labels().next().unwrap_or_default();
    let package = PACKAGE.iter().any(|p| p.as_bytes() == first);
    let humps = run
        .windows(2)
        .any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
    let path = matches!(view.before(start), Some(b'/')) && view.before(start - 1) != Some(b'/');
    let digits = lower[..cut]
        .iter()
        .all(|b| b.is_ascii_digit() || *b == b'.');
    if package || humps || path && !clear || digits {
        return false;
    }
    if !clear
        && (labels().count() < 3
            || matches!(view.at(end), Some(b'/' | b'=' | b':')) && view.before(start) != Some(b'/'))
    {
        return false;
    }
    // A key: `net.core.com = 1`.
    if view.at(view.skip_blanks(end)) == Some(b'=') {
        return false;
    }
    let in_url = view.before(start) == Some(b'/') || path;
    !(in_url && is_public(lower))
}

/// Whether a name in small letters belongs to one of the public sites.
fn is_public(name: &[u8]) -> bool {
    PUBLIC.iter().any(|p| {
        name.strip_suffix(p.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
    })
}

/// An `@`: a mail address.
pub(crate) fn mail(rules: &Rules, view: &View<'_>, at: usize, found: &mut Found) {
    let local = |b: &&u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'=')
    };
    let back = view
        .slice(at.saturating_sub(64), at)
        .iter()
        .rev()
        .take_while(local)
        .count();
    let mut start = at - back;
    let name = view.slice(start, at);
    let trim = name
        .iter()
        .take_while(|b| matches!(b, b'.' | b'-' | b'\'' | b'=' | b'%' | b'+'))
        .count();
    start += trim;
    // `key=name@host`
    if let Some(eq) = memchr::memrchr2(b'=', b'\'', view.slice(start, at)) {
        start += eq + 1;
    }
    let text = view.slice(at + 1, at + 256);
    let len = text
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        .count();
    let domain = &text[..len];
    let domain = &domain[..domain.len()
        - domain
            .iter()
            .rev()
            .take_while(|b| matches!(b, b'.' | b'-'))
            .count()];
    let Some(dot) = memchr::memrchr(b'.', domain) else {
        return;
    };
    let last = &domain[dot + 1..];
    let alphabetic =
        last.len() >= 2 && (last.iter().all(u8::is_ascii_alphabetic) || last.starts_with(b"xn--"));
    let unit = [
        &b"service"[..],
        b"socket",
        b"timer",
        b"target",
        b"mount",
        b"slice",
        b"scope",
        b"device",
        b"path",
        b"swap",
        b"invalid",
        b"conf",
        b"json",
        b"yaml",
        b"so",
        b"js",
        b"py",
        b"html",
        b"tgz",
        b"gz",
        b"log",
    ];
    if start >= at
        || !alphabetic
        || unit.contains(&last)
        || domain.starts_with(b".")
        || domain.windows(2).any(|w| w == b"..")
    {
        return;
    }
    let end = at + 1 + domain.len();
    // `git@github.com:owner/repository` is an address of a program.
    if view.slice(start, at) == b"git" && view.at(end) == Some(b':') && is_public(domain) {
        found.quiet = found.quiet.max(end);
        return;
    }
    let put = standin::mail(&rules.keyed, view.slice(start, at), domain);
    found.quiet = found.quiet.max(end);
    found.push(start, end, rules.ids.mail, Put::Text(put));
}
