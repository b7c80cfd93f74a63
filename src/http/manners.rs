//! Manners of every answer: errors are problem details, nothing is cached, a client that dawdles with its body is given
//! up, and `Accept` is honoured.
//!
//! Does not know resources.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::time::{Sleep, sleep};

use super::Problem;
use super::problem::PROBLEM;

/// Longest body of a request that is read whole; records are posted as a stream and have their own limit.
pub(super) const BODY_MAX: usize = 64 << 10;
/// Longest wait for more of a body.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// Longest text of an error of the framework's own: they are sentences.
const TEXT_MAX: usize = 4096;

/// Goes around every route.
pub(super) async fn tidy(request: Request, next: Next) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request.map(|body| Body::new(PatientBody::new(body)))).await;
    let mut response = if is_bare_error(&response) { problem(&what, response).await } else { response };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != PROBLEM)
}

/// The framework's own errors (no such path, wrong method, unreadable JSON) in the house's form.
async fn problem(what: &str, response: Response) -> Response {
    let status = response.status();
    let (parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, TEXT_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let detail = match status {
        StatusCode::NOT_FOUND if text.is_empty() => format!("{what}: no such path; /openapi.json lists them"),
        StatusCode::METHOD_NOT_ALLOWED => format!("{what}: not with this method; the header Allow says with which"),
        StatusCode::PAYLOAD_TOO_LARGE => format!("the body is longer than {BODY_MAX} bytes"),
        _ if text.is_empty() => status.canonical_reason().unwrap_or("error").to_owned(),
        _ => text.into_owned(),
    };
    let mut problem = Problem::of(status, detail);
    for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = parts.headers.get(&name) {
            problem = problem.header(name, value.clone());
        }
    }
    problem.into_response()
}

/// Which of the offered media types the client likes best; the first where it says nothing.
pub(super) fn choose(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Problem> {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        ranges.extend(value.to_str().unwrap_or_default().split(',').filter_map(range));
    }
    let first = offered.first().copied().unwrap_or_default();
    if ranges.is_empty() {
        return Ok(first);
    }
    // Of what matches an offer, the most exact range counts; of offers liked alike, the first.
    let liking = |offer: &str| ranges.iter().filter_map(|r| r.matches(offer).map(|exact| (exact, r.quality))).max();
    let mut best: Option<(u16, &'static str)> = None;
    for offer in offered {
        if let Some((_, quality)) = liking(offer)
            && quality > best.map_or(0, |(quality, _)| quality)
        {
            best = Some((quality, offer));
        }
    }
    best.map(|(_, offer)| offer)
        .ok_or_else(|| Problem::of(StatusCode::NOT_ACCEPTABLE, format!("this can be had as {}", offered.join(", "))))
}

struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Thousandths.
    quality: u16,
}

fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let mut quality = 1000;
    for part in parts {
        if let Some(q) = part.strip_prefix("q=").or(part.strip_prefix("Q=")) {
            quality = thousandths(q)?;
        }
    }
    Some(Range { kind, subtype, quality })
}

/// `1`, `0.8`, `0.125`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

impl Range<'_> {
    /// How exactly it names the offer; none if it does not. Parameters of the offer do not count.
    fn matches(&self, offer: &str) -> Option<u8> {
        let name = offer.split(';').next().unwrap_or(offer);
        let (kind, subtype) = name.split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (k, "*") if k.eq_ignore_ascii_case(kind) => Some(1),
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        }
    }
}

/// A request's body that fails once nothing more of it comes.
struct PatientBody {
    body: Body,
    end: Option<Pin<Box<Sleep>>>,
}

impl PatientBody {
    fn new(body: Body) -> PatientBody {
        PatientBody { body, end: None }
    }
}

impl hyper::body::Body for PatientBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.end = None;
            return Poll::Ready(frame);
        }
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(BODY_WAIT)));
        match end.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let seconds = BODY_WAIT.as_secs();
                Poll::Ready(Some(Err(axum::Error::new(std::io::Error::other(format!(
                    "nothing more of the body came for {seconds} s"
                ))))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_offer_is_chosen() {
        let offered = &["text/csv; charset=utf-8", "application/x-ndjson", "application/json"];
        for (accept, expected) in [
            (None, Some("text/csv")),
            (Some("*/*"), Some("text/csv")),
            (Some("application/x-ndjson"), Some("application/x-ndjson")),
            (Some("Application/JSON"), Some("application/json")),
            (Some("text/html, application/xhtml+xml, */*;q=0.8"), Some("text/csv")),
            (Some("text/csv;q=0.5, application/json"), Some("application/json")),
            (Some("application/*;q=0.5, text/csv;q=0.4"), Some("application/x-ndjson")),
            (Some("*/*, text/csv;q=0"), Some("application/x-ndjson")),
            (Some("*/*;q=0.1, application/json;q=0.125"), Some("application/json")),
            (Some("text/csv; header=present"), Some("text/csv")),
            (Some("text/html"), None),
            (Some("text/csv;q=0"), None),
            (Some("text/csv;q=7"), Some("text/csv")),
            (Some("nonsense"), Some("text/csv")),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            let chosen = choose(&headers, offered).ok().map(|offer| offer.split(';').next().unwrap_or(offer));
            assert_eq!(chosen, expected, "{accept:?}");
        }
    }

    #[test]
    fn qualities_are_read_exactly() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            ("0.001", Some(1)),
            ("1.5", None),
            ("0.1234", None),
            ("", None),
            ("-1", None),
            ("0.+5", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }
}
