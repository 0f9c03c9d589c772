//! Facts about processes and units.

use super::read::Text;
use super::{Facts, Process, Processes, Units};

/// How many processes are named per list.
const TOP: usize = 5;

/// `ps aux`: eleven columns, the command last.
pub(super) fn ps(t: &Text<'_>, facts: &mut Facts) {
    let mut all = Vec::new();
    let mut sum = Processes {
        item: t.path.to_owned(),
        ..Processes::default()
    };
    for line in t.text.lines().skip(1) {
        let mut words = line.split_whitespace();
        let head: Vec<&str> = words.by_ref().take(10).collect();
        let [user, pid, cpu, _, _, rss, _, state, ..] = head[..] else {
            continue;
        };
        let command = words.next().unwrap_or("");
        sum.zombies += u64::from(state.starts_with('Z'));
        sum.blocked += u64::from(state.starts_with('D'));
        all.push(Process {
            pid: pid.parse().unwrap_or(0),
            command: command.to_owned(),
            user: user.to_owned(),
            cpu_pct: cpu.parse().unwrap_or(0.0),
            rss_bytes: rss.parse::<u64>().unwrap_or(0) * 1024,
        });
    }
    sum.total = Some(all.len() as u64);
    all.sort_by(|a, b| b.cpu_pct.total_cmp(&a.cpu_pct));
    sum.top_cpu = all
        .iter()
        .take(TOP)
        .filter(|p| p.cpu_pct > 0.0)
        .cloned()
        .collect();
    all.sort_by_key(|p| std::cmp::Reverse(p.rss_bytes));
    sum.top_rss = all
        .iter()
        .take(TOP)
        .filter(|p| p.rss_bytes > 0)
        .cloned()
        .collect();
    facts.processes = Some(sum);
}

/// Rows of `systemctl list-units`: unit, load, active, sub; a mark may stand in front.
fn rows(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let mut words = line
            .trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .split_whitespace();
        let (unit, _load, active) = (words.next()?, words.next()?, words.next()?);
        let known = [
            "active",
            "inactive",
            "failed",
            "activating",
            "deactivating",
            "reloading",
            "maintenance",
        ];
        (unit.contains('.') && known.contains(&active)).then_some((unit, active))
    })
}

pub(super) fn units(t: &Text<'_>, facts: &mut Facts) {
    let units = facts.units.get_or_insert_with(Units::default);
    units.total = Some(rows(t.text).count() as u64);
    units.failed = rows(t.text)
        .filter(|(_, active)| *active == "failed")
        .map(|(unit, _)| unit.to_owned())
        .collect();
    t.path.clone_into(&mut units.item);
}

pub(super) fn failed_units(t: &Text<'_>, facts: &mut Facts) {
    let units = facts.units.get_or_insert_with(Units::default);
    if units.total.is_none() {
        units.failed = rows(t.text).map(|(unit, _)| unit.to_owned()).collect();
        t.path.clone_into(&mut units.item);
    }
}
