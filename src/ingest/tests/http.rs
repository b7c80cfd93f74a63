use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;

use super::*;
use crate::ingest::http::{BODY_MAX, post_calls};

/// Posts a body in pieces of that size; gives status, `Retry-After`, answer, and what was taken.
async fn post(
    content_type: &str,
    text: &str,
    piece: usize,
    mood: Mood,
    body_max: u64,
) -> (StatusCode, Option<String>, serde_json::Value, Taken) {
    let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
    let taken = Arc::new(Mutex::new(Taken::default()));
    let sequencing = tokio::spawn(sequencer(inbox, mood, None, taken.clone()));
    let format = content_type.strip_prefix("format ").map_or(Format::Auto, |name| Format::named(name).unwrap());
    let door = door(format, outbox);
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    }
    let pieces: Vec<_> = text.as_bytes().chunks(piece.max(1)).map(bytes::Bytes::copy_from_slice).collect();
    let response = post_calls(&door, &headers, Body::new(Pieces(pieces.into_iter())), body_max).await;
    drop(door);
    sequencing.await.unwrap();
    let retry = response.headers().get(header::RETRY_AFTER).map(|v| v.to_str().unwrap().to_owned());
    let status = response.status();
    let answer = response.into_body().collect().await.unwrap().to_bytes();
    let taken = Arc::into_inner(taken).unwrap().into_inner().unwrap();
    (status, retry, serde_json::from_slice(&answer).unwrap(), taken)
}

/// A body that arrives in pieces.
struct Pieces(std::vec::IntoIter<bytes::Bytes>);

impl hyper::body::Body for Pieces {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.next().map(|piece| Ok(hyper::body::Frame::data(piece))))
    }
}

/// A node posts and is told 200 only once its record is synced: until then it is told nothing.
#[tokio::test]
async fn an_answer_means_durable() {
    let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
    let (taken, gate) = (Arc::new(Mutex::new(Taken::default())), Arc::new(tokio::sync::Semaphore::new(0)));
    let sequencing = tokio::spawn(sequencer(inbox, Mood::Takes, Some(gate.clone()), taken.clone()));
    let door = door(Format::Auto, outbox);
    let headers = HeaderMap::new();
    let posted = tokio::spawn(async move { post_calls(&door, &headers, Body::from(record("a")), BODY_MAX).await });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(!posted.is_finished() && taken.lock().unwrap().ids.is_empty());
    gate.add_permits(1);
    assert_eq!(posted.await.unwrap().status(), StatusCode::OK);
    assert_eq!(taken.lock().unwrap().ids, ["listener/a"]);
    sequencing.await.unwrap();
}

async fn check(content_type: &str, text: &str, ids: &[&str], answer: &str) {
    for piece in [1, 7, text.len()] {
        let (status, _, got, taken) = post(content_type, text, piece, Mood::Takes, BODY_MAX).await;
        let expected: serde_json::Value = serde_json::from_str(answer).unwrap();
        assert_eq!((status, got), (StatusCode::OK, expected), "{content_type} in pieces of {piece}");
        assert_eq!(taken.ids, ids, "{content_type} in pieces of {piece}");
        assert_eq!(taken.received - taken.refused, ids.len() as u64);
    }
}

#[tokio::test]
async fn bodies() {
    let (a, b) = (record("a"), record("b"));
    let ids = ["listener/a", "listener/b"];
    let both = r#"{"durable":2,"refused":[]}"#;
    check("application/x-ndjson", &format!("{a}\n\n{b}"), &ids, both).await;
    check("application/x-ndjson; charset=utf-8", &format!("{a}\n{b}\n"), &ids, both).await;
    check("application/json", &format!("[{a},\n{b}]"), &ids, both).await;
    check("application/json", &format!("{a}\n{b}\n"), &ids, both).await;
    check("application/json", &a.replace(',', ",\n  "), &ids[..1], r#"{"durable":1,"refused":[]}"#).await;
    check("", &format!("\n[{a},{b}]"), &ids, both).await;
    check("application/x-www-form-urlencoded", &format!("{a}\n{b}"), &ids, both).await;
    let rows = "id,source,destination,duration\na,1,2,61\nb,1,2,61\n";
    check("text/csv", rows, &ids, both).await;
    check("text/plain", rows, &ids, both).await;
    check("application/json", "", &[], r#"{"durable":0,"refused":[]}"#).await;
    check("application/json", "[]", &[], r#"{"durable":0,"refused":[]}"#).await;
}

#[tokio::test]
async fn refused_lines_are_named() {
    let missing = r#"{"id":"x","source":"1","destination":"2"}"#;
    let why = "neither \\\"duration\\\" nor \\\"end\\\": how long the call was cannot be known";
    let expected = format!(r#"{{"durable":1,"refused":[{{"line":3,"error":"{why}"}}]}}"#);
    check("application/x-ndjson", &format!("{}\n\n{missing}", record("a")), &["listener/a"], &expected).await;
    let expected = expected.replace(":3", ":1");
    check("application/json", &format!("[{missing},{}]", record("a")), &["listener/a"], &expected).await;
    check(
        "application/json",
        &format!("[{},", record("a")),
        &["listener/a"],
        r#"{"durable":1,"refused":[{"line":2,"error":"malformed JSON at column 1: the document ends before its array does"}]}"#,
    )
    .await;
    check(
        "text/csv",
        "id,source,destination,duration\n1,2\na,1,2,61",
        &["listener/a"],
        r#"{"durable":1,"refused":[{"line":2,"error":"the row has 2 cells and the header 4: a cell that holds the separator must stand in double quotes"}]}"#,
    )
    .await;
}

#[tokio::test]
async fn long_bodies_go_in_several_batches() {
    let text: String = (0..30_000).map(|id| format!("{}\n", record(id))).collect();
    let (status, _, answer, taken) = post("application/x-ndjson", &text, 100_000, Mood::Takes, BODY_MAX).await;
    assert_eq!((status, &answer["durable"]), (StatusCode::OK, &serde_json::json!(30_000)));
    assert_eq!((taken.ids.len(), taken.ids[29_999].as_str()), (30_000, "listener/29999"));
    assert!((2..20).contains(&taken.batches), "{}", taken.batches);
}

#[tokio::test]
async fn a_record_may_have_one_mib() {
    let long = |bytes: usize| {
        let bare = record("a");
        bare.replacen('}', &format!(",\"x\":\"{}\"}}", "x".repeat(bytes - bare.len() - 7)), 1)
    };
    for content_type in ["application/json", "application/x-ndjson"] {
        let text = format!("{}\n{}\n{}", long(1 << 20), long((1 << 20) + 1), record("b"));
        let (status, _, answer, taken) = post(content_type, &text, 50_000, Mood::Takes, BODY_MAX).await;
        let expected =
            serde_json::json!({"durable":2,"refused":[{"line":2,"error":"the line is longer than 1048576 bytes"}]});
        assert_eq!((status, answer), (StatusCode::OK, expected), "{content_type}");
        assert_eq!(taken.ids, ["listener/a", "listener/b"]);
    }
}

#[tokio::test]
async fn a_full_journal_is_said_with_what_was_kept() {
    let text: String = (0..30_000).map(|id| format!("{}\n", record(id))).collect();
    let (status, retry, answer, taken) = post("", &text, 100_000, Mood::FullAfter(1), BODY_MAX).await;
    assert_eq!((status, retry.as_deref()), (StatusCode::SERVICE_UNAVAILABLE, Some("30")));
    assert_eq!(answer["durable"], serde_json::json!(taken.ids.len()));
    assert!(!taken.ids.is_empty());
    assert!(answer["detail"].as_str().unwrap().starts_with("journal full"), "{answer}");
}

#[tokio::test]
async fn what_is_not_taken_at_all() {
    let (status, _, answer, _) = post("application/xml", "<x/>", 9, Mood::Takes, BODY_MAX).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{answer}");
    let text = format!("{}\n{}\n", record(1), record(2));
    let (status, _, answer, taken) = post("", &text, record(1).len() + 1, Mood::Takes, text.len() as u64 - 1).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    assert_eq!(answer["durable"], serde_json::json!(taken.ids.len()));
}

/// A record of FreeSWITCH in every way in which its modules post one.
#[tokio::test]
async fn whatever_the_content_type_says() {
    use base64::Engine;

    let leg = |uuid: &str, direction: &str| {
        format!(
            r#"{{"variables":{{"uuid":"{uuid}","direction":"{direction}","sip_from_user":"%2B491","sip_req_user":"492","answer_uepoch":"1795297932878737","billusec":"1203793"}}}}"#
        )
    };
    let xml = "<?xml version=\"1.0\"?>\n<cdr><variables><uuid>a</uuid><direction>inbound</direction><sip_from_user>%2B491</sip_from_user>\
        <sip_h_X-odd/name:1>x</sip_h_X-odd/name:1><sip_req_user>492</sip_req_user><answer_epoch>1795297932</answer_epoch><billsec>1</billsec></variables></cdr>";
    let percent =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let one = r#"{"durable":1,"refused":[]}"#;
    let json = leg("a", "inbound");
    for body in [
        json.clone(),
        format!("\n{json}\n"),
        format!("cdr={json}"),
        format!("cdr={}", percent(&json)),
        format!("cdr={}", base64::engine::general_purpose::STANDARD.encode(&json)),
        percent(&json),
        xml.to_owned(),
        format!("cdr={xml}"),
        format!("cdr={}", percent(xml)),
        // The other leg of the same call is nobody's record.
        format!("[{json},{}]", leg("b", "outbound")),
    ] {
        check("format freeswitch", &body, &["listener/a"], one).await;
    }
    check("format freeswitch", &leg("b", "outbound"), &[], r#"{"durable":0,"refused":[]}"#).await;
    let (_, _, answer, _) = post("format freeswitch", "cdr=%7B%22a", 3, Mood::Takes, BODY_MAX).await;
    assert_eq!(answer["refused"][0]["line"], 1, "{answer}");
    // Rows under names that no header brings.
    let row = r#""acme","1","2","in","","c","d","Dial","","2026-11-21 21:56:51","2026-11-21 21:56:51","2026-11-21 21:56:54",3,3,"ANSWERED","DOCUMENTATION","17.0","","","17.0",4"#;
    check(
        "format asterisk-csv",
        &format!("{row}\r\n{row}\n"),
        &["listener/17.0/4", "listener/17.0/4"],
        r#"{"durable":2,"refused":[]}"#,
    )
    .await;
}

#[tokio::test]
async fn the_route_takes_a_body() {
    use tower::ServiceExt;

    let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
    let taken = Arc::new(Mutex::new(Taken::default()));
    let sequencing = tokio::spawn(sequencer(inbox, Mood::Takes, None, taken.clone()));
    let router = axum::Router::new()
        .route("/v1/calls", axum::routing::post(crate::ingest::http::calls))
        .with_state(Arc::new(door(Format::Auto, outbox)));
    // More than the 2 MB which axum's own extractors take.
    let text: String = (0..30_000).map(|id| format!("{}\n", record(id))).collect();
    let request = axum::http::Request::post("/v1/calls").body(Body::from(text)).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::OK);
    sequencing.await.unwrap();
    assert_eq!(taken.lock().unwrap().ids.len(), 30_000);
}
