//! The page of packs, and how unusual what is not covered is.

use super::signatures::{PROVEN, found};
use super::*;

/// A form with files, as a browser sends it.
fn form(fields: &[(&str, &str)], files: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body.push_str(&format!(
            "--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    for (name, text) in files {
        body.push_str(&format!(
            "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n{text}\r\n"
        ));
    }
    body + "--edge--\r\n"
}

impl House {
    async fn take(&self, token: &str, body: &str) -> (StatusCode, String) {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "multipart/form-data; boundary=edge"),
        ];
        let shown = self.send("POST", "/signature-packs", &headers, body).await;
        let status = shown.status();
        let bytes = axum::body::to_bytes(shown.into_body(), 4 << 20).await;
        (status, String::from_utf8(bytes.unwrap().to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_folder_of_rules_becomes_a_pack_in_shadow_and_what_is_refused_is_named() {
    let house = House::new().await;
    let lead = house.token("lea", &[Role::Lead]).await;
    let viewer = house.token("vic", &[Role::Viewer]).await;
    let rule = "rules:\n  - metadata: {id: communityRule1}\n    cre: {id: CRE-2099-0001, severity: 1, title: T}\n    \
                rule: {set: {event: {source: cre.log.x}, match: [out of gadgets]}}\n";
    let broken = rule.replace("0001", "0002").replace("match:", "order:");
    let files = [
        ("cre/a.yaml", rule),
        ("cre/b.yaml", broken.as_str()),
        ("cre/proven.yaml", PROVEN),
        ("cre/tags.yaml", "categories: []\n"),
        ("cre/test.log", "out of gadgets\n"),
    ];
    let fields = [
        ("name", "community"),
        ("licence", "Apache-2.0"),
        ("stand", "shadow"),
    ];
    let body = form(&fields, &files);
    let (status, _) = house.take(&viewer, &body).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, page) = house.take(&lead, &body).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("<strong>community</strong>: 2 signatures"));
    assert!(
        page.contains("<code>cre/b.yaml:4</code> a set needs `match`"),
        "{page}"
    );
    let loaded = house.state.bundles.signatures.current().await.unwrap();
    for id in ["CRE-2099-0001", "OWN-0001"] {
        let stands = loaded.find(id).unwrap().signature.status();
        assert_eq!(stands, sitrep_shared::signature::Status::Shadow, "{id}");
    }
    // Taken in again, to be live.
    let live = form(&[fields[0], fields[1], ("stand", "live")], &files[..1]);
    assert_eq!(house.take(&lead, &live).await.0, StatusCode::OK);
    let loaded = house.state.bundles.signatures.current().await.unwrap();
    assert!(loaded.find("OWN-0001").is_none());
    let stands = loaded.find("CRE-2099-0001").unwrap().signature.status();
    assert_eq!(stands, sitrep_shared::signature::Status::Live);
    let nothing = form(&fields, &files[1..2]);
    let (status, page) = house.take(&lead, &nothing).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("cre/b.yaml:4") && page.contains("value=\"community\""));
    let wrong = form(&[fields[0], ("stand", "draft")], &files[..1]);
    assert_eq!(
        house.take(&lead, &wrong).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let shown = house.page("/signature-packs", &viewer, "zh-CN").await;
    assert!(shown.contains("community") && shown.contains("特征包"));
    assert!(!shown.contains("multipart/form-data"));
}

#[tokio::test]
async fn coverage_tells_how_unusual_an_error_is_and_how_many_tickets_have_it() {
    let house = House::new().await;
    let engineer = house.token("ann", &[Role::Engineer]).await;
    for _ in 0..2 {
        house.ticket(&engineer, &[found("OWN-0001")]).await;
    }
    for (language, rarity) in [("en", "Rarity"), ("zh-CN", "罕见度")] {
        let page = house.page("/coverage", &engineer, language).await;
        assert!(
            page.contains("app: lease for &#60;*&#62; lost, error"),
            "{page}"
        );
        assert!(
            page.contains(rarity) && page.contains("<td class=\"right\">0.00</td>"),
            "{page}"
        );
    }
}
