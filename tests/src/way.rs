//! The way between one customer and one collector: what `sitrep check` says of it, step by step.

use crate::agent::Agent;
use crate::collector::{Collector, Setting};
use crate::process;
use std::path::PathBuf;

/// A collector and a customer.
pub struct World {
    dir: tempfile::TempDir,
    /// The one side.
    pub collector: Collector,
    /// The other.
    pub agent: Agent,
}

impl World {
    /// Both, with or without TLS.
    ///
    /// # Errors
    /// When something does not start.
    pub fn new(tls: bool) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let setting = Setting {
            tls,
            ..Setting::default()
        };
        let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
        let agent = Agent::new(&dir.path().join("customer"))?;
        Ok(Self {
            dir,
            collector,
            agent,
        })
    }

    /// A path in the folder of this world.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A link of a new ticket, for the address `base`.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn link(&self, base: &str) -> Result<(String, String), String> {
        let ticket = self.collector.create_ticket("The way")?;
        let code = self.collector.create_code_only(&ticket.id)?;
        Ok((ticket.id, format!("{base}/u/{code}")))
    }

    /// A kept bundle of this host.
    ///
    /// # Errors
    /// With what the agent said.
    pub fn bundle(&self) -> Result<String, String> {
        let path = self.path("bundle.tar.gz").display().to_string();
        let ended = self.agent.run(&[
            "run",
            "--profile",
            "minimal",
            "--no-send",
            "--yes",
            "--allow-partial",
            "-o",
            &path,
        ])?;
        if ended.code == Some(0) {
            Ok(path)
        } else {
            Err(ended.stderr)
        }
    }

    /// The certificate to trust.
    #[must_use]
    pub fn trusted(&self) -> String {
        self.collector.certificate().display().to_string()
    }

    /// `sitrep check` with these flags: every step by name.
    ///
    /// # Errors
    /// When it gives no result.
    pub fn check(&self, flags: &[&str], env: &[(&str, &str)]) -> Result<Steps, String> {
        let mut command = self.agent.command(&[&["check", "--json"], flags].concat());
        command.envs(env.iter().copied());
        Steps::of(&process::output(&mut command)?)
    }

    /// A configuration of the agent with a proxy and its password.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn config(&self, proxy: &str) -> Result<String, String> {
        let path = self.path("agent.toml");
        std::fs::write(&path, format!("proxy = \"{proxy}\"\n"))
            .map_err(|error| error.to_string())?;
        Ok(path.display().to_string())
    }
}

/// What `sitrep check --json` said.
pub struct Steps {
    /// Its exit code.
    pub code: Option<i32>,
    /// Every step.
    pub rows: serde_json::Value,
}

impl Steps {
    /// Reads the result.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(output: &std::process::Output) -> Result<Self, String> {
        let text = String::from_utf8_lossy(&output.stdout);
        let rows: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
            format!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
        })?;
        Ok(Self {
            code: output.status.code(),
            rows: rows["steps"].clone(),
        })
    }

    /// Level and what was seen of a step, as `fail tls_expired`.
    #[must_use]
    pub fn step(&self, name: &str) -> String {
        let rows = self.rows.as_array().map_or(&[][..], Vec::as_slice);
        rows.iter().find(|row| row["name"] == name).map_or_else(
            || "none".to_owned(),
            |row| {
                format!(
                    "{} {}",
                    row["level"].as_str().unwrap_or(""),
                    row["what"].as_str().unwrap_or("")
                )
            },
        )
    }

    /// Holds steps and exit code against what is expected; what failed must say what to do.
    ///
    /// # Panics
    /// When they differ.
    pub fn assert(&self, code: i32, expected: &[(&str, &str)]) {
        for (name, wanted) in expected {
            assert_eq!(&self.step(name), wanted, "{name}: {:#}", self.rows);
        }
        assert_eq!(self.code, Some(code), "{:#}", self.rows);
        let failed = self.rows.as_array().into_iter().flatten();
        for row in failed.filter(|row| row["level"] == "fail") {
            assert!(row["fix"].is_string(), "no fix for {row}");
        }
    }
}
