//! What a reading thread of root may do: look, and not touch. The rights to write, load, boot, set the clock
//! and their like are laid down for good, by the commands that it starts as well; those that some readers
//! need are raised for their one call. Of a user without rights nothing changes.

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// In force while reading: see every file and process, ask for the kernel's log, open a user's file as that
/// user.
const READING: CapabilitySet = CapabilitySet::DAC_READ_SEARCH
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::SYSLOG)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID);

/// What the commands of the table need to look at devices, rules and counters, besides.
const COMMANDS: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SYS_RAWIO)
    .union(CapabilitySet::IPC_LOCK)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_CONTROL)
    .union(CapabilitySet::AUDIT_READ)
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::BPF);

/// Lays rights down, for the calling thread. Where the kernel refuses, they stay: reading goes on.
pub fn lay_down() {
    let Ok(own) = capabilities(None) else { return };
    let kept = own.permitted & (READING | COMMANDS);
    let _ = set_capabilities(
        None,
        CapabilitySets {
            effective: own.effective & READING,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    );
}

/// Runs `body` with the administrator's right, where this thread may have it.
pub fn as_administrator<T>(body: impl FnOnce() -> T) -> T {
    let before = capabilities(None).ok();
    if let Some(own) = before {
        let more = own.permitted & CapabilitySet::SYS_ADMIN;
        let effective = own.effective | more;
        let _ = set_capabilities(None, CapabilitySets { effective, ..own });
    }
    let result = body();
    if let Some(own) = before {
        let _ = set_capabilities(None, own);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_thread_cannot_write_what_is_not_its_own() {
        let after = std::thread::spawn(|| {
            lay_down();
            let low = capabilities(None).expect("rights");
            let high = as_administrator(|| capabilities(None).expect("rights"));
            (low, high, capabilities(None).expect("rights"))
        });
        let (low, high, again) = after.join().expect("ends");
        for right in [
            CapabilitySet::DAC_OVERRIDE,
            CapabilitySet::SYS_MODULE,
            CapabilitySet::SYS_TIME,
        ] {
            assert!(!low.permitted.contains(right));
        }
        assert!(!low.effective.contains(CapabilitySet::SYS_ADMIN) && low == again);
        let may = low.permitted.contains(CapabilitySet::SYS_ADMIN);
        assert_eq!(high.effective.contains(CapabilitySet::SYS_ADMIN), may);
    }
}
