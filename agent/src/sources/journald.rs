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
/// Lines are about this long; the number of lines asked for follows from the budget.
const LINE_BYTES: u64 = 160;

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
    let argv = |extra: &[&str], lines: u64| -> Vec<String> {
        let mut argv: Vec<String> = ["journalctl", "--no-pager", "-q"]
            .map(str::to_owned)
            .to_vec();
        argv.extend(extra.iter().map(|e| (*e).to_owned()));
        argv.extend(window.clone());
        argv.push(format!("--lines={lines}"));
        argv
    };
    for (row, line, extra, lines) in queries(!window.is_empty(), budget / LINE_BYTES) {
        match none {
            Some(_) => p.command_if("logs", line, none),
            None => p.argv("logs", line, argv(extra, lines)),
        }
        .row(row)
        .tier(Tier::Logs)
        .limit(if row == 55 { budget } else { 10 * M })
        .seconds(30)
        .estimate(if row == 55 { size.min(budget) } else { 0 })
        .root();
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

/// What the journal is asked: row of the default profile, line of the manifest, arguments, most lines.
type Query = (u16, &'static str, &'static [&'static str], u64);

fn queries(windowed: bool, lines: u64) -> [Query; 5] {
    // A window of time may reach back before this boot.
    let this: &[&str] = if windowed {
        &["-o", "short-iso-precise"]
    } else {
        &["--boot", "-o", "short-iso-precise"]
    };
    [
        (55, "journalctl --no-pager --boot", this, lines),
        (
            56,
            "journalctl --no-pager --boot -1",
            &["--boot=-1", "-o", "short-iso-precise"],
            10_000,
        ),
        (
            56,
            "journalctl --no-pager -k --boot",
            &["-k", "--boot", "-o", "short-iso-precise"],
            20_000,
        ),
        (
            56,
            "journalctl --no-pager -k --boot -1",
            &["-k", "--boot=-1", "-o", "short-iso-precise"],
            10_000,
        ),
        (
            57,
            "journalctl --no-pager -p err -o json",
            &["-p", "err", "-o", "json", "--since=-7d"],
            10_000,
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
