//! What scanners answer: the bytes to replace, and where to go on.

use crate::redact::scan::Continue;
use std::net::Ipv4Addr;

/// What is written in place of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Put {
    /// A marker with the keyed fingerprint of the removed bytes.
    Mark,
    /// The same in double quotes: a bare JSON value must stay JSON.
    QuotedMark,
    /// Nothing: the marker was written at the first piece of the value.
    Drop,
    /// A stand-in.
    Text(String),
    /// The text anew, with what is inside redacted; it is no stand-in.
    Again(String),
}

/// One replacement of `start..end`.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    pub start: usize,
    pub end: usize,
    pub rule: u16,
    pub put: Put,
}

/// Addresses that are remembered; a log has few at a time.
const ADDRESSES: usize = 512;
/// Names that are remembered.
const HOSTS: usize = 256;

/// The stand-ins of the addresses seen last, by address.
#[derive(Default)]
pub(crate) struct Addresses {
    slots: Vec<Option<(Ipv4Addr, String)>>,
}

impl Addresses {
    /// The stand-in if the address was seen a short while ago.
    pub(crate) fn get(&self, address: Ipv4Addr) -> Option<&str> {
        let slot = self.slots.get(Self::slot(address))?.as_ref()?;
        (slot.0 == address).then_some(slot.1.as_str())
    }

    /// Remembers a stand-in.
    pub(crate) fn put(&mut self, address: Ipv4Addr, text: &str) {
        if self.slots.is_empty() {
            self.slots.resize(ADDRESSES, None);
        }
        self.slots[Self::slot(address)] = Some((address, text.to_owned()));
    }

    fn slot(address: Ipv4Addr) -> usize {
        u32::from(address).wrapping_mul(0x9E37_79B1) as usize >> 16 & (ADDRESSES - 1)
    }
}

/// The stand-ins of the names seen last, by their bytes.
#[derive(Default)]
pub(crate) struct Hosts {
    slots: Vec<(Vec<u8>, String)>,
}

impl Hosts {
    /// The stand-in if the name was seen a short while ago.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&str> {
        let slot = self.slots.get(Self::slot(name))?;
        (slot.0 == name).then_some(slot.1.as_str())
    }

    /// Remembers a stand-in.
    pub(crate) fn put(&mut self, name: &[u8], text: &str) {
        if self.slots.is_empty() {
            self.slots.resize(HOSTS, Default::default());
        }
        self.slots[Self::slot(name)] = (name.to_vec(), text.to_owned());
    }

    fn slot(name: &[u8]) -> usize {
        let mix = |n: u32, b: &u8| (n ^ u32::from(*b)).wrapping_mul(0x0100_0193);
        let hash = name.iter().fold(0x811c_9dc5, mix);
        (hash ^ hash >> 15) as usize & (HOSTS - 1)
    }
}

/// A scanner's answer to one anchor.
#[derive(Default)]
pub(crate) struct Found {
    /// Stand-ins of the addresses seen last in this file.
    pub addresses: Addresses,
    /// Stand-ins of the host names seen last in this file.
    pub hosts: Hosts,
    pub edits: Vec<Edit>,
    /// The bytes up to here are settled: anchors inside are not looked at.
    pub settled: usize,
    /// Single bytes up to here have been judged; literals inside are still looked at.
    pub quiet: usize,
    /// A section or block that goes on at a later position.
    pub more: Option<(usize, Continue)>,
}

impl Found {
    pub(crate) fn clear(&mut self) {
        self.edits.clear();
        self.settled = 0;
        self.quiet = 0;
        self.more = None;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.settled == 0 && self.quiet == 0 && self.more.is_none()
    }

    pub(crate) fn mark(&mut self, start: usize, end: usize, rule: u16) {
        self.push(start, end, rule, Put::Mark);
    }

    pub(crate) fn push(&mut self, start: usize, end: usize, rule: u16, put: Put) {
        self.edits.push(Edit {
            start,
            end,
            rule,
            put,
        });
    }
}
