//! The spend guard in the world that crashes, repeats and reorders: what is told is what a plain count of the calls comes to,
//! under the same ids in every order, each at least once, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use callrated::batch::EntryKind;
use callrated::call::CallType;
use callrated::guard::{Entered, Event, read};
use callrated::record::Direction;
use callrated::store::{GuardPage, ScanOrder, Store, Visit};
use callrated::time::Period;

use super::months::{Folder, Said, month};

/// What is told: account, month of the window, level.
type Told = (String, String, u64);

const LIMIT: u64 = 4;
const LEVELS: [u64; 3] = [50, 100, 200];

/// Everything of an event that must not depend on when it is told.
fn of(event: &Event) -> (String, Told) {
    let data = event.data()["data"].clone();
    // Where the window begins, whatever the account's zone.
    let month = data["window"]["from"].as_str().unwrap()[..10].to_owned();
    (event.id.clone(), (data["account"].as_str().unwrap().to_owned(), month, data["level"].as_u64().unwrap()))
}

fn watched(seed: u64) -> Folder {
    let mut folder = Folder::new(seed);
    folder.activate(0);
    folder.activate(1);
    let levels = LEVELS.map(|level| level.to_string()).join(", ");
    let text = format!(
        "judge_within = \"9000h\"\n[[rule]]\nname = \"calls\"\ncalls = {LIMIT}\nper = \"month\"\nlevels = [{levels}]\n"
    );
    let known = read::Known { plans: Vec::new(), accounts: BTreeSet::new() };
    let (rules, findings) = read::read(text.as_bytes(), &known);
    let rules = rules.unwrap_or_else(|| panic!("{findings:#?}"));
    folder.json(EntryKind::Guard, &Entered::Rules { rules, at: 1, by: "nora".to_owned() });
    folder
}

/// Tells all of it in an order of its own, with repeats and ends of the process between; what was told aloud.
fn told(folder: &mut Folder, said: &[Said]) -> BTreeMap<String, Told> {
    let mut left: Vec<&Said> = said.iter().collect();
    for at in (1..left.len()).rev() {
        left.swap(at, folder.random.below(at as u64 + 1) as usize);
    }
    let (mut aloud, mut done) = (BTreeMap::new(), Vec::new());
    while !left.is_empty() {
        let some = (1 + folder.random.below(5) as usize).min(left.len());
        let batch: Vec<&Said> = left.drain(..some).collect();
        folder.tell(&batch);
        done.extend(batch);
        if folder.random.once_in(3) {
            let again = done[folder.random.below(done.len() as u64) as usize];
            folder.tell(&[again]);
        }
        aloud.extend(folder.told().iter().map(|event| of(event)));
        match folder.random.below(4) {
            0 => folder.flush(),
            // What was told and not stored is told again; what was not told is now, or stands in the store.
            1 => folder.restart(),
            _ => {}
        }
        aloud.extend(folder.told().iter().map(|event| of(event)));
    }
    folder.flush();
    aloud.extend(folder.told().iter().map(|event| of(event)));
    aloud
}

/// What the store has, which a webhook is told after a start.
fn stored(folder: &Folder) -> BTreeMap<String, Told> {
    let page = GuardPage { after: 0, since: None, account: None, newest_first: false, limit: 10_000 };
    let events = folder.store.guard_events(page).unwrap();
    let all: BTreeMap<String, Told> = events.iter().map(|one| of(&one.event)).collect();
    assert_eq!(all.len(), events.len(), "an event is stored once");
    all
}

/// By the rows alone: who made how many calls in which month.
fn counted(folder: &Folder) -> BTreeSet<(String, Period, u64)> {
    let mut calls: BTreeMap<(u32, Period), u64> = BTreeMap::new();
    let all = folder.store.scan(None, ScanOrder::Stored, &mut |stored| {
        let call = &stored.call;
        // What the account's users do.
        if call.key.leg == Direction::Outbound && !matches!(call.call_type, CallType::Inbound | CallType::TollFree) {
            *calls.entry((call.account.0, call.period)).or_default() += 1;
        }
        Visit::Continue(())
    });
    all.unwrap();
    let mut fired = BTreeSet::new();
    for ((account, month), count) in calls {
        let name = folder.store.account_name(callrated::call::AccountKey(account)).unwrap().unwrap();
        for level in LEVELS.into_iter().filter(|level| count * 100 >= LIMIT * level) {
            fired.insert((name.clone(), month, level));
        }
    }
    fired
}

#[test]
fn each_event_is_told_at_least_once_under_one_id_and_no_other() {
    let mut fired = 0;
    for seed in 0..30 {
        // Contradictions leave the count to whichever version came first: without them.
        let mut said = month(8_000 + seed);
        let mut seen = BTreeSet::new();
        said.retain(|one| seen.insert((one.id.clone(), one.direction)));
        let (mut first, mut second) = (watched(seed), watched(seed ^ 0x6a4d));
        let (aloud, again) = (told(&mut first, &said), told(&mut second, &said));
        let (kept, others) = (stored(&first), stored(&second));
        for (id, one) in &aloud {
            assert_eq!(kept.get(id), Some(one), "month {seed}: told, and never stored");
        }
        for (id, one) in &again {
            assert_eq!(others.get(id), Some(one), "month {seed}: told, and never stored");
        }
        assert_eq!(kept, others, "month {seed}: another order, another crash, other events");
        let expected = counted(&first);
        let months = |told: &Told| {
            // The month begins in the account's zone: at most a day before it does in UTC.
            let begins: jiff::civil::Date = told.1.parse().unwrap();
            let inside = begins.checked_add(jiff::Span::new().days(5)).unwrap();
            (told.0.clone(), inside.strftime("%Y-%m").to_string().parse().unwrap(), told.2)
        };
        let found: BTreeSet<(String, Period, u64)> = kept.values().map(months).collect();
        assert_eq!(found, expected, "month {seed}");
        // What comes out at once is heard before the process ends here, so that all of it is.
        let never: Vec<&String> = kept.keys().filter(|id| !aloud.contains_key(*id)).collect();
        assert_eq!(never, Vec::<&String>::new(), "month {seed}: stored, and never told");
        fired += found.len();
    }
    assert!(fired > 60, "{fired}");
}
