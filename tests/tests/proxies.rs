//! Bundles through what stands before a company's network: proxies, a proxy that opens TLS, limits, and no
//! network at all.

use sitrep_tests::peers::{self, Authority};
use sitrep_tests::process;
use sitrep_tests::way::{Steps, World};
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn bundles_go_through_a_proxy_that_knows_the_password() -> Result<(), String> {
    let world = World::new(true)?;
    let port = world.collector.address().port();
    let proxy = peers::tinyproxy(
        &world.path("proxy"),
        port,
        Some(("agent", "pass")),
        &|command| command,
    )?;
    let at = proxy.address;
    let trusted = world.trusted();
    let bundle = world.bundle()?;
    let (ticket, link) = world.link(&world.collector.url())?;
    for (proxy, tunnel, code) in [
        (format!("http://{at}"), "fail tunnel_refused", 5),
        (format!("http://agent:wrong@{at}"), "fail tunnel_refused", 5),
        (format!("http://agent:%70ass@{at}"), "ok tunnel_open", 0),
    ] {
        let config = world.config(&proxy)?;
        let steps = world.check(
            &[
                "--config",
                &config,
                "--ca-file",
                &trusted,
                "--url",
                &world.collector.url(),
            ],
            &[],
        )?;
        steps.assert(code, &[("proxy", "ok proxy_used"), ("tunnel", tunnel)]);
        assert!(
            !format!("{}", steps.rows).contains("%70ass"),
            "the password is shown"
        );
        let shown = world.agent.run(&["config", "show", "--config", &config])?;
        assert!(!shown.stdout.contains("%70ass"), "{}", shown.stdout);
    }
    // tinyproxy answers a wrong password with 401 and none with 407; both name what to do.
    for (proxy, words) in [
        (format!("http://{at}"), "user name and a password"),
        (format!("http://agent:wrong@{at}"), "wrong password"),
    ] {
        let config = world.config(&proxy)?;
        let ended = world.agent.run(&[
            "run",
            &link,
            "--yes",
            "--send",
            "--config",
            &config,
            "--ca-file",
            &trusted,
        ])?;
        assert_eq!(ended.code, Some(5), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    let on_the_line = format!("http://agent:secret@{at}");
    let refused = world
        .agent
        .run(&["send", &bundle, &link, "--yes", "--proxy", &on_the_line])?;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let config = world.config(&format!("http://agent:%70ass@{at}"))?;
    let sent = world.agent.run(&[
        "send",
        &bundle,
        &link,
        "--yes",
        "--config",
        &config,
        "--ca-file",
        &trusted,
    ])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    world
        .collector
        .wait_for_verdict(&ticket, Duration::from_secs(60))?;
    assert!(
        proxy.log("log").contains("CONNECT 127.0.0.1"),
        "{}",
        proxy.log("log")
    );
    Ok(())
}

#[test]
fn the_environment_names_the_proxy_and_what_goes_without_it() -> Result<(), String> {
    let world = World::new(true)?;
    let port = world.collector.address().port();
    // A name that is not this computer's, known in a file of hosts that only these processes see.
    let hosts = world.path("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost support.corp.test\n")
        .map_err(|error| error.to_string())?;
    let within = |inner: std::process::Command| {
        let mut outer = process::command(Path::new("/usr/bin/unshare"));
        outer
            .args([
                "-rm",
                "sh",
                "-c",
                "mount --bind \"$0\" /etc/hosts && exec \"$@\"",
            ])
            .arg(&hosts)
            .arg(inner.get_program())
            .args(inner.get_args());
        for (name, value) in inner.get_envs() {
            if let Some(value) = value {
                outer.env(name, value);
            }
        }
        outer
    };
    let proxy = peers::tinyproxy(&world.path("proxy"), port, None, &within)?;
    let url = format!("https://support.corp.test:{port}");
    let via = format!("http://{}", proxy.address);
    let check = |env: &[(&str, &str)]| -> Result<Steps, String> {
        let flags = [
            "check",
            "--json",
            "--url",
            &url,
            "--ca-file",
            &world.trusted(),
        ];
        let mut command = world.agent.command(&flags);
        command.envs(env.iter().copied());
        Steps::of(&process::output(&mut within(command))?)
    };
    // The certificate is for other names: that it was seen at all is what matters here.
    let through = check(&[("HTTPS_PROXY", &via)])?;
    through.assert(
        5,
        &[
            ("proxy", "ok proxy_used"),
            ("tunnel", "ok tunnel_open"),
            ("tls", "fail tls_name"),
        ],
    );
    let used = proxy
        .log("log")
        .matches("CONNECT support.corp.test")
        .count();
    assert!(used > 0, "{}", proxy.log("log"));
    for no in ["corp.test", ".corp.test", "*"] {
        let around = check(&[("HTTPS_PROXY", &via), ("NO_PROXY", no)])?;
        around.assert(5, &[("proxy", "ok proxy_none"), ("tls", "fail tls_name")]);
    }
    let after = proxy
        .log("log")
        .matches("CONNECT support.corp.test")
        .count();
    assert_eq!(used, after, "what is excepted went through the proxy");
    Ok(())
}

#[test]
fn a_proxy_that_opens_tls_is_seen_and_can_be_trusted() -> Result<(), String> {
    let world = World::new(true)?;
    let authority = Authority::new("Corp Proxy CA")?;
    let proxy = peers::squid(&world.path("squid"), &authority)?;
    let via = format!("http://{}", proxy.address);
    let file = world.path("corp.pem");
    std::fs::write(&file, &authority.pem).map_err(|error| error.to_string())?;
    let corp = file.display().to_string();
    // squid makes certificates for names, not for addresses.
    let url = format!("https://localhost:{}", world.collector.address().port());
    let (ticket, link) = world.link(&url)?;
    let steps = world.check(&[&link, "--proxy", &via], &[])?;
    steps.assert(
        5,
        &[("tunnel", "ok tunnel_open"), ("tls", "fail tls_issuer")],
    );
    assert!(
        format!("{}", steps.rows).contains("Corp Proxy CA"),
        "{:#}",
        steps.rows
    );
    let bundle = world.bundle()?;
    let refused = world
        .agent
        .run(&["send", &bundle, &link, "--yes", "--proxy", &via])?;
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("Corp Proxy CA"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("--ca-file"), "{}", refused.stderr);
    let sent = world.agent.run(&[
        "send",
        &bundle,
        &link,
        "--yes",
        "--proxy",
        &via,
        "--ca-file",
        &corp,
    ])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    world
        .collector
        .wait_for_verdict(&ticket, Duration::from_secs(60))?;
    Ok(())
}

#[test]
fn a_limit_on_the_rate_holds() -> Result<(), String> {
    let world = World::new(false)?;
    let bundle = world.bundle()?;
    let bytes = std::fs::metadata(&bundle)
        .map_err(|error| error.to_string())?
        .len();
    let (ticket, link) = world.link(&world.collector.url())?;
    let rate = (bytes / 3).max(1).to_string();
    let began = Instant::now();
    let sent = world
        .agent
        .run(&["send", &bundle, &link, "--yes", "--limit-rate", &rate])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    // Three seconds' worth; never faster, however fast the machine.
    assert!(
        began.elapsed() >= Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    world
        .collector
        .wait_for_verdict(&ticket, Duration::from_secs(60))?;
    Ok(())
}

#[test]
fn without_a_network_the_file_goes_through_a_browser() -> Result<(), String> {
    let world = World::new(false)?;
    let bundle = world.bundle()?;
    let (ticket, link) = world.link(&world.collector.url())?;
    // What a browser without script sends.
    let mut form = process::command(Path::new("/usr/bin/curl"));
    form.args([
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-F",
        &format!("file=@{bundle}"),
        &link,
    ]);
    let answer = process::output(&mut form)?;
    let status = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(status.starts_with('3') || status == "200", "{status}");
    let arrived = world
        .collector
        .wait_for_verdict(&ticket, Duration::from_secs(60))?;
    let stored = world.collector.download(&arrived)?;
    assert!(stored == std::fs::read(&bundle).map_err(|error| error.to_string())?);
    Ok(())
}
