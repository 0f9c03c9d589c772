//! Bundles of closed tickets go when their time is over, and nothing of them stays, whatever pair of database and store
//! they lie in; what is on legal hold stays, against retention, leads and its sender, until the hold is lifted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sitrep_shared::hash::sha256;
use sitrep_shared::ids::UploadCode;
use sitrep_tests::collector::Collector;
use sitrep_tests::pairs::{POSTGRES_OBJECTS, Pair, SQLITE_FOLDER, World};
use sitrep_tests::process::wait_for;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A ticket with one bundle, and a word that nothing else has.
struct Case {
    ticket: String,
    bundle: String,
    receipt: String,
    canary: String,
    /// The code with which its sender takes the bundle back.
    withdrawal: String,
}

impl Case {
    fn open(collector: &Collector, n: u8) -> Result<Self, String> {
        let ticket = collector.create_ticket(&format!("Retention {n}"))?.id;
        let code = collector.create_wide_code(&ticket)?;
        let canary = format!("canary{}x{n}", std::process::id());
        let withdrawal = UploadCode::generate(&[n; 10]).canonical();
        let digest = sha256(withdrawal.as_bytes()).to_string();
        let metadata = format!(
            "filename {},withdrawal {}",
            BASE64.encode(format!("{canary}.log")),
            BASE64.encode(digest)
        );
        // A signature knows it, so that there is a finding with the canary as its evidence.
        let line = format!(
            "Nov 21 14:02:00 h app[1]: {canary} write failed: No space left on device (os error 28)\n"
        );
        collector.upload_with(&code, &metadata, line.repeat(500).as_bytes())?;
        let bundle = collector.wait_for_verdict(&ticket, PATIENCE)?;
        let receipt = collector.bundle(&bundle)?["receipt"]
            .as_str()
            .map(str::to_owned);
        let case = Self {
            ticket,
            bundle,
            receipt: receipt.ok_or("no receipt")?,
            canary,
            withdrawal,
        };
        assert!(case.is_found(collector)?, "the search does not know it");
        Ok(case)
    }

    fn close(&self, collector: &Collector) -> Result<(), String> {
        let path = format!("/api/v1/tickets/{}", self.ticket);
        let closed = json!({"status": "closed", "cause": "defect", "resolution": "fixed"});
        collector.patch(&path, &closed)
    }

    fn is_found(&self, collector: &Collector) -> Result<bool, String> {
        let found = collector.get(&format!("/api/v1/search?q={}", self.canary))?;
        Ok(found.to_string().contains(&self.bundle))
    }

    fn is_there(&self, collector: &Collector) -> Result<bool, String> {
        let path = format!("/api/v1/bundles/{}", self.bundle);
        let (status, _) = collector.answer("GET", &path, Some(collector.token()))?;
        Ok(status == 200)
    }

    /// What a lead and the sender are told who want to delete it.
    fn deletions(&self, collector: &Collector) -> Result<[u16; 2], String> {
        let (bundle, receipt) = (&self.bundle, &self.receipt);
        let path = format!("/api/v1/bundles/{bundle}");
        let lead = collector.answer("DELETE", &path, Some(collector.token()))?;
        let path = format!("/api/v1/receipts/{receipt}");
        let sender = collector.answer("DELETE", &path, Some(&self.withdrawal))?;
        Ok([lead.0, sender.0])
    }
}

/// Whether a word is in any file below a folder.
fn holds(folder: &Path, word: &[u8]) -> bool {
    let inside = std::fs::read_dir(folder).into_iter().flatten().flatten();
    inside
        .map(|entry| entry.path())
        .any(|path| match path.is_dir() {
            true => holds(&path, word),
            false => std::fs::read(&path)
                .is_ok_and(|bytes| bytes.windows(word.len()).any(|window| window == word)),
        })
}

/// Where a word of a bundle still is: the database and the folder, which nothing else is in.
fn is_anywhere(world: &World, word: &str) -> Result<bool, String> {
    let dumped = match &world.postgres {
        Some(postgres) => {
            let dump = postgres.dump("sitrep")?;
            dump.windows(word.len())
                .any(|window| window == word.as_bytes())
        }
        None => false,
    };
    Ok(dumped || holds(world.collector.data_dir(), word.as_bytes()))
}

/// Files or objects of bundles, their derived ones and unfinished uploads.
fn stored(world: &World) -> Result<u64, String> {
    if let Some(garage) = &world.garage {
        return garage.objects();
    }
    let count = |name| {
        let inside = std::fs::read_dir(world.collector.data_dir().join(name));
        inside.map_or(0, |entries| entries.count() as u64)
    };
    Ok(count("blobs") + count("derived") + count("parts"))
}

fn sweep(pair: Pair) -> Result<(), String> {
    let mut world = World::start(pair)?;
    let cases: Result<Vec<Case>, String> =
        (0..3).map(|n| Case::open(&world.collector, n)).collect();
    let cases = cases?;
    let [kept, held, due] = &cases[..] else {
        return Err("three cases".to_owned());
    };
    let all = stored(&world)?;
    let hold = format!("/api/v1/tickets/{}/hold", held.ticket);
    let why = json!({"reason": "a court asked for it"});
    world.collector.post(&hold, &why)?;
    let twice = world.collector.post(&hold, &why);
    assert!(twice.is_err_and(|error| error.contains("on_hold")));
    assert_eq!(held.deletions(&world.collector)?, [423, 423]);
    for case in [held, due] {
        case.close(&world.collector)?;
    }
    world.collector.set("SITREPD_RETENTION_CLOSED", "1s");
    // The sweep comes with the start, and every ten minutes.
    wait_for("the sweep", PATIENCE, || {
        world.collector.crash_and_restart().is_ok()
            && wait_for("a sweep", Duration::from_secs(5), || {
                due.is_there(&world.collector) == Ok(false)
            })
            .is_ok()
    })?;
    wait_for("what was due to be gone", PATIENCE, || {
        is_anywhere(&world, &due.canary) == Ok(false) && stored(&world) == Ok(all / 3 * 2)
    })
    .map_err(|error| {
        let (left, word) = (stored(&world), is_anywhere(&world, &due.canary));
        format!("{error}: {left:?} of {all} files or objects, its word is there: {word:?}")
    })?;
    assert!(!due.is_found(&world.collector)?);
    for case in [kept, held] {
        assert!(case.is_there(&world.collector)? && case.is_found(&world.collector)?);
        assert!(!world.collector.download(&case.bundle)?.is_empty());
    }
    world
        .collector
        .answer_to(&format!("{hold}/lift"), &json!({"reason": "over"}))?;
    let listed = world.collector.get(&format!("{hold}s"))?;
    assert_eq!(listed["items"], Value::Array(Vec::new()));
    // The hold is gone, the audit log says that it was there, and why.
    for word in ["hold.place", "a court asked for it", "hold.lift"] {
        assert!(is_anywhere(&world, word)?, "{word}");
    }
    assert_eq!(held.deletions(&world.collector)?, [204, 404]);
    let one = format!("/api/v1/bundles/{}/hold", kept.bundle);
    world.collector.post(&one, &why)?;
    assert_eq!(kept.deletions(&world.collector)?, [423, 423]);
    world
        .collector
        .answer_to(&format!("{one}/lift"), &json!({"reason": "over"}))?;
    let path = format!("/api/v1/receipts/{}", kept.receipt);
    let withdrawn = world
        .collector
        .answer("DELETE", &path, Some(&kept.withdrawal))?;
    assert_eq!(withdrawn.0, 200, "{}", withdrawn.1);
    wait_for("nothing to be left", PATIENCE, || stored(&world) == Ok(0))?;
    for case in &cases {
        assert!(!is_anywhere(&world, &case.canary)?, "{}", case.canary);
    }
    Ok(())
}

#[test]
fn in_a_folder() -> Result<(), String> {
    sweep(SQLITE_FOLDER)
}

#[test]
fn in_an_object_store() -> Result<(), String> {
    sweep(POSTGRES_OBJECTS)
}
