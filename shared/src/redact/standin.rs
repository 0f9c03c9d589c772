//! Stand-ins for identifiers, and the map from real value to stand-in that stays on the host.
//!
//! A stand-in depends on the key and the value alone, so that files can be joined. It keeps what
//! a diagnosis needs (which addresses share a subnet, private or public, which names a domain) and
//! can never be taken for a real value: octets are above 255, groups have letters beyond `f`,
//! names end in `.invalid`.

use crate::redact::keyed::Keyed;
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;

/// Most entries kept in the map; stand-ins do not depend on it.
const MAX_MAP: usize = 200_000;
/// Most entries that one file brings.
const MAX_SEEN: usize = 50_000;
/// Slots that keep a value from being noted again and again.
const SLOTS: usize = 1024;

/// Stand-ins that one file has used.
#[derive(Default)]
pub(crate) struct Cache {
    slots: Vec<u64>,
    seen: Vec<(String, String)>,
}

impl Cache {
    pub(crate) fn note(&mut self, keyed: &Keyed, real: &[u8], put: &str) {
        if self.slots.is_empty() {
            self.slots = vec![0; SLOTS];
        }
        let hash = keyed.number(b'c', real);
        let slot = &mut self.slots[hash as usize % SLOTS];
        if *slot != hash && self.seen.len() < MAX_SEEN {
            *slot = hash;
            self.seen.push((
                String::from_utf8_lossy(real).into_owned(),
                put.trim_end().to_owned(),
            ));
        }
    }
}

/// The stand-ins of all files.
#[derive(Default)]
pub(crate) struct Map {
    all: Mutex<HashMap<String, String>>,
}

impl Map {
    /// Takes over what one file has used.
    pub(crate) fn merge(&self, cache: &mut Cache) {
        if cache.seen.is_empty() {
            return;
        }
        let mut all = self
            .all
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (real, put) in cache.seen.drain(..) {
            if all.len() < MAX_MAP {
                all.insert(real, put);
            }
        }
    }

    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        self.all
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
            .map(|(real, put)| (real.clone(), put.clone()))
            .collect()
    }
}

/// A keyed permutation of a byte that depends on the bytes before it.
fn permuted(keyed: &Keyed, prefix: &[u8], byte: u8) -> u8 {
    let [a, b, c, d, ..] = keyed.prefix(prefix).to_le_bytes();
    // Odd factors are invertible modulo 256, so two bytes never meet.
    let mixed = (byte ^ a).wrapping_mul(b | 1).wrapping_add(c);
    (mixed ^ mixed >> 4 ^ (mixed >> 6)).wrapping_mul(d | 1)
}

/// Four numbers from 300 on, joined by `sign`; the same prefix gives the same beginning.
pub(crate) fn ipv4(keyed: &Keyed, address: Ipv4Addr, sign: char) -> String {
    let o = address.octets();
    let first = match o {
        [10, ..] => 910,
        [172, 16..=31, ..] => 972,
        [192, 168, ..] => 992,
        [100, 64..=127, ..] => 964,
        [169, 254, ..] => 969,
        _ => 300 + u32::from(permuted(keyed, b"", o[0])),
    };
    let mut out = String::with_capacity(15);
    number(&mut out, first);
    for n in 1..4 {
        out.push(sign);
        number(&mut out, 300 + u32::from(permuted(keyed, &o[..n], o[n])));
    }
    out
}

/// Three digits.
fn number(out: &mut String, n: u32) {
    for d in [n / 100 % 10, n / 10 % 10, n % 10] {
        out.push(char::from(b'0' + d as u8));
    }
}

/// Class, network and host of an address, each as one group.
pub(crate) fn ipv6(keyed: &Keyed, address: Ipv6Addr) -> String {
    let o = address.octets();
    let class = match o {
        [0xfe, 0x80..=0xbf, ..] => "fe80",
        [0xfc | 0xfd, ..] => "fd00",
        [0xff, ..] => "ff00",
        _ => "2000",
    };
    let net = keyed.number(b'n', &o[..8]) as u32;
    let host = keyed.number(b'h', &o) >> 16;
    format!("{class}:n{net:08x}:h{host:012x}")
}

/// A hardware address; `sign` as in the original, `m` where the maker's first digit was.
pub(crate) fn mac(keyed: &Keyed, bytes: &[u8]) -> [u8; 6] {
    let n = keyed.number(b'm', bytes).to_le_bytes();
    [n[0], n[1], n[2], n[3], n[4], n[5]]
}

/// Whether a text is a stand-in of a name or number already.
pub(crate) fn is_one(text: &[u8]) -> bool {
    let mac = text.strip_prefix(b"mm").is_some_and(|rest| {
        rest.len() >= 10 && rest.iter().all(|b| b.is_ascii_hexdigit() || *b == b'.')
    });
    mac || text.ends_with(b".invalid")
        || [&b"usr-"[..], b"id-", b"card-", b"hst-"].iter().any(|p| {
            text.strip_prefix(*p).is_some_and(|rest| {
                rest.len() >= 8 && rest.iter().take(8).all(u8::is_ascii_hexdigit)
            })
        })
}

/// A login name.
pub(crate) fn user(keyed: &Keyed, name: &[u8]) -> String {
    format!(
        "usr-{:010x}",
        keyed.number(b'u', &name.to_ascii_lowercase()) >> 24
    )
}

/// A serial number or another plain identifier.
pub(crate) fn serial(keyed: &Keyed, text: &[u8]) -> String {
    format!("id-{:010x}", keyed.number(b's', text) >> 24)
}

/// A card number.
pub(crate) fn card(keyed: &Keyed, text: &[u8]) -> String {
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    format!("card-{:010x}", keyed.number(b'k', &digits) >> 24)
}

/// A host name: the name below its domain, and the domain, each of its own.
pub(crate) fn host(keyed: &Keyed, name: &[u8]) -> String {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(b".").unwrap_or(&name);
    let dots: Vec<usize> = memchr::memchr_iter(b'.', name).collect();
    // `co.uk` and its like are not a domain of their own.
    let short_second = dots.len() >= 2
        && name.len() - dots[dots.len() - 1] == 3
        && dots[dots.len() - 1] - dots[dots.len() - 2] <= 4;
    let keep = if short_second { 3 } else { 2 };
    let cut = dots.len().checked_sub(keep).map(|n| dots[n]);
    let domain = cut.map_or(name, |n| &name[n + 1..]);
    if dots.is_empty() {
        return format!("hst-{:08x}", keyed.number(b'l', name) as u32);
    }
    let domain_id = keyed.number(b'd', domain) as u32;
    match cut {
        Some(n) => format!(
            "hst-{:08x}.dom-{domain_id:08x}.invalid",
            keyed.number(b'l', &name[..n]) as u32
        ),
        None => format!("dom-{domain_id:08x}.invalid"),
    }
}

/// A mail address.
pub(crate) fn mail(keyed: &Keyed, local: &[u8], domain: &[u8]) -> String {
    let local = keyed.number(b'u', &local.to_ascii_lowercase()) >> 24;
    format!("usr-{local:010x}@{}", host(keyed, domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn addresses_keep_their_subnets_and_never_meet() {
        let k = Keyed::new(&[9; 32]);
        let at = |s: &str| ipv4(&k, s.parse().expect("an address"), '.');
        assert!(at("10.1.2.3").starts_with("910."));
        let net = |s: &str| s.rsplit_once('.').expect("four numbers").0.to_owned();
        assert_eq!(net(&at("10.1.2.3")), net(&at("10.1.2.77")));
        assert_ne!(net(&at("10.1.2.3")), net(&at("10.1.3.3")));
        let all: HashSet<String> = (0..=255u8)
            .map(|n| ipv4(&k, Ipv4Addr::new(8, 8, 8, n), '.'))
            .collect();
        assert_eq!(all.len(), 256);
        let first: HashSet<String> = (0..=255u8)
            .map(|n| ipv4(&k, Ipv4Addr::new(n, 1, 1, 1), '.'))
            .collect();
        assert_eq!(first.len(), 256);
    }

    #[test]
    fn names_keep_their_domain() {
        let k = Keyed::new(&[9; 32]);
        let (a, b) = (
            host(&k, b"a.corp.example.com"),
            host(&k, b"B.corp.example.com"),
        );
        assert_ne!(a, b);
        assert_eq!(
            a.split_once('.').map(|p| p.1),
            b.split_once('.').map(|p| p.1)
        );
        assert_eq!(host(&k, b"WEB1.Example.com"), host(&k, b"web1.example.com"));
    }
}
