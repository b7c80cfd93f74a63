//! The audit: every stored call is added up again, and as far as the journal is still kept, every record is rated again
//! and compared with what is stored, field by field.
//!
//! ```text
//! rows of a flush ───────────────────────────────▶ added up ─▶ what totals and books must say
//!        │
//!        └──────── compared, leg by leg ◀── rated again ◀── frames of the same flush, as long as they are kept
//! ```
//! Totals that follow from the stored calls prove nothing if the calls are wrong. So this goes the whole way a second
//! time, by a slower and simpler road than the one that made the rows: one flush after the other, one thread, no shards.
//!
//! Rows are only ever appended, so the rows up to a flush are what the totals of that flush were made of: the audit holds
//! no lock, and flushes go on meanwhile. Memory: one flush.
//!
//! **Not audited**: a retry that was journalled before the kept part begins and named an attempt older than its last one
//! is told from a valid one only by later attempts; such a retry changes nothing. When a call told in parts was whole is
//! taken from the store; the call itself is put together and rated again. Stretches that an operator gave up, and calls
//! whose parts are partly gone, are taken as stored.
//!
//! Does not know HTTP, nor how a difference is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::Position;
use crate::call::{AccountKey, CallType, Costs, GroupKey, Meter, RatedCall, Usage};
use crate::entry::Kept;
use crate::images::{ImageMissing, Images};
use crate::journal::{Frames, JournalError, JournalReader};
use crate::rating;
use crate::record::{Content, Identity};
use crate::store::{DecidedRow, DeletedSum, FlushInfo, Margin, OrderRow, Store, StoreError, StoredState, Visit};
use crate::time::Period;

mod carried;
mod compare;
mod counted;
mod fold;
mod minimums;
mod month;

use fold::Fold;
pub use month::{MonthAudited, month};

/// Flushes asked for at a time.
const FLUSHES: usize = 10_000;
/// Differences listed; those beyond are counted.
pub const LISTED_MAX: usize = 100;

/// Where each of some identities was first seen, and with which content; none while the daemon stops.
pub type Find<'a> = dyn Fn(Vec<Identity>) -> Option<Vec<Option<(Content, Position)>>> + 'a;

/// What an audit reads.
pub struct Sources<'a> {
    /// Invoice storage.
    pub store: &'a dyn Store,
    /// The journal.
    pub journal: &'a JournalReader,
    /// The images that the journal and the store name.
    pub images: &'a Images,
    /// The identity index, asked over the road.
    pub find: &'a Find<'a>,
}

/// A call and the text of what it drew.
type Drew = (RatedCall, Vec<u8>);

/// A line of totals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LineKey {
    /// Which month.
    pub period: Period,
    /// Who pays.
    pub account: AccountKey,
    /// Whose allowance was drawn.
    pub group: GroupKey,
    /// Type of the calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
}

/// What the stored calls add up to.
#[derive(Default, Debug)]
pub struct Sums {
    /// Stored calls.
    pub calls: u64,
    /// Totals.
    pub lines: BTreeMap<LineKey, Usage>,
    /// Allowance seconds drawn.
    pub drawn: BTreeMap<(Period, GroupKey, Meter), u64>,
    /// Rated legs by month.
    pub rated: BTreeMap<Period, i128>,
    /// Cost by currency, nano-units.
    pub money: BTreeMap<[u8; 3], i128>,
    /// What calls cost us, by month, account and currency.
    pub margins: BTreeMap<(Period, AccountKey, [u8; 3]), Margin>,
}

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Account of the call, where it is about one.
    pub account: Option<String>,
    /// Node and id of the call, and the leg, where it is about one.
    pub call: Option<String>,
    /// Which field of the call, or what else.
    pub field: String,
    /// What the records give.
    pub expected: String,
    /// What is stored.
    pub found: String,
}

/// What an audit found.
#[derive(Default, Debug)]
pub struct Audited {
    /// What the stored calls add up to.
    pub sums: Sums,
    /// Position from which on the journal is still kept, hence rated again; none if nothing of it is.
    pub from: Option<Position>,
    /// Calls that were rated again and compared.
    pub compared: u64,
    /// Counts of the books that the journal gives; only if it is kept from its beginning and no record was set
    /// aside.
    pub books: Option<BTreeMap<String, i128>>,
    /// Rows that flushes wrote and that are no longer there.
    missing: u64,
    /// Rows that were deleted or erased by order, and whose they were.
    deleted: u64,
    gone: BTreeSet<(Period, AccountKey)>,
    /// Contradicting records before this position may have been deleted or erased.
    conflicts_gone: Position,
    /// Rows that no longer count from a flush on.
    superseded: BTreeMap<u64, Vec<(Drew, Option<Costs>)>>,
    /// A record was met on which the daemon died twice: the journal gives other counts than the road did.
    set_aside: bool,
    /// The first [`LISTED_MAX`].
    pub differences: Vec<Difference>,
    /// How many there are.
    pub count: u64,
}

impl Audited {
    fn differ(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < LISTED_MAX {
            self.differences.push(difference);
        }
    }
}

/// Why an audit could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An image by which calls were rated.
    #[error(transparent)]
    Image(#[from] ImageMissing),
    /// A journal entry that this version cannot read.
    #[error("journal entry at position {0} cannot be read: {1}")]
    Entry(Position, String),
    /// The identity index is not asked any more.
    #[error("the daemon is stopping")]
    Stopping,
}

impl AuditError {
    /// Whether stored data is damaged, rather than out of reach for a while.
    pub fn is_damage(&self) -> bool {
        match self {
            AuditError::Store(error) => !error.is_retryable(),
            AuditError::Journal(error) => matches!(
                error,
                JournalError::Damaged { .. } | JournalError::NewerVersion { .. } | JournalError::OtherFolder { .. }
            ),
            AuditError::Image(error) => !matches!(error, ImageMissing::Unwritable { .. }),
            AuditError::Entry(..) => true,
            AuditError::Stopping => false,
        }
    }
}

/// Audits everything up to the flush of a state that was loaded from the same store.
///
/// # Errors
/// The first part that cannot be read.
pub fn audit(sources: &Sources<'_>, state: &StoredState) -> Result<Audited, AuditError> {
    let (deleted, draws) = (sources.store.deleted_sums(None)?, sources.store.deleted_draws()?);
    let mut audited = Audited::default();
    for row in sources.store.deleted(None)? {
        audited.deleted += row.rows;
        audited.gone.insert((row.period, row.account));
    }
    let orders = sources.store.retention()?;
    let takes = |order: &&OrderRow| order.entry.what == Kept::Erase || order.entry.conflicts_before.is_some();
    audited.conflicts_gone = orders.iter().rev().find(takes).map_or(Position(0), |order| order.position);
    let mut again: Option<(Fold<'_>, Frames)> = None;
    let decisions = sources.store.decisions(None)?;
    let mut after = None;
    loop {
        let flushes = sources.store.flushes(after, FLUSHES)?;
        for flush in flushes.iter().filter(|flush| flush.number <= state.flush) {
            // Segments are dropped meanwhile, oldest first: then it goes on where the journal begins now.
            if again.is_none() && flush.from >= sources.journal.first() {
                let mut drawn = audited.sums.drawn.clone();
                if flush.from > Position(0) {
                    // Details go long after the journal has let go of their records.
                    for line in &draws {
                        *drawn.entry((line.period, line.group, line.meter)).or_default() += line.used_seconds;
                    }
                }
                let fold = Fold::at(sources, state, flush.from, &drawn)?;
                again = Some((fold, sources.journal.frames_from(flush.from)));
                audited.from.get_or_insert(flush.from);
            }
            match one_flush(sources, state, flush, &decisions, &mut again, &mut audited) {
                Err(AuditError::Journal(JournalError::Gone { .. })) => again = None,
                done => done?,
            }
        }
        match flushes.last() {
            Some(last) if flushes.len() == FLUSHES && last.number < state.flush => after = Some(last.number),
            _ => break,
        }
    }
    for row in state.periods.iter().filter(|row| row.sealed.is_some_and(|at| at < state.position)) {
        for (place, seconds) in carried::counters(sources.store, state, row.period)? {
            *audited.sums.drawn.entry(place).or_default() += seconds.cast_unsigned();
        }
        minimums::table(sources.store, state, row.period, |one| audited.differ(one))?;
    }
    deleted.iter().for_each(|sum| audited.sums.add_deleted(sum));
    for line in &draws {
        *audited.sums.drawn.entry((line.period, line.group, line.meter)).or_default() += line.used_seconds;
    }
    if audited.deleted > 0 && audited.missing != audited.deleted {
        let (expected, found) = (audited.deleted.to_string(), audited.missing.to_string());
        let field = "rows that were deleted or erased".to_owned();
        audited.differ(Difference { account: None, call: None, field, expected, found });
    }
    if let (Some((fold, _)), Some(Position(0)), false) = (again, audited.from, audited.set_aside) {
        let mut books = fold.books;
        if fold.sealed {
            // The revisions of a seal follow from the whole month, not from one record: `verify --period` derives them.
            books.retain(|name, _| name.starts_with("listener/"));
        }
        if fold.parts {
            books.retain(|name, _| !name.starts_with("records/"));
        }
        // What was given up is in the books all the same.
        audited.books = fold.lost.is_empty().then_some(books);
    }
    Ok(audited)
}

fn one_flush(
    sources: &Sources<'_>,
    state: &StoredState,
    flush: &FlushInfo,
    decisions: &[DecidedRow],
    again: &mut Option<(Fold<'_>, Frames)>,
    audited: &mut Audited,
) -> Result<(), AuditError> {
    // What was decided within this flush follows from its records, as what a seal or a run corrects does not; and a run decides
    // where a month is closed.
    let of_a_run = |one: &DecidedRow| state.reruns.iter().any(|run| run.settled == Some(one.entry));
    let decided: BTreeSet<Position> = (decisions.iter())
        .filter(|one| flush.from <= one.entry && one.entry < flush.upto && !of_a_run(one))
        .map(|one| one.first)
        .collect();
    let by_hand = |call: &RatedCall| decided.contains(&call.key.position);
    // The sums hold whatever becomes of the journal's part.
    let mut stored = Vec::new();
    let keep = again.is_some();
    let (sums, superseded) = (&mut audited.sums, &mut audited.superseded);
    let mut corrections: Vec<Drew> = Vec::new();
    let mut rows = 0;
    sources.store.calls_of_flush(flush.number, &mut |call| {
        rows += 1;
        sums.add(&call.call, call.draws, call.costs.as_ref(), 1);
        if let Some(flush) = call.superseded {
            superseded.entry(flush).or_default().push(((call.call, call.draws.to_vec()), call.costs));
        }
        if (call.revision > 0 || call.run.is_some()) && !by_hand(&call.call) {
            corrections.push((call.call, call.draws.to_vec()));
        } else if keep {
            stored.push(call.to_owned_call());
        }
        Visit::Continue(())
    })?;
    let replaced = audited.superseded.remove(&flush.number).unwrap_or_default();
    for ((call, draws), costs) in &replaced {
        audited.sums.add(call, draws, costs.as_ref(), -1);
    }
    audited.missing += flush.calls.saturating_sub(rows);
    let may_lack = audited.deleted > 0 && rows < flush.calls;
    if rows != flush.calls && again.is_none() && !may_lack {
        audited.differ(Difference {
            account: None,
            call: None,
            field: format!("calls of flush {} (positions {} to {})", flush.number, flush.from, flush.upto),
            expected: flush.calls.to_string(),
            found: rows.to_string(),
        });
    }
    let Some((fold, frames)) = again else { return Ok(()) };
    fold.begin();
    fold.rows(&stored);
    let others = replaced.iter().map(|(drew, _)| drew).filter(|(call, _)| !by_hand(call));
    for ((call, draws), sign) in corrections.iter().map(|c| (c, 1)).chain(others.map(|c| (c, -1))) {
        rating::drawn(call, draws, |meter, seconds| {
            let place = (call.own_period(), call.group, meter);
            *fold.corrections.entry(place).or_default() += i64::from(seconds) * sign * call.sign();
        });
    }
    while fold.position < flush.upto {
        let Some(frame) = frames.next() else { break };
        fold.frame(&frame?)?;
    }
    fold.end();
    audited.compared += stored.len() as u64;
    compare::calls(sources, state, fold, stored, audited)?;
    Ok(())
}

impl Sums {
    /// Adds what calls came to whose details are gone.
    fn add_deleted(&mut self, sum: &DeletedSum) {
        let DeletedSum { period, account, group, call_type, currency, .. } = *sum;
        let key = LineKey { period, account, group, call_type, currency };
        self.lines.entry(key).or_default().add(&sum.usage);
        *self.rated.entry(period).or_default() += i128::from(sum.usage.calls);
        *self.money.entry(currency).or_default() += sum.usage.cost;
    }

    /// Adds a call, or takes it out.
    fn add(&mut self, call: &RatedCall, draws: &[u8], costs: Option<&Costs>, sign: i64) {
        if let Some(costs) = costs {
            let key = (call.period, call.account, call.basis.currency);
            self.margins.entry(key).or_default().add(&Margin::of(call, costs), sign);
        }
        self.calls = self.calls.saturating_add_signed(sign);
        for (call_type, usage) in call.usage_lines() {
            let key = LineKey {
                period: call.period,
                account: call.account,
                group: call.group,
                call_type,
                currency: call.basis.currency,
            };
            self.lines.entry(key).or_default().add(&usage.times(sign));
        }
        rating::drawn(call, draws, |meter, seconds| {
            let drawn = self.drawn.entry((call.own_period(), call.group, meter)).or_default();
            *drawn = drawn.saturating_add_signed(i64::from(seconds) * sign * call.sign());
        });
        *self.rated.entry(call.period).or_default() += i128::from(sign * call.sign());
        *self.money.entry(call.basis.currency).or_default() += i128::from(call.cost.0) * i128::from(sign);
    }
}
