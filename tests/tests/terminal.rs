//! A person at a real terminal: what is on the screen, key by key, in English and Chinese; and Ctrl-C.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::process;
use sitrep_tests::terminal::Terminal;
use std::time::Duration;

struct World {
    dir: tempfile::TempDir,
    collector: Collector,
    agent: Agent,
}

impl World {
    fn new() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let collector = Collector::start(&dir.path().join("collector"))?;
        let agent = Agent::new(&dir.path().join("customer"))?;
        let log = dir.path().join("app.log");
        let text = "2026-11-21 14:02:00 app: write failed: No space left on device (os error 28)\n\
                    2026-11-21 14:02:01 app: login user=exporter password=correct-horse-battery\n";
        std::fs::write(&log, text).map_err(|error| error.to_string())?;
        let profile = format!(
            "name='mine'\nversion='1'\ntitle='mine'\nsources=['host','custom']\n[[add]]\nfile='{}'\nlog=true\n",
            log.display()
        );
        std::fs::write(dir.path().join("mine.toml"), profile).map_err(|error| error.to_string())?;
        Ok(Self {
            dir,
            collector,
            agent,
        })
    }

    fn ticket(&self) -> Result<(String, String), String> {
        let ticket = self.collector.create_ticket("Nightly export fails")?;
        Ok((ticket.id.clone(), self.collector.create_code(&ticket.id)?))
    }

    fn terminal(&self, arguments: &[&str], lang: &str) -> Result<Terminal, String> {
        let mut command = self.agent.command(arguments);
        command.env("LC_ALL", lang).env("TERM", "xterm");
        Terminal::start(&command)
    }

    fn profile(&self) -> String {
        self.dir.path().join("mine.toml").display().to_string()
    }

    fn left_behind(&self) -> Vec<String> {
        let list = |dir: &std::path::Path| {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries
                .filter(|entry| entry.path().is_file())
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        let mut left = list(self.agent.home());
        left.extend(list(&self.agent.home().join("state/sitrep")));
        left
    }
}

#[test]
fn a_person_looks_takes_something_out_and_sends() -> Result<(), String> {
    let world = World::new()?;
    let (ticket, link) = world.ticket()?;
    let run = ["run", &link, "--profile", &world.profile()];
    let mut screen = world.terminal(&run, "C.UTF-8")?;
    for text in [
        "asking 127.0.0.1",
        "Ticket TKT-",
        "\"Nightly export fails\"",
        "Nothing is sent before you say so.",
        "Ctrl-C stops, nothing is kept",
        "✓ host",
        "✓ custom",
        "Redacted",
        "Found on this machine",
        "CRITICAL",
        "Steps: sitrep show",
        "Send this bundle (",
        "[s]end  [v]iew contents  [r]edactions  [d]eselect items  [n]ote  [k]eep file only  [q]uit",
    ] {
        screen.wait_for(text)?;
    }
    // There is no default key.
    screen.keys("\n")?;
    screen.answer("one of the letters in brackets", "r")?;
    screen.wait_for("values removed")?;
    screen.wait_for("line 2")?;
    screen.answer("[q]uit", "v")?;
    screen.wait_for("host/etc/hostname")?;
    screen.answer("q: back", "q")?;
    screen.answer("Number to read one", "1")?;
    screen.answer("Number to read one", "")?;
    screen.answer("[q]uit", "d")?;
    screen.answer(
        "Deselect (numbers, ranges, globs; empty = done):",
        "*app.log 1-2",
    )?;
    screen.wait_for("Without it: SIG-")?;
    screen.wait_for("Bundle is now")?;
    screen.answer("Deselect", "")?;
    screen.answer("[q]uit", "n")?;
    screen.answer("Note for support", "it began on Monday")?;
    screen.wait_for("Note added. Bundle is now")?;
    screen.answer("[q]uit", "s")?;
    screen.wait_for("Done. Receipt RCP-")?;
    screen.wait_for("collector confirms sha256")?;
    let (code, screen) = screen.end()?;
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("correct-horse-battery"), "{screen}");
    let arrived = world
        .collector
        .wait_for_verdict(&ticket, Duration::from_secs(60))?;
    let bundle = world.collector.bundle(&arrived)?;
    let digest = bundle["sha256"].as_str().unwrap_or_default();
    let last = format!("{}…{}", &digest[..4], &digest[60..]);
    let asked = screen.rfind("Send this bundle").map(|at| &screen[at..]);
    assert!(
        asked.is_some_and(|text| text.contains(&last)),
        "not the digest that was agreed to: {last}\n{screen}"
    );
    let files = world
        .collector
        .get(&format!("/api/v1/bundles/{arrived}/files?limit=500"))?;
    assert!(!files.to_string().contains("app.log"), "{files}");
    let status = world.agent.run(&["status"])?;
    assert!(
        status.stdout.contains("RCP-") && status.stdout.contains("TKT-"),
        "{}",
        status.stdout
    );
    Ok(())
}

/// Columns of a text: Chinese characters take two.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|character| {
            if ('\u{2e80}'..='\u{ffef}').contains(&character) {
                2
            } else {
                1
            }
        })
        .sum()
}

#[test]
fn the_same_in_chinese_with_columns_that_stand_in_line() -> Result<(), String> {
    let world = World::new()?;
    let (_, link) = world.ticket()?;
    let run = ["run", &link, "--profile", &world.profile()];
    let mut screen = world.terminal(&run, "zh_CN.UTF-8")?;
    for text in [
        "正在向 127.0.0.1",
        "工单 TKT-",
        "在您同意之前不会发送任何数据",
        "✓ 主机",
        "✓ 自定义",
        "已采集",
        "已脱敏",
        "在本机发现的问题",
        "严重",
        "将此诊断包",
    ] {
        screen.wait_for(text)?;
    }
    screen.answer("[q] 退出", "x")?;
    screen.wait_for("请输入方括号中的一个字母")?;
    screen.answer("[q] 退出", "q")?;
    screen.wait_for("没有发送任何数据，也没有保留任何内容")?;
    let (code, screen) = screen.end()?;
    assert_eq!(code, Some(6), "{screen}");
    assert!(world.left_behind().is_empty(), "{:?}", world.left_behind());
    let ends: Vec<usize> = screen
        .lines()
        .filter(|line| line.starts_with("  ✓ "))
        .map(|line| columns(line.trim_end()))
        .collect();
    assert!(
        ends.len() >= 2 && ends.windows(2).all(|pair| pair[0] == pair[1]),
        "{ends:?}\n{screen}"
    );

    // Errors and hints too; and a log without a terminal reads well.
    let mut refused = world.agent.command(&["run", "--profile", "minimal"]);
    let refused = process::output(refused.env("LANG", "zh_CN.UTF-8").env_remove("LC_ALL"))?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("错误：") && said.contains("标准输入不是终端") && said.contains("提示："),
        "{said}"
    );
    let mut kept = world.agent.command(&[
        "run",
        "--no-send",
        "-o",
        "b.tar.gz",
        "--no-input",
        "--yes",
        "--allow-partial",
        "--progress",
        "plain",
        "--profile",
        &world.profile(),
    ]);
    let kept = process::output(kept.env("LANG", "zh_CN.UTF-8").env_remove("LC_ALL"))?;
    let said = String::from_utf8_lossy(&kept.stderr).into_owned();
    assert_eq!(kept.status.code(), Some(0), "{said}");
    assert!(
        said.contains("已脱敏") && said.contains("尚未发送任何数据"),
        "{said}"
    );
    assert!(!said.contains('\x1b') && !said.contains('\r'), "{said:?}");
    Ok(())
}

#[test]
fn ctrl_c_stops_at_once_and_nothing_is_kept() -> Result<(), String> {
    let world = World::new()?;
    let (ticket, link) = world.ticket()?;
    // At the question.
    let run = ["run", &link, "--profile", &world.profile()];
    let mut screen = world.terminal(&run, "C.UTF-8")?;
    screen.wait_for("[q]uit")?;
    screen.keys("\x03")?;
    let (code, text) = screen.end()?;
    assert_eq!(code, Some(130), "{text}");
    // While collecting, with a command that would last for minutes.
    let slow = world.dir.path().join("slow.toml");
    let profile = "name='slow'\nversion='1'\ntitle='slow'\nsources=['custom']\n[[add]]\ncommand=['/usr/bin/sleep','250']\nseconds=250\n";
    std::fs::write(&slow, profile).map_err(|error| error.to_string())?;
    let slow = slow.display().to_string();
    let run = ["run", &link, "--profile", &slow, "--max-time", "300s"];
    let mut screen = world.terminal(&run, "C.UTF-8")?;
    screen.wait_for("Collecting")?;
    screen.keys("\x03")?;
    let (code, text) = screen.end()?;
    assert_eq!(code, Some(130), "{text}");
    assert!(world.left_behind().is_empty(), "{:?}", world.left_behind());
    assert!(world.collector.bundles(&ticket)?.is_empty());
    Ok(())
}

#[test]
fn sending_that_is_stopped_goes_on_where_it_stopped() -> Result<(), String> {
    let world = World::new()?;
    let (ticket, link) = world.ticket()?;
    let kept = world.agent.run(&[
        "run",
        "--profile",
        "minimal",
        "--no-send",
        "--yes",
        "--allow-partial",
        "-o",
        "b.tar.gz",
    ])?;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let slow = ["send", "b.tar.gz", &link, "--limit-rate", "4k"];
    let mut screen = world.terminal(&slow, "C.UTF-8")?;
    screen.answer("[q]uit", "s")?;
    screen.wait_for("Sending")?;
    screen.keys("\x03")?;
    let (code, text) = screen.end()?;
    assert_eq!(code, Some(130), "{text}");
    assert!(
        text.contains("kept:") && text.contains("sitrep send b.tar.gz"),
        "{text}"
    );
    let status = world.agent.run(&["status"])?;
    assert!(status.stdout.contains("unfinished"), "{}", status.stdout);
    // The code is remembered, and what was begun has been agreed to.
    let again = world.agent.run(&["send", "b.tar.gz", "--json"])?;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(
        again.json()?["upload"]["resumed_from"].is_u64(),
        "{}",
        again.stdout
    );
    world
        .collector
        .wait_for_verdict(&ticket, Duration::from_secs(60))?;
    Ok(())
}
