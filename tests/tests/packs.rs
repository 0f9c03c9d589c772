//! The engineers' command line against a running collector: somebody's rules become a pack there, in shadow, and a
//! signature is tried on what is stored. Both programs are the real ones.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sitrep_tests::collector::Collector;
use sitrep_tests::{binaries, fleet, process};

const LIMIT: Duration = Duration::from_secs(300);

/// Runs `sitrepctl signature` and gives its exit code and what it wrote.
fn ctl(collector: &Collector, dir: &Path, arguments: &[&str]) -> Result<(i32, String), String> {
    let token = dir.join("token");
    std::fs::write(&token, collector.token()).map_err(|error| error.to_string())?;
    let mut command = process::command(&binaries::folder().join("sitrepctl"));
    command.arg("signature").args(arguments);
    command.args(["--server", &collector.url(), "--token-file"]);
    let output = command
        .arg(&token)
        .output()
        .map_err(|error| error.to_string())?;
    let text = [output.stdout, output.stderr].concat();
    let code = output.status.code().unwrap_or(-1);
    Ok((code, String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn rules_of_others_become_a_pack_and_are_tried_before() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let bundles = [fleet::bundle(1, false)?, fleet::bundle(2, true)?];
    collector.send_bundles("Billing stands still", &bundles, LIMIT)?;

    let rules = dir.path().join("rules");
    let write = |name: &str, text: &str| {
        let path = rules.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&rules))
            .map_err(|error| error.to_string())?;
        std::fs::write(path, text).map_err(|error| error.to_string())
    };
    let own = fleet::signature("draft");
    write("own.yaml", &own)?;
    let file = rules.join("own.yaml").display().to_string();
    let (code, told) = ctl(&collector, dir.path(), &["backtest", &file, "--estimate"])?;
    assert!(code == 0 && told.starts_with("2 bundles, "), "{told}");
    let (code, told) = ctl(&collector, dir.path(), &["backtest", &file])?;
    assert!(code == 0 && told.contains(": 1 match"), "{told}");

    let rule = "rules:\n  - metadata: {id: communityRule1}\n    cre: {id: CRE-2099-0001, severity: 1, title: T}\n    \
                rule: {set: {event: {source: cre.log.x}, match: [out of gadgets]}}\n";
    write("cre-1/rule.yaml", rule)?;
    write(
        "cre-2/rule.yaml",
        &rule
            .replace("0001", "0002")
            .replace("Rule1", "Rule2")
            .replace("match:", "order:"),
    )?;
    write("LICENSE", "Apache License\nVersion 2.0\n")?;
    let from = rules.display().to_string();
    let (code, told) = ctl(
        &collector,
        dir.path(),
        &["import", &from, "--name", "community"],
    )?;
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("refused: cre-2/rule.yaml:4"), "{told}");
    let packs = collector.get("/api/v1/signature-packs")?;
    let pack = &packs["items"][0];
    let field = |key: &str| pack[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (field("name"), field("licence")),
        ("community".into(), "Apache-2.0".into())
    );
    assert_eq!(pack["signatures"], 2);
    let stands = collector.get("/api/v1/signatures/CRE-2099-0001")?;
    assert_eq!(stands["status"], Value::from("shadow"), "{stands}");

    std::fs::write(dir.path().join("wrong"), "no token").map_err(|error| error.to_string())?;
    let nowhere = ["import", &from, "--name", "Bad Name"];
    let (code, told) = ctl(&collector, dir.path(), &nowhere)?;
    assert!(code != 0 && told.contains("Bad Name"), "{told}");
    Ok(())
}
