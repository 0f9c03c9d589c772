//! What a finished process and its children used, by the system's own account.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The cost of one run of a command.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Seconds from start to end.
    pub wall_s: f64,
    /// CPU seconds in user space, children that were waited for included.
    pub user_s: f64,
    /// CPU seconds in the kernel, likewise.
    pub sys_s: f64,
    /// The largest single process, in bytes.
    pub peak_rss_bytes: u64,
    /// Bytes that went to files, in 512-byte blocks as the kernel counts them.
    pub written_bytes: u64,
    /// The exit code, if it ended by itself.
    pub code: Option<i32>,
}

impl Usage {
    /// User and system CPU seconds together.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.sys_s
    }
}

/// Runs `command` to its end, its output thrown away, and says what it cost.
///
/// # Errors
/// When it cannot be started, or fails with more than "partial" (3).
#[expect(
    unsafe_code,
    reason = "wait4(2) is the only way to the usage of one single child"
)]
pub fn of(command: &mut Command) -> Result<Usage, String> {
    let start = Instant::now();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    let id = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    if unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) } != id {
        return Err(format!(
            "cannot wait for {}",
            command.get_program().display()
        ));
    }
    let wall_s = start.elapsed().as_secs_f64();
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    if !matches!(code, Some(0 | 3)) {
        return Err(format!("{:?} ended with {code:?}", command));
    }
    let bytes = |blocks: i64, unit: u64| u64::try_from(blocks).unwrap_or_default() * unit;
    Ok(Usage {
        wall_s,
        user_s: seconds(usage.ru_utime),
        sys_s: seconds(usage.ru_stime),
        peak_rss_bytes: bytes(usage.ru_maxrss, 1024),
        written_bytes: bytes(usage.ru_oublock, 512),
        code,
    })
}

fn seconds(time: libc::timeval) -> f64 {
    let micros = u64::try_from(time.tv_usec).unwrap_or_default();
    let whole = u64::try_from(time.tv_sec).unwrap_or_default();
    (Duration::from_secs(whole) + Duration::from_micros(micros)).as_secs_f64()
}
