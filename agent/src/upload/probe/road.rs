//! The road: the proxy, the name, the connection, and whether the proxy lets us through.

use super::{STEP_TIMEOUT, Step, Tell, ms};
use crate::upload::client::Collector;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Instant;

/// A proxy's answer to CONNECT is short.
const MAX_ANSWER_BYTES: usize = 8 * 1024;

impl Collector {
    /// Goes the road up to an open connection; gives the path MTU that the kernel knows.
    pub(super) fn road(&self, tell: &mut Tell<'_>) -> Option<Option<u32>> {
        let base = self.destination.base_url();
        let first = match &self.way.proxy {
            Some(via) => {
                let values = vec![
                    ("proxy", via.shown().to_owned()),
                    ("from", via.from.clone()),
                ];
                tell(Step::ok("step_proxy", "proxy_used", values));
                via.url.clone()
            }
            None => {
                tell(Step::ok("step_proxy", "proxy_none", Vec::new()));
                base.to_owned()
            }
        };
        let url = reqwest::Url::parse(&first).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let address = resolve(&host, url.port_or_known_default().unwrap_or(443), tell)?;
        let stream = connect(address, self.way.proxy.is_some(), tell)?;
        let mtu = match address {
            SocketAddr::V4(_) => rustix::net::sockopt::ip_mtu(&stream),
            SocketAddr::V6(_) => rustix::net::sockopt::ipv6_mtu(&stream),
        };
        // A proxy that is itself behind TLS is only spoken to by the real client.
        if self.way.proxy.is_some() && url.scheme() == "http" && base.starts_with("https:") {
            self.tunnel(stream, &url, tell)?;
        }
        Some(mtu.ok())
    }

    /// Asks the proxy for the way as the client will.
    fn tunnel(&self, stream: TcpStream, proxy: &reqwest::Url, tell: &mut Tell<'_>) -> Option<()> {
        const NAME: &str = "step_tunnel";
        let target = reqwest::Url::parse(self.destination.base_url()).ok()?;
        let port = target.port_or_known_default().unwrap_or(443);
        let authority = format!("{}:{port}", target.host_str()?);
        let began = Instant::now();
        let shown = |more: (&'static str, String)| vec![("target", authority.clone()), more];
        let step = match ask(stream, &authority, proxy) {
            Ok(200) => Step::ok(NAME, "tunnel_open", shown(("ms", ms(began)))),
            Ok(status) => {
                let step = Step::ok(
                    NAME,
                    "tunnel_refused",
                    shown(("status", status.to_string())),
                );
                step.fail(match status {
                    407 => "fix_proxy_password_missing",
                    401 => "fix_proxy_password_wrong",
                    403 => "fix_proxy_forbids",
                    _ => "fix_proxy_other",
                })
            }
            Err(error) => Step::ok(NAME, "tunnel_failed", shown(("why", error.to_string())))
                .fail("fix_proxy_other"),
        };
        let open = step.level == super::Level::Ok;
        tell(step);
        open.then_some(())
    }
}

fn ask(mut stream: TcpStream, authority: &str, proxy: &reqwest::Url) -> std::io::Result<u16> {
    stream.set_read_timeout(Some(STEP_TIMEOUT))?;
    stream.set_write_timeout(Some(STEP_TIMEOUT))?;
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(password) = proxy.password() {
        let pair = format!("{}:{}", decoded(proxy.username()), decoded(password));
        let encoded = crate::upload::tus::base64(pair.as_bytes());
        request.push_str(&format!("Proxy-Authorization: Basic {encoded}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0u8; 1024];
    while !answer.contains(&b'\n') && answer.len() < MAX_ANSWER_BYTES {
        match stream.read(&mut chunk)? {
            0 => break,
            count => answer.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| std::io::Error::other("no HTTP answer"))
}

/// `%40` in a password is `@`.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn resolve(host: &str, port: u16, tell: &mut Tell<'_>) -> Option<SocketAddr> {
    const NAME: &str = "step_name";
    let began = Instant::now();
    // The resolver has no time limit of its own choice; a thread that is left behind does no harm.
    let (answer, waiting) = std::sync::mpsc::channel();
    let name = host.to_owned();
    let _ = std::thread::Builder::new()
        .name("resolver".into())
        .spawn(move || {
            let found = (name.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>);
            let _ = answer.send(found);
        });
    let named = |more: (&'static str, String)| vec![("host", host.to_owned()), more];
    let step = match waiting.recv_timeout(STEP_TIMEOUT) {
        Ok(Ok(addresses)) if !addresses.is_empty() => {
            let mut shown: Vec<String> = addresses
                .iter()
                .map(|address| address.ip().to_string())
                .collect();
            shown.dedup();
            let mut values = named(("addresses", shown.join(", ")));
            values.push(("ms", ms(began)));
            tell(Step::ok(NAME, "name_found", values));
            return addresses.first().copied();
        }
        Ok(Ok(_)) => Step::ok(NAME, "name_empty", named(("n", "0".to_owned()))),
        Ok(Err(error)) => Step::ok(NAME, "name_failed", named(("why", error.to_string()))),
        Err(_) => {
            let seconds = STEP_TIMEOUT.as_secs().to_string();
            Step::ok(NAME, "name_slow", named(("s", seconds)))
        }
    };
    tell(step.fail("fix_name"));
    None
}

fn connect(address: SocketAddr, proxy: bool, tell: &mut Tell<'_>) -> Option<TcpStream> {
    const NAME: &str = "step_connection";
    let began = Instant::now();
    let to = |more: (&'static str, String)| vec![("address", address.to_string()), more];
    match TcpStream::connect_timeout(&address, STEP_TIMEOUT) {
        Ok(stream) => {
            tell(Step::ok(NAME, "connection_made", to(("ms", ms(began)))));
            Some(stream)
        }
        Err(error) => {
            let fix = if proxy {
                "fix_connection_proxy"
            } else {
                "fix_connection"
            };
            tell(Step::ok(NAME, "connection_failed", to(("why", error.to_string()))).fail(fix));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_proxies_are_decoded() {
        assert_eq!(decoded("p%40ss%3aw%zz%"), "p@ss:w%zz%");
        assert_eq!(decoded("é%"), "é%");
    }
}
