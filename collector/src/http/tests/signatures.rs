//! Signatures over the API: packs, status, judgements, suppressions, unknown errors, similar tickets.

use super::*;
use crate::db::findings::{self, NewFinding};
use crate::signatures::unknown;
use crate::tickets::apply_findings;
use sitrep_shared::signature::Template;

pub(super) const PROVEN: &str = "rules:
  - metadata: {id: ownRuleProven1, kind: sitrep, version: \"1.0.0\"}
    cre: {id: OWN-0001, severity: 1, title: Widgets run out, category: own}
    sitrep:
      status: live
      auto_tag: [widgets]
      tests:
        - {name: fires, fires: true, log: \"2026-01-01 00:00:00 out of widgets now\\n\"}
        - {name: silent, fires: false, log: \"2026-01-01 00:00:00 widgets are fine\\n\"}
    rule:
      set:
        event: {source: sitrep.log.any}
        match: [{value: 'out of widgets now'}]
";

impl House {
    async fn text(&self, method: &str, path: &str, token: &str, body: &str) -> (StatusCode, Value) {
        let bearer = format!("Bearer {token}");
        let response = self
            .send(method, path, &[("authorization", &bearer)], body)
            .await;
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 4 << 20)
            .await
            .unwrap();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    /// A page as a person sees it.
    pub(super) async fn page(&self, path: &str, token: &str, language: &str) -> String {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("accept-language", language),
        ];
        let shown = self.send("GET", path, &headers, "").await;
        assert_eq!(shown.status(), StatusCode::OK, "{path}");
        let bytes = axum::body::to_bytes(shown.into_body(), 4 << 20).await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    /// A ticket with a bundle in which signatures found something.
    pub(super) async fn ticket(
        &self,
        token: &str,
        found: &[NewFinding],
    ) -> (String, String, String) {
        let (_, made) = self
            .json("POST", "/api/v1/tickets", token, json!({"title": "t"}))
            .await;
        let key = made["key"].as_str().unwrap().to_owned();
        let mut tx = self.state.db.begin().await.unwrap();
        let id = crate::tickets::load(&self.state, &key).await;
        let id = id.unwrap().id;
        let bundle = crate::state::new_id();
        let new = crate::db::bundles::NewBundle {
            id: &bundle,
            upload_id: &bundle,
            ticket_id: &id,
            filename: "f",
            bytes: 1,
            sha256: "",
            receipt: "",
            received_ms: 1,
        };
        crate::db::bundles::insert(&mut tx, &new).await.unwrap();
        let end = crate::db::bundles::Outcome {
            state: "ready",
            ..Default::default()
        };
        crate::db::bundles::finish(&mut tx, &bundle, &end)
            .await
            .unwrap();
        let now = self.state.now_ms();
        findings::replace(&mut tx, (&bundle, &id), found, now)
            .await
            .unwrap();
        let template = Template {
            text: "app: lease for <*> lost, error".into(),
            count: 3,
            file: "sos/var/log/app.log".into(),
            line: 7,
            example: "app: lease for x1 lost, error".into(),
        };
        unknown::record(&mut tx, (&bundle, &id), &[template], now)
            .await
            .unwrap();
        let rows = findings::of_bundle(&mut tx, &bundle, now).await.unwrap();
        apply_findings(&mut tx, now, &id, &rows).await.unwrap();
        tx.commit().await.unwrap();
        (key, bundle, rows[0].id.clone())
    }
}

pub(super) fn found(id: &str) -> NewFinding {
    NewFinding {
        signature_id: id.into(),
        severity: "high".into(),
        severity_rank: 1,
        title: "Widgets run out".into(),
        body: r#"{"id":"OWN-0001","severity":"high","auto_tag":["widgets"],"evidence":[]}"#.into(),
        shadow: false,
    }
}

#[tokio::test]
async fn a_pack_is_taken_in_or_refused_with_file_line_and_hint() {
    let house = House::new().await;
    let lead = house.token("lea", &[Role::Lead]).await;
    let engineer = house.token("ann", &[Role::Engineer]).await;
    let (status, refused) = house
        .text("POST", "/api/v1/signatures", &engineer, PROVEN)
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
    let (status, stored) = house
        .text("POST", "/api/v1/signatures", &lead, PROVEN)
        .await;
    assert_eq!(
        (status, &stored["ids"]),
        (StatusCode::CREATED, &json!(["OWN-0001"]))
    );
    let broken = PROVEN
        .replace("OWN-0001", "OWN-0002")
        .replace("fires: true", "fires: 7");
    let (status, refused) = house
        .text("POST", "/api/v1/signature-packs?name=more", &lead, &broken)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let field = refused["errors"][0]["field"].as_str().unwrap();
    assert!(field.starts_with("more.yaml:"), "{refused}");
    let silent = PROVEN.replace("value: 'out of widgets now'", "value: 'no such text here'");
    let silent = silent
        .replace("OWN-0001", "OWN-0003")
        .replace("Proven1", "Proven3");
    let (status, refused) = house
        .text("POST", "/api/v1/signature-packs?name=more", &lead, &silent)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    let (status, taken) = house
        .text("POST", "/api/v1/signature-packs?name=more", &lead, PROVEN)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{taken}");
    let other = PROVEN
        .replace("OWN-0001", "OWN-0004")
        .replace("Proven1", "Proven4");
    let path = "/api/v1/signature-packs?name=more&version=2&licence=MIT";
    let (status, pack) = house.text("POST", path, &lead, &other).await;
    assert_eq!(
        (status, &pack["licence"]),
        (StatusCode::CREATED, &json!("MIT"))
    );
    let list = house
        .text("GET", "/api/v1/signatures?q=widgets", &engineer, "")
        .await;
    let ids: Vec<_> = list.1["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["id"])
        .collect();
    assert_eq!(ids, ["OWN-0001", "OWN-0004"]);
    let off = json!({"enabled": false});
    let (status, _) = house
        .json("PATCH", "/api/v1/signature-packs/more", &lead, off)
        .await;
    assert_eq!(status, StatusCode::OK);
    let gone = house
        .text("GET", "/api/v1/signatures/OWN-0004", &engineer, "")
        .await;
    assert_eq!(gone.0, StatusCode::NOT_FOUND);
    let shadow = json!({"status": "shadow"});
    let (status, line) = house
        .json("PATCH", "/api/v1/signatures/OWN-0001", &lead, shadow)
        .await;
    assert_eq!(
        (status, &line["status"]),
        (StatusCode::OK, &json!("shadow"))
    );
    let schema = house
        .text("GET", "/schemas/signature.v1.json", "", "")
        .await;
    assert_eq!(schema.1, sitrep_shared::signature::schema());
    let map = "sources: [{name: cre.log.own, paths: ['var/own/*'], formats: [no-such]}]";
    let (status, _) = house
        .text("PUT", "/api/v1/signature-sources", &lead, map)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_judgement_counts_and_a_suppression_silences() {
    let house = House::new().await;
    let lead = house.token("lea", &[Role::Lead]).await;
    house
        .text("POST", "/api/v1/signatures", &lead, PROVEN)
        .await;
    let (key, bundle, finding) = house.ticket(&lead, &[found("OWN-0001")]).await;
    let (other, ..) = house.ticket(&lead, &[found("OWN-0001")]).await;
    let tags = async |key: &str| {
        let path = format!("/api/v1/tickets/{key}");
        house.text("GET", &path, &lead, "").await.1["tags"].clone()
    };
    assert!(tags(&key).await.to_string().contains("widgets"));
    let path = format!("/api/v1/findings/{finding}/verdict");
    let (status, _) = house
        .json("POST", &path, &lead, json!({"verdict": "dismissed"}))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "without a reason");
    let wrong = json!({"verdict": "dismissed", "reason": "wrong_match", "note": "a test"});
    let (status, judged) = house.json("POST", &path, &lead, wrong).await;
    assert_eq!((status, &judged["stands"]), (StatusCode::OK, &json!(false)));
    assert!(!tags(&key).await.to_string().contains("widgets"));
    let line = house
        .text("GET", "/api/v1/signatures/OWN-0001", &lead, "")
        .await
        .1;
    assert_eq!(
        (&line["precision"], &line["tickets"]),
        (&json!(0), &json!(2))
    );
    let path = "/api/v1/signatures/OWN-0001/suppressions";
    let new = json!({"scope": "ticket", "value": other, "reason": "known", "days": 3});
    let (status, made) = house.json("POST", path, &lead, new).await;
    assert_eq!(
        (status, &made["holds"]),
        (StatusCode::CREATED, &json!(true)),
        "{made}"
    );
    assert!(!tags(&other).await.to_string().contains("widgets"));
    let unknown = format!("/api/v1/bundles/{bundle}/unknown-errors");
    let list = house.text("GET", &unknown, &lead, "").await.1;
    assert_eq!(list["items"][0]["bundles"], 2, "{list}");
    let similar = format!("/api/v1/tickets/{key}/similar");
    let list = house.text("GET", &similar, &lead, "").await.1;
    assert_eq!(list["items"][0]["key"], json!(other));
    assert_eq!(list["items"][0]["reasons"][0]["kind"], "template", "{list}");
    for (page, text) in [
        (
            format!("/bundles/{bundle}"),
            "app: lease for &#60;*&#62; lost",
        ),
        (format!("/tickets/{key}"), "app: lease for &#60;*&#62; lost"),
        ("/signatures".to_owned(), "/signatures?from=50"),
        ("/signatures?from=50".to_owned(), "/signatures?from=100"),
        ("/signatures?q=own-0001".to_owned(), "OWN-0001"),
        ("/signatures/OWN-0001?estimate=1".to_owned(), "widgets"),
        ("/signatures/SIG-0001".to_owned(), "SIG-0001"),
    ] {
        for language in ["en", "zh"] {
            let shown = house.page(&page, &lead, language).await;
            assert!(shown.contains(text), "{page}: {shown}");
        }
    }
}
