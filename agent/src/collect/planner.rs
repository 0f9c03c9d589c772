//! The short way to write a source's plan: one call per item, with limits, tier and profile row.

use super::host::Host;
use super::journal::Query;
use super::logs::LogItem;
use super::miss::Miss;
use super::source::{Kind, Native, Params, PlannedItem, Read, Tier};
use super::{glob, programs};
use std::sync::Arc;

/// Default time of a command.
const COMMAND_MS: u64 = 10_000;
/// Default time of a file or a native reader: for what hangs, not for what is slow. Reading has the lowest
/// priority, and on a busy host a second of work takes many.
const READ_MS: u64 = 20_000;

/// Collects the items of one source.
pub struct Planner<'a> {
    source: &'static str,
    why: &'static str,
    /// The host.
    pub host: &'a Host,
    /// The run's parameters.
    pub params: &'a Params,
    items: Vec<PlannedItem>,
}

impl<'a> Planner<'a> {
    /// An empty plan of a source.
    pub fn new(
        source: &'static str,
        why: &'static str,
        host: &'a Host,
        params: &'a Params,
    ) -> Self {
        Self {
            source,
            why,
            host,
            params,
            items: Vec::new(),
        }
    }

    /// The items.
    pub fn finish(self) -> Vec<PlannedItem> {
        self.items
    }

    fn push(&mut self, kind: Kind, origin: &str, path: String, read: Read) -> Edit<'_> {
        let from = self.items.len();
        self.items.push(PlannedItem {
            id: format!("{}/{}", self.source, origin.trim_start_matches('/')),
            source: self.source,
            kind,
            origin: origin.to_owned(),
            path,
            why: self.why,
            number: 0,
            tier: Tier::Normal,
            limit_bytes: 1 << 20,
            timeout_ms: if kind == Kind::Command {
                COMMAND_MS
            } else {
                READ_MS
            },
            estimate_bytes: 0,
            needs: None,
            links: Vec::new(),
            read,
        });
        Edit {
            items: &mut self.items,
            from,
        }
    }

    /// A file at its own path in the tree. A pattern becomes one item per file that it matches now, or one
    /// absent item.
    pub fn file(&mut self, path: &str, limit_bytes: u64) -> Edit<'_> {
        let paths = if glob::is_pattern(path) {
            self.host.glob(path)
        } else {
            vec![path.to_owned()]
        };
        let from = self.items.len();
        if paths.is_empty() {
            let miss = Read::Nothing(Miss::absent("nothing matches"));
            self.push(Kind::File, path, format!("sos{path}"), miss);
        }
        for path in paths {
            let size = self
                .host
                .stat_followed(&path)
                .map_or(0, |m| m.size)
                .min(limit_bytes);
            let edit = self.push(
                Kind::File,
                &path,
                format!("sos{path}"),
                Read::File { tail: false },
            );
            edit.limit(limit_bytes).estimate(size);
        }
        Edit {
            items: &mut self.items,
            from,
        }
    }

    /// Several files with one limit.
    pub fn files(&mut self, paths: &[&str], limit_bytes: u64) -> Edit<'_> {
        let from = self.items.len();
        for path in paths {
            self.file(path, limit_bytes);
        }
        Edit {
            items: &mut self.items,
            from,
        }
    }

    /// A command; its file is `sos_commands/<folder>/<mangled command>`. What is not installed, and anything
    /// on a host that is not running, becomes an absent item.
    pub fn command(&mut self, folder: &str, line: &str) -> Edit<'_> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        self.argv(folder, line, argv)
    }

    /// The same with arguments that may hold blanks.
    pub fn argv(&mut self, folder: &str, line: &str, argv: Vec<String>) -> Edit<'_> {
        let path = command_path(folder, line);
        let program = argv.first().map_or("", String::as_str);
        let read = if !self.host.is_live() {
            Read::Nothing(Miss::skipped("commands are only run on a running host"))
        } else if programs::find(program).is_none() {
            Read::Nothing(Miss::absent(format!("{program} is not installed")))
        } else {
            Read::Command { argv }
        };
        self.push(Kind::Command, line, path, read)
    }

    /// A command, unless `unless` gives a reason why it would be useless or harmful here.
    pub fn command_if(&mut self, folder: &str, line: &str, unless: Option<&str>) -> Edit<'_> {
        match unless {
            None => self.command(folder, line),
            Some(reason) => {
                let miss = Read::Nothing(Miss::absent(reason));
                self.push(Kind::Command, line, command_path(folder, line), miss)
            }
        }
    }

    /// A native rendering of what `line` would print, at the place of that command's output.
    pub fn native<F>(&mut self, folder: &str, line: &str, render: F) -> Edit<'_>
    where
        F: Fn(&mut Native<'_>) -> Result<(), Miss> + Send + Sync + 'static,
    {
        self.push(
            Kind::Native,
            line,
            command_path(folder, line),
            Read::Native(Arc::new(render)),
        )
    }

    /// The same for what only the running kernel can tell.
    pub fn live<F>(&mut self, folder: &str, line: &str, render: F) -> Edit<'_>
    where
        F: Fn(&mut Native<'_>) -> Result<(), Miss> + Send + Sync + 'static,
    {
        if self.host.is_live() {
            return self.native(folder, line, render);
        }
        self.nothing(folder, line, Miss::skipped("only on a running host"))
    }

    /// Something that was asked for and gives nothing here.
    pub fn nothing(&mut self, folder: &str, line: &str, miss: Miss) -> Edit<'_> {
        self.push(
            Kind::Native,
            line,
            command_path(folder, line),
            Read::Nothing(miss),
        )
    }

    /// A member of a group of logs.
    pub fn log(&mut self, path: &str, stored_as: &str, log: LogItem) -> Edit<'_> {
        let read = Read::Log(log);
        self.push(Kind::File, path, format!("sos{stored_as}"), read)
    }
}

/// Path of a command's output in the tree.
pub fn command_path(folder: &str, line: &str) -> String {
    format!("sos/sos_commands/{folder}/{}", mangle(line))
}

/// The file name of a command line, as sos makes it.
pub fn mangle(line: &str) -> String {
    let mut text = line;
    for prefix in ["/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '/' => out.push('.'),
            c if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => out.push(c),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    out.trim_matches(|c| matches!(c, ' ' | '.' | '_' | '-'))
        .chars()
        .take(120)
        .collect()
}

/// Changes the items that were planned last.
pub struct Edit<'p> {
    items: &'p mut Vec<PlannedItem>,
    from: usize,
}

impl Edit<'_> {
    fn each(self, change: impl Fn(&mut PlannedItem)) -> Self {
        self.items[self.from..].iter_mut().for_each(change);
        self
    }

    /// Row of the default Linux profile.
    pub fn row(self, number: u16) -> Self {
        self.each(|i| i.number = number)
    }

    /// Must-collect tier.
    pub fn must(self) -> Self {
        self.each(|i| i.tier = Tier::Must)
    }

    /// Any tier.
    pub fn tier(self, tier: Tier) -> Self {
        self.each(|i| i.tier = tier)
    }

    /// Byte limit.
    pub fn limit(self, bytes: u64) -> Self {
        self.each(|i| i.limit_bytes = bytes)
    }

    /// Time limit.
    pub fn seconds(self, seconds: u64) -> Self {
        self.each(|i| i.timeout_ms = seconds * 1000)
    }

    /// Expected size.
    pub fn estimate(self, bytes: u64) -> Self {
        self.each(|i| i.estimate_bytes = bytes)
    }

    /// Gives more, or only, as root.
    pub fn root(self) -> Self {
        self.each(|i| i.needs = Some("root"))
    }

    /// Keeps the end instead of the beginning.
    pub fn tail(self) -> Self {
        self.each(|i| {
            if matches!(i.read, Read::File { .. }) {
                i.read = Read::File { tail: true };
            }
        })
    }

    /// A question to the journal: keeps the newest entries, at most so many, of what may be `bytes` long.
    pub fn newest(self, entries: Option<u64>, bytes: u64) -> Self {
        self.each(|i| {
            if let Read::Command { argv } = &mut i.read {
                i.read = Read::Journal(Query {
                    argv: std::mem::take(argv),
                    entries,
                    long: bytes > i.limit_bytes,
                });
            }
        })
    }

    /// A link at the root of the tree.
    pub fn link(self, name: &'static str) -> Self {
        self.each(|i| i.links.push(name))
    }

    /// Another place in the tree.
    pub fn at(self, path: &str) -> Self {
        self.each(|i| path.clone_into(&mut i.path))
    }

    /// The question that these items answer, when it is another than the source's.
    pub fn why(self, why: &'static str) -> Self {
        self.each(|i| i.why = why)
    }
}

#[cfg(test)]
mod tests {
    use super::mangle;

    #[test]
    fn names_are_those_of_sos() {
        for (line, name) in [
            ("ip -s -d link", "ip_-s_-d_link"),
            ("ls -lanR /boot", "ls_-lanR_.boot"),
            ("blkid -c /dev/null", "blkid_-c_.dev.null"),
            ("/usr/bin/uname -a", "uname_-a"),
            ("df -al -x autofs", "df_-al_-x_autofs"),
            (
                "journalctl --no-pager  --boot",
                "journalctl_--no-pager_--boot",
            ),
        ] {
            assert_eq!(mangle(line), name);
        }
    }
}
