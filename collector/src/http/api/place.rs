//! `/api/v1/bundles/{id}/files/{fid}/place`: the line of a level, a pattern or a time.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sitrep_shared::time::UtcMs;

use super::bundles::load;
use crate::auth::Access;
use crate::bundles::browse::overview::Part;
use crate::bundles::browse::search::Search;
use crate::bundles::browse::{Level, Sought, Start};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;

/// Its line in the registry.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles/{id}/files/{fid}/place", Access::Engineer, place)
        .doc(Op::new("Find a line of a file by level, pattern or time").query::<Asked>().returns::<Found>(200).fails(&[400, 404]))
        .get("/api/v1/bundles/{id}/files/{fid}/overview", Access::Engineer, overview)
        .doc(Op::new("Count errors and warnings in each part of a file").returns::<Overview>(200).fails(&[404]))
}

/// The parts of a file, in order.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = FileOverview)]
struct Overview {
    parts: Vec<Part>,
}

async fn overview(
    State(state): State<AppState>,
    Path((id, fid)): Path<(String, u64)>,
) -> AppResult<Json<Overview>> {
    let (id, _) = load(&state.bundles, &id).await?;
    let parts = state.bundles.browse.overview(id, fid).await?;
    Ok(Json(Overview {
        parts: parts.to_vec(),
    }))
}

/// What is sought, one of `level`, `pattern` and `time`; and from where.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// A line of this level: `error` or `warning`.
    #[param(inline)]
    pub level: Option<Level>,
    /// A line that matches this regular expression; case is ignored.
    pub pattern: Option<String>,
    /// The first line at this time or later: RFC 3339, `2026-11-21 14:03`, or a time of the day `14:03:22`.
    pub time: Option<String>,
    /// The line that is looked at, from 1.
    #[param(minimum = 1)]
    pub from: Option<u64>,
    /// Towards the start of the file.
    pub back: bool,
}

/// A place in a file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = FilePlace)]
pub struct Found {
    /// The number of the line, from 1; none when there is none.
    line: Option<u64>,
}

async fn place(
    State(state): State<AppState>,
    Path((id, fid)): Path<(String, u64)>,
    Query(asked): Query<Asked>,
) -> AppResult<Json<Found>> {
    let line = find(&state, (&id, fid), &asked).await?;
    Ok(Json(Found { line }))
}

/// The line that is sought.
pub(crate) async fn find(
    state: &AppState,
    (id, fid): (&str, u64),
    asked: &Asked,
) -> AppResult<Option<u64>> {
    let (id, row) = load(&state.bundles, id).await?;
    let from = Start {
        line: asked.from.unwrap_or(1).max(1),
        back: asked.back,
        collected_ms: row.collected_ms.unwrap_or(row.received_ms),
    };
    let sought = match (asked.level, &asked.pattern, &asked.time) {
        (Some(level), None, None) => Sought::Level(level),
        (None, Some(pattern), None) => {
            let search = Search::new(pattern, true, 1);
            Sought::Pattern(search.map_err(|e| AppError::bad_request(format!("pattern: {e}")))?)
        }
        (None, None, Some(text)) => time(text).ok_or_else(|| {
            AppError::bad_request("time: write 14:03:22, 2026-11-21 14:03 or 2026-11-21T14:03:22Z")
        })?,
        _ => {
            return Err(AppError::bad_request(
                "one of level, pattern and time is sought",
            ));
        }
    };
    Ok(state.bundles.browse.seek(id, fid, sought, from).await?)
}

/// A time as people write it.
fn time(text: &str) -> Option<Sought> {
    let text = text.trim();
    if let Some(of_day) = of_day(text) {
        return Some(Sought::TimeOfDay(of_day));
    }
    let whole = match text.split_once([' ', 'T']) {
        Some((day, rest)) if of_day(rest).is_some() => {
            let seconds = if rest.matches(':').count() == 1 {
                ":00"
            } else {
                ""
            };
            format!("{day}T{rest}{seconds}Z")
        }
        Some(_) => text.to_owned(),
        None => format!("{text}T00:00:00Z"),
    };
    UtcMs::parse(&whole).ok().map(|at| Sought::Time(at.0))
}

/// Milliseconds of the day of `14:03`, `14:03:22` or `14:03:22.5`.
fn of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let number = |part: Option<&str>, max: i64| -> Option<i64> {
        let part = part.filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse().ok().filter(|n| (0..=max).contains(n))
    };
    let (hour, minute) = (number(parts.next(), 23)?, number(parts.next(), 59)?);
    let (second, fraction) = match parts.next() {
        Some(part) => {
            let (whole, fraction) = part.split_once(['.', ',']).unwrap_or((part, ""));
            let digits = format!("{fraction:0<3}");
            let fraction = digits.get(..3)?.parse::<i64>().ok().filter(|n| *n >= 0)?;
            (number(Some(whole), 60)?, fraction)
        }
        None => (0, 0),
    };
    parts.next().is_none().then_some(())?;
    Some(((hour * 60 + minute) * 60 + second) * 1000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let whole = |text: &str| match time(text) {
            Some(Sought::Time(ms)) => Some(ms),
            _ => None,
        };
        for (text, expected) in [
            ("2026-11-21T02:00:14Z", Some(1_795_226_414_000)),
            ("2026-11-21T03:00:14+01:00", Some(1_795_226_414_000)),
            ("2026-11-21 02:00:14", Some(1_795_226_414_000)),
            ("2026-11-21 02:00", Some(1_795_226_400_000)),
            ("2026-11-21", Some(1_795_219_200_000)),
            ("yesterday", None),
            ("2026-13-01", None),
            ("", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
        for (text, expected) in [
            ("14:03", Some(50_580_000)),
            ("14:03:22", Some(50_602_000)),
            ("14:03:22.5", Some(50_602_500)),
            ("14:03:22,1234", Some(50_602_123)),
            ("24:00", None),
            ("1:2", None),
            ("14:03:22:1", None),
            ("14:03:22.é", None),
            ("+1:03", None),
        ] {
            assert_eq!(of_day(text), expected, "{text}");
        }
    }
}
