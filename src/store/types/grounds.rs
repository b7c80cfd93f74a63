//! What decides whose call it was, beside numbers and times.
//!
//! Does not know SQL or files, nor how it is decided.

use serde::{Deserialize, Serialize};

use crate::batch::{Position, SourceId};
use crate::record::{Direction, Record};

/// What decides whose call it was beside numbers and times, on its way into the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroundsOf<'a> {
    /// Source of the record's frame.
    pub source: SourceId,
    /// Position of the entry that brought the source's profile as it was.
    pub profile: Position,
    /// Running number of the directory.
    pub directory: u32,
    /// As the record has it.
    pub direction: Option<Direction>,
    /// The account, where the record names it.
    pub account: &'a [u8],
    /// Who forwarded the call, where the record says so.
    pub forwarded_by: &'a [u8],
    /// Where a ported number leads, where the record says so.
    pub routing_number: &'a [u8],
    /// Who carried the call on, where the record says so.
    pub carrier: &'a [u8],
}

/// The same as it comes out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Grounds {
    /// See [`GroundsOf`].
    pub source: SourceId,
    /// See [`GroundsOf`].
    pub profile: Position,
    /// See [`GroundsOf`].
    pub directory: u32,
    /// See [`GroundsOf`].
    pub direction: Option<Direction>,
    /// See [`GroundsOf`].
    pub account: Box<[u8]>,
    /// See [`GroundsOf`].
    pub forwarded_by: Box<[u8]>,
    /// See [`GroundsOf`].
    pub routing_number: Box<[u8]>,
    /// See [`GroundsOf`].
    pub carrier: Box<[u8]>,
}

impl<'a> GroundsOf<'a> {
    /// Of a record, by the settings of its source and by a directory.
    pub fn of(record: &Record<'a>, source: SourceId, profile: Position, directory: u32) -> GroundsOf<'a> {
        GroundsOf {
            source,
            profile,
            directory,
            direction: record.direction,
            account: record.account,
            forwarded_by: record.forwarded_by,
            routing_number: record.routing_number,
            carrier: record.carrier,
        }
    }

    /// The same, owning its text.
    pub fn to_owned_grounds(&self) -> Grounds {
        Grounds {
            source: self.source,
            profile: self.profile,
            directory: self.directory,
            direction: self.direction,
            account: self.account.into(),
            forwarded_by: self.forwarded_by.into(),
            routing_number: self.routing_number.into(),
            carrier: self.carrier.into(),
        }
    }
}

impl Grounds {
    /// Whether these are the same.
    ///
    /// Most text here is empty, and empty text lies nowhere: to compare it as memory costs a trap of the processor's
    /// vector loads, some 50 ns each (measured: a tenth of a flush).
    pub fn is(&self, other: &GroundsOf<'_>) -> bool {
        let same = |a: &[u8], b: &[u8]| a.len() == b.len() && (a.is_empty() || a == b);
        // Every field is named, so that a new one is not forgotten here.
        let GroundsOf { source, profile, directory, direction, account, forwarded_by, routing_number, carrier } =
            *other;
        (self.source, self.profile, self.directory, self.direction) == (source, profile, directory, direction)
            && same(&self.account, account)
            && same(&self.forwarded_by, forwarded_by)
            && same(&self.routing_number, routing_number)
            && same(&self.carrier, carrier)
    }

    /// The same, borrowed.
    pub fn borrowed(&self) -> GroundsOf<'_> {
        GroundsOf {
            source: self.source,
            profile: self.profile,
            directory: self.directory,
            direction: self.direction,
            account: &self.account,
            forwarded_by: &self.forwarded_by,
            routing_number: &self.routing_number,
            carrier: &self.carrier,
        }
    }
}
