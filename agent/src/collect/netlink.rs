//! Asks the kernel's routing socket for its tables (links, addresses, routes and their like): what `ip` and
//! `tc` ask, without starting them. Only reads; nothing here can change a table or load a module.

use super::miss::Miss;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt,
};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The kernel fills at most this many bytes per answer.
const ANSWER: usize = 32 << 10;
/// Most messages of one table that are kept.
const MAX_MESSAGES: usize = 50_000;
/// The kernel answers at once or not at all.
const TIMEOUT: Duration = Duration::from_secs(5);
/// `nlmsghdr`: length, type, flags, sequence, port.
const HEADER: usize = 16;

const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// One entry of a table: the fixed part and the attributes behind it.
#[derive(Clone, Debug)]
pub struct Message(Vec<u8>);

impl Message {
    /// The body from its beginning.
    pub fn body(&self) -> &[u8] {
        &self.0
    }

    /// The attributes behind a fixed part of `fixed` bytes.
    pub fn attributes(&self, fixed: usize) -> Attributes<'_> {
        Attributes(self.0.get(fixed..).unwrap_or(&[]))
    }
}

/// Attributes, one after the other: length, type, value, padding to four bytes.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_of(self.0)?);
        let kind = u16_of(self.0.get(2..)?)?;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        // The two upper bits say "nested" and "network byte order".
        Some((kind & 0x3fff, value))
    }
}

impl<'a> Attributes<'a> {
    /// The first value of this type.
    pub fn get(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find(|(k, _)| *k == kind).map(|(_, value)| value)
    }

    /// The attributes inside the first value of this type.
    pub fn nested(self, kind: u16) -> Attributes<'a> {
        Attributes(self.get(kind).unwrap_or(&[]))
    }

    /// A byte.
    pub fn u8(self, kind: u16) -> Option<u8> {
        self.get(kind)?.first().copied()
    }

    /// A number of 32 bits.
    pub fn u32(self, kind: u16) -> Option<u32> {
        u32_of(self.get(kind)?)
    }

    /// A text without its final zero.
    pub fn text(self, kind: u16) -> Option<String> {
        let value = self.get(kind)?;
        let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
        Some(String::from_utf8_lossy(&value[..end]).into_owned())
    }
}

/// Number of 16 bits at the beginning.
pub fn u16_of(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?))
}

/// Number of 32 bits at the beginning.
pub fn u32_of(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// Number of 64 bits at the beginning.
pub fn u64_of(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(..8)?.try_into().ok()?))
}

/// The whole table that `kind` (`RTM_GET…`) names; `fixed` is the request's fixed part, whose first byte is
/// the address family.
///
/// # Errors
/// A miss when the kernel has no such table, or does not let us see it.
pub fn dump(kind: u16, fixed: &[u8]) -> Result<Vec<Message>, Miss> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // The routing family is protocol 0.
        None,
    )
    .map_err(std::io::Error::from)?;
    let timeout = Some(TIMEOUT);
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, timeout)
        .map_err(std::io::Error::from)?;
    let mut request = Vec::with_capacity(HEADER + fixed.len());
    let length = u32::try_from(HEADER + fixed.len()).unwrap_or(0);
    request.extend_from_slice(&length.to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    request.extend_from_slice(fixed);
    send(&socket, &request, SendFlags::empty()).map_err(std::io::Error::from)?;
    answers(&socket)
}

fn answers(socket: &OwnedFd) -> Result<Vec<Message>, Miss> {
    let mut found = Vec::new();
    let mut buffer = vec![0; ANSWER];
    loop {
        let (given, _) =
            recv(socket, &mut buffer[..], RecvFlags::empty()).map_err(std::io::Error::from)?;
        if given == 0 {
            return Ok(found);
        }
        let mut rest = &buffer[..given];
        while let (Some(length), Some(kind)) =
            (u32_of(rest), u16_of(rest.get(4..).unwrap_or_default()))
        {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let Some(body) = rest.get(HEADER..length) else {
                return Ok(found);
            };
            match kind {
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return Err(refused(body)),
                _ if found.len() >= MAX_MESSAGES => return Ok(found),
                _ => found.push(Message(body.to_vec())),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}

/// The kernel's error number, negative.
fn refused(body: &[u8]) -> Miss {
    let code = u32_of(body).map_or(0, u32::cast_signed);
    match code {
        0 => Miss::absent("the kernel has no such table"),
        code => std::io::Error::from_raw_os_error(code.wrapping_neg()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_walked_and_damage_ends_the_walk() {
        let bytes = [
            5, 0, 1, 0, 7, 0, 0, 0, 8, 0, 2, 0, b'l', b'o', 0, 0, 99, 0, 3, 0,
        ];
        let all = Attributes(&bytes);
        assert_eq!(all.u8(1), Some(7));
        assert_eq!(all.text(2).as_deref(), Some("lo"));
        assert_eq!(all.count(), 2);
        assert_eq!(Attributes(&[3, 0, 0, 0]).next(), None);
    }

    #[test]
    fn the_kernel_lists_its_links() {
        let links = dump(18, &[0; 16]).expect("links");
        assert!(!links.is_empty() && links.iter().all(|l| l.attributes(16).text(3).is_some()));
    }
}
