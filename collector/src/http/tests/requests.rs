//! Tickets that customers open by themselves.

use axum::http::StatusCode;
use serde_json::Value;

use super::House;
use crate::auth::Role;

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

#[tokio::test]
async fn it_is_closed_unless_the_operator_opens_it() {
    let house = House::new().await;
    for method in ["GET", "POST"] {
        let answer = house
            .send(method, "/request", &FORM, "title=x&contact=y")
            .await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method}");
    }
}

#[tokio::test]
async fn a_request_becomes_a_ticket_and_leads_to_its_page() {
    let house = House::with(&[("requests", "open")]).await;
    let shown = house.send("GET", "/request", &[], "").await;
    assert_eq!(shown.status(), StatusCode::OK);
    for (body, why) in [
        ("title=Export&contact=", "nobody to answer"),
        ("title=&contact=a@example.com", "no subject"),
        (
            "title=Export&contact=a@example.com&website=http://spam",
            "a robot",
        ),
    ] {
        let answer = house.send("POST", "/request", &FORM, body).await;
        assert!(answer.status().is_client_error(), "{why}");
    }
    let body = "title=Export+fails&contact=a@example.com&customer=Acme&error_text=ENOSPC";
    let made = house.send("POST", "/request", &FORM, body).await;
    assert_eq!(made.status(), StatusCode::SEE_OTHER);
    let page = made.headers()["location"].to_str().unwrap().to_owned();
    assert!(page.starts_with("/t/"), "{page}");
    let page = house.send("GET", &page, &[], "").await;
    assert_eq!(page.status(), StatusCode::OK);
    let token = house.token("ann", &[Role::Engineer]).await;
    let (_, list) = house
        .json("GET", "/api/v1/tickets", &token, Value::Null)
        .await;
    let ticket = &list["items"][0];
    assert_eq!(
        (&ticket["title"], &ticket["created_by"]),
        (&"Export fails".into(), &"customer".into())
    );
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
}

#[tokio::test]
async fn an_address_opens_a_few_and_then_waits() {
    let house = House::with(&[("requests", "open")]).await;
    let body = "title=Export&contact=a@example.com";
    for _ in 0..5 {
        let made = house.send("POST", "/request", &FORM, body).await;
        assert_eq!(made.status(), StatusCode::SEE_OTHER);
    }
    let refused = house.send("POST", "/request", &FORM, body).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    house.state.clock.advance_ms(3_600_001);
    let made = house.send("POST", "/request", &FORM, body).await;
    assert_eq!(made.status(), StatusCode::SEE_OTHER);
}
