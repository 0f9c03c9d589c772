//! The harness: starts the real binaries in a world of their own and waits for
//! what they do. Nothing here replaces a part of the product.
//!
//! Every process gets its own home, an empty environment, its own temporary
//! folder and a free loopback port, and is ended by its own process id.

pub mod agent;
pub mod azurite;
pub mod binaries;
pub mod collector;
pub mod corpus;
pub mod crafted;
pub mod debian;
pub mod desk;
pub mod faults;
pub mod fleet;
pub mod garage;
pub mod ordinary;
pub mod pairs;
pub mod peers;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod receiver;
pub mod samples;
pub mod switch;
pub mod terminal;
pub mod trouble;
pub mod uploader;
pub mod usage;
pub mod way;

/// The root of the workspace, from which all project paths are relative.
#[must_use]
pub fn workspace_root() -> &'static std::path::Path {
    static ROOT: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    ROOT.get_or_init(|| {
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        manifest.parent().unwrap_or(manifest).to_path_buf()
    })
}

/// The folder with data of other projects (`SITREP_SHARED`, default
/// `../shared` beside the workspace). Tests that need it fail when it is absent.
///
/// # Errors
/// Names the folder that was looked for and the variable that changes it.
pub fn shared_data() -> Result<std::path::PathBuf, String> {
    let dir = std::env::var_os("SITREP_SHARED").map_or_else(
        || workspace_root().join("../shared"),
        std::path::PathBuf::from,
    );
    if dir.join("signatures").is_dir() {
        Ok(dir)
    } else {
        Err(format!(
            "no test data at {}: set SITREP_SHARED to the folder that holds signatures/ and redaction-samples/",
            dir.display()
        ))
    }
}
