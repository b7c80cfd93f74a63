//! Calls rated again: by the tariffs in force nothing changes; by others a month comes to what a plain list comes to; taken
//! back, everything is what it was, to the digit; whatever ends in between, and a replay gives the same.

use std::collections::BTreeMap;

use callrated::batch::EntryKind;
use callrated::call::Usage;
use callrated::entry::{Activation, Rerate, RerateBegin, RerateScope};
use callrated::period::rerate::Report;
use callrated::record::Direction;
use callrated::store::{RerateState, ScanOrder, Store, Visit};
use callrated::time::{Micros, Period, Timestamp, parse_rfc3339};

use super::months::{Folder, OCTOBER, Said, month, plainly};
use super::rates::{SHELF, TARIFFS, number, tariff_of};

mod decided;
mod deleted;

pub fn begin(scope: RerateScope) -> RerateBegin {
    // Some instant of November, in which closed months are corrected.
    let at = parse_rfc3339(b"2026-11-02T00:00:00Z").unwrap().0;
    RerateBegin { scope, by: "nora".to_owned(), why: "a test".to_owned(), at, ..RerateBegin::default() }
}

fn october() -> RerateScope {
    RerateScope { first: OCTOBER.0, last: OCTOBER.0, ..RerateScope::default() }
}

/// Begins a run; none: it was void.
fn begun(folder: &mut Folder, begin: &RerateBegin) -> Option<u32> {
    let before = folder.store.rerate_runs().unwrap().len();
    folder.json(EntryKind::Rerate, &Rerate::Begin(Box::new(begin.clone())));
    folder.flush();
    let runs = folder.store.rerate_runs().unwrap();
    (runs.len() > before).then(|| runs.last().unwrap().run)
}

/// Ends it, as the daemon would.
fn ended(folder: &mut Folder, run: u32) -> RerateState {
    let row = folder.store.rerate_run(run).unwrap().unwrap().0;
    if row.state == RerateState::Rating {
        let said = match folder.seals.rerate_draft(run, row.begun) {
            Ok(draft) => Rerate::Count { run, begun: row.begun.0, digest: draft.digest },
            Err(error) => Rerate::GiveUp { run, why: error.to_string() },
        };
        // A draft that is there already, or is made a second time, is the same.
        if folder.random.once_in(3) {
            folder.restart();
        }
        folder.json(EntryKind::Rerate, &said);
        folder.flush();
    }
    folder.store.rerate_run(run).unwrap().unwrap().0.state
}

pub fn applied(folder: &mut Folder, begin: &RerateBegin) -> (u32, Report) {
    let run = begun(folder, begin).expect("nothing else is under way");
    let state = ended(folder, run);
    assert_eq!(state, RerateState::Counts, "{:?}", folder.store.rerate_run(run));
    let report = folder.store.rerate_run(run).unwrap().unwrap().0.report.unwrap();
    (run, serde_json::from_slice(&report).unwrap())
}

fn taken_back(folder: &mut Folder, run: u32, scope: RerateScope) -> (u32, Report) {
    applied(folder, &RerateBegin { undoes: Some(run), ..begin(scope) })
}

/// A month in which no record contradicts another, in canonical order.
fn plain_month(seed: u64) -> Vec<Said> {
    let mut said = month(seed);
    let mut seen = std::collections::BTreeSet::new();
    said.retain(|one| seen.insert((one.id.clone(), one.direction)));
    said.sort_by(|a, b| (a.answer, &a.id, a.direction).cmp(&(b.answer, &b.id, b.direction)));
    said
}

fn told_in_order(seed: u64, said: &[Said]) -> Folder {
    let mut folder = Folder::new(seed);
    folder.activate(0);
    told_by(folder, said)
}

/// The same under a tariff that is in force already.
fn told_by(mut folder: Folder, said: &[Said]) -> Folder {
    folder.activate(1);
    for some in said.chunks(1 + folder.random.below(9) as usize) {
        folder.tell(&some.iter().collect::<Vec<_>>());
        match folder.random.below(4) {
            0 => folder.flush(),
            1 => folder.restart(),
            _ => {}
        }
    }
    folder.flush();
    folder
}

/// Cost and seconds drawn by leg of October's calls, whatever month bills them. What is taken back counts as taken off.
type Net = BTreeMap<(String, Direction), (i64, i64)>;

fn net(folder: &Folder) -> Net {
    let mut net = Net::new();
    let all = folder.store.scan(None, ScanOrder::Stored, &mut |stored| {
        let call = &stored.call;
        if call.own_period() == OCTOBER {
            let said = stored.grounds.unwrap().direction.map_or("", Direction::name);
            let id = format!("{}{said}", String::from_utf8_lossy(stored.id));
            let leg = net.entry((id, call.key.leg)).or_default();
            *leg = (leg.0 + call.cost.0, leg.1 + call.drawn());
        }
        Visit::Continue(())
    });
    all.unwrap();
    net
}

fn expected(said: &[Said], changes: usize, all_by: Option<usize>) -> Net {
    let tariff = all_by.map(|at| SHELF.images.tariff(&SHELF.pooled[at]).unwrap());
    let plain = plainly(said, changes, tariff.as_deref()).into_iter();
    plain.map(|(leg, (_, rated))| (leg, (rated.cost.0, i64::from(rated.included_seconds)))).collect()
}

/// Everything that must be as it was when a run is taken back.
fn everything(folder: &mut Folder) -> impl PartialEq + std::fmt::Debug + use<> {
    folder.flush();
    let state = folder.store.load().unwrap();
    let usage: Vec<_> = state.usage.into_iter().filter(|line| line.usage != Usage::default()).collect();
    let usage: Vec<_> =
        usage.iter().map(|l| (l.account, l.group, l.period, l.call_type, l.currency, l.usage)).collect();
    let allowances: Vec<_> = state.allowances.into_iter().filter(|line| line.used_seconds > 0).collect();
    let books: Vec<_> = state.books.into_iter().filter(|(_, count)| *count != 0).collect();
    let waiting: Vec<_> = folder.waiting().into_iter().map(|item| (item.key, item.reason, item.record)).collect();
    (net(folder), usage, allowances, books, waiting)
}

#[test]
fn what_is_in_force_changes_nothing() {
    for seed in 0..8 {
        let said = month(seed);
        let mut folder = super::months::told(seed, &said, super::months::CHANGES);
        let (_, first) = applied(&mut folder, &begin(october()));
        folder.check();
        let before = everything(&mut folder);
        // A second time there is nothing left to do, open or sealed.
        let (_, second) = applied(&mut folder, &begin(october()));
        assert_eq!((second.changed, second.revisions, second.reversals), (0, 0, 0), "month {seed}: {second:#?}");
        assert!(second.read > 0 && second.calls <= first.calls, "month {seed}");
        assert_eq!(everything(&mut folder), before, "month {seed}");
        folder.seal(OCTOBER);
        let sealed = everything(&mut folder);
        let (_, third) = applied(&mut folder, &begin(october()));
        assert_eq!((third.changed, third.follow_on, third.reversals), (0, 0, 0), "month {seed}: {third:#?}");
        assert_eq!(everything(&mut folder), sealed, "month {seed}");
        folder.check();
    }
}

#[test]
fn a_month_rated_again_is_a_month_told_anew_and_taken_back_it_is_what_it_was() {
    let (mut moved, mut out, mut into, mut stood) = (0, 0, 0, 0);
    for seed in 0..20 {
        let said = plain_month(2_000 + seed);
        let mut folder = told_in_order(seed, &said);
        folder.check();
        let sealed = seed % 2 == 1;
        if sealed {
            folder.seal(OCTOBER);
        }
        let manifest = folder.store.manifest(OCTOBER).unwrap();
        let before = everything(&mut folder);
        assert_eq!(net(&folder), expected(&said, 2, None), "month {seed}");

        // The tariff that should have applied from the eleventh on is put in force, in the past.
        folder.activate(2);
        let (run, report) = applied(&mut folder, &begin(october()));
        folder.check();
        let mut now = net(&folder);
        now.retain(|_, leg| *leg != (0, 0));
        let mut then = expected(&said, 3, None);
        then.retain(|_, leg| *leg != (0, 0));
        assert_eq!(now, then, "month {seed}");
        // A sealed month has no revisions, an open one nothing to take back.
        assert_eq!(if sealed { report.revisions } else { report.reversals }, 0, "{report:#?}");
        moved += report.changed;
        out += report.out_of_suspense.iter().map(|one| one.calls).sum::<i64>();
        assert_eq!(folder.store.manifest(OCTOBER).unwrap(), manifest, "a manifest never changes");

        // All of it by one tariff, whatever was in force: it was there before, so nothing need be put in force.
        let named = RerateScope { by_tariff: Some(SHELF.pooled[0].clone()), ..october() };
        let (second, report) = applied(&mut folder, &begin(named.clone()));
        folder.check();
        let mut now = net(&folder);
        now.retain(|_, leg| *leg != (0, 0));
        let mut then = expected(&said, 3, Some(0));
        then.retain(|_, leg| *leg != (0, 0));
        assert_eq!(now, then, "month {seed}");
        into += report.into_suspense.iter().map(|one| one.calls).sum::<i64>();

        // A run on which another stands is not taken back before that; where both changed different calls the order is free.
        let early = begun(&mut folder, &RerateBegin { undoes: Some(run), ..begin(october()) }).unwrap();
        let given_up = ended(&mut folder, early) == RerateState::GivenUp;
        taken_back(&mut folder, second, named);
        folder.check();
        if given_up {
            stood += 1;
            taken_back(&mut folder, run, october());
            folder.check();
        }
        assert_eq!(everything(&mut folder), before, "month {seed}");
        assert_eq!(folder.store.manifest(OCTOBER).unwrap(), manifest);
        if seed % 4 < 2 {
            folder.again();
        }
    }
    assert!(moved > 30 && out > 3 && into > 3 && stood > 3, "{moved} {out} {into} {stood}");
}

#[test]
fn a_named_tariff_outlives_the_seal() {
    let mut changed = 0;
    for seed in 0..6 {
        let said = plain_month(3_000 + seed);
        let mut folder = told_in_order(seed, &said);
        folder.activate(2);
        let named = RerateScope { by_tariff: Some(SHELF.pooled[1].clone()), ..october() };
        let (_, report) = applied(&mut folder, &begin(named));
        changed += report.changed;
        let mut before = net(&folder);
        folder.seal(OCTOBER);
        folder.check();
        // What waits is rated by what is in force when the month is sealed.
        let mut after = net(&folder);
        before.retain(|_, leg| *leg != (0, 0));
        after.retain(|leg, amounts| before.contains_key(leg) || *amounts != (0, 0));
        for (leg, amounts) in &before {
            assert_eq!(after.get(leg), Some(amounts), "month {seed}");
        }
    }
    assert!(changed > 10, "{changed}");
}

/// Some legs only: the others change by nothing but their share of the allowance, and sums are those of the rows.
#[test]
fn whatever_is_rated_again_and_whatever_ends_meanwhile_the_books_hold() {
    let (mut counted, mut given_up, mut reversed) = (0, 0, 0);
    // The three of the world, and one each with fewer and with more minutes, so that allowances are drawn anew.
    let others = [2, 9].map(|minutes| SHELF.images.keep_tariff(&tariff_of(&TARIFFS[0], minutes)).unwrap());
    let others = others.map(|tariff| tariff.digest().to_owned());
    let tariffs: Vec<String> = SHELF.pooled.iter().cloned().chain(others.clone()).collect();
    for seed in 0..10 {
        let said = month(4_000 + seed);
        let mut folder = Folder::new(seed);
        folder.activate(0);
        folder.activate(1);
        let mut left: Vec<&Said> = said.iter().collect();
        let (mut change, mut done, mut closed) = (2, Vec::<(u32, RerateScope)>::new(), false);
        let mut manifest = None;
        for _ in 0..16 {
            match folder.random.below(9) {
                0..3 if !left.is_empty() => {
                    let some = (1 + folder.random.below(12) as usize).min(left.len());
                    let batch: Vec<&Said> = left.drain(..some).collect();
                    folder.tell(&batch);
                }
                3 if change < super::months::CHANGES => {
                    folder.activate(change);
                    change += 1;
                }
                4 => folder.restart(),
                5 if folder.random.once_in(2) => {
                    let digest = folder.random.pick(&others.each_ref()).clone();
                    let by = "nora".to_owned();
                    folder.json(EntryKind::Tariff, &Activation { digest, effective_from: None, activated_at: 0, by });
                }
                5 => folder.retry(None),
                6 if !closed && folder.random.once_in(2) => {
                    folder.seal(OCTOBER);
                    closed = true;
                    manifest = folder.store.manifest(OCTOBER).unwrap();
                }
                7 if !done.is_empty() => {
                    let (run, scope) = done.pop().unwrap();
                    let undo = RerateBegin { undoes: Some(run), ..begin(scope) };
                    let number = begun(&mut folder, &undo).unwrap();
                    match ended(&mut folder, number) {
                        RerateState::Counts => counted += 1,
                        _ => given_up += 1,
                    }
                }
                _ => {
                    let tariff = tariffs[folder.random.below(tariffs.len() as u64) as usize].clone();
                    let known = folder.store.load().unwrap().tariffs.iter().any(|row| row.digest == tariff);
                    let mut scope = RerateScope { last: OCTOBER.0 + 1, ..october() };
                    match folder.random.below(5) {
                        0 => scope.prefixes = vec!["4915".to_owned(), "44".to_owned()],
                        1 => scope.call_types = vec!["overage".to_owned(), "included".to_owned()],
                        2 => scope.accounts = vec![super::rates::name(folder.random.below(2) as usize).to_owned()],
                        3 => scope.tariffs = vec![tariff.clone()],
                        _ => {}
                    }
                    if known && folder.random.once_in(2) {
                        scope.by_tariff = Some(tariff);
                    }
                    let run = begun(&mut folder, &begin(scope.clone())).unwrap();
                    // While it is at work, records come, what waits is tried, and the process ends.
                    let some = (folder.random.below(5) as usize).min(left.len());
                    let batch: Vec<&Said> = left.drain(..some).collect();
                    if !batch.is_empty() {
                        folder.tell(&batch);
                    }
                    if folder.random.once_in(3) {
                        folder.retry(None);
                    }
                    if folder.random.once_in(3) {
                        folder.restart();
                    }
                    if !closed && folder.random.once_in(8) {
                        // A month that closes gives it up.
                        folder.seal(OCTOBER);
                        closed = true;
                        manifest = folder.store.manifest(OCTOBER).unwrap();
                    }
                    match ended(&mut folder, run) {
                        RerateState::Counts => {
                            counted += 1;
                            done.push((run, scope));
                            let row = folder.store.rerate_run(run).unwrap().unwrap().0;
                            let report: Report = serde_json::from_slice(&row.report.unwrap()).unwrap();
                            reversed += report.reversals;
                        }
                        _ => given_up += 1,
                    }
                }
            }
            if folder.random.once_in(3) {
                folder.check();
            }
        }
        folder.check();
        if closed {
            assert_eq!(folder.store.manifest(OCTOBER).unwrap(), manifest, "a manifest never changes");
            folder.seal(Period(OCTOBER.0 + 1));
            folder.check();
        }
        folder.again();
    }
    println!("{counted} runs, {given_up} given up, {reversed} taken back");
    assert!(counted > 20 && given_up > 0 && reversed > 5, "{counted} {given_up} {reversed}");
}

/// One account alone is rated with fewer minutes than the plan had: what it no longer draws is there for the other of its group.
#[test]
fn calls_outside_the_scope_follow_only_in_what_they_draw() {
    let call = |id: &str, account: usize, day: u32, minutes: i64| Said {
        id: id.to_owned(),
        account: String::new(),
        source: number(account),
        destination: "+4915123456789".to_owned(),
        direction: None,
        answer: parse_rfc3339(format!("2026-10-{day:02}T09:00:00Z").as_bytes()).unwrap(),
        duration: Micros::seconds(60 * minutes),
    };
    // Seven minutes for both: the second call straddles their end.
    let said = [call("first", 0, 1, 5), call("second", 1, 2, 4)];
    let mut folder = Folder::new(1);
    let plain =
        Activation { digest: SHELF.tariffs[0].clone(), effective_from: None, activated_at: 0, by: "nora".to_owned() };
    folder.json(EntryKind::Tariff, &plain);
    let mut folder = told_by(folder, &said);
    let of = |folder: &Folder, id: &str| net(folder)[&(id.to_owned(), Direction::Outbound)];
    assert_eq!((of(&folder, "first"), of(&folder, "second")), ((0, 300), (30_000_000, 120)));
    let fewer = SHELF.images.keep_tariff(&tariff_of(&TARIFFS[1], 2)).unwrap().digest().to_owned();
    let from = parse_rfc3339(b"2026-09-01T00:00:00Z").unwrap().0;
    let entry = Activation { digest: fewer, effective_from: Some(from), activated_at: 0, by: "nora".to_owned() };
    folder.json(EntryKind::Tariff, &entry);
    let scope = RerateScope { accounts: vec![super::rates::name(0).to_owned()], ..october() };
    let before = everything(&mut folder);
    let (run, report) = applied(&mut folder, &begin(scope.clone()));
    assert_eq!((report.calls, report.changed, report.follow_on, report.revisions), (1, 1, 1, 2), "{report:#?}");
    // Three minutes at the new overage rate; the other keeps its own plan, of which five minutes are left to it.
    assert_eq!((of(&folder, "first"), of(&folder, "second")), ((99_900_000, 120), (0, 240)));
    folder.check();
    taken_back(&mut folder, run, scope);
    assert_eq!(everything(&mut folder), before);
    folder.check();
}

/// Over a kill at any of its steps a run is there whole or not at all.
#[test]
fn a_tariff_of_an_instant_in_the_past_is_what_a_correction_is() {
    let said = plain_month(7);
    let mut folder = told_in_order(7, &said);
    let from = Timestamp(parse_rfc3339(b"2026-10-11T00:00:00Z").unwrap().0);
    let digest = SHELF.pooled[1].clone();
    let entry = Activation { digest, effective_from: Some(from.0), activated_at: 0, by: "nora".to_owned() };
    folder.json(EntryKind::Tariff, &entry);
    let run = begun(&mut folder, &begin(october())).unwrap();
    let before = net(&folder);
    for _ in 0..3 {
        folder.restart();
        assert_eq!(net(&folder), before, "nothing counts before its entry");
        assert_eq!(begun(&mut folder, &begin(october())), None, "one at a time");
    }
    assert_eq!(ended(&mut folder, run), RerateState::Counts);
    assert_eq!(net(&folder), expected(&said, 3, None));
    folder.restart();
    folder.check();
    // It is over: its entry is void when it comes again.
    let row = folder.store.rerate_run(run).unwrap().unwrap().0;
    folder.json(EntryKind::Rerate, &Rerate::Count { run, begun: row.begun.0, digest: "0".to_owned() });
    folder.check();
}
