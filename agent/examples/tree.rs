//! Development aid: collects with a profile and writes the tree into a folder, unredacted.
use sitrep::collect::{Cancel, Host, ItemEnd, ItemStart, Params, Sink};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

struct Tree {
    root: PathBuf,
    at: Option<(ItemStart, Option<fs::File>)>,
    log: fs::File,
}
impl Sink for Tree {
    fn item(&mut self, s: &ItemStart) {
        self.at = Some((s.clone(), None));
    }
    fn data(&mut self, b: &[u8]) {
        if let Some((s, f)) = &mut self.at {
            if f.is_none() {
                let p = self.root.join(s.path.clone().unwrap_or_default());
                let _ = fs::create_dir_all(p.parent().unwrap_or(&p));
                *f = fs::File::create(&p).ok();
            }
            if let Some(f) = f {
                let _ = f.write_all(b);
            }
        }
    }
    fn end(&mut self, e: &ItemEnd) {
        if let Some((s, f)) = self.at.take() {
            if f.is_none() && e.outcome.eq(&sitrep::collect::Outcome::Collected) {
                let p = self.root.join(s.path.clone().unwrap_or_default());
                let _ = fs::create_dir_all(p.parent().unwrap_or(&p));
                let _ = fs::File::create(&p);
            }
            let _ = writeln!(self.log, "{:?}\t{}\t{}\t{}\t{}ms\t{}\t{}", e.outcome, s.source, s.origin, e.original_bytes, e.duration_ms, e.cpu_ms, e.reason.clone().unwrap_or_default());
        }
    }
    fn link(&mut self, p: &str, _t: &str, r: &str) {
        let p = self.root.join(p);
        let _ = fs::create_dir_all(p.parent().unwrap_or(&p));
        let _ = std::os::unix::fs::symlink(r, p);
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let root = PathBuf::from(&a[2]);
    fs::create_dir_all(&root).unwrap();
    let host = Host::at(std::path::Path::new(a.get(3).map_or("/", String::as_str))).unwrap();
    let profile = sitrep::profile::Profile::load(&a[1]).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let t = std::time::Instant::now();
    let plan = sitrep::plan::make(&host, &profile, &Params { now_ms: now, ..Params::default() });
    eprintln!("plan {:?} {:?}", t.elapsed(), plan.estimate(&host));
    let mut sink = Tree { log: fs::File::create(root.join("items.log")).unwrap(), root: root.clone(), at: None };
    let s = sitrep::collect::run(&host, &plan, &mut sink, &Cancel::new());
    eprintln!("{:?} items {} bytes {} {} ms {:?} commands {}", s.outcomes, s.items, s.bytes, s.duration_ms, s.cost, s.commands);
    fs::write(root.join("facts.json"), serde_json::to_string_pretty(&s.facts).unwrap()).unwrap();
}
