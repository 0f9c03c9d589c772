//! Azurite, Microsoft's own stand-in for Azure Blob Storage, on loopback. Its package is installed by `tests/run`.

use crate::peers::free_port;
use crate::process::{self, Running, output, wait_for};
use crate::workspace_root;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const ACCOUNT: &str = "sitrep";
/// Of an account that is nowhere else.
const KEY: &str = "c2l0cmVwLXRlc3RzLW9ubHktc2l0cmVwLXRlc3RzLW9ubHk=";
const CONTAINER: &str = "bundles";

/// A running store with a container.
pub struct Azurite {
    _process: Running,
    url: String,
}

impl Azurite {
    /// Starts it on a folder.
    ///
    /// # Errors
    /// When the package is missing or it does not come up.
    pub fn start(dir: &Path) -> Result<Self, String> {
        let program =
            workspace_root().join("target/node/node_modules/azurite/dist/src/blob/main.js");
        if !program.exists() {
            return Err("azurite is missing: tests/run installs it".to_owned());
        }
        std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
        let port = free_port()?;
        let mut command = process::command(Path::new("node"));
        command.arg(program).arg("--location").arg(dir);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        command.args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"]);
        command.env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"));
        let log = std::fs::File::create(dir.join("log")).map_err(|error| error.to_string())?;
        let process = Running::start(command.stdout(Stdio::null()).stderr(log))?;
        let azurite = Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}"),
        };
        wait_for("the container", Duration::from_secs(60), || {
            azurite.ask("create").is_ok()
        })?;
        Ok(azurite)
    }

    fn ask(&self, what: &str) -> Result<String, String> {
        let mut command = process::command(Path::new("node"));
        command
            .arg(workspace_root().join("tests/fixtures/peers/azure.mjs"))
            .args([&self.url, ACCOUNT, KEY, what, CONTAINER]);
        let told = output(&mut command)?;
        if told.status.success() {
            Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&told.stderr).into_owned())
        }
    }

    /// Blobs in the container.
    ///
    /// # Errors
    /// With what the store says.
    pub fn objects(&self) -> Result<u64, String> {
        self.ask("count")?
            .parse()
            .map_err(|_| "no count".to_owned())
    }

    /// What a collector must be told to use it, under a prefix.
    #[must_use]
    pub fn settings(&self, prefix: &str) -> Vec<(String, String)> {
        [
            ("KIND", "azure"),
            ("ENDPOINT", &format!("{}/{ACCOUNT}", self.url)),
            ("BUCKET", CONTAINER),
            ("PREFIX", prefix),
            ("ACCESS_KEY_ID", ACCOUNT),
            ("SECRET_ACCESS_KEY", KEY),
        ]
        .map(|(name, value)| (format!("SITREPD_STORAGE_{name}"), value.to_owned()))
        .to_vec()
    }
}
