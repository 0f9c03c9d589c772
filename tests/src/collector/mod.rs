//! The support team's side: the real collector on a free loopback port. What an
//! engineer asks of it is in `api`, single requests are in `requests`, what an uploader sends in `tus`.

mod api;
mod requests;
mod tus;

pub use api::{Evidence, Finding, Ticket};

use crate::binaries;
use crate::process::{self, Running, wait_for};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A running collector with one administrator.
pub struct Collector {
    process: Running,
    data_dir: PathBuf,
    setting: Setting,
    address: SocketAddr,
    token: String,
    client: reqwest::blocking::Client,
}

/// What a collector in a test may have that others have not.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// HTTPS with a certificate of its own instead of plain HTTP.
    pub tls: bool,
    /// Its clock, as `faketime` writes it: `+80h`.
    pub clock: Option<&'static str>,
    /// Its folder is a file system of its own of this many bytes, which ends with the process.
    pub disk_bytes: Option<u64>,
    /// More of its environment, such as settings.
    pub env: Vec<(String, String)>,
}

const PASSWORD: &str = "a-password-for-this-demo-only";
const NAME: &str = "admin";

impl Collector {
    /// Starts a collector with a fresh `data_dir` and makes the administrator.
    ///
    /// # Errors
    /// With what the collector wrote to its log, when it does not come up.
    pub fn start(data_dir: &Path) -> Result<Self, String> {
        Self::start_with(data_dir, Setting::default())
    }

    /// [`Collector::start`] with something special.
    ///
    /// # Errors
    /// The same.
    pub fn start_with(data_dir: &Path, setting: Setting) -> Result<Self, String> {
        std::fs::create_dir_all(data_dir)
            .map_err(|error| format!("cannot make {}: {error}", data_dir.display()))?;
        let mut collector = Self::run(data_dir, setting)?;
        collector.token = collector.set_up()?;
        Ok(collector)
    }

    fn run(data_dir: &Path, setting: Setting) -> Result<Self, String> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (process, address) = launch(data_dir, anywhere, &setting)?;
        Ok(Self {
            process,
            data_dir: data_dir.to_path_buf(),
            client: client(setting.tls.then(|| certificate(data_dir)).as_deref())?,
            setting,
            address,
            token: String::new(),
        })
    }

    /// Starts another replica on the same database and store, with a folder of its own.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn replica(&self, data_dir: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(data_dir).map_err(|error| error.to_string())?;
        let mut setting = self.setting.clone();
        let pepper = self.data_dir.join("pepper").display().to_string();
        setting.env.push(("SITREPD_PEPPER_FILE".to_owned(), pepper));
        let mut replica = Self::run(data_dir, setting)?;
        replica.token.clone_from(&self.token);
        Ok(replica)
    }

    /// Asks from now on with the token of another collector, whose accounts this one has got.
    pub fn take_token_of(&mut self, other: &Self) {
        self.token.clone_from(&other.token);
    }

    /// Changes its environment from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.setting.env.push((name.to_owned(), value.to_owned()));
    }

    /// Its folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Its folder as it sees it, from outside.
    #[must_use]
    pub fn inside(&self) -> PathBuf {
        inside(self.id(), &self.data_dir, &self.setting)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal to the service.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Waits for its end; the exit code, or `None` by a signal.
    ///
    /// # Errors
    /// When the limit passes first.
    pub fn wait_for_end(&mut self, limit: Duration) -> Result<Option<i32>, String> {
        self.process.wait(limit)
    }

    /// Starts it again after its end, on the same data and port.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<(), String> {
        let (process, address) = launch(&self.data_dir, self.address, &self.setting)?;
        (self.process, self.address) = (process, address);
        Ok(())
    }

    /// Runs a command of `sitrepd` with the settings of this service; exit code, output and errors.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn administer(&self, arguments: &[&str]) -> Result<(Option<i32>, String, String), String> {
        let mut command = process::command(&binaries::sitrepd());
        command
            .args(arguments)
            .env("SITREPD_DATA_DIR", &self.data_dir);
        command.env("SITREPD_TLS_MODE", "off");
        command.envs(self.setting.env.iter().cloned());
        let told = process::output(&mut command)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((told.status.code(), text(&told.stdout), text(&told.stderr)))
    }

    /// The first administrator by the one-time setup token, and a token for the API.
    fn set_up(&self) -> Result<String, String> {
        let file = self.inside().join("setup-token");
        let token = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let body = json!({"token": token.trim(), "login": NAME, "password": PASSWORD});
        let made = self.post("/api/v1/setup", &body)?;
        api::text(&made, "token")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its pages.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.setting.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate that a customer has to trust, under TLS.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        certificate(&self.data_dir)
    }

    /// The administrator's name.
    #[must_use]
    pub fn admin_name(&self) -> &'static str {
        NAME
    }

    /// The administrator's password.
    #[must_use]
    pub fn admin_password(&self) -> &'static str {
        PASSWORD
    }

    /// Peak resident memory of the service itself, its children apart.
    #[must_use]
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        self.process.peak_rss_bytes()
    }

    /// Kills the service as a power cut would, and starts it again on the same
    /// data and port.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn crash_and_restart(&mut self) -> Result<(), String> {
        self.process.kill();
        self.start_again()
    }

    /// Starts again with another clock, see [`Setting::clock`].
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn restart_at(&mut self, clock: &'static str) -> Result<(), String> {
        self.setting.clock = Some(clock);
        self.crash_and_restart()
    }

    /// Kills the service and leaves it down.
    pub fn crash(&mut self) {
        self.process.kill();
    }

    /// Waits for Ctrl-C, which ends the whole process group.
    pub fn wait_until_interrupted(mut self) {
        drop(self.process.wait(Duration::from_secs(30 * 24 * 3600)));
    }
}

fn certificate(data_dir: &Path) -> PathBuf {
    data_dir.join("tls/certificate.pem")
}

fn client(certificate: Option<&Path>) -> Result<reqwest::blocking::Client, String> {
    // Another test of this process may have been first: that is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut client = reqwest::blocking::Client::builder()
        .timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    let trusted = match certificate {
        Some(path) => {
            let pem =
                std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())?
        }
        None => Vec::new(),
    };
    client = client.tls_certs_only(trusted);
    client.build().map_err(|error| error.to_string())
}

/// A folder of the process; its root is another than ours when it has mounts of its own.
fn inside(id: u32, data_dir: &Path, setting: &Setting) -> PathBuf {
    match setting.disk_bytes {
        Some(_) => Path::new("/proc")
            .join(id.to_string())
            .join("root")
            .join(data_dir.strip_prefix("/").unwrap_or(data_dir)),
        None => data_dir.to_path_buf(),
    }
}

/// The service in a mount namespace of its own, with a small file system at its folder.
fn on_a_disk_of(bytes: u64, data_dir: &Path) -> std::process::Command {
    let mut command = process::command(Path::new("/usr/bin/unshare"));
    command
        .args(["-rm", "sh", "-c"])
        .arg("mount -t tmpfs -o size=\"$1\" none \"$2\" && shift 2 && exec \"$@\"")
        .arg("sh")
        .arg(bytes.to_string())
        .arg(data_dir)
        .arg(binaries::sitrepd());
    command
}

/// Starts `sitrepd serve`; the address comes from the file that it writes when
/// it is ready.
fn launch(
    data_dir: &Path,
    listen: SocketAddr,
    setting: &Setting,
) -> Result<(Running, SocketAddr), String> {
    drop(std::fs::remove_file(data_dir.join("address")));
    let log_path = data_dir.join("service.log");
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|error| error.to_string())?;
    let mut command = match setting.clock {
        // Timers stay true: only what time it is changes, as on a host with a wrong clock.
        Some(clock) => {
            let mut command = process::command(Path::new("/usr/bin/faketime"));
            command
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .args(["-f", clock])
                .arg(binaries::sitrepd());
            command
        }
        None => match setting.disk_bytes {
            Some(bytes) => on_a_disk_of(bytes, data_dir),
            None => process::command(&binaries::sitrepd()),
        },
    };
    command
        .arg("serve")
        .env("SITREPD_DATA_DIR", data_dir)
        .env("SITREPD_LISTEN", listen.to_string())
        .env("SITREPD_TLS_MODE", if setting.tls { "own" } else { "off" })
        .envs(setting.env.iter().cloned())
        .stdout(Stdio::null())
        .stderr(log);
    // Keys of age that a test has put there.
    let key = data_dir.join("age.key");
    if key.exists() {
        command.env("SITREPD_ENCRYPTION_IDENTITY_FILE", key);
    }
    if let Ok(recipient) = std::fs::read_to_string(data_dir.join("age.pub")) {
        command.env("SITREPD_ENCRYPTION_RECIPIENT", recipient.trim());
    }
    let mut process = match setting.clock {
        Some(_) => Running::start_group(&mut command)?,
        None => Running::start(&mut command)?,
    };
    let ready = inside(process.id(), data_dir, setting).join("address");
    let mut address = None;
    let came_up = wait_for("the collector to be ready", Duration::from_secs(60), || {
        address = std::fs::read_to_string(&ready)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        address.is_some()
    });
    match (came_up, address) {
        (Ok(()), Some(address)) => Ok((process, address)),
        (error, _) => {
            process.kill();
            Err(format!(
                "{error:?}\n{}",
                std::fs::read_to_string(&log_path).unwrap_or_default()
            ))
        }
    }
}
