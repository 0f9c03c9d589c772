//! What a profile adds: files, logs and commands of an application. The deny list and the rules of safe
//! reading hold here as everywhere, and a command must be on the local allow-list.

use super::declare;
use crate::collect::allowed;
use crate::collect::logs::LogItem;
use crate::collect::unpack::Packing;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, Tier};

declare!(
    Custom,
    "custom",
    "Application",
    "What does the application say that the request is about?",
    ["base", "custom"]
);

const LIMIT: u64 = 5 << 20;

fn plan(p: &mut Planner<'_>) {
    let additions = p.params.custom.clone();
    // A log may take what the run may: the profile asked for just this one.
    let seconds = p.params.max_time_ms.div_ceil(1000).max(1);
    for (index, add) in additions.iter().enumerate() {
        let limit = add.limit.unwrap_or(LIMIT);
        if let Some(argv) = &add.command {
            let line = argv.join(" ");
            match allowed::refusal(p.host, argv) {
                None => p.argv("custom", &line, argv.clone()),
                Some(reason) => p.nothing("custom", &line, Miss::refused(reason)),
            }
            .row(130)
            .limit(limit)
            .seconds(add.seconds.unwrap_or(10));
        }
        let Some(pattern) = &add.file else { continue };
        if !add.log {
            let edit = p.file(pattern, limit).row(130);
            if add.tail {
                edit.tail();
            }
            continue;
        }
        let mut files: Vec<(i64, String, u64)> = p
            .host
            .glob(pattern)
            .into_iter()
            .filter_map(|f| p.host.stat(&f).map(|m| (m.mtime, f, m.size)))
            .collect();
        files.sort_unstable_by(|a, b| b.cmp(a));
        if files.is_empty() {
            p.file(pattern, limit).row(130);
        }
        for (_, path, size) in files {
            let (stored, packing) = Packing::of_name(&path);
            let log = LogItem {
                group: format!("custom {index}"),
                group_bytes: limit,
                packing,
            };
            p.log(&path, stored, log)
                .row(130)
                .tier(Tier::Logs)
                .limit(limit)
                .seconds(seconds)
                .estimate(size.min(limit));
        }
    }
    if additions.is_empty() {
        p.nothing(
            "custom",
            "application",
            Miss::skipped("the profile adds nothing"),
        )
        .row(130);
    }
}
