//! What receiving costs: one body of 1 GB, and 2,000 bodies of 200 KB, 64 at a time, on loopback; CPU seconds and peak
//! memory of the server's process, and bodies per second. In turn with nginx (DAV PUT; nothing is hashed or synced),
//! the tus project's own server, and rustus; a peer that is not on the machine is named.
//!
//! Run with `cargo bench --bench uploads`. Peers: `npm install --prefix target/node @tus/server @tus/file-store`,
//! `cargo install rustus --root ~/.cache/sitrep-tests/rustus`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use sitrep_tests::collector::Collector;
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

/// A server under test.
struct Server {
    name: &'static str,
    id: u32,
    base: String,
    /// tus, or plain PUT.
    tus: bool,
    /// Codes of ours, each for some uploads.
    codes: Vec<String>,
    _running: Option<Running>,
}

fn main() -> Result<(), String> {
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
        "| server | 1 GB: CPU s | MB more in memory | 2,000 of 200 KB: CPU s | bodies per s |\n|---|---|---|---|---|",
    );
    let collector = Collector::start(&dir.path().join("ours"))?;
    measure(&ours(&collector)?, bytes)?;
    for peer in [nginx, tus_project, rustus] {
        match peer(dir.path()) {
            Ok(server) => measure(&server, bytes)?,
            Err(why) => say(&format!("| missing: {why} | | | | |")),
        }
    }
    Ok(())
}

fn measure(server: &Server, bytes: &'static [u8]) -> Result<(), String> {
    let client = Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    // Connections and caches are there when it counts.
    server.send(&client, 0, &bytes[..SMALL])?;
    let (cpu, peak) = (server.cpu_s(), server.peak_mb());
    server.send(&client, 1, bytes)?;
    let (large, more) = (server.cpu_s() - cpu, server.peak_mb() - peak);

    let (next, cpu, begun) = (AtomicUsize::new(2), server.cpu_s(), Instant::now());
    let worker = || -> Result<(), String> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= MANY + 2 {
                return Ok(());
            }
            let start = n * SMALL % (LARGE - SMALL);
            server.send(&client, n, &bytes[start..start + SMALL])?;
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        let mut ended = all.into_iter().map(|thread| thread.join());
        ended.try_for_each(|end| end.map_err(|_| "a client panicked".to_owned())?)
    })?;
    let rate = MANY as f64 / begun.elapsed().as_secs_f64();
    let small = server.cpu_s() - cpu;
    let name = server.name;
    say(&format!(
        "| {name} | {large:.2} | {more:.0} | {small:.2} | {rate:.0} |"
    ));
    Ok(())
}

impl Server {
    /// Sends one body to its end.
    fn send(&self, client: &Client, n: usize, body: &'static [u8]) -> Result<(), String> {
        let whole = || Body::sized(std::io::Cursor::new(body), body.len() as u64);
        if !self.tus {
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
        let create = client.post(&self.base).header("Upload-Length", body.len());
        let made = answered(with(create))?;
        let place = made.headers().get("location").and_then(|l| l.to_str().ok());
        let place = place.ok_or_else(|| format!("{}: no location", self.name))?;
        let url = made.url().join(place).map_err(|error| error.to_string())?;
        let patch = client.patch(url).header("Upload-Offset", 0);
        let patch = patch.header("Content-Type", "application/offset+octet-stream");
        answered(with(patch.body(whole()))).map(drop)
    }

    /// CPU seconds of its process so far, without its children's.
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap_or_default();
        let behind = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = behind.split(' ').skip(11).take(2);
        ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
    }

    fn peak_mb(&self) -> f64 {
        status_kib(self.id, "VmHWM:").unwrap_or_default() as f64 / 1024.0
    }
}

fn answered(request: RequestBuilder) -> Result<Response, String> {
    let answer = request.send().map_err(|error| error.to_string())?;
    answer.error_for_status().map_err(|error| error.to_string())
}

fn ours(collector: &Collector) -> Result<Server, String> {
    let mut codes = Vec::new();
    for n in 0..=(MANY + 2) / PER_CODE {
        let ticket = collector.create_ticket(&format!("uploads {n}"))?;
        codes.push(collector.create_wide_code(&ticket.id)?);
    }
    Ok(Server {
        name: "sitrepd, hashed and durable",
        id: collector.id(),
        base: format!("{}/api/v1/uploads", collector.url()),
        tus: true,
        codes,
        _running: None,
    })
}

/// Starts a peer and waits until it listens.
fn up(
    name: &'static str,
    mut command: std::process::Command,
    port: u16,
    path: &str,
    tus: bool,
) -> Result<Server, String> {
    let running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    wait_for(name, Duration::from_secs(30), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })?;
    Ok(Server {
        name,
        id: running.id(),
        base: format!("http://127.0.0.1:{port}{path}"),
        tus,
        codes: Vec::new(),
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
    up("nginx, DAV PUT", command, port, "", false)
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
    up("@tus/server", command, port, "/files", true)
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
    up("rustus", command, port, "/files", true)
}

fn say(text: &str) {
    use std::io::Write;
    // Who reads may have gone.
    drop(writeln!(std::io::stdout(), "{text}"));
}
