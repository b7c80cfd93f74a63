//! One month, call by call: every stored call is derived anew from what the store keeps of its record, the totals are added
//! up, and a sealed month's digests are computed a second time.
//!
//! It shares no code with the job that sealed the month but the rules themselves: it goes account by account where the job
//! goes group by group, takes what was used of an allowance from the row where the job draws it, and proves each call by
//! itself.
//!
//! Memory: the calls of one account.
//!
//! Does not know HTTP, nor how a difference is shown.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::compare::shown;
use super::minimums::{self, Charged};
use super::{AuditError, Difference, LISTED_MAX, carried};
use crate::call::{AccountKey, CallType, GroupKey, Meter, Usage};
use crate::explain::{Archive, ExplainError};
use crate::images::Images;
use crate::money::Sum;
use crate::period::{Carried, LegLine, MinimumLine};
use crate::rating;
use crate::record::{Direction, Record};
use crate::store::{DeletedSum, OwnedCall, ScanOrder, Store, Visit};
use crate::time::Period;

/// What was found.
#[derive(Default, Debug)]
pub struct MonthAudited {
    /// Calls that count.
    pub calls: u64,
    /// Of these, derived anew; the others were stored by a version that did not keep what that needs.
    pub proved: u64,
    /// Accounts.
    pub accounts: u64,
    /// Calls whose details were deleted or erased: their totals and digests are taken from what is left of them.
    pub deleted: u64,
    /// The first [`LISTED_MAX`].
    pub differences: Vec<Difference>,
    /// How many there are.
    pub count: u64,
}

/// The manifest, as far as it is compared.
#[derive(Deserialize)]
struct Manifest {
    digest: String,
    accounts: Vec<ManifestAccount>,
    #[serde(default)]
    carried: Vec<Carried>,
    #[serde(default)]
    minimums: Vec<MinimumLine>,
}

#[derive(Deserialize)]
struct ManifestAccount {
    account: String,
    currency: String,
    calls: i64,
    digest: String,
}

type AccountCurrency = (String, String);

/// Audits a month. Flushes may go on meanwhile: an open month is then compared as it was in between, so whoever wants it
/// to the call keeps it still.
///
/// # Errors
/// The store, or an image that a call names.
pub fn month(store: &dyn Store, images: &Images, period: Period) -> Result<MonthAudited, AuditError> {
    let mut audit = Month {
        store,
        archive: Archive::open(store, images)?,
        groups: store.load()?.groups.into_iter().map(|g| (g.key.0, g.name)).collect(),
        gone: BTreeMap::new(),
        seen: BTreeSet::new(),
        period,
        found: MonthAudited::default(),
        digests: BTreeMap::new(),
        drawn: BTreeMap::new(),
        charged: Charged::default(),
    };
    for row in store.deleted(Some(period))? {
        let name = store.account_name(row.account)?.unwrap_or_else(|| "unknown".to_owned());
        audit.gone.insert(row.account, (name, Vec::new()));
    }
    for sum in store.deleted_sums(Some(period))? {
        audit.found.deleted += sum.usage.calls as u64;
        audit.gone.entry(sum.account).or_default().1.push(sum);
    }
    let mut held: Vec<OwnedCall> = Vec::new();
    let mut failed = None;
    store.scan(Some(period), ScanOrder::Account, &mut |call| {
        if held.first().is_some_and(|first| first.call.account != call.call.account) {
            let done = audit.account(&std::mem::take(&mut held));
            if let Err(error) = done {
                failed = Some(error);
                return Visit::Break(());
            }
        }
        held.push(call.to_owned_call());
        Visit::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    audit.account(&held)?;
    for (key, name) in audit.gone.iter().map(|(key, (name, _))| (*key, name.clone())).collect::<Vec<_>>() {
        // Those of which some calls are left were compared with them.
        if !audit.seen.contains(&key) {
            audit.found.accounts += 1;
            audit.totals(key, &name, &[])?;
        }
    }
    if let Some(manifest) = store.manifest(period)? {
        // What is gone drew as well, and nobody knows any more what of it before the seal.
        let carried = match audit.gone.is_empty() {
            true => Some(carried::derived(store, images, period, &audit.drawn)?),
            false => None,
        };
        audit.manifest(&manifest, carried);
        for (key, (name, _)) in &audit.gone {
            audit.charged.gone(store, period, *key, name)?;
        }
        let charged = std::mem::take(&mut audit.charged);
        minimums::compare(store, images, period, &charged, |one| {
            audit.differ(one.account, one.call, one.field, one.expected, one.found);
        })?;
    }
    Ok(audit.found)
}

struct Month<'a> {
    store: &'a dyn Store,
    archive: Archive<'a>,
    groups: BTreeMap<u32, String>,
    /// What is left of calls whose details are gone.
    gone: BTreeMap<AccountKey, (String, Vec<DeletedSum>)>,
    /// Accounts of which calls are left.
    seen: BTreeSet<AccountKey>,
    period: Period,
    found: MonthAudited,
    /// Calls and digest.
    digests: BTreeMap<AccountCurrency, (i64, String)>,
    /// By the month's own calls.
    drawn: BTreeMap<(GroupKey, Meter), u64>,
    /// What calls cost.
    charged: Charged,
}

impl Month<'_> {
    fn differ(
        &mut self,
        account: Option<String>,
        call: Option<String>,
        field: String,
        expected: String,
        found: String,
    ) {
        if expected == found {
            return;
        }
        self.found.count += 1;
        if self.found.differences.len() < LISTED_MAX {
            self.found.differences.push(Difference { account, call, field, expected, found });
        }
    }

    fn account(&mut self, calls: &[OwnedCall]) -> Result<(), AuditError> {
        let Some(first) = calls.first() else { return Ok(()) };
        let key = first.call.account;
        let name = self.store.account_name(key)?.unwrap_or_else(|| "unknown".to_owned());
        self.found.accounts += 1;
        self.seen.insert(key);
        self.found.calls += calls.len() as u64;
        for call in calls.iter().filter(|call| call.call.adjusts.is_none()) {
            rating::drawn(&call.call, &call.draws, |meter, seconds| {
                *self.drawn.entry((call.call.group, meter)).or_default() += u64::from(seconds);
            });
        }
        for OwnedCall { call, .. } in calls {
            let cost = (i128::from(call.cost.0), call.basis.decimals);
            self.charged.add(&name, call.basis.currency, call.adjusts, cost);
        }
        for call in calls {
            let explained = match self.archive.explain(call, &[]) {
                Ok(explained) => explained,
                Err(ExplainError::NotKept) => continue,
                Err(ExplainError::Store(error)) => return Err(error.into()),
                Err(ExplainError::Image(error)) => return Err(error.into()),
            };
            self.found.proved += 1;
            let which = || {
                format!(
                    "{}/{} {} (position {})",
                    String::from_utf8_lossy(&call.node),
                    String::from_utf8_lossy(&call.id),
                    call.call.key.leg.name(),
                    call.call.key.position
                )
            };
            for one in explained.differences {
                self.differ(Some(name.clone()), Some(which()), one.field.to_owned(), one.derived, one.stored);
            }
            if explained.costs != call.costs {
                let (derived, stored) = (shown(&explained.costs), shown(&call.costs));
                self.differ(Some(name.clone()), Some(which()), "what it costs us".to_owned(), derived, stored);
            }
        }
        self.totals(key, &name, calls)?;
        self.digests(&name, calls);
        Ok(())
    }

    /// The totals are what the calls add up to.
    fn totals(&mut self, key: AccountKey, name: &str, calls: &[OwnedCall]) -> Result<(), AuditError> {
        let mut sums: BTreeMap<(CallType, [u8; 3]), [Usage; 2]> = BTreeMap::new();
        for call in calls {
            for (call_type, usage) in call.call.usage_lines() {
                sums.entry((call_type, call.call.basis.currency)).or_default()[0].add(&usage);
            }
        }
        for sum in self.gone.get(&key).iter().flat_map(|(_, sums)| sums) {
            sums.entry((sum.call_type, sum.currency)).or_default()[0].add(&sum.usage);
        }
        for line in self.store.usage(key, self.period)? {
            sums.entry((line.call_type, line.currency)).or_default()[1].add(&line.usage);
        }
        let shown = |usage: &Usage| {
            format!("{} calls, {} billable s, cost {}", usage.calls, usage.billable_seconds, Sum(usage.cost).fixed(0))
        };
        for ((call_type, currency), [added, stored]) in sums {
            let field = format!("totals of {call_type} in {}", String::from_utf8_lossy(&currency));
            self.differ(Some(name.to_owned()), None, field, shown(&added), shown(&stored));
        }
        Ok(())
    }

    /// The account's digests, from its legs in canonical order.
    fn digests(&mut self, name: &str, calls: &[OwnedCall]) {
        let mut order: Vec<&OwnedCall> = calls.iter().collect();
        let direction = |call: &OwnedCall| -> Option<Direction> { call.grounds.as_ref().and_then(|g| g.direction) };
        order.sort_by(|a, b| {
            let key = |call: &OwnedCall| {
                // Of an adjustment the manifest knows no direction; what is taken back stands before what replaces it.
                let side = if call.call.adjusts.is_some() { None } else { direction(call) };
                let version = if call.call.adjusts.is_some() { call.revision } else { 0 };
                (call.call.answer, call.call.key.leg, side, call.call.key.position, version, !call.call.reversal)
            };
            let group = |call: &OwnedCall| self.groups.get(&call.call.group.0).map_or("", String::as_str);
            let ((answer, ..), (other, ..)) = (key(a), key(b));
            (group(a), answer, &a.node, &a.id).cmp(&(group(b), other, &b.node, &b.id)).then(key(a).cmp(&key(b)))
        });
        let mut hashers: BTreeMap<AccountCurrency, (i64, blake3::Hasher)> = BTreeMap::new();
        for call in order {
            let currency = String::from_utf8_lossy(&call.call.basis.currency).into_owned();
            let (count, hasher) = hashers.entry((name.to_owned(), currency)).or_default();
            *count += call.call.sign();
            let record = match &call.grounds {
                Some(grounds) if call.call.adjusts.is_none() => call.borrowed().record(grounds),
                _ => Record {
                    id: &call.id,
                    node: &call.node,
                    source: &call.source_dialled,
                    destination: &call.destination_dialled,
                    ..Record::default()
                },
            };
            LegLine { call: &call.call, record: &record, tariff: &call.text.tariff }.add_to(hasher);
        }
        for (key, (count, hasher)) in hashers {
            self.digests.insert(key, (count, hasher.finalize().to_hex().to_string()));
        }
    }

    fn manifest(&mut self, bytes: &[u8], carried: Option<Vec<Carried>>) {
        let manifest: Manifest = match serde_json::from_slice(bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                return self.differ(None, None, "manifest".to_owned(), "JSON".to_owned(), error.to_string());
            }
        };
        let mut whole = blake3::Hasher::new();
        let mut ours = std::mem::take(&mut self.digests);
        // What is gone cannot be digested again: its count must fit, and its digest the whole's.
        for (name, sums) in self.gone.values() {
            for told in manifest.accounts.iter().filter(|told| told.account == *name) {
                let gone: i64 =
                    sums.iter().filter(|sum| sum.currency == told.currency.as_bytes()).map(|sum| sum.usage.calls).sum();
                let ours = ours.entry((name.clone(), told.currency.clone())).or_default();
                let digest = told.digest.strip_prefix("blake3:").unwrap_or(&told.digest);
                *ours = (ours.0 + gone, digest.to_owned());
            }
        }
        for ((account, currency), (_, digest)) in &ours {
            for part in [account.as_bytes(), currency.as_bytes(), digest.as_bytes()] {
                whole.update(&(part.len() as u64).to_le_bytes());
                whole.update(part);
            }
        }
        if let Some(derived) = carried {
            let shown = |all: &[Carried]| {
                let one = |c: &Carried| format!("{} {:?} {} s of {}", c.group, c.allowance, c.seconds, c.from);
                all.iter().map(one).collect::<Vec<_>>().join(", ")
            };
            let field = "minutes carried over".to_owned();
            self.differ(None, None, field, shown(&derived), shown(&manifest.carried));
        }
        manifest.carried.iter().for_each(|carried| carried.add_to(&mut whole));
        manifest.minimums.iter().for_each(|line| line.add_to(&mut whole));
        for told in manifest.accounts {
            let (count, digest) = ours.remove(&(told.account.clone(), told.currency)).unwrap_or_default();
            let account = Some(told.account);
            self.differ(
                account.clone(),
                None,
                "calls in the manifest".to_owned(),
                count.to_string(),
                told.calls.to_string(),
            );
            self.differ(account, None, "digest in the manifest".to_owned(), format!("blake3:{digest}"), told.digest);
        }
        for ((account, _), (count, _)) in ours {
            self.differ(Some(account), None, "calls in the manifest".to_owned(), count.to_string(), "0".to_owned());
        }
        let whole = format!("blake3:{}", whole.finalize().to_hex());
        self.differ(None, None, format!("digest of {}", self.period), whole, manifest.digest);
    }
}
