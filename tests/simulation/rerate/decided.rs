//! A version of a record that somebody takes in a closed month: the month stays, the version before is taken back in an open one
//! and the version taken charged there, as in a plain list that never heard of the other.

use callrated::batch::Position;
use callrated::entry::Decides;
use callrated::store::DecidedRow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

mod drawn;

fn place(folder: &Folder, said: &Said) -> Position {
    let found = folder.store.conflicts(None, 10_000).unwrap();
    let of = |record: &[u8]| callrated::record::Record::decode(record).unwrap().id == said.id.as_bytes();
    found.iter().find(|conflict| of(&conflict.record)).map(|conflict| conflict.first).unwrap()
}

/// Takes the version that came first, or the other one; as the API does it.
fn taken(folder: &mut Folder, (first, other): (&Said, &Said), second: bool) -> RerateBegin {
    let place = place(folder, first);
    let version = folder.store.conflicts_of(place).unwrap().pop().unwrap();
    let mut record = Vec::new();
    if second { other } else { first }.record().encode(&mut record);
    let decides = Decides {
        first: place.0,
        kept: if second { version.position.0 } else { place.0 },
        source: version.source.0,
        received_at: version.received_at.unwrap().0,
        record: STANDARD.encode(record),
    };
    let scope = RerateScope { first: OCTOBER.0 - 1, last: OCTOBER.0 + 1, ..RerateScope::default() };
    RerateBegin { decides: Some(decides), ..begin(scope) }
}

fn decided(folder: &Folder, first: &Said) -> Option<DecidedRow> {
    folder.store.decisions(Some(place(folder, first))).unwrap().pop()
}

/// Whether a leg's name, an id and what the record says of the side, is of an id.
fn of(leg: &str, id: &str) -> bool {
    leg.strip_prefix(id).is_some_and(|side| matches!(side, "" | "outbound" | "inbound"))
}

/// What a group draws of its minutes depends on who came before: told apart from what follows from the version alone.
fn draws(net: &Net, id: &str) -> bool {
    net.iter().any(|((leg, _), (_, drawn))| of(leg, id) && *drawn != 0)
}

/// So does the price of what a tier counts.
fn tiered(folder: &Folder, id: &str) -> bool {
    let calls = [OCTOBER, Period(OCTOBER.0 + 1)].map(|month| folder.calls(month));
    let mut of_id = calls.iter().flatten().filter(|call| &*call.id == id.as_bytes());
    of_id.any(|call| call.draws.windows(5).any(|some| some == b"tier:"))
}

/// Whether calls in quick succession stand beside a version that it does not go on with as the one before did: those that
/// follow stay as they are, and a version between other numbers is a call of its own.
fn linked(said: &[Said], versions: [&Said; 2]) -> bool {
    let pair = |one: &Said| (one.source.clone(), one.destination.clone());
    let same = pair(versions[0]) == pair(versions[1]);
    let near = |one: &Said, version: &Said| {
        let until = |one: &Said| one.answer.0 + one.duration.0 + 120_000_000;
        one.id != version.id && one.answer.0 <= until(version) && version.answer.0 <= until(one)
    };
    versions.iter().any(|version| {
        let others = said.iter().filter(|one| pair(one) == pair(version) && near(one, version));
        others.into_iter().any(|one| !(same && one.answer < version.answer))
    })
}

#[test]
fn a_version_taken_in_a_closed_month_is_an_adjustment() {
    let (mut plain, mut drew, mut refused, mut nothing, mut joined) = (0, 0, 0, 0, 0);
    for seed in 0..72 {
        let mut said = plain_month(7_000 + seed);
        let mut folder = told_in_order(seed, &said);
        // One that is rated in October.
        let billed = net(&folder);
        let is_rated = |one: &Said| billed.keys().any(|(leg, _)| of(leg, &one.id));
        let rated: Vec<usize> = (0..said.len()).filter(|i| is_rated(&said[*i])).collect();
        let Some(at) = rated.get(folder.random.below(rated.len().max(1) as u64) as usize).copied() else { continue };
        let (first, another) = (said[at].clone(), said[rated[0]].clone());
        let mut other = first.clone();
        // Longer, so that the seal takes the first by its own rule; or shorter, so that it takes the second; or another
        // destination; or nobody's.
        match seed % 6 {
            0 | 1 => other.duration = Micros(first.duration.0 + 90_000_000),
            2 => other.duration = Micros(first.duration.0 / 2),
            3 | 4 => {
                other.destination = another.destination;
                other.duration = Micros(first.duration.0 + 1_000_000);
            }
            _ => {
                (other.source, other.account) = ("+4930999999".to_owned(), String::new());
                other.duration = Micros(first.duration.0 + 1_000_000);
            }
        }
        folder.tell(&[&other]);
        folder.seal(OCTOBER);
        folder.check();
        let (manifest, before) = (folder.store.manifest(OCTOBER).unwrap(), everything(&mut folder));
        let sealed = net(&folder);
        let begin = taken(&mut folder, (&first, &other), true);
        let run = begun(&mut folder, &begin).unwrap();
        if folder.random.once_in(2) {
            folder.restart();
        }
        let state = ended(&mut folder, run);
        folder.check();
        assert_eq!(folder.store.manifest(OCTOBER).unwrap(), manifest, "a manifest never changes");
        if state == RerateState::GivenUp {
            // Nobody pays for it, or it was rated by nobody before: a reason, and nothing else.
            let why = folder.store.rerate_run(run).unwrap().unwrap().0.why_not.unwrap();
            assert!(why.contains("the version taken cannot be rated") || why.contains("as a whole"), "{why}");
            assert_eq!((everything(&mut folder), decided(&folder, &first)), (before, None));
            refused += 1;
            continue;
        }
        let kept = decided(&folder, &first).unwrap();
        assert_eq!((kept.kept.0, &*kept.why, &*kept.by), (begin.decides.unwrap().kept, "a test", "nora"));
        let report: Report =
            serde_json::from_slice(&folder.store.rerate_run(run).unwrap().unwrap().0.report.unwrap()).unwrap();
        assert_eq!(report.revisions, 0, "a closed month has no revisions");
        let mut now = net(&folder);
        said[at] = other.clone();
        let mut then = expected(&said, 2, None);
        let beside = linked(&said, [&first, &other]) || tiered(&folder, &first.id);
        if report.changed == 0 {
            // The seal had taken it already.
            assert_eq!(now, sealed, "month {seed}");
            nothing += 1;
        } else if draws(&sealed, &first.id) || draws(&then, &first.id) || beside {
            // The others stay as they were sealed.
            let rest = |net: &Net| -> Net {
                net.iter()
                    .filter(|((leg, _), _)| !of(leg, &first.id))
                    .map(|(leg, amounts)| (leg.clone(), *amounts))
                    .collect()
            };
            assert_eq!(rest(&now), rest(&sealed), "month {seed}");
            // Rated last, it draws what is left, and no more than there is.
            let total = |net: &Net| net.values().map(|(_, drawn)| drawn).sum::<i64>();
            assert!(total(&now) <= total(&then), "month {seed}: {} {}", total(&now), total(&then));
            drew += 1;
        } else {
            now.retain(|_, leg| *leg != (0, 0));
            then.retain(|_, leg| *leg != (0, 0));
            assert_eq!(now, then, "month {seed}");
            plain += 1;
            // The version taken goes on with what the one before went on with.
            let calls = folder.calls(Period(OCTOBER.0 + 1));
            joined += calls.iter().filter(|call| !call.call.reversal && call.draws.starts_with(b"{\"after")).count();
        }
        // It is taken back by deciding anew, not by taking back the run.
        let undo = begun(&mut folder, &RerateBegin { undoes: Some(run), ..super::begin(october()) }).unwrap();
        assert_eq!(ended(&mut folder, undo), RerateState::GivenUp);
        let why = folder.store.rerate_run(undo).unwrap().unwrap().0.why_not.unwrap();
        assert!(why.contains("decide for the other version"), "{why}");
        let back = taken(&mut folder, (&first, &other), false);
        let run = begun(&mut folder, &back).unwrap();
        // The first may have waited for a price.
        let returned = ended(&mut folder, run) == RerateState::Counts;
        assert_eq!(decided(&folder, &first).unwrap().kept == place(&folder, &first), returned);
        folder.check();
        // A replay of it all finds the same.
        folder.again();
        let alone = !draws(&sealed, &first.id) && !draws(&then, &first.id) && !beside;
        if returned && report.changed > 0 && alone {
            let (mut now, mut then) = (net(&folder), sealed);
            now.retain(|_, leg| *leg != (0, 0));
            then.retain(|_, leg| *leg != (0, 0));
            assert_eq!(now, then, "month {seed}");
        }
    }
    assert!(plain > 2 && joined > 0 && drew > 2 && refused > 0 && nothing > 0, "{plain} {drew} {refused} {nothing}");
    println!("{plain} alone, of these {joined} behind another; {drew} beside others");
}

#[test]
fn nothing_is_decided_in_a_month_that_is_being_rated_again() {
    for seed in 0..4 {
        let said = plain_month(7_200 + seed);
        let mut folder = told_in_order(seed, &said);
        let first = said.iter().find(|one| one.answer > said[0].answer).unwrap();
        let other = Said { duration: Micros(first.duration.0 + 90_000_000), ..first.clone() };
        folder.tell(&[&other]);
        folder.flush();
        folder.activate(2);
        let run = begun(&mut folder, &begin(october())).unwrap();
        folder.decide(first, Some(&other));
        folder.flush();
        assert_eq!(decided(&folder, first), None, "what the run found must stand there when it counts");
        assert_eq!(ended(&mut folder, run), RerateState::Counts);
        folder.check();
        folder.decide(first, Some(&other));
        folder.flush();
        assert!(decided(&folder, first).is_some());
        folder.check();
    }
}

/// The version taken was answered in another month than the one that stands: either keeps it where it is.
#[test]
fn nothing_is_decided_where_what_stands_or_what_is_taken_is_being_rated_again() {
    let call = |day: &str| Said {
        id: "c".to_owned(),
        account: String::new(),
        source: number(0),
        destination: "+4420123456".to_owned(),
        direction: None,
        answer: parse_rfc3339(format!("2026-{day}T09:00:00Z").as_bytes()).unwrap(),
        duration: Micros::seconds(61),
    };
    let months = [OCTOBER, Period(OCTOBER.0 + 1)];
    for (standing, other) in [(call("10-15"), call("11-01")), (call("11-01"), call("10-15"))] {
        for month in months {
            let mut folder = told_in_order(1, std::slice::from_ref(&standing));
            folder.tell(&[&other]);
            folder.flush();
            folder.activate(2);
            let scope = RerateScope { first: month.0, last: month.0, ..RerateScope::default() };
            let run = begun(&mut folder, &begin(scope)).unwrap();
            folder.decide(&standing, Some(&other));
            folder.flush();
            let stands = |folder: &Folder| folder.calls(months[0]).len() + 10 * folder.calls(months[1]).len();
            let before = if standing.answer < other.answer { 1 } else { 10 };
            assert_eq!((decided(&folder, &standing), stands(&folder)), (None, before));
            folder.check();
            assert_eq!(ended(&mut folder, run), RerateState::Counts);
            folder.check();
            folder.decide(&standing, Some(&other));
            folder.flush();
            assert!(decided(&folder, &standing).is_some());
            folder.check();
            folder.again();
        }
    }
}
