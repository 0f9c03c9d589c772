//! What a run would do: every source's items, chosen by a profile, in the order of their tiers. Making a
//! plan looks at names and sizes; it reads no content and starts nothing.

use crate::collect::Host;
use crate::collect::glob;
use crate::collect::source::{Params, PlannedItem, Source, Tier};
use crate::profile::Profile;
use crate::sources;
use std::collections::{BTreeSet, VecDeque};

/// The items of one source in one tier.
#[derive(Clone)]
pub struct Step {
    /// The source.
    pub source: &'static dyn Source,
    /// The tier.
    pub tier: Tier,
    /// Its items, in order.
    pub items: VecDeque<PlannedItem>,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Step({} {:?}: {} items)",
            self.source.id(),
            self.tier,
            self.items.len()
        )
    }
}

/// A plan, ready to be shown or carried out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the profile.
    pub profile: String,
    /// Version of the profile.
    pub version: String,
    /// The parameters with the profile's values filled in.
    pub params: Params,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

/// Expected sizes and times, without reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Items.
    pub items: u64,
    /// Commands that would be started.
    pub commands: u64,
    /// Bytes as far as they are known.
    pub bytes: u64,
    /// The most that it can be.
    pub max_bytes: u64,
    /// Items that need root and will be denied or give less.
    pub needs_root: u64,
}

impl Plan {
    /// All items in order.
    pub fn items(&self) -> impl Iterator<Item = &PlannedItem> {
        self.steps.iter().flat_map(|s| s.items.iter())
    }

    /// What it amounts to.
    pub fn estimate(&self, host: &Host) -> Estimate {
        let mut sum = Estimate::default();
        for item in self.items() {
            sum.items += 1;
            sum.commands += u64::from(item.read.runs_program());
            sum.bytes += item.estimate_bytes;
            sum.needs_root += u64::from(item.needs.is_some() && !host.is_root());
        }
        sum.max_bytes = self.params.max_bytes;
        sum.bytes = sum.bytes.min(sum.max_bytes);
        sum
    }
}

/// Makes the plan of `profile` on `host`. Values that `params` leaves at their defaults come from the profile.
pub fn make(host: &Host, profile: &Profile, params: &Params) -> Plan {
    make_from(host, profile, params, sources::registry())
}

/// The same with other sources than the registry's; tests bring their own.
pub fn make_from(
    host: &Host,
    profile: &Profile,
    params: &Params,
    sources: &[&'static dyn Source],
) -> Plan {
    let mut params = profile.apply(params);
    if host.is_live() && params.utc_offset_s == 0 {
        params.utc_offset_s = local_offset_s(params.now_ms);
    }
    let params = params;
    let mut steps = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources {
        if !chosen(profile, &params, *source) {
            continue;
        }
        let mut items = source.plan(host, &params);
        let whole = params.include.iter().any(|p| p == source.id());
        items.retain(|item| {
            let out = params.exclude.iter().any(|p| names(p, item, *source));
            // One path has one content: the first source that plans it has it.
            !out && (whole || profile.takes(item)) && seen.insert(item.path.clone())
        });
        for tier in [Tier::Must, Tier::Normal, Tier::Logs] {
            let of_tier: VecDeque<PlannedItem> =
                items.iter().filter(|i| i.tier == tier).cloned().collect();
            if !of_tier.is_empty() {
                steps.push(Step {
                    source: *source,
                    tier,
                    items: of_tier,
                });
            }
        }
    }
    steps.sort_by_key(|s| s.tier);
    Plan {
        profile: profile.name.clone(),
        version: profile.version.clone(),
        params,
        steps,
    }
}

/// Offset of this host's local time from UTC at `now_ms`.
fn local_offset_s(now_ms: i64) -> i32 {
    let now = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    jiff::tz::TimeZone::system().to_offset(now).seconds()
}

fn chosen(profile: &Profile, params: &Params, source: &dyn Source) -> bool {
    let included = params
        .include
        .iter()
        .any(|p| p == source.id() || p.starts_with(&format!("{}/", source.id())));
    let excluded = params.exclude.iter().any(|p| p == source.id());
    !excluded && (included || profile.chooses(source))
}

/// Whether what a person wrote names this item: its source, its id, its path or origin, or a pattern of these.
fn names(pattern: &str, item: &PlannedItem, source: &dyn Source) -> bool {
    let in_tree = item.path.strip_prefix("sos").unwrap_or(&item.path);
    pattern == source.id()
        || [
            item.id.as_str(),
            item.origin.as_str(),
            in_tree,
            item.path.as_str(),
        ]
        .iter()
        .any(|text| *text == pattern || glob::matches(pattern, text))
}
