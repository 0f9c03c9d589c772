//! Who logged in, from the records of wtmp and btmp, as `last -F` writes them.

use crate::collect::{Miss, source::Native};
use std::collections::HashMap;
use std::io::Write as _;

/// Most records that are looked at, from the end.
const MAX_RECORDS: u64 = 5_000;

/// glibc keeps 32-bit times in these records where programs of 32 bits can run beside those of 64.
const COMPATIBLE: bool = cfg!(any(
    target_pointer_width = "32",
    target_arch = "x86_64",
    target_arch = "powerpc64",
    target_arch = "s390x"
));
/// Bytes of a record, and where its time begins.
const RECORD: usize = if COMPATIBLE { 384 } else { 400 };
const TIME: usize = if COMPATIBLE { 340 } else { 344 };

const RUN_LEVEL: u16 = 1;
const BOOT: u16 = 2;
const USER: u16 = 7;
const DEAD: u16 = 8;

struct Record {
    kind: u16,
    line: String,
    user: String,
    host: String,
    at_s: i64,
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = |from: usize, length: usize| {
            let field = bytes.get(from..from + length)?;
            let end = field.iter().position(|b| *b == 0).unwrap_or(length);
            let shown = |c: char| if c.is_control() { '?' } else { c };
            let text = String::from_utf8_lossy(&field[..end]);
            Some(text.chars().map(shown).collect::<String>())
        };
        let at_s = if COMPATIBLE {
            i64::from(u32::from_ne_bytes(
                bytes.get(TIME..TIME + 4)?.try_into().ok()?,
            ))
        } else {
            i64::from_ne_bytes(bytes.get(TIME..TIME + 8)?.try_into().ok()?)
        };
        Some(Self {
            kind: u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?),
            line: text(8, 32)?,
            user: text(44, 32)?,
            host: text(76, 256)?,
            at_s,
        })
    }
}

/// `last -F -n most`, from `path`.
///
/// # Errors
/// Absent where logins are not recorded like this, denied where they are root's.
pub(super) fn last(n: &mut Native<'_>, path: &str, most: usize) -> Result<(), Miss> {
    let size = n.host.open(path)?.1.size;
    let from = size.saturating_sub(MAX_RECORDS * RECORD as u64);
    let from = from - from % RECORD as u64;
    let bytes = n.host.read_from(path, from, MAX_RECORDS * RECORD as u64)?;
    let records: Vec<Record> = bytes
        .chunks_exact(RECORD)
        .filter_map(Record::parse)
        .collect();
    let text = render(&records, most);
    n.out.write_all(text.as_bytes())?;
    if let Some(first) = records.first() {
        let name = path.rsplit('/').next().unwrap_or(path);
        writeln!(n.out, "\n{name} begins {}", long(first.at_s))?;
    }
    Ok(())
}

fn long(at_s: i64) -> String {
    super::host::local(at_s * 1000)
        .strftime("%a %b %e %H:%M:%S %Y")
        .to_string()
}

/// The newest first; a session ends with its line's next record, or with the system.
fn render(records: &[Record], most: usize) -> String {
    let mut out = String::new();
    let mut ends: HashMap<&str, i64> = HashMap::new();
    let mut down: Option<(i64, &str)> = None;
    let mut rows = 0;
    for record in records.iter().rev() {
        if rows == most {
            break;
        }
        let row = match record.kind {
            BOOT => {
                let row = entry("reboot", "system boot", &record.host, record.at_s, down);
                down = Some((record.at_s, "crash"));
                ends.clear();
                Some(row)
            }
            RUN_LEVEL if record.user == "shutdown" => {
                down = Some((record.at_s, "down"));
                ends.clear();
                None
            }
            USER => {
                let end = ends
                    .insert(&record.line, record.at_s)
                    .map(|at| (at, ""))
                    .or(down);
                let row = entry(&record.user, &record.line, &record.host, record.at_s, end);
                Some(row)
            }
            DEAD => {
                ends.insert(&record.line, record.at_s);
                None
            }
            // Failed logins are of another kind, and end at once.
            _ if !record.user.is_empty() => {
                let at = record.at_s;
                let row = entry(&record.user, &record.line, &record.host, at, Some((at, "")));
                Some(row)
            }
            _ => None,
        };
        if let Some(row) = row {
            out.push_str(&row);
            rows += 1;
        }
    }
    out
}

fn entry(user: &str, line: &str, host: &str, from: i64, end: Option<(i64, &str)>) -> String {
    let start = format!("{user:<8} {line:<12.12} {host:<16} {}", long(from));
    let Some((to, how)) = end else {
        let how = if user == "reboot" {
            "still running"
        } else {
            "still logged in"
        };
        return format!("{start}   {how}\n");
    };
    let minutes = (to - from).max(0) / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let length = match days {
        0 => format!(" ({hours:02}:{minutes:02})"),
        days => format!("({days}+{hours:02}:{minutes:02})"),
    };
    match how {
        "" => format!("{start} - {} {length}\n", long(to)),
        how => format!("{start} - {how:<24} {length}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u16, line: &str, user: &str, at_s: i64) -> Record {
        let mut bytes = vec![0; RECORD];
        bytes[..2].copy_from_slice(&kind.to_ne_bytes());
        bytes[8..8 + line.len()].copy_from_slice(line.as_bytes());
        bytes[44..44 + user.len()].copy_from_slice(user.as_bytes());
        bytes[76..80].copy_from_slice(b"from");
        if COMPATIBLE {
            let at = u32::try_from(at_s).expect("a time");
            bytes[TIME..TIME + 4].copy_from_slice(&at.to_ne_bytes());
        } else {
            bytes[TIME..TIME + 8].copy_from_slice(&at_s.to_ne_bytes());
        }
        Record::parse(&bytes).expect("a record")
    }

    #[test]
    fn sessions_end_with_their_line_or_with_the_system() {
        let day = 1_795_500_000;
        let records = [
            record(BOOT, "~", "reboot", day),
            record(USER, "pts/0", "ann", day + 60),
            record(DEAD, "pts/0", "", day + 3660),
            record(USER, "pts/1", "bob", day + 4000),
            record(RUN_LEVEL, "~", "shutdown", day + 90_000),
            record(BOOT, "~", "reboot", day + 90_060),
            record(USER, "tty1", "cyd", day + 90_120),
        ];
        let text = render(&records, 200);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].starts_with("cyd      tty1         from"), "{text}");
        assert!(lines[0].ends_with("still logged in"), "{text}");
        assert!(lines[1].ends_with("still running"), "{text}");
        assert!(
            lines[2].starts_with("bob") && lines[2].contains(" - down"),
            "{text}"
        );
        assert!(
            lines[3].starts_with("ann") && lines[3].ends_with(" (01:00)"),
            "{text}"
        );
        assert!(
            lines[4].contains(" - down") && lines[4].ends_with("(1+01:00)"),
            "{text}"
        );
        assert_eq!(render(&records, 1).lines().count(), 1);
    }
}
