//! Taking in a pack of somebody else's rules: files that are refused are left out and named, and the rest stands where
//! the person says.

use sitrep_shared::signature::Status;

use super::files::Files;
use super::packs::{self, Label};
use crate::db::packs::PackRow;
use crate::error::{AppError, AppResult};
use crate::state::AppState;
use crate::tickets::Caller;

/// Rounds of leaving out; each names some of the faults.
const ROUNDS: usize = 100;

/// A pack that was taken in.
#[derive(Debug)]
pub struct Taken {
    /// What is stored.
    pub row: PackRow,
    /// Place and reason of what was left out.
    pub refused: Vec<(String, String)>,
}

/// Where the signatures of a pack can be put when it is taken in.
///
/// # Errors
/// 422 for anything but shadow and live.
pub fn stand(word: &str) -> AppResult<Status> {
    match word {
        "shadow" => Ok(Status::Shadow),
        "live" => Ok(Status::Live),
        _ => Err(AppError::invalid("stand", "is shadow or live")),
    }
}

/// Stores what of a pack is good.
///
/// # Errors
/// As [`packs::store`], when nothing of it is good.
pub async fn take(
    state: &AppState,
    caller: &Caller,
    label: Label,
    mut files: Files,
) -> AppResult<Taken> {
    let mut refused: Vec<(String, String)> = Vec::new();
    for _ in 0..ROUNDS {
        let told = match packs::store(state, caller, (label.clone(), "upload"), files.clone()).await
        {
            Ok(row) => return Ok(Taken { row, refused }),
            Err(error) if error.fields().is_empty() => return Err(error),
            Err(error) => error,
        };
        let before = files.len();
        files.retain(|(path, _)| !told.fields().iter().any(|f| file_of(&f.field) == path));
        if files.is_empty() || files.len() == before {
            return Err(told);
        }
        let faults = told.fields().iter();
        refused.extend(faults.map(|fault| (fault.field.clone(), fault.message.clone())));
    }
    Err(AppError::invalid("file", "has too many faults"))
}

/// The file of a place, `FILE:LINE`.
fn file_of(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_its_file() {
        for (place, file) in [
            ("a/b.yaml:12", "a/b.yaml"),
            ("c:d.yaml:3", "c:d.yaml"),
            ("own", "own"),
        ] {
            assert_eq!(file_of(place), file);
        }
    }

    #[test]
    fn a_pack_is_put_into_shadow_or_live() {
        assert_eq!(stand("shadow").unwrap(), Status::Shadow);
        assert_eq!(stand("live").unwrap(), Status::Live);
        assert!(stand("draft").is_err());
    }
}
