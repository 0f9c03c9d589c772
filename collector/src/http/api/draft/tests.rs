//! What is read from the draft's headers, and how refusals are told.

use axum::http::{HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn versions_that_are_spoken() {
    for (value, expected) in [("5", Some(5)), ("6", Some(6)), ("4", None), ("x", None)] {
        assert_eq!(version(&headers(&[(VERSION, value)])), expected);
    }
    assert_eq!(version(&headers(&[])), None);
}

#[test]
fn the_last_part_is_said_strictly() {
    assert!(complete(&headers(&[(COMPLETE, "?1")])).unwrap());
    assert!(!complete(&headers(&[(COMPLETE, "?0")])).unwrap());
    for wrong in [headers(&[]), headers(&[(COMPLETE, "true")])] {
        assert!(complete(&wrong).is_err());
    }
}

#[test]
fn names_come_from_the_disposition() {
    for (text, expected) in [
        ("attachment; filename=\"a b.tar.gz\"", Some("a b.tar.gz")),
        ("attachment; filename=../../x; size=3", Some("x")),
        ("attachment", None),
    ] {
        assert_eq!(named(text).as_deref(), expected);
    }
}

#[test]
fn an_offset_that_differs_is_told_as_the_draft_says() {
    let asked = headers(&[(VERSION, "6"), ("upload-offset", "3")]);
    let response = refusal(&ReceiveError::Offset { actual: 7 }, &asked, false);
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers()["upload-offset"], "7");
    assert_eq!(response.headers()[VERSION], "6");
    assert!(!response.headers().contains_key("tus-resumable"));
    for (whole, expected) in [(false, "?0"), (true, "?1")] {
        let response = refusal(&ReceiveError::Offset { actual: 7 }, &asked, whole);
        assert_eq!(response.headers()[COMPLETE], expected);
    }
    for (whole, expected) in [(false, 413), (true, 400)] {
        let response = refusal(&ReceiveError::TooLarge { limit: 7 }, &asked, whole);
        assert_eq!(response.status().as_u16(), expected);
    }
}

#[test]
fn headers_that_have_no_place_are_named() {
    let asked = headers(&[(VERSION, "6"), ("upload-length", "3")]);
    assert!(absent(&asked, &["Upload-Offset", "Upload-Complete"]).is_ok());
    let refused = absent(&asked, &["Upload-Offset", "Upload-Length"]);
    assert!(matches!(
        refused,
        Err(ReceiveError::Header {
            name: "Upload-Length",
            ..
        })
    ));
}
