//! What comes after closing, and what is taken back: follow-ups by staff and by customers, undo, one answer to many.

use super::*;

const DAY_MS: i64 = 86_400_000;

impl House {
    async fn opened(&self, token: &str, title: &str) -> String {
        let new = json!({"title": title, "customer": "Acme", "contact": "roth@example.com", "product": "Exporter",
            "language": "zh-CN", "team": "first line"});
        let (status, made) = self.json("POST", "/api/v1/tickets", token, new).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["key"].as_str().unwrap().to_owned()
    }

    async fn at(&self, token: &str, key: &str) -> Value {
        let path = format!("/api/v1/tickets/{key}");
        self.json("GET", &path, token, Value::Null).await.1
    }

    async fn set(&self, token: &str, key: &str, change: Value) {
        let path = format!("/api/v1/tickets/{key}");
        let (status, told) = self.json("PATCH", &path, token, change).await;
        assert_eq!(status, StatusCode::OK, "{told}");
    }

    async fn close(&self, token: &str, key: &str) {
        let change = json!({"status": "closed", "cause": "capacity", "resolution": "fixed"});
        self.set(token, key, change).await;
    }

    /// The customer's page of a ticket.
    async fn page_of(&self, token: &str, key: &str) -> String {
        let path = format!("/api/v1/tickets/{key}/links");
        let (_, made) = self.json("POST", &path, token, Value::Null).await;
        let link = made["link"].as_str().unwrap();
        link.strip_prefix("http://127.0.0.1").unwrap().to_owned()
    }

    async fn says(&self, page: &str, text: &str) -> String {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let path = format!("{page}/reply");
        let answer = self
            .send("POST", &path, &form, &format!("text={text}"))
            .await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn events(&self, token: &str, key: &str) -> Vec<Value> {
        let path = format!("/api/v1/tickets/{key}/timeline");
        let (_, told) = self.json("GET", &path, token, Value::Null).await;
        told["items"].as_array().unwrap().clone()
    }

    /// Takes the last change back.
    async fn undo(&self, token: &str, key: &str) -> (StatusCode, Value) {
        let last = self.events(token, key).await;
        let last = last.last().unwrap()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/tickets/{key}/timeline/{last}/undo");
        self.json("POST", &path, token, Value::Null).await
    }
}

#[tokio::test]
async fn a_closed_ticket_goes_on_in_another_that_carries_what_is_known() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let old = house.opened(&token, "Export fails").await;
    let path = format!("/api/v1/tickets/{old}/follow-up");
    let again = json!({"happened": "It fails again."});
    let (status, _) = house.json("POST", &path, &token, again.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT, "it is open");
    house.close(&token, &old).await;
    let (status, new) = house.json("POST", &path, &token, again).await;
    assert_eq!(status, StatusCode::CREATED, "{new}");
    let closed = house.at(&token, &old).await;
    assert_eq!(
        (&closed["status"], &new["follows_id"]),
        (&json!("closed"), &closed["id"])
    );
    for field in [
        "title", "customer", "contact", "product", "language", "team", "impact",
    ] {
        assert_eq!(new[field], closed[field], "{field}");
    }
    let key = new["key"].as_str().unwrap();
    for (of, other) in [(&*old, key), (key, &*old)] {
        let events = house.events(&token, of).await;
        let link = events
            .iter()
            .find(|event| event["kind"] == "follow-up")
            .unwrap();
        assert_eq!(link["data"]["ticket"], json!(other));
    }
}

#[tokio::test]
async fn a_customers_late_answer_begins_a_follow_up_and_an_early_one_opens_the_ticket() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let key = house.opened(&token, "Export fails").await;
    let page = house.page_of(&token, &key).await;
    house.close(&token, &key).await;
    house.state.clock.advance_ms(13 * DAY_MS);
    // Tokens live shorter.
    let token = house.token("bea", &[Role::Engineer]).await;
    assert_eq!(house.says(&page, "Again").await, format!("{page}#talk"));
    assert_eq!(house.at(&token, &key).await["status"], "open");
    house.close(&token, &key).await;
    house.state.clock.advance_ms(15 * DAY_MS);
    let token = house.token("cem", &[Role::Engineer]).await;
    let next = house.says(&page, "Once+more").await;
    assert!(
        next.starts_with("/t/") && !next.starts_with(&page),
        "{next}"
    );
    let old = house.at(&token, &key).await;
    assert_eq!(old["status"], "closed");
    let (_, all) = house
        .json("GET", "/api/v1/tickets", &token, Value::Null)
        .await;
    let new = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["follows_id"] == old["id"]);
    let new = new.expect("a follow-up");
    assert_eq!(
        (&new["happened"], &new["status"]),
        (&json!("Once more"), &json!("new"))
    );
    // The new page is the customer's, and of the new ticket.
    let answer = house
        .send("GET", next.split('#').next().unwrap(), &[], "")
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_change_is_taken_back_as_long_as_it_stands() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let (key, main) = (
        house.opened(&token, "One").await,
        house.opened(&token, "Other").await,
    );
    let same = async |field: &str, before: &Value| {
        let (status, told) = house.undo(&token, &key).await;
        assert_eq!(status, StatusCode::OK, "{field}: {told}");
        let now = house.at(&token, &key).await;
        assert_eq!(&now[field], before, "{field}");
        let last = house.events(&token, &key).await;
        assert!(
            last.iter().any(|event| event["kind"] == "undone"),
            "{field}"
        );
        let (status, _) = house.undo(&token, &key).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{field}: once is enough");
    };
    for (field, change) in [
        ("priority", json!({"priority": "urgent"})),
        ("owner", json!({"owner": "ann"})),
        ("status", json!({"status": "waiting"})),
        (
            "status",
            json!({"status": "closed", "cause": "usage", "resolution": "explained"}),
        ),
        ("team", json!({"team": "storage", "next_step": "We look"})),
        ("tags", json!({"add_tags": ["disk"]})),
    ] {
        let before = house.at(&token, &key).await[field].clone();
        house.set(&token, &key, change).await;
        assert_ne!(house.at(&token, &key).await[field], before, "{field}");
        same(field, &before).await;
    }
    let path = format!("/api/v1/tickets/{key}/main");
    let merge = json!({"main": main, "relation": "duplicate"});
    let (status, _) = house.json("POST", &path, &token, merge).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(house.at(&token, &key).await["status"], "closed");
    same("relation", &Value::Null).await;
    assert_eq!(
        house.at(&token, &key).await["reopened"],
        0,
        "as if it had never been closed"
    );
    // What somebody has changed since stays.
    house.set(&token, &key, json!({"priority": "urgent"})).await;
    let events = house.events(&token, &key).await;
    let first = events.last().unwrap()["id"].as_str().unwrap().to_owned();
    house.set(&token, &key, json!({"priority": "low"})).await;
    let undo = format!("/api/v1/tickets/{key}/timeline/{first}/undo");
    let (status, _) = house.json("POST", &undo, &token, Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT);
    house.state.clock.advance_ms(2 * DAY_MS);
    let token = house.token("bea", &[Role::Engineer]).await;
    let (status, _) = house.undo(&token, &key).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "too old");
}

#[tokio::test]
async fn one_answer_reaches_all_tickets_of_a_problem() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let main = house.opened(&token, "The problem").await;
    let mut parts = Vec::new();
    for n in 0..3 {
        let key = house.opened(&token, &format!("Hit {n}")).await;
        let path = format!("/api/v1/tickets/{key}/main");
        let body = json!({"main": main, "relation": "problem"});
        let (status, _) = house.json("POST", &path, &token, body).await;
        assert_eq!(status, StatusCode::OK);
        parts.push(key);
    }
    house.close(&token, &parts[2]).await;
    let path = format!("/api/v1/tickets/{main}/notes");
    let note =
        json!({"body": "We are on it.", "public": true, "to_all": true, "status": "waiting"});
    let (status, _) = house.json("POST", &path, &token, note).await;
    assert_eq!(status, StatusCode::CREATED);
    for (key, told, stands) in [
        (&main, 1, "waiting"),
        (&parts[0], 1, "waiting"),
        (&parts[1], 1, "waiting"),
        (&parts[2], 0, "closed"),
    ] {
        let events = house.events(&token, key).await;
        let said = events
            .iter()
            .filter(|event| event["body"] == "We are on it.");
        assert_eq!(said.count(), told, "{key}");
        assert_eq!(house.at(&token, key).await["status"], stands, "{key}");
    }
    let inward = json!({"body": "For us.", "public": false, "to_all": true});
    let (status, _) = house.json("POST", &path, &token, inward).await;
    assert_eq!(
        status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a note is for one ticket"
    );
}

#[tokio::test]
async fn a_long_timeline_begins_where_it_is_at_now() {
    let house = House::new().await;
    let ann = house.token("ann", &[Role::Engineer]).await;
    let key = house.opened(&ann, "Talked about a lot").await;
    for n in 1..=45 {
        let path = format!("/api/v1/tickets/{key}/notes");
        let note = json!({"body": format!("said {n} times")});
        let (status, told) = house.json("POST", &path, &ann, note).await;
        assert_eq!(status, StatusCode::CREATED, "{told}");
    }
    let path = format!("/tickets/{key}?show=notes");
    let shown = house.page(&path, &ann, "en").await;
    assert!(shown.contains("said 45 times") && shown.contains("said 6 times"));
    assert!(!shown.contains("said 5 times") && shown.contains("older=1#timeline"));
    let whole = house.page(&format!("{path}&older=1"), &ann, "en").await;
    assert!(whole.contains("said 1 times") && !whole.contains("older=1#timeline"));
}

#[tokio::test]
async fn whoever_deletes_a_bundle_is_on_record() {
    let house = House::new().await;
    let lead = house.token("lin", &[Role::Lead]).await;
    let (key, bundle, _) = house.ticket(&lead, &[signatures::found("OWN-0001")]).await;
    let path = format!("/api/v1/bundles/{bundle}");
    for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let (status, told) = house.json("DELETE", &path, &lead, Value::Null).await;
        assert_eq!(status, expected, "{told}");
    }
    let events = house.events(&lead, &key).await;
    let told = events.iter().filter(|event| event["kind"] == "deleted");
    assert_eq!(told.count(), 1, "once");
    let auditor = house.token("aud", &[Role::Auditor]).await;
    let (_, log) = house
        .json("GET", "/api/v1/audit", &auditor, Value::Null)
        .await;
    let records = log["items"].as_array().unwrap().iter();
    let records: Vec<_> = records
        .filter(|record| record["action"] == "bundle.delete")
        .collect();
    assert_eq!(records.len(), 1, "{log}");
    assert!(records[0]["actor"].to_string().contains("lin"), "{log}");
}
