//! A ticket's life over the API: triage, attempts, a solution, the customer's word, closing, an article, statistics.

use super::*;
use crate::db::findings::{self, NewFinding};
use crate::tickets::apply_findings;

const FIX: &str = r#"{"fix":{"plain":{"en":["Make room"],"zh":["腾出空间"]}},"auto_tag":["disk"],"category":"disk",
    "evidence":[{"file":"var/log/a.log","line":3,"text":"No space left"}]}"#;

impl House {
    pub(super) async fn open_ticket(&self, token: &str, body: Value) -> String {
        let (status, made) = self.json("POST", "/api/v1/tickets", token, body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["key"].as_str().unwrap().to_owned()
    }

    pub(super) async fn find_something(&self, key: &str) {
        let mut tx = self.state.db.begin().await.unwrap();
        let id = crate::tickets::load(&self.state, key).await.unwrap().id;
        let found = NewFinding {
            signature_id: "SIG-0001".into(),
            severity: "critical".into(),
            severity_rank: 0,
            title: "Disk full".into(),
            body: FIX.into(),
            shadow: false,
        };
        let bundle = format!("bundle of {id}");
        findings::replace(&mut tx, (&bundle, &id), &[found], 1)
            .await
            .unwrap();
        let rows = findings::of_bundle(&mut tx, &bundle, 1).await.unwrap();
        apply_findings(&mut tx, self.state.now_ms(), &id, &rows)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn kinds(&self, token: &str, key: &str) -> Vec<String> {
        let path = format!("/api/v1/tickets/{key}/timeline");
        let (_, told) = self.json("GET", &path, token, Value::Null).await;
        let kind = |e: &Value| e["kind"].as_str().unwrap().to_owned();
        told["items"].as_array().unwrap().iter().map(kind).collect()
    }
}

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "one life, read from beginning to end"
)]
async fn a_ticket_from_intake_to_closing() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let new = json!({"title": "Export fails", "impact": "high", "urgency": "high", "team": "first line", "owner": "ann",
        "language": "zh-CN", "category": "export", "product": "Exporter"});
    let key = house.open_ticket(&token, new).await;
    let path = |rest: &str| format!("/api/v1/tickets/{key}{rest}");
    let (_, shown) = house.json("GET", &path(""), &token, Value::Null).await;
    assert_eq!(
        (&shown["priority"], &shown["team"], &shown["owner"]),
        (&json!("urgent"), &json!("first line"), &json!("ann"))
    );
    assert_eq!(shown["reply_left_ms"], json!(3_600_000));
    house.find_something(&key).await;
    let attempt = json!({"hypothesis": "disk full", "action": "df"});
    let (status, made) = house
        .json("POST", &path("/attempts"), &token, attempt)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let one = path(&format!("/attempts/{}", made["id"].as_str().unwrap()));
    let after =
        json!({"hypothesis": "disk full", "action": "df", "result": "100 %", "state": "confirmed"});
    let (status, _) = house.json("PATCH", &one, &token, after).await;
    assert_eq!(status, StatusCode::OK);
    let escalation = json!({"team": "storage", "question": "why does it fill up?"});
    let (status, _) = house
        .json("POST", &path("/escalation"), &token, escalation)
        .await;
    assert_eq!(status, StatusCode::OK);
    // The fix comes in the customer's language; proposing it is the answer and stops the clock.
    let from = path("/solutions/draft?source=signature:SIG-0001");
    let (_, draft) = house.json("GET", &from, &token, Value::Null).await;
    assert_eq!(draft["steps"], "腾出空间");
    house.state.clock.advance_ms(60_000);
    let (status, solution) = house.json("POST", &path("/solutions"), &token, draft).await;
    assert_eq!(status, StatusCode::CREATED, "{solution}");
    house.state.clock.advance_ms(3_600_000);
    let (_, shown) = house.json("GET", &path(""), &token, Value::Null).await;
    assert_eq!(
        (&shown["status"], &shown["paused"]),
        (&json!("solved"), &json!(true))
    );
    assert_eq!(
        (&shown["reply_left_ms"], &shown["owner"]),
        (&Value::Null, &Value::Null)
    );
    // What did not work opens it again, with the clock where it stood.
    let outcome = path(&format!(
        "/solutions/{}/outcome",
        solution["id"].as_str().unwrap()
    ));
    let said = json!({"outcome": "failed", "note": "还是不行"});
    let (status, _) = house.json("POST", &outcome, &token, said).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, shown) = house.json("GET", &path(""), &token, Value::Null).await;
    assert_eq!(
        (&shown["status"], &shown["reopened"]),
        (&json!("open"), &json!(1))
    );
    assert_eq!(shown["solve_left_ms"], json!(8 * 3_600_000 - 60_000));
    let (status, problem) = house
        .json("PATCH", &path(""), &token, json!({"status": "closed"}))
        .await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("cause"))
    );
    let close = json!({"status": "closed", "cause": "capacity", "resolution": "fixed", "closing_note": "bigger disk"});
    let (status, _) = house.json("PATCH", &path(""), &token, close).await;
    assert_eq!(status, StatusCode::OK);
    let kinds = house.kinds(&token, &key).await;
    let expected = [
        "created",
        "findings",
        "attempt",
        "attempt",
        "escalated",
        "status",
        "proposed",
        "status",
        "outcome",
        "status",
        "status",
        "closed",
    ];
    assert_eq!(kinds, expected);
    let (_, stats) = house
        .json("GET", "/api/v1/stats", &token, Value::Null)
        .await;
    assert_eq!(
        (&stats["all"]["closed"], &stats["products"][0]["name"]),
        (&json!(1), &json!("Exporter")),
        "{stats}"
    );
}

#[tokio::test]
async fn duplicates_close_and_shared_problems_are_answered_at_once() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let main = house.open_ticket(&token, json!({"title": "main"})).await;
    let same = house.open_ticket(&token, json!({"title": "same"})).await;
    let other = house
        .open_ticket(&token, json!({"title": "other", "language": "zh"}))
        .await;
    for (key, relation) in [(&same, "duplicate"), (&other, "problem")] {
        let path = format!("/api/v1/tickets/{key}/main");
        let body = json!({"main": main, "relation": relation});
        let (status, told) = house.json("POST", &path, &token, body).await;
        assert_eq!(status, StatusCode::OK, "{told}");
    }
    let under = json!({"main": same, "relation": "problem"});
    let (status, _) = house
        .json(
            "POST",
            &format!("/api/v1/tickets/{main}/main"),
            &token,
            under,
        )
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "one level only");
    let status_of = async |key: &str| {
        let (_, shown) = house
            .json(
                "GET",
                &format!("/api/v1/tickets/{key}"),
                &token,
                Value::Null,
            )
            .await;
        (
            shown["status"].as_str().unwrap().to_owned(),
            shown["resolution"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        status_of(&same).await,
        ("closed".into(), "duplicate".into())
    );
    let fix = json!({"title": "Fix", "steps": "do it", "to_all": true});
    let (status, _) = house
        .json(
            "POST",
            &format!("/api/v1/tickets/{main}/solutions"),
            &token,
            fix,
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(status_of(&other).await.0, "solved");
    assert_eq!(status_of(&same).await.0, "closed");
}

#[tokio::test]
async fn an_article_is_published_by_another_person_and_found_by_its_words() {
    let house = House::new().await;
    let ann = house.token("ann", &[Role::Engineer]).await;
    let bob = house.token("bob", &[Role::Engineer]).await;
    let key = house.open_ticket(&ann, json!({"title": "t"})).await;
    house.find_something(&key).await;
    let draft = json!({"ticket": key, "signatures": ["SIG-0001"],
        "en": {"title": "Disk full", "fix_plain": "Delete old exports", "verify": "df shows room", "rollback": "restore"},
        "zh": {"title": "磁盘空间不足", "fix_plain": "删除旧的导出文件", "problem": "导出任务失败"}});
    let (status, made) = house
        .json("POST", "/api/v1/articles", &ann, draft.clone())
        .await;
    assert_eq!(
        (status, &made["slug"]),
        (StatusCode::CREATED, &json!("disk-full")),
        "{made}"
    );
    let state = async |token: &str, step: &str| {
        let path = "/api/v1/articles/disk-full/state";
        house.json("POST", path, token, json!({"step": step})).await
    };
    assert_eq!(
        state(&ann, "publish").await.0,
        StatusCode::CONFLICT,
        "a draft is not published"
    );
    assert_eq!(state(&ann, "submit").await.1["state"], "review");
    let (status, problem) = state(&ann, "publish").await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("own_article"))
    );
    let source = format!("/api/v1/tickets/{key}/solutions/draft?source=article:disk-full");
    assert_eq!(
        house.json("GET", &source, &ann, Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(state(&bob, "publish").await.1["published"], 1);
    let (_, offered) = house.json("GET", &source, &ann, Value::Null).await;
    assert_eq!(
        (&offered["steps"], &offered["rollback"]),
        (&json!("Delete old exports"), &json!("restore"))
    );
    for (query, found) in [("导出", 1), ("空间", 1), ("exports", 1), ("内存", 0)] {
        let path = format!(
            "/api/v1/articles?q={}",
            serde_urlencoded::to_string([("", query)])
                .unwrap()
                .trim_start_matches('=')
        );
        let (_, list) = house.json("GET", &path, &ann, Value::Null).await;
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{query}");
    }
    // A second version is a draft while the first stays published; an older base is refused.
    let edited = |base: i64| json!({"base": base, "draft": {"en": {"title": "Disk is full"}}});
    let path = "/api/v1/articles/disk-full/versions";
    let (status, second) = house.json("POST", path, &bob, edited(1)).await;
    assert_eq!(
        (status, &second["published"], &second["state"]),
        (StatusCode::CREATED, &json!(1), &json!("draft"))
    );
    assert_eq!(
        house.json("POST", path, &ann, edited(1)).await.0,
        StatusCode::CONFLICT
    );
    let pasted = json!({"text": "ERROR cannot write: No space left on device (os error 28)\n导出任务失败 exports"});
    let (_, known) = house
        .json("POST", "/api/v1/known-issues", &ann, pasted)
        .await;
    assert!(
        known["signatures"].to_string().contains("SIG-0001"),
        "{known}"
    );
}

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "one visit, read from beginning to end"
)]
async fn the_customers_page_shows_theirs_and_nothing_else() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    let key = house
        .open_ticket(&token, json!({"title": "Export fails"}))
        .await;
    let other = house
        .open_ticket(&token, json!({"title": "Of somebody else"}))
        .await;
    for (key, body, public) in [
        (&key, "internal secret", false),
        (&key, "hello", true),
        (&other, "not yours", true),
    ] {
        let path = format!("/api/v1/tickets/{key}/notes");
        let (status, _) = house
            .json(
                "POST",
                &path,
                &token,
                json!({"body": body, "public": public}),
            )
            .await;
        assert_eq!(status, StatusCode::CREATED);
    }
    let links = format!("/api/v1/tickets/{key}/links");
    let (_, made) = house.json("POST", &links, &token, Value::Null).await;
    let path = made["link"]
        .as_str()
        .unwrap()
        .trim_start_matches("http://127.0.0.1")
        .to_owned();
    let text = async |response: Response<Body>| {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let page = text(house.send("GET", &path, &[], "").await).await;
    assert!(
        page.contains("hello") && !page.contains("internal secret") && !page.contains("not yours"),
        "{page}"
    );
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    let say = async |place: &str, body: &str| {
        house
            .send("POST", &format!("{path}{place}"), &form, body)
            .await
            .status()
    };
    assert_eq!(say("/reply", "text=again").await, StatusCode::SEE_OTHER);
    assert_eq!(
        say("/rate", "satisfaction=good").await,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        say("/rate", "satisfaction=so-so").await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    // A solution and a bundle of other tickets do not exist here.
    let fix = json!({"title": "Fix", "steps": "do it"});
    let (_, solution) = house
        .json(
            "POST",
            &format!("/api/v1/tickets/{other}/solutions"),
            &token,
            fix,
        )
        .await;
    let body = format!(
        "outcome=worked&solution={}",
        solution["id"].as_str().unwrap()
    );
    assert_eq!(say("/outcome", &body).await, StatusCode::NOT_FOUND);
    assert_eq!(
        say("/delete", "bundle=01936f3e-0000-7000-8000-000000000000").await,
        StatusCode::NOT_FOUND
    );
    let cross = [form[0], ("sec-fetch-site", "cross-site")];
    let forged = house
        .send("POST", &format!("{path}/reply"), &cross, "text=x")
        .await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    let (_, shown) = house
        .json(
            "GET",
            &format!("/api/v1/tickets/{key}"),
            &token,
            Value::Null,
        )
        .await;
    assert_eq!(
        (&shown["satisfaction"], &shown["status"]),
        (&json!("good"), &json!("open"))
    );
    let (status, _) = house.json("DELETE", &links, &token, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for path in [&*path, "/t/AAAA-AAAA-AAAA-AAAA", "/t/x"] {
        assert_eq!(
            house.send("GET", path, &[], "").await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    assert_eq!(crate::audit::verify(&house.state.db).await.unwrap(), None);
}
