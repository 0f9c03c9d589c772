//! The zip reader on any bytes: no panic, names that stay inside, one meaning.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sitrep_fuzz::inspect;

fuzz_target!(|bytes: &[u8]| {
    let _ = inspect(bytes);
    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend_from_slice(bytes);
    let _ = inspect(&zip);
});
