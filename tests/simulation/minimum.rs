//! Minimum spends (R26): what sealed months bill beside calls, and what becomes of it when calls of a sealed month come late, are
//! rated again and taken back. Whatever happens, what a month bills in all is the larger of its minimum and its calls.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use callrated::audit;
use callrated::batch::EntryKind;
use callrated::entry::{Activation, Kept, RerateBegin, RerateScope, Retention};
use callrated::period::trial::{Trial, Tried};
use callrated::store::{MinimumsOf, Retired, Store};
use callrated::tariff::{self, RatesText};
use callrated::time::{Micros, Period, parse_rfc3339};
use rust_decimal::Decimal;

use super::months::{Folder, NOVEMBER, OCTOBER, Said};
use super::random::Random;
use super::rates::{ACCOUNTS, COUNTRIES, NUMBERING, SHELF, asking, is_german, name};
use super::rerate::{applied, begin};

const SEPTEMBER: Period = Period(OCTOBER.0 - 1);
const DECEMBER: Period = Period(NOVEMBER.0 + 1);
const JANUARY: Period = Period(NOVEMBER.0 + 2);

/// A minute costs what is said here; gold asks for 20.00, silver for 6.20, plain for nothing.
fn plans(minute: &str, gold: &str) -> Vec<u8> {
    let plan = |name: &str, extra: &str| {
        format!(
            "[plan.{name}]\ncountry = \"DE\"\ncurrency = \"EUR\"\nincluded_minutes = 0\noverage_rate = \"{minute}\"\n\
             prorate_first = true\nprorate_change = true\n{extra}\n"
        )
    };
    let all = [
        plan("gold", &format!("minimum_spend = \"{gold}\"")),
        plan("silver", "minimum_spend = \"6.20\""),
        plan("plain", ""),
    ];
    let text = RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: all.concat().into(),
        ..RatesText::default()
    };
    tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}")).image
}

const PEOPLE: &str = "\
account,plan,country,billing_start,billing_end,timezone,group,valid_from,valid_to
above,gold,DE,2020-01-01,,UTC,,,
below,gold,DE,2020-01-01,,UTC,,,
changes,gold,DE,2020-01-01,,UTC,,,2026-10-17
changes,silver,DE,2020-01-01,,UTC,firm,2026-10-17,
ended,gold,DE,2020-01-01,2026-10-01,UTC,,,
equal,gold,DE,2020-01-01,,UTC,,,
fresh,gold,DE,2026-10-17,,UTC,,,
later,gold,DE,2026-11-10,,UTC,,,
plain,plain,DE,2020-01-01,,UTC,,,
silent,gold,DE,2020-01-01,,UTC,firm,,
";

/// Digests of the images: 0.10 a minute, 0.02, 0.20; and 0.10 with another minimum.
static TARIFFS: LazyLock<[String; 4]> = LazyLock::new(|| {
    [("0.10", "20.00"), ("0.02", "20.00"), ("0.20", "20.00"), ("0.10", "31.00")]
        .map(|(minute, gold)| SHELF.images.keep_tariff(&plans(minute, gold)).unwrap().digest().to_owned())
});

static DIRECTORY: LazyLock<String> = LazyLock::new(|| {
    let directory = callrated::directory::compile(PEOPLE.as_bytes(), b"number,account\n").unwrap().0;
    SHELF.images.keep_directory(&directory).unwrap().digest().to_owned()
});

fn entry(digest: &str) -> Activation {
    Activation { digest: digest.to_owned(), effective_from: None, activated_at: 0, by: "nora".to_owned() }
}

fn folder(seed: u64) -> Folder {
    let mut folder = Folder::new(seed);
    folder.json(EntryKind::Tariff, &entry(&TARIFFS[0]));
    folder.json(EntryKind::Directory, &entry(&DIRECTORY));
    folder
}

fn call(id: &str, account: &str, day: &str, minutes: i64) -> Said {
    Said {
        id: id.to_owned(),
        account: account.to_owned(),
        source: String::new(),
        destination: "+4930123456".to_owned(),
        direction: None,
        answer: parse_rfc3339(format!("{day}T12:00:00Z").as_bytes()).unwrap(),
        duration: Micros(minutes * 60_000_000),
    }
}

/// What a month bills of minimums: account, group where it is another, minimum, calls, what is billed.
fn lines(folder: &Folder, month: Period) -> Vec<String> {
    let manifest = folder.manifest(month);
    let all = manifest["minimums"].as_array().cloned().unwrap_or_default();
    let shown = all.iter().map(|line| {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("currency"), "EUR");
        let group = if text("group") == text("account") { String::new() } else { format!(" in {}", text("group")) };
        let own = if text("adjusts").is_empty() { String::new() } else { format!(" of {}", text("adjusts")) };
        format!("{}{group}{own}: {} {} {}", text("account"), text("minimum"), text("charged"), text("cost"))
    });
    shown.collect()
}

/// October as it is told before its seal.
fn october(folder: &mut Folder) {
    for said in [
        // 31 × 0.10 = 3.10; 200 × 0.10 = 20.00; 201 × 0.10 = 20.10.
        call("b1", "below", "2026-10-05", 31),
        call("e1", "equal", "2026-10-05", 200),
        call("a1", "above", "2026-10-05", 201),
        // 50 under gold and 20 under silver: all of it counts towards the month's one minimum.
        call("c1", "changes", "2026-10-05", 50),
        call("c2", "changes", "2026-10-20", 20),
        call("p1", "plain", "2026-10-05", 10),
        call("f1", "fresh", "2026-10-20", 10),
    ] {
        folder.tell(&[&said]);
    }
}

const SEALED: [&str; 6] = [
    "above: 20.00 20.1000 0.0000",
    // 20.00 − 3.10.
    "below: 20.00 3.1000 16.9000",
    // 20.00 × 16 / 31 + 6.20 × 15 / 31 = 13.3225…; 13.32 − 7.00; to the group at the month's end.
    "changes in firm: 13.32 7.0000 6.3200",
    "equal: 20.00 20.0000 0.0000",
    // 20.00 × 15 / 31 = 9.677…; 9.68 − 1.00.
    "fresh: 9.68 1.0000 8.6800",
    // No call at all.
    "silent in firm: 20.00 0.00 20.00",
];

#[test]
fn a_sealed_month_bills_what_is_short() {
    let mut folder = folder(1);
    october(&mut folder);
    folder.seal(OCTOBER);
    // Nothing of those whose billing ended before it or begins behind it, nor under a plan that asks nothing.
    assert_eq!(lines(&folder, OCTOBER), SEALED);
    folder.check();
    // A page of them, by name.
    let page = |period, after, upto, limit| -> Vec<String> {
        let rows = folder.store.minimums(MinimumsOf::Page { period, after, upto, limit }).unwrap();
        rows.iter().map(|row| folder.store.account_name(row.account).unwrap().unwrap()).collect()
    };
    assert_eq!(page(OCTOBER, None, None, 2), ["above", "below"]);
    assert_eq!(page(OCTOBER, Some("below"), None, 2), ["changes", "equal"]);
    assert_eq!(page(OCTOBER, Some("below"), Some("changes"), 9), ["changes"]);
    assert_eq!(page(OCTOBER, Some("silent"), None, 9), [""; 0]);
    assert_eq!(page(NOVEMBER, None, None, 9), [""; 0]);
    folder.again();
    folder.restart();
    folder.check();
    // A month without a single call.
    folder.seal(SEPTEMBER);
    let september: Vec<_> = ["above", "below", "changes", "ended", "equal", "silent in firm"]
        .map(|who| format!("{who}: 20.00 0.00 20.00"))
        .into();
    assert_eq!(lines(&folder, SEPTEMBER), september);
    folder.check();
}

#[test]
fn a_late_call_gives_back_what_was_billed_for_it() {
    let mut folder = folder(2);
    october(&mut folder);
    folder.seal(OCTOBER);
    for said in [
        call("b2", "below", "2026-10-06", 50),
        call("e2", "equal", "2026-10-06", 1),
        call("s1", "silent", "2026-10-06", 250),
        call("p2", "plain", "2026-10-06", 5),
        // And one of November itself.
        call("b3", "below", "2026-11-01", 10),
    ] {
        folder.tell(&[&said]);
    }
    folder.check();
    folder.seal(NOVEMBER);
    let found = lines(&folder, NOVEMBER);
    let of =
        |who: &str| -> Vec<&str> { found.iter().map(String::as_str).filter(|line| line.starts_with(who)).collect() };
    // October: 3.10 + 5.00 = 8.10, short 11.90, billed 16.90: 5.00 back. November's own call alone counts towards November's.
    assert_eq!(of("below"), ["below: 20.00 1.0000 19.0000", "below of 2026-10: 20.00 8.1000 -5.0000"]);
    // Nothing was short, nothing is given back.
    assert_eq!(of("equal"), ["equal: 20.00 0.0000 20.0000", "equal of 2026-10: 20.00 20.1000 0.0000"]);
    // 25.00, of which 20.00 were billed.
    assert_eq!(
        of("silent"),
        ["silent in firm: 20.00 0.0000 20.0000", "silent in firm of 2026-10: 20.00 25.0000 -20.0000"]
    );
    assert_eq!(of("plain"), [""; 0]);
    // Sealed months stay.
    assert_eq!(lines(&folder, OCTOBER), SEALED);
    folder.check();
    // Once more, billed in December: 8.10 + 10.00 = 18.10, short 1.90 of 11.90. And beyond: 20 more minutes, 1.90 back.
    folder.tell(&[&call("b4", "below", "2026-10-07", 100)]);
    folder.seal(DECEMBER);
    assert!(lines(&folder, DECEMBER).contains(&"below of 2026-10: 20.00 18.1000 -10.0000".to_owned()));
    folder.tell(&[&call("b5", "below", "2026-10-08", 20)]);
    folder.seal(JANUARY);
    assert!(lines(&folder, JANUARY).contains(&"below of 2026-10: 20.00 20.1000 -1.9000".to_owned()));
    folder.check();
    folder.again();
}

fn scope(tariff: usize) -> RerateScope {
    let by_tariff = Some(TARIFFS[tariff].clone());
    RerateScope { first: OCTOBER.0, last: OCTOBER.0, by_tariff, ..RerateScope::default() }
}

#[test]
fn calls_rated_again_change_what_is_short_and_taken_back_they_change_nothing() {
    for sealed_between in [false, true] {
        let mut folder = folder(3);
        october(&mut folder);
        folder.seal(OCTOBER);
        let of = |folder: &Folder, month: Period| -> Vec<String> {
            let all = lines(folder, month).into_iter().filter(|line| line.contains("of 2026-10"));
            all.collect()
        };
        for tariff in [1, 2] {
            folder
                .json(EntryKind::Tariff, &Activation { effective_from: Some(i64::MAX / 2), ..entry(&TARIFFS[tariff]) });
        }
        // A minute at 0.02: 201 × 0.02 = 4.02, 200 × 0.02 = 4.00, 31 × 0.02 = 0.62, 70 × 0.02 = 1.40, 10 × 0.02 = 0.20.
        let (run, _) = applied(&mut folder, &begin(scope(1)));
        let down = [
            "above of 2026-10: 20.00 4.0200 15.9800",
            // 19.38 are short, 16.90 were billed.
            "below of 2026-10: 20.00 0.6200 2.4800",
            "changes in firm of 2026-10: 13.32 1.4000 5.6000",
            "equal of 2026-10: 20.00 4.0000 16.0000",
            "fresh of 2026-10: 9.68 0.2000 0.8000",
        ];
        if sealed_between {
            folder.seal(NOVEMBER);
            assert_eq!(of(&folder, NOVEMBER), down);
        }
        folder.check();
        applied(&mut folder, &RerateBegin { undoes: Some(run), ..begin(scope(1)) });
        let last = if sealed_between { DECEMBER } else { NOVEMBER };
        folder.seal(last);
        let (back, nothing) = (
            [
                "above of 2026-10: 20.00 20.1000 -15.9800",
                "below of 2026-10: 20.00 3.1000 -2.4800",
                "changes in firm of 2026-10: 13.32 7.0000 -5.6000",
                "equal of 2026-10: 20.00 20.0000 -16.0000",
                "fresh of 2026-10: 9.68 1.0000 -0.8000",
            ],
            [
                "above of 2026-10: 20.00 20.1000 0.0000",
                "below of 2026-10: 20.00 3.1000 0.0000",
                "changes in firm of 2026-10: 13.32 7.0000 0.0000",
                "equal of 2026-10: 20.00 20.0000 0.0000",
                "fresh of 2026-10: 9.68 1.0000 0.0000",
            ],
        );
        // What an open month takes back that it charged itself was never billed.
        match sealed_between {
            true => assert_eq!(of(&folder, last), back),
            false => assert!(of(&folder, last).iter().all(|line| nothing.contains(&line.as_str()))),
        }
        folder.check();
        // And up: 0.20 a minute; 31 × 0.20 = 6.20: 3.10 back, as much as it costs more.
        applied(&mut folder, &begin(scope(2)));
        let next = Period(last.0 + 1);
        folder.seal(next);
        assert_eq!(
            of(&folder, next),
            [
                "above of 2026-10: 20.00 40.2000 0.0000",
                "below of 2026-10: 20.00 6.2000 -3.1000",
                // 70 × 0.20 = 14.00, beyond 13.32: all of the 6.32.
                "changes in firm of 2026-10: 13.32 14.0000 -6.3200",
                "equal of 2026-10: 20.00 40.0000 0.0000",
                "fresh of 2026-10: 9.68 2.0000 -1.0000",
            ]
        );
        assert_eq!(lines(&folder, OCTOBER), SEALED);
        folder.check();
        folder.again();
    }
}

#[test]
fn months_count_in_the_order_in_which_they_were_closed() {
    let mut folder = folder(4);
    october(&mut folder);
    folder.seal(OCTOBER);
    folder.tell(&[&call("b2", "below", "2026-10-06", 50)]);
    let november = folder.close(NOVEMBER);
    // November takes nothing more: this is December's.
    folder.tell(&[&call("b3", "below", "2026-10-07", 60)]);
    let december = folder.close(DECEMBER);
    assert!(folder.seals.draft(DECEMBER, december).is_err(), "what November bills of October is not known");
    folder.sealed(NOVEMBER, november);
    folder.restart();
    folder.sealed(DECEMBER, december);
    assert!(lines(&folder, NOVEMBER).contains(&"below of 2026-10: 20.00 8.1000 -5.0000".to_owned()));
    assert!(lines(&folder, DECEMBER).contains(&"below of 2026-10: 20.00 14.1000 -6.0000".to_owned()));
    folder.check();
    folder.again();
}

#[test]
fn what_was_asked_at_the_seal_stays() {
    let mut folder = folder(5);
    october(&mut folder);
    folder.seal(OCTOBER);
    // A tariff that asks for more, from ever on: of open months, and of those sealed behind it.
    folder.json(EntryKind::Tariff, &Activation { effective_from: Some(0), ..entry(&TARIFFS[3]) });
    folder.tell(&[&call("b2", "below", "2026-10-06", 50)]);
    folder.seal(NOVEMBER);
    let found = lines(&folder, NOVEMBER);
    assert!(found.contains(&"below of 2026-10: 20.00 8.1000 -5.0000".to_owned()), "{found:#?}");
    assert!(found.contains(&"below: 31.00 0.0000 31.0000".to_owned()), "{found:#?}");
    folder.check();
}

#[test]
fn the_audit_finds_what_somebody_changed() {
    let differ = |sql: &str| -> Vec<String> {
        let mut folder = folder(6);
        october(&mut folder);
        folder.seal(OCTOBER);
        let file = rusqlite::Connection::open(folder.store.path()).unwrap();
        file.execute_batch(sql).unwrap();
        let found = audit::month(folder.store.as_ref(), &SHELF.images, OCTOBER).unwrap().differences;
        found.into_iter().map(|one| format!("{}: {} / {}", one.field, one.expected, one.found)).collect()
    };
    assert_eq!(differ(""), [""; 0]);
    let line = "minimum 20.00, charged 3.1000, billed 16.9000 to group below";
    let field = "minimum spend billed in 2026-10, EUR";
    let below = "WHERE account = (SELECT key FROM accounts WHERE name = 'below')";
    assert_eq!(
        differ(&format!("UPDATE minimums SET cost_units = 6 {below}")),
        [
            format!("{field}: {line} / no such line in the store"),
            format!(
                "{field}: no such line in the manifest / minimum 20.00, charged 3.1000, billed 6.9000 to group below"
            ),
        ]
    );
    assert_eq!(
        differ(&format!("DELETE FROM minimums {below}")),
        [format!("{field}: {line} / no such line in the store")]
    );
    // A manifest that somebody changed does not have its digest any more, and says what does not follow from the calls.
    let changed = "UPDATE periods SET manifest = CAST(replace(CAST(manifest AS TEXT), '16.9000', '6.9000') AS BLOB)";
    let found = differ(changed);
    assert!(found[0].starts_with("digest of 2026-10"), "{found:#?}");
    assert!(found.contains(&format!("{field}: {line} / {}", line.replace("16.9", "6.9"))), "{found:#?}");
}

/// What stands in the store for SQL tools.
#[test]
fn the_view_says_it() {
    let mut folder = folder(7);
    october(&mut folder);
    let seal = folder.close(OCTOBER);
    folder.seals.draft(OCTOBER, seal).unwrap();
    let file = rusqlite::Connection::open(folder.store.path()).unwrap();
    let rows = || -> Vec<String> {
        let mut select = file
            .prepare("SELECT account, billing_group, period, own_period, minimum, charged, cost FROM minimum_spend ORDER BY 1")
            .unwrap();
        let text = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
            Ok((0..7).map(|i| row.get::<_, String>(i)).collect::<Result<Vec<_>, _>>()?.join(" "))
        };
        select.query_map((), text).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(rows(), [""; 0], "a draft is not billed");
    folder.sealed(OCTOBER, seal);
    let rows = rows();
    assert_eq!(rows.len(), SEALED.len());
    assert_eq!(rows[1], "below below 2026-10 2026-10 20.000000000 3.100000000 16.900000000");
    assert_eq!(rows[2], "changes firm 2026-10 2026-10 13.320000000 7.000000000 6.320000000");
}

#[test]
fn another_tariff_is_tried_with_its_minimums() {
    let mut folder = folder(8);
    october(&mut folder);
    folder.flush();
    let tried = |folder: &Folder, tariff: usize, account: Option<&str>| -> Tried {
        let disk = std::sync::Arc::new(callrated::os::sim::SimDisk::new(1));
        let mut spill = callrated::flush::Spill::open(disk, std::path::Path::new("/aside")).unwrap();
        let tariff = SHELF.images.tariff(&TARIFFS[tariff]).unwrap();
        let trial = Trial {
            store: folder.store.as_ref(),
            images: &SHELF.images,
            period: OCTOBER,
            tariff: &tariff,
            account,
            least_margin: callrated::money::Money::ZERO,
            threads: 2,
        };
        trial.run_holding(&mut spill, 1000, &callrated::period::Progress::default()).unwrap()
    };
    let of = |tried: &Tried| -> Vec<String> {
        let shown = tried.accounts.iter().map(|((account, _), both)| {
            format!("{account} {} {}", both.before.cost.fixed(2), both.after.cost.fixed(2))
        });
        shown.collect()
    };
    // 0.20 a minute: 201 × 0.20; 6.20 and 13.80 short; 70 × 0.20 = 14.00; …
    let expected = [
        "above 20.10 40.20",
        "below 20.00 20.00",
        "changes 13.32 14.00",
        "equal 20.00 40.00",
        "fresh 9.68 9.68",
        "plain 1.00 2.00",
        "silent 20.00 20.00",
    ];
    assert_eq!(of(&tried(&folder, 2, None)), expected);
    let total = |tried: &Tried| {
        let (_, both) = tried.total.first_key_value().unwrap();
        (both.before.calls, both.before.cost.fixed(2), both.after.cost.fixed(2))
    };
    // 20.10 + 20.00 + 13.32 + 20.00 + 9.68 + 1.00 + 20.00; 40.20 + 20.00 + 14.00 + 40.00 + 9.68 + 2.00 + 20.00.
    assert_eq!(total(&tried(&folder, 2, None)), (7, "104.10".to_owned(), "145.88".to_owned()));
    let minimums = &tried(&folder, 2, None).destinations[&("(minimum_spend)".to_owned(), *b"EUR")];
    // 16.90 + 6.32 + 8.68 + 20.00; 13.80 + 7.68 + 20.00.
    assert_eq!((minimums.before.cost.fixed(2), minimums.after.cost.fixed(2)), ("51.90".to_owned(), "41.48".to_owned()));
    // Another minimum alone: 31.00 for whoever pays less than that, 31.00 × 15 / 31 for `fresh`, 16 + 3 for `changes`.
    let expected = [
        "above 20.10 31.00",
        "below 20.00 31.00",
        "changes 13.32 19.00",
        "equal 20.00 31.00",
        "fresh 9.68 15.00",
        "plain 1.00 1.00",
        "silent 20.00 31.00",
    ];
    assert_eq!(of(&tried(&folder, 3, None)), expected);
    assert_eq!(of(&tried(&folder, 3, Some("silent"))), ["silent 20.00 31.00"]);
    // Sealed, it is what it was; a late call of September changes neither side's minimum of October.
    folder.seal(OCTOBER);
    assert_eq!(of(&tried(&folder, 3, None)), expected);
}

/// Any month, told in any order, with late calls, runs and undone runs: one digest, and each month bills the larger of its minimum
/// and its calls.
#[test]
fn every_month_comes_to_the_larger_of_its_minimum_and_its_calls() {
    let tariffs = [0, 2].map(|tariff| SHELF.images.keep_tariff(&asking(tariff)).unwrap().digest().to_owned());
    let (mut returned, mut risen) = (0, 0);
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let said: Vec<Said> = (0..30 + random.below(50)).map(|id| Said::any(&mut random, id)).collect();
        let mut digests = Vec::new();
        for order in 0..2 {
            let mut folder = Folder::new(seed * 10 + order);
            folder.json(EntryKind::Tariff, &entry(&tariffs[0]));
            folder.json(EntryKind::Directory, &entry(&SHELF.directories[(seed % 3) as usize]));
            let (early, late) = said.split_at(said.len() / 2);
            let mut left: Vec<&Said> = early.iter().collect();
            for at in (1..left.len()).rev() {
                left.swap(at, folder.random.below(at as u64 + 1) as usize);
            }
            for some in left.chunks(5) {
                folder.tell(some);
                match folder.random.below(6) {
                    0 => folder.flush(),
                    1 => folder.restart(),
                    _ => {}
                }
            }
            digests.push(folder.seal(OCTOBER));
            folder.check();
            if order > 0 {
                continue;
            }
            // What comes behind the seal, in three months.
            folder.tell(&late.iter().collect::<Vec<_>>());
            folder.json(EntryKind::Tariff, &Activation { effective_from: Some(i64::MAX / 2), ..entry(&tariffs[1]) });
            let scope = RerateScope {
                first: OCTOBER.0,
                last: OCTOBER.0,
                by_tariff: Some(tariffs[1].clone()),
                ..RerateScope::default()
            };
            if seed % 2 == 0 {
                folder.seal(NOVEMBER);
            }
            let (run, _) = applied(&mut folder, &begin(scope.clone()));
            if seed % 3 == 0 {
                folder.seal(if seed % 2 == 0 { DECEMBER } else { NOVEMBER });
                if seed % 4 == 0 {
                    applied(&mut folder, &RerateBegin { undoes: Some(run), ..begin(scope) });
                }
            }
            for month in [NOVEMBER, DECEMBER, JANUARY] {
                if folder.store.periods().unwrap().iter().all(|row| row.period != month) {
                    folder.seal(month);
                }
            }
            folder.check();
            folder.again();
            let (back, more) = settled(&folder, (seed % 3) as usize);
            returned += back;
            risen += more;
        }
        assert!(digests.iter().all(|one| *one == digests[0]), "seed {seed}: {digests:?}");
    }
    assert!(returned > 20 && risen > 4, "{returned} {risen}");
}

/// By own month and account: calls and what was billed beside them.
fn settled(folder: &Folder, directory: usize) -> (usize, usize) {
    let names: BTreeMap<_, _> = folder.store.load().unwrap().accounts.into_iter().map(|a| (a.key, a.name)).collect();
    let months = [OCTOBER, NOVEMBER, DECEMBER, JANUARY];
    let mut calls: BTreeMap<(Period, String), Decimal> = BTreeMap::new();
    let mut beside: BTreeMap<(Period, String), Decimal> = BTreeMap::new();
    let (mut back, mut more) = (0, 0);
    for month in months {
        for call in folder.calls(month) {
            let key = (call.call.own_period(), names[&call.call.account].clone());
            *calls.entry(key).or_default() += call.call.cost.decimal();
        }
        for line in folder.manifest(month)["minimums"].as_array().into_iter().flatten() {
            let own = line["adjusts"].as_str().map_or(month, |own| own.parse().unwrap());
            let cost: Decimal = line["cost"].as_str().unwrap().parse().unwrap();
            back += usize::from(cost < Decimal::ZERO);
            more += usize::from(own != month && cost > Decimal::ZERO);
            *beside.entry((own, line["account"].as_str().unwrap().to_owned())).or_default() += cost;
        }
        let page = MinimumsOf::Page { period: month, after: None, upto: None, limit: 2 };
        let accounts: std::collections::BTreeSet<_> =
            folder.store.minimums(page).unwrap().iter().map(|row| row.account).collect();
        assert!(accounts.len() <= 2);
    }
    for month in months {
        for one in 0..ACCOUNTS {
            let there = super::rates::account(directory, one);
            let there = there.filter(|there| !there.starts_late || month >= JANUARY);
            let least = match (there, is_german(one)) {
                (None, _) => None,
                (Some(_), true) => Some(Decimal::new(45, 2)),
                (Some(_), false) => Some(Decimal::new(7, 2)),
            };
            let key = (month, name(one).to_owned());
            let charged = calls.get(&key).copied().unwrap_or_default();
            let billed = charged + beside.get(&key).copied().unwrap_or_default();
            assert_eq!(billed, least.map_or(charged, |least| least.max(charged)), "{key:?}");
        }
    }
    (back, more)
}

/// Details go, what was billed stays: it is checked as far as what is left says, and what comes late is billed as ever.
#[test]
fn what_was_billed_outlives_the_details() {
    for what in [Kept::Delete, Kept::Erase] {
        let mut folder = folder(9);
        october(&mut folder);
        folder.seal(OCTOBER);
        folder.tell(&[&call("b2", "below", "2026-10-06", 50), &call("b3", "below", "2026-11-01", 10)]);
        folder.seal(NOVEMBER);
        let before = [lines(&folder, OCTOBER), lines(&folder, NOVEMBER)];
        let order = Retention {
            what,
            account: if what == Kept::Erase { "below".to_owned() } else { String::new() },
            periods: vec![OCTOBER.0, NOVEMBER.0],
            conflicts_before: None,
            discarded_before: None,
            images_before: None,
            why: "a test".to_owned(),
            by: "nora".to_owned(),
            at: 7,
        };
        folder.json(EntryKind::Retention, &order);
        folder.flush();
        let order = folder.store.retention().unwrap().last().unwrap().position;
        while let Retired::More(_) = folder.store.retire(order).unwrap() {}
        assert!(folder.calls(NOVEMBER).is_empty());
        folder.check();
        assert_eq!([lines(&folder, OCTOBER), lines(&folder, NOVEMBER)], before);
        // 8.10 and 6.00.
        folder.tell(&[&call("b4", "below", "2026-10-07", 60)]);
        folder.seal(DECEMBER);
        let found = lines(&folder, DECEMBER);
        assert!(found.contains(&"below of 2026-10: 20.00 14.1000 -6.0000".to_owned()), "{what:?}: {found:#?}");
        folder.check();
        let file = rusqlite::Connection::open(folder.store.path()).unwrap();
        file.execute("UPDATE minimums SET charged_units = 9 WHERE charged_units = 8 AND period = 202611", ()).unwrap();
        let found = audit::month(folder.store.as_ref(), &SHELF.images, NOVEMBER).unwrap();
        assert_eq!(found.count, 2, "{:#?}", found.differences);
    }
}
