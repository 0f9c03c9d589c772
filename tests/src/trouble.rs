//! Real trouble that harms nobody: a small service whose log disk is full, and
//! a process that crashes. The messages are written by the kernel and the
//! standard library, not by us.

use crate::process;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The argument that turns the demo program into the service in trouble.
pub const SERVICE_ARGUMENT: &str = "--as-exporter-service";
/// The argument that turns the demo program into a process that crashes.
pub const CRASH_ARGUMENT: &str = "--as-crashing-process";

/// A service's log and the profile that collects it.
pub struct Trouble {
    /// The log that the service wrote.
    pub log: PathBuf,
    /// The service's configuration, which somebody may change.
    pub config: PathBuf,
    /// A profile that adds both to the standard one.
    pub profile: PathBuf,
}

/// Makes trouble below `dir` by running the demo program twice: once as a
/// service that writes to a full device, once as a process that crashes.
///
/// # Errors
/// Says what could not be started or written.
pub fn provoke(dir: &Path) -> Result<Trouble, String> {
    let this = crate::binaries::folder().join("demo");
    let log = dir.join("exporter.log");
    let ended = process::command(&this)
        .arg(SERVICE_ARGUMENT)
        .arg(&log)
        .status()
        .map_err(|error| format!("cannot start the service: {error}"))?;
    if ended.success() {
        return Err("the service found room on a full device".to_owned());
    }
    // Its end is not checked: where crashes are not logged it leaves nothing.
    drop(process::command(&this).arg(CRASH_ARGUMENT).status());
    let config = dir.join("etc/exporter.conf");
    let profile = dir.join("exporter.toml");
    std::fs::create_dir_all(dir.join("etc")).map_err(|error| error.to_string())?;
    for (path, text) in [
        (&config, CONFIG.to_owned()),
        (&profile, profile_text(&log, &config)),
    ] {
        std::fs::write(path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(Trouble {
        log,
        config,
        profile,
    })
}

/// How the service is set up.
const CONFIG: &str =
    "[export]\ntarget = /dev/full\ntables = orders, invoices, customers\nretries = 0\n";

fn profile_text(log: &Path, config: &Path) -> String {
    format!(
        "name = \"exporter\"\nversion = \"1\"\ntitle = \"Everything usual, and the exporter's log\"\ntags = [\"base\", \"usual\"]\n\n\
         [[add]]\nfile = \"{}\"\nlimit = 1048576\nlog = true\n\n[[add]]\nfile = \"{}\"\nlimit = 65536\n",
        log.display(),
        config.display()
    )
}

/// Runs as the service: exports to `/dev/full` until that fails, and logs what
/// the operating system said. Returns the exit code.
#[must_use]
pub fn serve_until_full(log: &Path) -> u8 {
    match export(log) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn export(log: &Path) -> std::io::Result<()> {
    let mut log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut say = |level: &str, text: &str| {
        writeln!(
            log,
            "{} {level} exporter[{}]: {text}",
            now(),
            std::process::id()
        )
    };
    say("INFO", "nightly export started, 3 tables, target /dev/full")?;
    say(
        "INFO",
        "connecting to database host=db01 user=exporter password=correct-horse-battery",
    )?;
    let mut target = File::options().write(true).open("/dev/full")?;
    for table in ["orders", "invoices", "customers"] {
        say("INFO", &format!("exporting table {table}"))?;
        if let Err(error) = target.write_all(&[0; 4096]) {
            say(
                "ERROR",
                &format!("cannot write the export of {table}: {error}"),
            )?;
            say("ERROR", "nightly export failed")?;
            return Err(error);
        }
    }
    say("INFO", "nightly export done")
}

fn now() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    sitrep_shared::time::UtcMs(i64::try_from(since.as_millis()).unwrap_or_default()).rfc3339()
}

/// Ends by a real segmentation fault, which the kernel logs.
#[expect(
    unsafe_code,
    reason = "the crash is the purpose: the kernel's own message about it is what gets collected"
)]
pub fn crash() -> ! {
    unsafe {
        let no_core = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        std::ptr::null_mut::<u32>().write_volatile(1);
    }
    std::process::abort()
}
