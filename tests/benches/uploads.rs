//! What receiving costs: one body of 1 GB, and 2,000 bodies of 200 KB, 64 at a time, on loopback; CPU seconds and peak
//! memory of the server's process, and bodies per second. In turn with nginx (DAV PUT; nothing is hashed or synced),
//! the tus project's own server, and rustus; a peer that is not on the machine is named. The first line is the limit:
//! the same bytes written, hashed and synced by one thread, without a network.
//!
//! Our collector is there twice: receiving only, and with its workers, which read every bundle meanwhile.
//!
//! Run with `cargo bench --bench uploads [-- ROUNDS]`; of three rounds, or as many as said, the middle one counts. Peers: `npm install --prefix target/node @tus/server @tus/file-store`,
//! `cargo install rustus --root ~/.cache/sitrep-tests/rustus`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use sitrep_shared::hash::Sha256;
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::peers::free_port;
use sitrep_tests::process::{self, Running, status_kib, wait_for};
use sitrep_tests::workspace_root;

const LARGE: usize = 1_000_000_000;
const SMALL: usize = 200_000;
const MANY: usize = 2000;
const AT_ONCE: usize = 64;
/// Uploads that a code of ours allows.
const PER_CODE: usize = 20;
const PATIENCE: Duration = Duration::from_secs(300);

/// How a body is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Plain PUT.
    Put,
    /// tus: a creation, then a PATCH.
    Patch,
    /// tus: with its creation.
    Whole,
}

/// What tus servers know.
const BOTH: &[Way] = &[Way::Patch, Way::Whole];

/// A server under test.
struct Server {
    name: &'static str,
    id: u32,
    base: String,
    ways: &'static [Way],
    /// Codes of ours, each for some uploads.
    codes: Vec<String>,
    sent: AtomicUsize,
    _running: Option<Running>,
}

/// What one turn of one server cost: CPU seconds, and bodies per second or MB of memory.
type Cost = (f64, f64);

fn main() -> Result<(), String> {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next();
    let rounds: usize = rounds.unwrap_or(3);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    drop(rustls::crypto::ring::default_provider().install_default());
    // Bytes that do not repeat, as those of packed bundles.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let bytes: &'static [u8] = (0..LARGE / 8)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect::<Vec<u8>>()
        .leak();
    say(
        "| server | 1 GB: CPU s | MB more in memory | 2,000 of 200 KB, a request each: CPU s | bodies per s | with two requests each: CPU s | bodies per s |\n|---|---|---|---|---|---|---|",
    );
    limit(dir.path(), bytes)?;
    let collectors = [
        ("sitrepd, receiving", "serve"),
        ("sitrepd, and reading", "all"),
    ];
    let mut started = Vec::new();
    let mut servers = Vec::new();
    for (name, role) in collectors {
        let setting = Setting {
            env: vec![("SITREPD_ROLE".to_owned(), role.to_owned())],
            ..Setting::default()
        };
        let collector = Collector::start_with(&dir.path().join(role), setting)?;
        servers.push(ours(name, &collector, rounds)?);
        started.push(collector);
    }
    for peer in [nginx, tus_project, rustus] {
        match peer(dir.path()) {
            Ok(server) => servers.push(server),
            Err(why) => say(&format!("| missing: {why} | | | | | | |")),
        }
    }
    let mut costs: Vec<Vec<Vec<Cost>>> = vec![vec![Vec::new(); 3]; servers.len()];
    for _ in 0..rounds {
        for (server, costs) in servers.iter().zip(&mut costs) {
            turn(server, bytes, costs)?;
        }
    }
    for (server, costs) in servers.iter().zip(&mut costs) {
        let cells: Vec<String> = costs.iter_mut().map(|cost| middle(cost)).collect();
        say(&format!("| {} | {} |", server.name, cells.join(" | ")));
    }
    Ok(())
}

/// The middle one by CPU time, as two cells.
fn middle(costs: &mut [Cost]) -> String {
    costs.sort_by(|a, b| a.0.total_cmp(&b.0));
    match costs.get(costs.len() / 2) {
        Some((cpu, other)) => format!("{cpu:.2} | {other:.0}"),
        None => "| ".to_owned(),
    }
}

/// The large body, then the small ones in each way that the server knows.
fn turn(server: &Server, bytes: &'static [u8], costs: &mut [Vec<Cost>]) -> Result<(), String> {
    let client = Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let plain = server.ways[0];
    // Connections and caches are there when it counts.
    server.send(&client, plain, &bytes[..SMALL])?;
    let (cpu, peak) = (server.cpu_s(), server.peak_mb());
    server.send(&client, plain, bytes)?;
    costs[0].push((server.cpu_s() - cpu, server.peak_mb() - peak));
    for way in server.ways {
        let place = if *way == Way::Patch { 2 } else { 1 };
        costs[place].push(many(server, &client, *way, bytes)?);
    }
    Ok(())
}

fn many(server: &Server, client: &Client, way: Way, bytes: &'static [u8]) -> Result<Cost, String> {
    let (next, cpu, begun) = (AtomicUsize::new(0), server.cpu_s(), Instant::now());
    let worker = || -> Result<(), String> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= MANY {
                return Ok(());
            }
            let start = n * SMALL % (LARGE - SMALL);
            server.send(client, way, &bytes[start..start + SMALL])?;
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        let mut ended = all.into_iter().map(|thread| thread.join());
        ended.try_for_each(|end| end.map_err(|_| "a client panicked".to_owned())?)
    })?;
    let rate = MANY as f64 / begun.elapsed().as_secs_f64();
    Ok((server.cpu_s() - cpu, rate))
}

/// What the same bytes cost without a network.
fn limit(dir: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = folder(dir, "limit")?;
    let write = |n: usize, body: &[u8]| -> std::io::Result<()> {
        let (mut file, mut hash) = (
            std::fs::File::create(folder.join(n.to_string()))?,
            Sha256::new(),
        );
        for chunk in body.chunks(1 << 20) {
            file.write_all(chunk)?;
            hash.update(chunk);
        }
        std::hint::black_box(hash.finish());
        file.sync_data()
    };
    let fault = |error: std::io::Error| error.to_string();
    let cpu = cpu_s(std::process::id());
    write(0, bytes).map_err(fault)?;
    let (large, cpu, begun) = (
        cpu_s(std::process::id()) - cpu,
        cpu_s(std::process::id()),
        Instant::now(),
    );
    for n in 0..MANY {
        let start = n * SMALL % (LARGE - SMALL);
        write(n, &bytes[start..start + SMALL]).map_err(fault)?;
    }
    let small = cpu_s(std::process::id()) - cpu;
    let rate = MANY as f64 / begun.elapsed().as_secs_f64();
    say(&format!(
        "| limit: written, hashed, synced | {large:.2} | | {small:.2} | {rate:.0} | | |"
    ));
    Ok(())
}

/// CPU seconds of a process so far, without its children's.
fn cpu_s(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let behind = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind.split(' ').skip(11).take(2);
    ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

impl Server {
    /// Sends one body to its end.
    fn send(&self, client: &Client, way: Way, body: &'static [u8]) -> Result<(), String> {
        let whole = || Body::sized(std::io::Cursor::new(body), body.len() as u64);
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        if way == Way::Put {
            let request = client.put(format!("{}/{n}", self.base)).body(whole());
            return answered(request).map(drop);
        }
        let code = self.codes.get(n / PER_CODE);
        let with = |request: RequestBuilder| {
            let request = request.header("Tus-Resumable", "1.0.0");
            match code {
                Some(code) => request.bearer_auth(code),
                None => request,
            }
        };
        let bytes = |request: RequestBuilder| {
            let kind = "application/offset+octet-stream";
            request.header("Content-Type", kind).body(whole())
        };
        let create = client.post(&self.base).header("Upload-Length", body.len());
        if way == Way::Whole {
            return answered(with(bytes(create))).map(drop);
        }
        let made = answered(with(create))?;
        let place = made.headers().get("location").and_then(|l| l.to_str().ok());
        let place = place.ok_or_else(|| format!("{}: no location", self.name))?;
        let url = made.url().join(place).map_err(|error| error.to_string())?;
        let patch = client.patch(url).header("Upload-Offset", 0);
        answered(with(bytes(patch))).map(drop)
    }

    fn cpu_s(&self) -> f64 {
        cpu_s(self.id)
    }

    fn peak_mb(&self) -> f64 {
        status_kib(self.id, "VmHWM:").unwrap_or_default() as f64 / 1024.0
    }
}

fn answered(request: RequestBuilder) -> Result<Response, String> {
    let answer = request.send().map_err(|error| error.to_string())?;
    answer.error_for_status().map_err(|error| error.to_string())
}

fn ours(name: &'static str, collector: &Collector, rounds: usize) -> Result<Server, String> {
    let mut codes = Vec::new();
    for n in 0..=rounds * (2 * MANY + 2) / PER_CODE {
        let ticket = collector.create_ticket(&format!("uploads {n}"))?;
        codes.push(collector.create_wide_code(&ticket.id)?);
    }
    Ok(Server {
        name,
        id: collector.id(),
        base: format!("{}/api/v1/uploads", collector.url()),
        ways: BOTH,
        codes,
        sent: AtomicUsize::new(0),
        _running: None,
    })
}

/// Starts a peer and waits until it listens.
fn up(
    name: &'static str,
    mut command: std::process::Command,
    port: u16,
    path: &str,
    ways: &'static [Way],
) -> Result<Server, String> {
    let running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    wait_for(name, Duration::from_secs(30), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })?;
    Ok(Server {
        name,
        id: running.id(),
        base: format!("http://127.0.0.1:{port}{path}"),
        ways,
        codes: Vec::new(),
        sent: AtomicUsize::new(0),
        _running: Some(running),
    })
}

/// A folder of a peer's own.
fn folder(dir: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = dir.join(name);
    std::fs::create_dir_all(folder.join("data")).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn nginx(dir: &Path) -> Result<Server, String> {
    let (folder, port) = (folder(dir, "nginx")?, free_port()?);
    let at = folder.display();
    let text = format!(
        "user root; worker_processes 1; daemon off; master_process off; pid {at}/pid; error_log {at}/error;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; client_max_body_size 0; client_body_temp_path {at}/b; proxy_temp_path {at}/p;\n\
         fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ root {at}/data; dav_methods PUT; }} }} }}\n"
    );
    let conf = folder.join("nginx.conf");
    std::fs::write(&conf, text).map_err(|error| error.to_string())?;
    let mut command = process::command(Path::new("/usr/sbin/nginx"));
    command
        .arg("-e")
        .arg(folder.join("start"))
        .arg("-c")
        .arg(conf);
    up("nginx, DAV PUT", command, port, "", &[Way::Put])
}

fn tus_project(dir: &Path) -> Result<Server, String> {
    let modules = workspace_root().join("target/node/node_modules");
    if !modules.join("@tus/server").exists() {
        return Err("@tus/server".to_owned());
    }
    let (folder, port) = (folder(dir, "tus")?, free_port()?);
    // Modules are looked for from where the script lies.
    let script = folder.join("tus_server.mjs");
    std::fs::copy(
        workspace_root().join("tests/fixtures/peers/tus_server.mjs"),
        &script,
    )
    .map_err(|error| error.to_string())?;
    std::os::unix::fs::symlink(modules, folder.join("node_modules"))
        .map_err(|error| error.to_string())?;
    let mut command = process::command(Path::new("node"));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .arg(script)
        .arg(port.to_string())
        .arg(folder.join("data"));
    up("@tus/server", command, port, "/files", BOTH)
}

fn rustus(dir: &Path) -> Result<Server, String> {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let program = Path::new(&home).join(".cache/sitrep-tests/rustus/bin/rustus");
    if !program.exists() {
        return Err("rustus".to_owned());
    }
    let (folder, port) = (folder(dir, "rustus")?, free_port()?);
    let mut command = process::command(&program);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args([
        "--max-body-size",
        &(2 * LARGE).to_string(),
        "--log-level",
        "ERROR",
    ]);
    command.arg("--data-dir").arg(folder.join("data"));
    command.arg("--info-dir").arg(folder.join("info"));
    up("rustus", command, port, "/files", BOTH)
}

fn say(text: &str) {
    // Who reads may have gone.
    drop(writeln!(std::io::stdout(), "{text}"));
}
