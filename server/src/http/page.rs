//! The demo page at `/`, which only `hither dev` has: from a folder, or from the binary itself where it was built with
//! the feature `embed-page`.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

/// The page has its own scripts and styles only. It connects to its own origin and, by WebTransport, to the same host
/// under another port, which no policy can name: hosts may be IPv6 addresses, and the page be reached by any name.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self' https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The operator's: what `--page` names is no page.
#[derive(Debug, thiserror::Error)]
#[error("there is no index.html in {}: `cargo xtask demo` builds the page", folder.display())]
pub struct NoPage {
    folder: PathBuf,
}

/// The page in `folder`, else the binary's own, else a word about how to get one. A folder is read anew for each
/// answer, and nothing outside of it can be asked for.
///
/// # Errors
/// See [`NoPage`].
pub fn page_router(folder: Option<&Path>) -> Result<Router, NoPage> {
    let files = match folder {
        None => own_page(),
        Some(folder) if folder.join("index.html").is_file() => {
            Router::new().fallback_service(ServeDir::new(folder))
        }
        Some(folder) => return Err(NoPage { folder: folder.to_owned() }),
    };
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    Ok(headers.into_iter().fold(files, |files, (name, value)| {
        files.layer(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value)))
    }))
}

#[cfg(feature = "embed-page")]
fn own_page() -> Router {
    use axum::http::header::CONTENT_TYPE;
    use axum::http::{StatusCode, Uri};
    use axum::response::IntoResponse;
    use axum::routing::get;
    use include_dir::{Dir, include_dir};

    static PAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../client-js/demo/dist");
    async fn file(uri: Uri) -> Result<impl IntoResponse, StatusCode> {
        let path = match uri.path() {
            "/" => "index.html",
            path => path.trim_start_matches('/'),
        };
        let file = PAGE.get_file(path).ok_or(StatusCode::NOT_FOUND)?;
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        Ok(([(CONTENT_TYPE, kind.essence_str().to_owned())], file.contents()))
    }
    Router::new().fallback(get(file))
}

#[cfg(not(feature = "embed-page"))]
fn own_page() -> Router {
    const NOT_BUILT: &str = "This is a Hither server without its demo page: `cargo xtask demo` builds it.\n\
        Clients find the server by /.well-known/hither.\n";
    Router::new().route("/", axum::routing::get(|| async { NOT_BUILT }))
}

#[cfg(test)]
mod tests {
    use super::super::serve::tests::{get_path, start};
    use super::*;

    /// A folder with a page, and a secret beside it.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let around = tempfile::tempdir().unwrap();
        let page = around.path().join("page");
        std::fs::create_dir_all(page.join("assets")).unwrap();
        for (path, text) in [
            ("page/index.html", "<!doctype html><title>demo</title>"),
            ("page/assets/main.js", "export {}"),
            ("page/assets/main.css", "p{}"),
            ("page/icon.svg", "<svg/>"),
            ("secret", "secret"),
        ] {
            std::fs::write(around.path().join(path), text).unwrap();
        }
        (around, page)
    }

    #[tokio::test]
    async fn files_of_the_folder_are_served_by_their_types() {
        let (_around, page) = folder();
        let (addr, _stop, _task) = start(page_router(Some(&page)).unwrap()).await;
        for (path, kind) in [
            ("/", "text/html"),
            ("/?room=lobby", "text/html"),
            ("/index.html", "text/html"),
            ("/assets/main.js", "text/javascript"),
            ("/assets/main.css", "text/css"),
            ("/icon.svg", "image/svg+xml"),
        ] {
            let answer = get_path(addr, path).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
            for header in [
                format!("content-type: {kind}"),
                format!("content-security-policy: {POLICY}"),
                "x-content-type-options: nosniff".to_owned(),
                "cache-control: no-cache".to_owned(),
            ] {
                assert!(answer.contains(&header), "{path}: no {header} in {answer}");
            }
        }
        assert!(get_path(addr, "/none.js").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn nothing_outside_of_the_folder_is_served() {
        let (around, page) = folder();
        let (addr, _stop, _task) = start(page_router(Some(&page)).unwrap()).await;
        let absolute = format!("/{}/secret", around.path().display());
        for path in [
            "/../secret",
            "/assets/../../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/assets/..%2f..%2fsecret",
            "/%2e%2e%2fsecret",
            "/..%5csecret",
            "/..%00/secret",
            "//secret",
            &absolute,
            &absolute.replace('/', "%2f"),
        ] {
            let answer = get_path(addr, path).await;
            let status = answer.split(' ').nth(1).unwrap();
            assert!(matches!(status, "400" | "404"), "{path}: {answer}");
        }
    }

    #[test]
    fn a_folder_without_a_page_is_the_operators_error() {
        let (around, _) = folder();
        let error = page_router(Some(around.path())).unwrap_err().to_string();
        assert!(error.contains("index.html") && error.contains("cargo xtask demo"), "{error}");
    }

    #[cfg(not(feature = "embed-page"))]
    #[tokio::test]
    async fn without_a_page_the_server_says_what_builds_it() {
        let (addr, _stop, _task) = start(page_router(None).unwrap()).await;
        let answer = get_path(addr, "/").await;
        assert!(answer.contains("text/plain") && answer.contains("cargo xtask demo"), "{answer}");
        assert!(get_path(addr, "/index.html").await.starts_with("HTTP/1.1 404"));
    }

    #[cfg(feature = "embed-page")]
    #[tokio::test]
    async fn a_page_within_the_binary_needs_no_folder() {
        let (addr, _stop, _task) = start(page_router(None).unwrap()).await;
        let answer = get_path(addr, "/").await;
        assert!(answer.contains("text/html") && answer.contains("<!doctype html>"), "{answer}");
        assert!(answer.contains(POLICY), "{answer}");
        for path in ["/none.js", "/../index.html", "/%2e%2e/package.json"] {
            assert!(get_path(addr, path).await.starts_with("HTTP/1.1 404"), "{path}");
        }
    }
}
