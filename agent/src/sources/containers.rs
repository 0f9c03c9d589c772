//! Containers and Kubernetes, where they are.

use super::declare;
use crate::collect::logs::LogItem;
use crate::collect::unpack::Packing;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, Tier};

declare!(
    Containers,
    "containers",
    "Containers",
    "Which containers run, restart, or fail?",
    ["usual", "containers"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
/// Containers whose logs are read.
const MAX_LOGS: usize = 20;

fn plan(p: &mut Planner<'_>) {
    let docker = (!p.host.exists("/run/docker.sock") && !p.host.exists("/var/run/docker.sock"))
        .then_some("Docker does not run");
    let commands = [
        "info",
        "ps -a",
        "images",
        "version",
        "stats --no-stream",
        "network ls",
        "volume ls",
        "system df",
    ];
    for command in commands {
        p.command_if("docker", &format!("docker {command}"), docker)
            .row(117)
            .limit(M)
            .root();
    }
    let podman = (!p.host.exists("/var/lib/containers/storage") && !p.host.exists("/run/podman"))
        .then_some("Podman was never used");
    for command in ["info", "ps -a", "images", "version"] {
        p.command_if("podman", &format!("podman {command}"), podman)
            .row(117)
            .limit(M)
            .root();
    }
    container_logs(p);
    let files = [
        "/etc/docker/daemon.json",
        "/etc/containers/*.conf",
        "/etc/containers/policy.json",
        "/etc/containers/registries.conf.d/*",
        "/etc/containerd/config.toml",
        "/etc/crio/crio.conf",
        "/etc/crio/crio.conf.d/*",
        "/etc/cni/net.d/*",
    ];
    p.files(&files, 256 * K).row(119);
    plan_kubernetes(p);
}

/// The runtime below a cluster's node, and the cluster as this node sees it.
fn plan_kubernetes(p: &mut Planner<'_>) {
    let cri = [
        "/run/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/var/run/crio/crio.sock",
    ];
    let none = (!cri.iter().any(|s| p.host.exists(s))).then_some("no CRI socket");
    for command in ["ps -a", "pods", "images", "info"] {
        p.command_if("crio", &format!("crictl {command}"), none)
            .row(120)
            .limit(2 * M)
            .root();
    }
    p.files(
        &[
            "/var/lib/kubelet/config.yaml",
            "/etc/kubernetes/*.yaml",
            "/etc/kubernetes/manifests/*",
        ],
        256 * K,
    )
    .row(121)
    .root();
    p.native("kubernetes", "ls -lanR /var/log/pods", |n| {
        super::listing::recursive(n, "/var/log/pods", 2)
    })
    .row(121);
    for (group, paths) in newest(p, "/var/log/pods/*/*/*.log*") {
        add_log(p, &group, paths, 121);
    }
    let config = "/etc/kubernetes/admin.conf";
    let none = (!p.host.exists(config)).then_some("no readable kubeconfig");
    for what in ["nodes -o wide", "pods -A -o wide", "events -A"] {
        p.command_if(
            "kubernetes",
            &format!("kubectl --kubeconfig={config} get {what}"),
            none,
        )
        .row(121)
        .limit(2 * M)
        .root();
    }
}

fn container_logs(p: &mut Planner<'_>) {
    if !p.params.opted_in("container-logs") {
        p.nothing(
            "docker",
            "container logs",
            Miss::skipped("opt-in (container-logs); profile containers has it"),
        )
        .row(118);
        return;
    }
    let logs = newest(p, "/var/lib/docker/containers/*/*-json.log*");
    if logs.is_empty() {
        p.nothing(
            "docker",
            "container logs",
            Miss::absent("no container log of Docker"),
        )
        .row(118);
    }
    for (group, paths) in logs {
        add_log(p, &group, paths, 118);
    }
}

/// A folder with its files: time, path, bytes.
type Newest = (String, Vec<(i64, String, u64)>);

/// Files of a pattern by folder, the folders with the newest files first.
fn newest(p: &Planner<'_>, pattern: &str) -> Vec<Newest> {
    let mut groups: std::collections::BTreeMap<String, Vec<(i64, String, u64)>> =
        std::collections::BTreeMap::new();
    for path in p.host.glob(pattern) {
        let Some(meta) = p.host.stat(&path) else {
            continue;
        };
        let folder = path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        groups
            .entry(folder)
            .or_default()
            .push((meta.mtime, path, meta.size));
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, files)| std::cmp::Reverse(files.iter().map(|f| f.0).max()));
    groups.truncate(MAX_LOGS);
    groups
}

fn add_log(p: &mut Planner<'_>, group: &str, mut files: Vec<(i64, String, u64)>, row: u16) {
    files.sort_unstable_by(|a, b| b.cmp(a));
    for (_, path, size) in files.into_iter().take(4) {
        let (stored, packing) = Packing::of_name(&path);
        let log = LogItem {
            group: group.to_owned(),
            group_bytes: 5 * M,
            packing,
        };
        p.log(&path, stored, log)
            .row(row)
            .tier(Tier::Logs)
            .limit(5 * M)
            .seconds(30)
            .estimate(size.min(5 * M))
            .root();
    }
}
