//! The whole router without a socket: the route table walked for access, signing in, CSRF, codes.

mod desk;
mod follow;
mod forms;
mod packs;
mod requests;
mod signatures;
mod tag_rules;
mod tries;
mod uploads;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::registry;
use crate::auth::accounts::{self, NewAccount};
use crate::auth::password::Passwords;
use crate::auth::{Access, Actor, Pepper, Role, Roles, tokens};
use crate::bundles::{Bundles, Options, ingest::process::Reader, receive};
use crate::config::{self, Config, Sources};
use crate::db::{Db, migrate};
use crate::metrics::Metrics;
use crate::state::{AppState, Clock};
use crate::tasks::Tasks;
use crate::tickets::bundles::OwnTickets;

struct House {
    _folder: tempfile::TempDir,
    state: AppState,
    router: Router,
}

const PASSWORD: &str = "a quiet blue window";

impl House {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// One that is set up otherwise.
    async fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = [
            ("data_dir", folder.path().to_str().unwrap()),
            ("tls.mode", "off"),
        ];
        let flags = own.iter().chain(settings);
        let flags = flags.map(|(k, v)| ((*k).to_owned(), (*k).to_owned(), (*v).to_owned()));
        let sources = Sources {
            flags: flags.collect(),
            ..Sources::default()
        };
        let config = Config::from_resolved(config::load(&sources).unwrap()).unwrap();
        let db = Db::open(&config.database(), 4).await.unwrap();
        let clock = Clock::System;
        migrate::run(&db, clock.now_ms()).await.unwrap();
        let options = Options {
            folder: folder.path().to_path_buf(),
            objects: None,
            limits: receive::Limits::default(),
            reader: Reader::default(),
            reader_limits: Default::default(),
            tasks: Tasks::new(2),
        };
        let state = AppState {
            tasks: options.tasks.clone(),
            bundles: Arc::new(Bundles::open(db.clone(), Arc::new(OwnTickets), options).unwrap()),
            config: Arc::new(config),
            db,
            clock: Clock::fixed(clock.now_ms()),
            metrics: Metrics::default(),
            pepper: Pepper::new(&[7; 32]),
            passwords: Passwords::cheap(),
            base_url: "http://127.0.0.1".into(),
        };
        let router = super::router(state.clone());
        Self {
            _folder: folder,
            state,
            router,
        }
    }

    async fn token(&self, login: &str, roles: &[Role]) -> String {
        let roles = Roles::new(roles.iter().copied());
        let new = NewAccount {
            login: login.into(),
            name: String::new(),
            password: PASSWORD.into(),
            roles,
        };
        let user = accounts::create(&self.state, &Actor::System, new, "")
            .await
            .unwrap();
        let owner = accounts::person(&user);
        tokens::create(
            &self.state,
            &Actor::System,
            &owner,
            "t",
            &owner.roles,
            1,
            "",
        )
        .await
        .unwrap()
        .1
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn json(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let response = self.send(method, path, &headers, &body.to_string()).await;
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }
}

/// A role that must not be enough for what a route asks.
fn too_little(access: Access) -> Option<Role> {
    match access {
        Access::Role(Role::Auditor) => Some(Role::Admin),
        Access::Role(Role::Viewer | Role::Admin) => Some(Role::Auditor),
        Access::Role(Role::Engineer) => Some(Role::Viewer),
        Access::Role(Role::Lead) => Some(Role::Engineer),
        _ => None,
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one walk, read from top to bottom")]
async fn the_route_table_is_walked() {
    let house = House::new().await;
    let mut by_role = Vec::new();
    for role in Role::ALL {
        by_role.push((role, house.token(role.word(), &[role]).await));
    }
    let token_of = |role: Role| by_role.iter().find(|(r, _)| *r == role).unwrap().1.clone();
    for route in registry().table() {
        let path = route
            .path
            .replace("{ticket}", "TKT-9")
            .replace(['{', '}'], "");
        let what = format!("{} {path}", route.method);
        if matches!(route.access, Access::Public) {
            continue;
        }
        let api = route.path.starts_with("/api/") || route.path == "/metrics";
        let nobody = house
            .send(route.method.as_str(), &path, &[], "")
            .await
            .status();
        let to_login = !api && route.method == "GET";
        let expected = if to_login {
            StatusCode::SEE_OTHER
        } else {
            StatusCode::UNAUTHORIZED
        };
        let expected = [expected, StatusCode::TOO_MANY_REQUESTS];
        assert!(
            expected.contains(&nobody),
            "{what} without credentials: {nobody}"
        );
        if let Some(role) = too_little(route.access) {
            let bearer = format!("Bearer {}", token_of(role));
            let refused = house
                .send(
                    route.method.as_str(),
                    &path,
                    &[("authorization", &bearer)],
                    "",
                )
                .await;
            assert_eq!(
                refused.status(),
                StatusCode::FORBIDDEN,
                "{what} as {role:?}"
            );
        }
        if let Access::Role(role) = route.access {
            let bearer = format!("Bearer {}", token_of(role));
            let status = house
                .send(
                    route.method.as_str(),
                    &path,
                    &[("authorization", &bearer)],
                    "",
                )
                .await
                .status();
            let let_in = status != StatusCode::UNAUTHORIZED
                && status != StatusCode::FORBIDDEN
                && !status.is_server_error();
            assert!(let_in, "{what} as {role:?}: {status}");
        }
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one visit, read from top to bottom")]
async fn forms_need_the_session_and_its_token() {
    let house = House::new().await;
    house.token("ann", &[Role::Engineer]).await;
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    let wrong = house
        .send("POST", "/login", &form, "login=ann&password=wrong")
        .await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let right = house
        .send(
            "POST",
            "/login",
            &form,
            "login=ann&password=a+quiet+blue+window",
        )
        .await;
    assert_eq!(right.status(), StatusCode::SEE_OTHER);
    let set = right.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        set.contains("HttpOnly; SameSite=Lax") && !set.contains("__Host-"),
        "{set}"
    );
    let cookie = set.split(';').next().unwrap();
    let with = |extra: (&'static str, &'static str)| [("cookie", cookie), form[0], extra];
    let none = house
        .send("POST", "/tickets", &with(form[1]), "title=x")
        .await;
    assert_eq!(none.status(), StatusCode::FORBIDDEN);
    let page = house
        .send("GET", "/tickets/new", &[("cookie", cookie)], "")
        .await;
    let page = String::from_utf8(
        axum::body::to_bytes(page.into_body(), 1 << 20)
            .await
            .unwrap()
            .to_vec(),
    )
    .unwrap();
    let csrf = page
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let body = format!("title=x&csrf={csrf}");
    let cross = house
        .send(
            "POST",
            "/tickets",
            &with(("sec-fetch-site", "cross-site")),
            &body,
        )
        .await;
    assert_eq!(cross.status(), StatusCode::FORBIDDEN);
    let made = house.send("POST", "/tickets", &with(form[1]), &body).await;
    assert_eq!(made.headers()[header::LOCATION], "/tickets/TKT-1001");
    house
        .state
        .clock
        .advance_ms(crate::auth::sessions::IDLE_MS + 1);
    let idle = house
        .send("GET", "/tickets", &[("cookie", cookie)], "")
        .await;
    assert_eq!(idle.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_code_lives_and_ends_and_cannot_be_guessed() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let (_, ticket) = house
        .json("POST", "/api/v1/tickets", &token, json!({"title": "t"}))
        .await;
    let codes = format!("/api/v1/tickets/{}/codes", ticket["key"].as_str().unwrap());
    let (status, made) = house
        .json("POST", &codes, &token, json!({"hours": 1}))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let code = made["code"].as_str().unwrap().to_owned();
    let info = house
        .json("GET", "/api/v1/upload-code", &code, Value::Null)
        .await;
    assert_eq!(
        (info.0, &info.1["ticket"]["title"]),
        (StatusCode::OK, &json!("t"))
    );
    let (status, _) = house
        .json("GET", "/api/v1/tickets", &code, Value::Null)
        .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "a code is write-only");
    let wrong = format!("{}-0000-0000-0000", &code[..4]);
    for _ in 0..10 {
        let (status, problem) = house
            .json("GET", "/api/v1/upload-code", &wrong, Value::Null)
            .await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNAUTHORIZED, &json!("code_invalid"))
        );
    }
    let (paused, _) = house
        .json("GET", "/api/v1/upload-code", &code, Value::Null)
        .await;
    assert_eq!(
        paused,
        StatusCode::TOO_MANY_REQUESTS,
        "the right code waits, too"
    );
    house.state.clock.advance_ms(600_001);
    let (status, _) = house
        .json("GET", "/api/v1/upload-code", &code, Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    house.state.clock.advance_ms(3_600_000);
    let (status, problem) = house
        .json("GET", "/api/v1/upload-code", &code, Value::Null)
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNAUTHORIZED, &json!("code_invalid"))
    );
    assert_eq!(crate::audit::verify(&house.state.db).await.unwrap(), None);
}

#[tokio::test]
async fn a_post_with_a_key_is_done_once() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "k1"),
    ];
    let mut keys = Vec::new();
    for _ in 0..2 {
        let response = house
            .send("POST", "/api/v1/tickets", &headers, "{\"title\":\"t\"}")
            .await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        keys.push(serde_json::from_slice::<Value>(&bytes).unwrap()["key"].clone());
    }
    assert_eq!(keys[0], keys[1]);
    let other = house
        .send("POST", "/api/v1/tickets", &headers, "{\"title\":\"u\"}")
        .await;
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
}
