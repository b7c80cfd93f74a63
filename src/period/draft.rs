//! The job: rates the month again in canonical order and writes what that changes into a draft.
//!
//! Memory: [`IN_MEMORY`](super::sort::IN_MEMORY) candidates, the accounts with calls in the month, contradictions, and eight
//! bytes for each row that is replaced.
//!
//! Does not know when it is called, nor what makes a draft count.

use std::collections::BTreeMap;

use super::candidates::{Candidate, Facts, Row};
use super::carry::{self, RollOver};
use super::drawn::Counted;
use super::gather::{Gather, Gathered, suspend};
use super::known::{Known, read};
use super::manifest::{LegLine, Manifest};
use super::minimum;
use super::names::Names;
use super::outcome::{LineDelta, Outcome};
use super::progress::{Progress, SealError};
use super::retained;
use super::sort::Sorter;
use crate::batch::Position;
use crate::books::name;
use crate::call::{AccountKey, CallType, Costs, GroupKey, LegKey, Meter, RatedCall, Usage};
use crate::directory::Account;
use crate::flush::Spill;
use crate::images::Images;
use crate::rating::{self, Draws, Leg, Resolution, Standing, World};
use crate::store::{CallRow, Draft, DraftOf, GroundsOf, Store, StoredState, SuspenseKey};
use crate::tariff::PlanId;
use crate::time::Period;

/// New rows written at a time.
const ROWS: usize = 1_000;

type LineKey = (AccountKey, GroupKey, Period, CallType, [u8; 3]);

/// Makes the draft of a month that was closed at a position which the store has.
///
/// # Errors
/// Something it reads is not there; nothing but an unfinished draft is left behind.
pub fn draft(
    store: &dyn Store,
    images: &Images,
    spill: &mut Spill,
    in_memory: usize,
    (period, seal): (Period, Position),
    progress: &Progress,
) -> Result<Draft, SealError> {
    progress.begin();
    let state = store.load()?;
    if state.position <= seal {
        return Err(SealError::Behind(seal));
    }
    retained::carry_out(store, seal)?;
    store.draft_begin(DraftOf::Month(period))?;
    let known = Known::at(store, images, &state, seal)?;
    let rollover = RollOver::of(&known, &state, (period, seal))?;
    let mut gathered = Gathered::default();
    let mut sorter = Sorter::new(spill, in_memory);
    let mut put = |candidate| sorter.push(candidate);
    let names = Names::of(&state);
    let number = |name: &str| names.number(name);
    Gather::new(&known, &state, (period, seal), &number, &mut put, &mut gathered, progress).all()?;
    let mut job = Job {
        store,
        known: &known,
        period,
        names: &names,
        keys: Vec::new(),
        manifest: Manifest::default(),
        lines: BTreeMap::new(),
        drawn: BTreeMap::new(),
        used: Counted::default(),
        drew: BTreeMap::new(),
        rollover,
        draws: Draws::default(),
        group: None,
        rows: Vec::new(),
        numbers: 0,
        gathered,
    };
    for row in std::mem::take(&mut job.gathered.leaving) {
        job.supersede(&row);
    }
    let mut waiting: Option<Candidate> = None;
    sorter.each(|candidate| {
        match &mut waiting {
            Some(held) if held.key == candidate.key => held.merge(candidate),
            _ => {
                if let Some(whole) = waiting.replace(candidate) {
                    progress.rated(1);
                    job.rate(whole)?;
                }
            }
        }
        Ok(())
    })?;
    if let Some(whole) = waiting {
        job.rate(whole)?;
    }
    job.finish(&state, seal)
}

/// A call, what it costs us, what it drew, what it was rated from, its revision, and whether an operator named the tariff.
type NewRow = (RatedCall, Option<Costs>, Vec<u8>, Facts, u32, bool);

struct Job<'a, 's> {
    store: &'s dyn Store,
    known: &'a Known<'s>,
    period: Period,
    names: &'a Names<'a>,
    /// Numbers of the accounts and groups of the directory, by its rows.
    keys: Vec<Option<(AccountKey, GroupKey)>>,
    manifest: Manifest,
    lines: BTreeMap<LineKey, (Usage, u8)>,
    drawn: BTreeMap<(GroupKey, Period, Meter), i64>,
    /// Drawn by the group whose legs come, so far.
    used: Counted,
    /// What groups drew whose legs came already, if that matters.
    drew: BTreeMap<String, Counted>,
    rollover: RollOver,
    /// What the leg drew that was rated last.
    draws: Draws,
    /// Whose legs come.
    group: Option<u32>,
    rows: Vec<NewRow>,
    numbers: u64,
    gathered: Gathered,
}

impl Job<'_, '_> {
    fn rate(&mut self, candidate: Candidate) -> Result<(), SealError> {
        if candidate.closed {
            return Ok(());
        }
        if self.group != Some(candidate.key.group) {
            self.group_ends();
            self.group = Some(candidate.key.group);
            let key = self.names.group(candidate.key.group).map(|(_, key)| key);
            self.used.begin(key.map_or(&[][..], |key| self.rollover.handed.get(key, self.period)));
        }
        if let Some(fixed) = &candidate.fixed {
            if fixed.draws {
                self.used.stands(&fixed.call, &fixed.drew);
            }
            let record = read(&candidate.facts.record)?;
            let line = LegLine { call: &fixed.call, record: &record, tariff: &fixed.tariff };
            self.manifest.leg(&fixed.account, &line);
            return Ok(());
        }
        let named = candidate.row.as_ref().and_then(Row::named);
        let side = candidate.key.leg;
        let (leg, slot) = match (named, candidate.leg) {
            (None, Some((slot, leg))) => (leg, slot),
            _ => {
                let (resolution, slot) = self.known.resolve_by_slot(&candidate.facts, named)?;
                let Resolution::Legs(first, second) = resolution else { return Ok(()) };
                let leg = [first, second].into_iter().flatten().find(|leg| leg.direction == side);
                let Some(leg) = leg else { return Ok(()) };
                (leg, slot)
            }
        };
        let known = self.known;
        let directory = &known.directory;
        let account = directory.row(leg.account_row);
        let (key, group) = self.keys(&account)?;
        let answer = leg.answer;
        let (rated, costs) = {
            let (_, tariff) = known.in_force_or(answer, named);
            let world = World { directory, tariff, slot };
            let rated = rating::rate(&leg, world, self.period, Standing::of(&self.used), &mut self.draws);
            let costs = rated.as_ref().ok().and_then(|r| rating::costs(&leg, world, PlanId(r.basis.plan), self.period));
            (rated, costs)
        };
        match rated {
            Ok(rated) => {
                self.used.rated(&rated, &self.draws);
                let place = LegKey { position: candidate.key.position, leg: side };
                self.rated(rated.call(&leg, place, key, group), costs, account.name(), candidate)
            }
            Err(why) => {
                self.not_rated(&leg, why.reason, key, candidate);
                Ok(())
            }
        }
    }

    fn group_ends(&mut self) {
        if let Some((name, _)) = self.group.filter(|_| self.rollover.hands_on).and_then(|group| self.names.group(group))
        {
            self.drew.insert(name.to_owned(), std::mem::take(&mut self.used).ended());
        }
    }

    fn keys(&mut self, account: &Account<'_>) -> Result<(AccountKey, GroupKey), SealError> {
        let row = account.row as usize;
        if let Some(Some(keys)) = self.keys.get(row) {
            return Ok(*keys);
        }
        // The resolver gave every account of the directory a number when the month was closed.
        let (names, unknown) =
            (self.names, || SealError::Unreadable(format!("account {} has no number", account.name())));
        let key = *names.accounts.get(account.name()).ok_or_else(unknown)?;
        let group = *names.groups.get(account.group()).ok_or_else(unknown)?;
        if self.keys.len() <= row {
            self.keys.resize(row + 1, None);
        }
        Ok(*self.keys[row].insert((key, group)))
    }

    fn rated(
        &mut self,
        call: RatedCall,
        costs: Option<Costs>,
        account: &str,
        candidate: Candidate,
    ) -> Result<(), SealError> {
        let record = read(&candidate.facts.record)?;
        let tariff = self.known.tariff(call.basis.tariff).map_or("", |tariff| tariff.digest());
        self.manifest.leg(account, &LegLine { call: &call, record: &record, tariff });
        let revision = match &candidate.row {
            // What it costs us is none of the customer's manifest, and yet it is to be right.
            Some(row) if !candidate.facts.other && row.costs == costs && self.same(row, &call) => return Ok(()),
            Some(row) => {
                self.supersede(row);
                row.revision + 1
            }
            None => 1,
        };
        if let Some((reason, month)) = candidate.waits {
            self.released(SuspenseKey { position: call.key.position, leg: Some(call.key.leg) }, reason, month);
        }
        let drew = self.draws.text.clone();
        self.count(&call, &drew, 1);
        let named = candidate.row.is_some_and(|row| row.named().is_some());
        self.rows.push((call, costs, drew, candidate.facts, revision, named));
        if self.rows.len() >= ROWS { self.write_rows() } else { Ok(()) }
    }

    fn not_rated(&mut self, leg: &Leg, reason: crate::call::SuspenseReason, account: AccountKey, candidate: Candidate) {
        if let Some(row) = &candidate.row {
            self.supersede(row);
        } else if candidate.waits.is_some() {
            return;
        }
        let key = SuspenseKey { position: candidate.key.position, leg: Some(candidate.key.leg) };
        let place = (reason, self.period);
        suspend(&mut self.gathered, self.period, key, place, Some(account), &candidate.facts, leg.answer);
    }

    /// Whether a row says what the canonical order gives: all that is billed and shown, not how much others used before it.
    fn same(&self, row: &Row, call: &RatedCall) -> bool {
        let stored = &row.call;
        let drawn = |call: &RatedCall, text: &[u8]| {
            let mut all = Vec::new();
            rating::drawn(call, text, |meter, seconds| all.push((meter, seconds)));
            all
        };
        let digest = |call: &RatedCall| self.known.tariff(call.basis.tariff).map(|tariff| tariff.digest().to_owned());
        let basis = crate::call::Basis { tariff: call.basis.tariff, ..stored.basis };
        RatedCall { used_before: call.used_before, basis, ..*stored } == *call
            && drawn(stored, &row.draws) == drawn(call, &self.draws.text)
            && (stored.basis.tariff == call.basis.tariff || digest(stored) == digest(call))
    }

    /// A row no longer counts.
    fn supersede(&mut self, row: &Row) {
        self.gathered.outcome.superseded.push(row.number);
        self.count(&row.call, &row.draws, -1);
    }

    /// Adds a call to the differences, or takes it out.
    fn count(&mut self, call: &RatedCall, drew: &[u8], sign: i64) {
        for (call_type, usage) in call.usage_lines() {
            let key = (call.account, call.group, call.period, call_type, call.basis.currency);
            let line = self.lines.entry(key).or_default();
            line.0.add(&usage.times(sign));
            if sign > 0 {
                line.1 = line.1.max(call.basis.decimals);
            }
        }
        rating::drawn(call, drew, |meter, seconds| {
            let place = (call.group, call.own_period(), meter);
            *self.drawn.entry(place).or_default() += i64::from(seconds) * sign;
        });
        let books = &mut self.gathered.outcome.books;
        *books.entry(name::legs(call.period, "legs")).or_default() += i128::from(sign);
        *books.entry(name::legs(call.period, "rated")).or_default() += i128::from(sign);
        let currency = String::from_utf8_lossy(&call.basis.currency);
        for what in ["calls", "totals"] {
            *books.entry(name::money(&currency, what)).or_default() += i128::from(call.cost.0) * i128::from(sign);
        }
    }

    fn released(&mut self, key: SuspenseKey, reason: crate::call::SuspenseReason, month: Period) {
        let books = &mut self.gathered.outcome.books;
        *books.entry(name::legs(month, "legs")).or_default() -= 1;
        *books.entry(name::suspended_legs(month, reason)).or_default() -= 1;
        if month == self.period {
            *self.gathered.waiting.entry(reason).or_default() -= 1;
        }
        self.gathered.outcome.released.push(key);
    }

    fn write_rows(&mut self) -> Result<(), SealError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for (call, costs, drew, facts, revision, named) in &self.rows {
            let record = read(&facts.record)?;
            rows.push(CallRow {
                call: *call,
                node: record.node,
                id: record.id,
                source_dialled: record.source,
                destination_dialled: record.destination,
                start: record.start,
                grounds: Some(GroundsOf::of(&record, facts.source, facts.profile, self.known.directory_slot)),
                revision: *revision,
                run: None,
                named_tariff: *named,
                costs: *costs,
                draws: drew,
            });
        }
        self.store.draft_rows(DraftOf::Month(self.period), self.numbers, &postcard::to_stdvec(&rows)?)?;
        self.numbers += 1;
        self.gathered.outcome.rows += rows.len() as u64;
        self.rows.clear();
        Ok(())
    }

    fn finish(mut self, state: &StoredState, seal: Position) -> Result<Draft, SealError> {
        self.write_rows()?;
        self.group_ends();
        let mut carried = Vec::new();
        if self.rollover.hands_on {
            let hands = carry::hands(self.known, self.period, &self.names.groups, &self.drew, &self.rollover.handed);
            carried = hands.carried;
            for (group, month, meter, seconds) in hands.drawn {
                *self.drawn.entry((group, month, meter)).or_default() += seconds;
            }
        }
        let (period, accounts, groups) = (self.period, &self.names.accounts, &self.names.groups);
        let place = minimum::Place { known: self.known, state, period, seal, accounts, groups };
        let minimums = place.lines(&self.manifest)?;
        let Gathered { outcome, decided, waiting, .. } = self.gathered;
        let outcome = Outcome {
            lines: LineDelta::of(self.lines),
            drawn: self.drawn.into_iter().filter(|(_, n)| *n != 0).map(|((g, p, m), n)| (g, p, m, n)).collect(),
            books: outcome.books.into_iter().filter(|(_, n)| *n != 0).collect(),
            ..outcome
        };
        let (digest, manifest) = self.manifest.finish(self.period, decided.into_iter(), &waiting, carried, minimums);
        let (packed, superseded) = (outcome.pack(), outcome.superseded);
        let (reversed, restored) = (Vec::new(), Vec::new());
        let draft = Draft { seal, digest, manifest, outcome: packed, superseded, reversed, restored };
        self.store.draft_finish(DraftOf::Month(self.period), &draft)?;
        Ok(draft)
    }
}
