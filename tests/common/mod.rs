//! What the tests of rating share: images from a few lines of text, calls in one line, outcomes as one line.
#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod world;

use bytes::Bytes;
use callrated::call::TariffSlot;
use callrated::directory::{self, Directory};
use callrated::entry::{Ambiguous, LegsPolicy, SourceProfile, Talk};
use callrated::rating::{
    self, Answered, Called, Draws, Leg, Question, Resolution, Standing, Suspended, TOGETHER, World,
};
use callrated::record::{Direction, Record};
use callrated::tariff::{self, RatesText, Tariff};
use callrated::time::{Micros, Timestamp, parse_rfc3339};
use rust_decimal::{Decimal, RoundingStrategy};

/// The dialling plans and the numbering plan that the project ships.
pub const COUNTRIES: &str = include_str!("../../rates/countries.toml");
pub const NUMBERING: &str = include_str!("../../rates/numbering.csv");

/// Both images, opened.
pub struct Books {
    pub directory: Directory,
    pub tariff: Tariff,
}

impl Books {
    /// With the shipped countries and numbering plan.
    pub fn of(plans: &str, decks: &[(&str, &str)], accounts: &str, numbers: &str) -> Books {
        Books::with(COUNTRIES, NUMBERING, plans, decks, accounts, numbers)
    }

    pub fn with(
        countries: &str,
        numbering: &str,
        plans: &str,
        decks: &[(&str, &str)],
        accounts: &str,
        numbers: &str,
    ) -> Books {
        let text = RatesText {
            countries: countries.into(),
            numbering: numbering.into(),
            plans: plans.into(),
            decks: decks.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect(),
            ..RatesText::default()
        };
        let compiled = tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}"));
        let tariff = Tariff::open(Bytes::from(compiled.image)).unwrap();
        let (image, _) = directory::compile(accounts.as_bytes(), numbers.as_bytes())
            .unwrap_or_else(|findings| panic!("{findings:#?}"));
        let directory = Directory::open(Bytes::from(image)).unwrap();
        Books { directory, tariff }
    }

    pub fn world(&self) -> World<'_> {
        World { directory: &self.directory, tariff: &self.tariff, slot: TariffSlot(0) }
    }

    /// What becomes of a call, in words:
    ///
    /// ```text
    /// unanswered
    /// suspense unknown_account NobodyPays
    /// outbound de included R9 120 s (120 in) 0.0000 | inbound us-b suspense no_rate NoRow
    /// ```
    ///
    /// Each rated leg is also proved, and the proof must end in the same digits.
    pub fn outcome(&self, call: &Call) -> String {
        let record = call.record();
        if rating::answered(&record) == Answered::No {
            return "unanswered".to_owned();
        }
        match rating::resolve(&record, call.received(), &call.profile, self.world()) {
            Resolution::Suspended(why) => suspense(why),
            Resolution::Legs(first, second) => {
                let legs: Vec<String> = [first, second].into_iter().flatten().map(|leg| self.leg(call, &leg)).collect();
                legs.join(" | ")
            }
        }
    }

    fn leg(&self, call: &Call, leg: &Leg) -> String {
        let world = self.world();
        let account = self.directory.row(leg.account_row).name();
        let rated = rating::rate(leg, world, leg.period(world), Standing::of(&call.used), &mut Draws::default());
        let (record, used) = (call.record(), call.used);
        let proof =
            rating::prove(&record, call.received(), &call.profile, world, leg.direction, &|_, _| Standing::of(&used));
        let words = match rated {
            Err(why) => {
                let suspended = proof.suspended.as_ref().unwrap();
                assert_eq!((suspended.reason, suspended.detail), (why.reason.name(), why.detail));
                suspense(why)
            }
            Ok(rated) => {
                let cost = rated.cost.fixed(u32::from(rated.basis.decimals));
                let quote = proof.quote.as_ref().unwrap_or_else(|| panic!("{proof:#?}"));
                assert_eq!(
                    (&quote.cost, quote.billable_seconds, quote.included_seconds, quote.call_type),
                    (&cost, rated.billable_seconds, rated.included_seconds, rated.call_type.name()),
                );
                let last = &proof.lines.last().unwrap().text;
                let currency = std::str::from_utf8(&rated.basis.currency).unwrap();
                assert!(last.ends_with(&format!("{cost} {currency}")), "{last}");
                if !quote.arithmetic.is_empty() {
                    assert_eq!(worked_out(&quote.arithmetic, rated.basis.decimals), cost, "{}", quote.arithmetic);
                }
                let rule = rated.basis.rule;
                let (billable, included) = (rated.billable_seconds, rated.included_seconds);
                format!("{} R{rule} {billable} s ({included} in) {cost}", rated.call_type)
            }
        };
        format!("{} {account} {words}", leg.direction.name())
    }

    /// What the first leg called: `+4915123456789 DE Mobile`.
    pub fn called(&self, call: &Call) -> String {
        let Resolution::Legs(Some(leg), _) =
            rating::resolve(&call.record(), call.received(), &call.profile, self.world())
        else {
            return "nobody's".to_owned();
        };
        match leg.called {
            Called::Number(number) => {
                let class = self.tariff.classify(number);
                format!("+{number} {} {:?}", class.country, class.kind)
            }
            other => format!("{other:?}"),
        }
    }

    /// The month to which the first leg belongs.
    pub fn period(&self, call: &Call) -> String {
        match rating::resolve(&call.record(), call.received(), &call.profile, self.world()) {
            Resolution::Legs(Some(leg), _) => leg.period(self.world()).to_string(),
            other => format!("{other:?}"),
        }
    }

    pub fn check(&self, call: &Call, expected: &str) {
        self.check_all([(call.clone(), expected)]);
    }

    /// Every row that does not come out as expected is told.
    pub fn check_all<'e>(&self, rows: impl IntoIterator<Item = (Call, &'e str)>) {
        let rows: Vec<(Call, &str)> = rows.into_iter().collect();
        self.check_together(rows.iter().map(|(call, _)| call).cycle().take(rows.len().max(2 * TOGETHER + 1)));
        let mut wrong = String::new();
        for (call, expected) in rows {
            let outcome = self.outcome(&call);
            if outcome != expected {
                wrong += &format!("\n{call:?}\n  expected {expected}\n   but got {outcome}\n");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// Resolved together, calls yield what each yields by itself, in order.
    fn check_together<'c>(&self, calls: impl Iterator<Item = &'c Call>) {
        let calls: Vec<&Call> = calls.collect();
        let records: Vec<Record<'_>> = calls.iter().map(|call| call.record()).collect();
        let questions = calls.iter().zip(&records).map(|(call, record)| Question {
            record,
            received_at: call.received(),
            source: &call.profile,
            world: self.world(),
        });
        let questions: Vec<Question<'_>> = questions.collect();
        for (questions, calls) in questions.chunks(TOGETHER).zip(calls.chunks(TOGETHER)) {
            let (mut told, mut answers) = (Vec::new(), vec![Resolution::Legs(None, None); calls.len()]);
            rating::resolve_together(questions, |i| told.push(i), &mut answers);
            let all = || 0..calls.len();
            assert!(told.starts_with(&all().collect::<Vec<_>>()) && told.ends_with(&all().collect::<Vec<_>>()));
            let answers: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
            let one = |call: &&Call| rating::resolve(&call.record(), call.received(), &call.profile, self.world());
            assert_eq!(answers, calls.iter().map(|call| format!("{:?}", one(call))).collect::<Vec<_>>());
        }
    }
}

/// What a proof's sum comes to: `0.2 × 0.92 + 0.1/min × 120 s / 60, at most 0.5 × 0.92` and perhaps ` − 0.3000`, in decimal.
pub fn worked_out(arithmetic: &str, decimals: u8) -> String {
    let number = |text: &str| text.parse::<Decimal>().unwrap_or_else(|e| panic!("{text:?}: {e}"));
    // Everything times 60, so that halves are halves.
    let product = |text: &str| {
        text.split(" × ").fold(Decimal::from(60), |product, factor| match factor.split_once(" s / 60") {
            Some((seconds, rest)) => product * number(&format!("{seconds}{rest}")) / Decimal::from(60),
            None => product * number(factor.strip_suffix("/min").unwrap_or(factor)),
        })
    };
    let (whole, before) = arithmetic.split_once(" − ").unwrap_or((arithmetic, "0"));
    let mut parts = whole.split(", ");
    let mut sum: Decimal = parts.next().unwrap().split(" + ").map(product).sum();
    for cap in parts {
        match cap.split_once("at least ") {
            Some((_, least)) => sum = sum.max(product(least)),
            None => sum = sum.min(product(cap.strip_prefix("at most ").unwrap())),
        }
    }
    let cost = |sum: Decimal| {
        (sum / Decimal::from(60)).round_dp_with_strategy(decimals.into(), RoundingStrategy::MidpointAwayFromZero)
    };
    format!("{:.*}", usize::from(decimals), (cost(sum) - number(before)).max(Decimal::ZERO))
}

fn suspense(suspended: Suspended) -> String {
    format!("suspense {} {:?}", suspended.reason, suspended.why)
}

/// One call, as a node would report it.
#[derive(Clone, Debug)]
pub struct Call {
    pub account: String,
    pub source: String,
    pub destination: String,
    pub forwarded_by: String,
    pub cause: String,
    pub routing_number: String,
    pub carrier: String,
    pub direction: Option<Direction>,
    pub answer: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub duration: Option<Micros>,
    pub received: Option<Timestamp>,
    /// The answer may be so much later.
    pub fold: Option<Micros>,
    pub profile: SourceProfile,
    /// Allowance seconds drawn before.
    pub used: u64,
}

/// A call answered on 5 October 2026 at 09:00 UTC, 60 seconds long, from a German node without an account.
pub fn call(from: &str, to: &str) -> Call {
    let profile = SourceProfile {
        listener: "tcp:127.0.0.1:7070".into(),
        country: "DE".into(),
        max_age_days: 90,
        ..SourceProfile::default()
    };
    Call {
        account: String::new(),
        source: from.into(),
        destination: to.into(),
        forwarded_by: String::new(),
        cause: String::new(),
        routing_number: String::new(),
        carrier: String::new(),
        direction: None,
        answer: Some(at("2026-10-05T09:00:00Z")),
        end: None,
        duration: Some(Micros::seconds(60)),
        received: None,
        fold: None,
        profile,
        used: 0,
    }
}

impl Call {
    pub fn account(mut self, account: &str) -> Call {
        self.account = account.into();
        self
    }
    pub fn forwarded_by(mut self, number: &str) -> Call {
        self.forwarded_by = number.into();
        self
    }
    pub fn routing_number(mut self, number: &str) -> Call {
        self.routing_number = number.into();
        self
    }
    pub fn carrier(mut self, carrier: &str) -> Call {
        self.carrier = carrier.into();
        self
    }
    pub fn cause(mut self, cause: &str) -> Call {
        self.cause = cause.into();
        self
    }
    pub fn direction(mut self, direction: Direction) -> Call {
        self.direction = Some(direction);
        self
    }
    /// Talk time in seconds; an empty text for none.
    pub fn lasts(mut self, seconds: &str) -> Call {
        self.duration = (!seconds.is_empty()).then(|| micros(seconds));
        self
    }
    /// Answer instant; an empty text for none.
    pub fn answered(mut self, text: &str) -> Call {
        self.answer = (!text.is_empty()).then(|| at(text));
        self
    }
    pub fn ended(mut self, text: &str) -> Call {
        self.end = Some(at(text));
        self
    }
    pub fn received_at(mut self, text: &str) -> Call {
        self.received = Some(at(text));
        self
    }
    pub fn used(mut self, seconds: u64) -> Call {
        self.used = seconds;
        self
    }
    pub fn node_account(mut self, account: &str) -> Call {
        self.profile.account = account.into();
        self
    }
    pub fn node_country(mut self, country: &str) -> Call {
        self.profile.country = country.into();
        self
    }
    pub fn legs(mut self, legs: LegsPolicy) -> Call {
        self.profile.legs = legs;
        self
    }
    pub fn talk(mut self, talk: Talk) -> Call {
        self.profile.talk = talk;
        self
    }
    /// The answer stands for two instants an hour apart, of which the source chooses.
    pub fn twice(mut self, ambiguous: Ambiguous) -> Call {
        self.fold = Some(Micros::seconds(3600));
        self.profile.ambiguous = ambiguous;
        self
    }
    pub fn strip(mut self, prefixes: &[&str]) -> Call {
        self.profile.strip = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        self
    }

    pub fn record(&self) -> Record<'_> {
        Record {
            id: b"c1",
            node: b"lab",
            account: self.account.as_bytes(),
            forwarded_by: self.forwarded_by.as_bytes(),
            source: self.source.as_bytes(),
            destination: self.destination.as_bytes(),
            cause: self.cause.as_bytes(),
            routing_number: self.routing_number.as_bytes(),
            carrier: self.carrier.as_bytes(),
            direction: self.direction,
            answer: self.answer,
            end: self.end,
            duration: self.duration,
            fold: self.fold,
            ..Record::default()
        }
    }

    /// Five minutes after the answer unless said otherwise.
    pub fn received(&self) -> Timestamp {
        self.received.unwrap_or(Timestamp(self.answer.unwrap_or_default().0 + 300_000_000))
    }
}

pub fn at(text: &str) -> Timestamp {
    parse_rfc3339(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}

/// `61.2` → 61,200,000 µs.
pub fn micros(seconds: &str) -> Micros {
    let decimal: rust_decimal::Decimal = seconds.parse().unwrap();
    Micros(i64::try_from(decimal * rust_decimal::Decimal::from(1_000_000)).unwrap())
}
