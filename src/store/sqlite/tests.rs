//! The store against a model: lists in memory, asked by filtering.

use std::collections::BTreeMap;

use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::batch::SourceId;
use crate::call::{Basis, CallType, Costs, Meter, RatedCall, StepMode, StepRule, TariffSlot, Usage};
use crate::money::{Money, Price};
use crate::number::Number;
use crate::record::Direction;
use crate::store::{AllowanceLine, Grounds, Group, OwnedCall, UsageLine};
use crate::time::{Micros, Timestamp};

mod costs;
mod exchange;
mod faults;
mod grounds;
mod queries;
mod retention;
mod times;
mod views;

/// A stream of numbers that is the same in every run (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % below
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len() as u64) as usize]
    }
}

pub const EUR: [u8; 3] = *b"EUR";

pub fn describe(basis: &Basis) -> BasisText {
    BasisText {
        tariff: format!("blake3:{:04x}", basis.tariff.0),
        plan: format!("plan{}", basis.plan),
        deck: basis.row.map_or(String::new(), |_| "world".into()),
        prefix: basis.row.map_or(String::new(), |row| row.to_string()),
        destination: basis.row.map_or(String::new(), |row| format!("Place {row}")),
    }
}

/// A rated call of any shape the heart may give, and some it may not.
pub fn any_call(dice: &mut Dice, position: u64, accounts: u64) -> OwnedCall {
    let digits = format!("{}{}", dice.pick(&["49", "1", "390", "0"]), 1_000_000 + dice.roll(900_000));
    let number = Number::from_digits(digits.as_bytes());
    let dialled = match dice.roll(6) {
        0 => format!("+{digits}"),
        1 => format!("0{}", &digits[1..]),
        2 => digits.clone(),
        3 => String::new(),
        4 => format!("sip:+{digits}@198.51.100.7"),
        _ => format!("{}{digits}", dice.pick(&["00", "011", "*67", "(0) "])),
    };
    let decimals = dice.pick(&[0, 2, 4, 6, 9]);
    let cost = dice.roll(1_000_000) as i64 * 10_i64.pow(9 - u32::from(decimals)) + i64::from(dice.roll(50) == 0);
    let billable = dice.roll(4000) as u32;
    // Those there were when `tests/data/store-v1.db.sql` was written by the same dice.
    let call_type = dice.pick(&CallType::ALL[..8]);
    let included = if matches!(call_type, CallType::Included) { dice.roll(u64::from(billable) + 1) as u32 } else { 0 };
    let period = Period(24_320 + dice.roll(3) as i32);
    let row = (dice.roll(3) > 0).then(|| dice.roll(20) as u32);
    let basis = Basis {
        tariff: TariffSlot(dice.roll(2) as u16),
        plan: dice.roll(3) as u16,
        rule: 6 + dice.roll(7) as u8,
        row,
        steps: StepRule {
            mode: dice.pick(StepMode::ALL),
            initial: 60,
            increment: 6,
            minimum: 30,
            free_below: Micros(dice.roll(2) as i64 * 1500),
        },
        price: Price {
            rate: Money(dice.pick(&[0, 20_000_000, 123_456_789])),
            connect_fee: Money(0),
            minimum_cost: (dice.roll(5) == 0).then_some(Money(5)),
            maximum_cost: None,
        },
        currency: dice.pick(&[EUR, *b"USD"]),
        decimals,
        exchange: None,
    };
    // What later versions keep: of other dice, so that the calls of the first version stay what they were.
    let mut more = Dice(dice.0 ^ 0x5eed);
    let account = dice.roll(accounts) as u32;
    let answer = i64::from(period.0 - 24_320) * 2_592_000_000_000 + dice.roll(2_000_000_000_000) as i64;
    let call = RatedCall {
        key: LegKey { position: Position(position), leg: dice.pick(&[Direction::Outbound, Direction::Inbound]) },
        account: AccountKey(account),
        group: GroupKey(if dice.roll(20) == 0 { 999 } else { account / 2 }),
        period,
        answer: Timestamp(answer),
        duration: Micros(dice.roll(4_000_000_000) as i64),
        source: number.filter(|_| dice.roll(10) > 0),
        destination: number.filter(|_| dice.roll(5) > 0),
        call_type,
        billable_seconds: billable,
        included_seconds: included,
        used_before: (more.roll(2) == 0).then(|| more.roll(100_000)),
        adjusts: (more.roll(20) == 0).then(|| Period(24_310 + more.roll(3) as i32)),
        reversal: false,
        cost: Money(if dice.roll(30) == 0 { -cost } else { cost }),
        basis,
    };
    let id = match dice.roll(4) {
        0 => format!("{:032x}", u128::from(position) << 64 | u128::from(dice.0)),
        1 => position.to_string(),
        2 => format!("{position}@host.example"),
        _ => format!("{:08x}-0000-4000-8000-{position:012x}", dice.roll(1 << 32)),
    };
    let several = call.used_before.is_none() && more.roll(3) == 0;
    let draws = if several { format!("[[\"a\",{included},{position},null]]") } else { String::new() };
    OwnedCall {
        call,
        node: dice.pick(&["sbc-fra", "lab", ""]).as_bytes().to_vec(),
        id: id.into_bytes(),
        source_dialled: dialled.clone().into_bytes(),
        destination_dialled: dialled.into_bytes(),
        start: match dice.roll(3) {
            0 => None,
            1 => Some(Timestamp(i64::MIN + dice.roll(1000) as i64)),
            _ => Some(Timestamp(answer - 7_000_000)),
        },
        text: describe(&basis),
        grounds: (more.roll(10) > 0).then(|| Grounds {
            source: SourceId(more.roll(3) as u16),
            profile: Position(more.roll(2) * 77),
            directory: more.roll(2) as u32,
            direction: more.pick(&[None, Some(Direction::Outbound), Some(Direction::Inbound)]),
            account: more.pick(&["", "acme", "\u{e9}"]).as_bytes().into(),
            forwarded_by: more.pick(&["", "+4930600"]).as_bytes().into(),
            routing_number: more.pick(&["", "", "+17035550100"]).as_bytes().into(),
            carrier: more.pick(&["", "colt"]).as_bytes().into(),
        }),
        revision: more.roll(20).saturating_sub(17) as u32,
        run: None,
        named_tariff: false,
        costs: any_costs(&mut more),
        draws: draws.into_bytes(),
    }
}

fn any_costs(more: &mut Dice) -> Option<Costs> {
    let mut amount = |most: u64| (more.roll(4) > 0).then(|| Money(more.roll(most) as i64 * 100_000));
    let (carrier_cost, first, second) = (amount(90_000), amount(90_000), amount(90_000));
    let seen = more.roll(3) > 0;
    let row = carrier_cost.and_then(|_| (more.roll(5) > 0).then(|| more.roll(4) as u32));
    // Finer than the plan's decimals now and then.
    let carrier_cost = carrier_cost.map(|cost| Money(cost.0 + more.roll(20).saturating_sub(18) as i64));
    seen.then(|| Costs {
        carrier: (more.roll(3) == 0).then_some(1),
        row,
        billable_seconds: more.roll(4000) as u32,
        carrier_cost,
        resale: [first, second, None],
    })
}

/// The call as a store of the first schema has it.
pub fn of_the_first_schema(call: &OwnedCall) -> OwnedCall {
    let mut call = OwnedCall { grounds: None, revision: 0, draws: Vec::new(), costs: None, ..call.clone() };
    (call.call.used_before, call.call.adjusts) = (None, None);
    call
}

pub fn rows(calls: &[OwnedCall]) -> Vec<CallRow<'_>> {
    calls
        .iter()
        .map(|call| CallRow {
            call: call.call,
            node: &call.node,
            id: &call.id,
            source_dialled: &call.source_dialled,
            destination_dialled: &call.destination_dialled,
            start: call.start,
            grounds: call.grounds.as_ref().map(Grounds::borrowed),
            revision: call.revision,
            run: call.run,
            named_tariff: call.named_tariff,
            costs: call.costs,
            draws: &call.draws,
        })
        .collect()
}

/// What the store should hold, kept in lists and added up from scratch.
#[derive(Default)]
pub struct Model {
    pub position: u64,
    pub calls: Vec<OwnedCall>,
    pub accounts: Vec<Account>,
    pub groups: Vec<Group>,
    pub flushes: u64,
}

pub const ACCOUNTS: u64 = 40;

impl Model {
    /// Totals by adding up every call again.
    pub fn usage(&self) -> Vec<UsageLine> {
        let mut lines: BTreeMap<_, (Usage, u8)> = BTreeMap::new();
        for call in &self.calls {
            let c = &call.call;
            for (call_type, usage) in c.usage_lines() {
                let line = lines.entry((c.period, c.account, c.group, call_type, c.basis.currency)).or_default();
                line.0.add(&usage);
                line.1 = line.1.max(c.basis.decimals);
            }
        }
        let line = |((period, account, group, call_type, currency), (usage, decimals))| UsageLine {
            account,
            group,
            period,
            call_type,
            currency,
            decimals,
            usage,
        };
        lines.into_iter().map(line).collect()
    }

    pub fn allowances(&self) -> Vec<AllowanceLine> {
        let mut lines: BTreeMap<_, u64> = BTreeMap::new();
        for call in &self.calls {
            let meter = if call.draws.is_empty() { 0 } else { 0x8000_0001 };
            *lines.entry((call.call.period, call.call.group, meter)).or_default() +=
                u64::from(call.call.included_seconds);
        }
        let line =
            |((period, group, meter), used_seconds)| AllowanceLine { group, period, meter: Meter(meter), used_seconds };
        lines.into_iter().map(line).collect()
    }

    /// Adds so many calls to the model and flushes them, with the totals they touch.
    pub fn flush(&mut self, store: &dyn Store, dice: &mut Dice, calls: u64) -> Result<FlushReport, StoreError> {
        let from = self.position;
        let upto = from + calls * 100 + 1;
        let new: Vec<OwnedCall> = (0..calls)
            .map(|i| {
                // Now and then a leg that was resolved late, of a record long past.
                let position = if from > 50 && dice.roll(10) == 0 { from - 50 + i % 50 } else { from + i * 100 };
                any_call(dice, position, ACCOUNTS)
            })
            .collect();
        let first = self.flushes == 0;
        if first {
            self.accounts = (0..ACCOUNTS as u32)
                .map(|i| Account { key: AccountKey(i), name: format!("acc{:02}", i * 7 % ACCOUNTS as u32) })
                .collect();
            self.groups =
                (0..ACCOUNTS as u32 / 2).map(|i| Group { key: GroupKey(i), name: format!("group{i}") }).collect();
        }
        let touched: Vec<_> = new.iter().map(|call| (call.call.account, call.call.group, call.call.period)).collect();
        self.calls.extend(new.iter().cloned());
        let usage: Vec<UsageLine> = self
            .usage()
            .into_iter()
            .filter(|line| touched.iter().any(|t| (t.0, t.2) == (line.account, line.period)))
            .rev()
            .collect();
        let allowances: Vec<AllowanceLine> = self
            .allowances()
            .into_iter()
            .filter(|line| touched.iter().any(|t| (t.1, t.2) == (line.group, line.period)))
            .collect();
        self.position = upto;
        self.flushes += 1;
        store.flush(&FlushBatch {
            accounts: if first { &self.accounts } else { &[] },
            groups: if first { &self.groups } else { &[] },
            calls: &rows(&new),
            describe: &describe,
            usage: &usage,
            allowances: &allowances,
            books: &[("tcp received", self.calls.len() as i128), ("a rated", -7)],
            ..FlushBatch::empty(Position(from), Position(upto), Timestamp(upto as i64))
        })
    }
}

pub fn open() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("callrated.db")).unwrap();
    (folder, store)
}

/// Every call, by position and leg.
pub fn everything(store: &dyn Store, period: Option<Period>, order: ScanOrder) -> Vec<OwnedCall> {
    let mut calls = Vec::new();
    store
        .scan(period, order, &mut |call| {
            calls.push(call.to_owned_call());
            Visit::Continue(())
        })
        .unwrap();
    calls
}

pub fn by_account(call: &OwnedCall) -> (AccountKey, Timestamp, LegKey) {
    (call.call.account, call.call.answer, call.call.key)
}

pub fn sorted<K: Ord>(mut calls: Vec<OwnedCall>, key: impl Fn(&OwnedCall) -> K) -> Vec<OwnedCall> {
    calls.sort_by_key(key);
    calls
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// What is loaded is what was flushed, whether the program went on or started again, and totals equal the sum of
    /// calls; enough flushes for folds and merges to happen.
    #[test]
    fn the_state_is_what_was_flushed(seed in any::<u64>(), sizes in proptest::collection::vec(0..40_u64, 1..40)) {
        let (folder, mut store) = open();
        let (mut model, mut dice) = (Model::default(), Dice(seed));
        for size in sizes {
            let report = model.flush(&store, &mut dice, size).unwrap();
            prop_assert_eq!(report, FlushReport { already_done: false, flush: model.flushes, calls: size });
            if dice.roll(8) == 0 {
                store = SqliteStore::open(&folder.path().join("callrated.db")).unwrap();
            }
        }
        let state = store.load().unwrap();
        prop_assert_eq!(state.position, Position(model.position));
        prop_assert_eq!(state.flush, model.flushes);
        prop_assert_eq!(&state.accounts, &model.accounts);
        prop_assert_eq!(&state.groups, &model.groups);
        prop_assert_eq!(&state.usage, &model.usage());
        prop_assert_eq!(&state.allowances, &model.allowances());
        prop_assert_eq!(&state.books, &[("tcp received".to_owned(), model.calls.len() as i128), ("a rated".to_owned(), -7)]);
        // A start tells the same, as of its position, while flushes go on.
        let start = store.start().unwrap();
        model.flush(&store, &mut dice, 20).unwrap();
        prop_assert_eq!(whole(start), state);
    }
}

/// What a start tells, put together.
fn whole(start: StoredStart) -> StoredState {
    let StoredStart { mut state, names, usage, drawn } = start;
    let (mut lines, mut meters, mut expected) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for read in [names, usage, drawn] {
        read(&mut |row| match row {
            StoredRow::Names(count) => expected.push(count),
            StoredRow::Account(name) => {
                let key = AccountKey(state.accounts.len() as u32);
                state.accounts.push(Account { key, name: name.to_owned() });
            }
            StoredRow::Group(name) => {
                state.groups.push(Group { key: GroupKey(state.groups.len() as u32), name: name.to_owned() });
            }
            StoredRow::Usage(line) => {
                let UsageLine { period, account, group, call_type, currency, .. } = *line;
                lines.insert((period, account, group, call_type, currency), *line);
            }
            StoredRow::Allowance(line) => drop(meters.insert((line.period, line.group, line.meter), *line)),
            StoredRow::Guarded(account, group, held) => state.guarded.push((account, group, held.to_vec())),
        })
        .unwrap();
    }
    assert_eq!(expected, [state.accounts.len(), state.groups.len()]);
    (state.usage, state.allowances) = (lines.into_values().collect(), meters.into_values().collect());
    state
}
