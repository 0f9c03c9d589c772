//! 10,000 uploads at 1 KiB a second, from several addresses, beside ten honest ones: memory of the collector, and what
//! the honest ones keep of the speed that they have without the slow ones. Slower ones than the collector takes, and
//! silent ones, must be shed as the settings say, and nobody else.
//!
//! Run with `cargo bench --bench slow_uploads [-- CLIENTS]`. Takes four minutes, which is what the limits are about.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::process::status_kib;
use sitrep_tests::uploader::{Uploader, log_text};

/// Uploads of a code, with those that may be open beyond.
const PER_CODE: usize = 20;
/// Uploads of one address; the collector takes 1,000.
const PER_ADDRESS: usize = 500;
const HONEST: usize = 10;
const HONEST_BYTES: usize = 16 << 20;
/// How long the honest ones are measured, without and with the others: what they send must fit on the disk beside what the
/// slow ones claim, or they wait for room.
const SPAN: Duration = Duration::from_secs(12);
/// Clients that are slower than allowed, and silent ones.
const SHED: usize = 100;
/// What a slow upload claims to be: more than it sends in this time, and room that a disk has ten thousand times.
const SLOW_BYTES: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// What a client sends each second.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// 1 KiB: more than the least, by little.
    Slow,
    /// Half of it.
    TooSlow,
    Silent,
}

struct Client {
    stream: TcpStream,
    pace: Pace,
    begun: Instant,
    /// The answer, when there was one, and after how long.
    ended: Option<(String, Duration)>,
}

fn main() -> Result<(), String> {
    let clients = std::env::args().filter_map(|word| word.parse().ok()).next();
    let clients: usize = clients.unwrap_or(10_000);
    // Each upload is a connection here, and a connection and a file at the collector, which is a child of this process.
    let wanted = 2 * clients as u64 + 1_500;
    let allowed = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let files = Some(wanted.max(allowed));
    let files = Rlimit {
        current: files,
        maximum: files,
    };
    setrlimit(Resource::Nofile, files).map_err(|error| {
        format!("{clients} clients need {wanted} open files, {allowed} are allowed ({error}): fewer clients as argument, or ulimit -Hn")
    })?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Receiving alone: what was sent before must not be read while the others are measured.
    let setting = Setting {
        env: vec![("SITREPD_ROLE".to_owned(), "serve".to_owned())],
        ..Setting::default()
    };
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let alone = honest(&collector)?;
    say(&format!("honest uploads alone: {alone:.0} MB/s"));
    let before = rss_mb(&collector);
    let begun = Instant::now();
    let over = AtomicBool::new(false);
    let (slow, together, during, created_s) = std::thread::scope(|scope| {
        let over = &over;
        let (give, take) = std::sync::mpsc::channel();
        let feeding = scope.spawn(move || feed(&take, over));
        connect_all(&collector, clients, Pace::Slow, &give)?;
        connect_all(&collector, SHED, Pace::TooSlow, &give)?;
        connect_all(&collector, SHED, Pace::Silent, &give)?;
        let created_s = begun.elapsed().as_secs_f64();
        // Longer than the rate is averaged over, so that whoever is shed is shed by now.
        std::thread::sleep(Duration::from_secs(100));
        let together = honest(&collector);
        let during = rss_mb(&collector);
        over.store(true, Ordering::Relaxed);
        let slow = feeding.join().map_err(|_| "the clients' thread died")?;
        Ok::<_, String>((slow, together?, during, created_s))
    })?;
    say(&format!(
        "{clients} slow ones made in {created_s:.1} s; honest uploads beside them: {together:.0} MB/s, {:.2} of alone (aim 0.80)",
        together / alone
    ));
    let peak = status_kib(collector.id(), "VmHWM:").unwrap_or_default() / 1024;
    say(&format!(
        "memory: {before:.0} MB before, {during:.0} MB during, {peak} MB at most (limit 1024)"
    ));
    for (pace, name, answer) in [
        (Pace::Slow, "1 KiB a second", ""),
        (Pace::TooSlow, "512 bytes a second", "408"),
        (Pace::Silent, "silent", "408"),
    ] {
        let mut of = slow.iter().filter(|client| client.pace == pace);
        let count = of.clone().count();
        let right = of.clone().filter(|client| match &client.ended {
            None => answer.is_empty(),
            Some((line, _)) => !answer.is_empty() && line.contains(answer),
        });
        let right = right.count();
        let last = of.find_map(|client| client.ended.as_ref());
        let last = last.map_or(String::new(), |(line, after)| {
            format!(", for example `{line}` after {:.0} s", after.as_secs_f64())
        });
        let what = if answer.is_empty() {
            "go on"
        } else {
            "were shed"
        };
        say(&format!("{name}: {right} of {count} {what}{last}"));
    }
    Ok(())
}

/// Megabytes per second of ten uploads at once, one after the other.
fn honest(collector: &Collector) -> Result<f64, String> {
    let (bytes, begun, count) = (AtomicU64::new(0), Instant::now(), AtomicU64::new(0));
    let data = log_text(1, 1, HONEST_BYTES);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..HONEST)
            .map(|_| {
                let (bytes, count, data) = (&bytes, &count, &data);
                scope.spawn(move || -> Result<(), String> {
                    while begun.elapsed() < SPAN {
                        let ticket = collector.create_ticket("Honest")?;
                        let code = collector.create_wide_code(&ticket.id)?;
                        let uploader =
                            Uploader::new(&collector.url(), &code, 4 << 20, PATIENCE, count)?;
                        for _ in 0..PER_CODE {
                            if begun.elapsed() >= SPAN {
                                return Ok(());
                            }
                            uploader.upload(data)?;
                            bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let mut ended = all.into_iter().map(|thread| thread.join());
        ended.try_for_each(|end| end.map_err(|_| "a client panicked".to_owned())?)
    })?;
    Ok(bytes.load(Ordering::Relaxed) as f64 / 1e6 / begun.elapsed().as_secs_f64())
}

/// Makes uploads and begins to send them, each by a connection of its own; `give` gets them at once.
fn connect_all(
    collector: &Collector,
    clients: usize,
    pace: Pace,
    give: &Sender<Client>,
) -> Result<(), String> {
    let mut code = String::new();
    let fault = |error: std::io::Error| error.to_string();
    for n in 0..clients {
        if n % PER_CODE == 0 {
            let ticket = collector.create_ticket("Slow")?;
            code = collector.create_wide_code(&ticket.id)?;
        }
        let mut stream = open(collector.address(), n / PER_ADDRESS, pace).map_err(fault)?;
        let common = format!("Host: c\r\nAuthorization: Bearer {code}\r\nTus-Resumable: 1.0.0\r\n");
        let ask = format!(
            "POST /api/v1/uploads HTTP/1.1\r\n{common}Upload-Length: {SLOW_BYTES}\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).map_err(fault)?;
        let answer = answer(&mut stream).map_err(fault)?;
        let place = answer
            .lines()
            .find_map(|line| line.strip_prefix("location: "));
        let place = place.ok_or_else(|| format!("no upload: {answer}"))?;
        let begin = format!(
            "PATCH {place} HTTP/1.1\r\n{common}Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n\
             Content-Length: {SLOW_BYTES}\r\n\r\n"
        );
        stream.write_all(begin.as_bytes()).map_err(fault)?;
        stream.set_nonblocking(true).map_err(fault)?;
        let begun = Instant::now();
        let client = Client {
            stream,
            pace,
            begun,
            ended: None,
        };
        give.send(client).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A connection from one of several loopback addresses: every kind of client has its own.
fn open(to: SocketAddr, group: usize, pace: Pace) -> std::io::Result<TcpStream> {
    let kind = match pace {
        Pace::Slow => 1,
        Pace::TooSlow => 2,
        Pace::Silent => 3,
    };
    let group = u8::try_from(group + 1).unwrap_or(u8::MAX);
    let from = SocketAddr::from(([127, 1, kind, group], 0));
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &from)?;
    connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

/// The head of an answer that has no body.
fn answer(stream: &mut TcpStream) -> std::io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Sends for everybody, each second, until told to stop.
fn feed(come: &Receiver<Client>, over: &AtomicBool) -> Vec<Client> {
    let mut clients = Vec::new();
    let chunk = [b'x'; 1024];
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        clients.extend(come.try_iter());
        for client in clients.iter_mut().filter(|client| client.ended.is_none()) {
            let bytes = match client.pace {
                Pace::Slow => 1024,
                Pace::TooSlow => 512,
                Pace::Silent => 0,
            };
            if bytes > 0 {
                // A full buffer is the collector's to empty; this second is lost then.
                drop(client.stream.write(&chunk[..bytes]));
            }
            client.look();
        }
        next += Duration::from_secs(1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    clients
}

impl Client {
    /// Whether it was answered, or cut off.
    fn look(&mut self) {
        let mut head = [0; 256];
        let line = match self.stream.read(&mut head) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => error.to_string(),
            Ok(read) => {
                let text = String::from_utf8_lossy(&head[..read]);
                text.lines().next().unwrap_or("closed").to_owned()
            }
        };
        self.ended = Some((line, self.begun.elapsed()));
    }
}

fn rss_mb(collector: &Collector) -> f64 {
    status_kib(collector.id(), "VmRSS:").unwrap_or_default() as f64 / 1024.0
}

#[expect(clippy::print_stdout, reason = "a benchmark is a program that prints")]
fn say(text: &str) {
    println!("{text}");
}
