//! What can go wrong on the way to the collector, and what helps.

use crate::error::{Exit, Failure};
use sitrep_shared::protocol::Problem;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A failed step of talking to the collector.
#[derive(Debug, Error)]
pub enum UploadError {
    /// The text is neither a code nor a link.
    #[error("that is not an upload code or link")]
    CodeForm,
    /// A bare code, and no collector configured.
    #[error("the code alone does not say which address to send to")]
    NoAddress,
    /// The address cannot be parsed.
    #[error("cannot understand the address {url}")]
    Address {
        /// What was given.
        url: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// http to another computer.
    #[error("refusing to send to {0} unencrypted")]
    PlainHttp(String),
    /// Neither http nor https.
    #[error("cannot send by {0:?}")]
    Scheme(String),
    /// The client cannot be set up: certificates, proxy.
    #[error("cannot set up the connection")]
    Setup(#[source] reqwest::Error),
    /// The file of certificates is unusable.
    #[error("cannot use the certificates in {path}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificate of this host is unusable.
    #[error("cannot use the client certificate in {path}")]
    ClientCert {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The proxy that is named cannot be used.
    #[error("{0}")]
    Proxy(String),
    /// No answer, or a broken one.
    #[error("{doing}")]
    Network {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: reqwest::Error,
    },
    /// The collector does not accept the code.
    #[error("the upload code was not accepted: it is wrong, used up or expired")]
    Code,
    /// The collector answered with an error.
    #[error("the collector answered {status}{}", detail(.problem))]
    Answer {
        /// HTTP status.
        status: u16,
        /// What the collector said, when it said it in the agreed form.
        problem: Option<Box<Problem>>,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The upload is not known any more.
    #[error("the collector no longer knows this upload")]
    Gone,
    /// The answer makes no sense.
    #[error("the collector's answer is not understood: {0}")]
    Protocol(String),
    /// The local file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what was agreed to.
    #[error("{0} has changed since it was agreed to")]
    Changed(PathBuf),
    /// The state of an upload cannot be kept.
    #[error("cannot write {path}")]
    State {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What arrived differs from what was sent.
    #[error("the collector received other bytes than were sent (sha256 {0})")]
    Mismatch(String),
    /// The collector will not take the bundle.
    #[error("the collector rejected the bundle: {0}")]
    Rejected(String),
    /// Nothing moved for this many seconds.
    #[error("no byte got through for {0} s")]
    Stalled(u64),
    /// What was to be sent broke off.
    #[error("collecting broke off")]
    Broken,
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted(Exit),
}

fn detail(problem: &Option<Box<Problem>>) -> String {
    problem.as_ref().map_or(String::new(), |problem| {
        let text = problem.detail.as_deref().unwrap_or(&problem.title);
        format!(": {text}")
    })
}

impl UploadError {
    /// Whether trying again can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { source, .. } => {
                !source.is_builder()
                    && !is_certificate(source)
                    && !in_chain(source, "proxy authorization required")
            }
            Self::Answer { status, .. } => {
                matches!(status, 408 | 423 | 425 | 429 | 500 | 502 | 503 | 504 | 507)
            }
            Self::Stalled(_) => true,
            _ => false,
        }
    }

    /// The certificate that was presented is not believed.
    pub fn is_about_trust(&self) -> bool {
        matches!(self, Self::Network { source, .. } if is_certificate(source))
    }

    /// What the collector asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The exit code this ends in.
    pub fn exit(&self) -> Exit {
        match self {
            Self::CodeForm
            | Self::NoAddress
            | Self::Address { .. }
            | Self::PlainHttp(_)
            | Self::Scheme(_)
            | Self::CaFile { .. }
            | Self::ClientCert { .. }
            | Self::Proxy(_) => Exit::Usage,
            Self::Code => Exit::Auth,
            Self::Interrupted(exit) => *exit,
            Self::File { .. } => Exit::Internal,
            _ => Exit::Upload,
        }
    }

    /// Why, in the words of the innermost cause: the layers of a network stack tell a person nothing.
    pub fn short(&self) -> String {
        match self {
            Self::Network { doing, source } => {
                let mut cause: &(dyn std::error::Error + 'static) = source;
                while let Some(inner) = cause.source() {
                    cause = inner;
                }
                format!("{doing}: {cause}")
            }
            _ => sitrep_shared::error::chain(self),
        }
    }

    /// The failure a person reads: `what` was being done, then why, then the next step.
    pub fn failure(self, what: &str) -> Failure {
        let exit = self.exit();
        let hints = self.hints();
        let mut failure = match &self {
            Self::Code => Failure::new(exit, self.to_string()),
            Self::Network { .. } => Failure::new(exit, what).because(self.short()),
            _ => Failure::new(exit, what).because(self),
        };
        failure.hints = hints;
        failure
    }

    fn hints(&self) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        match self {
            Self::CodeForm => one(
                "a code looks like XXXX-XXXX-XXXX-XXXX, a link like https://support.example.com/u/CODE",
            ),
            Self::NoAddress => one(
                "give the link instead of the code, or set SITREP_URL or `url` in the configuration",
            ),
            Self::PlainHttp(_) => one("use the https link of the upload page"),
            Self::Code => one(
                "ask support for a new one (reply to the mail), or keep the bundle: sitrep run --no-send",
            ),
            Self::Setup(_) => {
                one("install this system's ca-certificates, or name a file with --ca-file")
            }
            Self::Network { source, .. } if is_certificate(source) => vec![
                "a proxy that opens TLS needs its certificate: --ca-file FILE".to_owned(),
                "a wrong clock looks like this too: date -u, timedatectl set-ntp true".to_owned(),
            ],
            Self::Network { source, .. } if in_chain(source, "proxy authorization required") => {
                one(
                    "the proxy wants a user name and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
                )
            }
            Self::Network { source, .. } if in_chain(source, "tunnel error") => {
                one("the proxy refuses: a wrong password, or it does not let this address through")
            }
            Self::ClientCert { .. } => {
                one("one PEM file with certificate and key, closed to others: chmod 600")
            }
            Self::Answer { status: 429, .. } => one("too many tries; wait some minutes"),
            Self::Answer { status: 413, .. } => {
                one("collect less: --max-size 50M, --exclude, --since")
            }
            Self::Answer {
                problem: Some(problem),
                ..
            } => problem.hint.clone().into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// A certificate that cannot be trusted does not become trusted by trying again.
fn is_certificate(error: &reqwest::Error) -> bool {
    in_chain(error, "invalid peer certificate")
}

fn in_chain(error: &reqwest::Error, part: &str) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.to_string().contains(part) {
            return true;
        }
        cause = inner.source();
    }
    false
}
