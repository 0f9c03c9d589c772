//! Other people's upload clients against the real collector: tuspy, tus-js-client on Node (tus 1.0 and two versions of
//! the IETF's draft), Uppy in Chromium, and curl over HTTP/2 with TLS; whole, interrupted and resumed.

use serde_json::Value;
use sitrep_shared::hash::sha256;
use sitrep_tests::collector::{Collector, Setting, Ticket};
use sitrep_tests::process;
use sitrep_tests::proxy::Proxy;
use sitrep_tests::workspace_root;
use std::path::{Path, PathBuf};
use std::time::Duration;

struct World {
    dir: tempfile::TempDir,
    collector: Collector,
    ticket: Ticket,
    log: PathBuf,
    sha256: String,
}

impl World {
    fn new() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let collector = Collector::start(&dir.path().join("collector"))?;
        let ticket = collector.create_ticket("Uploads by other clients")?;
        let text: String = (0..60_000)
            .map(|n| format!("Nov 21 14:02:00 host app[{n}]: entry {n} of this log\n"))
            .collect();
        let log = dir.path().join("app.log");
        std::fs::write(&log, &text).map_err(|error| error.to_string())?;
        Ok(Self {
            sha256: sha256(text.as_bytes()).to_string(),
            dir,
            collector,
            ticket,
            log,
        })
    }

    fn endpoint(&self) -> String {
        format!("{}/api/v1/uploads", self.collector.url())
    }

    fn code(&self) -> Result<String, String> {
        self.collector.create_code_only(&self.ticket.id)
    }

    /// The last bundle has its verdict, is what was sent, and there are as many as expected.
    fn arrived(&self, count: usize) -> Result<(), String> {
        self.collector
            .wait_for_verdict(&self.ticket.id, Duration::from_secs(60))?;
        let bundles = self.collector.bundles(&self.ticket.id)?;
        if bundles.len() != count {
            return Err(format!("{} bundles, not {count}", bundles.len()));
        }
        match bundles.last() {
            Some(last) if last["sha256"] == self.sha256 => Ok(()),
            other => Err(format!("not what was sent: {other:?}")),
        }
    }

    fn node(&self, code: &str, options: &Value) -> Result<String, String> {
        self.node_at(&self.endpoint(), code, options)
    }

    fn node_at(&self, endpoint: &str, code: &str, options: &Value) -> Result<String, String> {
        let script = workspace_root().join("tests/fixtures/clients/tus.mjs");
        let modules = workspace_root().join("target/node");
        let options = options.to_string();
        run(
            "node",
            &[
                text(&script),
                text(&modules),
                endpoint,
                code,
                text(&self.log),
                &options,
            ],
        )
    }

    fn tuspy(&self, endpoint: &str, code: &str, stop_at: usize) -> Result<String, String> {
        let script = workspace_root().join("tests/fixtures/clients/tuspy.py");
        let python = workspace_root().join("target/venv/bin/python");
        let store = self.dir.path().join("tuspy.json");
        let stop_at = stop_at.to_string();
        run(
            text(&python),
            &[
                text(&script),
                endpoint,
                code,
                text(&self.log),
                text(&store),
                "262144",
                &stop_at,
            ],
        )
    }
}

fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let mut command = process::command(Path::new(program));
    command.args(args);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    process::said(&mut command)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[test]
fn tuspy_stops_and_goes_on() -> Result<(), String> {
    let world = World::new()?;
    let code = world.code()?;
    let first = world.tuspy(&world.endpoint(), &code, 1_048_576)?;
    assert_eq!(first.trim(), "0 1048576");
    let length = std::fs::metadata(&world.log)
        .map_err(|error| error.to_string())?
        .len();
    let second = world.tuspy(&world.endpoint(), &code, 0)?;
    assert_eq!(second.trim(), format!("1048576 {length}"));
    world.arrived(1)
}

#[test]
fn tuspy_survives_a_connection_that_breaks() -> Result<(), String> {
    let world = World::new()?;
    let code = world.code()?;
    let proxy = Proxy::cutting_after(world.collector.address(), 1_500_000)
        .map_err(|error| error.to_string())?;
    let through = format!("http://{}/api/v1/uploads", proxy.address());
    assert!(
        world.tuspy(&through, &code, 0).is_err(),
        "the connection was cut"
    );
    assert!(proxy.has_cut());
    proxy.mend();
    world.tuspy(&through, &code, 0)?;
    world.arrived(1)
}

#[test]
fn tus_js_client_in_every_way_it_knows() -> Result<(), String> {
    let world = World::new()?;
    let ways = [
        serde_json::json!({}),
        serde_json::json!({"uploadDataDuringCreation": true}),
        serde_json::json!({"uploadLengthDeferred": true}),
        serde_json::json!({"overridePatchMethod": true}),
        serde_json::json!({"protocol": "ietf-draft-03"}),
        serde_json::json!({"protocol": "ietf-draft-05"}),
        serde_json::json!({"protocol": "ietf-draft-05", "uploadDataDuringCreation": true}),
    ];
    for (place, way) in ways.iter().enumerate() {
        let said = world.node(&world.code()?, way)?;
        assert!(said.contains("done http"), "{way}: {said}");
        world
            .arrived(place + 1)
            .map_err(|error| format!("{way}: {error}"))?;
    }
    Ok(())
}

#[test]
fn tus_js_client_stops_and_goes_on() -> Result<(), String> {
    let world = World::new()?;
    for (place, protocol) in ["tus-v1", "ietf-draft-03", "ietf-draft-05"]
        .into_iter()
        .enumerate()
    {
        let code = world.code()?;
        let stop = serde_json::json!({"protocol": protocol, "abortAfter": 1_000_000});
        let said = world.node(&code, &stop)?;
        let line = said.lines().find(|line| line.starts_with("stopped"));
        let words: Vec<&str> = line.ok_or(said.clone())?.split(' ').collect();
        let [_, stopped, address] = words[..] else {
            return Err(said);
        };
        let resume = serde_json::json!({"protocol": protocol, "uploadUrl": address});
        let said = world.node(&code, &resume)?;
        let head = said.lines().next().unwrap_or_default();
        assert!(
            head.starts_with("HEAD 20") && head.ends_with(stopped),
            "{protocol}: {said}"
        );
        assert!(said.contains("done http"), "{protocol}: {said}");
        world.arrived(place + 1)?;
    }
    Ok(())
}

#[test]
fn tus_js_client_retries_by_itself() -> Result<(), String> {
    let world = World::new()?;
    let proxy = Proxy::cutting_after(world.collector.address(), 1_200_000)
        .map_err(|error| error.to_string())?;
    let through = format!("http://{}/api/v1/uploads", proxy.address());
    std::thread::scope(|scope| {
        let uploading =
            scope.spawn(|| world.node_at(&through, &world.code()?, &serde_json::json!({})));
        process::wait_for("the cut", Duration::from_secs(60), || proxy.has_cut())?;
        proxy.mend();
        let said = uploading.join().map_err(|_| "the client's thread died")??;
        assert!(said.contains("done http"), "{said}");
        Ok::<(), String>(())
    })?;
    world.arrived(1)
}

#[test]
fn uppy_in_a_browser_whole_paused_and_cut() -> Result<(), String> {
    let world = World::new()?;
    let script = workspace_root().join("tests/fixtures/clients/uppy.mjs");
    let modules = workspace_root().join("target/node");
    for (place, how) in ["whole", "pause", "cut"].into_iter().enumerate() {
        let (base, code) = (world.collector.url(), world.code()?);
        let said = run(
            "node",
            &[
                text(&script),
                text(&modules),
                "/usr/bin/chromium",
                &base,
                &code,
                text(&world.log),
                how,
            ],
        )?;
        assert!(said.contains("done"), "{how}: {said}");
        // What broke off is asked for before it goes on.
        let asked = said.lines().any(|line| line.starts_with("HEAD 20"));
        assert_eq!(asked, how != "whole", "{how}: {said}");
        // A pause may fall between two requests; only an answer that was kept from it is lost for certain.
        match how {
            "pause" => {}
            _ => assert_eq!(said.contains("PATCH lost"), how == "cut", "{how}: {said}"),
        }
        world
            .arrived(place + 1)
            .map_err(|error| format!("{how}: {error}"))?;
    }
    Ok(())
}

/// curl speaks HTTP/2 over TLS, with the certificate that the collector made for itself.
#[test]
fn curl_over_http_2_with_tls() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let setting = Setting {
        tls: true,
        ..Setting::default()
    };
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let ticket = collector.create_ticket("Upload by curl")?;
    let code = collector.create_code_only(&ticket.id)?;
    let body = dir.path().join("body");
    std::fs::write(
        &body,
        b"Nov 21 14:02:00 host app[1]: one line\n".repeat(50_000),
    )
    .map_err(|error| error.to_string())?;
    let (auth, url) = (format!("Authorization: Bearer {code}"), collector.url());
    let common = [
        "-sk",
        "--http2",
        "-o",
        "/dev/null",
        "-H",
        &auth,
        "-H",
        "Tus-Resumable: 1.0.0",
    ];
    let create = format!("{url}/api/v1/uploads");
    let upload = [
        "-w",
        "%{http_version} %{http_code} %header{location}",
        "-X",
        "POST",
        "-H",
        "Upload-Length: 1900000",
        &create,
    ];
    let said = run("curl", &[&common[..], &upload].concat())?;
    let words: Vec<&str> = said.split(' ').collect();
    let [version, status, location] = words[..] else {
        return Err(said);
    };
    assert_eq!((version, status), ("2", "201"), "{said}");
    let place = format!("{url}{}", location.trim_start_matches(&url));
    let data = format!("@{}", text(&body));
    let patch = [
        "-w",
        "%{http_version} %{http_code} %header{upload-offset}",
        "-X",
        "PATCH",
        "-H",
        "Upload-Offset: 0",
        "-H",
        "Content-Type: application/offset+octet-stream",
        "--data-binary",
        &data,
        &place,
    ];
    assert_eq!(
        run("curl", &[&common[..], &patch].concat())?,
        "2 204 1900000"
    );
    collector
        .wait_for_verdict(&ticket.id, Duration::from_secs(60))
        .map(drop)
}
