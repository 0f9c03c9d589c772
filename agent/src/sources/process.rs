//! Processes: who runs, what it uses, what it holds open.

use super::proctable::{self, Process, Table};
use super::{declare, openfiles};
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::io::Write as _;
use std::sync::Arc;

declare!(
    Processes,
    "process",
    "Processes",
    "What runs, what does it use, what is stuck, and what holds files open?",
    ["base"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

fn plan(p: &mut Planner<'_>) {
    let table = Arc::new(Table::default());
    let of = |render: fn(&mut Native<'_>, &Table) -> Result<(), Miss>| {
        let table = Arc::clone(&table);
        move |n: &mut Native<'_>| render(n, &table)
    };
    p.native("process", "ps auxwww", of(ps_aux))
        .row(36)
        .must()
        .seconds(20)
        .link("ps");
    p.native("process", "ps alxwww", of(ps_alx))
        .row(36)
        .limit(5 * M);
    p.native("process", "ps auxwwwm", of(ps_threads))
        .row(36)
        .limit(5 * M)
        .seconds(20);
    p.native("process", "ps -elfL", of(ps_elfl))
        .row(36)
        .limit(5 * M)
        .seconds(20);
    p.native("process", "pstree -lp", of(pstree))
        .row(36)
        .link("pstree");
    p.native("process", "top", of(top)).row(37).must();
    p.native("process", "blocked and zombies", of(stuck))
        .row(37)
        .root();
    p.native("process", "open files", openfiles::summary)
        .row(38)
        .limit(2 * M)
        .seconds(20)
        .root();
    p.native("process", "lsof +M -n -l -c ''", openfiles::list)
        .row(38)
        .limit(4 * M)
        .seconds(20)
        .root()
        .link("lsof");
    let targets = p.params.targets("target");
    if targets.is_empty() {
        let miss =
            Miss::skipped("opt-in (target:PROGRAM): only for a target that the request names");
        p.nothing("process", "environment names", miss).row(39);
    } else {
        let table = Arc::clone(&table);
        p.native("process", "environment names", move |n| {
            environment(n, &table, &targets)
        })
        .row(39)
        .limit(64 * K)
        .root();
    }
    plan_limits(p);
}

/// What processes may use and what they share.
fn plan_limits(p: &mut Planner<'_>) {
    p.files(
        &["/etc/security/limits.conf", "/etc/security/limits.d/*"],
        64 * K,
    )
    .row(40);
    for name in [
        "fs/file-nr",
        "fs/file-max",
        "fs/nr_open",
        "fs/inode-nr",
        "kernel/pid_max",
        "kernel/threads-max",
    ] {
        p.file(&format!("/proc/sys/{name}"), 4 * K).row(40).must();
    }
    p.files(
        &[
            "/proc/sysvipc/shm",
            "/proc/sysvipc/sem",
            "/proc/sysvipc/msg",
        ],
        512 * K,
    )
    .row(41);
    p.file("/proc/sys/fs/mqueue/*", 4 * K).row(41);
    p.native("process", "ls -lan /dev/shm", |n| {
        super::listing::recursive(n, "/dev/shm", 0)
    })
    .row(41);
    p.native(
        "process",
        "deleted libraries in use",
        openfiles::deleted_libraries,
    )
    .row(42)
    .limit(256 * K)
    .seconds(20)
    .root();
}

fn ps_aux(n: &mut Native<'_>, table: &Table) -> Result<(), Miss> {
    let all = table.get(n)?;
    writeln!(
        n.out,
        "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"
    )?;
    for p in &all.processes {
        let user = all.user(p.uid);
        let Process {
            pid,
            vsz_kb,
            rss_kb,
            ..
        } = p;
        write!(
            n.out,
            "{user:<8} {pid:>7} {:>4.1} {:>4.1} {vsz_kb:>6} {rss_kb:>5} ",
            all.cpu_pct(p),
            all.mem_pct(p)
        )?;
        let (tty, stat) = (p.tty(), p.stat());
        writeln!(
            n.out,
            "{tty:<8} {stat:<4} {:<6} {:>6} {}",
            all.started(p),
            p.time(),
            p.command
        )?;
        if !n.out.check() {
            break;
        }
    }
    Ok(())
}

fn ps_alx(n: &mut Native<'_>, table: &Table) -> Result<(), Miss> {
    let all = table.get(n)?;
    writeln!(
        n.out,
        "F   UID     PID    PPID PRI  NI    VSZ   RSS WCHAN  STAT TTY        TIME COMMAND"
    )?;
    for p in &all.processes {
        let Process {
            uid,
            pid,
            ppid,
            priority,
            nice,
            vsz_kb,
            rss_kb,
            ..
        } = p;
        let flags = p.flags >> 6 & 7;
        write!(
            n.out,
            "{flags} {uid:>5} {pid:>7} {ppid:>7} {priority:>3} {nice:>3} {vsz_kb:>6} {rss_kb:>5} -      "
        )?;
        writeln!(
            n.out,
            "{:<4} {:<8} {:>6} {}",
            p.stat(),
            p.tty(),
            p.time(),
            p.command
        )?;
    }
    Ok(())
}

/// `ps auxwwwm`: a line per process, then a line per thread.
fn ps_threads(n: &mut Native<'_>, table: &Table) -> Result<(), Miss> {
    let all = table.get(n)?;
    writeln!(
        n.out,
        "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"
    )?;
    for p in &all.processes {
        let (user, pid) = (all.user(p.uid), p.pid);
        let Process { vsz_kb, rss_kb, .. } = p;
        write!(
            n.out,
            "{user:<8} {pid:>7} {:>4.1} {:>4.1} {vsz_kb:>6} {rss_kb:>5} ",
            all.cpu_pct(p),
            all.mem_pct(p)
        )?;
        writeln!(
            n.out,
            "{:<8} -    {:<6} {:>6} {}",
            p.tty(),
            all.started(p),
            p.time(),
            p.command
        )?;
        for thread in proctable::threads(n, p) {
            write!(
                n.out,
                "{user:<8}       - {:>4.1}    -      -     - -        ",
                all.cpu_pct(&thread)
            )?;
            writeln!(
                n.out,
                "{:<4} {:<6} {:>6} -",
                thread.stat(),
                all.started(&thread),
                thread.time()
            )?;
        }
        if !n.out.check() {
            break;
        }
    }
    Ok(())
}

fn ps_elfl(n: &mut Native<'_>, table: &Table) -> Result<(), Miss> {
    let all = table.get(n)?;
    writeln!(
        n.out,
        "F S UID          PID    PPID     LWP  C NLWP PRI  NI ADDR SZ WCHAN  STIME TTY          TIME CMD"
    )?;
    for p in &all.processes {
        let (user, pid, ppid, threads) = (all.user(p.uid), p.pid, p.ppid, p.threads);
        for thread in proctable::threads(n, p) {
            let Process {
                pid: lwp,
                priority,
                nice,
                ..
            } = thread;
            let flags = thread.flags >> 6 & 7;
            let share = all.cpu_pct(&thread).min(99.0) as u64;
            write!(
                n.out,
                "{flags} {} {user:<8} {pid:>7} {ppid:>7} {lwp:>7} {share:>2} {threads:>4} ",
                thread.state
            )?;
            write!(
                n.out,
                "{priority:>3} {nice:>3} - {:>5} -      ",
                p.vsz_kb / 4
            )?;
            writeln!(
                n.out,
                "{} {:<8} {} {}",
                all.started(&thread),
                p.tty(),
                thread.long_time(),
                p.command
            )?;
        }
        if !n.out.check() {
            break;
        }
    }
    Ok(())
}

fn pstree(n: &mut Native<'_>, table: &Table) -> Result<(), Miss> {
    let all = table.get(n)?;
    let roots: Vec<&Process> = all.processes.iter().filter(|p| p.ppid == 0).collect();
    for root in roots {
        branch(n, &all.processes, root, 0)?;
    }
    Ok(())
}

fn branch(n: &mut Native<'_>, all: &[Process], at: &Process, depth: usize) -> Result<(), Miss> {
    writeln!(
        n.out,
        "{:indent$}{}({})",
        "",
        at.name,
        at.pid,
        indent = depth * 2
    )?;
    // A cycle cannot be, but a table read while processes come and go may look like one.
    if depth < 64 && n.out.check() {
        for child in all.iter().filter(|p| p.ppid == at.pid && p.pid != at.pid) {
            branch(n, all, child, depth + 1)?;
        }
    }
    Ok(())
}

/// The leaders by each resource.
fn top(n: &mut Native<'_>, table: &Table) -> Result<(), Miss> {
    let all = table.get(n)?;
    type Measure = fn(&Process) -> u64;
    let measures: [(&str, Measure); 5] = [
        ("cpu ticks", |p| p.ticks),
        ("resident kB", |p| p.rss_kb),
        ("swapped kB", |p| p.swap_kb),
        ("threads", |p| p.threads),
        ("descriptor table", |p| p.fd_size),
    ];
    writeln!(
        n.out,
        "processes {}, threads {}",
        all.processes.len(),
        all.processes.iter().map(|p| p.threads).sum::<u64>()
    )?;
    for (title, measure) in measures {
        let mut order: Vec<&Process> = all.processes.iter().filter(|p| measure(p) > 0).collect();
        order.sort_by_key(|p| std::cmp::Reverse(measure(p)));
        writeln!(n.out, "\ntop by {title}")?;
        for p in order.iter().take(15) {
            let command: String = p.command.chars().take(120).collect();
            writeln!(
                n.out,
                "{:>12} {:>7} {:<8} {command}",
                measure(p),
                p.pid,
                all.user(p.uid)
            )?;
        }
    }
    Ok(())
}

/// Names of the variables in the environment of the programs that the profile names; never a value.
fn environment(n: &mut Native<'_>, table: &Table, targets: &[String]) -> Result<(), Miss> {
    let all = table.get(n)?;
    let mut hidden = 0;
    for p in all.processes.iter().filter(|p| targets.contains(&p.name)) {
        let folder = n.host.folder(&format!("/proc/{}", p.pid));
        match folder.and_then(|f| f.environment_names(64 << 10)) {
            Ok(names) => writeln!(n.out, "{} {} {}", p.pid, p.name, names.join(" "))?,
            Err(_) => hidden += 1,
        }
    }
    match hidden {
        0 if n.out.is_empty() => Err(Miss::absent("none of the named programs runs")),
        0 => Ok(()),
        hidden => Err(Miss::denied(format!(
            "environment of {hidden} processes of other users"
        ))),
    }
}

/// Processes in uninterruptible sleep with their kernel stack, and zombies with their parent.
fn stuck(n: &mut Native<'_>, table: &Table) -> Result<(), Miss> {
    let all = table.get(n)?;
    let mut found = false;
    for p in all
        .processes
        .iter()
        .filter(|p| matches!(p.state, 'D' | 'Z'))
    {
        found = true;
        writeln!(
            n.out,
            "{} {} parent {} {}",
            p.state, p.pid, p.ppid, p.command
        )?;
        if p.state == 'D' {
            let place = n
                .host
                .value(&format!("/proc/{}/wchan", p.pid))
                .unwrap_or_default();
            let stack = n
                .host
                .text(&format!("/proc/{}/stack", p.pid))
                .unwrap_or_default();
            writeln!(n.out, "  waits in {place}\n{stack}")?;
        }
    }
    if !found {
        writeln!(n.out, "none")?;
    }
    Ok(())
}
