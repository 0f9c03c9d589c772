//! The manifest on any bytes: no panic, and what is taken is taken again, the same, when it is written anew.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Ok(manifest) = Manifest::parse(bytes, &limits) else {
        return;
    };
    let json = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    let again = Manifest::parse(&json, &limits).expect("what was taken is taken again");
    assert_eq!(manifest, again);
});
