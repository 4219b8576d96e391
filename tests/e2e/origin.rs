//! Pages: which origins may connect, and that there is nothing at any other path.

use hither_client::{Link, Transport};
use hither_transport::ConnectError;

use crate::support::{Host, Raw, Target, soon};

/// What a page has.
const PAGES: [Transport; 2] = [Transport::WebTransport, Transport::WebSocket];

async fn page(server: &Target, on: Transport, origin: &str) -> Result<Link, ConnectError> {
    soon(server.endpoint.connect_as_page(&server.url(), on, origin)).await
}

fn status(result: Result<Link, ConnectError>) -> u16 {
    match result {
        Err(ConnectError::Rejected(status)) => status,
        other => panic!("not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn h3_a_page_of_another_origin_is_refused_with_403() {
    for on in PAGES {
        let server = Host::start().await;
        let own = format!("http://{}", server.http);
        let port = server.http.port();
        let others = [
            "https://evil.example".to_owned(),
            "null".to_owned(),
            format!("https://{}", server.http),
            format!("http://evil.example:{port}"),
            format!("{own}.evil.example"),
            format!("http://127.0.0.1:{}", port ^ 1),
        ];
        for origin in &others {
            assert_eq!(status(page(&server, on, origin).await), 403, "{origin}");
        }
        let rejects = server.metric("hither_rejects_total{cause=\"origin\"}").await;
        assert_eq!(rejects, others.len() as u64);
        for origin in [own, format!("http://localhost:{port}")] {
            let mut raw = Raw::open(page(&server, on, &origin).await.unwrap()).await;
            raw.hello(None).await;
        }
        // Nothing but a browser has an origin.
        server.welcomed(on).await;
    }
}

#[tokio::test]
async fn h3_a_list_of_origins_replaces_the_own() {
    let listed = "https://app.example";
    let server = Host::with(|config| config.origins = Some(vec![listed.into()])).await;
    for on in PAGES {
        assert_eq!(status(page(&server, on, &format!("http://{}", server.http)).await), 403);
        Raw::open(page(&server, on, listed).await.unwrap()).await.hello(None).await;
    }
}

// proves H1, W1
#[tokio::test]
async fn there_is_nothing_at_another_path() {
    for on in PAGES {
        let server = Host::start().await;
        for path in ["/hither/2", "/hither/1/", "/hither/1?x=1", "/other"] {
            let url = format!("{}{path}", server.url());
            let result = soon(server.endpoint.connect(&url, on)).await;
            assert_eq!(status(result), 404, "{path}");
        }
        assert_eq!(server.metric("hither_rejects_total{cause=\"version\"}").await, 4);
    }
}
