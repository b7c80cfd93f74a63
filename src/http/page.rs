//! `GET /`: the page for whoever is woken at night. It holds no data; it asks `/v1/status`.
//!
//! Everything is served from here and the content security policy allows nothing else: no script of another origin, no
//! inline script, no frame.
//!
//! Does not know how the daemon is.

use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Problem;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The operator's page.
///
/// One page without data of its own; it shows `/v1/status` and renews itself.
#[utoipa::path(
    get, path = "/", tag = "health", operation_id = "page",
    responses((status = 200, body = String, content_type = "text/html")),
)]
pub(super) async fn index() -> Response {
    asset("text/html; charset=utf-8", include_str!("../page/index.html"))
}

/// The page of one call.
///
/// Its proof, step by step, in the language of `lang`; it asks `/v1/calls/{node}/{id}/explain`. An address that can be sent on.
#[utoipa::path(
    get, path = "/calls/{node}/{id}", tag = "health", operation_id = "call_page",
    params(
        ("node" = String, Path, description = "The record's node"), ("id" = String, Path, description = "Its id"),
        ("lang" = Option<String>, Query, description = "`en`, `de` or `it`; without it the browser's"),
    ),
    responses((status = 200, body = String, content_type = "text/html")),
)]
pub(super) async fn call() -> Response {
    asset("text/html; charset=utf-8", include_str!("../page/call.html"))
}

/// A file of the operator's page.
#[utoipa::path(
    get, path = "/page/{file}", tag = "health", operation_id = "page_file",
    params(("file" = String, Path, description = "`style.css`, `script.js` or `call.js`")),
    responses(
        (status = 200, content((String = "text/css"), (String = "text/javascript"))),
        (status = "default", response = super::openapi::AnyProblem),
    ),
)]
pub(super) async fn file(Path(file): Path<String>) -> Result<Response, Problem> {
    match file.as_str() {
        "style.css" => Ok(asset("text/css; charset=utf-8", include_str!("../page/style.css"))),
        "script.js" => Ok(asset("text/javascript; charset=utf-8", include_str!("../page/script.js"))),
        "call.js" => Ok(asset("text/javascript; charset=utf-8", include_str!("../page/call.js"))),
        _ => Err(Problem::not_found("the page has style.css, script.js and call.js")),
    }
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    put(header::CONTENT_TYPE, kind);
    put(header::CONTENT_SECURITY_POLICY, POLICY);
    put(header::REFERRER_POLICY, "no-referrer");
    put(header::X_FRAME_OPTIONS, "DENY");
    // The files go with the program: an old script with a new page would show nonsense.
    put(header::CACHE_CONTROL, "no-cache");
    response
}
