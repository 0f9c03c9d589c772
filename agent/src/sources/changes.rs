//! What changed on the host while the problem was reproduced.

use super::declare;
use crate::collect::{self, Miss, Moment, Params, PlannedItem, Planner, Source, source::Native};
use std::io::Write as _;

declare!(
    Changes,
    "changes",
    "Changes while recording",
    "What moved while the problem happened?",
    ["base"]
);

fn plan(p: &mut Planner<'_>) {
    // Only `sitrep record` has a moment to compare with.
    if p.params.before.is_some() {
        p.native("sitrep", "changes", changes).must();
    }
}

fn changes(n: &mut Native<'_>) -> Result<(), Miss> {
    let before = n.params.before.as_ref();
    let before = before.ok_or_else(|| Miss::absent("nothing was recorded"))?;
    let text = Moment::take(n.host).since(before);
    Ok(n.out.write_all(text.as_bytes())?)
}
