//! The few system calls that no safe crate offers. Each is one call with plain integers; nothing else of
//! the agent is unsafe.
#![allow(unsafe_code)] // ioprio_set, adjtimex, setfsuid and pre_exec have no safe binding in rustix

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Makes the calling thread, and every command it starts, as cheap for the host as possible: nice 19, idle
/// I/O class, and no way to gain rights. Failures are ignored: less polite is better than nothing.
pub fn be_harmless() {
    let _ = rustix::process::setpriority_process(None, 19);
    let _ = rustix::thread::set_no_new_privs(true);
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    const IOPRIO_IDLE: libc::c_int = 3 << 13;
    // SAFETY: three integers; who 0 is the calling thread.
    let _ = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE) };
}

/// State of the kernel's clock discipline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockState {
    /// Whether the kernel thinks that the clock is synchronised.
    pub synchronized: bool,
    /// Offset that is being corrected, milliseconds.
    pub offset_ms: f64,
    /// Maximum error, milliseconds.
    pub max_error_ms: f64,
    /// Status bits of `adjtimex`.
    pub status: i32,
}

/// Reads the clock discipline without changing it.
pub fn clock_state() -> Option<ClockState> {
    // SAFETY: an all-zero timex is valid, and modes 0 only reads.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live timex.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return None;
    }
    const STA_UNSYNC: i32 = 0x0040;
    const STA_NANO: i32 = 0x2000;
    let per_ms = if timex.status & STA_NANO != 0 {
        1e6
    } else {
        1e3
    };
    Some(ClockState {
        synchronized: timex.status & STA_UNSYNC == 0 && state != 5,
        offset_ms: timex.offset as f64 / per_ms,
        max_error_ms: timex.maxerror as f64 / 1e3,
        status: timex.status,
    })
}

/// Runs `body` with the file rights of another user (files of users are never opened with root's rights).
/// Only the calling thread is affected.
pub fn with_file_rights_of<T>(uid: u32, gid: u32, body: impl FnOnce() -> T) -> T {
    // SAFETY: integers only; the calls concern the calling thread and are undone below.
    let (old_uid, old_gid) = unsafe {
        let old_gid = libc::setfsgid(gid);
        (libc::setfsuid(uid), old_gid)
    };
    let result = body();
    // SAFETY: as above.
    unsafe {
        libc::setfsuid(old_uid.cast_unsigned());
        libc::setfsgid(old_gid.cast_unsigned());
    }
    result
}

/// Ends the command with us and limits what it can use.
pub fn confine(command: &mut Command, cpu_seconds: u64) {
    let limit = move || {
        use rustix::process::{Resource, Rlimit, Signal, setrlimit};
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        for (resource, value) in [
            (Resource::Cpu, cpu_seconds),
            (Resource::Core, 0),
            // A diagnostic command has nothing to write; lock files fit.
            (Resource::Fsize, 1 << 20),
            // Programs in Go reserve much more address space than they use.
            (Resource::As, 8 << 30),
        ] {
            let _ = setrlimit(
                resource,
                Rlimit {
                    current: Some(value),
                    maximum: Some(value),
                },
            );
        }
        Ok(())
    };
    // SAFETY: only async-signal-safe system calls between fork and exec, and no allocation.
    unsafe {
        command.pre_exec(limit);
    }
}
