//! Durations as the rule format writes them: `30s`, `1h30m`, `-8s`, `1.5s`. There is no unit for a day.

/// Nanoseconds of a duration, or `None` when it is not one or does not fit.
pub(super) fn parse_ns(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let whole: i128 = if digits == 0 {
            0
        } else {
            rest[..digits].parse().ok()?
        };
        rest = &rest[digits..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            let end = after
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(after.len());
            fraction = &after[..end.min(18)];
            rest = &after[end..];
        }
        if digits == 0 && fraction.is_empty() {
            return None;
        }
        let (unit, length) = unit(rest)?;
        rest = &rest[length..];
        total = total.checked_add(whole.checked_mul(unit)?)?;
        if !fraction.is_empty() {
            total += fraction.parse::<i128>().ok()? * unit / 10_i128.pow(fraction.len() as u32);
        }
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// The unit at the start of `rest`, in nanoseconds, and how many bytes it takes.
fn unit(rest: &str) -> Option<(i128, usize)> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS
        .iter()
        .find(|(name, _)| rest.starts_with(name))
        .map(|(name, ns)| (*ns, name.len()))
}

#[cfg(test)]
mod tests {
    use super::parse_ns;

    #[test]
    fn reads_what_the_format_writes_and_nothing_else() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(parse_ns(text), expected, "{text}");
        check("30s", Some(30_000_000_000));
        check("5m", Some(300_000_000_000));
        check("1h30m", Some(5_400_000_000_000));
        check("1.5s", Some(1_500_000_000));
        check(".5s", Some(500_000_000));
        check("-8s", Some(-8_000_000_000));
        check("120ms", Some(120_000_000));
        check("0", Some(0));
        for bad in ["", "-", "1d", "5", "s", "5 s", "1h 30m", "abc", ".s"] {
            check(bad, None);
        }
    }
}
