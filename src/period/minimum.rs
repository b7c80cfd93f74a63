//! What a sealed month bills of minimum spends (R26), and what becomes of it when calls of a sealed month come or change later.
//!
//! ```text
//! October is sealed ──▶ minimum 20.00, its calls 3.10 ──▶ October bills 16.90 more
//! November bills a late call of October, 5.00          ──▶ calls 8.10, short 11.90: November bills −5.00
//! December takes the call back                         ──▶ calls 3.10, short 16.90: December bills +5.00
//! ```
//! A month's own calls count towards its minimum, each once, whenever they are billed: what a month bills of earlier months
//! counts towards those. So however often calls of a month come late, are rated again and taken back, all lines of it together
//! come to the larger of its minimum and its calls. What counts is what was charged, behind allowances, tiers and rounding, in
//! the minimum's currency.
//!
//! What a sealed month asked for stays: a tariff or an account that is put right behind the seal changes calls, not the minimum.
//! Months come in the order in which they were closed, which the journal knows; one that bills calls of a month with a minimum
//! waits for those closed before it.
//!
//! Cost: nothing where no plan has a minimum; else one look at every account's rows, and for those whose plan has one a line: 300 bytes
//! while the month is sealed, 110 in the manifest, 50 in the store. A million of them are 300 MB for that while, where the
//! manifest's digests of a million accounts with calls take 2 GB. Accounts whose calls come late take a look-up in the store each.
//!
//! Does not know how calls are rated.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::manifest::Manifest;
use super::progress::SealError;
use crate::batch::Position;
use crate::call::{AccountKey, GroupKey, TariffSlot};
use crate::directory::{Account, Directory};
use crate::money::{Money, Sum, minor_unit};
use crate::rating::{self, World};
use crate::store::{MinimumRow, MinimumsOf, Store, StoreError, StoredState};
use crate::tariff::Tariff;
use crate::time::{Period, Timestamp};

/// Lines written at a time.
const ROWS: usize = 10_000;

/// A line as the manifest has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct MinimumLine {
    /// Who pays.
    pub account: String,
    /// Its billing group at the end of the month whose minimum it is.
    pub group: String,
    /// ISO 4217.
    pub currency: String,
    /// The earlier, sealed month whose minimum it is; none: it is the month's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjusts: Option<String>,
    /// What the account is to spend at least in that month.
    pub minimum: String,
    /// What its calls of that month come to, as far as they are billed by now.
    pub charged: String,
    /// What this month bills: what is short; below zero: given back.
    pub cost: String,
}

impl MinimumLine {
    /// Adds it to a digest.
    pub fn add_to(&self, hasher: &mut blake3::Hasher) {
        let adjusts = self.adjusts.as_deref().unwrap_or_default();
        let Self { account, group, currency, minimum, charged, cost, .. } = self;
        let mut line = Vec::with_capacity(192);
        for part in ["minimum", account, group, currency, adjusts, minimum, charged, cost] {
            line.extend_from_slice(&(part.len() as u64).to_le_bytes());
            line.extend_from_slice(part.as_bytes());
        }
        hasher.update(&line);
    }

    /// By names.
    pub fn of(row: &MinimumRow, account: &str, group: &str) -> MinimumLine {
        let decimals = u32::from(row.decimals);
        MinimumLine {
            account: account.to_owned(),
            group: group.to_owned(),
            currency: String::from_utf8_lossy(&row.currency).into_owned(),
            adjusts: (row.own != row.period).then(|| row.own.to_string()),
            minimum: row.minimum.fixed(minor_unit(row.currency)),
            charged: Sum(row.charged).fixed(decimals),
            cost: Sum(row.cost).fixed(decimals),
        }
    }
}

/// What is short of a minimum.
pub fn short(minimum: Money, charged: i128) -> i128 {
    (i128::from(minimum.0) - charged).max(0)
}

/// What a month bills that bills calls of an earlier one: `before` is what that and others billed of its minimum, in the order in
/// which they were closed, `late` what the calls cost. None: that month asked for nothing.
pub fn adjusted(before: &[MinimumRow], period: Period, (late, decimals): (i128, u8)) -> Option<MinimumRow> {
    let last = before.last()?;
    let charged = last.charged + late;
    let billed: i128 = before.iter().map(|row| row.cost).sum();
    let cost = short(last.minimum, charged) - billed;
    Some(MinimumRow { period, charged, cost, decimals: last.decimals.max(decimals), ..*last })
}

/// What was billed of an account's minimum of a month, by currency, in the order in which months were closed; of months closed
/// before a place in the journal.
///
/// # Errors
/// The store; or [`SealError::Behind`]: one of those is not sealed yet, so what it bills is not known.
pub fn billed_before(
    store: &dyn Store,
    state: &StoredState,
    (account, own): (AccountKey, Period),
    seal: Position,
) -> Result<BTreeMap<[u8; 3], Vec<MinimumRow>>, SealError> {
    let seals: HashMap<Period, Position> = state.periods.iter().map(|row| (row.period, row.seal)).collect();
    let closed = |row: &MinimumRow| seals.get(&row.period).copied().filter(|at| *at < seal);
    let mut found: BTreeMap<[u8; 3], Vec<MinimumRow>> = BTreeMap::new();
    for row in store.minimums(MinimumsOf::Own(account, own))?.into_iter().filter(|row| closed(row).is_some()) {
        found.entry(row.currency).or_default().push(row);
    }
    found.values_mut().for_each(|rows| rows.sort_by_key(|row| closed(row)));
    // Where the month itself has none, others have none of it.
    found.retain(|_, rows| rows.first().is_some_and(|first| first.period == own));
    if !found.is_empty() && state.periods.iter().any(|row| row.seal < seal && row.sealed.is_none()) {
        return Err(SealError::Behind(seal));
    }
    Ok(found)
}

/// Every account that is billed in a month and whose plan may ask for a minimum: its row at its last instant there, and that
/// instant. Nothing where no tariff has a plan that does.
pub fn accounts<'a, 't>(
    directory: &'a Directory,
    tariffs: impl Iterator<Item = &'t Tariff>,
    period: Period,
    mut show: impl FnMut(Account<'a>, Timestamp) -> Result<(), SealError>,
) -> Result<(), SealError> {
    let asking = |tariff: &'t Tariff| tariff.plans().iter().filter(|plan| plan.minimum_spend.is_some());
    let plans: HashSet<&str> = tariffs.flat_map(asking).map(|plan| plan.name.as_str()).collect();
    if plans.is_empty() {
        return Ok(());
    }
    let mut last = None;
    for row in 0..directory.rows() {
        let account = directory.row(row);
        if account.is_only_named() || last == Some(account.index) || !plans.contains(account.plan) {
            continue;
        }
        last = Some(account.index);
        // What a change has said anew stands further up.
        if directory.account_named(account.name().as_bytes()) != last {
            continue;
        }
        if let Some((account, at)) = rating::billed(directory, &account, period) {
            show(account, at)?;
        }
    }
    Ok(())
}

/// What is at the seal's place.
pub struct Place<'a> {
    pub known: &'a Known<'a>,
    pub state: &'a StoredState,
    pub period: Period,
    pub seal: Position,
    pub accounts: &'a HashMap<&'a str, AccountKey>,
    pub groups: &'a HashMap<&'a str, GroupKey>,
}

impl Place<'_> {
    /// What the month bills, by account and currency, its own first.
    pub fn lines(&self, manifest: &Manifest) -> Result<Vec<MinimumLine>, SealError> {
        let late = manifest.late();
        let mut lines = Vec::new();
        let mut rows = Vec::new();
        let directory = self.known.directory.clone();
        accounts(&directory, self.known.tariffs(), self.period, |account, last| {
            let (slot, tariff) = self.known.in_force(last);
            let world = World { directory: &directory, tariff, slot };
            for (currency, minimum) in rating::minimum_spend(world, &account, self.period) {
                let unknown = || SealError::Unreadable(format!("account {} has no number", account.name()));
                let key = *self.accounts.get(account.name()).ok_or_else(unknown)?;
                let group = *self.groups.get(account.group()).ok_or_else(unknown)?;
                let (all, decimals) = manifest.cost(account.name(), currency);
                let charged = all - late.get(&(account.name(), currency)).copied().unwrap_or_default();
                let decimals = decimals.max(minor_unit(currency) as u8);
                let (period, cost) = (self.period, short(minimum, charged));
                let row =
                    MinimumRow { period, own: period, account: key, group, currency, decimals, minimum, charged, cost };
                lines.push(MinimumLine::of(&row, account.name(), account.group()));
                rows.push(row);
            }
            self.write(&mut rows, ROWS)
        })?;
        let mut asked: Option<(Period, bool)> = None;
        for ((own, account), costs) in manifest.late_by_month() {
            let asks = match asked.filter(|(month, _)| *month == own) {
                Some((_, asks)) => asks,
                None => !self.known.store.minimums(MinimumsOf::Any(own))?.is_empty(),
            };
            asked = Some((own, asks));
            if !asks {
                continue;
            }
            let Some(key) = self.accounts.get(account).copied() else { continue };
            let billed = billed_before(self.known.store, self.state, (key, own), self.seal)?;
            for (currency, before) in billed {
                let Some(late) = costs.get(&currency) else { continue };
                let Some(row) = adjusted(&before, self.period, *late) else { continue };
                let group = self.state.groups.binary_search_by_key(&row.group, |group| group.key);
                lines.push(MinimumLine::of(&row, account, group.map_or("", |at| &self.state.groups[at].name)));
                rows.push(row);
            }
            self.write(&mut rows, ROWS)?;
        }
        self.write(&mut rows, 0)?;
        lines.sort();
        Ok(lines)
    }

    /// Once there are enough of them.
    fn write(&self, rows: &mut Vec<MinimumRow>, enough: usize) -> Result<(), SealError> {
        if rows.len() > enough {
            self.known.store.draft_minimums(rows)?;
            rows.clear();
        }
        Ok(())
    }
}

/// What a month that is not sealed would bill an account by now: calls that the store has count, late ones too.
pub struct Preview<'a> {
    /// Invoice storage.
    pub store: &'a dyn Store,
    /// Accounts.
    pub directory: &'a Directory,
    /// The tariff that is in force.
    pub tariff: &'a Tariff,
}

impl Preview<'_> {
    /// `all` is what the month bills the account's calls, by currency, those of earlier months too.
    ///
    /// # Errors
    /// The store.
    pub fn of(
        &self,
        account: Option<&Account<'_>>,
        key: Option<AccountKey>,
        period: Period,
        all: &[([u8; 3], i128, u8)],
    ) -> Result<Vec<MinimumRow>, StoreError> {
        let world = World { directory: self.directory, tariff: self.tariff, slot: TariffSlot(0) };
        let billed = account.and_then(|account| rating::billed(self.directory, account, period));
        let minimums = billed.map_or_else(Vec::new, |(account, _)| rating::minimum_spend(world, &account, period));
        let mut others: BTreeMap<([u8; 3], Period), Vec<MinimumRow>> = BTreeMap::new();
        if let Some(key) = key {
            let state = self.store.periods()?;
            let seals: HashMap<Period, Position> = state.iter().map(|row| (row.period, row.seal)).collect();
            for own in self.store.adjusted(period)? {
                for row in self.store.minimums(MinimumsOf::Own(key, own))? {
                    others.entry((row.currency, own)).or_default().push(row);
                }
            }
            others.values_mut().for_each(|rows| rows.sort_by_key(|row| seals.get(&row.period).copied()));
            others.retain(|(_, own), rows| rows.first().is_some_and(|first| first.period == *own));
        }
        let late = match key {
            Some(key) if !(minimums.is_empty() && others.is_empty()) => late(self.store, key, period)?,
            _ => Late::new(),
        };
        let mut rows = Vec::new();
        for (currency, minimum) in minimums {
            let (_, all, decimals) = all.iter().find(|(of, ..)| *of == currency).copied().unwrap_or((currency, 0, 0));
            let late: i128 = late.iter().filter(|((of, _), _)| *of == currency).map(|(_, (late, _))| late).sum();
            let charged = all - late;
            let (cost, decimals) = (short(minimum, charged), decimals.max(minor_unit(currency) as u8));
            let (account, group) = (key.unwrap_or(AccountKey(u32::MAX)), GroupKey(u32::MAX));
            rows.push(MinimumRow { period, own: period, account, group, currency, decimals, minimum, charged, cost });
        }
        for (place, before) in others {
            rows.extend(late.get(&place).and_then(|late| adjusted(&before, period, *late)));
        }
        Ok(rows)
    }
}

/// Costs by currency and own month, each with the most decimals of any.
type Late = BTreeMap<([u8; 3], Period), (i128, u8)>;

/// What a month bills an account of calls of closed ones.
fn late(store: &dyn Store, account: AccountKey, period: Period) -> Result<Late, StoreError> {
    let mut late = Late::new();
    if store.adjusted(period)?.is_empty() {
        return Ok(late);
    }
    store.calls(account, period, Default::default(), &mut |stored| {
        if let Some(own) = stored.call.adjusts {
            let sum = late.entry((stored.call.basis.currency, own)).or_default();
            *sum = (sum.0 + i128::from(stored.call.cost.0), sum.1.max(stored.call.basis.decimals));
        }
        crate::store::Visit::Continue(())
    })?;
    Ok(late)
}
