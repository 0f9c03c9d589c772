//! The few system calls that no safe crate offers. Each is one call with plain integers; nothing else of
//! the agent is unsafe.
#![allow(unsafe_code)] // ioprio_set, adjtimex, cachestat, setfsuid and pre_exec have no safe binding in rustix

use super::miss::Miss;
use std::os::fd::{AsFd as _, AsRawFd as _};
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

/// Gives large buffers back to the system as soon as they are freed. Otherwise the C library learns from the
/// first one to keep them, and a run holds what it needed once.
pub fn keep_memory_low() {
    #[cfg(target_env = "gnu")]
    {
        /// Above the chunks that are handed from thread to thread, below the blocks of a bundle.
        const LARGE: libc::c_int = 512 << 10;
        // SAFETY: two integers; it sets a parameter of malloc.
        let _ = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    }
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
///
/// # Errors
/// The kernel's; a container may not allow to look.
pub fn clock_state() -> std::io::Result<ClockState> {
    // SAFETY: an all-zero timex is valid, and modes 0 only reads.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live timex.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Err(std::io::Error::last_os_error());
    }
    const STA_UNSYNC: i32 = 0x0040;
    const STA_NANO: i32 = 0x2000;
    let per_ms = if timex.status & STA_NANO != 0 {
        1e6
    } else {
        1e3
    };
    Ok(ClockState {
        synchronized: timex.status & STA_UNSYNC == 0 && state != 5,
        offset_ms: timex.offset as f64 / per_ms,
        max_error_ms: timex.maxerror as f64 / 1e3,
        status: timex.status,
    })
}

/// Pages of a part of a file that are in the page cache, where the kernel (6.5) can say.
pub fn cached_pages(file: &std::fs::File, from: u64, length: u64) -> Option<u64> {
    const SYS_CACHESTAT: libc::c_long = 451;
    let range = [from, length];
    // Cached, dirty, under writeback, evicted, recently evicted.
    let mut counts = [0_u64; 5];
    // SAFETY: both pointers are to live arrays of the sizes that the call is defined with.
    let result = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            range.as_ptr(),
            counts.as_mut_ptr(),
            0,
        )
    };
    (result == 0).then_some(counts[0])
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

/// Runs `body` inside the network namespace at `path`, on a thread of its own that ends with it.
///
/// # Errors
/// A miss: no such namespace, or no right to enter it.
pub fn in_network_namespace<T: Send + 'static>(
    path: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Miss> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let place = std::fs::File::open(path)?;
    let inside = move || -> Result<T, Miss> {
        super::rights::as_administrator(|| {
            move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network))
        })
        .map_err(std::io::Error::from)?;
        Ok(body())
    };
    let thread = std::thread::Builder::new().spawn(inside)?;
    thread
        .join()
        .unwrap_or_else(|_| Err(Miss::failed("its reader panicked")))
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
