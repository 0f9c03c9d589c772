//! The agent itself: which version looked, with which rights and rules.

use super::declare;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, deny, source::Native};
use std::io::Write as _;

declare!(
    Agent,
    "agent",
    "The agent itself",
    "Who collected this, with which rights?",
    ["base"]
);

fn plan(p: &mut Planner<'_>) {
    p.native("sitrep", "self", about).row(131).must();
}

fn about(n: &mut Native<'_>) -> Result<(), Miss> {
    writeln!(n.out, "version: {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(n.out, "uid: {}", n.host.uid())?;
    writeln!(n.out, "root of the host: {}", n.host.root().display())?;
    writeln!(n.out, "deny list version: {}", deny::VERSION)?;
    if n.host.is_live() {
        let status = n.host.text("/proc/thread-self/status").unwrap_or_default();
        for line in status.lines().filter(|l| {
            l.starts_with("Cap") || l.starts_with("NoNewPrivs") || l.starts_with("Seccomp")
        }) {
            writeln!(n.out, "{line}")?;
        }
    }
    let Some(window) = n.params.since_ms.zip(n.params.until_ms) else {
        return Ok(());
    };
    writeln!(n.out, "time window: {} to {} (UTC ms)", window.0, window.1)?;
    Ok(())
}
