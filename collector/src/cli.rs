//! The command line of `sitrepd`.

mod admin;
mod run;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::auth::password::Passwords;
use crate::auth::{Pepper, PepperError, setup};
use crate::bundles::ingest::process::Reader;
use crate::bundles::storage::StorageError;
use crate::bundles::{Bundles, Options, ingest, receive};
use crate::config::{self, Config, ConfigError, Sources};
use crate::db::{Db, DbError, migrate};
use crate::error::AppError;
use crate::metrics::Metrics;
use crate::operate::OperateError;
use crate::serve::ServeError;
use crate::state::{AppState, Clock};
use crate::tasks::Tasks;
use crate::tickets::bundles::OwnTickets;
use sitrep_shared::bundle::limits::Limits as ReaderLimits;

#[derive(Debug, Parser)]
#[command(
    name = "sitrepd",
    version,
    about = "Receives diagnostic bundles, attaches them to tickets, flags known errors"
)]
struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct SettingsArgs {
    /// Settings file (TOML); also SITREPD_CONFIG
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder for everything that is kept
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Any setting, as KEY=VALUE; `sitrepd config` lists them
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve {
        /// all, serve (requests only) or work (jobs only); the setting `role`
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
    },
    /// Check settings, database, keys and certificate, and say what is wrong
    Check,
    /// Bring the database to this version's schema
    Migrate,
    /// Write all rows and all bundles into an empty folder; the service may run meanwhile
    Backup {
        /// The folder
        folder: PathBuf,
    },
    /// Bring a backup into an empty database and store
    Restore {
        /// The folder
        folder: PathBuf,
    },
    /// Read every stored bundle again and compare its digest
    Verify,
    /// Print a new one-time token for the first administrator
    SetupToken,
    /// Show every setting and where it comes from
    Config,
    /// Walk the audit log's hash chain
    AuditVerify,
    /// Print the version
    Version,
    /// Read a bundle handed over by the service (internal)
    #[command(hide = true)]
    IngestChild {
        /// What to do, JSON
        task: String,
    },
    /// The verdict that the service would give on a file, off-line; the last line is the verdict, and the exit code 0
    /// whatever it says
    Inspect {
        /// A bundle, or an archive or log of another maker
        file: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// What can go wrong at the edge.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Pepper(#[from] PepperError),
    #[error("cannot open the store of bundles")]
    Storage(#[from] StorageError),
    #[error("cannot delete bundles that were kept long enough")]
    Delete(#[from] crate::bundles::DeleteError),
    #[error("cannot bring interrupted uploads in order")]
    Recover(#[from] receive::ReceiveError),
    #[error("{0}")]
    App(#[from] AppError),
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot inspect the file")]
    Inspect(#[source] ingest::inspect::InspectError),
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("cannot read the bundle")]
    Child(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the audit log was changed at record {0}")]
    Audit(i64),
    #[error(transparent)]
    Operate(#[from] OperateError),
    #[error("{}", .0.join("\n"))]
    Unfit(Vec<String>),
    #[error("another sitrepd receives into {}: only one may with storage.kind = \"folder\"", .0.display())]
    Claimed(PathBuf),
}

/// Parses the command line and runs it. 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let usage = matches!(error, CliError::Config(_));
            let mut err = std::io::stderr().lock();
            let _ = writeln!(err, "sitrepd: {}", sitrep_shared::error::chain(&error));
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Version => print(env!("CARGO_PKG_VERSION")),
        // Before anything else is opened: the child must hold nothing but its channel.
        Command::IngestChild { task } => {
            return crate::bundles::ingest::child::run(&task)
                .map_err(|e| CliError::Child(Box::new(e)));
        }
        Command::Inspect { file, json } => {
            let limits = config::load(&sources(&cli.settings))?.reader_limits();
            return inspect(&file, &limits, json);
        }
        Command::Config => {
            for (key, value, origin) in config::load(&sources(&cli.settings))?.show() {
                print(&format!("{key} = {value:?}  # {origin}"));
            }
        }
        command => {
            let mut sources = sources(&cli.settings);
            if let Command::Serve { role: Some(role) } = &command {
                let flag = ("--role".to_owned(), "role".to_owned(), role.clone());
                sources.flags.push(flag);
            }
            let config = Config::from_resolved(config::load(&sources)?)?;
            start_log();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build();
            return runtime
                .map_err(CliError::Runtime)?
                .block_on(run_async(command, config));
        }
    }
    Ok(())
}

/// Any verdict is a success of the inspection; only a file that cannot be read is not.
fn inspect(file: &Path, limits: &ReaderLimits, json: bool) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let mut out = std::io::stdout().lock();
    let verdict = runtime.block_on(ingest::inspect::inspect(
        &Reader::default(),
        file,
        limits,
        json,
        &mut out,
    ));
    verdict.map(|_| ()).map_err(CliError::Inspect)
}

async fn run_async(command: Command, config: Config) -> Result<(), CliError> {
    match command {
        Command::Serve { .. } => run::serve_all(config).await,
        Command::Check => admin::check(config).await,
        Command::Backup { folder } => admin::backup(config, &folder).await,
        Command::Restore { folder } => admin::restore(config, &folder).await,
        Command::Verify => admin::verify(config).await,
        Command::Migrate => {
            let db = Db::open(&config.database(), config.database_connections).await?;
            for name in migrate::run(&db, Clock::System.now_ms()).await? {
                print(&format!("applied {name}"));
            }
            Ok(())
        }
        Command::SetupToken => {
            let state = open(config, "").await?;
            match setup::issue(&state).await? {
                Some(token) => print(&token),
                None => print("there is an administrator already; no token was made"),
            }
            Ok(())
        }
        Command::AuditVerify => {
            let db = Db::open(&config.database(), config.database_connections).await?;
            match crate::audit::verify(&db).await? {
                None => print("the audit log is unbroken"),
                Some(place) => return Err(CliError::Audit(place)),
            }
            Ok(())
        }
        Command::Version
        | Command::Config
        | Command::Inspect { .. }
        | Command::IngestChild { .. } => Ok(()),
    }
}

fn sources(args: &SettingsArgs) -> Sources {
    let environment = Sources::process_environment();
    let named = environment
        .iter()
        .find(|(name, _)| name == "SITREPD_CONFIG")
        .map(|(_, path)| PathBuf::from(path));
    let mut flags = Vec::new();
    if let Some(folder) = &args.data_dir {
        flags.push((
            "--data-dir".to_owned(),
            "data_dir".to_owned(),
            folder.display().to_string(),
        ));
    }
    if let Some(listen) = &args.listen {
        flags.push(("--listen".to_owned(), "listen".to_owned(), listen.clone()));
    }
    for pair in &args.set {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        flags.push((format!("--set {key}"), key.to_owned(), value.to_owned()));
    }
    let default = PathBuf::from("/etc/sitrepd/config.toml");
    let file = args
        .config
        .clone()
        .or(named)
        .or_else(|| default.exists().then_some(default));
    Sources {
        file,
        environment,
        flags,
    }
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SITREPD_LOG")
        .unwrap_or_else(|_| "info,sqlx=warn".into());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
}

/// How bundles are kept and read, by the settings.
fn options(config: &Config, tasks: Tasks) -> Result<Options, CliError> {
    let resolved = &config.resolved;
    let limits = receive::Limits {
        max_bytes: config.max_upload_bytes,
        ticket_bytes: resolved.bytes("limits.ticket_bytes"),
        all_bytes: resolved
            .optional("limits.total_bytes")
            .map_or(u64::MAX, |_| resolved.bytes("limits.total_bytes")),
        address_open: resolved.number("limits.address_uploads"),
        bodies: usize::try_from(resolved.number("limits.bodies")).unwrap_or(usize::MAX),
        ..receive::Limits::default()
    };
    Ok(Options {
        folder: config.data_dir.clone(),
        objects: config.resolved.object_store()?,
        limits,
        reader: Reader::default(),
        reader_limits: config.resolved.reader_limits(),
        tasks,
    })
}

/// The file of the key of upload codes.
fn pepper_file(config: &Config) -> PathBuf {
    let own = || config.data_dir.join("pepper");
    config.pepper_file.clone().unwrap_or_else(own)
}

/// Opens database, keys and store; brings the schema up to date.
async fn open(config: Config, base_url: &str) -> Result<AppState, CliError> {
    let db = Db::open(&config.database(), config.database_connections).await?;
    let clock = Clock::System;
    for name in migrate::run(&db, clock.now_ms()).await? {
        tracing::info!(name, "applied a migration");
    }
    let pepper = Pepper::load_or_create(&pepper_file(&config))?;
    let tasks = Tasks::default();
    let options = options(&config, tasks.clone())?;
    let mut bundles = Bundles::open(db.clone(), Arc::new(OwnTickets), options)?;
    bundles.ingest.identity = config.encryption.identity.clone();
    Ok(AppState {
        config: Arc::new(config),
        db,
        tasks,
        clock,
        metrics: Metrics::default(),
        pepper,
        passwords: Passwords::default(),
        bundles: Arc::new(bundles),
        base_url: base_url.into(),
    })
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    crate::serve::tls::write_private(path, text.as_bytes()).map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })
}
