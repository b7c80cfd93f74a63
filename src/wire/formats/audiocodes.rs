//! The signalling CDRs of an AudioCodes SBC: rows parted by `|`, one per leg and event, within syslog messages.
//!
//! ```text
//! [S=40] |SBCReportType |EPTyp |SIPCallId |SessionId |Orig |…                                     the title row
//! [S=41] |CALL_END      |SBC   |2076…@10.33.45.80 |1871197419 |RMT |…|15 |…|17:00:49.052 UTC Thu Oct 14 2014 |…
//! ```
//!
//! Columns are those of the last title row, of the listener's `columns`, or the device's own order. Rows in the device's own
//! order are checked for what must stand where, so that a device with other columns is refused, not misread.
//!
//! The CALL_END of the leg that came in from the network (`RMT`) is charged; the other leg of the call, its beginning and
//! rows about media are skipped. Talk is release less connect, to the millisecond; the `Durat` column counts whole seconds.
//!
//! Does not know syslog, nor sockets.

use crate::record::{ID_MAX, Record};
use crate::time::{Micros, Timestamp};
use crate::wire::clock::{self, BadReading};
use crate::wire::sip::number_end;
use crate::wire::{Line, Origin, Refusal, Skip, TEXT_MAX, utf8};

/// The device's own columns (formats of version 7.2).
const COLUMNS: &str = "SBCReportType|EPTyp|SIPCallId|SessionId|Orig|SourceIp|SourcePort|DestIp|DestPort|TransportType|SrcURI|\
SrcURIBeforeMap|DstURI|DstURIBeforeMap|Durat|TrmSd|TrmReason|TrmReasonCategory|SetupTime|ConnectTime|ReleaseTime|\
RedirectReason|RedirectURINum|RedirectURINumBeforeMap|TxSigIPDiffServ|IPGroup (description)|SrdId (name)|SIPInterfaceId|\
ProxySetId|IpProfileId (name)|MediaRealmId (name)|DirectMedia|SIPTrmReason|SIPTermDesc|Caller|Callee";

/// Columns that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Column {
    Report,
    CallId,
    Orig,
    Source,
    Destination,
    Setup,
    Connect,
    Release,
    Cause,
}

const READ: usize = Column::Cause as usize + 1;

const TITLES: [(&str, Column); READ] = [
    ("SBCReportType", Column::Report),
    ("SIPCallId", Column::CallId),
    ("Orig", Column::Orig),
    ("SrcURI", Column::Source),
    ("DstURI", Column::Destination),
    ("SetupTime", Column::Setup),
    ("ConnectTime", Column::Connect),
    ("ReleaseTime", Column::Release),
    ("SIPTrmReason", Column::Cause),
];

/// Where the columns stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Columns([Option<usize>; READ]);

impl Columns {
    /// From a title row, without what stands before its first `|`. None: it lacks one that must be there.
    fn from_titles(row: &str) -> Option<Columns> {
        let mut found = [None; READ];
        for (at, title) in row.split('|').enumerate() {
            let known = TITLES.iter().find(|(name, _)| *name == title.trim());
            if let Some(slot) = known.and_then(|(_, column)| found.get_mut(*column as usize)) {
                *slot = slot.or(Some(at));
            }
        }
        // Without the cause a call is still known.
        let needed = found.iter().take(Column::Cause as usize);
        needed.clone().all(Option::is_some).then_some(Columns(found))
    }
}

/// Reads rows; remembers the last title row.
#[derive(Debug)]
pub struct AudioCodes {
    columns: Columns,
    /// Said by a title row or by configuration, not guessed.
    sure: bool,
}

/// Whether these titles, parted by `|`, name all columns that are needed.
pub fn are_titles(titles: &str) -> bool {
    Columns::from_titles(titles.trim_start_matches('|')).is_some()
}

impl AudioCodes {
    /// For what comes from there.
    pub fn new(origin: &Origin) -> AudioCodes {
        let given = origin.titles.as_deref().and_then(|titles| Columns::from_titles(titles.trim_start_matches('|')));
        let own = Columns::from_titles(COLUMNS).unwrap_or(Columns([None; READ]));
        AudioCodes { columns: given.unwrap_or(own), sure: given.is_some() }
    }

    /// Whether a text looks like a row of such a device: cells, the first of which names a kind of report.
    pub fn row_of(text: &[u8]) -> Option<&[u8]> {
        let first = memchr::memchr(b'|', text)?;
        let row = text.get(first + 1..)?;
        let cell = row.split(|b| *b == b'|').next()?.trim_ascii();
        let known: [&[u8]; 6] = [b"SBCReportType", b"CALL_", b"DIALOG_", b"MEDIA_", b"MediaReportType", b"RTP_"];
        known.iter().any(|mark| cell.starts_with(mark)).then_some(row)
    }

    /// Reads a row, as [`AudioCodes::row_of`] gives it.
    pub fn row<'a>(&mut self, row: &'a [u8], origin: &'a Origin) -> Result<Line<'a>, Refusal> {
        utf8(row)?;
        let text = std::str::from_utf8(row).unwrap_or_default();
        if text.trim_start().starts_with("SBCReportType") {
            self.columns = Columns::from_titles(text).ok_or(Refusal::Titles)?;
            self.sure = true;
            return Ok(Line::Header);
        }
        let cell = |column: Column| -> &'a [u8] {
            let at = self.columns.0.get(column as usize).copied().flatten();
            at.and_then(|at| text.split('|').nth(at)).unwrap_or_default().trim().as_bytes()
        };
        let report = text.split('|').next().unwrap_or_default().trim();
        // Media reports have columns of their own.
        if report != "CALL_END" {
            return Ok(Line::Skipped(Skip::NotACall));
        }
        if cell(Column::Report) != b"CALL_END" {
            return Err(Refusal::Titles);
        }
        match cell(Column::Orig) {
            b"RMT" => {}
            b"LCL" => return Ok(Line::Skipped(Skip::OtherLeg)),
            _ => return Err(Refusal::Titles),
        }
        let time = |column, name| -> Result<Option<Timestamp>, Refusal> {
            let text = cell(column);
            if text.is_empty() {
                return Ok(None);
            }
            clock::read(text, &origin.zone).map(Some).map_err(|bad| match bad {
                BadReading::Zone => Refusal::ZoneName(name),
                BadReading::Shape if self.sure => Refusal::Time(name),
                BadReading::Shape => Refusal::Titles,
            })
        };
        let (start, answer) = (time(Column::Setup, "SetupTime")?, time(Column::Connect, "ConnectTime")?);
        let end = time(Column::Release, "ReleaseTime")?;
        let id = cell(Column::CallId);
        if id.is_empty() || id.len() > ID_MAX {
            return Err(Refusal::Id(id.len() as u32));
        }
        let record = Record {
            id,
            node: &origin.node,
            source: user(cell(Column::Source)),
            destination: user(cell(Column::Destination)),
            cause: cell(Column::Cause),
            start,
            answer,
            end,
            duration: if answer.is_none() { Some(Micros(0)) } else { None },
            raw: row,
            ..Record::default()
        };
        if record.source.len().max(record.destination.len()) > TEXT_MAX {
            return Err(Refusal::TooLong("SrcURI or DstURI"));
        }
        match (answer, end) {
            (Some(_), None) => Err(Refusal::NoDuration),
            (Some(_), _) if record.destination.is_empty() => Err(Refusal::Missing("DstURI")),
            _ => Ok(Line::Record(record)),
        }
    }
}

/// The user of `user@host`; the device cuts what is longer than 41 characters, and then there may be no host.
fn user(uri: &[u8]) -> &[u8] {
    let user = uri.get(..memchr::memchr(b'@', uri).unwrap_or(uri.len())).unwrap_or_default();
    user.get(..number_end(user)).unwrap_or_default()
}
