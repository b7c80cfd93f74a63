//! What a version draws where its month is closed: what the month has left to the second, whoever drew before it.
//!
//! Seven minutes for both accounts of the pool, and 0.015 a minute beyond them: amounts are worked out by hand.

use callrated::entry::Kept;
use callrated::store::Retired;

use super::super::super::months::NOVEMBER;
use super::super::super::rates;
use super::super::deleted::{carried_out, ordered};
use super::*;

const MOBILE: &str = "+4915123456789";
const LONDON: &str = "+4420123456";

fn called(id: &str, account: usize, day: &str, minutes: i64, destination: &str) -> Said {
    Said {
        id: id.to_owned(),
        account: String::new(),
        source: number(account),
        destination: destination.to_owned(),
        direction: None,
        answer: parse_rfc3339(format!("2026-{day}T09:00:00Z").as_bytes()).unwrap(),
        duration: Micros::seconds(60 * minutes),
    }
}

/// An October told by a tariff and sealed.
fn sealed(tariff: &str, directory: Option<&str>, said: &[Said]) -> Folder {
    let mut folder = Folder::new(1);
    let said_of = |digest: &str| Activation {
        digest: digest.to_owned(),
        effective_from: None,
        activated_at: 0,
        by: "nora".to_owned(),
    };
    folder.json(EntryKind::Tariff, &said_of(tariff));
    match directory {
        Some(digest) => folder.json(EntryKind::Directory, &said_of(digest)),
        None => folder.activate(1),
    }
    folder.tell(&said.iter().collect::<Vec<_>>());
    folder.seal(OCTOBER);
    folder.check();
    folder
}

/// The other version of a record is taken; what happens between the beginning and the end of the run; cost in units of
/// 0.0001 and seconds drawn of both sides by then.
fn takes(folder: &mut Folder, (first, other): (&Said, &Said), meanwhile: impl FnOnce(&mut Folder)) -> [(i64, i64); 2] {
    let begin = taken(folder, (first, other), true);
    let run = begun(folder, &begin).unwrap();
    meanwhile(folder);
    assert_eq!(ended(folder, run), RerateState::Counts, "{:?}", folder.store.rerate_run(run));
    folder.check();
    let net = net(folder);
    [Direction::Outbound, Direction::Inbound].map(|leg| {
        let (cost, drawn) = net.get(&(first.id.clone(), leg)).copied().unwrap_or_default();
        assert_eq!(cost % 100_000, 0);
        (cost / 100_000, drawn)
    })
}

#[test]
fn a_version_draws_what_others_of_its_month_and_group_left() {
    let first = [called("a", 0, "10-01", 4, MOBILE), called("b", 1, "10-02", 1, MOBILE)];
    let (third, longer) = (called("c", 0, "10-03", 1, MOBILE), called("c", 0, "10-03", 5, MOBILE));
    let (second, abroad) = (first[1].clone(), called("b", 1, "10-02", 2, LONDON));
    let said = [&first[..], std::slice::from_ref(&third)].concat();
    let mut told = said.clone();
    told.extend([longer.clone(), abroad.clone()]);
    let month = |more: &[Said]| sealed(&SHELF.tariffs[0], None, &[&told[..], more].concat());
    let nothing = |_: &mut Folder| {};

    // Five minutes of the others: two are left, and three cost 0.015.
    let (two_left, none) = ((450, 120), (0, 0));
    assert_eq!(takes(&mut month(&[]), (&third, &longer), nothing), [two_left, none]);

    // Another month, another group: nothing of theirs is of this one.
    let november = [called("n", 0, "11-01", 3, MOBILE), called("m", 2, "10-01", 7, MOBILE)];
    assert_eq!(takes(&mut month(&november), (&third, &longer), nothing), [two_left, none]);

    // What came late is billed in November and drew of October: one minute is left to the version.
    let mut folder = month(&[]);
    folder.tell(&[&called("late", 1, "10-20", 1, MOBILE)]);
    assert_eq!(takes(&mut folder, (&third, &longer), nothing), [(600, 60), none]);

    // What came behind the run's beginning did not draw before it, wherever the draft was by then.
    let mut folder = month(&[]);
    let came = takes(&mut folder, (&third, &longer), |folder| {
        folder.tell(&[&called("behind", 1, "10-20", 1, MOBILE)]);
        folder.flush();
    });
    assert_eq!(came, [two_left, none]);
    folder.again();

    // The second was taken back and drew nothing in another version: its minute is left as well.
    let mut folder = month(&[]);
    assert_eq!(takes(&mut folder, (&second, &abroad), nothing), [(1120, 0), none]);
    assert_eq!(takes(&mut folder, (&third, &longer), nothing), [(300, 180), none]);
    folder.again();
    // Back again, it draws what is left by now: nothing. 0.015 for its minute.
    let begin = taken(&mut folder, (&second, &abroad), false);
    let run = begun(&mut folder, &begin).unwrap();
    assert_eq!(ended(&mut folder, run), RerateState::Counts);
    assert_eq!(net(&folder)[&("b".to_owned(), Direction::Outbound)], (15_000_000, 0));
    folder.check();

    // Details that are erased have drawn what they drew.
    let mut folder = month(&[]);
    let order = ordered(&mut folder, Kept::Erase, rates::name(1));
    assert!(carried_out(&mut folder, order).0 > 0);
    assert_eq!(takes(&mut folder, (&third, &longer), nothing), [two_left, none]);
    folder.again();
}

/// Both sides of a call may draw from one allowance: a German account calls the toll-free number of another of its group.
#[test]
fn both_sides_of_a_version_draw_one_after_the_other() {
    let (tariff, directory) = (rates::both_sides(), rates::toll_free_in_the_pool());
    let said = [
        called("a", 0, "10-01", 3, LONDON),
        called("c", 0, "10-03", 1, "+18005550199"),
        called("c", 0, "10-03", 2, "+18005550199"),
    ];
    let mut folder = sealed(&tariff, Some(&directory), &said);
    let of = |folder: &Folder, leg| net(folder)[&("c".to_owned(), leg)];
    assert_eq!((of(&folder, Direction::Outbound), of(&folder, Direction::Inbound)), ((0, 60), (0, 60)));
    // Six minutes: three are left, two for who calls, one for who is called, whose second costs 0.02.
    assert_eq!(takes(&mut folder, (&said[1], &said[2]), |_| {}), [(0, 120), (200, 60)]);
    folder.again();
}

/// The record in the entry of a run that took a version names numbers: it goes with the account.
#[test]
fn an_erasure_takes_the_record_out_of_the_run_that_took_it() {
    let (mine, longer) = (called("c", 0, "10-03", 1, MOBILE), called("c", 0, "10-03", 5, MOBILE));
    let (theirs, shorter) = (called("d", 2, "10-04", 3, MOBILE), called("d", 2, "10-04", 4, MOBILE));
    let mut folder = sealed(&SHELF.tariffs[0], None, &[mine.clone(), theirs.clone(), longer.clone(), shorter.clone()]);
    takes(&mut folder, (&mine, &longer), |_| {});
    takes(&mut folder, (&theirs, &shorter), |_| {});
    let entries = |folder: &Folder| -> Vec<RerateBegin> {
        let runs = folder.store.rerate_runs().unwrap();
        let entry = |json: &str| match serde_json::from_str(json).unwrap() {
            Rerate::Begin(begin) => *begin,
            other => panic!("{other:?}"),
        };
        runs.iter().map(|run| entry(&run.entry)).collect()
    };
    let before = entries(&folder);
    let record = |begin: &RerateBegin| begin.decides.as_ref().unwrap().record.clone();
    assert!(before.iter().all(|begin| !record(begin).is_empty()));
    let order = ordered(&mut folder, Kept::Erase, rates::name(0));
    // In November, where the version is billed, it is open: nothing of it goes until that is sealed.
    folder.seal(NOVEMBER);
    assert_eq!(carried_out(&mut folder, order).1, Retired::Stored);
    let after = entries(&folder);
    assert_eq!((record(&after[0]), record(&after[1])), (String::new(), record(&before[1])));
    let without = |begin: &RerateBegin| {
        let decides = begin.decides.clone().map(|decides| Decides { record: String::new(), ..decides });
        RerateBegin { decides, ..begin.clone() }
    };
    assert_eq!(after.iter().map(without).collect::<Vec<_>>(), before.iter().map(without).collect::<Vec<_>>());
    folder.check();
}
