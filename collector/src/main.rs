//! temporary
fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("ingest-child") {
        let n = args.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        if let Err(error) = sitrep_collector::bundles::ingest::child::run(n) {
            #[expect(clippy::print_stderr)]
            {
                eprintln!("{}", sitrep_shared::error::chain(&error));
            }
            std::process::exit(1);
        }
    }
}
