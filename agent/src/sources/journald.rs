//! The journal, through journalctl: no safe reader of its format has a licence that fits.

use super::declare;
use crate::collect::{self, Params, PlannedItem, Planner, Source, Tier};

declare!(
    Journald,
    "journald",
    "Journal",
    "What did the system and its services say, and when?",
    ["base", "logs"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
/// Entries are shorter as text than in the journal's files, unless a long one is there many times and stored once.
const TEXT_OF_FILES: u64 = 4;

fn plan(p: &mut Planner<'_>) {
    let files = p.host.glob("/var/log/journal/*/*.journal*");
    let files = if files.is_empty() {
        p.host.glob("/run/log/journal/*/*.journal*")
    } else {
        files
    };
    let none = files.is_empty().then_some("no journal on this host");
    let size: u64 = files
        .iter()
        .filter_map(|f| p.host.stat(f))
        .map(|m| m.size)
        .sum();
    let window = window(p.params);
    p.command_if("systemd", "journalctl --list-boots --no-pager", none)
        .row(54)
        .limit(64 * K);
    let budget = p.params.log_group_bytes;
    let argv = |extra: &[&str]| -> Vec<String> {
        let mut argv: Vec<String> = ["journalctl", "--no-pager", "-q"]
            .map(str::to_owned)
            .to_vec();
        argv.extend(extra.iter().map(|e| (*e).to_owned()));
        argv.extend(window.clone());
        argv
    };
    for (row, line, extra, entries) in queries(!window.is_empty()) {
        match none {
            Some(_) => p.command_if("logs", line, none),
            None => p.argv("logs", line, argv(extra)),
        }
        .row(row)
        .tier(Tier::Logs)
        .limit(if row == 55 { budget } else { 10 * M })
        .seconds(30)
        .estimate(if row == 55 { size.min(budget) } else { 0 })
        .root()
        .newest(entries, size.saturating_mul(TEXT_OF_FILES));
    }
    p.command_if("logs", "journalctl --disk-usage", none)
        .row(58)
        .limit(64 * K);
    p.files(
        &[
            "/etc/systemd/journald.conf",
            "/etc/systemd/journald.conf.d/*",
        ],
        64 * K,
    )
    .row(58);
}

/// What the journal is asked: row of the default profile, line of the manifest, arguments, and the most entries; without
/// a number as many of the newest as fit.
type Query = (u16, &'static str, &'static [&'static str], Option<u64>);

fn queries(windowed: bool) -> [Query; 5] {
    // A window of time may reach back before this boot.
    let this: &[&str] = if windowed {
        &["-o", "short-iso-precise"]
    } else {
        &["--boot", "-o", "short-iso-precise"]
    };
    [
        (55, "journalctl --no-pager --boot", this, None),
        (
            56,
            "journalctl --no-pager --boot -1",
            &["--boot=-1", "-o", "short-iso-precise"],
            Some(10_000),
        ),
        (
            56,
            "journalctl --no-pager -k --boot",
            &["-k", "--boot", "-o", "short-iso-precise"],
            Some(20_000),
        ),
        (
            56,
            "journalctl --no-pager -k --boot -1",
            &["-k", "--boot=-1", "-o", "short-iso-precise"],
            Some(10_000),
        ),
        (
            57,
            "journalctl --no-pager -p err -o json",
            &["-p", "err", "-o", "json", "--since=-7d"],
            Some(10_000),
        ),
    ]
}

/// The time window as journalctl takes it.
fn window(params: &Params) -> Vec<String> {
    let at =
        |name: &str, ms: Option<i64>| ms.map(|ms| format!("--{name}=@{}", ms.div_euclid(1000)));
    [at("since", params.since_ms), at("until", params.until_ms)]
        .into_iter()
        .flatten()
        .collect()
}
