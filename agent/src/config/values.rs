//! Forms of values: spans of time, and how far two words are apart.

/// Milliseconds of `500ms`, `60s`, `15m`, `24h`, `31d`; a bare number is seconds.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .filter(|_| factor > 0)
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("{text:?} is not a span such as 60s, 15m or 24h"))
}

/// A whole percentage of `50%` or `50`, from 1 to 10,000.
pub fn percent(text: &str) -> Option<u64> {
    let text = text.trim();
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok()?;
    (1..=10_000).contains(&number).then_some(number)
}

/// `done` of `total` in percent; an empty total is done.
pub fn fraction(done: u64, total: u64) -> u64 {
    done.saturating_mul(100)
        .checked_div(total)
        .unwrap_or(100)
        .min(100)
}

/// Edits between two words (Levenshtein), for suggestions.
pub fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let keep = before + usize::from(a != *b);
            before = row[j + 1];
            row[j + 1] = keep.min(before + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        assert_eq!((percent("50%"), percent("150")), (Some(50), Some(150)));
        assert_eq!(
            (percent("0"), percent("-1"), percent("x%")),
            (None, None, None)
        );
    }

    #[test]
    fn spans() {
        for (text, expected) in [
            ("60s", 60_000),
            ("15m", 900_000),
            ("24h", 86_400_000),
            ("7", 7_000),
            ("5ms", 5),
        ] {
            assert_eq!(duration_ms(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "h",
            "-1s",
            "10 weeks",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
