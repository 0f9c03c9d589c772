//! Sizes and durations as people read and write them.

/// A size that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size; write a number and a unit, such as 500M, 1.5 GB or 64 KiB")]
pub struct NotASize(pub String);

/// Formats bytes with decimal units and three significant digits: `14.8 MB`.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would print as 1000 of the smaller unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if value < 9.995 {
        2
    } else {
        usize::from(value < 99.95)
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Reads `500M`, `1.5 GB`, `64KiB`, `1024`; K, M, G, T are decimal, Ki, Mi, Gi, Ti binary.
///
/// # Errors
/// The text is not a number with a known unit, or does not fit 64 bits.
pub fn parse_bytes(text: &str) -> Result<u64, NotASize> {
    let wrong = || NotASize(text.to_owned());
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(wrong);
    }
    let value = number.parse::<f64>().map_err(|_| wrong())? * factor as f64;
    if value.is_finite() && value < 9.0e18 {
        Ok(value as u64)
    } else {
        Err(wrong())
    }
}

/// Formats milliseconds: `850 ms`, `12.3 s`, `3 min 20 s`, `2 h 5 min`.
#[must_use]
pub fn format_duration_ms(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_print_with_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (14_800_000, "14.8 MB"),
            (999_600, "1.00 MB"),
            (512_300_000, "512 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(format_bytes(bytes), text);
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("500M", Some(500_000_000)),
            ("1.5 GB", Some(1_500_000_000)),
            ("64KiB", Some(65_536)),
            (" 12 ", Some(12)),
            ("12 parsecs", None),
            ("", None),
            ("1.2.3M", None),
            ("-5", None),
            ("99999999999999999999T", None),
            ("20000000000G", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn durations_print() {
        for (ms, text) in [
            (850, "850 ms"),
            (12_345, "12.3 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
        ] {
            assert_eq!(format_duration_ms(ms), text);
        }
    }
}
