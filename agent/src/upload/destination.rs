//! Where a bundle goes: the collector's address and the upload code.

use super::UploadError;
use sitrep_shared::ids::{UploadCode, UploadTarget};
use std::net::IpAddr;

/// An address that may be talked to, with the code that allows it.
#[derive(Clone)]
pub struct Destination {
    base_url: String,
    code: UploadCode,
    typed: String,
}

impl Destination {
    /// Takes `CODE` or a link; a bare code needs the collector's address from the settings.
    pub fn parse(text: &str, configured: Option<&str>) -> Result<Self, UploadError> {
        let text = text.trim();
        let with_scheme = if text.contains("/u/") {
            with_scheme(text)
        } else {
            text.to_owned()
        };
        let target = UploadTarget::parse(&with_scheme).map_err(|_| UploadError::CodeForm)?;
        let base = match (target.base_url, configured) {
            (Some(base), _) => base,
            (None, Some(base)) => base.to_owned(),
            (None, None) => return Err(UploadError::NoAddress),
        };
        let mut destination = Self::new(&base, target.code)?;
        text.rsplit('/')
            .next()
            .unwrap_or(text)
            .clone_into(&mut destination.typed);
        Ok(destination)
    }

    /// Checks the address: https, or http on this computer only.
    pub fn new(base: &str, code: UploadCode) -> Result<Self, UploadError> {
        let base = base.trim_end_matches('/');
        let with_scheme = with_scheme(base);
        let url = reqwest::Url::parse(&with_scheme).map_err(|error| UploadError::Address {
            url: with_scheme.clone(),
            source: Box::new(error),
        })?;
        let host = url.host_str().unwrap_or("");
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(UploadError::PlainHttp(host.to_owned())),
            other => return Err(UploadError::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UploadError::Scheme("user@".to_owned()));
        }
        Ok(Self {
            base_url: with_scheme,
            typed: code.canonical(),
            code,
        })
    }

    /// Scheme, host and port without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Host and port as a person reads them.
    pub fn host(&self) -> &str {
        self.base_url
            .split_once("://")
            .map_or(&self.base_url, |(_, host)| host)
    }

    /// The host alone, without its port.
    pub fn name(&self) -> String {
        host_of(self.host()).to_owned()
    }

    /// Talks to this computer only.
    pub fn is_local(&self) -> bool {
        is_loopback(host_of(self.host()))
    }

    /// The code in its canonical form: for the header and the redactor only.
    pub fn secret(&self) -> String {
        self.code.canonical()
    }

    /// Every way in which the code may stand in what is collected: as typed (the program's own
    /// arguments are in the list of processes), canonical, and without dashes.
    pub fn spellings(&self) -> Vec<String> {
        let canonical = self.secret();
        let plain = canonical.replace('-', "");
        let mut all = vec![
            self.typed.clone(),
            canonical.to_lowercase(),
            plain.to_lowercase(),
        ];
        all.extend([canonical, plain]);
        all.retain(|spelling| !spelling.is_empty());
        all.sort();
        all.dedup();
        all
    }

    /// The code.
    pub fn code(&self) -> &UploadCode {
        &self.code
    }
}

/// People copy `support.example.com/u/…` as it is printed; only this computer is talked to in plain.
fn with_scheme(text: &str) -> String {
    if text.contains("://") {
        text.to_owned()
    } else if is_loopback(host_of(text)) {
        format!("http://{text}")
    } else {
        format!("https://{text}")
    }
}

fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(host, _)| host);
    }
    authority.split(['/', ':']).next().unwrap_or(authority)
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "7K4M-Q2XP-3NRT-8VWY";

    fn check(text: &str, configured: Option<&str>, expected: Result<&str, &str>) {
        let got = Destination::parse(text, configured);
        match (got, expected) {
            (Ok(destination), Ok(base)) => assert_eq!(destination.base_url(), base, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (Ok(destination), Err(part)) => {
                panic!("{text}: {} instead of {part}", destination.base_url())
            }
            (Err(error), Ok(base)) => panic!("{text}: {error} instead of {base}"),
        }
    }

    #[test]
    fn codes_and_links() {
        let link = |base: &str| format!("{base}/u/{CODE}");
        check(
            CODE,
            Some("https://s.example.com/"),
            Ok("https://s.example.com"),
        );
        check(CODE, None, Err("address"));
        check(
            &link("https://s.example.com:8443"),
            None,
            Ok("https://s.example.com:8443"),
        );
        check(&link("s.example.com"), None, Ok("https://s.example.com"));
        check(
            &link("http://127.0.0.1:8080"),
            None,
            Ok("http://127.0.0.1:8080"),
        );
        check(&link("http://[::1]:8080"), None, Ok("http://[::1]:8080"));
        check(&link("http://s.example.com"), None, Err("unencrypted"));
        check(
            &link("http://127.0.0.1.example.com"),
            None,
            Err("unencrypted"),
        );
        check("nonsense", Some("https://s.example.com"), Err("code"));
    }
}
