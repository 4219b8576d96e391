//! Where a server is: asks its http address once, with no more HTTP than that takes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// How long the server may take for each step of its answer.
const DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// What is needed to connect.
#[derive(Debug, PartialEq)]
pub(crate) struct Server {
    /// `https://host[:port]`.
    pub(crate) url: String,
    /// The SHA-256 of the one certificate to trust; `None` leaves it to the machine's roots.
    pub cert_sha256: Option<[u8; 32]>,
}

impl Server {
    /// Takes an https URL as it is, and asks at an http one.
    ///
    /// # Errors
    /// Nobody answers there, or it is no Hither server; or the URL is none of both.
    pub(crate) fn find(url: &str) -> Result<Self> {
        if url.starts_with("https://") {
            return Ok(Self { url: url.to_owned(), cert_sha256: None });
        }
        let Some(rest) = url.strip_prefix("http://") else {
            bail!("{url}: a URL begins with http:// or https://");
        };
        let host = rest.split('/').next().unwrap_or_default();
        let answer = get(host, "/.well-known/hither").with_context(|| format!("asking {url}"))?;
        Self::parse(&answer, host).with_context(|| format!("{url} is no Hither server"))
    }

    /// Reads an HTTP answer of `host`, which may have a port.
    fn parse(answer: &str, host: &str) -> Result<Self> {
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.split(' ').nth(1) == Some("200"), "it answers {status:?}");
        let body: Value = serde_json::from_str(body).context("the answer is not JSON")?;
        let quic: SocketAddr = body["quic"].as_str().context("no `quic`")?.parse()?;
        // A server that listens on all addresses is where it was asked.
        let url = match quic.ip().is_unspecified() {
            true => format!("https://{}:{}", without_port(host), quic.port()),
            false => format!("https://{quic}"),
        };
        let cert_sha256 = body["cert_sha256"].as_str().map(parse_hash).transpose()?;
        Ok(Self { url, cert_sha256 })
    }
}

/// Reads a SHA-256 in hex.
///
/// # Errors
/// It is not 64 digits.
pub(crate) fn parse_hash(hex: &str) -> Result<[u8; 32]> {
    let bytes = crate::values::parse_hex(hex).context("a SHA-256 is hex digits")?;
    bytes.try_into().ok().context("a SHA-256 has 64 digits")
}

fn get(host: &str, path: &str) -> Result<String> {
    let has_port = without_port(host) != host;
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    // Version 1.0, so that the answer is not chunked and ends with the connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    fn answer(quic: &str) -> String {
        let hash = "0f".repeat(32);
        format!("HTTP/1.0 200 OK\r\na: b\r\n\r\n{{\"quic\":\"{quic}\",\"cert_sha256\":\"{hash}\"}}")
    }

    #[test]
    fn an_https_url_is_taken_as_it_is_and_others_are_refused() {
        let server = Server::find("https://a:1").unwrap();
        assert_eq!(server, Server { url: "https://a:1".into(), cert_sha256: None });
        assert!(Server::find("a:1").is_err());
    }

    #[test]
    fn a_server_on_all_addresses_is_where_it_was_asked() {
        let url = |quic, host| Server::parse(&answer(quic), host).unwrap().url;
        assert_eq!(url("10.0.0.1:4433", "a:8080"), "https://10.0.0.1:4433");
        assert_eq!(url("0.0.0.0:4433", "a:8080"), "https://a:4433");
        assert_eq!(url("0.0.0.0:4433", "a"), "https://a:4433");
        assert_eq!(url("[::]:4433", "[::1]:8080"), "https://[::1]:4433");
        assert_eq!(url("[::]:4433", "[::1]"), "https://[::1]:4433");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for answer in ["", "HTTP/1.0 404 Not Found\r\n\r\n{}", "HTTP/1.0 200 OK\r\n\r\n<html>"] {
            assert!(Server::parse(answer, "a").is_err(), "{answer:?}");
        }
    }

    #[test]
    fn the_address_is_asked_over_http() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request: Vec<String> = BufReader::new(&stream)
                .lines()
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            stream.write_all(answer("127.0.0.1:7").as_bytes()).unwrap();
            request
        });
        let server = Server::find(&url).unwrap();
        assert_eq!(
            server,
            Server { url: "https://127.0.0.1:7".into(), cert_sha256: Some([15; 32]) }
        );
        assert_eq!(serving.join().unwrap()[0], "GET /.well-known/hither HTTP/1.0");
    }
}
