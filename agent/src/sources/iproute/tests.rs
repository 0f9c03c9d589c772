//! The same text as iproute2's own programs, on this host and in a namespace full of odd things.

use super::*;
use crate::collect::{Cancel, command};
use std::time::Duration;

/// What the program prints, and what we do; counters and timers move between the two.
fn both(line: &str, render: Render) -> (Vec<String>, Vec<String>) {
    let argv: Vec<&str> = line.split(' ').collect();
    let theirs = command::text(&argv, Duration::from_secs(20), 1 << 20, &Cancel::new());
    let host = Host::live().expect("host");
    let ours = Names::read(&host).and_then(|names| render(&names));
    let still = |text: String| -> Vec<String> {
        let lines = text.lines().map(|l| l.trim_end().to_owned());
        lines.collect()
    };
    (
        still(ours.expect("read from the kernel")),
        still(theirs.expect("iproute2 is installed")),
    )
}

/// Without what depends on the version of iproute2: the numbers of the detailed line, and lines of kinds.
fn plain(lines: &[String]) -> Vec<String> {
    let whole = |l: &&String| {
        !l.starts_with("    ") || l[4..].starts_with("link/") || l[4..].starts_with("inet")
    };
    let before = |l: &String| {
        l.split(" promiscuity")
            .next()
            .unwrap_or(l)
            .trim_end()
            .to_owned()
    };
    lines.iter().filter(whole).map(before).collect()
}

#[test]
fn tables_read_as_iproute2_writes_them() {
    for (line, render) in [
        ("ip -d address", address::detailed as Render),
        ("ip -o addr", address::one_line),
        ("ip route show table all", route::all),
        ("ip -4 rule list", rule::inet),
        ("ip -6 rule list", rule::inet6),
    ] {
        let (ours, theirs) = both(line, render);
        assert_eq!(plain(&ours), plain(&theirs), "{line}");
    }
    // What moves: the shape must be the same.
    for (line, render) in [
        ("ip -s -d link", link::with_counters as Render),
        ("tc -s qdisc show", queue::all),
    ] {
        let (ours, theirs) = both(line, render);
        let words = |lines: Vec<String>| -> Vec<String> {
            let word = |w: &str| w.chars().filter(|c| !c.is_ascii_digit()).collect();
            lines
                .iter()
                .flat_map(|l| l.split_whitespace().map(word))
                .collect()
        };
        assert_eq!(words(plain(&ours)), words(plain(&theirs)), "{line}");
    }
}
