//! Records posted over HTTP: a body of any length becomes batches as it arrives, and one answer once all are synced.
//!
//! `{"durable":N,"refused":[{"line":3,"error":"…"}]}`; in a JSON array the line is the place of the element, from 1. When
//! the journal takes no more, 503 with `Retry-After` says so; records that were synced before it did stay synced, and to
//! send the whole body again is safe, since repeats are recognised.
//!
//! Does not know routes, tokens or servers: it is given a body and gives a response.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use serde::Serialize;

use crate::record::RAW_MAX;
use crate::wire::elements::{Element, Elements};
use crate::wire::{self, Format, Refusal, messages, posted};

use super::collect::{Collector, Gathered, RefusedLine};
use super::lines::{Framed, Lines};
use super::{Door, NotTaken, Pending};

/// Longest body unless said otherwise; it streams, so it costs no memory.
pub const BODY_MAX: u64 = 1 << 30;
/// Refused lines listed in an answer; those beyond are counted.
pub const REFUSED_MAX: usize = 10_000;
/// Longest document that is not taken apart while it arrives: what is wrapped in a form, XML, and JSON whose records lie
/// below its top.
pub const DOCUMENT_MAX: usize = 64 << 20;
/// Batches of one body that wait for their sync.
const IN_FLIGHT_MAX: usize = 8;

/// What became of a body.
#[derive(Debug, Default, Serialize)]
pub struct Posted {
    /// Records that are synced.
    pub durable: u64,
    /// Lines that are not, with the reason.
    pub refused: Vec<PostedRefusal>,
    /// Refused lines beyond [`REFUSED_MAX`].
    #[serde(skip_serializing_if = "is_zero")]
    pub refused_more: u64,
}

impl Posted {
    /// Whether there was something, and none of it could be read.
    pub fn refused_all(&self) -> bool {
        self.durable == 0 && !self.refused.is_empty()
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A line that was refused.
#[derive(Debug, Serialize)]
pub struct PostedRefusal {
    /// Its number, from 1.
    pub line: u64,
    /// What to mend.
    pub error: String,
}

/// Why a body was not taken whole.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Not a kind of body that is understood.
    #[error("content type {0:?} is not taken: send application/x-ndjson, application/json or text/csv")]
    ContentType(String),
    /// Longer than allowed.
    #[error("the body is longer than {0} bytes")]
    TooLong(u64),
    /// The client ended before its body did.
    #[error("the body ended early: {0}")]
    Body(String),
    /// The road takes no more.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
}

/// `POST /v1/calls`, for a router whose state can give the door.
pub async fn calls(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    post_calls(&door, &headers, body, BODY_MAX).await
}

/// Takes a posted body; the whole of `POST /v1/calls` behind routing and tokens.
pub async fn post_calls(door: &Door, headers: &HeaderMap, body: Body, body_max: u64) -> Response {
    match take(door, headers, body, body_max).await {
        (posted, Ok(())) => axum::Json(posted).into_response(),
        (posted, Err(error)) => error.response(posted.durable),
    }
}

/// Takes a posted body; what became of it, and why the rest was not taken where it was not taken whole.
pub async fn take(door: &Door, headers: &HeaderMap, body: Body, body_max: u64) -> (Posted, Result<(), PostError>) {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut post = Post::new(door);
    let outcome = post.run(content_type, body, body_max).await;
    (post.posted, outcome)
}

impl PostError {
    /// The problem, with how many records are safe all the same.
    pub fn response(&self, durable: u64) -> Response {
        let status = match self {
            PostError::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PostError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            PostError::Body(_) => StatusCode::BAD_REQUEST,
            PostError::NotTaken(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
            "durable": durable,
        });
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let PostError::NotTaken(why) = self {
            // Freeing segments takes a flush or more; a restart takes seconds.
            let seconds = match why {
                NotTaken::JournalFull => "30",
                NotTaken::ShuttingDown => "5",
            };
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}

/// How a body falls into records.
enum Framing {
    Lines(Lines),
    Elements {
        elements: Elements,
        buffer: BytesMut,
        count: u64,
    },
    /// The whole body as one document.
    Document(BytesMut),
}

struct Post<'d> {
    door: &'d Door,
    collector: Collector<'d>,
    in_flight: VecDeque<(Pending, u64)>,
    posted: Posted,
}

impl<'d> Post<'d> {
    fn new(door: &'d Door) -> Post<'d> {
        let collector = Collector::new(door, door.decoder());
        Post { door, collector, in_flight: VecDeque::new(), posted: Posted::default() }
    }

    async fn run(&mut self, content_type: Option<&str>, mut body: Body, body_max: u64) -> Result<(), PostError> {
        // Nodes that write a format of their own say anything of their content.
        let mut kind = match &self.door.format {
            Format::Named(_) => Kind::Named,
            _ => Kind::named(content_type)?,
        };
        let mut framing = None;
        let mut length = 0;
        let mut outcome = Ok(());
        while let Some(frame) = body.frame().await {
            let Ok(data) =
                frame.map(|frame| frame.into_data()).map_err(|e| outcome = Err(PostError::Body(e.to_string())))
            else {
                break;
            };
            let Ok(data) = data else { continue };
            length += data.len() as u64;
            if length > body_max {
                outcome = Err(PostError::TooLong(body_max));
                break;
            }
            let framing = match &mut framing {
                Some(framing) => framing,
                None => {
                    kind = kind.resolved(&data);
                    if data.trim_ascii().is_empty() && matches!(kind, Kind::Any | Kind::Named) {
                        continue;
                    }
                    framing.insert(self.framing(&kind, &data))
                }
            };
            if !self.append(framing, &data) {
                outcome = Err(PostError::TooLong(DOCUMENT_MAX as u64));
                break;
            }
            if let Err(why) = self.drain(framing, false).await {
                outcome = Err(why.into());
                break;
            }
        }
        if outcome.is_ok()
            && let Some(framing) = &mut framing
        {
            outcome = self.drain(framing, true).await.map_err(PostError::NotTaken);
        }
        // What is under way is waited for even when the rest is not taken, so that the answer tells how far it went.
        while !self.in_flight.is_empty() {
            let settled = self.settle().await.map_err(PostError::NotTaken);
            outcome = outcome.and(settled);
        }
        outcome
    }

    fn framing(&mut self, kind: &Kind, start: &[u8]) -> Framing {
        let format = match kind {
            Kind::Json | Kind::Document => Format::Json,
            Kind::Csv => Format::Csv,
            Kind::Any | Kind::Named => self.door.format.clone(),
        };
        self.collector.set_decoder(self.door.decoder_of(&format));
        let streams = matches!(start.trim_ascii_start().first(), Some(b'{' | b'[')) && format.root().is_empty();
        match (kind, format.framing()) {
            (Kind::Named, wire::Framing::Xml | wire::Framing::Blocks) => Framing::Document(BytesMut::new()),
            (Kind::Named, wire::Framing::Json) if !streams => Framing::Document(BytesMut::new()),
            (Kind::Named, wire::Framing::Json) | (Kind::Document, _) => {
                Framing::Elements { elements: Elements::new(RAW_MAX), buffer: BytesMut::new(), count: 0 }
            }
            _ => Framing::Lines(Lines::new(RAW_MAX)),
        }
    }

    /// False: a document grew too long.
    fn append(&mut self, framing: &mut Framing, data: &[u8]) -> bool {
        match framing {
            Framing::Lines(lines) => lines.room(data.len()).extend_from_slice(data),
            Framing::Elements { buffer, .. } => buffer.extend_from_slice(data),
            Framing::Document(document) => {
                document.extend_from_slice(data);
                return document.len() <= DOCUMENT_MAX;
            }
        }
        true
    }

    /// Takes what records there are; at the end of the body also what is left.
    async fn drain(&mut self, framing: &mut Framing, end: bool) -> Result<(), NotTaken> {
        if let Framing::Document(document) = framing {
            return if end { self.document(document).await } else { Ok(()) };
        }
        while self.step(framing, end) {
            if self.collector.is_full() {
                self.hand_on().await?;
            }
        }
        if end { self.hand_on().await } else { Ok(()) }
    }

    /// Takes a whole document.
    async fn document(&mut self, document: &[u8]) -> Result<(), NotTaken> {
        let text = posted::unwrap(document);
        for (place, number) in messages::places(&self.door.format, &text).into_iter().zip(1..) {
            match place {
                Ok(place) => self.collector.line(number, text.get(place).unwrap_or_default()),
                Err(refusal) => self.collector.refuse(number, refusal),
            }
            if self.collector.is_full() {
                self.hand_on().await?;
            }
        }
        self.hand_on().await
    }

    /// Takes one record; false: there is none yet.
    fn step(&mut self, framing: &mut Framing, end: bool) -> bool {
        match framing {
            // Taken whole, at the end.
            Framing::Document(_) => return false,
            Framing::Lines(lines) => {
                let framed = match lines.take_next() {
                    None if end => lines.take_last(),
                    framed => framed,
                };
                let Some(Framed { number, line }) = framed else { return false };
                match line {
                    Ok(line) => self.collector.line(number, line),
                    Err(refusal) => self.collector.refuse(number, refusal),
                }
            }
            Framing::Elements { elements, buffer, count } => match elements.next(buffer) {
                Some(element) => {
                    match element {
                        Element::Whole { from, to, .. } => {
                            *count += 1;
                            self.collector.line(*count, buffer.get(from..to).unwrap_or_default());
                        }
                        Element::TooLong { .. } => {
                            *count += 1;
                            self.collector.refuse(*count, Refusal::Line(RAW_MAX as u32));
                        }
                        Element::Broken { expected, .. } => {
                            *count += 1;
                            self.collector.refuse(*count, Refusal::Json { column: 1, expected });
                        }
                        Element::Nothing { .. } => {}
                    }
                    buffer.advance(element.consumed());
                }
                None => {
                    if end && let Err(expected) = elements.end() {
                        *count += 1;
                        self.collector.refuse(*count, Refusal::Json { column: 1, expected });
                        *elements = Elements::new(RAW_MAX);
                        buffer.clear();
                    }
                    return false;
                }
            },
        }
        true
    }

    async fn hand_on(&mut self) -> Result<(), NotTaken> {
        let Some(Gathered { batch, records, refused, .. }) = self.collector.take() else { return Ok(()) };
        for RefusedLine { line, refusal } in refused {
            if self.posted.refused.len() < REFUSED_MAX {
                self.posted.refused.push(PostedRefusal { line, error: refusal.to_string() });
            } else {
                self.posted.refused_more += 1;
            }
        }
        if self.in_flight.len() >= IN_FLIGHT_MAX {
            self.settle().await?;
        }
        let pending = self.door.outbox.send(batch).await.inspect_err(|why| {
            self.door.counters.not_taken(*why, records);
        })?;
        self.in_flight.push_back((pending, records));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), NotTaken> {
        let Some((pending, records)) = self.in_flight.pop_front() else { return Ok(()) };
        match pending.durable().await {
            Ok(_) => self.posted.durable += records,
            Err(why) => {
                self.door.counters.not_taken(why, records);
                return Err(why);
            }
        }
        Ok(())
    }
}

/// What a body is said to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Json,
    Document,
    Csv,
    /// Nothing was said, or what a client says that was told nothing.
    Any,
    /// Whatever was said: the door knows better.
    Named,
}

impl Kind {
    fn named(content_type: Option<&str>) -> Result<Kind, PostError> {
        let Some(whole) = content_type else { return Ok(Kind::Any) };
        let name = whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(match name.as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Kind::Json
            }
            "application/json" => Kind::Document,
            "text/csv" => Kind::Csv,
            // curl's default, and other ways of saying nothing.
            "" | "text/plain" | "application/octet-stream" | "application/x-www-form-urlencoded" => Kind::Any,
            _ => return Err(PostError::ContentType(whole.to_owned())),
        })
    }

    /// Where nothing was said, an array is told by its first byte; lines tell their own format.
    fn resolved(self, data: &[u8]) -> Kind {
        match data.trim_ascii_start().first() {
            Some(b'[') if self == Kind::Any => Kind::Document,
            _ => self,
        }
    }
}
