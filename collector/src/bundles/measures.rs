//! Numbers of a host by which bundles are found: `memory.total < 8 GiB disk.free < 5 %`. They are read from the facts of
//! a bundle some seconds after its verdict.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use uuid::Uuid;

use super::Bundles;
use super::browse::BrowseError;
use crate::db::DbError;
use crate::db::measures::{self as rows, Bound};

/// Bundles that are read at a time.
const AT_ONCE: i64 = 50;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Percent,
    Seconds,
    Plain,
}

impl Unit {
    /// Units that may stand behind a number, and how many of ours they are.
    fn words(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Bytes => &[
                ("B", 1.0),
                ("kB", 1e3),
                ("KiB", 1024.0),
                ("MB", 1e6),
                ("MiB", 1_048_576.0),
                ("GB", 1e9),
                ("GiB", 1_073_741_824.0),
                ("TB", 1e12),
                ("TiB", 1_099_511_627_776.0),
            ],
            Self::Percent => &[("%", 1.0)],
            Self::Seconds => &[("s", 1.0), ("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)],
            Self::Plain => &[],
        }
    }
}

/// A number by which bundles are found.
struct Number {
    name: &'static str,
    unit: Unit,
    of: fn(&Value) -> Option<f64>,
}

/// All of them.
#[rustfmt::skip]
const NUMBERS: &[Number] = &[
    Number { name: "memory.total", unit: Unit::Bytes, of: |facts| at(facts, "/memory/total_bytes") },
    Number { name: "memory.free", unit: Unit::Percent, of: |facts| at(facts, "/memory/available_pct") },
    Number { name: "swap.used", unit: Unit::Bytes, of: |facts| at(facts, "/memory/swap_used_bytes") },
    Number { name: "disk.free", unit: Unit::Percent, of: |facts| worst(facts, "/used_pct") },
    Number { name: "inodes.free", unit: Unit::Percent, of: |facts| worst(facts, "/inodes_used_pct") },
    Number { name: "cpu.count", unit: Unit::Plain, of: |facts| at(facts, "/cpu/count") },
    Number { name: "cpu.load", unit: Unit::Plain, of: |facts| at(facts, "/cpu/load1") },
    Number { name: "uptime", unit: Unit::Seconds, of: |facts| at(facts, "/host/uptime_s") },
    Number { name: "units.failed", unit: Unit::Plain, of: |facts| count(facts, "/units/failed") },
    Number { name: "processes", unit: Unit::Plain, of: |facts| at(facts, "/processes/total") },
    Number { name: "files.used", unit: Unit::Percent, of: |facts| at(facts, "/limits/file_pct") },
];

fn at(facts: &Value, pointer: &str) -> Option<f64> {
    facts.pointer(pointer)?.as_f64()
}

fn count(facts: &Value, pointer: &str) -> Option<f64> {
    Some(facts.pointer(pointer)?.as_array()?.len() as f64)
}

/// What is left on the fullest disk of those that people fill.
fn worst(facts: &Value, used: &str) -> Option<f64> {
    let disks = facts.pointer("/disks")?.as_array()?.iter();
    let own = disks.filter(|disk| disk["pseudo"] != true && disk["read_only"] != true);
    let used = own.filter_map(|disk| disk.pointer(used)?.as_f64());
    used.map(|used| 100.0 - used).min_by(f64::total_cmp)
}

/// Names of the numbers, for whoever asks by them.
pub fn names() -> impl Iterator<Item = &'static str> {
    NUMBERS.iter().map(|number| number.name)
}

/// A question that cannot be asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundError {
    /// It is not of the form.
    #[error(
        "write a name, one of < <= > >= =, and a number with its unit, such as memory.total < 8 GiB; {0:?} is not so"
    )]
    Form(String),
    /// There is no such number.
    #[error("there is no number {0:?}; there are {names}", names = names().collect::<Vec<_>>().join(", "))]
    Name(String),
    /// It has another unit.
    #[error("{name} takes no {unit:?}")]
    Unit {
        /// The number.
        name: &'static str,
        /// What was written.
        unit: String,
    },
}

/// Whether a text is meant as a question about numbers.
pub fn is_question(text: &str) -> bool {
    text.contains(['<', '>', '=']) && parse(text).is_ok_and(|bounds| !bounds.is_empty())
}

/// Reads bounds, all of which are wanted; none from an empty text.
///
/// # Errors
/// When it cannot be understood.
pub fn parse(text: &str) -> Result<Vec<Bound>, BoundError> {
    static BOUND: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^([a-z][a-z.]*)\s*(<=|>=|<|>|=)\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([A-Za-z%]{0,4})(?:[\s,;]+|$)")
            .expect("the expression is one")
    });
    let (mut bounds, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let form = || BoundError::Form(rest.chars().take(40).collect());
        let found = BOUND.captures(rest).ok_or_else(form)?;
        let number = NUMBERS.iter().find(|number| number.name == &found[1]);
        let number = number.ok_or_else(|| BoundError::Name(found[1].to_owned()))?;
        let signs = ["<=", ">=", "<", ">", "="];
        let sign = signs.into_iter().find(|sign| *sign == &found[2]);
        let value: f64 = found[3].parse().map_err(|_| form())?;
        let unit = &found[4];
        let words = number.unit.words().iter();
        let factor = words
            .clone()
            .find(|(word, _)| word.eq_ignore_ascii_case(unit));
        let factor = match factor {
            Some((_, factor)) => *factor,
            None if unit.is_empty() => 1.0,
            None => {
                return Err(BoundError::Unit {
                    name: number.name,
                    unit: unit.to_owned(),
                });
            }
        };
        bounds.push(Bound {
            name: number.name,
            sign: sign.ok_or_else(form)?,
            value: value * factor,
        });
        rest = rest[found[0].len()..].trim_start();
    }
    Ok(bounds)
}

/// The numbers of facts.
fn of_facts(facts: &Value) -> Vec<(&'static str, f64)> {
    let all = NUMBERS.iter();
    let known = all.filter_map(|number| Some((number.name, (number.of)(facts)?)));
    known.filter(|(_, value)| value.is_finite()).collect()
}

/// Numbers that could not be derived.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The database failed.
    #[error("keep the numbers of bundles")]
    Db(#[from] DbError),
    /// The facts could not be read.
    #[error("read the facts of bundle {id}")]
    Facts {
        /// The bundle.
        id: String,
        /// Cause.
        #[source]
        source: BrowseError,
    },
}

/// Reads the numbers of bundles that have none yet, the newest first.
///
/// # Errors
/// When the database or the store does not answer.
pub async fn refresh(bundles: &Bundles) -> Result<(), MeasureError> {
    loop {
        let db = bundles.db();
        let ids = rows::pending(&mut *db.read().await?, AT_ONCE).await?;
        for text in &ids {
            let facts = match Uuid::parse_str(text) {
                Ok(id) => bundles.browse.facts(id).await,
                Err(_) => Err(BrowseError::Absent),
            };
            let facts: Value = match facts {
                Ok(json) => serde_json::from_slice(&json).unwrap_or_default(),
                // Facts that are not there, or not whole, have no numbers.
                Err(BrowseError::Absent | BrowseError::Read(_)) => Value::Null,
                Err(source) => {
                    return Err(MeasureError::Facts {
                        id: text.clone(),
                        source,
                    });
                }
            };
            let mut tx = db.begin().await?;
            rows::put(&mut tx, text, &of_facts(&facts)).await?;
            tx.commit().await?;
        }
        if ids.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_with_their_units() {
        let told = |text: &str| match parse(text) {
            Ok(bounds) => bounds
                .iter()
                .map(|b| format!("{}{}{}", b.name, b.sign, b.value))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{error}").chars().take(22).collect(),
        };
        for (text, expected) in [
            ("memory.total < 8 GiB", "memory.total<8589934592"),
            ("disk.free<5%, uptime>=2d", "disk.free<5 uptime>=172800"),
            ("cpu.count = 4", "cpu.count=4"),
            ("memory.total>1.5gb", "memory.total>1500000000"),
            ("", ""),
            ("memory.total < 8 %", "memory.total takes no "),
            ("speed < 8", "there is no number \"sp"),
            ("disk.free", "write a name, one of <"),
            ("disk.free < 5 export", "write a name, one of <"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        assert!(is_question("disk.free<5%") && !is_question("a < b") && !is_question("export"));
    }

    #[test]
    fn numbers_are_those_of_the_facts() {
        let facts = serde_json::json!({"memory": {"total_bytes": 1024, "available_pct": 12.5}, "cpu": {"count": 2},
            "disks": [{"used_pct": 40.0}, {"used_pct": 97.0}, {"used_pct": 100.0, "pseudo": true},
                {"used_pct": 100.0, "read_only": true}], "units": {"failed": ["a", "b"]}});
        let expected = [
            ("memory.total", 1024.0),
            ("memory.free", 12.5),
            ("disk.free", 3.0),
            ("cpu.count", 2.0),
            ("units.failed", 2.0),
        ];
        assert_eq!(of_facts(&facts), expected);
        assert!(of_facts(&Value::Null).is_empty());
        // What is asked for is told by the schema of the facts.
        for name in [
            "total_bytes",
            "available_pct",
            "used_pct",
            "inodes_used_pct",
            "uptime_s",
            "file_pct",
            "load1",
        ] {
            assert!(
                sitrep_shared::facts::JSON_SCHEMA.contains(&format!("\"{name}\"")),
                "{name}"
            );
        }
    }
}
