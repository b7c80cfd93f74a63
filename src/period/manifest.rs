//! The manifest of a sealed month: JSON that is kept byte for byte, and the digest of what it covers.
//!
//! ```text
//! leg      identity, what the record says, billable seconds, split, cost, tariff ─┐ in canonical order
//! account  legs ──▶ BLAKE3                                                       │ by name and currency
//! month    name, currency, digest of every account; what carries over; minimum spends ──▶ BLAKE3
//! ```
//! Everything goes in by name, with its length before it, and nothing that depends on this folder: no position, no number
//! of an account, no time of receipt, no revision. So two folders that were told the same month seal it to one digest.
//! Nor what a call costs us: a manifest is what a customer was charged, can be shown to one, and stays when a carrier's deck
//! is put right. What calls cost us is checked beside it, call by call ([`crate::audit`]).
//!
//! Does not know where legs come from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::carry::Carried;
use super::minimum::MinimumLine;
use super::versions::Decided;
use crate::call::{CallType, RatedCall, SuspenseReason, Usage};
use crate::money::Sum;
use crate::rating::billable_minutes;
use crate::record::{Direction, Record};
use crate::time::{Micros, Period, Timestamp};

/// What the digest covers of a leg.
pub struct LegLine<'a> {
    /// The leg, with what it costs.
    pub call: &'a RatedCall,
    /// The record, as far as it says whose call it was.
    pub record: &'a Record<'a>,
    /// Digest of the tariff's image.
    pub tariff: &'a str,
}

impl LegLine<'_> {
    /// Adds the leg to an account's digest.
    pub fn add_to(&self, hasher: &mut blake3::Hasher) {
        let (call, record) = (self.call, self.record);
        // A hash takes one long text faster than many short ones.
        let mut line = Vec::with_capacity(512);
        let mut put = |bytes: &[u8]| {
            line.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            line.extend_from_slice(bytes);
        };
        let digits = |number: Option<crate::number::Number>| number.map_or(([0; _], 0), |number| number.digits());
        let ((source, source_digits), (destination, digits)) = (digits(call.source), digits(call.destination));
        for text in [
            record.node,
            record.id,
            record.direction.map_or("", Direction::name).as_bytes(),
            call.key.leg.name().as_bytes(),
            record.account,
            record.forwarded_by,
            record.routing_number,
            record.source,
            record.destination,
            source.get(..source_digits).unwrap_or_default(),
            destination.get(..digits).unwrap_or_default(),
            call.call_type.name().as_bytes(),
            call.adjusts.map_or(String::new(), |own| own.to_string()).as_bytes(),
            &call.basis.currency,
            self.tariff.as_bytes(),
        ] {
            put(text);
        }
        for number in [
            call.answer.0,
            call.duration.0,
            i64::from(call.billable_seconds),
            i64::from(call.included_seconds),
            call.cost.0,
        ] {
            put(&number.to_le_bytes());
        }
        hasher.update(&line);
    }
}

/// One account in one currency, while its legs come.
struct AccountSum {
    hasher: blake3::Hasher,
    calls: i64,
    cost: i128,
    decimals: u8,
    first: Timestamp,
    last: Timestamp,
    types: BTreeMap<CallType, Usage>,
}

impl AccountSum {
    fn at(answer: Timestamp) -> AccountSum {
        let (hasher, types) = (blake3::Hasher::new(), BTreeMap::new());
        AccountSum { hasher, calls: 0, cost: 0, decimals: 0, first: answer, last: answer, types }
    }
}

/// Late calls of one account, month and currency.
#[derive(Default)]
struct LateSum {
    calls: i64,
    cost: i128,
    decimals: u8,
}

/// Costs by currency, each with the most decimals of any.
pub type Costs = BTreeMap<[u8; 3], (i128, u8)>;

/// Adds up a month.
#[derive(Default)]
pub struct Manifest {
    sums: Vec<AccountSum>,
    /// Places among the sums.
    accounts: BTreeMap<(String, [u8; 3]), usize>,
    /// That of the account whose leg came last: its next one mostly comes next.
    last: Option<(String, [u8; 3], usize)>,
    tariffs: std::collections::BTreeSet<String>,
    /// By own month, account and currency.
    late: BTreeMap<(Period, String, [u8; 3]), LateSum>,
}

impl Manifest {
    /// The next leg, in canonical order.
    pub fn leg(&mut self, account: &str, line: &LegLine<'_>) {
        let call = line.call;
        let currency = call.basis.currency;
        let decimals = call.basis.decimals;
        let place = match &self.last {
            Some((last, of, place)) if last == account && *of == currency => *place,
            _ => {
                let next = self.sums.len();
                let place = *self.accounts.entry((account.to_owned(), currency)).or_insert(next);
                if place == next {
                    self.sums.push(AccountSum::at(call.answer));
                }
                self.last = Some((account.to_owned(), currency, place));
                place
            }
        };
        let sum = &mut self.sums[place];
        line.add_to(&mut sum.hasher);
        sum.calls += call.sign();
        sum.cost += i128::from(call.cost.0);
        sum.decimals = sum.decimals.max(decimals);
        sum.first = sum.first.min(call.answer);
        sum.last = sum.last.max(call.answer);
        for (call_type, usage) in call.usage_lines() {
            sum.types.entry(call_type).or_default().add(&usage);
        }
        if !self.tariffs.contains(line.tariff) {
            self.tariffs.insert(line.tariff.to_owned());
        }
        if let Some(own) = call.adjusts {
            let late = self.late.entry((own, account.to_owned(), currency)).or_default();
            late.calls += call.sign();
            late.cost += i128::from(call.cost.0);
            late.decimals = late.decimals.max(decimals);
        }
    }

    /// What an account's legs cost in a currency, late ones too, and the most decimals.
    pub fn cost(&self, account: &str, currency: [u8; 3]) -> (i128, u8) {
        let place = self.accounts.get(&(account.to_owned(), currency));
        place.and_then(|place| self.sums.get(*place)).map_or((0, 0), |sum| (sum.cost, sum.decimals))
    }

    /// Of that, what the late ones cost.
    pub fn late(&self) -> BTreeMap<(&str, [u8; 3]), i128> {
        let mut late = BTreeMap::new();
        for ((_, account, currency), sum) in &self.late {
            *late.entry((account.as_str(), *currency)).or_default() += sum.cost;
        }
        late
    }

    /// The same by own month and account, and within by currency, with the most decimals.
    pub fn late_by_month(&self) -> BTreeMap<(Period, &str), Costs> {
        let mut late: BTreeMap<_, Costs> = BTreeMap::new();
        for ((own, account, currency), sum) in &self.late {
            late.entry((*own, account.as_str())).or_default().insert(*currency, (sum.cost, sum.decimals));
        }
        late
    }

    /// The digest, and the JSON.
    pub fn finish(
        self,
        period: Period,
        decided: impl Iterator<Item = Decided>,
        waiting: &BTreeMap<SuspenseReason, i64>,
        carried: Vec<Carried>,
        minimums: Vec<MinimumLine>,
    ) -> (String, Vec<u8>) {
        let mut whole = blake3::Hasher::new();
        let mut accounts = Vec::with_capacity(self.accounts.len());
        let mut cost: BTreeMap<String, (i128, u8)> = BTreeMap::new();
        let mut calls = 0;
        let mut sums: Vec<Option<AccountSum>> = self.sums.into_iter().map(Some).collect();
        for ((account, currency), place) in self.accounts {
            let Some(sum) = sums[place].take() else { continue };
            let digest = sum.hasher.finalize().to_hex().to_string();
            for part in [account.as_bytes(), &currency, digest.as_bytes()] {
                whole.update(&(part.len() as u64).to_le_bytes());
                whole.update(part);
            }
            let decimals = u32::from(sum.decimals);
            let currency = String::from_utf8_lossy(&currency).into_owned();
            let all = cost.entry(currency.clone()).or_default();
            *all = (all.0 + sum.cost, all.1.max(sum.decimals));
            calls += sum.calls;
            let totals =
                sum.types.into_iter().map(|(call_type, usage)| Total::of(call_type, &usage, decimals)).collect();
            accounts.push(ManifestAccount {
                account,
                calls: sum.calls,
                cost: Sum(sum.cost).fixed(decimals),
                currency,
                first: sum.first.to_string(),
                last: sum.last.to_string(),
                totals,
                digest: named(&digest),
            });
        }
        // It decides what the next month costs. A month that hands on nothing has the digest that it always had.
        carried.iter().for_each(|carried| carried.add_to(&mut whole));
        minimums.iter().for_each(|line| line.add_to(&mut whole));
        let late = self.late.into_iter().map(|((own, account, currency), sum)| Late {
            account,
            period: own.to_string(),
            calls: sum.calls,
            cost: Sum(sum.cost).fixed(u32::from(sum.decimals)),
            currency: String::from_utf8_lossy(&currency).into_owned(),
        });
        let json = ManifestJson {
            period: period.to_string(),
            state: "sealed",
            digest: named(&whole.finalize().to_hex()),
            calls,
            cost: cost.into_iter().map(|(c, (sum, decimals))| (c, Sum(sum).fixed(u32::from(decimals)))).collect(),
            accounts,
            tariffs: self.tariffs.iter().map(|digest| named(digest)).collect(),
            conflicts: decided.map(Conflict::of).collect(),
            late: late.collect(),
            carried,
            minimums,
            suspense: waiting.iter().filter(|(_, n)| **n > 0).map(|(reason, n)| (reason.name(), *n)).collect(),
        };
        // Text and numbers always serialise.
        let mut bytes = serde_json::to_vec(&json).unwrap_or_default();
        bytes.push(b'\n');
        (json.digest, bytes)
    }
}

fn named(digest: &str) -> String {
    format!("blake3:{digest}")
}

#[derive(Serialize)]
struct ManifestJson {
    period: String,
    state: &'static str,
    digest: String,
    calls: i64,
    cost: BTreeMap<String, String>,
    accounts: Vec<ManifestAccount>,
    tariffs: Vec<String>,
    conflicts: Vec<Conflict>,
    late: Vec<Late>,
    /// Minutes that roll over to the next month.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carried: Vec<Carried>,
    /// What is billed beside calls; `cost` is that of calls alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    minimums: Vec<MinimumLine>,
    suspense: BTreeMap<&'static str, i64>,
}

#[derive(Serialize)]
struct ManifestAccount {
    account: String,
    calls: i64,
    cost: String,
    currency: String,
    first: String,
    last: String,
    totals: Vec<Total>,
    digest: String,
}

#[derive(Serialize)]
struct Total {
    call_type: &'static str,
    calls: i64,
    seconds: String,
    billable_seconds: i64,
    billable_minutes: String,
    cost: String,
}

impl Total {
    fn of(call_type: CallType, usage: &Usage, decimals: u32) -> Total {
        Total {
            call_type: call_type.name(),
            calls: usage.calls,
            // A month of talk time of one account is far below 292,000 years.
            seconds: Micros(usage.talk as i64).to_string(),
            billable_seconds: usage.billable_seconds,
            billable_minutes: billable_minutes(usage.billable_seconds),
            cost: Sum(usage.cost).fixed(decimals),
        }
    }
}

#[derive(Serialize)]
struct Late {
    account: String,
    period: String,
    calls: i64,
    cost: String,
    currency: String,
}

#[derive(Serialize)]
struct Conflict {
    node: String,
    id: String,
    /// `first`: what came first; `later`: a version that came later.
    taken: &'static str,
    /// Why, where somebody decided it; else the shorter talk time was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<String>,
    versions: usize,
    destination: String,
    duration: String,
}

impl Conflict {
    fn of(one: Decided) -> Conflict {
        Conflict {
            node: one.node,
            id: one.id,
            taken: if one.other { "later" } else { "first" },
            decided: one.why,
            versions: one.versions,
            destination: one.destination,
            duration: one.duration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Position;
    use crate::call::{AccountKey, Basis, GroupKey, LegKey, StepMode, StepRule, TariffSlot};
    use crate::money::{Money, Price};
    use crate::number::Number;

    fn call(second: i64, call_type: CallType, included: u32, cost: i64) -> RatedCall {
        RatedCall {
            key: LegKey { position: Position(4711), leg: Direction::Outbound },
            account: AccountKey(3),
            group: GroupKey(1),
            period: Period::of(2026, 10),
            answer: Timestamp(1_791_190_800_000_000 + second * 1_000_000),
            duration: Micros(61_200_000),
            source: Number::from_digits(b"4930600"),
            destination: Number::from_digits(b"551198765432"),
            call_type,
            billable_seconds: 120,
            included_seconds: included,
            used_before: Some(60),
            adjusts: None,
            reversal: false,
            cost: Money(cost),
            basis: Basis {
                tariff: TariffSlot(2),
                plan: 0,
                rule: 10,
                row: Some(7),
                steps: StepRule { mode: StepMode::Up, initial: 60, increment: 60, minimum: 0, free_below: Micros(0) },
                price: Price {
                    rate: Money(120_000_000),
                    connect_fee: Money::ZERO,
                    minimum_cost: None,
                    maximum_cost: None,
                },
                currency: *b"EUR",
                exchange: None,
                decimals: 4,
            },
        }
    }

    fn manifest(calls: &[(&str, &[u8], RatedCall)]) -> (String, String) {
        with_minimums(calls, &[])
    }

    fn with_minimums(calls: &[(&str, &[u8], RatedCall)], minimums: &[MinimumLine]) -> (String, String) {
        let mut manifest = Manifest::default();
        for (account, id, call) in calls {
            let record = Record { node: b"lab", id, source: b"030600", destination: b"0055", ..Record::default() };
            manifest.leg(account, &LegLine { call, record: &record, tariff: "00ff" });
        }
        let decided = Decided {
            node: "lab".to_owned(),
            id: "c1".to_owned(),
            other: true,
            why: None,
            versions: 2,
            duration: "61.2".to_owned(),
            destination: "0055".to_owned(),
        };
        let waiting = BTreeMap::from([(SuspenseReason::NoRate, 2), (SuspenseReason::BadNumber, 0)]);
        let (digest, json) =
            manifest.finish(Period::of(2026, 10), [decided].into_iter(), &waiting, Vec::new(), minimums.to_vec());
        (digest, String::from_utf8(json).unwrap())
    }

    fn month() -> Vec<(&'static str, &'static [u8], RatedCall)> {
        let late = RatedCall { adjusts: Some(Period::of(2026, 9)), ..call(9, CallType::International, 0, 240_000_000) };
        vec![
            ("acme", b"c1", call(0, CallType::International, 0, 240_000_000)),
            ("acme", b"c2", call(1, CallType::Included, 60, 15_000_000)),
            ("acme", b"c3", late),
            ("beta", b"c4", call(2, CallType::Overage, 0, 30_000_000)),
        ]
    }

    /// What a billing job was given once it must be given for ever: a change here breaks every manifest out there.
    #[test]
    fn the_manifest_is_what_it_was() {
        insta::assert_snapshot!(manifest(&month()).1);
    }

    /// A month that bills a minimum, and what it gives back of an earlier one's.
    #[test]
    fn the_manifest_names_minimum_spends() {
        let own = MinimumLine {
            account: "acme".to_owned(),
            group: "acme".to_owned(),
            currency: "EUR".to_owned(),
            adjusts: None,
            minimum: "20.00".to_owned(),
            charged: "0.2550".to_owned(),
            cost: "19.7450".to_owned(),
        };
        let back = MinimumLine {
            adjusts: Some("2026-09".to_owned()),
            charged: "0.2400".to_owned(),
            cost: "-0.2400".to_owned(),
            ..own.clone()
        };
        let (digest, json) = with_minimums(&month(), &[own.clone(), back.clone()]);
        insta::assert_snapshot!(json);
        assert_ne!(digest, manifest(&month()).0);
        for changed in [
            MinimumLine { account: "beta".to_owned(), ..own.clone() },
            MinimumLine { group: "beta".to_owned(), ..own.clone() },
            MinimumLine { currency: "USD".to_owned(), ..own.clone() },
            MinimumLine { adjusts: Some("2026-08".to_owned()), ..own.clone() },
            MinimumLine { minimum: "21.00".to_owned(), ..own.clone() },
            MinimumLine { charged: "0.2551".to_owned(), ..own.clone() },
            MinimumLine { cost: "19.7451".to_owned(), ..own.clone() },
        ] {
            assert_ne!(with_minimums(&month(), &[changed, back.clone()]).0, digest);
        }
    }

    #[test]
    fn the_digest_covers_what_a_leg_says_and_costs_and_nothing_of_this_folder() {
        let (digest, _) = manifest(&month());
        let changed = |change: &dyn Fn(&mut RatedCall)| {
            let mut calls = month();
            change(&mut calls[1].2);
            manifest(&calls).0
        };
        for same in [
            changed(&|call| call.key.position = Position(9)),
            changed(&|call| call.account = AccountKey(99)),
            changed(&|call| call.group = GroupKey(99)),
            changed(&|call| call.basis.tariff = TariffSlot(9)),
            changed(&|call| call.used_before = None),
        ] {
            assert_eq!(same, digest);
        }
        for other in [
            changed(&|call| call.cost = Money(15_000_001)),
            changed(&|call| call.billable_seconds = 121),
            changed(&|call| call.included_seconds = 61),
            changed(&|call| call.answer.0 += 1),
            changed(&|call| call.duration.0 += 1),
            changed(&|call| call.destination = None),
            changed(&|call| call.call_type = CallType::Overage),
            changed(&|call| call.key.leg = Direction::Inbound),
            changed(&|call| call.basis.currency = *b"USD"),
            changed(&|call| call.adjusts = Some(Period::of(2026, 9))),
        ] {
            assert_ne!(other, digest);
        }
    }
}
