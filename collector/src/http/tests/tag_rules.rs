//! Rules about tags over the API: what they are about, and what they learn from tags that are taken off.

use super::*;

impl House {
    async fn rules_are_audited(&self) {
        let token = self.token("aud", &[Role::Auditor]).await;
        let (_, log) = self.json("GET", "/api/v1/audit", &token, Value::Null).await;
        let log = log.to_string();
        for action in ["tag_rule.learn", "tag_rule.store", "tag_rule.remove"] {
            assert!(log.contains(action), "{action}");
        }
    }
}

#[tokio::test]
async fn a_rule_is_about_a_signature_that_there_is() {
    let house = House::new().await;
    let token = house.token("lea", &[Role::Lead]).await;
    for (signature, tag) in [
        ("NONE", "x"),
        ("SIG-0001", "no spaces ! here"),
        ("SIG-0001", ""),
    ] {
        let rule = json!({"signature": signature, "tag": tag, "mode": "set"});
        let (status, told) = house.json("POST", "/api/v1/tag-rules", &token, rule).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
    }
}

#[tokio::test]
async fn a_tag_that_is_taken_off_often_is_only_proposed_until_somebody_says_otherwise() {
    let house = House::new().await;
    let token = house.token("lea", &[Role::Lead]).await;
    let engineer = house.token("eng", &[Role::Engineer]).await;
    let open = async |n: usize| {
        let new = json!({"title": format!("Export fails {n}"), "product": "Exporter"});
        let key = house.open_ticket(&token, new).await;
        house.find_something(&key).await;
        key
    };
    let tags = async |key: &str| {
        let path = format!("/api/v1/tickets/{key}/tags");
        let (_, told) = house.json("GET", &path, &token, Value::Null).await;
        let one = |tag: &Value| format!("{} {}", tag["tag"], tag["source"]).replace('"', "");
        told["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(one)
            .collect::<Vec<_>>()
    };
    for n in 0..3 {
        let key = open(n).await;
        assert_eq!(tags(&key).await, ["disk finding"], "{n}");
        let path = format!("/api/v1/tickets/{key}");
        let off = json!({"remove_tags": ["disk"]});
        let (status, _) = house.json("PATCH", &path, &engineer, off).await;
        assert_eq!(status, StatusCode::OK);
        assert!(tags(&key).await.is_empty(), "{n}");
    }
    let key = open(3).await;
    assert_eq!(tags(&key).await, ["disk proposed"]);
    let (_, rules) = house
        .json("GET", "/api/v1/tag-rules", &token, Value::Null)
        .await;
    let learnt = &rules["items"][0];
    assert_eq!(
        (&learnt["mode"], &learnt["learnt"], &learnt["product"]),
        (&json!("propose"), &json!(true), &json!("Exporter"))
    );
    let (_, shown) = house
        .json(
            "GET",
            &format!("/api/v1/tickets/{key}"),
            &token,
            Value::Null,
        )
        .await;
    assert_eq!(shown["tags"], json!([]));
    // A lead lets it be set again; what was taken off before does not count any more.
    let rule =
        json!({"signature": "SIG-0001", "product": "Exporter", "tag": "disk", "mode": "set"});
    let (status, _) = house
        .json("POST", "/api/v1/tag-rules", &engineer, rule.clone())
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, told) = house.json("POST", "/api/v1/tag-rules", &token, rule).await;
    assert_eq!(
        (status, &told["id"]),
        (StatusCode::OK, &learnt["id"]),
        "{told}"
    );
    assert_eq!(tags(&open(4).await).await, ["disk finding"]);
    let more = json!({"signature": "SIG-0001", "tag": "Storage", "mode": "set"});
    let (_, every) = house.json("POST", "/api/v1/tag-rules", &token, more).await;
    assert_eq!(
        (&every["product"], &every["tag"]),
        (&Value::Null, &json!("storage"))
    );
    assert_eq!(
        tags(&open(5).await).await,
        ["disk finding", "storage finding"]
    );
    let one = format!("/api/v1/tag-rules/{}", every["id"].as_str().unwrap());
    for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let (status, _) = house.json("DELETE", &one, &token, Value::Null).await;
        assert_eq!(status, expected);
    }
    house.rules_are_audited().await;
}
