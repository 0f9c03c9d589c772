//! Our own files are read again, and nothing that was changed is. That others read and write the same is
//! shown with the program `age` by the tests of the whole product.

use super::*;
use std::io::{Read, Write};

/// Of the format's own documentation.
const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn random() -> Randomness {
    Randomness {
        ephemeral: [3; 32],
        file_key: [4; 16],
        salt: [5; 16],
    }
}

fn sealed(plain: &[u8], recipient: &Recipient) -> Vec<u8> {
    let mut sealer = Sealer::new(Vec::new(), recipient, &random()).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

fn opened(file: &[u8], identity: &Identity) -> Result<Vec<u8>, OpenError> {
    let mut plain = Vec::new();
    Opened::new(file, identity)?.read_to_end(&mut plain)?;
    Ok(plain)
}

#[test]
fn keys_are_read_and_written() {
    let identity = Identity::parse(&format!("# a comment\n{SECRET}\n")).unwrap();
    assert_eq!(identity.recipient().to_string(), PUBLIC);
    assert_eq!(Recipient::parse(PUBLIC), Ok(identity.recipient()));
    assert!(!format!("{identity:?}").contains("GFPYY"));
    let mistyped = PUBLIC.replace("zvk", "zvq");
    for wrong in [
        "",
        "age1",
        &mistyped,
        SECRET,
        "ssh-ed25519 AAAA",
        "Age1zvkyg",
    ] {
        assert!(Recipient::parse(wrong).is_err(), "{wrong}");
    }
    assert!(Identity::parse(PUBLIC).is_err() && Identity::parse("").is_err());
}

#[test]
fn what_is_sealed_is_opened_and_only_whole() {
    let identity = Identity::parse(SECRET).unwrap();
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let file = sealed(&plain, &identity.recipient());
        assert!(is_encrypted(&file));
        assert_eq!(opened(&file, &identity).unwrap(), plain, "{length}");
        for cut in [1, TAG, file.len() / 2] {
            assert!(
                opened(&file[..file.len() - cut], &identity).is_err(),
                "{length} cut by {cut}"
            );
        }
    }
    let file = sealed(&vec![7; 2 * CHUNK], &identity.recipient());
    // A cut at the end of a chunk is found by the mark of the last one.
    assert!(opened(&file[..file.len() - CHUNK - TAG], &identity).is_err());
    for at in [0, 30, 60, 140, 220, file.len() - 1] {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, &identity).is_err(), "byte {at}");
    }
}

#[test]
fn it_is_for_nobody_else() {
    let other = Identity([9; 32]);
    let file = sealed(b"x", &Identity::parse(SECRET).unwrap().recipient());
    assert!(matches!(opened(&file, &other), Err(OpenError::NotForUs)));
    assert!(Sealer::new(Vec::new(), &Recipient([0; 32]), &random()).is_err());
}
