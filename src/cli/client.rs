//! Asks the API: of the daemon that is at work in the data folder, or, where nobody is, of an engine in this process.
//!
//! Both ways lead to the same routes, so a command has one code path and gets one set of answers.
//!
//! Does not know what is asked, nor how an answer is shown.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tower::ServiceExt;

use crate::config::Config;
use crate::daemon::engine;
use crate::daemon::inside::Inside;
use crate::exit::Exit;
use crate::os::clock::Clock;
use crate::tls;

/// The variable that holds the token sent to a daemon that demands one.
pub(super) const TOKEN: &str = "CALLRATED_TOKEN";
/// How long to wait for another command to leave the data folder, or for a daemon to say where it answers.
const FOLDER_WAIT: Duration = Duration::from_secs(10);
/// How often to look meanwhile.
const FOLDER_LOOK: Duration = Duration::from_millis(50);
/// Most bytes of an answer that is read whole. What may be longer is streamed.
const ANSWER_MAX: usize = 256 << 20;

/// A way to the API.
pub(super) struct Client(Way);

enum Way {
    Daemon { address: SocketAddr, token: Option<String>, tls: Option<TlsConnector> },
    Inside { inside: Box<Inside>, router: Router },
}

impl Client {
    /// Finds the daemon, or starts the engine.
    pub(super) async fn open(config: &Config) -> Result<Client, Exit> {
        if let Some(address) = daemon_of(&config.data_dir).await? {
            let tls = config.http_tls.as_ref().map(tls::client_of).transpose().map_err(Exit::usage)?;
            return Ok(Client(Way::Daemon { address, token: std::env::var(TOKEN).ok(), tls }));
        }
        let inside = Box::new(Inside::start(config).await?);
        let router = inside.router();
        Ok(Client(Way::Inside { inside, router }))
    }

    /// Stops what was started.
    pub(super) async fn close(self) -> Result<(), Exit> {
        match self.0 {
            Way::Daemon { .. } => Ok(()),
            Way::Inside { inside, router } => {
                drop(router);
                inside.stop().await
            }
        }
    }

    /// Sends a request; any status is an answer.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, Exit> {
        match &self.0 {
            Way::Inside { router, .. } => match router.clone().oneshot(request).await {
                Ok(response) => Ok(response),
                Err(never) => match never {},
            },
            Way::Daemon { address, token, tls } => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                let gone = |e: &dyn std::fmt::Display| {
                    Exit::environment(format!("the daemon on {scheme}://{address} does not answer: {e}"))
                };
                let headers = request.headers_mut();
                if let Ok(host) = address.to_string().parse() {
                    headers.insert(header::HOST, host);
                }
                if let Some(token) = token {
                    let value = format!("Bearer {token}").parse();
                    headers.insert(
                        header::AUTHORIZATION,
                        value.map_err(|_| Exit::usage(format!("{TOKEN} holds characters that no token has")))?,
                    );
                }
                let stream = TcpStream::connect(address).await.map_err(|e| gone(&e))?;
                let sent = match tls {
                    None => over(stream, request).await,
                    Some(tls) => {
                        let name = ServerName::from(address.ip());
                        over(tls.connect(name, stream).await.map_err(|e| gone(&e))?, request).await
                    }
                };
                sent.map_err(|e| gone(&e))
            }
        }
    }

    /// Sends a request; anything but success is an error with its exit code.
    pub(super) async fn ask(&self, request: Request<Body>) -> Result<Response<Body>, Exit> {
        let response = self.send(request).await?;
        if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
    }

    /// `GET`, with what is accepted.
    pub(super) async fn get(&self, path: &str, accept: &str) -> Result<Response<Body>, Exit> {
        self.ask(request(Method::GET, path, &[(header::ACCEPT, accept)], Body::empty())?).await
    }

    /// `GET` of JSON.
    pub(super) async fn get_json(&self, path: &str) -> Result<Value, Exit> {
        json(self.get(path, "application/json").await?).await
    }

    /// `POST` of JSON.
    pub(super) async fn post_json(&self, path: &str, body: &Value) -> Result<Value, Exit> {
        json(self.ask(post(path, body)?).await?).await
    }
}

/// Sends a request over a connection of its own.
async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<Response<Body>, hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the answer's body.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?.map(Body::new))
}

/// A `POST` of JSON.
pub(super) fn post(path: &str, body: &Value) -> Result<Request<Body>, Exit> {
    request(Method::POST, path, &[(header::CONTENT_TYPE, "application/json")], Body::from(body.to_string()))
}

/// Any request.
pub(super) fn request(
    method: Method,
    path: &str,
    headers: &[(header::HeaderName, &str)],
    body: Body,
) -> Result<Request<Body>, Exit> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(name, *value);
    }
    builder.body(body).map_err(|e| Exit::usage(format!("{path} cannot be asked: {e}")))
}

/// Where the daemon answers that holds the folder; none: nobody is there. Waits while somebody is there who does not
/// say where he answers: a daemon that is starting, or another command.
async fn daemon_of(folder: &Path) -> Result<Option<SocketAddr>, Exit> {
    let clock = Clock::wall();
    let until = clock.running().0 + FOLDER_WAIT.as_micros() as i64;
    loop {
        let Some(address) = engine::running(folder) else { return Ok(None) };
        if let Ok(address) = address.parse::<SocketAddr>() {
            return Ok(Some(reachable(address)));
        }
        if clock.running().0 > until {
            return Err(Exit::environment(format!(
                "the data folder {} is in use by a process that does not say where it answers; wait for it to end",
                folder.display()
            )));
        }
        tokio::time::sleep(FOLDER_LOOK).await;
    }
}

/// An address to which one can connect: a daemon that listens everywhere is reached on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// An answer's body, whole.
pub(super) async fn bytes(response: Response<Body>) -> Result<Bytes, Exit> {
    let body = http_body_util::Limited::new(response.into_body(), ANSWER_MAX);
    let collected = body.collect().await.map_err(|e| Exit::environment(format!("the answer ended early: {e}")))?;
    Ok(collected.to_bytes())
}

/// An answer's body as JSON.
pub(super) async fn json(response: Response<Body>) -> Result<Value, Exit> {
    let bytes = bytes(response).await?;
    serde_json::from_slice(&bytes).map_err(|e| Exit::environment(format!("the answer is not JSON: {e}")))
}

/// What a status means for the process's end.
pub(super) async fn refused(response: Response<Body>) -> Exit {
    let status = response.status();
    let problem: Option<Value> = match bytes(response).await {
        Ok(bytes) => serde_json::from_slice(&bytes).ok(),
        Err(_) => None,
    };
    exit_of(status, problem.as_ref())
}

/// The same for a problem that was read already.
pub(super) fn exit_of(status: StatusCode, problem: Option<&Value>) -> Exit {
    let detail = problem.and_then(|p| p["detail"].as_str()).map(str::to_owned);
    let detail = detail.unwrap_or_else(|| format!("the daemon answered {status}"));
    match status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_ACCEPTABLE => Exit::usage(detail),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Exit::usage(format!("{detail} (put a token into the variable {TOKEN})"))
        }
        status if status.is_client_error() => Exit::faults(detail),
        _ => Exit::environment(detail),
    }
}

/// A text as one segment of a path: everything but letters, digits and `-._~` percent-encoded.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // Two dots alone would be a step up.
    match out.as_str() {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => out,
    }
}

/// A path with a query of those parameters that have a value.
pub(super) fn path(path: &str, query: &[(&str, Option<&str>)]) -> String {
    let mut out = path.to_owned();
    for (name, value) in query {
        if let Some(value) = value {
            out.push(if out.contains('?') { '&' } else { '?' });
            out.push_str(name);
            out.push('=');
            out.push_str(&segment(value));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_hold_anything() {
        for (text, expected) in [
            ("acme", "acme"),
            ("a/b@c", "a%2Fb%40c"),
            ("ä", "%C3%A4"),
            ("..", "%2E%2E"),
            ("a b?c#d%", "a%20b%3Fc%23d%25"),
        ] {
            assert_eq!(segment(text), expected);
        }
        assert_eq!(path("/v1/x", &[("a", Some("1")), ("b", None), ("c", Some("d e"))]), "/v1/x?a=1&c=d%20e");
    }

    #[test]
    fn everywhere_is_reached_on_loopback() {
        for (said, asked) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.1:3", "10.0.0.1:3")] {
            assert_eq!(reachable(said.parse().unwrap()).to_string(), asked);
        }
    }
}
