//! Errors as RFC 9457 problem details.
//!
//! Does not know which request went wrong.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every error.
pub const PROBLEM: &str = "application/problem+json";

/// Why a request was not answered as asked (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says the kind, `detail` says the rest.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What is wrong and what would be right, for a person.
    #[schema(example = "no account \"acme\" is known")]
    detail: String,
    /// Each fault by itself, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<String>,
    /// Further members (RFC 9457 §3.2).
    #[serde(flatten)]
    #[schema(ignore)]
    more: serde_json::Map<String, serde_json::Value>,
    /// Headers that go with it; apart, since most problems have none and all are handed up by value.
    #[serde(skip)]
    headers: Box<HeaderMap>,
}

impl Problem {
    /// Of any status.
    pub fn of(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("error"),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            more: serde_json::Map::new(),
            headers: Box::default(),
        }
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::of(StatusCode::BAD_REQUEST, detail)
    }

    /// 401, with the challenge that RFC 6750 wants.
    pub fn unauthorized(detail: impl Into<String>, challenge: &'static str) -> Problem {
        Problem::of(StatusCode::UNAUTHORIZED, detail).challenge(challenge)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::of(StatusCode::FORBIDDEN, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::of(StatusCode::NOT_FOUND, detail)
    }

    /// 409: not as things stand now.
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::of(StatusCode::CONFLICT, detail)
    }

    /// 422: understood, but cannot be done.
    pub fn unprocessable(detail: impl Into<String>) -> Problem {
        Problem::of(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 503: the store or the journal is away.
    pub fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::of(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
    }

    /// 503: the daemon is ending; a restart takes seconds.
    pub fn stopping() -> Problem {
        Problem::unavailable("the daemon is stopping").retry_after(5)
    }

    /// Names each fault by itself.
    pub fn errors(mut self, errors: Vec<String>) -> Problem {
        self.errors = errors;
        self
    }

    /// With a further member.
    pub fn with(mut self, name: &str, value: serde_json::Value) -> Problem {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// Says when to try again.
    pub fn retry_after(mut self, seconds: u16) -> Problem {
        self.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// Says how to be let in.
    pub fn challenge(mut self, challenge: &'static str) -> Problem {
        self.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        self
    }

    /// Takes over headers that the first answer had.
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Problem {
        self.headers.insert(name, value);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = HeaderMap::clone(&self.headers);
        let mut response = (status, headers, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        response
    }
}
