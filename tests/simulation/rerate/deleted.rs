//! Call details that are deleted or erased around a run of re-rating and a seal: what is at work when they are ordered to go
//! has them until it has ended, what begins behind has none of them, and what is gone is not taken back.

use callrated::batch::Position;
use callrated::entry::{Kept, Retention};
use callrated::store::Retired;

use super::super::months::NOVEMBER;
use super::*;

pub fn ordered(folder: &mut Folder, what: Kept, account: &str) -> Position {
    ordered_of(folder, what, account, &[OCTOBER])
}

fn ordered_of(folder: &mut Folder, what: Kept, account: &str, months: &[Period]) -> Position {
    let entry = Retention {
        what,
        account: account.to_owned(),
        periods: months.iter().map(|month| month.0).collect(),
        conflicts_before: None,
        discarded_before: None,
        images_before: None,
        why: "a test".to_owned(),
        by: "nora".to_owned(),
        at: 7,
    };
    folder.json(EntryKind::Retention, &entry);
    folder.flush();
    folder.store.retention().unwrap().last().unwrap().position
}

/// Does all that can be done of an order, with a start in between; how many rows went, and why it stopped.
pub fn carried_out(folder: &mut Folder, order: Position) -> (u64, Retired) {
    let mut rows = 0;
    loop {
        match folder.store.retire(order).unwrap() {
            Retired::More(some) => rows += some,
            end => return (rows, end),
        }
        folder.restart();
    }
}

fn rows_of_october(folder: &Folder) -> usize {
    let mut rows = 0;
    let all = folder.store.scan(Some(OCTOBER), ScanOrder::Stored, &mut |_| {
        rows += 1;
        Visit::Continue(())
    });
    all.unwrap();
    rows
}

/// A sealed October, and a tariff in force that should have priced it.
fn sealed_october(seed: u64) -> Folder {
    let said = plain_month(seed);
    let mut folder = told_in_order(seed, &said);
    folder.seal(OCTOBER);
    folder.activate(2);
    folder
}

#[test]
fn what_is_ordered_to_go_waits_for_the_run_and_what_is_gone_is_not_taken_back() {
    let (mut went, mut reversed) = (0, 0);
    for seed in 0..12 {
        let mut folder = sealed_october(6_000 + seed);
        let account = super::super::rates::name(0);
        let (what, account) = if seed % 2 == 0 { (Kept::Delete, "") } else { (Kept::Erase, account) };
        let run = begun(&mut folder, &begin(october())).unwrap();
        if folder.random.once_in(2) {
            // The draft is made before the order comes, or behind it.
            folder.seals.rerate_draft(run, folder.store.rerate_run(run).unwrap().unwrap().0.begun).unwrap();
        }
        let stood = rows_of_october(&folder);
        let order = ordered(&mut folder, what, account);
        assert_eq!(carried_out(&mut folder, order), (0, Retired::Waits), "month {seed}");
        folder.restart();
        assert_eq!(carried_out(&mut folder, order), (0, Retired::Waits), "month {seed}: not even behind a kill");
        assert_eq!(rows_of_october(&folder), stood);
        assert_eq!(ended(&mut folder, run), RerateState::Counts, "month {seed}: {:?}", folder.store.rerate_run(run));
        let row = folder.store.rerate_run(run).unwrap().unwrap().0;
        let report: Report = serde_json::from_slice(&row.report.unwrap()).unwrap();
        reversed += report.reversals;
        let (rows, end) = carried_out(&mut folder, order);
        assert_eq!((end, rows_of_october(&folder)), (Retired::Stored, stood - rows as usize), "month {seed}");
        went += rows;
        folder.check();

        // What it reversed cannot stand again once it is gone: to the digit, or not at all.
        let gone = what == Kept::Delete && report.reversals > 0;
        let before = everything(&mut folder);
        let undo = begun(&mut folder, &RerateBegin { undoes: Some(run), ..begin(october()) }).unwrap();
        let state = ended(&mut folder, undo);
        if gone {
            let why = folder.store.rerate_run(undo).unwrap().unwrap().0.why_not.unwrap_or_default();
            assert_eq!(state, RerateState::GivenUp, "month {seed}");
            assert!(why.contains("deleted or erased") && why.contains(&format!("run {run}")), "{why}");
            assert_eq!(everything(&mut folder), before, "month {seed}");
        }
        folder.check();
    }
    assert!(went > 40 && reversed > 4, "{went} {reversed}");
}

#[test]
fn what_was_ordered_before_a_run_is_gone_for_it_however_far_it_was() {
    for seed in 0..6 {
        let mut folder = sealed_october(6_100 + seed);
        let order = ordered(&mut folder, Kept::Delete, "");
        // Not begun yet, or under way.
        if seed % 2 == 0 {
            folder.store.retire(order).unwrap();
        }
        let asked = begin(october());
        if rows_of_october(&folder) > 0 {
            let refused = folder.seals.rerate_dry(&asked, &Default::default()).unwrap_err().to_string();
            assert!(
                refused.contains("are being deleted"),
                "a dry run writes nothing and tells nothing half: {refused}"
            );
        }
        let (run, report) = applied(&mut folder, &asked);
        assert_eq!((report.revisions, report.reversals), (0, 0), "month {seed}, run {run}");
        assert_eq!(carried_out(&mut folder, order), (0, Retired::Stored));
        folder.seals.rerate_dry(&asked, &Default::default()).unwrap();
        folder.check();
        // Into an empty store nothing was deleted of yet.
        folder.again();
    }
}

#[test]
fn what_is_ordered_to_go_waits_for_a_seal() {
    for seed in 0..4 {
        let mut folder = sealed_october(6_200 + seed);
        let seal = folder.close(NOVEMBER);
        let order = ordered(&mut folder, Kept::Delete, "");
        assert_eq!(carried_out(&mut folder, order), (0, Retired::Waits), "month {seed}");
        folder.restart();
        folder.sealed(NOVEMBER, seal);
        let (rows, end) = carried_out(&mut folder, order);
        assert!(rows > 0 && end == Retired::Stored, "month {seed}");
        folder.check();
    }
}

/// An erasure takes what is in sealed months: the one that is being sealed is not among them where the order came before.
#[test]
fn what_was_ordered_before_a_seal_is_gone_for_it_and_takes_nothing_of_it() {
    for seed in 0..4 {
        let mut folder = sealed_october(6_400 + seed);
        let name = super::super::rates::name(0);
        let of_account = |folder: &Folder, month| {
            let account = folder.store.account_named(name).unwrap().unwrap();
            folder.calls(month).iter().filter(|call| call.call.account == account).count()
        };
        let call = |n: u32| Said {
            id: format!("n{n}"),
            account: String::new(),
            source: number(0),
            destination: "+4915123456789".to_owned(),
            direction: None,
            answer: parse_rfc3339(format!("2026-11-01T09:{n:02}:00Z").as_bytes()).unwrap(),
            duration: Micros::seconds(61),
        };
        folder.tell(&[&call(1), &call(2)]);
        let order = ordered(&mut folder, Kept::Erase, name);
        let november = of_account(&folder, NOVEMBER);
        assert!(november >= 2 && of_account(&folder, OCTOBER) > 0);
        if seed % 2 == 0 {
            folder.restart();
        }
        folder.seal(NOVEMBER);
        assert_eq!((of_account(&folder, OCTOBER), of_account(&folder, NOVEMBER)), (0, november), "month {seed}");
        assert_eq!(carried_out(&mut folder, order), (0, Retired::Stored), "month {seed}");
        folder.check();
        folder.again();
    }
}

/// A run that is to be taken back, of which something is gone: nothing is guessed, and nothing changes.
fn is_not_taken_back(folder: &mut Folder, run: u32) {
    let before = everything(folder);
    let undo = begun(folder, &RerateBegin { undoes: Some(run), ..begin(october()) }).unwrap();
    assert_eq!(ended(folder, undo), RerateState::GivenUp);
    let why = folder.store.rerate_run(undo).unwrap().unwrap().0.why_not.unwrap_or_default();
    assert!(why.contains("deleted or erased") && why.contains(&format!("run {run}")), "{why}");
    assert_eq!(everything(folder), before);
    folder.check();
}

#[test]
fn a_run_of_which_something_is_gone_is_not_taken_back() {
    let deletes = |folder: &mut Folder, months: &[Period]| {
        let order = ordered_of(folder, Kept::Delete, "", months);
        let (rows, end) = carried_out(folder, order);
        assert!(rows > 0 && end == Retired::Stored);
    };
    // Rows that it wrote and rows that it replaced: both in the month, sealed since.
    let mut folder = told_in_order(6_500, &plain_month(6_500));
    folder.activate(2);
    let (run, report) = applied(&mut folder, &begin(october()));
    assert!(report.revisions > 0);
    folder.seal(OCTOBER);
    deletes(&mut folder, &[OCTOBER]);
    is_not_taken_back(&mut folder, run);

    // Rows that it wrote: in November, which corrects October.
    let corrected = |seed| {
        let mut folder = sealed_october(seed);
        let (run, report) = applied(&mut folder, &begin(october()));
        (report.reversals > 0).then_some((folder, run))
    };
    let (mut folder, run) = (6_501..6_520).find_map(corrected).unwrap();
    folder.seal(NOVEMBER);
    deletes(&mut folder, &[NOVEMBER]);
    is_not_taken_back(&mut folder, run);

    // Rows that it replaced: of the account to which a number did not belong after all.
    let call = Said {
        id: "moved".to_owned(),
        account: String::new(),
        source: number(0),
        destination: "+4420123456".to_owned(),
        direction: None,
        answer: parse_rfc3339(b"2026-10-05T09:00:00Z").unwrap(),
        duration: Micros::seconds(61),
    };
    let mut folder = told_in_order(6_502, &[call]);
    let owner =
        |folder: &Folder| folder.store.account_name(folder.calls(OCTOBER).last().unwrap().call.account).unwrap();
    assert_eq!(owner(&folder).as_deref(), Some(super::super::rates::name(0)));
    let digest = super::super::rates::with_another_owner();
    let entry = Activation { digest, effective_from: None, activated_at: 0, by: "nora".to_owned() };
    folder.json(EntryKind::Directory, &entry);
    let (run, report) = applied(&mut folder, &begin(october()));
    assert_eq!((report.revisions, owner(&folder).as_deref()), (1, Some(super::super::rates::name(2))));
    folder.seal(OCTOBER);
    let order = ordered(&mut folder, Kept::Erase, super::super::rates::name(0));
    assert_eq!(carried_out(&mut folder, order), (1, Retired::Stored));
    is_not_taken_back(&mut folder, run);
}

/// Whatever two do at one order at the same time, each row goes once.
#[test]
fn two_at_one_order_delete_each_row_once() {
    let mut folder = sealed_october(6_300);
    let order = ordered(&mut folder, Kept::Delete, "");
    let stood = rows_of_october(&folder) as u64;
    let store = &folder.store;
    let went: u64 = std::thread::scope(|scope| {
        let work = || {
            let mut rows = 0;
            while let Retired::More(some) = store.retire(order).unwrap() {
                rows += some;
            }
            rows
        };
        let other = scope.spawn(work);
        work() + other.join().unwrap()
    });
    assert_eq!(went, stood);
    folder.check();
}
