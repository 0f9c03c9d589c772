//! Which machine this is, what it runs on, and what time it thinks it is.

use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native, sys};
use std::io::Write as _;

/// See the file's head.
pub struct Host;

impl Source for Host {
    fn id(&self) -> &'static str {
        "host"
    }

    fn title(&self) -> &'static str {
        "Host"
    }

    fn why(&self) -> &'static str {
        "Which machine is it, what does it run on, since when, and is its clock right?"
    }

    fn tags(&self) -> &'static [&'static str] {
        &["base"]
    }

    fn plan(&self, host: &collect::Host, params: &Params) -> Vec<PlannedItem> {
        let mut p = Planner::new(self.id(), self.why(), host, params);
        p.native("host", "hostname", hostname)
            .row(1)
            .must()
            .link("hostname");
        p.file("/etc/hostname", 4 << 10).row(1).must();
        p.live("date", "clock", clock).row(6).must();
        p.finish()
    }
}

fn hostname(n: &mut Native<'_>) -> Result<(), Miss> {
    let name = n
        .host
        .value("/proc/sys/kernel/hostname")
        .or_else(|| n.host.value("/etc/hostname"))
        .ok_or_else(|| Miss::absent("no host name"))?;
    writeln!(n.out, "{name}")?;
    Ok(())
}

fn clock(n: &mut Native<'_>) -> Result<(), Miss> {
    let state = sys::clock_state().ok_or_else(|| Miss::failed("adjtimex gives nothing"))?;
    writeln!(
        n.out,
        "synchronized: {}",
        if state.synchronized { "yes" } else { "no" }
    )?;
    writeln!(n.out, "offset_ms: {:.3}", state.offset_ms)?;
    writeln!(n.out, "max_error_ms: {:.3}", state.max_error_ms)?;
    writeln!(n.out, "status: {:#06x}", state.status)?;
    Ok(())
}
