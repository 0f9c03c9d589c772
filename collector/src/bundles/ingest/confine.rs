//! Taking rights away from the child before it reads the first untrusted byte: limits of the kernel, no new
//! privileges, no files (Landlock), and only the system calls that reading a pipe and computing need (seccomp).
//!
//! Limits and no-new-privileges are required; Landlock and seccomp are used where the kernel has them, and the child
//! says which.

use std::collections::BTreeMap;

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use sitrep_shared::bundle::limits::Limits;

/// Address space beyond the memory that may be used, in bytes: stacks, the program itself, what is mapped and never touched.
const MAPPED_BYTES: u64 = 384 << 20;

/// CPU seconds between the signal that the time is used up and the kill.
const CPU_GRACE_S: u64 = 2;

/// Why the child could not be confined.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A limit was refused.
    #[error("set a limit")]
    Limit(#[source] rustix::io::Errno),
    /// The kernel does not take no-new-privileges.
    #[error("give up new privileges")]
    Privileges(#[source] rustix::io::Errno),
}

/// Which of the optional walls stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    /// No file can be opened and no socket bound or connected.
    pub landlock: bool,
    /// Only listed system calls work.
    pub seccomp: bool,
}

/// Confines this process for good. To be called before any thread is started and before input is read.
///
/// # Errors
/// When a required wall cannot be put up; the child must end then.
pub fn confine(input_bytes: u64, limits: &Limits) -> Result<Walls, ConfineError> {
    let cpu = limits.cpu_seconds_for(input_bytes);
    let memory = limits.memory_bytes.saturating_add(MAPPED_BYTES);
    // No descriptor beyond the standard three is needed, and none can be made with so low a limit.
    // A signal of its own tells that the time is used up; the kernel's kill follows for who does not hear.
    limit_to(Resource::Cpu, cpu, cpu.saturating_add(CPU_GRACE_S))?;
    for (resource, value) in [
        (Resource::As, memory),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, 8),
    ] {
        limit(resource, value)?;
    }
    rustix::thread::set_no_new_privs(true).map_err(ConfineError::Privileges)?;
    Ok(Walls {
        landlock: landlock(),
        seccomp: seccomp(),
    })
}

fn limit(resource: Resource, value: u64) -> Result<(), ConfineError> {
    limit_to(resource, value, value)
}

fn limit_to(resource: Resource, value: u64, most: u64) -> Result<(), ConfineError> {
    setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(most),
        },
    )
    .map_err(ConfineError::Limit)
}

fn landlock() -> bool {
    let abi = ABI::V5;
    let made = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    made.is_ok_and(|status| status.ruleset != landlock::RulesetStatus::NotEnforced)
}

/// Everything but the list fails with EPERM, so that a library that tries more gets an error, not a kill.
fn seccomp() -> bool {
    let allowed = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_clone3,
        libc::SYS_clone,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_prctl,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return false;
    };
    let rules: BTreeMap<i64, _> = allowed.into_iter().map(|call| (call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap_or(1));
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)
        .and_then(BpfProgram::try_from)
        .is_ok_and(|program| seccompiler::apply_filter_all_threads(&program).is_ok())
}
