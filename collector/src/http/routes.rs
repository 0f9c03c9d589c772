//! A table of routes, each with its access and its description.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};

use super::guard::{self, Gate};
use super::openapi::Op;
use crate::auth::Access;
use crate::state::AppState;

type Mount = Box<dyn FnOnce(Router<AppState>, &AppState, bool) -> Router<AppState>>;

/// One route as the table shows it.
#[derive(Debug, Clone)]
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Description for the OpenAPI document; pages have none.
    pub op: Option<Op>,
    /// Whether the body streams and has limits of its own.
    pub streams: bool,
}

/// The table under construction.
#[derive(Default)]
pub struct Routes {
    table: Vec<Route>,
    mounts: Vec<Mount>,
}

impl Routes {
    /// Adds a GET route.
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        self.on(Method::GET, path, access, handler)
    }

    /// Adds a POST route.
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        self.on(Method::POST, path, access, handler)
    }

    /// Adds a PATCH route.
    pub fn patch<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        self.on(Method::PATCH, path, access, handler)
    }

    /// Adds a DELETE route.
    pub fn delete<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        self.on(Method::DELETE, path, access, handler)
    }

    /// Adds a route of any method.
    pub fn on<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        let filter =
            MethodFilter::try_from(method.clone()).expect("routes use methods that axum knows");
        self.table.push(Route {
            method,
            path,
            access,
            op: None,
            streams: false,
        });
        self.mounts.push(Box::new(move |router, state, streams| {
            let gate = Gate {
                state: state.clone(),
                access,
            };
            let mut route = on(filter, handler).layer(from_fn_with_state(gate, guard::check));
            if streams {
                route = route.layer(DefaultBodyLimit::disable());
            }
            router.route(path, route)
        }));
        self
    }

    /// Describes the route that was added last.
    pub fn doc(mut self, op: Op) -> Self {
        if let Some(route) = self.table.last_mut() {
            route.op = Some(op);
        }
        self
    }

    /// Lifts the size limit of the body of the route that was added last: its handler streams.
    pub fn streams(mut self) -> Self {
        if let Some(route) = self.table.last_mut() {
            route.streams = true;
        }
        self
    }

    /// Takes over all routes of another table.
    pub fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        self.mounts.extend(other.mounts);
        self
    }

    /// The table.
    pub fn table(&self) -> &[Route] {
        &self.table
    }

    /// The router, every route behind its access check.
    pub fn into_router(self, state: &AppState) -> Router<AppState> {
        let routes = self.mounts.into_iter().zip(self.table);
        routes.fold(Router::new(), |router, (mount, route)| {
            mount(router, state, route.streams)
        })
    }
}
