//! Installed software and what changed lately.

use super::declare;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

declare!(
    Packages,
    "packages",
    "Packages",
    "Which versions are installed, and what changed lately?",
    ["base", "packages"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
const STATUS: &str = "/var/lib/dpkg/status";

fn plan(p: &mut Planner<'_>) {
    let size = p.host.stat(STATUS).map_or(0, |m| m.size / 8);
    p.native("dpkg", "dpkg -l", dpkg)
        .row(110)
        .must()
        .limit(2 * M)
        .estimate(size)
        .link("installed-debs");
    let databases = [
        "/var/lib/rpm/rpmdb.sqlite",
        "/var/lib/rpm/Packages",
        "/var/lib/rpm/Packages.db",
    ];
    let more = [
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/Packages.db",
    ];
    let rpm = databases
        .iter()
        .chain(&more)
        .any(|d| p.host.stat(d).is_some_and(|m| m.size > 0));
    let line = "rpm --nodigest -qa --qf=%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}";
    let path = "sos/sos_commands/rpm/rpm_-qa";
    if rpm {
        let format = "--qf=%-59{NVRA} %{INSTALLTIME:date}\\n";
        let argv = ["rpm", "--nodigest", "-qa", format]
            .map(str::to_owned)
            .to_vec();
        p.argv("rpm", line, argv)
            .at(path)
            .row(111)
            .must()
            .limit(2 * M)
            .seconds(30)
            .link("installed-rpms");
    } else {
        p.command_if("rpm", line, Some("no RPM database"))
            .at(path)
            .row(111);
    }
    p.native("apk", "installed packages", apk).row(111).must();
    p.native("dpkg", "unusual states", unusual).row(112);
    plan_sources(p, rpm);
}

/// Where packages come from, what happened to them lately, and packages of other kinds.
fn plan_sources(p: &mut Planner<'_>, rpm: bool) {
    let files = [
        "/etc/apt/sources.list",
        "/etc/apt/sources.list.d/*",
        "/etc/apt/preferences",
        "/etc/apt/preferences.d/*",
        "/etc/apt/apt.conf",
        "/etc/apt/apt.conf.d/*",
        "/etc/yum.conf",
        "/etc/yum.repos.d/*.repo",
        "/etc/dnf/dnf.conf",
        "/etc/dnf/modules.d/*.module",
        "/etc/zypp/repos.d/*.repo",
        "/etc/apk/repositories",
    ];
    p.files(&files, 512 * K).row(112);
    p.files(
        &[
            "/run/reboot-required",
            "/run/reboot-required.pkgs",
            "/var/run/reboot-required",
        ],
        64 * K,
    )
    .row(113);
    let dnf = (!rpm).then_some("no RPM database");
    p.command_if("dnf", "dnf history list", dnf)
        .row(113)
        .seconds(20);
    p.command_if("yum", "needs-restarting -r", dnf)
        .row(113)
        .seconds(20);
    plan_verify(p, rpm);
    let snap = (!p.host.exists("/run/snapd.socket")).then_some("snapd does not run");
    p.command_if("snap", "snap list --all", snap).row(115);
    let flatpak = (!p.host.exists("/var/lib/flatpak/app")).then_some("no Flatpak application");
    p.command_if("flatpak", "flatpak list", flatpak).row(115);
    p.command("libraries", "ldconfig -p -N -X")
        .row(116)
        .limit(512 * K);
    p.files(&["/etc/ld.so.conf", "/etc/ld.so.conf.d/*"], 64 * K)
        .row(116);
}

/// Compares the files of packages with what was installed; reads every file of them, so only those that the
/// profile names (`verify:NAME`), or all of an RPM host with `verify`.
fn plan_verify(p: &mut Planner<'_>, rpm: bool) {
    let targets = p.params.targets("verify");
    for name in &targets {
        let line = if rpm {
            format!("rpm -V {name}")
        } else {
            format!("dpkg --verify {name}")
        };
        p.command(if rpm { "rpm" } else { "dpkg" }, &line)
            .row(114)
            .seconds(60)
            .limit(256 * K)
            .root();
    }
    if p.params.opted_in("verify") && rpm {
        p.command("rpm", "rpm -Va --nofiledigest")
            .row(114)
            .seconds(60)
            .limit(256 * K)
            .root();
    } else if targets.is_empty() {
        let miss = Miss::skipped("opt-in (verify:PACKAGE), for packages that the request names");
        p.nothing("dpkg", "verify", miss).row(114);
    }
}

/// One package of the status file.
#[derive(Default)]
struct Package {
    name: String,
    version: String,
    architecture: String,
    status: String,
    summary: String,
    same: bool,
}

/// Reads the status file as a stream; it has tens of megabytes on some hosts.
fn each(
    n: &mut Native<'_>,
    mut take: impl FnMut(&mut Native<'_>, &Package) -> Result<(), Miss>,
) -> Result<(), Miss> {
    let (file, _) = n.host.open(STATUS)?;
    let mut reader = BufReader::with_capacity(64 << 10, file.take(256 << 20));
    let mut line = Vec::new();
    let mut package = Package::default();
    loop {
        line.clear();
        let end = reader.read_until(b'\n', &mut line)? == 0;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if end || text.is_empty() {
            if !package.name.is_empty() {
                take(n, &package)?;
                package = Package::default();
            }
            if end || !n.out.check() {
                return Ok(());
            }
            continue;
        }
        let Some((key, value)) = text.split_once(": ") else {
            continue;
        };
        match key {
            "Package" => value.clone_into(&mut package.name),
            "Version" => value.clone_into(&mut package.version),
            "Architecture" => value.clone_into(&mut package.architecture),
            "Status" => value.clone_into(&mut package.status),
            "Description" => package.summary = value.chars().take(60).collect(),
            "Multi-Arch" => package.same = value == "same",
            _ => {}
        }
    }
}

/// The two letters of `dpkg -l` from `install ok installed`.
fn letters(status: &str) -> String {
    let mut words = status.split(' ');
    let want = match words.next().unwrap_or("") {
        "install" => 'i',
        "hold" => 'h',
        "deinstall" => 'r',
        "purge" => 'p',
        _ => 'u',
    };
    let bad = words.next() == Some("reinstreq");
    let state = match words.next().unwrap_or("") {
        "installed" => 'i',
        "config-files" => 'c',
        "unpacked" => 'U',
        "half-configured" => 'F',
        "half-installed" => 'H',
        "triggers-awaited" => 'W',
        "triggers-pending" => 't',
        _ => 'n',
    };
    format!("{want}{state}{}", if bad { "R" } else { " " })
}

fn shown(p: &Package) -> String {
    if p.same {
        format!("{}:{}", p.name, p.architecture)
    } else {
        p.name.clone()
    }
}

fn dpkg(n: &mut Native<'_>) -> Result<(), Miss> {
    let mut rows: Vec<(String, String)> = Vec::new();
    each(n, |_, p| {
        let letters = letters(&p.status);
        if !letters.ends_with('n') && letters.as_bytes().get(1) != Some(&b'n') {
            let name = shown(p);
            let row = format!(
                "{letters} {name:<40} {:<32} {:<12} {}",
                p.version, p.architecture, p.summary
            );
            rows.push((name, row));
        }
        Ok(())
    })?;
    writeln!(n.out, "Desired=Unknown/Install/Remove/Purge/Hold")?;
    writeln!(
        n.out,
        "| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend"
    )?;
    writeln!(
        n.out,
        "|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)"
    )?;
    writeln!(
        n.out,
        "||/ {:<40} {:<32} {:<12} Description",
        "Name", "Version", "Architecture"
    )?;
    writeln!(n.out, "+++-{:=<40}-{:=<32}-{:=<12}-{:=<30}", "", "", "", "")?;
    rows.sort();
    for (_, row) in rows {
        writeln!(n.out, "{}", row.trim_end())?;
    }
    Ok(())
}

/// Packages that are held, half installed, or wait for something.
fn unusual(n: &mut Native<'_>) -> Result<(), Miss> {
    each(n, |n, p| {
        if !matches!(
            p.status.as_str(),
            "install ok installed" | "deinstall ok config-files" | "purge ok not-installed"
        ) {
            writeln!(n.out, "{} {} {}", shown(p), p.version, p.status)?;
        }
        Ok(())
    })?;
    if n.out.is_empty() {
        writeln!(n.out, "none")?;
    }
    Ok(())
}

/// Alpine's database: blocks of `P:name`, `V:version`.
fn apk(n: &mut Native<'_>) -> Result<(), Miss> {
    let (file, _) = n.host.open("/lib/apk/db/installed").map_err(|m| Miss {
        reason: "no apk database".to_owned(),
        ..m
    })?;
    let mut name = String::new();
    for line in BufReader::new(file.take(64 << 20)).lines() {
        let line = line?;
        if let Some(value) = line.strip_prefix("P:") {
            value.clone_into(&mut name);
        } else if let Some(version) = line.strip_prefix("V:") {
            writeln!(n.out, "{name}-{version}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn states_are_those_of_dpkg() {
        for (status, expected) in [
            ("install ok installed", "ii "),
            ("deinstall ok config-files", "rc "),
            ("install ok half-configured", "iF "),
            ("hold ok installed", "hi "),
            ("install reinstreq half-installed", "iHR"),
        ] {
            assert_eq!(letters(status), expected);
        }
    }
}
