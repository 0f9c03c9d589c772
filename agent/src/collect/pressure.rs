//! When a run has to give way: it grew too large itself, or the host has next to no memory left. What is not
//! yet collected is then skipped, the must tier apart, and the bundle is sealed with what there is.

use super::host::Host;

/// Most memory of this process, whatever it reads.
const OWN_BYTES: u64 = 256 << 20;
/// Memory that the host must have left.
const LEFT_BYTES: u64 = 48 << 20;

/// Why to stop, or none. Cheap: two small files of the kernel.
pub(super) fn reason(host: &Host) -> Option<String> {
    // Our own process is always on the running system, also when a dead disk is read.
    let own = std::fs::read_to_string("/proc/self/statm").ok();
    let left = host.is_live().then(|| host.text("/proc/meminfo").ok());
    judge(own.as_deref(), left.flatten().as_deref())
}

fn judge(statm: Option<&str>, meminfo: Option<&str>) -> Option<String> {
    const PAGE: u64 = 4096;
    let pages = statm.and_then(|t| t.split(' ').nth(1)?.parse::<u64>().ok());
    if let Some(bytes) = pages.map(|p| p * PAGE).filter(|b| *b > OWN_BYTES) {
        return Some(format!(
            "this run takes {} MB of memory, more than it may",
            bytes >> 20
        ));
    }
    let line = meminfo?
        .lines()
        .find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let left = line.split_whitespace().next()?.parse::<u64>().ok()? * 1024;
    (left < LEFT_BYTES).then(|| format!("the host has only {} MB of memory left", left >> 20))
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn small_runs_on_sound_hosts_go_on() {
        let sound = Some("MemTotal: 8000000 kB\nMemAvailable: 500000 kB\n");
        assert_eq!(judge(Some("9000 5000 100 0"), sound), None);
        assert_eq!(judge(Some("9000 5000 100 0"), None), None);
        let large = judge(Some("90000 70000 100 0"), sound);
        assert!(large.is_some_and(|why| why.contains("273 MB")));
        let short = judge(Some("9000 5000 100 0"), Some("MemAvailable: 20480 kB\n"));
        assert!(short.is_some_and(|why| why.contains("20 MB")));
    }
}
