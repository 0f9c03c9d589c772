//! What `sitrep check` says when something on the way to the collector is wrong. Each fault is the real
//! one, by the real program.

use sitrep_tests::peers::{self, Authority, Peer};
use sitrep_tests::way::{Steps, World};
use sitrep_tests::{binaries, process};
use std::path::Path;
use std::time::Duration;

#[test]
fn a_good_way_is_ok_in_every_step() -> Result<(), String> {
    let world = World::new(true)?;
    let (_, link) = world.link(&world.collector.url())?;
    let steps = world.check(&[&link, "--ca-file", &world.trusted()], &[])?;
    steps.assert(
        0,
        &[
            ("proxy", "ok proxy_none"),
            ("name", "ok name_found"),
            ("connection", "ok connection_made"),
            ("tls", "ok tls_good"),
            ("clock", "ok clock_good"),
            ("mtu", "ok mtu_good"),
            ("code", "ok code_valid"),
        ],
    );
    assert!(
        steps.step("speed").ends_with("speed_measured"),
        "{:#}",
        steps.rows
    );
    // The probe of the speed has not used the code up, and left nothing.
    let bundle = world.bundle()?;
    let sent = world.agent.run(&[
        "send",
        &bundle,
        &link,
        "--yes",
        "--ca-file",
        &world.trusted(),
    ])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let wrong = format!("{}/u/7K4M-Q2XP-3NRT-8VWY", world.collector.url());
    let steps = world.check(&[&wrong, "--ca-file", &world.trusted()], &[])?;
    steps.assert(4, &[("code", "fail code_refused")]);
    Ok(())
}

#[test]
fn names_ports_and_clocks_that_are_wrong_are_named() -> Result<(), String> {
    let world = World::new(true)?;
    // No DNS: a network of its own, in which there is nothing.
    let mut alone = process::command(Path::new("/usr/bin/unshare"));
    alone
        .args(["-rn"])
        .arg(binaries::sitrep())
        .args(["check", "--json", "--url", "https://support.example.com"])
        .env("HOME", world.path("home"));
    let steps = Steps::of(&process::output(&mut alone)?)?;
    assert!(
        steps.step("name").starts_with("fail name_"),
        "{:#}",
        steps.rows
    );
    assert_eq!(
        (steps.code, steps.step("connection").as_str()),
        (Some(5), "none")
    );

    let closed = format!("https://127.0.0.1:{}", peers::free_port()?);
    let steps = world.check(&["--url", &closed], &[])?;
    steps.assert(
        5,
        &[("connection", "fail connection_failed"), ("tls", "none")],
    );

    // The agent's clock is wrong, the collector's is right.
    for (offset, expected) in [("+3h", "fail clock_ahead"), ("-10m", "warn clock_behind")] {
        let mut wrong = process::command(Path::new("/usr/bin/faketime"));
        wrong
            .args(["-f", offset])
            .arg(binaries::sitrep())
            .args(["check", "--json", "--url", &world.collector.url()])
            .args(["--ca-file", &world.trusted()])
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("HOME", world.path("home"));
        let steps = Steps::of(&process::output(&mut wrong)?)?;
        assert_eq!(steps.step("clock"), expected, "{:#}", steps.rows);
    }
    Ok(())
}

#[test]
fn certificates_that_are_not_believed_say_why() -> Result<(), String> {
    let world = World::new(false)?;
    let authority = Authority::new("Corp Root CA")?;
    let file = world.path("root.pem");
    std::fs::write(&file, &authority.pem).map_err(|error| error.to_string())?;
    let root = file.display().to_string();
    let front = |name: &str, subject: &str, years: (i32, i32)| -> Result<Peer, String> {
        let certificate = authority.certify(subject, years)?;
        peers::nginx(
            &world.path(name),
            world.collector.address(),
            &certificate,
            None,
        )
    };
    let good = front("good", "127.0.0.1", (2025, 2040))?;
    let expired = front("expired", "127.0.0.1", (2020, 2021))?;
    let other = front("other", "other.example.com", (2025, 2040))?;
    for (peer, trusted, expected, code) in [
        (&good, true, "ok tls_good", 0),
        (&good, false, "fail tls_issuer", 5),
        (&expired, true, "fail tls_expired", 5),
        (&other, true, "fail tls_name", 5),
    ] {
        let url = format!("https://{}", peer.address);
        let mut flags = vec!["--url", &url];
        if trusted {
            flags.extend(["--ca-file", &root]);
        }
        world.check(&flags, &[])?.assert(code, &[("tls", expected)]);
    }
    // This host knows the authority, but a variable hides the host's list. In a mount namespace, as root.
    let list = "/etc/ssl/certs/ca-certificates.crt";
    let known = std::fs::read_to_string(list).map_err(|error| format!("{list}: {error}"))?;
    let (with, without) = (world.path("with.pem"), world.path("without.pem"));
    std::fs::write(&with, format!("{known}\n{}", authority.pem)).map_err(|e| e.to_string())?;
    std::fs::write(&without, &known).map_err(|error| error.to_string())?;
    for (hidden, expected, code) in [(false, "ok tls_good", 0), (true, "fail tls_hidden", 5)] {
        let mut hiding = process::command(Path::new("/usr/bin/unshare"));
        let script = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        hiding
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(&with)
            .arg(list)
            .arg(binaries::sitrep())
            .args(["check", "--json", "--url"])
            .arg(format!("https://{}", good.address))
            .env("HOME", world.path("home"));
        if hidden {
            hiding.env("SSL_CERT_FILE", &without);
        }
        Steps::of(&process::output(&mut hiding)?)?.assert(code, &[("tls", expected)]);
    }
    // A clock that is years behind makes a good certificate look bad: the clock is named.
    let mut wrong = process::command(Path::new("/usr/bin/faketime"));
    wrong
        .args(["-f", "-3650d"])
        .arg(binaries::sitrep())
        .args([
            "check",
            "--json",
            "--url",
            &format!("https://{}", good.address),
        ])
        .args(["--ca-file", &root])
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("HOME", world.path("home"));
    let steps = Steps::of(&process::output(&mut wrong)?)?;
    steps.assert(5, &[("tls", "fail tls_clock_behind")]);
    // `run` says the same as `check`.
    let (_, link) = world.link(&format!("https://{}", expired.address))?;
    let ended = world
        .agent
        .run(&["run", &link, "--yes", "--send", "--ca-file", &root])?;
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("expired on"), "{}", ended.stderr);
    Ok(())
}

#[test]
fn a_front_that_wants_a_client_certificate_gets_one() -> Result<(), String> {
    let world = World::new(false)?;
    let (servers, clients) = (Authority::new("Servers")?, Authority::new("Clients")?);
    let certificate = servers.certify("127.0.0.1", (2025, 2040))?;
    let front = peers::nginx(
        &world.path("front"),
        world.collector.address(),
        &certificate,
        Some(&clients),
    )?;
    let mine = clients.certify("customer", (2025, 2040))?;
    let (root, identity) = (world.path("root.pem"), world.path("me.pem"));
    let write =
        |path: &Path, text: &str| std::fs::write(path, text).map_err(|error| error.to_string());
    write(&root, &servers.pem)?;
    write(&identity, &format!("{}{}", mine.pem, mine.key))?;
    let (root, identity) = (root.display().to_string(), identity.display().to_string());
    let (ticket, link) = world.link(&format!("https://{}", front.address))?;
    let bundle = world.bundle()?;
    let mut send = vec!["send", &bundle, &link, "--yes", "--ca-file", &root];
    let without = world.agent.run(&send)?;
    assert_eq!(without.code, Some(5), "{}", without.stderr);
    send.extend(["--client-cert", &identity]);
    let open = world.agent.run(&send)?;
    assert_eq!(
        open.code,
        Some(2),
        "a key that everybody can read: {}",
        open.stderr
    );
    restrict(&identity)?;
    let with = world.agent.run(&send)?;
    assert_eq!(with.code, Some(0), "{}", with.stderr);
    world
        .collector
        .wait_for_verdict(&ticket, Duration::from_secs(60))?;
    Ok(())
}

fn restrict(path: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).map_err(|error| error.to_string())
}
