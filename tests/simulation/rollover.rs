//! Minutes that roll over: two months told in any order, and sealed one after the other, come to what a plain list comes to in
//! which minutes lie in a queue; and what was handed on stays handed on, whatever comes late or is rated again.

use std::collections::{BTreeMap, VecDeque};

use callrated::batch::EntryKind;
use callrated::call::{Meter, TariffSlot};
use callrated::directory::Directory;
use callrated::entry::{Activation, RerateScope, SourceProfile};
use callrated::rating::{self, Drawn, Draws, Resolution, Standing, World};
use callrated::record::Direction;
use callrated::store::Store;
use callrated::tariff::Tariff;
use callrated::time::{Period, Timestamp, parse_rfc3339};

use super::months::{Folder, OCTOBER, Said, stored};
use super::random::Random;
use super::rates::{ACCOUNTS, SHELF, TARIFFS, account, is_german, rolling, tariff_of};
use super::rerate::{applied, begin};
use super::trial::changes_nothing;

const SEPTEMBER: Period = Period(OCTOBER.0 - 1);
const NOVEMBER: Period = Period(OCTOBER.0 + 1);
/// The plan's own minutes and those for mobile numbers, seconds; for how many months they are kept, and how many at most.
const ALLOWANCES: [(&str, u64, i32, u64); 2] = [("", 300, 2, 540), ("mobile", 240, 1, u64::MAX)];

/// What is handed on, by group and allowance: the oldest first.
type Handed = BTreeMap<(String, String), VecDeque<(Period, u64)>>;

/// Two months' calls, each record once.
fn calls(seed: u64) -> Vec<Said> {
    let mut random = Random::new(seed);
    let count = 20 + random.below(60);
    let all = (0..count).map(|id| Said::any(&mut random, id)).collect::<Vec<_>>();
    let early = |(i, said): (usize, Said)| match i % 2 {
        // A month of 30 days before.
        0 => Said { answer: Timestamp(said.answer.0 - 30 * 86_400_000_000), ..said },
        _ => said,
    };
    all.into_iter().enumerate().map(early).collect()
}

fn in_force(folder: &mut Folder) {
    let digest = SHELF.images.keep_tariff(&rolling(0)).unwrap().digest().to_owned();
    let entry = Activation { digest, effective_from: None, activated_at: 0, by: "nora".to_owned() };
    folder.json(EntryKind::Tariff, &entry);
    let digest = SHELF.directories[0].clone();
    folder.json(
        EntryKind::Directory,
        &Activation { digest, effective_from: None, activated_at: 0, by: "nora".to_owned() },
    );
}

/// What a group's counters say.
#[derive(Default)]
struct Counters(BTreeMap<Meter, u64>);

impl Drawn for Counters {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        self.0.get(&meter).copied().unwrap_or(0)
    }
}

type Costs = BTreeMap<(String, Direction), (i64, u32)>;

/// A month from a plain list, and what it hands on.
fn plainly(said: &[Said], month: Period, handed: &Handed, tariff: &Tariff, directory: &Directory) -> (Costs, Handed) {
    let world = World { directory, tariff, slot: TariffSlot(0) };
    let profile = SourceProfile { country: "DE".to_owned(), max_age_days: 90, ..SourceProfile::default() };
    let received = parse_rfc3339(b"2026-11-02T00:00:00Z").unwrap();
    let mut legs = Vec::new();
    for one in said {
        let Resolution::Legs(first, second) = rating::resolve(&one.record(), received, &profile, world) else {
            continue;
        };
        let own = [first, second].into_iter().flatten().filter(|leg| leg.period(world) == month);
        legs.extend(own.map(|leg| ((leg.answer, one.id.clone(), leg.direction, one.direction), leg)));
    }
    legs.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut groups, mut draws, mut costs) = (BTreeMap::<String, Counters>::new(), Draws::default(), Costs::new());
    for ((group, name), lots) in handed {
        let counters = groups.entry(group.clone()).or_default();
        for (from, seconds) in lots {
            counters.0.insert(Meter::named(&format!("{name}<{}", month.0 - from.0)), *seconds);
        }
    }
    for ((_, id, side, direction), leg) in legs {
        let counters = groups.entry(directory.row(leg.account_row).group().to_owned()).or_default();
        let Ok(rated) = rating::rate(&leg, world, month, Standing::of(counters), &mut draws) else { continue };
        for draw in &draws.list {
            *counters.0.entry(draw.meter).or_default() += u64::from(draw.seconds);
        }
        let said = direction.map_or("", Direction::name);
        costs.insert((format!("{id}{said}"), side), (rated.cost.0, rated.included_seconds));
    }
    let mut next = Handed::new();
    for one in (0..ACCOUNTS).filter(|i| is_german(*i)) {
        let Some(there) = account(0, one).filter(|there| !there.starts_late) else { continue };
        for (name, own, months, at_most) in ALLOWANCES {
            let place = (there.group.to_owned(), name.to_owned());
            let mut queue = handed.get(&place).cloned().unwrap_or_default();
            queue.push_back((month, own));
            let meter = Meter::named(name);
            let mut drawn = groups.get(there.group).map_or(0, |counters| counters.seconds(month, meter));
            // Second by second, as one would by hand.
            while drawn > 0 {
                let front = queue.front_mut().unwrap();
                front.1 -= 1;
                drawn -= 1;
                if front.1 == 0 {
                    queue.pop_front();
                }
            }
            queue.retain(|(from, _)| month.0 - from.0 < months);
            while queue.iter().map(|(_, seconds)| seconds).sum::<u64>() > at_most {
                let front = queue.front_mut().unwrap();
                front.1 -= 1;
                if front.1 == 0 {
                    queue.pop_front();
                }
            }
            queue.retain(|(_, seconds)| *seconds > 0);
            if !queue.is_empty() {
                next.insert(place, queue);
            }
        }
    }
    (costs, next)
}

/// As the manifest of a month has it.
fn handed(folder: &Folder, month: Period) -> Handed {
    let mut handed = Handed::new();
    for one in folder.manifest(month)["carried"].as_array().into_iter().flatten() {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        let lot = (text("from").parse().unwrap(), one["seconds"].as_u64().unwrap());
        handed.entry((text("group"), text("allowance"))).or_default().push_back(lot);
    }
    handed
}

/// Tells calls in an order of its own, with restarts between.
fn tell(folder: &mut Folder, mut left: Vec<&Said>) {
    for at in (1..left.len()).rev() {
        left.swap(at, folder.random.below(at as u64 + 1) as usize);
    }
    while !left.is_empty() {
        let some = (1 + folder.random.below(6) as usize).min(left.len());
        let batch: Vec<&Said> = left.drain(..some).collect();
        folder.tell(&batch);
        match folder.random.below(8) {
            0 => folder.flush(),
            1 => folder.restart(),
            _ => {}
        }
    }
}

#[test]
fn months_that_hand_minutes_on_come_to_one_digest_in_whatever_order_they_are_told() {
    let (mut drawn, mut old) = (0, 0);
    for seed in 0..10 {
        let said = calls(seed);
        let tariff = SHELF.images.keep_tariff(&rolling(0)).unwrap();
        let directory = SHELF.images.directory(&SHELF.directories[0]).unwrap();
        let (_, from_september) = plainly(&said, SEPTEMBER, &Handed::new(), &tariff, &directory);
        let (costs, from_october) = plainly(&said, OCTOBER, &from_september, &tariff, &directory);
        let without = plainly(&said, OCTOBER, &Handed::new(), &tariff, &directory).0;
        drawn += usize::from(costs != without);
        old += from_october.values().filter(|lots| lots.iter().any(|(from, _)| *from == SEPTEMBER)).count();
        let mut digests = Vec::new();
        for order in 0..3 {
            let mut folder = Folder::new(seed * 100 + order);
            in_force(&mut folder);
            // All of September, and of October what comes before September is sealed.
            let september = |said: &&Said| said.answer < SEPTEMBER.bounds(&callrated::time::Zone::UTC).1;
            let (mut first, mut later): (Vec<&Said>, Vec<&Said>) = said.iter().partition(september);
            let some = folder.random.below(later.len() as u64 + 1) as usize;
            first.extend(later.drain(..some));
            tell(&mut folder, first);
            match order {
                // Both are closed before either is sealed.
                2 => {
                    tell(&mut folder, later);
                    let seals = [folder.close(SEPTEMBER), folder.close(OCTOBER)];
                    assert!(folder.seals.draft(OCTOBER, seals[1]).is_err(), "what September hands on is not known");
                    folder.sealed(SEPTEMBER, seals[0]);
                    folder.restart();
                    folder.sealed(OCTOBER, seals[1]);
                }
                _ => {
                    folder.seal(SEPTEMBER);
                    folder.check();
                    assert_eq!(handed(&folder, SEPTEMBER), from_september, "seed {seed}");
                    tell(&mut folder, later);
                    folder.seal(OCTOBER);
                }
            }
            folder.check();
            assert_eq!(stored(&folder), costs, "seed {seed}, order {order}");
            // Tried by its own tariff it is what it is; October with the minutes that September left.
            let tried = changes_nothing(&folder, OCTOBER, &tariff);
            let sum: i128 = tried.total.values().map(|both| both.after.cost.0).sum();
            assert_eq!(sum, costs.values().map(|(cost, _)| i128::from(*cost)).sum::<i128>(), "seed {seed}");
            assert_eq!(handed(&folder, OCTOBER), from_october, "seed {seed}");
            if order == 1 {
                folder.restart();
                folder.check();
            } else {
                folder.again();
            }
            let of = |month| folder.manifest(month)["digest"].clone();
            digests.push((of(SEPTEMBER), of(OCTOBER)));
        }
        assert!(digests.iter().all(|one| *one == digests[0]), "seed {seed}: {digests:?}");
    }
    assert!(drawn > 3 && old > 3, "{drawn} {old}");
}

#[test]
fn what_was_handed_on_stays_so_when_calls_come_late_and_months_are_rated_again() {
    let mut late_calls = 0;
    for seed in 0..8 {
        let said = calls(500 + seed);
        let mut folder = Folder::new(seed);
        in_force(&mut folder);
        let (early, late) = said.split_at(said.len() * 2 / 3);
        tell(&mut folder, early.iter().collect());
        folder.seal(SEPTEMBER);
        let lots = |folder: &mut Folder| -> Vec<_> {
            folder.flush();
            let state = folder.store.load().unwrap();
            let names = ["<1", "<2", "mobile<1", ">", "mobile>"].map(Meter::named);
            state.allowances.into_iter().filter(|line| names.contains(&line.meter)).collect()
        };
        let before = lots(&mut folder);
        tell(&mut folder, late.iter().collect());
        folder.check();
        assert_eq!(lots(&mut folder), before, "seed {seed}");
        // By what is in force nothing changes, late calls included.
        let scope = RerateScope { first: SEPTEMBER.0, last: SEPTEMBER.0, ..RerateScope::default() };
        let (_, report) = applied(&mut folder, &begin(scope.clone()));
        assert_eq!((report.changed, report.follow_on), (0, 0), "seed {seed}: {report:#?}");
        // By the other tariff minutes and prices are others; what was handed on is not.
        let digest = SHELF.images.keep_tariff(&rolling(1)).unwrap().digest().to_owned();
        let entry = Activation { digest: digest.clone(), effective_from: None, activated_at: 0, by: "nora".to_owned() };
        folder.json(EntryKind::Tariff, &entry);
        applied(&mut folder, &begin(RerateScope { by_tariff: Some(digest), ..scope }));
        folder.check();
        assert_eq!(lots(&mut folder), before, "seed {seed}");
        // No second is given twice: what September's calls drew and what it handed on is what it had.
        let state = folder.store.load().unwrap();
        for (name, own, ..) in ALLOWANCES {
            for line in
                state.allowances.iter().filter(|line| line.period == SEPTEMBER && line.meter == Meter::named(name))
            {
                let on = |other: &&callrated::store::AllowanceLine| {
                    other.meter == Meter::named(&format!("{name}>"))
                        && (other.period, other.group) == (line.period, line.group)
                };
                let handed = state.allowances.iter().find(on).map_or(0, |line| line.used_seconds);
                // The other tariff has no more of either.
                assert!(line.used_seconds + handed <= own, "seed {seed}: {line:?} {handed}");
            }
        }
        late_calls += folder.calls(NOVEMBER).iter().filter(|call| call.call.adjusts.is_some()).count();
        folder.seal(OCTOBER);
        folder.check();
        folder.again();
    }
    assert!(late_calls > 5, "{late_calls}");
}

/// Until the middle of September minutes do not roll over, from then on they do: what September hands on is gone for late calls
/// of its first half as well.
#[test]
fn a_late_call_of_a_time_without_roll_over_does_not_draw_what_was_handed_on() {
    let (mut late_calls, mut drew) = (0, 0);
    for seed in 0..8 {
        let said = calls(900 + seed);
        let mut folder = Folder::new(seed);
        in_force(&mut folder);
        let digest = SHELF.images.keep_tariff(&tariff_of(&TARIFFS[0], 5)).unwrap().digest().to_owned();
        let first = Activation { digest, effective_from: None, activated_at: 0, by: "nora".to_owned() };
        folder.json(EntryKind::Tariff, &first);
        let digest = SHELF.images.keep_tariff(&rolling(0)).unwrap().digest().to_owned();
        let middle = parse_rfc3339(b"2026-09-16T00:00:00Z").unwrap();
        let then = Activation { digest, effective_from: Some(middle.0), activated_at: 0, by: "nora".to_owned() };
        folder.json(EntryKind::Tariff, &then);
        let (early, late) = said.split_at(said.len() / 3);
        tell(&mut folder, early.iter().collect());
        folder.seal(SEPTEMBER);
        folder.check();
        tell(&mut folder, late.iter().collect());
        folder.flush();
        folder.check();
        let state = folder.store.load().unwrap();
        for line in state.allowances.iter().filter(|l| l.period == SEPTEMBER && l.meter == Meter::PLAN) {
            let on = |o: &&callrated::store::AllowanceLine| o.meter == Meter::PLAN_HANDED_ON && o.group == line.group;
            let handed = state.allowances.iter().find(on).map_or(0, |line| line.used_seconds);
            assert!(line.used_seconds + handed <= 300, "seed {seed}: {line:?} {handed}");
        }
        for call in folder.calls(NOVEMBER).iter().filter(|call| call.call.adjusts == Some(SEPTEMBER)) {
            let of_first_half = call.call.answer < middle;
            late_calls += usize::from(of_first_half);
            drew += usize::from(of_first_half && !call.draws.is_empty());
        }
        // Rated again from what is stored, nothing is another.
        let scope = RerateScope { first: SEPTEMBER.0, last: SEPTEMBER.0, ..RerateScope::default() };
        let (_, report) = applied(&mut folder, &begin(scope));
        assert_eq!((report.changed, report.follow_on), (0, 0), "seed {seed}: {report:#?}");
        folder.check();
        folder.again();
    }
    assert!(late_calls > 5 && drew > 2, "{late_calls} {drew}");
}
