//! How this host talks to the collector: through which proxy, whom it trusts, how it identifies itself.

use super::Destination;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// What the settings and the environment say about the way.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Certificates to trust besides the host's own list.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key (PEM) that this host identifies itself with.
    pub client_cert: Option<PathBuf>,
    /// The proxy; none is the direct way.
    pub proxy: Option<Via>,
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` is set: the host's own list is hidden behind it.
    pub hidden_by: Option<&'static str>,
}

/// A proxy, and who named it.
#[derive(Clone, PartialEq, Eq)]
pub struct Via {
    /// `http://[user:password@]host:port`.
    pub url: String,
    /// `HTTPS_PROXY`, `--proxy`, a line of a file.
    pub from: String,
}

/// Never with the password.
impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.shown(), self.from)
    }
}

impl Via {
    /// Takes `host:port` or a URL; `Err` says what is wrong with it.
    pub fn parse(url: &str, from: impl Into<String>) -> Result<Self, String> {
        let from = from.into();
        let with_scheme = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let shown = format!("the proxy of {from}");
        let parsed = reqwest::Url::parse(&with_scheme)
            .map_err(|error| format!("{shown} is no address: {error}"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(format!(
                "{shown} is a {} proxy; only http and https are spoken",
                parsed.scheme()
            ));
        }
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(format!("{shown} has no host"));
        }
        Ok(Self {
            url: with_scheme,
            from,
        })
    }

    /// Host and port, for a person.
    pub fn shown(&self) -> &str {
        let rest = self
            .url
            .split_once("://")
            .map_or(self.url.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or(rest);
        authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host)
    }

    /// It carries a password.
    pub fn has_password(&self) -> bool {
        reqwest::Url::parse(&self.url).is_ok_and(|url| url.password().is_some())
    }
}

/// The proxy that the environment names for a destination. This computer itself is never reached
/// through one, and what `NO_PROXY` excepts is not either.
pub fn from_environment<'e>(
    destination: &Destination,
    var: impl Fn(&str) -> Option<&'e str>,
) -> Option<Result<Via, String>> {
    let host = host_of(destination.host());
    let excepted = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .find_map(&var)
        .is_some_and(|list| excepts(list, &host));
    if destination.is_local() || excepted {
        return None;
    }
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find_map(|name| Some(Via::parse(var(name)?, name)))
}

fn host_of(authority: &str) -> String {
    reqwest::Url::parse(&format!("https://{authority}"))
        .ok()
        .and_then(|url| Some(url.host_str()?.trim_matches(['[', ']']).to_owned()))
        .unwrap_or_else(|| authority.to_owned())
}

/// `NO_PROXY` as curl reads it: `*`, names with all below them, addresses, networks.
fn excepts(list: &str, host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    list.split([',', ' '])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let name = entry.trim_start_matches("*.").trim_start_matches('.');
            entry == "*"
                || name.eq_ignore_ascii_case(host)
                || host
                    .to_ascii_lowercase()
                    .ends_with(&format!(".{}", name.to_ascii_lowercase()))
                || address.is_some_and(|address| within(entry, address))
        })
}

/// Whether an address is in `192.168.0.0/16`.
fn within(network: &str, address: IpAddr) -> bool {
    let Some((base, bits)) = network.split_once('/') else {
        return false;
    };
    let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(base), IpAddr::V6(address)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_read_as_curl_reads_them() {
        for (list, host, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "a.example.com", true),
            (".example.com", "a.EXAMPLE.com", true),
            ("*.example.com", "a.example.com", true),
            ("example.com", "notexample.com", false),
            ("a, b.test ,c", "b.test", true),
            ("*", "anything", true),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("2001:db8::/32", "2001:db8::5", true),
            ("10.0.0.0/99", "10.0.0.1", false),
            ("", "example.com", false),
        ] {
            assert_eq!(excepts(list, host), expected, "{list:?} {host}");
        }
    }

    #[test]
    fn a_proxy_never_shows_its_password() {
        let via = Via::parse("http://u:secret@proxy.corp:3128/", "HTTPS_PROXY").expect("fine");
        assert_eq!(via.shown(), "proxy.corp:3128");
        assert!(via.has_password() && !format!("{via:?}").contains("secret"));
        assert_eq!(
            Via::parse("proxy:8080", "x").map(|via| via.url),
            Ok("http://proxy:8080".to_owned())
        );
        assert!(Via::parse("socks5://proxy:1080", "x").is_err());
        assert!(Via::parse("http://", "x").is_err());
    }

    #[test]
    fn the_environment_names_a_proxy_for_others_only() {
        let chosen = |url: &str, no: Option<&'static str>| {
            let code = "7K4M-Q2XP-3NRT-8VWY";
            let to = Destination::parse(code, Some(url)).expect("an address");
            let var = |name: &str| match name {
                "HTTPS_PROXY" => Some("proxy:3128"),
                "NO_PROXY" => no,
                _ => None,
            };
            from_environment(&to, var).map(|via| via.map(|via| via.shown().to_owned()))
        };
        let via = Some(Ok("proxy:3128".to_owned()));
        assert_eq!(chosen("https://s.example.com:8443", None), via);
        assert_eq!(
            chosen("https://s.example.com:8443", Some("example.com")),
            None
        );
        assert_eq!(chosen("http://127.0.0.1:1", None), None);
    }
}
