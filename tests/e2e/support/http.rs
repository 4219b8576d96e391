//! Plain HTTP as programs and pages speak it, and the text of the metrics.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Status and body of a GET; `None` if nobody answers at that address.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> Option<(u16, String)> {
    ask(addr, &format!("GET {path}"), "", "").await
}

/// Status and body of a POST of JSON, with more headers, each a line that ends.
pub(crate) async fn post(
    addr: SocketAddr,
    path: &str,
    headers: &str,
    json: &str,
) -> Option<(u16, String)> {
    let length = json.len();
    let headers =
        format!("content-type: application/json\r\ncontent-length: {length}\r\n{headers}");
    ask(addr, &format!("POST {path}"), &headers, json).await
}

async fn ask(addr: SocketAddr, what: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(addr).await.ok()?;
    let request =
        format!("{what} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// The value of one sample of a metrics page, named with its labels as it is printed.
pub(crate) fn sample(page: &str, name: &str) -> Option<u64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}
