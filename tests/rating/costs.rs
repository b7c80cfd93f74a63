//! What a rated call costs us: cost decks, carriers, their own steps and currency, reseller chains. The call's price is the
//! same with and without any of it.

use std::sync::LazyLock;

use bytes::Bytes;
use callrated::directory::{self, Directory};
use callrated::money::Money;
use callrated::rating::{self, Draws, Resolution, Standing};
use callrated::tariff::{self, Finding, PlanId, RatesText, Severity, Tariff};

use crate::common::{Books, COUNTRIES, Call, NUMBERING, call};

const PLANS: &str = r#"
[plan.office]
country = "DE"
currency = "EUR"
included_minutes = 10
overage_rate = "0.015"
decks = ["world"]
inbound_decks = ["tollfree"]
cost_decks = ["wholesale", "rest"]
inbound_cost_decks = ["origination"]
carriers = { colt = ["colt"], us-tel = "us-tel" }

[plan.branch]
country = "DE"
currency = "EUR"
overage = "deck"
decks = ["world", "home"]
reseller = "partner"

[plan.partner]
country = "DE"
currency = "EUR"
overage_rate = "0.01"
decks = ["world-partner"]
reseller = "whole"
cost_decimals = 6

[plan.whole]
country = "DE"
currency = "EUR"
overage = "deck"
decks = ["world-whole"]
cost_decks = ["wholesale"]
cost_steps = { increment = 60 }

[plan.plain]
country = "DE"
currency = "EUR"
included_minutes = 10
overage_rate = "0.015"
decks = ["world"]
inbound_decks = ["tollfree"]

[deck.us-tel]
currency = "USD"
"#;

const DECKS: [(&str, &str); 10] = [
    ("world", "prefix,rate,increment\n34,0.10,60\n33,0.20,60\n47,0.05,60\n"),
    ("home", "prefix,rate,increment\n49,0.02,60\n"),
    ("tollfree", "prefix,rate,increment\n49800,0.03,60\n"),
    // 4915 is dearer than 49; 3465 is blocked; 33 is dearer than it is sold; 47 begins cheap and goes on dear.
    (
        "wholesale",
        "prefix,rate,connect_fee,initial,increment,after,blocked\n49,0.004,,1,1,,\n4915,0.012,0.001,30,6,,\n34,0.04,,,,,\n\
         3465,0.04,,,,,true\n33,0.25,,60,60,,\n47,0.01,,60,60,,\n47,0.10,,,,60,\n",
    ),
    ("rest", "prefix,rate,initial,increment\n43,0.02,1,1\nDE:118,0.40,60,60\n"),
    ("origination", "prefix,rate,initial,increment\n49800,0.009,1,1\n49301,0.001,1,1\n"),
    ("colt", "prefix,rate,initial,increment\n4915,0.03,60,60\n"),
    ("us-tel", "prefix,rate,initial,increment\n4915,0.01,1,1\n34,0.05,6,6\n"),
    ("world-partner", "prefix,rate,increment\n34,0.08,60\n33,0.18,30\n"),
    ("world-whole", "prefix,rate,increment\n34,0.06,1\n49,0.005,1\n"),
];

const ACCOUNTS: &str = "account,plan,country,billing_start,timezone,language,extensions
office,office,DE,2020-01-01,UTC,de,100-199
plain,plain,DE,2020-01-01,UTC,de,100-199
branch,branch,DE,2020-01-01,UTC,de,
";
const NUMBERS: &str = "number,account\n+4930600,office\n+4930601,office\n+498001111111,office\n+493015000,office\n";

fn text(plans: &str) -> RatesText {
    RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: plans.into(),
        decks: DECKS.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect(),
        exchange: "from,to,rate,valid_from\nUSD,EUR,0.9,2026-10-01\n".into(),
        ..RatesText::default()
    }
}

static BOOKS: LazyLock<Books> = LazyLock::new(|| {
    let compiled = tariff::compile(&text(PLANS)).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let tariff = Tariff::open(Bytes::from(compiled.image)).unwrap();
    let (image, _) = directory::compile(ACCOUNTS.as_bytes(), NUMBERS.as_bytes()).unwrap();
    Books { directory: Directory::open(Bytes::from(image)).unwrap(), tariff }
});

/// `included 0.0000: 0.0070 for 65 s by 49 of wholesale`, then the price at each level of a chain.
fn outcome(call: &Call) -> String {
    let world = BOOKS.world();
    let legs = match rating::resolve(&call.record(), call.received(), &call.profile, world) {
        Resolution::Legs(first, second) => [first, second],
        other => return format!("{other:?}"),
    };
    let shown = legs.into_iter().flatten().map(|leg| {
        let period = leg.period(world);
        let rated = match rating::rate(&leg, world, period, Standing::of(&call.used), &mut Draws::default()) {
            Ok(rated) => rated,
            Err(why) => return format!("suspense {}", why.reason),
        };
        let plan = PlanId(rated.basis.plan);
        let decimals = u32::from(rated.basis.decimals);
        let sold = format!("{} {}", rated.call_type, rated.cost.fixed(decimals));
        let Some(costs) = rating::costs(&leg, world, plan, period) else { return format!("{sold}: nothing said") };
        let amount = |money: Option<Money>| money.map_or("unknown".to_owned(), |money| money.fixed(decimals));
        let by = costs.row.map_or(String::new(), |row| {
            let row = world.tariff.row(callrated::tariff::RowId(row));
            format!(" for {} s by {} of {}", costs.billable_seconds, row.prefix, row.deck)
        });
        let levels = world.tariff.plan(plan).buying.as_ref().map_or(0, |buying| buying.resellers.len());
        let resale: String = costs.resale[..levels].iter().map(|price| format!(" < {}", amount(*price))).collect();
        assert!(costs.resale[levels..].iter().all(Option::is_none));
        let carrier =
            costs.carrier.map_or(String::new(), |c| format!(" ({})", world.tariff.carriers()[usize::from(c)]));
        format!("{sold}{resale}: {}{by}{carrier}", amount(costs.carrier_cost))
    });
    shown.collect::<Vec<_>>().join(" | ")
}

#[track_caller]
fn check(rows: &[(Call, &str)]) {
    for (call, expected) in rows {
        assert_eq!(outcome(call), *expected, "{call:?}");
    }
}

fn to(number: &str, lasts: &str) -> Call {
    call("", number).account("office").lasts(lasts)
}

#[test]
fn what_the_carrier_charges_by_its_own_steps() {
    check(&[
        // Sold by the minute: 120 s of the plan. Bought by the second: 0.004 × 61 / 60 = 0.0040666…
        (to("+4930123456", "61"), "included 0.0000: 0.0041 for 61 s by 49 of wholesale"),
        // The longest prefix, whatever it costs: first 30 s, then 6: 61 s are 66 s, 0.001 + 0.012 × 66 / 60 = 0.0142.
        (to("+4915123456789", "61"), "included 0.0000: 0.0142 for 66 s by 4915 of wholesale"),
        // Beyond the allowance it costs us the same: 2 × 0.015 against 0.0142.
        (to("+4915123456789", "61").used(600), "overage 0.0300: 0.0142 for 66 s by 4915 of wholesale"),
        // A row without steps, and a plan without cost_steps: by the second. 0.04 × 7 / 60 = 0.00466…
        (to("+34911234567", "7"), "international 0.1000: 0.0047 for 7 s by 34 of wholesale"),
        // 0.04 × 30 / 60 = 0.02, and half a nano of nothing: 0.04 × 7.5 s is 8 s, 0.00533…
        (to("+34911234567", "7.5"), "international 0.1000: 0.0053 for 8 s by 34 of wholesale"),
        // A call that costs more than it brings is billed all the same: 2 × 0.20 against 2 × 0.25.
        (to("+33123456789", "61"), "international 0.4000: 0.5000 for 120 s by 33 of wholesale"),
        // Price steps of the carrier: a minute at 0.01, two at 0.10.
        (to("+4721234567", "170"), "international 0.1500: 0.2100 for 180 s by 47 of wholesale"),
        // Nothing was said: no seconds, no cost, and that is known.
        (to("+34911234567", "0"), "international 0.0000: 0.0000 for 0 s by 34 of wholesale"),
    ]);
}

#[test]
fn what_is_not_known_is_never_nothing() {
    check(&[
        // A carrier that does not go there has no price for it.
        (to("+34651234567", "60"), "international 0.1000: unknown"),
        // The carrier has decks of its own, which do not know Spain; the plan's are not asked.
        (to("+34911234567", "60").carrier("colt"), "international 0.1000: unknown (colt)"),
        // In dollars, before the first rate.
        (
            to("+34911234567", "60").carrier("us-tel").answered("2026-09-30T23:59:59Z"),
            "international 0.1000: unknown for 60 s by 34 of us-tel (us-tel)",
        ),
    ]);
}

#[test]
fn the_carrier_that_carried_it() {
    check(&[
        // 0.03 × 120 / 60 = 0.06 at one carrier, 0.01 × 61 / 60 × 0.9 = 0.00915 at another that charges dollars.
        (to("+4915123456789", "61").carrier("colt"), "included 0.0000: 0.0600 for 120 s by 4915 of colt (colt)"),
        (to("+4915123456789", "61").carrier("us-tel"), "included 0.0000: 0.0092 for 61 s by 4915 of us-tel (us-tel)"),
        // 0.05 × 66 / 60 × 0.9 = 0.0495: converted within the one rounding.
        (to("+34911234567", "61").carrier("us-tel"), "international 0.2000: 0.0495 for 66 s by 34 of us-tel (us-tel)"),
        // One that no plan tells from others.
        (to("+4915123456789", "61").carrier("nobody"), "included 0.0000: 0.0142 for 66 s by 4915 of wholesale"),
        // A ported number is carried to where it leads; shown and rated as ever.
        (
            to("+4930123456", "61").routing_number("+4915123456789"),
            "included 0.0000: 0.0142 for 66 s by 4915 of wholesale",
        ),
    ]);
}

#[test]
fn calls_that_are_not_sold() {
    check(&[
        // Nobody is paid: inside the account, to emergency numbers.
        (to("101", "60"), "included 0.0000: 0.0000"),
        (to("+4930601", "60"), "included 0.0000: 0.0000"),
        (to("112", "60"), "emergency 0.0000: 0.0000"),
        // A toll-free number of somebody else is free to the caller, and goes by the row of 49.
        (to("+498002222222", "60"), "toll_free_outbound 0.0000: 0.0040 for 60 s by 49 of wholesale"),
        // What comes in at our toll-free number: 0.009 × 61 / 60 = 0.00915; sold by the minute.
        (call("+4930999", "+498001111111").lasts("61"), "toll_free 0.0600: 0.0092 for 61 s by 49800 of origination"),
        // At an ordinary number: free, and yet somebody is paid.
        (call("+4930999", "+493015000").lasts("60"), "inbound 0.0000: 0.0010 for 60 s by 49301 of origination"),
        (call("+4930999", "+4930600").lasts("60"), "inbound 0.0000: unknown"),
    ]);
}

#[test]
fn a_plan_that_says_nothing_costs_nothing_to_ask() {
    check(&[
        (to("+4915123456789", "61").account("plain").carrier("colt"), "included 0.0000: nothing said"),
        (to("+33123456789", "61").account("plain"), "international 0.4000: nothing said"),
    ]);
}

#[test]
fn a_chain_of_resellers() {
    let branch = |number: &str, lasts: &str| call("", number).account("branch").lasts(lasts);
    check(&[
        // Customer: 2 × 0.10. Partner: 2 × 0.08. Wholesale by the second: 0.06 × 61 / 60 = 0.061. The carrier's row has no
        // steps, so the plan that names its deck says by the minute: 2 × 0.04.
        (branch("+34911234567", "61"), "international 0.2000 < 0.1600 < 0.0610: 0.0800 for 120 s by 34 of wholesale"),
        // In the plan: 2 × 0.02 by its deck, at the partner 2 × 0.01 by its overage rate, 0.005 × 61 / 60 = 0.005083…
        (branch("+4930123456", "61"), "overage 0.0400 < 0.0200 < 0.0051: 0.0041 for 61 s by 49 of wholesale"),
        // The partner buys France by half minutes: 3 × 0.09; nobody sells it to the partner, which is not known.
        (branch("+33123456789", "61"), "international 0.4000 < 0.2700 < unknown: 0.5000 for 120 s by 33 of wholesale"),
        // To six decimals at the partner, were it finer: 0.18 × 30 / 60.
        (branch("+33123456789", "1"), "international 0.2000 < 0.0900 < unknown: 0.2500 for 60 s by 33 of wholesale"),
    ]);
}

#[test]
fn a_price_is_the_same_with_costs_and_without() {
    for number in ["+4930123456", "+4915123456789", "+34911234567", "+33123456789", "112", "101", "+498002222222"] {
        for used in [0, 600] {
            let (with, without) = (to(number, "61").used(used), to(number, "61").account("plain").used(used));
            assert_eq!(BOOKS.outcome(&with), BOOKS.outcome(&without).replace(" plain ", " office "), "{number}");
        }
    }
}

#[test]
fn plans_without_costs_have_the_image_they_always_had() {
    let plain: String = PLANS.split("[plan.plain]").nth(1).map(|plain| format!("[plan.plain]{plain}")).unwrap();
    let image = tariff::compile(&text(&plain.replace("[deck.us-tel]\ncurrency = \"USD\"\n", ""))).unwrap().image;
    let holds = |what: &[u8]| image.windows(what.len()).any(|window| window == what);
    assert!(holds(b"\"internal\"") && !holds(b"buying") && !holds(b"carriers"));
}

#[test]
fn mistakes_are_named() {
    let findings = |from: &str, to: &str| -> Vec<String> {
        assert!(PLANS.contains(from), "{from}");
        let found = match tariff::compile(&text(&PLANS.replacen(from, to, 1))) {
            Ok(compiled) => compiled.findings,
            Err(findings) => findings,
        };
        let shown = |f: &Finding| {
            format!(
                "{} {}:{}: {}",
                if f.severity == Severity::Error { "error" } else { "warning" },
                f.file,
                f.line,
                f.message
            )
        };
        found.iter().filter(|f| !f.message.contains("no plan uses")).map(shown).collect()
    };
    let silent = "warning decks/wholesale.csv:4: a cost deck of plan \"office\" without increments: its calls cost us by the second";
    for (from, to, expected) in [
        ("reseller = \"whole\"", "reseller = \"whole\"", vec![silent]),
        (
            "reseller = \"whole\"",
            "reseller = \"wole\"",
            vec!["error plans.toml:25: reseller: there is no plan \"wole\"", silent],
        ),
        (
            "reseller = \"whole\"",
            "reseller = \"branch\"",
            vec![
                "error plans.toml:18: reseller: plan \"branch\" would buy from itself, by partner and branch and partner and branch",
                "error plans.toml:25: reseller: plan \"partner\" would buy from itself, by branch and partner and branch and partner",
                silent,
            ],
        ),
        (
            "cost_decks = [\"wholesale\", \"rest\"]",
            "cost_decks = [\"wholesal\"]",
            vec!["error plans.toml:9: deck \"wholesal\" has no file"],
        ),
        (
            "cost_steps = { increment = 60 }",
            "cost_steps = { initial = 60 }",
            vec!["error plans.toml:34: cost_steps: increment is missing", silent],
        ),
        (
            "us-tel = \"us-tel\"",
            "us-tel = 7",
            vec!["error plans.toml:11: carriers: a list of texts is expected, not a whole number", silent],
        ),
        (
            "cost_decks = [\"wholesale\"]",
            "cost_decks = [\"world-whole\"]",
            vec![
                "warning plans.toml:33: plan \"whole\" sells by deck \"world-whole\", and buys by it: no call has a margin",
                silent,
            ],
        ),
        (
            "overage_rate = \"0.01\"",
            "overage_rate = \"0.01\"\nincluded_minutes = 5",
            vec![
                "error plans.toml:18: reseller: plan \"partner\" includes minutes, which resold calls do not draw",
                silent,
            ],
        ),
        (
            "cost_decimals = 6",
            "cost_decimals = 6\nminimum_margin = \"101\"",
            vec!["error plans.toml:27: minimum_margin: more than all of the price", silent],
        ),
    ] {
        assert_eq!(findings(from, to), expected, "{to}");
    }
}
