//! Makes untrusted text harmless for the place it is shown in. Every command line prints names
//! and log lines through `terminal`, every CSV export through `csv_cell`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Makes control, bidirectional and invisible characters visible; tabs stay, invalid UTF-8 is
/// shown as `\xNN`.
#[must_use]
pub fn terminal<B: AsRef<[u8]> + ?Sized>(text: &B) -> Cow<'_, str> {
    let bytes = text.as_ref();
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(hostile) => return Cow::Borrowed(text),
        _ => {}
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(&mut out, c));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// Whether a character could move the cursor, reorder text or hide: C0 but tab, DEL, C1, bidi
/// controls, line separators, zero-width space and byte order mark.
#[must_use]
pub fn hostile(c: char) -> bool {
    match c {
        '\t' => false,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => true,
        '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => {
            true
        }
        '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

fn push(out: &mut String, c: char) {
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        c if hostile(c) && c.is_ascii() => write!(out, "\\x{:02x}", c as u32),
        c if hostile(c) => write!(out, "\\u{{{:x}}}", c as u32),
        c => out.write_char(c),
    };
}

/// Quotes a CSV cell and keeps spreadsheets from taking it for a formula.
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = text.contains(['"', ',', '\n', '\r', ';']);
    if !formula && !quoted {
        return Cow::Borrowed(text);
    }
    let safe = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    Cow::Owned(if quoted {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_text_is_inert() {
        for (raw, shown) in [
            (&b"plain \xc3\xa4\tok"[..], "plain ä\tok"),
            (b"\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            (b"a\nb\r", "a\\nb\\r"),
            (b"bad\xff\xfe", "bad\\xff\\xfe"),
            (b"\xc2\x9b31m", "\\u{9b}31m"),
            ("exe\u{202e}gpj".as_bytes(), "exe\\u{202e}gpj"),
            (b"\x7f", "\\x7f"),
        ] {
            assert_eq!(terminal(raw), shown);
        }
        assert!(matches!(terminal("unchanged"), Cow::Borrowed(_)));
    }

    #[test]
    fn csv_cells_are_no_formulas() {
        for (raw, cell) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@x,y", "\"'@x,y\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ] {
            assert_eq!(csv_cell(raw), cell);
        }
    }
}
