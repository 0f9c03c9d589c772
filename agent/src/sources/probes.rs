//! Active probes of endpoints that a profile names, and of no others: resolve, connect, ask.

use crate::collect::{Miss, Planner, source::Native};
use crate::profile::{Probe, ProbeKind};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Time of each step of a probe.
const STEP: Duration = Duration::from_secs(3);

/// One item per probe that the profile names.
pub(super) fn plan(p: &mut Planner<'_>) {
    for probe in p.params.probes.clone() {
        let kind = match probe.kind {
            ProbeKind::Dns => "dns",
            ProbeKind::Tcp => "tcp",
            ProbeKind::Tls => "tls",
            ProbeKind::Http => "http",
        };
        let line = format!("probe {kind} {}", probe.target);
        p.live("probes", &line, move |n| run(n, &probe))
            .row(97)
            .limit(256 << 10)
            .seconds(15)
            .why("Can this host reach what it was asked to reach, and how long does it take?");
    }
    if p.params.probes.is_empty() {
        p.nothing(
            "probes",
            "probe",
            Miss::skipped("the profile names no endpoint"),
        )
        .row(97);
    }
}

/// Host and port of a target; an `http://` address may have a path.
fn parts(probe: &Probe) -> (String, u16, String) {
    let (rest, default) = match probe.target.strip_prefix("http://") {
        Some(rest) => (rest, 80),
        None => (
            probe
                .target
                .strip_prefix("https://")
                .unwrap_or(&probe.target),
            443,
        ),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (
            host.trim_matches(['[', ']']).to_owned(),
            port.parse().unwrap_or(default),
            format!("/{path}"),
        ),
        _ => (authority.to_owned(), default, format!("/{path}")),
    }
}

fn run(n: &mut Native<'_>, probe: &Probe) -> Result<(), Miss> {
    let (host, port, path) = parts(probe);
    let began = Instant::now();
    let addresses = resolve(&host, port);
    let took = began.elapsed().as_secs_f64() * 1000.0;
    match &addresses {
        Ok(found) => {
            let found: Vec<String> = found.iter().map(|a| a.ip().to_string()).collect();
            writeln!(n.out, "dns {host}: {} in {took:.1} ms", found.join(" "))?;
        }
        Err(reason) => writeln!(n.out, "dns {host}: failed after {took:.1} ms: {reason}")?,
    }
    let Ok(addresses) = addresses else {
        return Ok(());
    };
    if probe.kind == ProbeKind::Dns {
        return Ok(());
    }
    for address in addresses.iter().take(3) {
        let began = Instant::now();
        let connected = TcpStream::connect_timeout(address, STEP);
        let took = began.elapsed().as_secs_f64() * 1000.0;
        match connected {
            Ok(stream) => {
                writeln!(n.out, "tcp {address}: connected in {took:.1} ms")?;
                match probe.kind {
                    ProbeKind::Http => http(n, &stream, &host, &path)?,
                    ProbeKind::Tls => super::tlsprobe::chain(n, stream, &host)?,
                    ProbeKind::Tcp | ProbeKind::Dns => {}
                }
                return Ok(());
            }
            Err(e) => writeln!(n.out, "tcp {address}: failed after {took:.1} ms: {e}")?,
        }
    }
    Ok(())
}

/// Resolves on a thread of its own: the resolver of libc has no time limit.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let (tx, rx) = mpsc::channel();
    let name = host.to_owned();
    std::thread::spawn(move || {
        let _ = tx.send(
            (name.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>),
        );
    });
    match rx.recv_timeout(STEP) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("no address".to_owned()),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("no answer within {} s", STEP.as_secs())),
    }
}

/// The status line and how long it took; nothing of the page.
fn http(n: &mut Native<'_>, mut stream: &TcpStream, host: &str, path: &str) -> Result<(), Miss> {
    let began = Instant::now();
    stream.set_read_timeout(Some(STEP))?;
    stream.set_write_timeout(Some(STEP))?;
    let request = format!(
        "HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sitrep\r\nConnection: close\r\n\r\n"
    );
    let mut answer = Vec::new();
    let read = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.take(1024).read_to_end(&mut answer));
    let took = began.elapsed().as_secs_f64() * 1000.0;
    let status = String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or("")
        .to_owned();
    match read {
        _ if !status.is_empty() => writeln!(n.out, "http {path}: {status} in {took:.1} ms")?,
        Ok(_) => writeln!(
            n.out,
            "http {path}: closed without an answer after {took:.1} ms"
        )?,
        Err(e) => writeln!(n.out, "http {path}: failed after {took:.1} ms: {e}")?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split() {
        for (target, expected) in [
            ("example.org", ("example.org", 443, "/")),
            ("example.org:8443", ("example.org", 8443, "/")),
            (
                "http://127.0.0.1:8080/health",
                ("127.0.0.1", 8080, "/health"),
            ),
            ("[::1]:5432", ("::1", 5432, "/")),
        ] {
            let probe = Probe {
                kind: ProbeKind::Tcp,
                target: target.to_owned(),
            };
            let (host, port, path) = parts(&probe);
            assert_eq!((host.as_str(), port, path.as_str()), expected);
        }
    }
}
