//! The header before an entry's data and the descriptor behind it, compared with the directory.

use std::io::Read;

use super::directory::{Central, Extras, bad, extras, two_names, u16_at, u32_at, u64_at};
use crate::bundle::limits::{Reason, Reject};

/// Bytes of a local header without name and extra fields.
pub(super) const FIXED: u64 = 30;
/// Flag: checksum and sizes stand behind the data.
const BEHIND: u16 = 8;

/// What is needed of a local header afterwards.
pub(super) struct Local {
    /// Bytes of it.
    pub(super) bytes: u64,
    /// Whether it has 64-bit sizes, and so has the descriptor.
    wide: bool,
}

fn differs(what: &str) -> Reject {
    Reject::new(
        Reason::AmbiguousEntry,
        format!("the zip directory and an entry's header have another {what}"),
    )
}

fn short(error: std::io::Error) -> Reject {
    Reject::from(error)
}

/// Reads a local header, which stands where the directory says.
pub(super) fn read<R: Read>(reader: &mut R, entry: &Central) -> Result<Local, Reject> {
    let mut fixed = [0; FIXED as usize];
    reader.read_exact(&mut fixed).map_err(short)?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return Err(bad("no entry where the directory says"));
    }
    let mut name = vec![0; usize::from(u16_at(&fixed, 26))];
    let mut extra = vec![0; usize::from(u16_at(&fixed, 28))];
    reader.read_exact(&mut name).map_err(short)?;
    reader.read_exact(&mut extra).map_err(short)?;
    if name != entry.name {
        return Err(differs("name"));
    }
    if u16_at(&fixed, 6) != entry.flags {
        return Err(differs("flag"));
    }
    if u16_at(&fixed, 8) != entry.method {
        return Err(differs("method"));
    }
    let Extras { wide, unicode_name } = extras(&extra, &name)?;
    if unicode_name.is_some_and(|name| name != entry.called()) {
        return Err(two_names());
    }
    let behind = entry.flags & BEHIND != 0;
    let (compressed, size) = sizes(&fixed, wide)?;
    // What stands behind the data may be zero here, not something else.
    let same = |here: u64, there: u64| here == there || (behind && here == 0);
    if !same(u32_at(&fixed, 14).into(), entry.crc.into()) {
        return Err(differs("checksum"));
    }
    if !same(compressed, entry.compressed) || !same(size, entry.size) {
        return Err(differs("size"));
    }
    let bytes = FIXED + name.len() as u64 + extra.len() as u64;
    Ok(Local {
        bytes,
        wide: wide.is_some(),
    })
}

fn sizes(fixed: &[u8], wide: Option<&[u8]>) -> Result<(u64, u64), Reject> {
    let (mut compressed, mut size) = (u64::from(u32_at(fixed, 18)), u64::from(u32_at(fixed, 22)));
    if let Some(wide) = wide {
        if wide.len() != 16 {
            return Err(bad("large sizes of an entry"));
        }
        if size == 0xffff_ffff {
            size = u64_at(wide, 0);
        }
        if compressed == 0xffff_ffff {
            compressed = u64_at(wide, 8);
        }
    }
    Ok((compressed, size))
}

/// Reads what lies between an entry's data and the next entry: nothing, or a descriptor.
pub(super) fn descriptor<R: Read>(
    reader: &mut R,
    entry: &Central,
    local: &Local,
    bytes: Option<u64>,
) -> Result<(), Reject> {
    let bytes =
        bytes.ok_or_else(|| Reject::new(Reason::OverlappingEntries, "entries share bytes"))?;
    let behind = entry.flags & BEHIND != 0;
    let plain = if local.wide { 20 } else { 12 };
    if !behind && bytes == 0 {
        return Ok(());
    }
    if !behind || (bytes != plain && bytes != plain + 4) {
        return Err(bad("bytes between entries"));
    }
    let mut field = [0; 24];
    let field = &mut field[..bytes as usize];
    reader.read_exact(field).map_err(short)?;
    let signed = bytes == plain + 4;
    if signed && !field.starts_with(b"PK\x07\x08") {
        return Err(bad("bytes between entries"));
    }
    let field = if signed { &field[4..] } else { &field[..] };
    let (compressed, size) = if local.wide {
        (u64_at(field, 4), u64_at(field, 12))
    } else {
        (u32_at(field, 4).into(), u32_at(field, 8).into())
    };
    if u32_at(field, 0) != entry.crc || compressed != entry.compressed || size != entry.size {
        return Err(differs("descriptor"));
    }
    Ok(())
}
