//! `callrated formats`: what nodes' records may look like, and how a file of them is understood.
//!
//! Does not know formats: it asks them.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::out;
use crate::config::Config;
use crate::exit::Exit;
use crate::nearest::nearest;
use crate::os::clock::Clock;
use crate::piece::Piece;
use crate::record::Record;
use crate::time::Zone;
use crate::wire::formats::{BUILT_IN, Build, Made};
use crate::wire::{Decoder, Format, Line, Origin, Refusal, Scratch, messages, posted};

/// Largest file that is tried.
const FILE_MAX: u64 = 256 << 20;

const EXAMPLES: &str = "Examples:
  callrated formats list
  callrated formats show asterisk-csv
  callrated formats try --format asterisk-csv --timezone Europe/Berlin Master.csv
  head -50 cdr.log | callrated formats try --format mine --json -";

/// List, show and try the formats of nodes' records.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FormatsArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every format by name.
    #[command(after_help = "Example:\n  callrated formats list")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a built-in format as configuration, to begin one's own with.
    #[command(after_help = "Example:\n  callrated formats show asterisk-csv")]
    Show {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Show record by record how a file is understood. Nothing is sent anywhere.
    ///
    /// Ends with code 1 if something was refused.
    #[command(
        after_help = "Example:\n  callrated formats try --format asterisk-csv --timezone Europe/Berlin Master.csv"
    )]
    Try {
        /// The format's name.
        #[arg(long, value_name = "NAME", default_value = "auto")]
        format: String,
        /// Node of records that name none.
        #[arg(long, default_value = "node")]
        node: String,
        /// IANA zone of times that bring no offset.
        #[arg(long, default_value = "UTC")]
        timezone: String,
        /// Whether the durations of Kamailio's CDRs include the ringing.
        #[arg(long, value_name = "BOOL")]
        talk_includes_ringing: Option<bool>,
        /// Titles of columns, where rows come without them (AudioCodes); what `log_extra` adds (Kamailio).
        #[arg(long, value_name = "TITLES")]
        columns: Option<String>,
        /// One line of JSON per record.
        #[arg(long)]
        json: bool,
        /// The file, or - for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) fn run(config: &Config, arguments: FormatsArguments) -> Result<(), Exit> {
    match arguments.what {
        What::List { json } => list(config, json),
        What::Show { name } => show(config, &name),
        What::Try { format, node, timezone, talk_includes_ringing, columns, json, file } => {
            let format = named(config, &format)?;
            let zone = Zone::named(&timezone).map_err(|e| Exit::usage(format!("--timezone: {e}")))?;
            let text = read(&file)?;
            let titles = columns.map(Into::into);
            let now = Clock::wall().now();
            let origin = Origin { node: node.as_bytes().into(), zone, talk_includes_ringing, titles, now };
            tried(&format, &origin, &text, json)
        }
    }
}

fn named(config: &Config, name: &str) -> Result<Format, Exit> {
    config.formats.named(name).ok_or_else(|| {
        let near = nearest(name, config.formats.names());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        Exit::usage(format!("no format is called {name:?}: `callrated formats list` shows every one{hint}"))
    })
}

fn about(format: &Format) -> (&'static str, &str) {
    match format {
        Format::Auto => ("own", "JSON or CSV with this program's field names, told by the first byte"),
        Format::Json => ("own", "one JSON object a line with this program's field names"),
        Format::Csv => ("own", "rows under a heading with this program's field names"),
        Format::Named(named) => match named.build {
            Build::Mapping(_) => ("mapping", &named.about),
            Build::Code(_) => ("code", &named.about),
        },
    }
}

fn list(config: &Config, json: bool) -> Result<(), Exit> {
    let mut table = out::table(&["format", "made by", ""], &[]);
    for name in config.formats.names() {
        let format = named(config, name)?;
        let (made, about) = about(&format);
        if json {
            out::json(&json!({ "name": name, "made_by": made, "about": about }))?;
        } else {
            table.add_row([name, made, about]);
        }
    }
    if json { Ok(()) } else { out::line(&table.to_string()) }
}

fn show(config: &Config, name: &str) -> Result<(), Exit> {
    let format = named(config, name)?;
    match BUILT_IN.iter().find(|built_in| built_in.name == name).map(|built_in| &built_in.made) {
        Some(Made::Mapping(text)) => out::write(as_configuration(name, text).as_bytes()),
        _ => {
            let (made, about) = about(&format);
            out::line(&format!("# {name} ({made}): {about}"))
        }
    }
}

/// A built-in mapping under the name of one's own.
fn as_configuration(name: &str, text: &str) -> String {
    let own = format!("format.my-{name}");
    let body = text.replace("\n[fields]\n", &format!("\n[{own}.fields]\n"));
    format!(
        "# The built-in format {name:?}. Take over what you need and change the rest; what you leave out stays as it is\n# if you write like = {name:?}.\n[{own}]\n{body}"
    )
}

fn read(file: &Path) -> Result<Vec<u8>, Exit> {
    let mut text = Vec::new();
    let cannot = |e: std::io::Error| Exit::usage(format!("{}: {e}", file.display()));
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(cannot)?)
    };
    input.take(FILE_MAX + 1).read_to_end(&mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_MAX {
        return Err(Exit::usage(format!(
            "{} is longer than {}: try its beginning",
            file.display(),
            out::size(FILE_MAX)
        )));
    }
    Ok(text)
}

/// What became of messages.
#[derive(Default)]
struct Counts {
    records: u64,
    pieces: u64,
    skipped: u64,
    refused: u64,
}

fn tried(format: &Format, origin: &Origin, text: &[u8], json: bool) -> Result<(), Exit> {
    let text = posted::unwrap(text);
    let mut decoder = Decoder::of(format, origin);
    let mut scratch = Scratch::default();
    let mut counts = Counts::default();
    let mut table = out::table(
        &["#", "id", "account", "source", "destination", "answer", "talk", "end", "cause", "remark"],
        &[0, 6],
    );
    let mut outcome = Ok(());
    messages::each(format, &text, |number, message| {
        let line = message.and_then(|message| decoder.decode(message, &mut scratch));
        if let Some(shown) = shown(number, line, &mut counts) {
            if !json {
                table.add_row(row(&shown));
            } else if outcome.is_ok() {
                outcome = out::json(&shown);
            }
        }
    });
    outcome?;
    let Counts { records, pieces, skipped, refused } = counts;
    if !json {
        out::line(&table.to_string())?;
        let n = out::grouped;
        out::line(&format!(
            "{} records, {} parts of calls, {} skipped, {} refused",
            n(records),
            n(pieces),
            n(skipped),
            n(refused)
        ))?;
    }
    if refused > 0 { Err(Exit { code: 1, message: String::new() }) } else { Ok(()) }
}

fn shown(number: u64, line: Result<Line<'_>, Refusal>, counts: &mut Counts) -> Option<Value> {
    Some(match line {
        Ok(Line::Record(record)) => {
            counts.records += 1;
            of_record(number, &record)
        }
        Ok(Line::Piece(piece)) => {
            counts.pieces += 1;
            of_piece(number, &piece)
        }
        Ok(Line::Skipped(skip)) => {
            counts.skipped += 1;
            json!({ "number": number, "skipped": skip.reason() })
        }
        Ok(Line::Header | Line::Blank) => return None,
        Err(refusal) => {
            counts.refused += 1;
            json!({ "number": number, "refused": refusal.reason(), "error": refusal.to_string() })
        }
    })
}

fn of_record(number: u64, record: &Record<'_>) -> Value {
    let text = |bytes: &[u8]| (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned());
    json!({
        "number": number,
        "id": text(record.id),
        "node": text(record.node),
        "account": text(record.account),
        "forwarded_by": text(record.forwarded_by),
        "source": text(record.source),
        "destination": text(record.destination),
        "routing_number": text(record.routing_number),
        "incumbent_cost": text(record.incumbent_cost),
        "incumbent_currency": text(record.incumbent_currency),
        "incumbent_seconds": text(record.incumbent_seconds),
        "carrier": text(record.carrier),
        "direction": record.direction.map(|d| d.name()),
        "start": record.start.map(|t| t.to_string()),
        "answer": record.answer.map(|t| t.to_string()),
        "answer_or_later_by": record.fold.map(|f| f.to_string()),
        "end": record.end.map(|t| t.to_string()),
        "duration": record.duration.map(|d| d.to_string()),
        "cause": text(record.cause),
        "seq": record.seq,
        "answered": crate::rating::answered(record) == crate::rating::Answered::Yes,
    })
}

/// A part of a call, to be joined with others by its key.
fn of_piece(number: u64, piece: &Piece<'_>) -> Value {
    let mut shown = of_record(number, &piece.record);
    let key = String::from_utf8_lossy(piece.key);
    shown["part"] =
        json!({ "of": key, "step": format!("{:?}", piece.step).to_lowercase(), "at": piece.at.map(|t| t.to_string()) });
    shown
}

fn row(shown: &Value) -> [String; 10] {
    let cell = |key: &str| match &shown[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let remark = if let Some(skip) = shown["skipped"].as_str() {
        format!("skipped: {skip}")
    } else if let Some(error) = shown["error"].as_str() {
        format!("refused: {error}")
    } else if let Some(step) = shown["part"]["step"].as_str() {
        format!("{step} of a call told in parts, at {}", shown["part"]["at"].as_str().unwrap_or("its receipt"))
    } else if let Some(later) = shown["answer_or_later_by"].as_str() {
        format!("the clock showed this twice: or {later} s later")
    } else if shown["answered"] == false {
        "not answered".to_owned()
    } else {
        cell("direction")
    };
    [
        cell("number"),
        cell("id"),
        cell("account"),
        cell("source"),
        cell("destination"),
        cell("answer"),
        cell("duration"),
        cell("end"),
        cell("cause"),
        remark,
    ]
}
