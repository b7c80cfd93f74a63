//! Calls that nodes tell in text and in captured SIP: what real ones sent, as it was understood; and the daemon fed with
//! it over syslog, HEP and OpenSIPS' own stream, by logger, rsyslog and a whole Kamailio.

mod captures;
#[path = "../daemon/mod.rs"]
mod daemon;
mod kamailio;
mod outside;
#[path = "../programs/mod.rs"]
mod programs;
mod readme;
mod same_run;
mod stories;
mod traps;

use callrated::assembly::{Fold, fold};
use callrated::piece::Piece;
use callrated::record::Record;
use callrated::time::Timestamp;
use callrated::wire::{Carrier, Decoder, Format, Line, Origin, Scratch};

/// A capture that real software made.
pub fn capture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The packets of a capture of HEP.
pub fn packets(capture: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    let mut rest = capture;
    while rest.len() >= 6 {
        let (packet, behind) = rest.split_at(usize::from(u16::from_be_bytes([rest[4], rest[5]])));
        packets.push(packet);
        rest = behind;
    }
    packets
}

/// The datagrams of a capture of `/dev/log`, each of which begins with a priority.
pub fn datagrams(capture: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = memchr::memmem::find_iter(capture, b"<25>").collect();
    let ends = starts.iter().skip(1).copied().chain([capture.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| &capture[start..end]).collect()
}

pub fn syslog(format: &str, origin: &Origin) -> Decoder {
    Decoder::carried(&Format::named(format).unwrap(), origin, Carrier::Syslog { host_is_node: true })
}

pub fn hep() -> Decoder {
    Decoder::carried(&Format::Auto, &Origin::new("sbc"), Carrier::Hep { key: None })
}

/// What a message was, in one line.
pub fn show(decoder: &mut Decoder, message: &[u8]) -> String {
    match decoder.decode(message, &mut Scratch::default()) {
        Ok(Line::Record(record)) => format!("record {}", record_words(&record)),
        Ok(Line::Piece(piece)) => {
            let at = piece.at.map_or("-".to_owned(), |at| at.to_string());
            let words = record_words(&piece.record);
            assert!(!piece.key.is_empty());
            format!("{:?} {:?} {} at {at}: {words}", piece.kind, piece.step, text(piece.key))
        }
        Ok(Line::Skipped(skip)) => format!("skipped {}", skip.reason()),
        Ok(Line::Header) => "header".to_owned(),
        Ok(Line::Blank) => "blank".to_owned(),
        Err(refusal) => format!("refused {}: {refusal}", refusal.reason()),
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Only what is there.
pub fn record_words(record: &Record<'_>) -> String {
    let time = |t: Option<Timestamp>| t.map_or(String::new(), |t| t.to_string());
    let fields = [
        ("id", text(record.id).to_owned()),
        ("node", text(record.node).to_owned()),
        ("account", text(record.account).to_owned()),
        ("from", text(record.source).to_owned()),
        ("to", text(record.destination).to_owned()),
        ("start", time(record.start)),
        ("answer", time(record.answer)),
        ("end", time(record.end)),
        ("duration", record.duration.map_or(String::new(), |d| d.to_string())),
        ("cause", text(record.cause).to_owned()),
        ("seq", record.seq.map_or(String::new(), |s| s.to_string())),
    ];
    let there = fields.iter().filter(|(_, value)| !value.is_empty());
    there.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The pieces of messages, each as its canonical bytes.
pub fn pieces<'m>(decoder: &mut Decoder, messages: impl IntoIterator<Item = &'m [u8]>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for message in messages {
        match decoder.decode(message, &mut Scratch::default()) {
            Ok(Line::Piece(piece)) => {
                let mut bytes = Vec::new();
                piece.encode(&mut bytes);
                found.push(bytes);
            }
            Ok(Line::Skipped(_)) => {}
            other => panic!("{other:?} is no piece"),
        }
    }
    found
}

/// What the calls of these pieces come to: one line per key.
pub fn calls(pieces: &[Vec<u8>]) -> Vec<String> {
    let pieces: Vec<Piece<'_>> = pieces.iter().map(|bytes| Piece::decode(bytes).unwrap()).collect();
    let mut keys: Vec<&[u8]> = pieces.iter().map(|piece| piece.key).collect();
    keys.sort_unstable();
    keys.dedup();
    let one = |key: &&[u8]| {
        let own: Vec<Piece<'_>> = pieces.iter().filter(|piece| piece.key == *key).copied().collect();
        match fold(&own) {
            Fold::Whole(record) => {
                let talk = record.end.unwrap().0 - record.answer.unwrap().0;
                format!("{} talked {}.{:06}", record_words(&record), talk / 1_000_000, talk % 1_000_000)
            }
            Fold::Unanswered(record) => format!("unanswered {}", record_words(&record)),
            Fold::Open(missing, record) => format!("open {missing:?} {}", record_words(&record)),
        }
    };
    keys.iter().map(one).collect()
}
