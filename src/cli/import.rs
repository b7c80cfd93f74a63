//! `callrated import`: old record files by the same road as live ones.
//!
//! A file goes to `POST /v1/import` in pieces of whole lines, each answered once it is synced and counted. After each
//! answer a small file in the data folder says how far the import got, so that an interrupted one goes on there; whatever
//! is sent twice all the same is recognised as a duplicate.
//!
//! Does not know what a record says.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{Method, header};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::client::{self, Client};
use super::out;
use crate::config::Config;
use crate::exit::Exit;
use crate::nearest::nearest;
use crate::road::Became;
use crate::wire::{Format, Framing};

mod kind;
mod progress;

use kind::{Kind, object_on_a_line};
use progress::{Place, Progress};

/// Bytes sent at a time: enough that the sync between two pieces costs little, and little to send again.
const PIECE: usize = 4 << 20;
/// Longest line that is sent at all; the daemon refuses lines of more than a mebibyte, and says so.
const LINE_MAX: usize = 64 << 20;
/// Largest document (a JSON array), which is read whole.
const DOCUMENT_MAX: u64 = 256 << 20;
/// Refused lines that are listed.
const REFUSED_MAX: u64 = 20;

const EXAMPLES: &str = r#"Examples:
  echo '{"id":"c1","source":"+4930123456","destination":"015123456789","answer":"2026-10-05T09:00:00Z","duration":61}' | callrated import - --json
  callrated import cdr-2026-09.csv --node old-pbx
  zcat cdr-*.json.gz | callrated import -
  callrated import Master.csv --format asterisk-csv --node pbx1 --timezone Europe/Berlin"#;

/// Import record files, whatever their age.
///
/// Files hold one JSON object a line, CSV rows under a heading, or a JSON array; `-` is standard input. An import that
/// was interrupted goes on where it stopped when it is called again; a file that was imported before gives duplicates.
/// Ends with code 1 if lines were refused.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArguments {
    /// Files, or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the files hold: auto, json, csv, or a node's own by `callrated formats list`.
    #[arg(long, default_value = "auto", value_name = "NAME")]
    format: String,
    /// Node of records that name none.
    #[arg(long)]
    node: Option<String>,
    /// IANA zone of times that bring no offset.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Begin anew, even where an earlier import was interrupted.
    #[arg(long)]
    restart: bool,
    /// Print what became of the records as one line of JSON, last.
    #[arg(long)]
    json: bool,
}

/// An import under way.
struct Import<'a> {
    client: &'a Client,
    arguments: &'a ImportArguments,
    format: Format,
    progress: Progress,
    interrupted: Arc<AtomicBool>,
    /// Refused lines seen, of which the first are listed.
    refused: u64,
}

pub(super) async fn run(config: &Config, arguments: ImportArguments) -> Result<(), Exit> {
    for file in &arguments.files {
        // Before anything is started: a mistyped name is the most frequent mistake.
        if !is_stdin(file) {
            File::open(file).map_err(|e| Exit::usage(format!("{}: {e}", file.display())))?;
        }
    }
    let format = config.formats.named(&arguments.format).ok_or_else(|| {
        let near = nearest(&arguments.format, config.formats.names());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        Exit::usage(format!("--format {}: `callrated formats list` shows every one{hint}", arguments.format))
    })?;
    let client = Client::open(config).await?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let listening = tokio::spawn(listen(interrupted.clone()));
    let progress = Progress::open(&config.data_dir);
    let mut import = Import { client: &client, arguments: &arguments, format, progress, interrupted, refused: 0 };
    let mut total = Became::default();
    let mut outcome = Ok(());
    for file in &arguments.files {
        let mut became = Became::default();
        outcome = import.file(file, &mut became).await;
        total.add(became);
        if outcome.is_err() {
            break;
        }
    }
    let refused = import.refused;
    listening.abort();
    let closed = client.close().await;
    summary(&total, &arguments, refused)?;
    super::ended(outcome, closed)?;
    if total.refused > 0 {
        return Err(Exit::faults(format!("{} lines were refused", out::grouped(total.refused))));
    }
    Ok(())
}

/// The piece under way is finished first, so that its answer is not lost.
async fn listen(interrupted: Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    interrupted.store(true, Ordering::Relaxed);
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

fn summary(total: &Became, arguments: &ImportArguments, listed: u64) -> Result<(), Exit> {
    if listed > REFUSED_MAX {
        eprintln!("and {} more refused lines", out::grouped(listed - REFUSED_MAX));
    }
    if arguments.json {
        // In the order of the fields: this line is read by programs and by people.
        return out::line(&serde_json::to_string(total).unwrap_or_default());
    }
    let mut table = out::table(&["records", ""], &[1]);
    for (name, count) in [
        ("received", total.received),
        ("refused", total.refused),
        ("unanswered", total.unanswered),
        ("duplicate", total.duplicate),
        ("conflict", total.conflict),
        ("suspended", total.suspended),
        ("resolved", total.resolved),
        ("parts", total.parts),
    ] {
        table.add_row([name.to_owned(), out::grouped(count)]);
    }
    out::line(&table.to_string())?;
    if total.suspended > 0 {
        out::line("what is suspended: callrated suspense list")?;
    }
    Ok(())
}

/// A file being read.
struct Reading {
    name: String,
    input: Box<dyn Read + Send>,
    /// Read and not sent yet.
    buffer: Vec<u8>,
    ended: bool,
    bar: ProgressBar,
}

impl Import<'_> {
    /// One file; `became` grows with each piece, so that it is true after a failure too.
    async fn file(&mut self, path: &Path, became: &mut Became) -> Result<(), Exit> {
        let name = path.display().to_string();
        let unreadable = |e: std::io::Error| Exit::environment(format!("{name}: {e}"));
        let mut place = Place::default();
        let (input, length): (Box<dyn Read + Send>, u64) = if is_stdin(path) {
            (Box::new(std::io::stdin()), 0)
        } else {
            let mut file = File::open(path).map_err(unreadable)?;
            if let Some(found) = self.progress.find(path, &mut file).filter(|_| !self.arguments.restart) {
                place = found;
                eprintln!(
                    "{name}: going on behind line {} (byte {}); --restart begins anew",
                    out::grouped(place.line),
                    place.offset
                );
            }
            file.seek(SeekFrom::Start(place.offset)).map_err(unreadable)?;
            let length = file.metadata().map_err(unreadable)?.len();
            (Box::new(file), length)
        };
        *became = place.became;
        let mut reading = Reading { name, input, buffer: Vec::new(), ended: false, bar: bar(length, place.offset) };
        let done = self.pieces(path, &mut reading, &mut place, became).await;
        reading.bar.finish_and_clear();
        done?;
        if !is_stdin(path) {
            self.progress.done(path);
        }
        Ok(())
    }

    async fn pieces(
        &mut self,
        path: &Path,
        reading: &mut Reading,
        place: &mut Place,
        became: &mut Became,
    ) -> Result<(), Exit> {
        reading.fill(PIECE)?;
        if place.offset == 0 && reading.buffer.starts_with(&[0x1f, 0x8b]) {
            return Err(Exit::usage(format!("{0} is compressed: zcat {0} | callrated import -", reading.name)));
        }
        let kind = self.kind(&reading.buffer, place)?;
        let header = place.header.clone().into_bytes();
        let mut header = (kind.has_header() && !header.is_empty()).then_some(header);
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Exit::faults(format!(
                    "{} was interrupted behind line {}; the same command goes on there",
                    reading.name, place.line
                )));
            }
            let piece = reading.piece(kind)?;
            if piece.is_empty() {
                return Ok(());
            }
            let lines = memchr::memchr_iter(b'\n', &piece).count() as u64 + u64::from(!piece.ends_with(b"\n"));
            // Rows further down need the heading, too.
            let body = match &header {
                Some(header) if place.offset > 0 => Bytes::from([header.as_slice(), b"\n", &piece].concat()),
                _ => piece.clone(),
            };
            let before = place.line.saturating_sub(u64::from(header.is_some() && place.offset > 0));
            let answer = self.send(kind, body).await?;
            let piece_became: Became = serde_json::from_value(answer.clone()).unwrap_or_default();
            let first_refused = self.list_refused(&reading.name, before, &answer);
            if kind.has_header() && header.is_none() && place.offset == 0 && first_refused != Some(first_line(&piece).0)
            {
                place.header = first_line(&piece).1;
                header = Some(place.header.clone().into_bytes());
            }
            became.add(piece_became);
            place.offset += piece.len() as u64;
            place.line += lines;
            place.became = *became;
            reading.bar.inc(piece.len() as u64);
            if !is_stdin(path) {
                self.progress.note(path, place);
            }
        }
    }

    fn kind(&self, start: &[u8], place: &Place) -> Result<Kind, Exit> {
        if let Format::Named(named) = &self.format {
            return Ok(match named.framing {
                Framing::Lines if named.has_header() => Kind::Rows,
                Framing::Lines => Kind::Lines,
                // An object a line goes in pieces; anything else that is long is read whole.
                Framing::Json if place.offset > 0 || object_on_a_line(start) => Kind::Lines,
                Framing::Json | Framing::Xml | Framing::Blocks => Kind::Whole,
            });
        }
        if !place.header.is_empty() {
            return Ok(Kind::Csv);
        }
        let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
        let first = start.trim_ascii_start().first();
        Ok(match (&self.format, first) {
            (Format::Csv, _) => Kind::Csv,
            (_, Some(b'[')) if place.offset == 0 => Kind::Document,
            (Format::Json, _) | (_, Some(b'{') | None) => Kind::Json,
            _ if place.offset > 0 => Kind::Json,
            _ => Kind::Csv,
        })
    }

    async fn send(&self, kind: Kind, body: Bytes) -> Result<Value, Exit> {
        let format = match &self.format {
            Format::Named(named) => Some(&*named.name),
            _ => None,
        };
        let (node, timezone) = (self.arguments.node.as_deref(), self.arguments.timezone.as_deref());
        let url = client::path("/v1/import", &[("node", node), ("format", format), ("timezone", timezone)]);
        let headers = [(header::CONTENT_TYPE, kind.content_type())];
        let request = client::request(Method::POST, &url, &headers, Body::from(body))?;
        client::json(self.client.ask(request).await?).await
    }

    /// Tells which lines were refused and why; gives the first one's number in the piece.
    fn list_refused(&mut self, name: &str, before: u64, answer: &Value) -> Option<u64> {
        let refusals = answer["refusals"].as_array().map_or(&[][..], Vec::as_slice);
        for refusal in refusals {
            self.refused += 1;
            if self.refused <= REFUSED_MAX {
                let line = before + refusal["line"].as_u64().unwrap_or(0);
                eprintln!("{name}:{line}: refused: {}", refusal["error"].as_str().unwrap_or(""));
            }
        }
        self.refused += answer["refusals_more"].as_u64().unwrap_or(0);
        refusals.first().and_then(|refusal| refusal["line"].as_u64())
    }
}

impl Reading {
    /// Reads until the buffer holds so much, or the input ends.
    fn fill(&mut self, wanted: usize) -> Result<(), Exit> {
        while self.buffer.len() < wanted && !self.ended {
            let more = (wanted - self.buffer.len()) as u64;
            let read = self.input.by_ref().take(more).read_to_end(&mut self.buffer);
            let read = read.map_err(|e| Exit::environment(format!("{}: {e}", self.name)))?;
            self.ended = read == 0;
        }
        Ok(())
    }

    /// The next whole lines; a document whole. Empty at the end.
    fn piece(&mut self, kind: Kind) -> Result<Bytes, Exit> {
        if kind.is_whole() {
            self.fill(DOCUMENT_MAX as usize + 1)?;
            if self.buffer.len() as u64 > DOCUMENT_MAX {
                return Err(Exit::usage(format!(
                    "{} is one document of more than {}: write one record a line",
                    self.name,
                    out::size(DOCUMENT_MAX)
                )));
            }
            return Ok(std::mem::take(&mut self.buffer).into());
        }
        let mut wanted = PIECE;
        loop {
            self.fill(wanted)?;
            let cut = match memchr::memrchr(b'\n', &self.buffer) {
                Some(end) => end + 1,
                None if self.ended => self.buffer.len(),
                None if wanted >= LINE_MAX => {
                    return Err(Exit::usage(format!(
                        "{} has a line of more than {}: this is no file of records",
                        self.name,
                        out::size(LINE_MAX as u64)
                    )));
                }
                None => {
                    wanted *= 2;
                    continue;
                }
            };
            let cut = if self.ended { self.buffer.len() } else { cut };
            let rest = self.buffer.split_off(cut);
            return Ok(std::mem::replace(&mut self.buffer, rest).into());
        }
    }
}

/// The first line that is not blank, and its number: a CSV file's heading.
fn first_line(piece: &[u8]) -> (u64, String) {
    let mut lines = piece.split(|byte| *byte == b'\n').zip(1..);
    let found = lines.find(|(line, _)| !line.trim_ascii().is_empty());
    found.map_or((0, String::new()), |(line, number)| {
        (number, String::from_utf8_lossy(line).trim_end_matches('\r').to_owned())
    })
}

fn bar(length: u64, from: u64) -> ProgressBar {
    if !out::errors_on_terminal() {
        return ProgressBar::hidden();
    }
    let template = if length > 0 {
        "{bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left"
    } else {
        "{spinner} {bytes}  {bytes_per_sec}"
    };
    let bar = if length > 0 { ProgressBar::new(length) } else { ProgressBar::new_spinner() };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_position(from);
    bar
}
