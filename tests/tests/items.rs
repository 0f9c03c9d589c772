//! The default Linux profile on this host, item by item, as root and as an ordinary user: every row of it is
//! asked for, and what gives nothing has a reason. Writes the table in `agent/profiles/ITEMS.md` when
//! `SITREP_UPDATE` is set. Needs root, to be both.

use sitrep_tests::agent::Agent;
use sitrep_tests::ordinary::Ordinary;
use sitrep_tests::{process, workspace_root};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Rows of the default Linux profile.
const ROWS: u64 = 131;
const FLAGS: [&str; 11] = [
    "run",
    "--profile",
    "full",
    "--max-time",
    "10m",
    "--no-send",
    "--yes",
    "--allow-partial",
    "--progress",
    "none",
    "-o",
];

/// An item of a plan with its row, and what became of it.
struct Item {
    source: String,
    kind: String,
    origin: String,
    outcome: String,
    reason: String,
}

type Rows = BTreeMap<u64, Vec<Item>>;

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn manifest(bundle: &Path) -> serde_json::Value {
    let mut command = process::command(Path::new("tar"));
    command
        .arg("-xzOf")
        .arg(bundle)
        .args(["--wildcards", "*/meta/manifest.json"]);
    let output = process::output(&mut command).expect("tar");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Joins a plan and what became of it by the items' ids.
fn join(plan: &serde_json::Value, manifest: &serde_json::Value) -> Rows {
    let items = manifest["items"].as_array().expect("items");
    let ended: BTreeMap<&str, &serde_json::Value> = items
        .iter()
        .map(|item| (item["id"].as_str().unwrap_or_default(), item))
        .collect();
    let mut rows = Rows::new();
    for planned in plan["items"].as_array().expect("items") {
        let id = text(&planned["id"]);
        // Processes come and go between the two; what was planned for one is not in the other's.
        let Some(end) = ended.get(id.as_str()) else {
            continue;
        };
        let row = planned["row"].as_u64().expect("a row");
        rows.entry(row).or_default().push(Item {
            source: text(&planned["source"]),
            kind: text(&planned["kind"]),
            origin: text(&planned["origin"]),
            outcome: text(&end["outcome"]),
            reason: text(&end["reason"]),
        });
    }
    rows
}

fn as_root(dir: &Path) -> Rows {
    let agent = Agent::new(&dir.join("root")).expect("a home");
    let bundle = dir.join("root.tar.gz");
    let place = bundle.display().to_string();
    let plan = agent.run(&["plan", "--profile", "full", "--json"]);
    let plan = plan.and_then(|ended| ended.json()).expect("a plan");
    let ended = agent.run(&[&FLAGS[..], &[&place]].concat()).expect("runs");
    assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.stderr);
    join(&plan, &manifest(&bundle))
}

fn as_user(dir: &Path) -> Rows {
    let user = Ordinary::below(dir).expect("a user");
    let bundle = user.home().join("user.tar.gz");
    let place = bundle.display().to_string();
    let plan = process::output(&mut user.agent(&[], &["plan", "--profile", "full", "--json"]));
    let plan = serde_json::from_slice(&plan.expect("starts").stdout).expect("a plan");
    let output = process::output(&mut user.agent(&[], &[&FLAGS[..], &[&place]].concat()));
    let output = output.expect("starts");
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    join(&plan, &manifest(&bundle))
}

/// What became of a row: how many items by outcome, and why, when nothing was collected.
fn shown(items: &[Item]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(&item.outcome).or_default() += 1;
    }
    let mut parts: Vec<String> = counts
        .iter()
        .map(|(outcome, count)| match count {
            1 => (*outcome).to_owned(),
            count => format!("{count} {outcome}"),
        })
        .collect();
    if !counts.contains_key("collected") && !counts.contains_key("partial") {
        let reasons: BTreeSet<&str> = items.iter().map(|item| item.reason.as_str()).collect();
        let reasons: Vec<&str> = reasons
            .into_iter()
            .filter(|r| !r.is_empty())
            .take(2)
            .collect();
        parts.push(format!("({})", reasons.join("; ").replace('|', "/")));
    }
    parts.join(", ").replace("), ", ") ").replace(", (", " (")
}

fn sources(items: &[Item]) -> String {
    let names: BTreeSet<&str> = items.iter().map(|item| item.source.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(" ")
}

fn table(root: &Rows, user: &Rows) -> String {
    let mut out = String::from(
        "# The default Linux profile, row by row\n\n\
         Made by `tests/tests/items.rs` from the registry of sources, with what became of each row on one Debian \
         host without\nsystemd, profile `full`. N: read natively, F: files, C: commands (only where the program is \
         installed).\n\n| row | source | how | items, for example | as root | as an ordinary user |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in 1..=ROWS {
        let items = &root[&row];
        let how: BTreeSet<&str> = items
            .iter()
            .map(|item| match item.kind.as_str() {
                "file" => "F",
                "command" => "C",
                _ => "N",
            })
            .collect();
        let how: Vec<&str> = how.into_iter().collect();
        let mut names: Vec<String> = items
            .iter()
            .take(3)
            .map(|item| format!("`{}`", item.origin.replace('|', "/")))
            .collect();
        if items.len() > 3 {
            names.push(format!("and {} more", items.len() - 3));
        }
        let _ = writeln!(
            out,
            "| {row} | {} | {} | {} | {} | {} |",
            sources(items),
            how.join(" "),
            names.join(", "),
            shown(items),
            shown(user.get(&row).map_or(&[], Vec::as_slice)),
        );
    }
    out
}

/// Row and source of each line of the table.
fn heads(table: &str) -> Vec<(String, String)> {
    let lines = table.lines().filter(|line| line.starts_with("| "));
    let cells = lines.map(|line| line.split(" | ").collect::<Vec<_>>());
    cells
        .filter(|cells| cells[0].trim_start_matches("| ").parse::<u64>().is_ok())
        .map(|cells| (cells[0].to_owned(), cells[1].to_owned()))
        .collect()
}

#[test]
fn every_row_is_asked_for_and_what_gives_nothing_has_a_reason() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (root, user) = (as_root(dir.path()), as_user(dir.path()));
    for (who, rows) in [("root", &root), ("a user", &user)] {
        for row in 1..=ROWS {
            let items = rows.get(&row).map_or(&[][..], Vec::as_slice);
            assert!(!items.is_empty(), "row {row} has nothing as {who}");
            for item in items {
                let quiet = item.outcome == "collected";
                assert!(quiet || !item.reason.is_empty(), "{} as {who}", item.origin);
                assert!(
                    who == "a user" || item.outcome != "denied",
                    "{} is denied to root: {}",
                    item.origin,
                    item.reason
                );
            }
        }
    }
    let path = workspace_root().join("agent/profiles/ITEMS.md");
    let fresh = table(&root, &user);
    if std::env::var_os("SITREP_UPDATE").is_some() {
        std::fs::write(&path, &fresh).expect("written");
    }
    let stored = std::fs::read_to_string(&path).expect("the table");
    assert_eq!(
        heads(&stored),
        heads(&fresh),
        "run this test with SITREP_UPDATE=1 and look at the difference"
    );
    assert!(
        stored.lines().all(|line| !line.ends_with(" |  |")),
        "a row without an outcome"
    );
}
