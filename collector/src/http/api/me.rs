//! Who the caller is.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{Access, Actor, Role};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::openapi::Op;

/// The caller.
#[derive(Serialize, ToSchema)]
struct Me {
    id: String,
    login: String,
    name: String,
    /// Rights in force for this session or token.
    roles: Vec<Role>,
    /// `user` for a session, `token` for an API token.
    via: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/me", Access::SignedIn, show)
        .doc(Op::new("Who the caller is").returns::<Me>(200))
}

async fn show(actor: Actor) -> AppResult<axum::Json<Me>> {
    let person = actor.person().ok_or_else(AppError::unauthenticated)?;
    Ok(axum::Json(Me {
        id: person.id.clone(),
        login: person.login.clone(),
        name: person.name.clone(),
        roles: person.roles.list().to_vec(),
        via: actor.kind().to_owned(),
    }))
}
