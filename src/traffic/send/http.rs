//! Records over HTTP: a parcel is a request, and its answer says what became of it.
//!
//! Does not know the schedule.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LAST_ANSWERS, Line, Report};

/// What stands in front of each body.
pub(super) struct Post {
    /// Host and port.
    pub(super) authority: String,
    /// Where records are posted.
    pub(super) path: String,
    /// Bearer token.
    pub(super) token: Option<String>,
}

#[derive(Deserialize)]
struct Posted {
    durable: u64,
    refused: Vec<PostedRefusal>,
}

#[derive(Deserialize)]
struct PostedRefusal {
    error: String,
}

/// One request after the other on one connection.
pub(super) async fn over_http(stream: TcpStream, post: Post, mut line: Line) -> Report {
    let mut report = Report::default();
    let (mut requests, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(ready) => ready,
        Err(error) => return Report { trouble: Some(error.to_string()), ..report },
    };
    let driving = tokio::spawn(connection);
    while let Some(parcel) = line.parcels.recv().await {
        let asked = ask(&mut requests, &post, parcel.text);
        let trouble = match timeout(LAST_ANSWERS, asked).await {
            Ok(Ok(posted)) => {
                let latency = line.since(parcel.due);
                report.sent += parcel.records;
                report.durable += posted.durable;
                report.refused += posted.refused.len() as u64;
                (0..posted.durable).for_each(|_| report.latency.record(latency));
                posted.refused.into_iter().next().map(|refusal| refusal.error)
            }
            Ok(Err(trouble)) => Some(trouble),
            Err(_) => Some(format!("no answer for {} s", LAST_ANSWERS.as_secs())),
        };
        line.settled(parcel.records);
        if report.trouble.is_none() {
            report.trouble = trouble;
        }
        if requests.is_closed() {
            report.trouble.get_or_insert("the daemon closed the connection".to_owned());
            break;
        }
    }
    driving.abort();
    report
}

async fn ask(requests: &mut http1::SendRequest<Full<Bytes>>, post: &Post, text: Vec<u8>) -> Result<Posted, String> {
    let mut request = Request::post(&post.path)
        .header(header::HOST, &post.authority)
        .header(header::CONTENT_TYPE, "application/x-ndjson");
    if let Some(token) = &post.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::from(text))).map_err(|e| e.to_string())?;
    requests.ready().await.map_err(|e| e.to_string())?;
    let response = requests.send_request(request).await.map_err(|e| e.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    if !status.is_success() {
        return Err(format!("status {status}: {}", String::from_utf8_lossy(&body)));
    }
    serde_json::from_slice(&body).map_err(|e| format!("an answer that is none: {e}"))
}
