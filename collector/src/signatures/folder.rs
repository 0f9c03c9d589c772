//! Packs from the folder `packs` beside the data: one folder for each, with its signature files and, if its maker says
//! more, a `pack.toml`. Looked at when the service starts and from time to time; what is refused is logged and leaves
//! what was there before.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::files::{self, Files};
use super::packs::{self, Label, digest};
use crate::auth::Actor;
use crate::db::packs as rows;
use crate::error::AppResult;
use crate::state::AppState;
use crate::tickets::Caller;

/// Below the data folder.
const FOLDER: &str = "packs";

/// Takes in packs that are new or have changed; gives their names.
///
/// # Errors
/// When the database does not answer.
pub async fn sync(state: &AppState) -> AppResult<Vec<String>> {
    let folder = state.config.data_dir.join(FOLDER);
    let found = tokio::task::spawn_blocking(move || read(&folder)).await;
    let found = found.unwrap_or_default();
    let known = rows::list(&mut *state.db.read().await?).await?;
    let caller = Caller {
        actor: Actor::System,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let mut taken = Vec::new();
    for (label, files) in found {
        let (name, stand) = (label.name.clone(), digest(&label, &files));
        if known
            .iter()
            .any(|row| row.name == name && row.digest == stand)
        {
            continue;
        }
        match packs::store(state, &caller, (label, "folder"), files).await {
            Ok(_) => {
                tracing::info!(pack = %name, "took a signature pack in");
                taken.push(name);
            }
            Err(error) if error.status().is_client_error() => {
                let faults = error.fields().iter();
                let faults: Vec<String> = faults
                    .map(|fault| format!("{}: {}", fault.field, fault.message))
                    .collect();
                tracing::warn!(pack = %name, reason = error.detail(), ?faults, "a signature pack is refused");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// The packs of a folder, by name; those that cannot be read are logged.
fn read(folder: &Path) -> Vec<(Label, Files)> {
    let mut packs = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        match files::about(&path).and_then(|about| Ok((about, files::read_folder(&path)?))) {
            Ok((about, files)) => {
                let label = Label {
                    name,
                    version: about.version,
                    licence: about.licence,
                    stand: None,
                };
                packs.push((label, files));
            }
            Err(error) => tracing::warn!(pack = %name, %error, "a signature pack cannot be read"),
        }
    }
    packs.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    packs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_a_folder_with_files_and_a_word_about_them() {
        let folder = tempfile::tempdir().unwrap();
        let pack = folder.path().join("more");
        std::fs::create_dir_all(pack.join("deep")).unwrap();
        std::fs::write(
            pack.join("pack.toml"),
            "version = \"2\"\nlicence = \"MIT\"\n",
        )
        .unwrap();
        std::fs::write(pack.join("deep/a.yaml"), "rules: []\n").unwrap();
        std::fs::write(pack.join("tags.yaml"), "tags: []\n").unwrap();
        std::fs::write(folder.path().join("stray"), "x").unwrap();
        let found = read(folder.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0.licence, "MIT");
        assert_eq!(
            found[0].1,
            [("deep/a.yaml".to_owned(), "rules: []\n".to_owned())]
        );
        assert!(read(&folder.path().join("none")).is_empty());
    }
}
