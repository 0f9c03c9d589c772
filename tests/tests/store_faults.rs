//! The disk full, the object store out of order: the right status, nothing lost, and all is well again without a
//! restart.

use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::faults::{Faults, Mode};
use sitrep_tests::garage::Garage;
use sitrep_tests::process::wait_for;
use sitrep_tests::uploader::{Uploader, log_text};
use std::io::Write;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

const MB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

fn uploader<'a>(
    collector: &Collector,
    ticket: &str,
    chunk: usize,
    count: &'a AtomicU64,
) -> Result<Uploader<'a>, String> {
    let code = collector.create_wide_code(ticket)?;
    Uploader::new(&collector.url(), &code, chunk, PATIENCE, count)
}

/// The status of sending the next chunk, and whether it says when to come back.
fn send(uploader: &Uploader<'_>, url: &str, data: &[u8], at: usize) -> Result<(u16, bool), String> {
    let answer = uploader.patch(url, data, at).send();
    let answer = answer.map_err(|error| error.to_string())?;
    let told = answer.headers().contains_key("retry-after");
    Ok((answer.status().as_u16(), told))
}

#[test]
fn a_full_disk_is_said_and_what_was_acknowledged_stays() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let setting = Setting {
        disk_bytes: Some(96 << 20),
        ..Setting::default()
    };
    let (collector, count) = (
        Collector::start_with(&dir.path().join("collector"), setting)?,
        AtomicU64::new(0),
    );
    let ticket = collector.create_ticket("Disk full")?;
    let uploader = uploader(&collector, &ticket.id, MB, &count)?;
    let data = log_text(3, 1, 12 * MB);
    let url = uploader.create(data.len())?;
    assert_eq!(send(&uploader, &url, &data, 0)?.0, 204);

    // Somebody else fills the disk, to the last block.
    let fill = collector.inside().join("fill");
    let mut file = std::fs::File::create(&fill).map_err(|error| error.to_string())?;
    for size in [MB, 4096] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    drop(file);
    assert_eq!(send(&uploader, &url, &data, MB)?, (507, true));
    let refused = uploader.create_once(MB)?;
    assert_eq!(refused.status(), 507, "a new one is not begun");

    std::fs::remove_file(&fill).map_err(|error| error.to_string())?;
    let stands = uploader.stands(&url)?;
    assert!(stands >= MB, "what was acknowledged is gone: {stands}");
    let sent = uploader.go_on(&url, &data, stands)?;
    collector.check_all_there(&ticket.id, &[sent])
}

#[test]
fn a_store_that_fails_or_is_silent_is_said_and_comes_back() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let garage = Garage::start(&dir.path().join("garage"), 1)?;
    let line = Faults::start(garage.port(0)).map_err(|error| error.to_string())?;
    let setting = Setting {
        env: garage.settings(line.port(), "sitrep"),
        ..Setting::default()
    };
    let (collector, count) = (
        Collector::start_with(&dir.path().join("collector"), setting)?,
        AtomicU64::new(0),
    );
    let ticket = collector.create_ticket("Store out of order")?;
    let uploader = uploader(&collector, &ticket.id, 6 * MB, &count)?;
    let data = log_text(4, 1, 24 * MB);
    let url = uploader.create(data.len())?;
    assert_eq!(send(&uploader, &url, &data, 0)?.0, 204);
    let mut stands = 6 * MB;

    for mode in [Mode::Fail, Mode::Silent] {
        line.set(mode);
        let (status, told) = send(&uploader, &url, &data, stands)?;
        assert_eq!((status, told), (503, true), "{mode:?}");
        line.set(Mode::Pass);
        let now = uploader.stands(&url)?;
        assert!(now >= stands, "{mode:?}: {now} after {stands}");
        // A store that has just failed is given some time before it is asked again.
        wait_for("the next piece", PATIENCE, || {
            let answer = send(&uploader, &url, &data, now);
            answer.is_ok_and(|(status, _)| status == 204)
        })?;
        stands = uploader.stands(&url)?;
        assert!(stands > now, "{mode:?}: {stands} after {now}");
    }
    assert!(line.failed() > 0);

    // Late answers are no fault.
    line.set(Mode::Slow);
    let sent = uploader.go_on(&url, &data, stands)?;
    line.set(Mode::Pass);
    collector.check_all_there(&ticket.id, &[sent])
}
