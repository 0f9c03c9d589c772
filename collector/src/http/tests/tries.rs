//! Guessing: tries that come at once, from everywhere, and with what somebody else could set.

use futures_util::future::join_all;

use super::*;

const FORM: [(&str, &str); 2] = [
    ("content-type", "application/x-www-form-urlencoded"),
    ("sec-fetch-site", "same-origin"),
];

#[tokio::test]
async fn tries_that_come_at_once_are_counted_like_others() {
    let house = House::new().await;
    house.token("ann", &[Role::Engineer]).await;
    let tries = (0..40).map(|n| {
        let house = &house;
        async move {
            let secret = if n == 39 {
                "a+quiet+blue+window"
            } else {
                "wrong"
            };
            let body = format!("login=ann&password={secret}");
            house.send("POST", "/login", &FORM, &body).await.status()
        }
    });
    let ended = join_all(tries).await;
    let of = |status: StatusCode| ended.iter().filter(|end| **end == status).count();
    assert_eq!(of(StatusCode::UNAUTHORIZED), 10, "{ended:?}");
    assert_eq!(of(StatusCode::TOO_MANY_REQUESTS), 30);
}

#[tokio::test]
async fn wrong_codes_from_everywhere_slow_everybody_down() {
    let house = House::new().await;
    let guess = async |n: u8| {
        let code = format!("000{}-0000-0000-0000", n % 10);
        let request = Request::get("/api/v1/upload-code")
            .header("authorization", format!("Bearer {code}"))
            .extension(ConnectInfo(SocketAddr::from(([198, 51, 100, n], 1))));
        let request = request.body(Body::empty()).unwrap();
        house
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
    };
    for n in 0..50 {
        assert_eq!(guess(n).await, StatusCode::UNAUTHORIZED, "{n}");
    }
    assert_eq!(guess(51).await, StatusCode::TOO_MANY_REQUESTS);
    house.state.clock.advance_ms(1_001);
    assert_eq!(guess(52).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn over_tls_a_cookie_counts_only_by_the_name_that_nobody_else_can_set() {
    let house = House::with(&[("public_url", "https://support.example")]).await;
    house.token("ann", &[Role::Engineer]).await;
    let body = "login=ann&password=a+quiet+blue+window";
    let answer = house.send("POST", "/login", &FORM, body).await;
    let set = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    let cookie = set.split(';').next().unwrap().to_owned();
    let plain = cookie.replace("__Host-", "");
    for (cookie, expected) in [(cookie, StatusCode::OK), (plain, StatusCode::SEE_OTHER)] {
        let sent = [("cookie", &*cookie)];
        let answer = house.send("GET", "/tickets", &sent, "").await;
        assert_eq!(answer.status(), expected, "{cookie}");
    }
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_the_callers_fault() {
    let house = House::new().await;
    let token = house.token("ann", &[Role::Engineer]).await;
    for before in ["%00", "a%00", "x"] {
        let path = format!("/api/v1/bundles?before={before}");
        let (status, told) = house.json("GET", &path, &token, Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{told}");
    }
    let (_, api) = house
        .json("GET", "/api/v1/openapi.json", &token, Value::Null)
        .await;
    let status = &api["components"]["schemas"]["Status"];
    assert!(
        status["enum"].as_array().unwrap().contains(&json!("open")),
        "the document has the words that are taken: {status}"
    );
}
