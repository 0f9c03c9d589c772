//! Whom we met: the certificate that is presented, and why it is not believed.

use super::{SKEW_WARN_S, Step, Tell, date_s, ms, skew, span};
use crate::collect::certificate::{self, Certificate};
use crate::config::local_minute;
use crate::upload::UploadError;
use crate::upload::client::Collector;
use sitrep_shared::time::UtcMs;
use std::time::{Duration, Instant};

const NAME: &str = "step_tls";
/// A certificate that ends sooner than this is worth a word.
const SOON_MS: i64 = 14 * 86_400_000;
/// Looking at a certificate never takes longer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(15);
/// Where systems keep the list of authorities that `SSL_CERT_FILE` hides.
const SYSTEM_LISTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Such a list has a few hundred kB.
const MAX_LIST_BYTES: u64 = 4 * 1024 * 1024;

/// What somebody who is not believed yet shows.
#[derive(Default)]
struct Seen {
    leaf: Option<Certificate>,
    date_s: Option<i64>,
}

impl Collector {
    /// One request without a code: any answer proves that we are talking to whom we mean. Gives the
    /// collector's clock, when it tells; nothing when the step failed.
    pub(super) fn trust(&self, now_s: i64, tell: &mut Tell<'_>) -> Option<Option<i64>> {
        let url = format!("{}/api/v1/upload-code", self.destination.base_url());
        let began = Instant::now();
        let answer = self.runtime.block_on(async {
            self.unless_interrupted(self.http.get(&url).timeout(LOOK_TIMEOUT).send())
                .await
        });
        let response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let error = UploadError::Network {
                    doing: "tls".to_owned(),
                    source: error.without_url(),
                };
                tell(self.refused(&error, now_s));
                return None;
            }
            Err(_) => return None,
        };
        let mut values = vec![
            ("version", format!("{:?}", response.version())),
            ("status", response.status().as_u16().to_string()),
            ("ms", ms(began)),
        ];
        if url.starts_with("http:") {
            tell(Step::ok(NAME, "tls_plain", values));
            return Some(date_of(&response));
        }
        let step = match self.look().leaf {
            Some(leaf) => {
                values.push(("issuer", name_in(&leaf.issuer)));
                values.push(("until", local_minute(UtcMs(leaf.not_after_ms))));
                let step = Step::ok(NAME, "tls_good", values);
                if leaf.not_after_ms - now_s.saturating_mul(1000) < SOON_MS {
                    step.warn("fix_tls_soon")
                } else {
                    step
                }
            }
            None => Step::ok(NAME, "tls_plain", values),
        };
        tell(step);
        Some(date_of(&response))
    }

    /// Why a certificate is not believed, as a step; nothing when the error is about something else.
    pub fn distrust(&self, error: &UploadError, now_s: i64) -> Option<Step> {
        error.is_about_trust().then(|| self.refused(error, now_s))
    }

    fn refused(&self, error: &UploadError, now_s: i64) -> Step {
        let text = error.short();
        let text = text.strip_prefix("tls: ").unwrap_or(&text).to_owned();
        if !error.is_about_trust() {
            return Step::ok(NAME, "tls_failed", vec![("why", text)]).fail("fix_tls_failed");
        }
        let seen = self.look();
        let Some(leaf) = seen.leaf else {
            return Step::ok(NAME, "tls_failed", vec![("why", text)]).fail("fix_tls_issuer");
        };
        let host = self.destination.name();
        let end = local_minute(UtcMs(leaf.not_after_ms));
        let begin = local_minute(UtcMs(leaf.not_before_ms));
        let now_ms = now_s.saturating_mul(1000);
        let outside = now_ms > leaf.not_after_ms || now_ms < leaf.not_before_ms;
        if let Some(theirs) = seen.date_s.filter(|_| outside) {
            let (size, key) = skew(now_s, theirs, "tls_clock_behind", "tls_clock_ahead");
            if size > SKEW_WARN_S.unsigned_abs() {
                return Step::ok(NAME, key, span(size)).fail("fix_clock");
            }
        }
        if now_ms > leaf.not_after_ms {
            return Step::ok(NAME, "tls_expired", vec![("host", host), ("date", end)])
                .fail("fix_tls_expired");
        }
        if now_ms < leaf.not_before_ms {
            return Step::ok(NAME, "tls_not_yet", vec![("host", host), ("date", begin)])
                .fail("fix_clock");
        }
        if text.contains("not valid for") || text.contains("NotValidForName") {
            let names = if leaf.names.is_empty() {
                name_in(&leaf.subject)
            } else {
                leaf.names.join(", ")
            };
            return Step::ok(NAME, "tls_name", vec![("host", host), ("names", names)])
                .fail("fix_tls_name");
        }
        let issuer = vec![("issuer", name_in(&leaf.issuer))];
        match self.way.hidden_by {
            Some(variable) if listed(&leaf.issuer) => {
                let mut values = issuer;
                values.push(("variable", variable.to_owned()));
                Step::ok(NAME, "tls_hidden", values).fail("fix_tls_hidden")
            }
            _ => Step::ok(NAME, "tls_issuer", issuer).fail("fix_tls_issuer"),
        }
    }

    /// Asks once more, believing anybody, only to see the certificate and the clock.
    fn look(&self) -> Seen {
        let Ok((client, met)) = self.credulous() else {
            return Seen::default();
        };
        let url = format!("{}/api/v1/upload-code", self.destination.base_url());
        let answer = self.runtime.block_on(async {
            self.unless_interrupted(client.get(&url).timeout(LOOK_TIMEOUT).send())
                .await
        });
        // A front that wants a certificate of ours ends the connection, but has shown its own.
        let date_s = match &answer {
            Ok(Ok(response)) => date_of(response),
            _ => None,
        };
        let der = met.lock().ok().and_then(|mut met| met.take());
        Seen {
            leaf: der.and_then(|der| certificate::read_all(&der).into_iter().next()),
            date_s,
        }
    }
}

fn date_of(response: &reqwest::Response) -> Option<i64> {
    date_s(response.headers().get("date")?.to_str().ok()?)
}

/// The common name of a distinguished name, or all of it.
fn name_in(name: &str) -> String {
    name.split(", ")
        .find_map(|part| part.strip_prefix("CN="))
        .unwrap_or(name)
        .to_owned()
}

/// Whether the system's own list has an authority of this name.
fn listed(issuer: &str) -> bool {
    use std::io::Read;
    SYSTEM_LISTS.iter().any(|path| {
        let mut pem = Vec::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MAX_LIST_BYTES).read_to_end(&mut pem));
        read.is_ok()
            && certificate::read_all(&pem)
                .iter()
                .any(|authority| authority.subject == issuer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_authorities_are_short() {
        assert_eq!(name_in("C=DE, O=Corp, CN=Corp Proxy CA"), "Corp Proxy CA");
        assert_eq!(name_in("O=Corp"), "O=Corp");
    }
}
