//! The page about the redaction families, made from the rules and from the shared samples. Fails when
//! the page is not what the rules do today, or when the samples are absent.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it cannot go on"
)]

use sitrep_shared::redact::{FileContext, Level, Redactor, RedactorBuilder, families};
use sitrep_tests::samples::{cases, piece};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn redactor(level: Level) -> Redactor {
    RedactorBuilder::new(level, [7; 32])
        .build()
        .expect("the built-in rules compile")
}

/// Which family answers for a kind of samples.
fn family_of(kind: &str) -> &'static str {
    match kind {
        "auth_header" | "basic_auth_header" | "bearer_token" | "cookie" => "header",
        "aws_key"
        | "azure"
        | "gcp_key"
        | "github_token"
        | "gitlab_token"
        | "hashicorp_token"
        | "jwt"
        | "llm_api_key"
        | "npm_token"
        | "package_registry_token"
        | "provider_api_key"
        | "saas_token"
        | "slack_token"
        | "stripe_key" => "token",
        "connection_string" | "password_in_url" => "url",
        "curl_credentials" | "password_cli" | "password_sql" => "cli",
        "htpasswd" | "password_hash" | "shadow_hash" => "hash",
        "ipsec_psk" | "wifi_psk" => "vpn",
        "k8s_secret" | "docker_auth" => "k8s",
        "network_device_secret" | "snmp_community" => "router",
        "private_key_pem" | "ssh_host_key" => "pem",
        "credit_card" | "email" | "hostname" | "ipv4" | "ipv6" | "mac" | "username" => "identity",
        _ => "keys",
    }
}

/// Clean cases and all of them, and removals in cases of secrets and in negatives, by family.
fn by_family() -> BTreeMap<String, [usize; 4]> {
    let mut rows: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let level = |l| (l, redactor(l));
    for (level, redactor) in [level(Level::Standard), level(Level::Strict)] {
        for case in cases() {
            let context = FileContext {
                path: &case.file_name,
            };
            let (out, report) = redactor.all(context, case.text.as_bytes()).expect("text");
            let out = String::from_utf8_lossy(&out);
            let family = family_of(&case.kind);
            let personal = family == "identity";
            if !case.secrets.is_empty() && personal == (level == Level::Strict) {
                let clean = !case.secrets.iter().any(|s| piece(s, &out).is_some());
                let row = rows.entry(family.to_owned()).or_default();
                row[0] += usize::from(clean);
                row[1] += 1;
            }
            for (rule, count) in &report.by_rule {
                let of = |f: &&sitrep_shared::redact::Family| {
                    f.rules.iter().any(|r| r.id == *rule) || f.tokens.iter().any(|t| t.id == *rule)
                };
                let Some(family) = families().iter().find(of) else {
                    continue;
                };
                let strict = family.level == Level::Strict;
                if strict == (level == Level::Strict) {
                    let row = rows.entry(family.family.clone()).or_default();
                    row[2 + usize::from(case.secrets.is_empty())] += *count as usize;
                }
            }
        }
    }
    rows
}

fn share(good: usize, all: usize) -> String {
    if all == 0 {
        "no samples".to_owned()
    } else {
        format!("{:.1} % of {all}", 100.0 * good as f64 / all as f64)
    }
}

/// The page about the families; written when `SITREP_BLESS` is set, else compared.
#[test]
fn the_page_of_families_says_what_was_measured() {
    let rows = by_family();
    let mut page = String::from(PAGE_HEAD);
    for family in families() {
        let [clean, all, right, wrong] = rows.get(&family.family).copied().unwrap_or_default();
        let rules: std::collections::BTreeSet<&str> = family
            .rules
            .iter()
            .map(|r| r.id.as_str())
            .chain(family.tokens.iter().map(|t| t.id.as_str()))
            .collect();
        page.push_str(&format!(
            "| `{}` {} | {} | {} | {} | {} | {} | {} | {} |\n",
            family.family,
            family.title,
            family.level,
            family.removes.trim().replace('|', "\\|"),
            family.leaves.trim().replace('|', "\\|"),
            rules.len(),
            family.examples.len(),
            share(clean, all),
            share(right, right + wrong),
        ));
    }
    page.push_str(PAGE_TAIL);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/redaction/README.md");
    if std::env::var_os("SITREP_BLESS").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let written = std::fs::read_to_string(&path).expect("the page");
    assert!(
        written == page,
        "{} is not what the rules do today; run this test with SITREP_BLESS=1",
        path.display()
    );
}

const PAGE_HEAD: &str = "\
# Redaction families

One data file per family; the examples in each are run as unit tests and by `sitrep redact --self-test`.
This page is made by `SITREP_BLESS=1 cargo test -p sitrep-tests --test redaction_page`, which else compares it.

*Recall*: the cases of the shared samples of this family's kinds in which nothing of the secret is left (at `standard`; `identity` at
`strict`), hard ones included. *Precision*: the family's removals in samples, as far as they are in cases that hold a secret, not in negatives.

| family | level | removes | leaves | rules | examples | recall | precision |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

const PAGE_TAIL: &str = "
A removed secret leaves `REMOVED-<label>-<12 hex digits>`: a keyed fingerprint (HMAC-SHA256, cut to 48 bits), the same for the same
value in every file of a run, without meaning to who has not the key. Stand-ins at strict cannot be taken for real values: octets are
above 255, groups of addresses have letters beyond `f`, names end in `.invalid`.
";
