//! Forms of pages: they change only what was changed in them, and lose nothing of what was typed.

use super::*;

impl House {
    /// Sends a form of a page; the answer's status and text.
    async fn form(&self, path: &str, token: &str, body: &str) -> (StatusCode, String) {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        if !token.is_empty() {
            headers.push(("authorization", &*bearer));
        }
        let answer = self.send("POST", path, &headers, body).await;
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

const UNTOUCHED: &str = "status=new&was_status=new&priority=normal&was_priority=normal&owner=&was_owner=&team=&was_team=\
    &product=&was_product=&category=&was_category=&contact=&was_contact=&language=en&was_language=en&audience=plain\
    &was_audience=plain&next_step=&was_next_step=&promised=&was_promised=";

async fn ticket(house: &House, token: &str) -> (String, String) {
    let new = json!({"title": "Export fails", "audience": "plain"});
    let (_, made) = house.json("POST", "/api/v1/tickets", token, new).await;
    let key = made["key"].as_str().unwrap();
    (format!("/api/v1/tickets/{key}"), format!("/tickets/{key}"))
}

#[tokio::test]
async fn triage_leaves_what_somebody_else_has_changed_meanwhile() {
    let house = House::new().await;
    let ann = house.token("ann", &[Role::Engineer]).await;
    let (api, page) = ticket(&house, &ann).await;
    let triage = format!("{page}/triage");
    let at = async || house.json("GET", &api, &ann, Value::Null).await.1;
    let fresh = at().await;
    let untouched = UNTOUCHED.replace(
        "priority=normal&was_priority=normal",
        &format!(
            "priority={0}&was_priority={0}",
            fresh["priority"].as_str().unwrap()
        ),
    );
    let (status, _) = house.form(&triage, &ann, &untouched).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(at().await, fresh, "an untouched form changes nothing");
    let change = json!({"status": "closed", "cause": "usage", "resolution": "explained", "owner": "ann",
        "priority": "urgent", "next_step": "We look"});
    let (status, told) = house.json("PATCH", &api, &ann, change).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let product = untouched.replace("product=&was", "product=Exporter&was");
    let (status, _) = house.form(&triage, &ann, &product).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let now = at().await;
    for (field, expected) in [
        ("product", "Exporter"),
        ("status", "closed"),
        ("priority", "urgent"),
        ("next_step", "We look"),
    ] {
        assert_eq!(now[field], expected, "{field}");
    }
    let both = untouched.replace("next_step=&was", "next_step=Mine&was");
    let both = both.replace("category=&was", "category=Disk&was");
    let (status, shown) = house.form(&triage, &ann, &both).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        shown.contains("Somebody else has changed this meanwhile"),
        "{shown}"
    );
    assert!(shown.contains(">Mine</textarea>"), "what was typed is kept");
    assert_eq!(at().await, now, "nothing is saved");
}

#[tokio::test]
async fn a_changed_description_is_on_the_timeline() {
    let house = House::new().await;
    let ann = house.token("ann", &[Role::Engineer]).await;
    let (api, page) = ticket(&house, &ann).await;
    let change = json!({"contact": "roth@example.com", "product": "Exporter"});
    for _ in 0..2 {
        house.json("PATCH", &api, &ann, change.clone()).await;
    }
    let path = format!("{api}/timeline");
    let (_, told) = house.json("GET", &path, &ann, Value::Null).await;
    let events = told["items"].as_array().unwrap().iter();
    let told: Vec<_> = events.filter(|e| e["kind"] == "described").collect();
    assert_eq!(told.len(), 1, "the second changed nothing");
    assert_eq!(told[0]["public"], json!(false));
    assert_eq!(
        told[0]["body"],
        "product: – → Exporter · contact: – → roth@example.com"
    );
    let shown = house.page(&page, &ann, "zh-CN").await;
    assert!(shown.contains("– → roth@example.com"), "{shown}");
}

#[tokio::test]
async fn what_was_typed_into_a_refused_form_is_on_the_page() {
    let house = House::new().await;
    let ann = house.token("ann", &[Role::Engineer]).await;
    let (api, page) = ticket(&house, &ann).await;
    for (form, body, kept) in [
        ("notes", "text=my+words&then=closed", "my words"),
        ("attempts", "hypothesis=&action=df+-h", "df -h"),
        ("close", "note=a+long+story", "a long story"),
        ("escalation", "team=&question=why+so", "why so"),
    ] {
        let (status, shown) = house.form(&format!("{page}/{form}"), &ann, body).await;
        assert!(status.is_client_error(), "{form}: {status}");
        assert!(
            shown.contains(&format!("readonly>{kept}</textarea>")),
            "{form}: {shown}"
        );
    }
    let (_, made) = house
        .json("POST", &format!("{api}/links"), &ann, Value::Null)
        .await;
    let link = made["link"].as_str().unwrap();
    let link = link.strip_prefix("http://127.0.0.1").unwrap();
    let long = "x".repeat(20_001);
    let (status, shown) = house
        .form(&format!("{link}/reply"), "", &format!("text={long}"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.contains(&long) && shown.contains("Export fails"));
    let (status, shown) = house
        .form(&format!("{link}/rate"), "", "satisfaction=&text=so+so")
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.contains("readonly>so so</textarea>"), "{shown}");
}

#[tokio::test]
async fn an_error_page_shows_the_requests_id() {
    let house = House::new().await;
    let ann = house.token("ann", &[Role::Engineer]).await;
    let bearer = format!("Bearer {ann}");
    let headers = [("authorization", &*bearer)];
    let answer = house.send("GET", "/tickets/TKT-9999", &headers, "").await;
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
        .await
        .unwrap();
    let page = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(page.contains(&format!("<code>{id}</code>")), "{page}");
}

#[tokio::test]
async fn a_login_ends_the_browsers_session_before_it() {
    let house = House::new().await;
    house.token("ann", &[Role::Auditor]).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = "login=ann&password=a+quiet+blue+window";
    let first = house.send("POST", "/login", &[form], body).await;
    assert_eq!(
        first.headers()["location"],
        "/account",
        "an auditor's first page"
    );
    let cookie = |answer: &Response<Body>| {
        let set = answer.headers()["set-cookie"].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    };
    let old = cookie(&first);
    let page = house.send("GET", "/login", &[("cookie", &*old)], "").await;
    let bytes = axum::body::to_bytes(page.into_body(), 1 << 20)
        .await
        .unwrap();
    let page = String::from_utf8(bytes.to_vec()).unwrap();
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap();
    let again = house
        .send(
            "POST",
            "/login",
            &[form, ("cookie", &*old)],
            &format!("{body}&csrf={csrf}"),
        )
        .await;
    assert_eq!(again.status(), StatusCode::SEE_OTHER);
    for (cookie, expected) in [
        (old, StatusCode::SEE_OTHER),
        (cookie(&again), StatusCode::OK),
    ] {
        let answer = house
            .send("GET", "/account", &[("cookie", &*cookie)], "")
            .await;
        assert_eq!(answer.status(), expected);
    }
}

#[tokio::test]
async fn a_text_module_keeps_what_a_change_leaves_out() {
    let house = House::new().await;
    let lin = house.token("lin", &[Role::Lead]).await;
    let new = json!({"title": "Ask", "body_en": "Send it", "body_zh": "请发送"});
    let (_, made) = house.json("POST", "/api/v1/macros", &lin, new).await;
    let path = format!("/api/v1/macros/{}", made["id"].as_str().unwrap());
    let change = json!({"body_en": "Please send it"});
    let (status, told) = house.json("PATCH", &path, &lin, change).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!(
        (&told["title"], &told["body_en"], &told["body_zh"]),
        (&json!("Ask"), &json!("Please send it"), &json!("请发送"))
    );
}
