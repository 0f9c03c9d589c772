//! What a source is, and what it plans: items that say what they would read before anything is read.

use super::cancel::Cancel;
use super::execute;
use super::host::Host;
use super::miss::Miss;
use super::moment::Moment;
use super::out::Out;
use std::sync::Arc;

pub use sitrep_shared::bundle::manifest::{Kind, Outcome};

/// Order of collecting: the must tier is small and comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Identity, state and inventory; together under 5 MB, not subject to the run's byte budget.
    Must,
    /// Configuration and the outputs of commands.
    Normal,
    /// Logs, which take what is left of the budget.
    Logs,
}

/// What a native reader gets.
pub struct Native<'a> {
    /// The host.
    pub host: &'a Host,
    /// The run's parameters.
    pub params: &'a Params,
    /// Where to write.
    pub out: &'a mut Out,
    /// To be looked at in loops.
    pub cancel: &'a Cancel,
}

/// A native reader: renders one item.
pub type Render = Arc<dyn Fn(&mut Native<'_>) -> Result<(), Miss> + Send + Sync>;

/// How to get an item's bytes.
#[derive(Clone)]
pub enum Read {
    /// One file; `origin` is its path. With `tail` the end is kept when it is too long, else the beginning.
    File {
        /// Keep the end, cut at a line.
        tail: bool,
    },
    /// One member of a group of rotated logs that share a budget, newest first.
    Log(super::logs::LogItem),
    /// A command from the table of programs.
    Command {
        /// Program name and arguments.
        argv: Vec<String>,
    },
    /// A question to the journal, of whose answer the newest entries are kept.
    Journal(super::journal::Query),
    /// A native reader.
    Native(Render),
    /// Known beforehand to give nothing.
    Nothing(Miss),
}

impl Read {
    /// Whether a program of the host is run.
    pub fn runs_program(&self) -> bool {
        match self {
            Self::Log(log) => log.runs_program(),
            Self::Command { .. } | Self::Journal(_) => true,
            Self::File { .. } | Self::Native(_) | Self::Nothing(_) => false,
        }
    }
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { tail } => write!(f, "File(tail={tail})"),
            Self::Log(log) => write!(f, "Log({})", log.group),
            Self::Command { argv } => write!(f, "Command({argv:?})"),
            Self::Journal(query) => write!(f, "Journal({query:?})"),
            Self::Native(_) => f.write_str("Native"),
            Self::Nothing(miss) => write!(f, "Nothing({miss:?})"),
        }
    }
}

/// One thing that a source would read.
#[derive(Clone, Debug)]
pub struct PlannedItem {
    /// Stable name within the run: source id, `/`, and the host path or the mangled command.
    pub id: String,
    /// Source id.
    pub source: &'static str,
    /// How it is read, for people and the manifest.
    pub kind: Kind,
    /// Host path, command line, or what is rendered.
    pub origin: String,
    /// Path in the bundle.
    pub path: String,
    /// Which question it answers.
    pub why: &'static str,
    /// Row of the default Linux profile that it belongs to, 0 for none.
    pub number: u16,
    /// When it is collected.
    pub tier: Tier,
    /// Most bytes to keep.
    pub limit_bytes: u64,
    /// Most time to take.
    pub timeout_ms: u64,
    /// Expected size, without reading; 0 when unknown.
    pub estimate_bytes: u64,
    /// The right without which it gives nothing or less.
    pub needs: Option<&'static str>,
    /// Names at the root of the sos tree that link here, for example `uname`.
    pub links: Vec<&'static str>,
    /// How to get the bytes.
    pub read: Read,
}

/// The parameters of a run, within which a profile and the person choose.
#[derive(Clone, Debug)]
pub struct Params {
    /// Lines before this time are left out (UTC ms).
    pub since_ms: Option<i64>,
    /// Lines after this time are left out (UTC ms).
    pub until_ms: Option<i64>,
    /// Now (UTC ms), given by the caller.
    pub now_ms: i64,
    /// Offset of the host's local time from UTC in seconds.
    pub utc_offset_s: i32,
    /// Most bytes of the whole run, before compression.
    pub max_bytes: u64,
    /// Most time of the whole run.
    pub max_time_ms: u64,
    /// Most bytes of one group of logs.
    pub log_group_bytes: u64,
    /// Items, sources or globs to add to the profile's choice.
    pub include: Vec<String>,
    /// Items, sources or globs to leave out.
    pub exclude: Vec<String>,
    /// Endpoints that may be probed.
    pub probes: Vec<crate::profile::Probe>,
    /// Files, commands that the profile adds.
    pub custom: Vec<crate::profile::Custom>,
    /// Capabilities of the profile that sources look at, for example `slow` or `target:nginx`.
    pub opt_in: Vec<String>,
    /// The host before the problem was reproduced, when it was recorded.
    pub before: Option<Arc<Moment>>,
    /// Source that panics on purpose; only looked at in debug builds.
    pub fault_panic_in: Option<String>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            since_ms: None,
            until_ms: None,
            now_ms: 0,
            utc_offset_s: 0,
            max_bytes: 100_000_000,
            max_time_ms: 60_000,
            log_group_bytes: 25 << 20,
            include: Vec::new(),
            exclude: Vec::new(),
            probes: Vec::new(),
            custom: Vec::new(),
            opt_in: Vec::new(),
            before: None,
            fault_panic_in: None,
        }
    }
}

impl Params {
    /// Whether the profile opted in to something that is off by default.
    pub fn opted_in(&self, what: &str) -> bool {
        self.opt_in.iter().any(|o| o == what)
    }

    /// What the profile names for `what`, as `what:NAME`. Names become arguments and paths, so only plain ones.
    pub fn targets(&self, what: &str) -> Vec<String> {
        let named = |o: &String| o.strip_prefix(what)?.strip_prefix(':').map(str::to_owned);
        let plain = |name: &String| {
            let sound = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
            name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(sound)
        };
        self.opt_in.iter().filter_map(named).filter(plain).collect()
    }
}

/// A thing to gather from.
pub trait Source: Send + Sync {
    /// Short stable name, also the file's name.
    fn id(&self) -> &'static str;
    /// Title for people.
    fn title(&self) -> &'static str;
    /// Which question it answers.
    fn why(&self) -> &'static str;
    /// Tags by which profiles choose.
    fn tags(&self) -> &'static [&'static str];
    /// What it would read on this host. Looks at names and sizes only.
    fn plan(&self, host: &Host, params: &Params) -> Vec<PlannedItem>;
    /// Collects the items of `ctx`. The default reads each as planned.
    fn collect(&self, ctx: &mut Ctx<'_>) {
        while let Some(item) = ctx.next_item() {
            ctx.read(&item);
        }
    }
}

/// What a source gets while collecting: its items, and the way to carry them out.
pub struct Ctx<'a> {
    /// The host.
    pub host: &'a Host,
    /// The run's parameters.
    pub params: &'a Params,
    /// To be looked at in loops.
    pub cancel: &'a Cancel,
    pub(crate) worker: &'a mut execute::Worker,
}

impl Ctx<'_> {
    /// The next planned item, or none when all are done or the run stops.
    pub fn next_item(&mut self) -> Option<PlannedItem> {
        self.worker.next_item()
    }

    /// Carries out one item as planned.
    pub fn read(&mut self, item: &PlannedItem) {
        self.worker.read(self.host, self.params, self.cancel, item);
    }
}
