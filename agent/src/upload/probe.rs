//! Can this host reach the collector? Each step by itself, so that the one that fails is named.

use super::client::Collector;
use sitrep_shared::error::chain;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// A step that takes longer than this has failed.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Certificates and codes go wrong when clocks differ by more.
const SKEW_WARN_S: i64 = 60;
/// TLS itself begins to fail about here.
const SKEW_FAIL_S: i64 = 3600;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warn,
    /// Does not work.
    Fail,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Short name.
    pub name: &'static str,
    /// How it went.
    pub level: Level,
    /// What was seen.
    pub detail: String,
    /// What to do.
    pub fix: Option<String>,
}

fn step(name: &'static str, level: Level, detail: impl Into<String>) -> Step {
    Step {
        name,
        level,
        detail: detail.into(),
        fix: None,
    }
}

impl Step {
    fn fix(mut self, fix: &str) -> Self {
        self.fix = Some(fix.to_owned());
        self
    }
}

impl Collector {
    /// All steps in order; later ones are left out when an earlier one makes them pointless.
    /// `proxy` is the proxy that the environment names, `now_s` this host's clock.
    pub fn probe(&self, proxy: Option<&str>, now_s: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        let direct = match proxy {
            Some(proxy) => {
                let shown = proxy.rsplit_once('@').map_or(proxy, |(_, host)| host);
                steps.push(step(
                    "proxy",
                    Level::Ok,
                    format!("{shown} (from the environment)"),
                ));
                proxy.to_owned()
            }
            None => self.destination.base_url().to_owned(),
        };
        let Some(address) = resolve(&direct, &mut steps) else {
            return steps;
        };
        if !connect(address, &mut steps) {
            return steps;
        }
        self.speak(now_s, &mut steps);
        steps
    }

    /// One request without a code: any answer proves TLS and the road.
    fn speak(&self, now_s: i64, steps: &mut Vec<Step>) {
        let url = format!("{}/api/v1/upload-code", self.destination.base_url());
        let began = Instant::now();
        let answer = self
            .runtime
            .block_on(async { self.unless_interrupted(self.http.get(&url).send()).await });
        let tls = if url.starts_with("https") {
            "tls"
        } else {
            "http"
        };
        let response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let text = chain(&error.without_url());
                let certificate = text.contains("certificate");
                let fix = if certificate {
                    "a proxy that opens TLS: --ca-file FILE; a wrong clock: timedatectl set-ntp true"
                } else {
                    "is there a firewall or proxy? set HTTPS_PROXY, or use another network"
                };
                steps.push(step(tls, Level::Fail, text).fix(fix));
                return;
            }
            Err(_) => return,
        };
        let millis = began.elapsed().as_millis();
        let version = format!("{:?}", response.version());
        steps.push(step(
            tls,
            Level::Ok,
            format!("{version}, answered {} in {millis} ms", response.status()),
        ));
        let date = response
            .headers()
            .get("date")
            .and_then(|value| value.to_str().ok());
        steps.push(clock(date, now_s));
    }
}

fn resolve(url: &str, steps: &mut Vec<Step>) -> Option<SocketAddr> {
    let with_scheme = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let parsed = reqwest::Url::parse(&with_scheme).ok()?;
    let host = parsed.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = parsed.port_or_known_default().unwrap_or(443);
    let began = Instant::now();
    // The resolver has no time limit of its own choice; a thread that is left behind does no harm.
    let (answer, waiting) = std::sync::mpsc::channel();
    let name = host.clone();
    let _ = std::thread::Builder::new()
        .name("resolver".into())
        .spawn(move || {
            let found = (name.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>);
            let _ = answer.send(found);
        });
    let fix = "is the name right? cat /etc/resolv.conf; try another network";
    match waiting.recv_timeout(STEP_TIMEOUT) {
        Ok(Ok(addresses)) if !addresses.is_empty() => {
            let shown: Vec<String> = addresses
                .iter()
                .map(|address| address.ip().to_string())
                .collect();
            let millis = began.elapsed().as_millis();
            steps.push(step(
                "name",
                Level::Ok,
                format!("{host} is {} ({millis} ms)", shown.join(", ")),
            ));
            addresses.first().copied()
        }
        Ok(Ok(_)) => {
            steps.push(step("name", Level::Fail, format!("{host} has no address")).fix(fix));
            None
        }
        Ok(Err(error)) => {
            steps.push(step("name", Level::Fail, format!("{host}: {error}")).fix(fix));
            None
        }
        Err(_) => {
            let text = format!("{host}: no answer in {} s", STEP_TIMEOUT.as_secs());
            steps.push(step("name", Level::Fail, text).fix(fix));
            None
        }
    }
}

fn connect(address: SocketAddr, steps: &mut Vec<Step>) -> bool {
    let began = Instant::now();
    match TcpStream::connect_timeout(&address, STEP_TIMEOUT) {
        Ok(_) => {
            let millis = began.elapsed().as_millis();
            steps.push(step(
                "connection",
                Level::Ok,
                format!("{address} in {millis} ms"),
            ));
            true
        }
        Err(error) => {
            let fix = "a firewall, or the collector is down; behind a proxy set HTTPS_PROXY";
            steps.push(step("connection", Level::Fail, format!("{address}: {error}")).fix(fix));
            false
        }
    }
}

fn clock(date: Option<&str>, now_s: i64) -> Step {
    let theirs = date
        .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
        .map(|zoned| zoned.timestamp().as_second());
    let Some(theirs) = theirs else {
        return step("clock", Level::Warn, "the collector does not tell the time");
    };
    let skew = now_s - theirs;
    let size = skew.abs();
    let side = if skew < 0 { "behind" } else { "ahead" };
    let span = sitrep_shared::size::format_duration_ms(size.unsigned_abs() * 1000);
    match size {
        0..=SKEW_WARN_S => step(
            "clock",
            Level::Ok,
            format!("within {SKEW_WARN_S} s of the collector's"),
        ),
        _ => {
            let level = if size > SKEW_FAIL_S {
                Level::Fail
            } else {
                Level::Warn
            };
            step(
                "clock",
                level,
                format!("this computer's clock is {span} {side}"),
            )
            .fix("correct the clock (timedatectl set-ntp true)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared() {
        let date = "Sat, 21 Nov 2026 14:02:00 GMT";
        let at = 1_795_269_720;
        for (now, level, part) in [
            (at, Level::Ok, "within"),
            (at - 600, Level::Warn, "behind"),
            (at + 11_520, Level::Fail, "ahead"),
        ] {
            let step = clock(Some(date), now);
            assert_eq!(step.level, level, "{}", step.detail);
            assert!(step.detail.contains(part), "{}", step.detail);
        }
        assert_eq!(clock(None, at).level, Level::Warn);
    }
}
