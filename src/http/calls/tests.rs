//! Two hundred thousand calls of one account, from a store on disk, read by a client that takes its time.

use http_body_util::BodyExt;

use super::*;
use crate::call::{Basis, CallType, GroupKey, LegKey, RatedCall, StepMode, StepRule, TariffSlot};
use crate::money::Price;
use crate::store::sqlite::SqliteStore;
use crate::store::{Account, BasisText, CallRow, FlushBatch, Group};
use crate::time::{Micros, Timestamp};

const CALLS: u64 = 200_000;
const IN_A_FLUSH: u64 = 50_000;

fn call(position: u64) -> RatedCall {
    RatedCall {
        key: LegKey { position: Position(position), leg: Direction::Outbound },
        account: AccountKey(0),
        group: GroupKey(0),
        period: Period::of(2026, 10),
        // Not in the order of the journal.
        answer: Timestamp(1_790_812_800_000_000 + (position * 7_919 % CALLS) as i64 * 1_000_000),
        duration: Micros::seconds(61),
        source: crate::number::Number::from_digits(b"4930600"),
        destination: crate::number::Number::from_digits(b"33123456789"),
        call_type: CallType::International,
        billable_seconds: 120,
        included_seconds: 0,
        used_before: None,
        adjusts: None,
        reversal: false,
        cost: Money((position % 1_000) as i64 * 100_000),
        basis: Basis {
            tariff: TariffSlot(0),
            plan: 0,
            rule: 10,
            row: Some(1),
            steps: StepRule { mode: StepMode::Up, initial: 60, increment: 60, minimum: 0, free_below: Micros(0) },
            price: Price { rate: Money(100_000_000), connect_fee: Money::ZERO, minimum_cost: None, maximum_cost: None },
            currency: *b"EUR",
            decimals: 4,
            exchange: None,
        },
    }
}

fn fill(store: &SqliteStore) {
    for flush in 0..CALLS / IN_A_FLUSH {
        let positions = flush * IN_A_FLUSH..(flush + 1) * IN_A_FLUSH;
        let ids: Vec<String> = positions.clone().map(|p| format!("call-{p}")).collect();
        let calls: Vec<CallRow<'_>> = positions
            .clone()
            .zip(&ids)
            .map(|(position, id)| CallRow {
                call: call(position),
                node: b"lab",
                id: id.as_bytes(),
                source_dialled: b"+4930600",
                destination_dialled: b"0033123456789",
                start: None,
                grounds: None,
                costs: None,
                revision: 0,
                run: None,
                named_tariff: false,
                draws: b"",
            })
            .collect();
        let first = flush == 0;
        let accounts = [Account { key: AccountKey(0), name: "acme".to_owned() }];
        let groups = [Group { key: GroupKey(0), name: "acme".to_owned() }];
        let batch = FlushBatch {
            accounts: if first { &accounts } else { &[] },
            groups: if first { &groups } else { &[] },
            calls: &calls,
            describe: &|_| BasisText { destination: "France".to_owned(), ..BasisText::default() },
            ..FlushBatch::empty(Position(positions.start), Position(positions.end), Timestamp(0))
        };
        store.flush(&batch).unwrap();
    }
}

#[tokio::test]
async fn a_large_month_streams_whole_and_in_order_to_a_slow_reader() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("calls.db")).unwrap();
    fill(&store);
    let wanted = Wanted {
        account: "acme".to_owned(),
        key: store.account_named("acme").unwrap(),
        period: Period::of(2026, 10),
        billed_only: false,
    };
    let (writer, mut body) = stream::body();
    let thread = tokio::task::spawn_blocking(move || {
        write(&store, &wanted, Shape::Csv(Language::En, Columns::Usual), writer);
    });
    let (mut rows, mut nanos, mut last, mut rest) = (0u64, 0i64, String::new(), String::new());
    while let Some(frame) = body.frame().await {
        // The largest piece bounds what is held, however many rows there are.
        let data = frame.unwrap().into_data().unwrap();
        assert!(data.len() < 80 << 10, "{}", data.len());
        rest.push_str(std::str::from_utf8(&data).unwrap());
        let whole = rest.rfind("\r\n").map_or(0, |at| at + 2);
        for row in rest[..whole].split_terminator("\r\n").filter(|row| !row.starts_with("Source")) {
            let cells: Vec<&str> = row.split(',').collect();
            assert!(cells[2] >= last.as_str(), "{row} after {last}");
            last = cells[2].to_owned();
            nanos += Money::parse(cells[6]).unwrap().0;
            rows += 1;
        }
        rest.drain(..whole);
    }
    thread.await.unwrap();
    assert_eq!(rest, "");
    assert_eq!(rows, CALLS);
    // Each of a thousand costs comes CALLS / 1000 times.
    assert_eq!(nanos, (0..1_000).map(|cost| cost * 100_000).sum::<i64>() * (CALLS / 1_000) as i64);
}
