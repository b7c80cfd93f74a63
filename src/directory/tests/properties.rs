//! Over random directories: order does not matter, and look-ups are what a plain scan of the rows says.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// From (in days, none: ever), to, and which of a few owners or plans holds between.
type Span = (Option<i64>, Option<i64>, usize);

const DAY: i64 = 86_400_000_000;
const ACCOUNTS: usize = 6;

/// A random directory as rows, not as text.
#[derive(Clone, Debug)]
struct Rows {
    /// For each account, its rows: plan, and zone by plan.
    accounts: Vec<Vec<Span>>,
    /// Digits, and its owners.
    numbers: Vec<(u64, Vec<Span>)>,
}

/// Spans between random days, some left out; the outer two reach for ever.
fn spans(owners: usize) -> impl Strategy<Value = Vec<Span>> {
    let cuts = prop::collection::btree_set(0_i64..400, 0..5);
    (cuts, prop::collection::vec((0..owners, prop::bool::weighted(0.8)), 6)).prop_map(|(cuts, kept)| {
        let cuts: Vec<i64> = cuts.into_iter().collect();
        let bounds = std::iter::once(None).chain(cuts.iter().copied().map(Some));
        let ends = cuts.iter().copied().map(Some).chain(std::iter::once(None));
        let spans = bounds.zip(ends).zip(kept);
        spans.filter(|(_, (_, keep))| *keep).map(|((from, to), (owner, _))| (from, to, owner)).collect()
    })
}

fn rows() -> impl Strategy<Value = Rows> {
    let accounts = prop::collection::vec(spans(4), ACCOUNTS);
    let numbers = prop::collection::btree_map(1000_u64..1_000_000, spans(ACCOUNTS), 0..30);
    (accounts, numbers).prop_map(|(mut accounts, numbers)| {
        // An account without a row would not be in the file, and its numbers would be an error.
        accounts.iter_mut().filter(|spans| spans.is_empty()).for_each(|spans| spans.push((None, None, 0)));
        Rows { accounts, numbers: numbers.into_iter().collect() }
    })
}

fn day(day: Option<i64>) -> String {
    day.map_or(String::new(), |day| Timestamp(day * DAY).to_string())
}

impl Rows {
    fn account_lines(&self) -> Vec<String> {
        let zones = ["UTC", "Europe/Rome", "Asia/Tokyo", "America/Lima"];
        let line = |account: usize, (from, to, plan): &Span| {
            let group = if *plan == 3 { "shared" } else { "" };
            format!("acc{account},plan{plan},DE,2020-01-01,{},{group},{},{}", zones[*plan], day(*from), day(*to))
        };
        let lines = self.accounts.iter().enumerate();
        lines.flat_map(|(i, spans)| spans.iter().map(move |span| line(i, span))).collect()
    }

    fn number_lines(&self) -> Vec<String> {
        let line = |number: u64, (from, to, owner): &Span| format!("{number},acc{owner},{},{}", day(*from), day(*to));
        self.numbers.iter().flat_map(|(number, spans)| spans.iter().map(move |span| line(*number, span))).collect()
    }

    /// Every instant at which something changes, and its neighbours.
    fn instants(&self) -> BTreeSet<i64> {
        let spans = self.accounts.iter().flatten().chain(self.numbers.iter().flat_map(|(_, spans)| spans));
        let edges = spans.flat_map(|(from, to, _)| [*from, *to]).flatten();
        edges.flat_map(|day| [day * DAY - 1, day * DAY, day * DAY + 1]).chain([i64::MIN, 0, i64::MAX - 1]).collect()
    }
}

/// Who holds at the instant: the oracle.
fn holder(spans: &[Span], at: i64) -> Option<usize> {
    let holds = |(from, to, _): &&Span| from.is_none_or(|f| f * DAY <= at) && to.is_none_or(|t| at < t * DAY);
    spans.iter().find(holds).map(|(_, _, owner)| *owner)
}

fn text(header: &str, lines: &[String]) -> String {
    format!("{header}\n{}\n", lines.join("\n"))
}

const ACCOUNTS_HEADER: &str = "account,plan,country,billing_start,timezone,group,valid_from,valid_to";
const NUMBERS_HEADER: &str = "number,account,valid_from,valid_to";

fn image(accounts: &[String], numbers: &[String]) -> Vec<u8> {
    let (accounts, numbers) = (text(ACCOUNTS_HEADER, accounts), text(NUMBERS_HEADER, numbers));
    let (image, findings) = compile(accounts.as_bytes(), numbers.as_bytes()).unwrap();
    assert_eq!(findings, []);
    image
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lookups_equal_a_scan_of_the_rows(rows in rows()) {
        let d = Directory::open(image(&rows.account_lines(), &rows.number_lines()).into()).unwrap();
        for at in rows.instants() {
            for (account, spans) in rows.accounts.iter().enumerate() {
                let found = d.account_at(format!("acc{account}").as_bytes(), Timestamp(at));
                let expected = holder(spans, at).map(|plan| format!("plan{plan}"));
                prop_assert_eq!(found.map(|a| a.plan.to_owned()), expected, "acc{} at {}", account, at);
                if let Some(a) = found {
                    let group = if a.plan == "plan3" { "shared" } else { a.name() };
                    prop_assert_eq!(a.group(), group);
                    prop_assert!(a.group_index < d.groups() && a.zone_index < d.zones());
                    prop_assert_eq!(d.row(a.row).name(), a.name());
                }
            }
            for (digits, spans) in &rows.numbers {
                let found = d.owner_at(number(&digits.to_string()), Timestamp(at));
                let owner = holder(spans, at);
                let plan = owner.and_then(|owner| holder(&rows.accounts[owner], at));
                let expected = plan.map(|plan| format!("acc{} plan{plan}", owner.unwrap()));
                prop_assert_eq!(found.map(|a| format!("{} {}", a.name(), a.plan)), expected, "{} at {}", digits, at);
            }
            let stranger = d.owner_at(number("99999999"), Timestamp(at));
            prop_assert!(stranger.is_none());
        }
        prop_assert_eq!(d.accounts_after("", usize::MAX).len(), ACCOUNTS);
    }

    #[test]
    fn the_order_of_rows_changes_nothing(
        (rows, accounts, numbers) in rows().prop_flat_map(|rows| {
            let (accounts, numbers) = (rows.account_lines(), rows.number_lines());
            (Just(rows), Just(accounts).prop_shuffle(), Just(numbers).prop_shuffle())
        })
    ) {
        prop_assert_eq!(image(&rows.account_lines(), &rows.number_lines()), image(&accounts, &numbers));
    }

    #[test]
    fn any_bytes_are_read_without_panic(accounts: Vec<u8>, numbers: Vec<u8>) {
        let _ = compile(&accounts, &numbers);
        let _ = Directory::open(accounts.into());
    }

    /// Closer to the real thing: sound files with a few bytes changed to others that mean something.
    #[test]
    fn changed_files_give_a_sound_image_or_findings(
        rows in rows(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\n\r\",;-/0a\0\xFF\t+ ".to_vec())), 1..6),
        of_accounts: bool,
    ) {
        let mut accounts = text(ACCOUNTS_HEADER, &rows.account_lines()).into_bytes();
        let mut numbers = text(NUMBERS_HEADER, &rows.number_lines()).into_bytes();
        let changed = if of_accounts { &mut accounts } else { &mut numbers };
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        match compile(&accounts, &numbers) {
            Ok((image, _)) => prop_assert!(Directory::open(image.into()).is_ok()),
            Err(findings) => prop_assert!(findings.iter().any(|f| f.severity == Severity::Error)),
        }
    }
}
