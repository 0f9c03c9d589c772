//! Power cuts: the collector is killed at random moments while eight clients upload. No acknowledged byte may be lost,
//! and no upload may become two bundles.

use sitrep_shared::hash::sha256;
use sitrep_tests::collector::Collector;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Clients at once.
const CLIENTS: u64 = 8;
/// Bytes of a request.
const CHUNK: usize = 128 << 10;
/// Bytes of an upload.
const UPLOAD: usize = 3 << 20;
/// How long a client waits for a collector that is down.
const PATIENCE: Duration = Duration::from_secs(60);

/// Marsaglia's xorshift: kills at other moments each time, from the seed that is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What the clients and the one who kills share.
struct World {
    base: String,
    codes: Vec<String>,
    acknowledged: AtomicU64,
    over: AtomicBool,
}

/// An upload that the client believes complete.
struct Sent {
    sha256: String,
    id: String,
}

fn client() -> Result<reqwest::blocking::Client, String> {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::blocking::Client::builder()
        .timeout(Duration::from_secs(30))
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())
}

fn text(of: u64, number: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(UPLOAD + 64);
    let mut line = 0u64;
    while text.len() < UPLOAD {
        line += 1;
        text.extend_from_slice(
            format!("Nov 21 14:02:00 host app[{of}]: upload {number} line {line}\n").as_bytes(),
        );
    }
    text
}

impl World {
    /// Asks until there is an answer of these statuses; a collector that is down is asked again.
    fn ask(
        &self,
        code: &str,
        mut request: impl FnMut() -> reqwest::blocking::RequestBuilder,
        once: bool,
    ) -> Result<Option<reqwest::blocking::Response>, String> {
        let began = Instant::now();
        loop {
            let sent = request()
                .bearer_auth(code)
                .header("Tus-Resumable", "1.0.0")
                .send();
            match sent {
                Ok(response) if response.status().as_u16() < 500 => return Ok(Some(response)),
                _ if once => return Ok(None),
                Err(error) if began.elapsed() > PATIENCE => return Err(error.to_string()),
                Ok(response) if began.elapsed() > PATIENCE => {
                    return Err(response.status().to_string());
                }
                _ => std::thread::yield_now(),
            }
        }
    }

    /// One upload from its creation to its end, whatever happens to the collector meanwhile.
    fn upload(
        &self,
        client: &reqwest::blocking::Client,
        code: &str,
        data: &[u8],
    ) -> Result<Sent, String> {
        let create = || {
            let url = format!("{}/api/v1/uploads", self.base);
            client.post(url).header("Upload-Length", data.len())
        };
        let made = self.ask(code, create, false)?.ok_or("no answer")?;
        let place = made
            .headers()
            .get("location")
            .and_then(|place| place.to_str().ok());
        let place = place
            .ok_or_else(|| format!("no upload: {}", made.status()))?
            .to_owned();
        let url = format!("{}{place}", self.base);
        let mut at = 0;
        while at < data.len() {
            let end = (at + CHUNK).min(data.len());
            let patch = || {
                client
                    .patch(&url)
                    .header("Upload-Offset", at)
                    .header("Content-Type", "application/offset+octet-stream")
                    .body(data[at..end].to_vec())
            };
            match self.ask(code, patch, true)? {
                Some(done) if done.status() == 204 => {
                    at = offset(&done)?;
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                // Killed, or another offset than we knew: the collector says where to go on, never before an answer.
                _ => {
                    let head = self
                        .ask(code, || client.head(&url), false)?
                        .ok_or("no answer")?;
                    if head.status() != 200 {
                        return Err(format!("{place} is gone: {}", head.status()));
                    }
                    let stands = offset(&head)?;
                    if stands < at {
                        return Err(format!(
                            "{place}: {at} were acknowledged, and {stands} are there"
                        ));
                    }
                    at = stands;
                }
            }
        }
        let id = place.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Sent {
            sha256: sha256(data).to_string(),
            id,
        })
    }

    fn uploads(&self, number: u64) -> Result<Vec<Sent>, String> {
        let (client, code) = (client()?, &self.codes[usize::try_from(number).unwrap_or(0)]);
        let mut sent = Vec::new();
        // A code takes twenty bundles.
        while !self.over.load(Ordering::Relaxed) && sent.len() < 20 {
            let data = text(number, sent.len() as u64);
            sent.push(self.upload(&client, code, &data)?);
        }
        Ok(sent)
    }
}

fn offset(response: &reqwest::blocking::Response) -> Result<usize, String> {
    let offset = response
        .headers()
        .get("upload-offset")
        .and_then(|value| value.to_str().ok());
    offset
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "no offset".to_owned())
}

/// Kills after a random number of acknowledgements; gives the slowest return.
fn kill(
    world: &World,
    collector: &mut Collector,
    kills: u64,
    random: &mut Random,
) -> Result<Duration, String> {
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let wanted = world.acknowledged.load(Ordering::Relaxed) + random.below(4 * CLIENTS);
        let began = Instant::now();
        while world.acknowledged.load(Ordering::Relaxed) < wanted && began.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        for _ in 0..random.below(20_000) {
            std::hint::spin_loop();
        }
        let began = Instant::now();
        collector
            .crash_and_restart()
            .map_err(|error| format!("kill {kill}: {error}"))?;
        slowest = slowest.max(began.elapsed());
    }
    Ok(slowest)
}

#[test]
fn no_acknowledged_byte_is_lost_and_none_comes_twice() -> Result<(), String> {
    let quick = std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|quick| !quick.is_empty());
    let kills = if quick { 10 } else { 100 };
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Power cuts")?;
    let seed = (u64::from(std::process::id()) * 0x9e37_79b9) | 1;
    let mut codes = Vec::new();
    for _ in 0..CLIENTS {
        let path = format!("/api/v1/tickets/{}/codes", ticket.id);
        let made = collector.post(&path, &serde_json::json!({"max_bundles": 20}))?;
        codes.push(made["code"].as_str().ok_or("no code")?.to_owned());
    }
    let world = World {
        base: collector.url(),
        codes,
        acknowledged: AtomicU64::new(0),
        over: AtomicBool::new(false),
    };
    let (sent, slowest) = std::thread::scope(|scope| {
        let world = &world;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| scope.spawn(move || world.uploads(n)))
            .collect();
        let slowest = kill(world, &mut collector, kills, &mut Random(seed));
        world.over.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for client in clients {
            sent.extend(client.join().map_err(|_| "a client's thread died")??);
        }
        Ok::<_, String>((sent, slowest?))
    })
    .map_err(|error| format!("seed {seed}: {error}"))?;
    check(&collector, &ticket.id, &sent)?;
    let line = format!(
        "{kills} kills, seed {seed}: {} uploads, {} acknowledgements, slowest return {slowest:?}\n",
        sent.len(),
        world.acknowledged.load(Ordering::Relaxed)
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes())
        .map_err(|error| error.to_string())
}

/// Every upload is one bundle with a verdict, byte for byte, and there is no other.
fn check(collector: &Collector, ticket: &str, sent: &[Sent]) -> Result<(), String> {
    let mut bundles = Vec::new();
    sitrep_tests::process::wait_for("all verdicts", Duration::from_secs(300), || {
        bundles = collector.bundles(ticket).unwrap_or_default();
        let settled = bundles.iter().filter(|bundle| {
            matches!(
                bundle["state"].as_str(),
                Some("ready" | "rejected" | "quarantined")
            )
        });
        settled.count() == sent.len()
    })
    .map_err(|error| {
        format!(
            "{error}: {} bundles of {} uploads",
            bundles.len(),
            sent.len()
        )
    })?;
    assert_eq!(bundles.len(), sent.len(), "an upload is one bundle");
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for upload in sent {
        assert!(!upload.id.is_empty());
        *expected.entry(&upload.sha256).or_default() += 1;
    }
    for bundle in &bundles {
        assert_eq!(bundle["state"], "ready", "{bundle}");
        let id = bundle["id"].as_str().ok_or("no id")?;
        let stored = sha256(&collector.download(id)?).to_string();
        assert_eq!(
            bundle["sha256"], stored,
            "what is stored is what was received"
        );
        let left = expected
            .get_mut(stored.as_str())
            .ok_or("nobody sent this")?;
        *left = left.checked_sub(1).ok_or("sent once, stored twice")?;
    }
    Ok(())
}
