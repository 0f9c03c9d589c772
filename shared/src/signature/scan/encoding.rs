//! Files that are not UTF-8 but UTF-16, as Windows writes them: turned into UTF-8 before scanning.

/// A decoder that takes chunks of any size.
pub(super) struct Utf16 {
    big_endian: bool,
    /// An odd byte of the chunk before.
    half: Option<u8>,
    /// The first half of a pair of the chunk before.
    high: Option<u16>,
}

impl Utf16 {
    /// Knows UTF-16 by its mark, which decoding turns into that of UTF-8.
    pub(super) fn detect(head: &[u8]) -> Option<Self> {
        let big_endian = match head.first_chunk::<2>()? {
            [0xff, 0xfe] => false,
            [0xfe, 0xff] => true,
            _ => return None,
        };
        Some(Self {
            big_endian,
            half: None,
            high: None,
        })
    }

    /// The chunk as UTF-8; what a pair lacks waits for the next chunk, what is no text becomes U+FFFD.
    pub(super) fn decode(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut bytes = self.half.take().into_iter().chain(chunk.iter().copied());
        let mut units: Vec<u16> = self.high.take().into_iter().collect();
        units.reserve(chunk.len() / 2 + 1);
        while let Some(first) = bytes.next() {
            let Some(second) = bytes.next() else {
                self.half = Some(first);
                break;
            };
            let pair = [first, second];
            units.push(if self.big_endian {
                u16::from_be_bytes(pair)
            } else {
                u16::from_le_bytes(pair)
            });
        }
        if units
            .last()
            .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            self.high = units.pop();
        }
        String::from_utf16_lossy(&units).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::Utf16;

    #[test]
    fn decodes_whatever_the_chunks_are() {
        let text = "\u{feff}Fehler: Gerät 故障 😀 weg\r\n";
        for big_endian in [false, true] {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| {
                    if big_endian {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    }
                })
                .collect();
            for size in [1, 2, 3, 7, bytes.len()] {
                let mut utf16 = Utf16::detect(&bytes).unwrap();
                let decoded: Vec<u8> = bytes.chunks(size).flat_map(|c| utf16.decode(c)).collect();
                assert_eq!(String::from_utf8(decoded).unwrap(), text, "{size}");
            }
        }
        assert!(Utf16::detect(b"ab").is_none());
    }
}
