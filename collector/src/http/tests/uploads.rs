//! Uploads as HTTP says them: what tus and the IETF's draft refuse, and with which status.

use super::*;

const UPLOADS: &str = "/api/v1/uploads";
const CHUNK: (&str, &str) = ("content-type", "application/offset+octet-stream");

/// A house with an upload code.
struct Door {
    house: House,
    bearer: String,
}

impl Door {
    async fn new() -> Self {
        let house = House::new().await;
        let token = house.token("ann", &[Role::Engineer]).await;
        let ticket = json!({"title": "t"});
        let (_, ticket) = house.json("POST", "/api/v1/tickets", &token, ticket).await;
        let codes = format!("/api/v1/tickets/{}/codes", ticket["key"].as_str().unwrap());
        let asked = json!({"hours": 1, "max_bundles": 8});
        let (status, made) = house.json("POST", &codes, &token, asked).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let bearer = format!("Bearer {}", made["code"].as_str().unwrap());
        Self { house, bearer }
    }

    async fn ask(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut all = vec![("authorization", self.bearer.as_str())];
        all.extend(headers);
        self.house.send(method, path, &all, body).await
    }

    async fn tus(
        &self,
        request: (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut all = vec![("tus-resumable", "1.0.0")];
        all.extend(headers);
        self.ask(request, &all, body).await
    }

    async fn draft(
        &self,
        request: (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut all = vec![
            ("upload-draft-interop-version", "6"),
            ("content-type", "application/partial-upload"),
        ];
        all.extend(headers);
        self.ask(request, &all, body).await
    }

    /// A new upload of so many bytes.
    async fn begun(&self, length: &str) -> String {
        let made = self
            .tus(("POST", UPLOADS), &[("upload-length", length)], "")
            .await;
        assert_eq!(made.status(), StatusCode::CREATED);
        place(&made)
    }
}

fn place(made: &Response<Body>) -> String {
    made.headers()["location"].to_str().unwrap().to_owned()
}

fn said<'a>(response: &'a Response<Body>, name: &str) -> (u16, &'a str) {
    let value = response.headers().get(name);
    let value = value.map_or("", |value| value.to_str().unwrap());
    (response.status().as_u16(), value)
}

#[tokio::test]
async fn a_complete_upload_takes_nothing_more_in_either_protocol() {
    let door = Door::new().await;
    let upload = door.begun("3").await;
    let patch = ("PATCH", upload.as_str());
    let first = [CHUNK, ("upload-offset", "0")];
    let done = door.tus(patch, &first, "abc").await;
    assert_eq!(said(&done, "upload-offset"), (204, "3"));
    let again = door.tus(patch, &first, "abc").await;
    assert_eq!(said(&again, "upload-offset"), (409, "3"));
    let end = [CHUNK, ("upload-offset", "3")];
    let more = door.tus(patch, &end, "d").await;
    assert_eq!(said(&more, "tus-resumable"), (413, "1.0.0"));
    let nothing = door.tus(patch, &end, "").await;
    assert_eq!(said(&nothing, "upload-offset"), (204, "3"));
    let last = ("upload-complete", "?1");
    let end = [("upload-offset", "3"), last];
    assert_eq!(door.draft(patch, &end, "d").await.status().as_u16(), 400);
    assert_eq!(door.draft(patch, &end, "").await.status().as_u16(), 204);
    let old = door.draft(patch, &[("upload-offset", "0"), last], "").await;
    assert_eq!(said(&old, "upload-complete"), (409, "?1"));
}

#[tokio::test]
async fn a_last_body_that_ends_short_is_refused() {
    let door = Door::new().await;
    let (last, length) = (("upload-complete", "?1"), ("upload-length", "6"));
    for known in [
        &[last, length, ("content-length", "5")][..],
        &[last, length],
    ] {
        let made = door.draft(("POST", UPLOADS), known, "abcde").await;
        assert_eq!(made.status().as_u16(), 400, "{known:?}");
    }
    let upload = door.begun("6").await;
    let patch = ("PATCH", upload.as_str());
    let at = ("upload-offset", "0");
    let short = [last, at, ("content-length", "5")];
    let refused = door.draft(patch, &short, "abcde").await;
    assert_eq!(refused.status().as_u16(), 400);
    let head = door.draft(("HEAD", &upload), &[], "").await;
    assert_eq!(
        said(&head, "upload-offset"),
        (204, "0"),
        "nothing was taken"
    );
    let whole = [last, at, ("content-length", "6")];
    let done = door.draft(patch, &whole, "abcdef").await;
    assert_eq!(said(&done, "upload-complete"), (204, "?1"));
}

#[tokio::test]
async fn the_draft_refuses_headers_that_have_no_place() {
    let door = Door::new().await;
    let upload = door.begun("6").await;
    for (request, header) in [
        (("HEAD", upload.as_str()), ("upload-offset", "0")),
        (("HEAD", upload.as_str()), ("upload-complete", "?0")),
        (("HEAD", upload.as_str()), ("upload-length", "6")),
        (("DELETE", upload.as_str()), ("upload-offset", "0")),
        (("DELETE", upload.as_str()), ("upload-complete", "?0")),
        (("POST", UPLOADS), ("upload-offset", "0")),
    ] {
        let mut headers = vec![header];
        if request.0 == "POST" {
            headers.push(("upload-complete", "?0"));
        }
        let refused = door.draft(request, &headers, "").await;
        assert_eq!(refused.status().as_u16(), 400, "{request:?} {header:?}");
    }
    let bounds = door.draft(("OPTIONS", UPLOADS), &[], "").await;
    let (status, limit) = said(&bounds, "upload-limit");
    assert_eq!(status, 204);
    assert!(limit.contains("max-age=86400"), "{limit}");
}

#[tokio::test]
async fn a_method_in_a_header_is_taken_in_any_letters_and_no_other() {
    let door = Door::new().await;
    let upload = door.begun("3").await;
    let post = ("POST", upload.as_str());
    let patch = [
        CHUNK,
        ("upload-offset", "0"),
        ("x-http-method-override", "Patch"),
    ];
    let done = door.tus(post, &patch, "abc").await;
    assert_eq!(said(&done, "upload-offset"), (204, "3"));
    for headers in [&[("x-http-method-override", "PUT")][..], &[]] {
        let refused = door.tus(post, headers, "").await;
        let told = said(&refused, "content-type");
        assert_eq!(told, (405, "application/problem+json"));
    }
}
