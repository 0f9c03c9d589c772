//! The OpenAPI 3.1 document, generated from the route table: `/api/v1/openapi.json`.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::routes::{Route, Routes};
use crate::auth::Access;

type Schemas = Vec<(
    String,
    utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
)>;

/// Description of one operation of the API.
#[derive(Debug, Clone)]
pub struct Op {
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    raw_body: Option<&'static str>,
    responses: Vec<(u16, Option<Value>, &'static str)>,
    schemas: BTreeMap<String, Value>,
    idempotent: bool,
    fails: &'static [u16],
}

impl Op {
    /// An operation with its one-line summary.
    pub fn new(summary: &'static str) -> Self {
        Self {
            summary,
            parameters: Vec::new(),
            body: None,
            raw_body: None,
            responses: Vec::new(),
            schemas: BTreeMap::new(),
            idempotent: false,
            fails: &[],
        }
    }

    /// Query parameters.
    pub fn query<T: IntoParams>(mut self) -> Self {
        let all = T::into_params(|| Some(ParameterIn::Query));
        self.parameters
            .extend(all.into_iter().filter_map(|p| serde_json::to_value(p).ok()));
        self
    }

    /// A JSON body.
    pub fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some(self.schema::<T>());
        self
    }

    /// A body of another type than JSON.
    pub fn raw_body(mut self, media: &'static str) -> Self {
        self.raw_body = Some(media);
        self
    }

    /// An answer with JSON.
    pub fn returns<T: ToSchema>(mut self, status: u16) -> Self {
        let schema = self.schema::<T>();
        self.responses
            .push((status, Some(schema), "application/json"));
        self
    }

    /// An answer without content.
    pub fn empty(mut self, status: u16) -> Self {
        self.responses.push((status, None, ""));
        self
    }

    /// An answer of another type than JSON.
    pub fn raw(mut self, status: u16, media: &'static str) -> Self {
        self.responses.push((status, Some(json!({})), media));
        self
    }

    /// Failures besides those that follow from access, path and body.
    pub fn fails(mut self, statuses: &'static [u16]) -> Self {
        self.fails = statuses;
        self
    }

    /// Takes an `Idempotency-Key`.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    fn schema<T: ToSchema>(&mut self) -> Value {
        let mut found: Schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            if let Ok(value) = serde_json::to_value(schema) {
                self.schemas.insert(name, value);
            }
        }
        json!({"$ref": format!("#/components/schemas/{}", T::name())})
    }
}

/// The routes of the document itself.
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/openapi.json", Access::Public, show)
        .doc(Op::new("This document").raw(200, "application/json"))
}

async fn show() -> Response {
    axum::Json(document(super::registry().table())).into_response()
}

/// The document of a table; routes without a description are left out.
pub fn document(table: &[Route]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas: BTreeMap<String, Value> =
        BTreeMap::from([("Problem".to_owned(), problem_schema())]);
    for route in table {
        let Some(op) = &route.op else { continue };
        schemas.extend(op.schemas.clone());
        let method = route.method.as_str().to_lowercase();
        paths
            .entry(route.path)
            .or_default()
            .insert(method, operation(route, op));
    }
    let webhook = webhook(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Sitrep collector", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0 OR MIT"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "webhooks": {"ticket": webhook},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "API token, srt_…"},
                "code": {"type": "http", "scheme": "bearer", "description": "Upload code"},
            },
        },
    })
}

/// What the collector itself sends to the addresses of connectors of the kind `webhook`.
fn webhook(schemas: &mut BTreeMap<String, Value>) -> Value {
    let op =
        Op::new("What happened to a ticket").body::<crate::connectors::webhook::WebhookMessage>();
    schemas.extend(op.schemas);
    let header = |name: &str, text: &str| json!({"name": name, "in": "header", "required": true, "description": text, "schema": {"type": "string"}});
    json!({"post": {
        "summary": op.summary,
        "description": "Signed by Standard Webhooks. A receiver answers 2xx; other answers are tried again, but 410 turns \
                        the connector off. Messages about one ticket come in order.",
        "parameters": [
            header("webhook-id", "the event's id, the same in every try"),
            header("webhook-timestamp", "seconds since 1970, of this try"),
            header("webhook-signature", "v1, and the base64 of HMAC-SHA256 over id.timestamp.body under the secret"),
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": op.body}}},
        "responses": {"2XX": {"description": "Taken"}},
    }})
}

fn operation(route: &Route, op: &Op) -> Value {
    let mut parameters: Vec<Value> = path_parameters(route.path);
    parameters.extend(op.parameters.iter().cloned());
    if op.idempotent {
        parameters.push(
            json!({"name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key with the same request gives the same answer, once done.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}}),
        );
    }
    let mut responses = Map::new();
    for (status, schema, media) in &op.responses {
        let content = schema.as_ref().map(|s| json!({*media: {"schema": s}}));
        let mut response = json!({"description": reason(*status)});
        if let Some(content) = content {
            response["content"] = content;
        }
        responses.insert(status.to_string(), response);
    }
    for status in failures(route, op) {
        responses.entry(status.to_string()).or_insert_with(|| json!({
            "description": reason(status),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }));
    }
    let id = format!(
        "{}{}",
        route.method.as_str().to_lowercase(),
        route.path.replace(['/', '{', '}', '.', '-'], "_")
    );
    let mut out = json!({"operationId": id, "summary": op.summary, "parameters": parameters, "responses": responses});
    match route.access {
        Access::Public => {}
        Access::Uploader => out["security"] = json!([{"code": []}]),
        _ => out["security"] = json!([{"token": []}]),
    }
    if let Some(body) = &op.body {
        out["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": body}}});
    }
    if let Some(media) = op.raw_body {
        out["requestBody"] = json!({"required": true, "content": {media: {"schema": {}}}});
    }
    out
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}))
        .collect()
}

fn failures(route: &Route, op: &Op) -> Vec<u16> {
    let mut all = vec![500, 503];
    all.extend(op.fails);
    match route.access {
        Access::Public => {}
        Access::Uploader => all.extend([401, 429]),
        _ => all.extend([401, 403]),
    }
    if route.path.contains('{') {
        all.push(404);
    }
    if !op.parameters.is_empty() || op.idempotent || op.body.is_some() {
        all.push(400);
    }
    if op.raw_body.is_some() {
        all.extend([400, 403, 413, 422]);
    }
    if op.body.is_some() {
        all.extend([401, 409, 413, 415, 422, 429]);
    }
    all
}

fn reason(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .unwrap_or("Answer")
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "description": "stable word for programs"},
            "hint": {"type": "string"},
            "errors": {"type": "array", "items": {"type": "object", "required": ["field", "message"], "properties": {
                "field": {"type": "string"}, "message": {"type": "string"}}}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_route_is_described_and_every_reference_resolves() {
        let table = super::super::registry();
        for route in table.table() {
            let api = route.path.starts_with("/api/");
            assert!(
                !api || route.op.is_some() || route.method == "OPTIONS" || route.method == "HEAD",
                "{} {}",
                route.method,
                route.path
            );
        }
        let mut schemas: BTreeMap<&String, &Value> = BTreeMap::new();
        for (name, schema) in table
            .table()
            .iter()
            .filter_map(|r| r.op.as_ref())
            .flat_map(|op| &op.schemas)
        {
            let known = schemas.insert(name, schema);
            assert!(
                known.is_none_or(|known| known == schema),
                "two schemas are named {name}"
            );
        }
        let document = document(table.table());
        let text = document.to_string();
        for reference in text
            .split("\"#/components/schemas/")
            .skip(1)
            .filter_map(|r| r.split('"').next())
        {
            assert!(
                document["components"]["schemas"].get(reference).is_some(),
                "{reference}"
            );
        }
    }
}
