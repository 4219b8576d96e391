//! Which pages may connect, apart from who may: a browser tells the page's origin, and no page can
//! change it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The origins that count on a running server, whose http listener has its final port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    listed: Option<Vec<String>>,
    own: Vec<String>,
}

impl Origins {
    /// With the config's list, if it has one, and the address that the http listener got. That
    /// listener's own origins are `http://` and its address; on loopback or on all addresses, they
    /// are the names of loopback. A page that is reached by another name, or through a proxy, must
    /// be listed.
    #[must_use]
    pub fn new(listed: Option<Vec<String>>, http: SocketAddr) -> Self {
        let mut hosts = vec![host(http.ip())];
        if http.ip().is_loopback() || http.ip().is_unspecified() {
            let loopbacks = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
            hosts.push("localhost".to_owned());
            hosts.extend(loopbacks.map(host));
        }
        // Browsers leave out the port that the scheme implies.
        let port = if http.port() == 80 { String::new() } else { format!(":{}", http.port()) };
        let own = hosts.iter().map(|host| format!("http://{host}{port}")).collect();
        Self { listed, own }
    }

    /// Whether a page of this origin may connect.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.listed.as_ref().unwrap_or(&self.own).iter().any(|allowed| allowed == origin)
    }

    /// Whether it is an origin of the server's own http listener.
    #[must_use]
    pub fn is_own(&self, origin: &str) -> bool {
        self.own.iter().any(|own| own == origin)
    }
}

/// An origin as browsers send it: scheme, host in lower case and a port if it is not the scheme's,
/// and nothing after it.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_origin = host.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b':' | b'[' | b']'))
    });
    if is_origin {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "\"{text}\" is not an origin like https://app.example or http://localhost:3000"
        ))
    }
}

fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(http: &str, listed: Option<&[&str]>, allowed: &[&str], refused: &[&str]) {
        let listed = listed.map(|list| list.iter().map(|&origin| origin.to_owned()).collect());
        let origins = Origins::new(listed, http.parse().unwrap());
        for origin in allowed {
            assert!(origins.allows(origin), "{http} should allow {origin}");
        }
        for origin in refused {
            assert!(!origins.allows(origin), "{http} should refuse {origin}");
        }
    }

    #[test]
    fn the_own_origin_is_the_default() {
        check(
            "127.0.0.1:8080",
            None,
            &["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"],
            &[
                "http://localhost:8081",
                "http://localhost",
                "https://localhost:8080",
                "http://localhost:8080.evil.example",
                "http://evil.example:8080",
                "null",
                "",
            ],
        );
        check("0.0.0.0:8080", None, &["http://localhost:8080"], &["http://10.0.0.7:8080"]);
        check(
            "10.0.0.7:80",
            None,
            &["http://10.0.0.7"],
            &["http://localhost", "http://10.0.0.7:80"],
        );
        check("[2001:db8::7]:81", None, &["http://[2001:db8::7]:81"], &["http://localhost:81"]);
    }

    #[test]
    fn a_list_replaces_the_default() {
        let list = Some(&["https://app.example"][..]);
        check("127.0.0.1:8080", list, &["https://app.example"], &["http://127.0.0.1:8080"]);
        check("127.0.0.1:8080", Some(&[]), &[], &["http://127.0.0.1:8080"]);
        let origins = Origins::new(Some(vec![]), "127.0.0.1:8080".parse().unwrap());
        assert!(origins.is_own("http://localhost:8080") && !origins.is_own("https://app.example"));
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for good in ["https://app.example", "http://localhost:3000", "http://[::1]:3000"] {
            assert_eq!(parse_origin(good).as_deref(), Ok(good));
        }
        for wrong in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://a/",
            "https://A.b",
            "ws://a",
            "https://*.a",
        ] {
            assert!(parse_origin(wrong).is_err(), "{wrong}");
        }
    }
}
