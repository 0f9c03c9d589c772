//! Where the upload code comes from: argument, link, file, standard input, environment.

use super::App;
use crate::error::Failure;
use crate::ui::Answer;
use crate::upload::{Collector, Destination, UploadError, Via, Way, from_environment};
use clap::Args;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of a code is one line.
const MAX_CODE_FILE_BYTES: u64 = 4096;

/// Flags of commands that talk to a collector.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Collector")]
pub struct CodeArgs {
    /// Upload code, or the link of the upload page; - reads it from standard input
    #[arg(value_name = "CODE|LINK", help_heading = None)]
    pub code: Option<String>,
    /// Read the code from a file that only you can read
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    pub code_file: Option<PathBuf>,
    /// Collector to talk to when only a code is given
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Trust the certificates in this file besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<String>,
    /// Certificate and key (PEM) that this host identifies itself with
    #[arg(long, value_name = "FILE")]
    pub client_cert: Option<String>,
    /// Proxy: http://HOST:PORT, or none; else HTTPS_PROXY and NO_PROXY decide
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Send at most this many bytes a second
    #[arg(long, value_name = "BYTES")]
    pub limit_rate: Option<String>,
}

impl CodeArgs {
    /// Takes the flags into the settings.
    pub fn apply(&self, app: &mut App) -> Result<(), Failure> {
        let flags = [
            ("url", "--url", &self.url),
            ("ca_file", "--ca-file", &self.ca_file),
            ("client_cert", "--client-cert", &self.client_cert),
            ("proxy", "--proxy", &self.proxy),
            ("upload.max_rate", "--limit-rate", &self.limit_rate),
        ];
        for (key, flag, value) in flags {
            if let Some(value) = value {
                app.config.flag(key, flag, value)?;
            }
        }
        let secret = |url: &String| Via::parse(url, "--proxy").is_ok_and(|via| via.has_password());
        if self.proxy.as_ref().is_some_and(secret) {
            return Err(Failure::usage(
                "a password on the command line can be read by every user of this computer",
            )
            .hint("put the proxy into HTTPS_PROXY, or `proxy` into the configuration"));
        }
        Ok(())
    }

    /// The destination, if a code is given anywhere.
    pub fn destination(&self, app: &mut App) -> Result<Option<Destination>, Failure> {
        let text = match (&self.code, &self.code_file) {
            (Some(dash), _) if dash == "-" => match app.ui.answer() {
                Answer::Line(line) => Some(line),
                Answer::End => return Err(Failure::usage("no upload code on standard input")),
                Answer::Interrupted | Answer::TimedOut => return Err(app.interrupted()),
            },
            (Some(code), _) => Some(code.clone()),
            (None, Some(path)) => Some(read_code(path)?),
            (None, None) => app.ui.io.var("SITREP_CODE").map(str::to_owned),
        };
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        Destination::parse(&text, app.config.text("url"))
            .map(Some)
            .map_err(|error| error.failure("cannot use this upload code"))
    }
}

impl App {
    /// The connection to a destination by the settings.
    pub fn collector(&self, destination: Destination) -> Result<Collector, UploadError> {
        let file = |key: &str| self.config.text(key).map(PathBuf::from);
        let way = Way {
            ca_file: file("ca_file"),
            client_cert: file("client_cert"),
            proxy: self
                .proxy(&destination)
                .transpose()
                .map_err(UploadError::Proxy)?,
            hidden_by: ["SSL_CERT_FILE", "SSL_CERT_DIR"]
                .into_iter()
                .find(|name| self.ui.io.var(name).is_some()),
        };
        Collector::new(destination, way, self.ui.io.interrupt.clone())
    }

    /// The proxy by settings, else by the environment. One that is set counts for every address.
    fn proxy(&self, destination: &Destination) -> Option<Result<Via, String>> {
        match self.config.setting("proxy") {
            Some(setting) => {
                let url = setting.values.first().filter(|url| *url != "none")?;
                Some(Via::parse(url, setting.origin.to_string()))
            }
            None => from_environment(destination, |name| self.ui.io.var(name)),
        }
    }

    /// The failure that Ctrl-C or SIGTERM ends in.
    pub fn interrupted(&self) -> Failure {
        let exit = self
            .ui
            .io
            .interrupt
            .signal()
            .map_or(crate::error::Exit::Interrupted, |s| s.exit());
        Failure::new(exit, format!("{}; nothing was sent", exit.word()))
    }
}

fn read_code(path: &Path) -> Result<String, Failure> {
    use std::os::unix::fs::MetadataExt;
    let what = || format!("cannot read the upload code from {}", path.display());
    let file = std::fs::File::open(path).map_err(|error| Failure::usage(what()).because(error))?;
    let meta = file
        .metadata()
        .map_err(|error| Failure::usage(what()).because(error))?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        return Err(
            Failure::usage(format!("{}: other users can read it", what()))
                .hint(format!("chmod 600 {}", path.display())),
        );
    }
    let mut text = String::new();
    file.take(MAX_CODE_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(what()).because(error))?;
    Ok(text.lines().next().unwrap_or("").trim().to_owned())
}
