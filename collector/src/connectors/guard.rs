//! Which addresses may be reached: names are resolved once, and the connection goes to the address that was looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What addresses on the web begin with; `http` only inside.
pub(super) const WEB: &[&str] = &["https"];
/// What addresses of mail servers begin with: TLS from the first byte on, or by STARTTLS, without which only inside.
pub(super) const MAIL: &[&str] = &["smtps", "smtp"];

/// Whether an address may be reached; `private` ones when the administrator said that the host is inside.
pub(super) fn allowed(address: IpAddr, private: bool) -> bool {
    match address {
        IpAddr::V4(v4) => v4_allowed(v4, private),
        IpAddr::V6(v6) => v6_allowed(v6, private),
    }
}

fn v4_allowed(v4: Ipv4Addr, private: bool) -> bool {
    let [a, b, c, _] = v4.octets();
    // Link-local is where clouds keep the secrets of their machines.
    if a == 0 || v4.is_link_local() || v4.is_multicast() || a >= 240 {
        return false;
    }
    let shared = a == 100 && (64..128).contains(&b);
    let special = (a, b, c) == (192, 0, 0) || (a == 198 && (18..20).contains(&b));
    private || !(v4.is_loopback() || v4.is_private() || shared || special)
}

fn v6_allowed(v6: Ipv6Addr, private: bool) -> bool {
    let parts = v6.segments();
    let last = |at: usize| {
        let [a, b] = parts[at].to_be_bytes();
        let [c, d] = parts[at + 1].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4_allowed(v4, private);
    }
    // Translated addresses (NAT64, 6to4) stand for one of IPv4.
    if parts[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return v4_allowed(last(6), private);
    }
    if parts[0] == 0x2002 {
        return v4_allowed(last(1), private);
    }
    if v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() {
        return false;
    }
    private || !(v6.is_loopback() || v6.is_unique_local())
}

/// Resolves names to addresses that may be reached.
pub(super) struct Guard {
    /// Whether private ones may.
    pub(super) private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let good = resolve(name.as_str(), private).await?;
            let at = good.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(at) as Addrs)
        })
    }
}

/// The addresses of a host that may be reached; at least one.
pub(super) async fn resolve(host: &str, private: bool) -> std::io::Result<Vec<IpAddr>> {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let all = tokio::net::lookup_host((literal, 0)).await?;
    let good: Vec<IpAddr> = all
        .map(|at| at.ip())
        .filter(|ip| allowed(*ip, private))
        .collect();
    match good.is_empty() {
        true => Err(std::io::Error::other(inside(host))),
        false => Ok(good),
    }
}

fn inside(host: &str) -> String {
    format!(
        "{host} is a private or special address: say that it is inside your own network, or give another one"
    )
}

/// The checked address of a connector.
pub(super) fn address(text: &str, private: bool, schemes: &[&str]) -> Result<Url, String> {
    let url = Url::parse(text.trim())
        .map_err(|error| format!("is not an address such as https://desk.example.com: {error}"))?;
    let scheme = url.scheme();
    let plain = private && scheme == "http" && schemes == WEB;
    if !schemes.contains(&scheme) && !plain {
        let what = match scheme {
            "http" if schemes == WEB => ", since it is not inside your network",
            _ => "",
        };
        return Err(format!(
            "must begin with {}://{what}",
            schemes.join(":// or ")
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a name or password: the secret has a field of its own".into());
    }
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse::<IpAddr>() {
        Ok(address) if !allowed(address, private) => Err(inside(host)),
        _ => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_is_reached_only_when_said_and_metadata_never() {
        for (text, outside, inside) in [
            ("93.184.216.34", true, true),
            ("127.0.0.1", false, true),
            ("10.1.2.3", false, true),
            ("100.64.0.1", false, true),
            ("169.254.169.254", false, false),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("::1", false, true),
            ("fd00::1", false, true),
            ("fe80::1", false, false),
            ("::ffff:127.0.0.1", false, true),
            ("::ffff:169.254.169.254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("2002:a9fe:a9fe::1", false, false),
            ("2606:2800:220:1::1", true, true),
        ] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(allowed(ip, false), outside, "{text}");
            assert_eq!(allowed(ip, true), inside, "{text}");
        }
    }

    #[test]
    fn addresses_are_of_hosts_without_names_and_passwords() {
        for (text, private, good) in [
            ("https://desk.example.com/rt", false, true),
            ("http://desk.example.com", false, false),
            ("http://desk.example.com", true, true),
            ("https://127.0.0.1:8", false, false),
            ("https://[::1]/", false, false),
            ("http://127.0.0.1:8", true, true),
            ("http://0x7f000001/", false, false),
            ("https://2130706433/", false, false),
            ("https://169.254.169.254/latest", true, false),
            ("https://a:b@desk.example.com", false, false),
            ("file:///etc/passwd", true, false),
            ("desk", true, false),
        ] {
            assert_eq!(
                address(text, private, WEB).is_ok(),
                good,
                "{text} {private}"
            );
        }
    }
}
