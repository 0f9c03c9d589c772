//! The kernel's log, read from its ring buffer.

use crate::collect::{Miss, source::Native};
use std::io::{Read as _, Write as _};

/// The ring buffer, record by record, in the format of `dmesg`.
///
/// # Errors
/// Denied where the log is kept for root.
pub(super) fn dmesg(n: &mut Native<'_>) -> Result<(), Miss> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = rustix::fs::open("/dev/kmsg", flags, Mode::empty()).map_err(|e| match e {
        rustix::io::Errno::PERM | rustix::io::Errno::ACCESS => {
            Miss::denied("the kernel log is restricted to root")
        }
        other => Miss::from(std::io::Error::from(other)),
    })?;
    let mut file = std::fs::File::from(fd);
    let mut record = vec![0; 16 << 10];
    let mut line = String::new();
    while n.out.check() {
        match file.read(&mut record) {
            Ok(0) => break,
            Ok(len) => {
                render_record(&record[..len], &mut line);
                n.out.write_all(line.as_bytes())?;
            }
            // Records were overwritten while reading: the next read gives the oldest that is left.
            Err(e) if e.raw_os_error() == Some(32) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// `6,1234,5678901,-;text\n KEY=value…` becomes `[    5.678901] text`.
fn render_record(record: &[u8], line: &mut String) {
    use std::fmt::Write as _;
    line.clear();
    let text = String::from_utf8_lossy(record);
    let Some((head, rest)) = text.split_once(';') else {
        return;
    };
    let micros: u64 = head
        .split(',')
        .nth(2)
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    let body = rest
        .split("\n ")
        .next()
        .unwrap_or(rest)
        .trim_end_matches('\n');
    for part in unescape(body).split('\n') {
        let _ = writeln!(
            line,
            "[{:5}.{:06}] {part}",
            micros / 1_000_000,
            micros % 1_000_000
        );
    }
}

/// Undoes `\x0a`, which the kernel writes for what is not printable.
fn unescape(text: &str) -> String {
    if !text.contains("\\x") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        out.push_str(&rest[..at]);
        let code = rest
            .get(at + 2..at + 4)
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match code {
            Some(code @ (b'\n' | b'\t' | 0x20..=0x7e)) => out.push(char::from(code)),
            _ => out.push_str(rest.get(at..at + 4).unwrap_or(&rest[at..])),
        }
        rest = rest.get(at + 4..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_rendered_as_dmesg_does() {
        let mut line = String::new();
        render_record(
            b"6,339,5140900,-;NET: Registered\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n",
            &mut line,
        );
        assert_eq!(line, "[    5.140900] NET: Registered\n");
        render_record(b"4,1,1,-;a\\x0ab\\x5c", &mut line);
        assert_eq!(line, "[    0.000001] a\n[    0.000001] b\\\n");
    }
}
