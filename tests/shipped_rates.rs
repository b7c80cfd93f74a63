//! The shipped `rates/` folder: it compiles, prices every number of the numbering plan in every plan, and gives the
//! worked examples of the rules their prices.
//!
//! Does not know how decks are made: prices are looked up here a second time, digit by digit, in the text of the decks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use callrated::call::{CallType, StepMode, StepRule};
use callrated::directory::{self, Directory};
use callrated::money::Money;
use callrated::number::classify::{self, Class};
use callrated::number::{Country, Number, NumberKind};
use callrated::tariff::{self, Allowance, Finding, Overage, PlanId, RatesText, Row, Severity, Side, Tariff};
use callrated::time::{Micros, Timestamp};

/// 2026-10-05T09:00:00Z, a Monday, 11:00 in Berlin.
const ANSWER: Timestamp = Timestamp(1_791_190_800_000_000);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rates")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rates_text() -> RatesText {
    let mut decks: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder().join("decks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    decks.sort();
    RatesText {
        countries: read("countries.toml"),
        numbering: read("numbering.csv"),
        plans: read("plans.toml"),
        decks,
        ..RatesText::default()
    }
}

/// The image of the shipped folder, made once for all tests, and what was found on the way.
fn shipped() -> &'static (Tariff, Vec<Finding>) {
    static SHIPPED: OnceLock<(Tariff, Vec<Finding>)> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let compiled = tariff::compile(&rates_text()).unwrap_or_else(|findings| panic!("{findings:#?}"));
        (Tariff::open(Bytes::from(compiled.image)).unwrap(), compiled.findings)
    })
}

fn number(digits: &str) -> Number {
    Number::from_digits(digits.as_bytes()).unwrap()
}

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

fn plan(name: &str) -> PlanId {
    shipped().0.plan_named(name).unwrap_or_else(|| panic!("no plan {name}"))
}

fn up(initial: u32, increment: u32, minimum: u32) -> StepRule {
    StepRule { mode: StepMode::Up, initial, increment, minimum, free_below: Micros(0) }
}

/// A CSV file's rows as column → cell. The shipped files quote nothing, which is asserted.
fn csv(text: &[u8]) -> Vec<BTreeMap<String, String>> {
    let text = std::str::from_utf8(text).unwrap();
    assert!(!text.contains('"'), "a quoted cell");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), header.len(), "{line}");
            header.iter().zip(cells).map(|(name, cell)| (name.to_string(), cell.to_string())).collect()
        })
        .collect()
}

/// Every row of the numbering plan that says what is valid, and a number of which it is the longest with that length.
fn numbering() -> Vec<(classify::NumberingRow, Number)> {
    let text = String::from_utf8(read("numbering.csv")).unwrap();
    let rows = classify::parse(&text).unwrap();
    let by_prefix: HashMap<Number, u32> = rows.iter().fold(HashMap::new(), |mut map, row| {
        *map.entry(row.prefix).or_default() |= row.lengths;
        map
    });
    let decides = |row: &classify::NumberingRow, number: Number| {
        let below = |n: usize| by_prefix.get(&number.prefix(n)).is_some_and(|lengths| lengths >> number.len() & 1 == 1);
        !(row.prefix.len() + 1..=number.len()).any(below)
    };
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| row.kind != NumberKind::Unknown) {
        let length = row.lengths.trailing_zeros() as usize;
        // A digit or two, then the same digit to the end: some such number escapes the rows below.
        let ends = (0..1000).map(|n| format!("{}{}{}", n / 100, n / 10 % 10, (n % 10).to_string().repeat(15)));
        let number = ends.map(|end| number(&format!("{}{end}", row.prefix)[..length])).find(|n| decides(row, *n));
        found.push((row.clone(), number.unwrap_or_else(|| panic!("rows below {} say all", row.prefix))));
    }
    found
}

#[test]
fn the_folder_compiles_and_only_the_known_warnings_are_given() {
    let warnings: Vec<&str> = shipped().1.iter().map(|f| f.message.as_str()).collect();
    assert!(shipped().1.iter().all(|f| f.severity == Severity::Warning));
    for finding in &shipped().1 {
        // The one rule that leaves calls uncharged is meant: calls under 30 s are 0 minutes to the nearest minute.
        assert!(finding.message.contains("30 s") || finding.message.contains("nearest"), "{warnings:#?}");
    }
}

/// The judge of `callrated check` has nothing to say of decks that are as they should be.
#[test]
fn the_judge_finds_nothing() {
    let judged = tariff::judge::folder(&rates_text(), ANSWER, &|_| Vec::new());
    assert!(judged.is_empty(), "{judged:#?}");
}

#[test]
fn every_number_is_classified_and_priced_by_every_plan() {
    let tariff = &shipped().0;
    let rows = numbering();
    assert!(rows.len() > 20_000);
    let mut territories: HashMap<PlanId, BTreeSet<Country>> = HashMap::new();
    for (row, number) in &rows {
        assert_eq!(tariff.classify(*number), Class { country: row.country, kind: row.kind }, "{number}");
        for index in 0..tariff.plans().len() {
            let plan = PlanId(index as u16);
            let found = tariff.lookup(plan, Side::Outbound, *number, ANSWER);
            let found = found.unwrap_or_else(|| panic!("{}: no row for {number}", tariff.plan(plan).name));
            assert!(!found.blocked && found.price.rate >= Money::ZERO);
            territories.entry(plan).or_default().insert(row.country);
        }
    }
    // 244 territories and +800, +870 and the like; Western Sahara's numbers are Morocco's.
    assert!(territories.len() >= 6 && territories.values().all(|t| t.len() == 245), "{territories:?}");
}

#[test]
fn the_world_decks_have_one_price_per_country_and_kind() {
    let rows = numbering();
    for deck in ["world-eur", "world-usd", "world-gbp", "world-brl"] {
        let rates: HashMap<String, String> = csv(&read(&format!("decks/{deck}.csv")))
            .into_iter()
            .map(|r| (r["prefix"].clone(), r["rate"].clone()))
            .collect();
        let mut prices: BTreeMap<(Country, NumberKind), BTreeMap<&str, usize>> = BTreeMap::new();
        for (row, number) in &rows {
            let digits = number.to_string();
            let rate = (1..=digits.len()).rev().find_map(|n| rates.get(&digits[..n])).unwrap();
            // Numbers of no country have a price per network.
            if row.country != Country::WORLD {
                *prices.entry((row.country, row.kind)).or_default().entry(rate).or_default() += 1;
            }
        }
        assert!(prices.len() > 900);
        // Where the total length alone tells kinds apart, a deck gives both one price, so few have another kind's.
        let others: usize = prices.values().map(|p| p.values().sum::<usize>() - p.values().max().unwrap()).sum();
        assert!(others <= 144, "{deck}: {others} have another price than most of their kind: {prices:?}");
    }
}

/// Runs a script of the folder, which fails if it would write something else than what ships.
fn check_with_python(script: &str, arguments: &[&Path]) {
    let script = folder().join(script);
    match std::process::Command::new("python3").arg("-B").arg(script).arg("--check").args(arguments).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("python3 is not here ({error}): not checked"),
    }
}

#[test]
fn the_generator_would_write_the_decks_that_ship() {
    check_with_python("generate_decks.py", &[]);
}

#[test]
fn the_generator_would_write_the_numbering_plan_that_ships() {
    let metadata = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/PhoneNumberMetadata.xml.gz");
    check_with_python("generate_numbering.py", &[&metadata, &folder().join("numbering.csv")]);
}

#[test]
fn the_premium_decks_decide_before_the_numbering_plan() {
    let tariff = &shipped().0;
    // plan, number, call type, rate, fee
    for (name, digits, call_type, rate, fee) in [
        ("de-business", "499005123456", CallType::DomesticPremium, "0.79", "0"),
        ("de-business", "491555512345", CallType::DomesticPremium, "0.99", "0"),
        ("de-business", "491377123456", CallType::DomesticPremium, "0", "1"),
        ("de-business", "491805012345", CallType::DomesticPremium, "0.15", "0"),
        ("us-business", "19005551234", CallType::DomesticPremium, "3.99", "0"),
        ("us-business", "17875550123", CallType::DomesticPremium, "0.99", "0"),
        ("us-business", "12129761234", CallType::DomesticPremium, "1.99", "0"),
        ("us-business", "12125551212", CallType::DomesticPremium, "0", "1.99"),
        ("us-business", "14169761234", CallType::International, "1.99", "0"),
        ("it-business", "39899123456", CallType::DomesticPremium, "1.6", "0.15"),
        ("br-business", "553001234567", CallType::DomesticPremium, "0.45", "0"),
        ("gb-business", "447012345678", CallType::DomesticPremium, "0.65", "0"),
        ("gb-business", "448701234567", CallType::DomesticPremium, "0.15", "0"),
        ("gb-business", "447640123456", CallType::DomesticPremium, "0.6", "0"),
    ] {
        let row = tariff.lookup_typed(plan(name), number(digits), ANSWER).unwrap_or_else(|| panic!("{digits}"));
        let expected = (Some(call_type), Money::parse(rate).unwrap(), Money::parse(fee).unwrap());
        assert_eq!((row.call_type, row.price.rate, row.price.connect_fee), expected, "{digits}");
    }
    // Nothing ordinary is caught: fixed, mobile, toll-free, another country, the Isle of Man's mobiles beside the pagers.
    for (name, digits) in [
        ("de-business", "4930123456"),
        ("de-business", "4915123456789"),
        ("de-business", "498001234567"),
        ("de-business", "17875550123"),
        ("us-business", "12125550100"),
        ("us-business", "17872550123"),
        ("us-business", "18005550199"),
        ("it-business", "390212345678"),
        ("br-business", "5511987654321"),
        ("gb-business", "447624123456"),
    ] {
        assert!(tariff.lookup_typed(plan(name), number(digits), ANSWER).is_none(), "{name} {digits}");
    }
}

#[test]
fn the_worked_examples_have_their_prices() {
    let tariff = &shipped().0;
    let outbound =
        |name: &str, digits: &str| tariff.lookup(plan(name), Side::Outbound, number(digits), ANSWER).unwrap();
    let steps = |name: &str, digits: &str, row: Option<&Row<'_>>| {
        let plan = plan(name);
        let own = row.and_then(|row| row.steps);
        tariff.steps(plan, tariff.plan(plan).country, Some(tariff.classify(number(digits))), own)
    };

    // 1, 2: in-plan in Germany; 120 s of 1000 minutes, then 0.015 a minute.
    let german = tariff.plan(plan("de-business"));
    assert_eq!((german.allowance, german.overage), (Allowance::Seconds(60_000), Overage::Rate(Money(15_000_000))));
    assert_eq!(steps("de-business", "4915123456789", None), up(60, 60, 0));

    // 3: 0900 5 123456, 10 s.
    let row = outbound("de-business", "499005123456");
    assert_eq!(steps("de-business", "499005123456", Some(&row)), up(60, 60, 0));
    assert_eq!(row.price.cost(60, 4).fixed(4), "0.7900");

    // 5: to the nearest minute in the United States.
    let nearest = StepRule { mode: StepMode::Nearest, initial: 60, increment: 60, minimum: 0, free_below: Micros(0) };
    assert_eq!(steps("us-business", "12125550100", None), nearest);

    // 6: Brazil's mobiles from the United States: the row has no steps, the country's rule decides.
    let row = outbound("us-business", "5511987654321");
    assert_eq!((row.steps, row.destination), (None, "Brazil Mobile"));
    assert_eq!(steps("us-business", "5511987654321", Some(&row)), up(30, 6, 30));
    for (seconds, cost) in [(30, "0.0600"), (36, "0.0720"), (42, "0.0840")] {
        assert_eq!(row.price.cost(seconds, 4).fixed(4), cost);
    }

    // 7: what the owner of a toll-free number pays.
    let row = tariff.lookup(plan("us-business"), Side::Inbound, number("18005550199"), ANSWER).unwrap();
    assert_eq!(row.price.cost(120, 4).fixed(4), "0.0400");

    // 12 is about a tariff without the row that ships: with it, directory enquiries have a price.
    let enquiries = tariff.short_code(country("DE"), b"11833").unwrap();
    let row = tariff.lookup_typed(plan("de-business"), enquiries, ANSWER).unwrap();
    assert_eq!((row.call_type, row.destination), (Some(CallType::DomesticPremium), "118 directory enquiries"));
    assert!(tariff.lookup_typed(plan("it-business"), enquiries, ANSWER).is_none());
}

#[test]
fn each_example_plan_shows_what_it_is_for() {
    let tariff = &shipped().0;
    let class = |digits: &str| tariff.classify(number(digits));
    assert!(tariff.plan_includes(plan("us-business"), class("14165550123")), "Canada is included");
    assert!(!tariff.plan_includes(plan("us-business"), class("18765550123")), "Jamaica is not");
    assert!(!tariff.plan_includes(plan("de-business"), class("14165550123")));
    assert_eq!(tariff.plan(plan("us-unlimited")).allowance, Allowance::Unlimited);
    assert_eq!(tariff.plan(plan("us-by-the-second")).steps, Some(up(6, 1, 0)));
    assert!(tariff.plan(plan("gb-business")).prorate_first);

    // Pay as you go: the domestic deck stands before the world's and has the same prefixes.
    let payg = tariff.plan(plan("de-payg"));
    assert_eq!((payg.allowance, payg.overage), (Allowance::Seconds(0), Overage::Deck));
    for (digits, rate) in [("4930123456", "0.012"), ("4915123456789", "0.049")] {
        let row = tariff.lookup(plan("de-payg"), Side::Outbound, number(digits), ANSWER).unwrap();
        let expected = (Money::parse(rate).unwrap(), "domestic-de", Some(up(60, 1, 0)));
        assert_eq!((row.price.rate, row.deck, row.steps), expected, "{digits}");
    }
    // Destinations with steps of their own; everything else leaves them to plan and country.
    for (name, digits, expected) in [
        ("us-business", "14165550123", Some(up(6, 6, 0))),
        ("de-business", "14165550123", None),
        ("de-business", "525512345678", Some(up(60, 60, 0))),
        ("de-business", "2203123456", Some(up(60, 1, 0))),
        ("de-business", "881612345678", Some(up(60, 60, 0))),
        ("de-business", "33123456789", None),
    ] {
        let row = tariff.lookup(plan(name), Side::Outbound, number(digits), ANSWER).unwrap();
        assert_eq!(row.steps, expected, "{name} {digits}");
    }
}

#[test]
fn every_toll_free_number_of_an_example_account_has_an_inbound_price() {
    let tariff = &shipped().0;
    let mut priced = 0;
    for row in csv(&read("numbers.csv")) {
        let number = number(&row["number"][1..]);
        let class = tariff.classify(number);
        assert!(class.kind != NumberKind::Unknown, "{number} is not in the numbering plan");
        let account = csv(&read("accounts.csv")).into_iter().rev().find(|a| a["account"] == row["account"]).unwrap();
        let plan = plan(&account["plan"]);
        assert!(tariff.countries().is_home(country(&account["country"]), class.country), "{number}");
        assert_eq!(tariff.plan(plan).country, country(&account["country"]));
        if class.kind == NumberKind::TollFree {
            assert!(tariff.lookup(plan, Side::Inbound, number, ANSWER).is_some(), "{number}");
            priced += 1;
        }
    }
    assert_eq!(priced, 5);
}

#[test]
fn the_example_accounts_compile_and_their_dated_rows_decide() {
    let (image, findings) = directory::compile(&read("accounts.csv"), &read("numbers.csv")).unwrap();
    assert_eq!(findings, []);
    let directory = Directory::open(Bytes::from(image)).unwrap();
    for name in directory.plan_names() {
        plan(name);
    }
    let at = |day: &str| callrated::time::parse_rfc3339(format!("{day}T12:00:00Z").as_bytes()).unwrap();
    let owner = |digits: &str, day: &str| directory.owner_at(number(digits), at(day)).unwrap().name();
    assert_eq!(owner("494066969200", "2026-08-31"), "depot-hamburg");
    assert_eq!(owner("494066969200", "2026-09-01"), "soylent");
    let account = |name: &str, day: &str| directory.account_at(name.as_bytes(), at(day)).unwrap();
    assert_eq!(account("soylent", "2026-06-30").plan, "de-payg");
    assert_eq!(account("soylent", "2026-07-01").plan, "de-business");
    assert_eq!(account("depot-hamburg", "2026-10-05").group(), account("depot-koeln", "2026-10-05").group());
    assert!(account("tyrell", "2026-10-05").billing_start > ANSWER);
}
