//! One attempt: a signed POST over a connection of its own. Events are rare; a connection that is kept would mostly be one
//! that has died meanwhile.
//!
//! Does not know when it is tried again.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{BadSecret, Signer, Webhook, seconds};
use crate::guard::Event;
use crate::time::Timestamp;
use crate::tls::{self, TlsError};

/// Most bytes of an answer that are read: it is only shown.
const ANSWER_MAX: usize = 4096;

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The receiver does not want this very event; others may go on.
    #[error("it answers {0}")]
    Refused(StatusCode),
    /// The receiver takes nothing now.
    #[error("it answers {0}")]
    Busy(StatusCode),
    /// It cannot be reached, or does not answer.
    #[error("{0}")]
    Away(String),
    /// We cannot sign.
    #[error(transparent)]
    Secret(#[from] BadSecret),
    /// We trust nobody.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl NotTaken {
    /// Whether it is about this event, not about the receiver.
    pub fn is_of_event(&self) -> bool {
        matches!(self, NotTaken::Refused(_))
    }
}

/// What the receiver answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// The beginning of its body.
    pub body: String,
}

/// Tells one event once. The secret and the authority's file are read anew each time, so that they may be renewed.
pub async fn send(webhook: &Webhook, event: &Event, now: Timestamp) -> Result<Answer, NotTaken> {
    let answer = ask(webhook, event, now).await?;
    match answer.status {
        status if status.is_success() => Ok(answer),
        // Not now, too many, too early, and whoever has gone may come back under the same address.
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS) => {
            Err(NotTaken::Busy(status))
        }
        status if status.is_client_error() && !names_the_place(status) => Err(NotTaken::Refused(status)),
        status => Err(NotTaken::Busy(status)),
    }
}

/// Statuses that speak of the address or of us, whatever is sent there.
fn names_the_place(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::GONE
    )
}

/// Sends, and gives whatever is answered.
pub async fn ask(webhook: &Webhook, event: &Event, now: Timestamp) -> Result<Answer, NotTaken> {
    let signer = webhook.signer()?;
    let away = |e: &dyn std::fmt::Display| NotTaken::Away(e.to_string());
    let host = webhook.url.host().unwrap_or_default().to_owned();
    let secure = webhook.url.scheme_str() == Some("https");
    let port = webhook.url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let request = request(webhook, &signer, event, now).map_err(|e| away(&e))?;
    let connector = if secure { Some(tls::client(webhook.ca.as_deref().map(Path::new))?) } else { None };
    let asked = async {
        // An address in brackets is one without.
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((name, port)).await.map_err(|e| away(&e))?;
        match connector {
            None => over(stream, request).await,
            Some(connector) => {
                let name = ServerName::try_from(name.to_owned()).map_err(|e| away(&e))?;
                over(connector.connect(name, stream).await.map_err(|e| away(&e))?, request).await
            }
        }
    };
    let patience: Duration = webhook.timeout;
    match timeout(patience, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(NotTaken::Away(format!("no answer within {} ms", patience.as_millis()))),
    }
}

fn request(
    webhook: &Webhook,
    signer: &Signer,
    event: &Event,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let path = webhook.url.path_and_query().map_or("/", |path| path.as_str());
    let authority = webhook.url.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("callrated/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &event.id)
        .header("webhook-timestamp", seconds(now).to_string())
        .header("webhook-signature", signer.sign(&event.id, now, &event.body))
        .body(Full::new(Bytes::copy_from_slice(event.body.as_bytes())))
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, NotTaken> {
    let away = |e: hyper::Error| NotTaken::Away(e.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(away)?;
    // Ends with the sender, or when the receiver hangs up.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(away)?;
    let status = response.status();
    // A status is an answer, whatever becomes of the rest.
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
    let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
    connection.abort();
    Ok(Answer { status, body })
}
