//! What a row gives back of the record that was rated.

use super::*;
use crate::record::Record;

#[test]
fn a_row_gives_back_all_that_rating_asked_of_its_record() {
    let (_folder, store) = open();
    let mut call = any_call(&mut Dice(7), 1, 1);
    (call.call.account, call.call.group) = (AccountKey(0), GroupKey(0));
    let record = Record {
        id: b"c1",
        node: b"lab",
        account: b"acme",
        forwarded_by: b"+4930600",
        routing_number: b"+17035550100",
        carrier: b"colt",
        source: b"030 123456",
        destination: b"+15125550100",
        direction: Some(Direction::Inbound),
        start: Some(Timestamp(call.call.answer.0 - 3_000_000)),
        answer: Some(call.call.answer),
        duration: Some(call.call.duration),
        ..Record::default()
    };
    // Taken apart as a flush does it.
    let row = CallRow {
        call: call.call,
        node: record.node,
        id: record.id,
        source_dialled: record.source,
        destination_dialled: record.destination,
        start: record.start,
        grounds: Some(crate::store::GroundsOf {
            source: SourceId(1),
            profile: Position(77),
            directory: 0,
            direction: record.direction,
            account: record.account,
            forwarded_by: record.forwarded_by,
            routing_number: record.routing_number,
            carrier: record.carrier,
        }),
        revision: 0,
        run: None,
        named_tariff: false,
        costs: None,
        draws: b"",
    };
    let accounts = [Account { key: AccountKey(0), name: "acme".into() }];
    let groups = [Group { key: GroupKey(0), name: "acme".into() }];
    let batch = FlushBatch::empty(Position(0), Position(10), Timestamp(0));
    store
        .flush(&FlushBatch { accounts: &accounts, groups: &groups, calls: &[row], describe: &describe, ..batch })
        .unwrap();
    let read = everything(&store, None, ScanOrder::Stored);
    let grounds = read[0].grounds.as_ref().unwrap();
    assert_eq!(read[0].borrowed().record(grounds), record);
}
