//! Time bands (R17): in the deck's zone, through summer time, whole calls and split ones. Each row says its arithmetic.

use std::sync::LazyLock;

use crate::common::{Books, Call, call};

/// Plan, account and deck `ZONE-HOW` for each: the clock of the deck, and `start` or `split`.
const ZONES: [(&str, &str); 6] = [
    ("berlin", "Europe/Berlin"),
    ("newyork", "America/New_York"),
    ("lordhowe", "Australia/Lord_Howe"),
    ("kathmandu", "Asia/Kathmandu"),
    ("london", "Europe/London"),
    ("utc", "UTC"),
];

/// Spain by weekday and hour, by the minute; Portugal by the second, nights from 20:00; France by the hours in which
/// clocks are put: 0 to 2, and Italy: 2 to 3.
const CLOCK: &str = "\
prefix,rate,days,hours,increment,connect_fee,minimum_cost,maximum_cost,destination
34,0.60,mon-fri,8-18,60,,,,Spain peak
34,0.30,mon-fri,18-8,60,,,,Spain off-peak
34,0.12,sat;sun;holiday,,60,,,,Spain weekend
351,0.60,,8-20,1,0.05,,,Portugal day
351,0.06,,20-8,60,9,,,Portugal night
33,0.06,,0-2,60,,,,France night
33,0.60,,2-24,60,,,,France day
39,0.06,,2-3,60,,,,Italy at night
39,0.60,,3-2,60,,,,Italy
43,0.60,,8-18,60,,,,Austria peak
4,0.24,,,60,,,,anywhere in 4
46,0.60,,8-18,60,,,1.5,Sweden peak
46,0.06,,18-8,60,,,,Sweden off-peak
47,0.60,,8-18,60,,2,,Norway peak
47,0.06,,18-8,60,,,,Norway off-peak
48,0.60,,8-18,60,,,,Poland peak
490900,0.60,,8-18,60,,,,
4930,0.60,,8-18,60,,,,Berlin peak
4930,0.06,,18-8,60,,,,Berlin off-peak
";

static BOOKS: LazyLock<Books> = LazyLock::new(|| {
    let mut plans = String::from(
        "[holidays.some]\nyearly = [\"12-24\"]\neaster = [1]\ndates = [\"2026-10-06\"]\n\
         [deck.blocks]\ntimezone = \"UTC\"\n\
         [plan.blocks]\ncountry = \"DE\"\ncurrency = \"EUR\"\noverage_rate = \"1\"\ndecks = [\"blocks\"]\nbands = \"split\"\n",
    );
    let mut accounts =
        String::from("account,plan,country,billing_start,timezone,language\nblocks,blocks,DE,2020-01-01,UTC,en\n");
    for (name, zone) in ZONES {
        plans += &format!("[deck.{name}]\ntimezone = {zone:?}\nholidays = \"some\"\n");
        for bands in ["start", "split"] {
            plans += &format!(
                "[plan.{name}-{bands}]\ncountry = \"DE\"\ncurrency = \"EUR\"\nincluded_minutes = 1\noverage = \"deck\"\n\
                 decks = [{name:?}]\nbands = {bands:?}\n"
            );
            // The account's own zone says nothing of the deck's.
            accounts += &format!("{name}-{bands},{name}-{bands},DE,2020-01-01,Pacific/Kiritimati,en\n");
        }
    }
    let mut decks: Vec<(&str, &str)> = ZONES.iter().map(|(name, _)| (*name, CLOCK)).collect();
    decks.push(("blocks", BLOCKS));
    Books::of(&plans, &decks, &accounts, "number,account\n")
});

const BLOCKS: &str = "\
prefix,rate,hours,increment,blocked
34,0.60,8-18,60,
34,,18-8,60,true
351,0.60,8-18,60,
";

/// An international call of an account, and what it costs.
struct Row(&'static str, &'static str, &'static str, &'static str, &'static str);

/// Account, number, answer, seconds; the cost with its arithmetic, which is evaluated here by another way.
fn check(rows: &[Row]) {
    let cases = rows.iter().map(|Row(account, to, answer, lasts, sum)| {
        let call: Call = call("", to).account(account).answered(answer).lasts(lasts);
        let (seconds, cost) = sum_of(sum);
        (call, format!("outbound {account} international R10 {seconds} s (0 in) {cost}"))
    });
    let cases: Vec<(Call, String)> = cases.collect();
    BOOKS.check_all(cases.iter().map(|(call, expected)| (call.clone(), expected.as_str())));
}

/// `0.05 + 60 s × 0.60 + 120 s × 0.06`: seconds in all, and amounts with four decimals.
fn sum_of(words: &str) -> (u32, String) {
    use rust_decimal::Decimal;
    let (mut seconds, mut sum) = (0, Decimal::ZERO);
    for term in words.split(" + ") {
        match term.split_once(" s × ") {
            Some((s, rate)) => {
                let s: u32 = s.parse().unwrap();
                seconds += s;
                sum += rate.parse::<Decimal>().unwrap() * Decimal::from(s) / Decimal::from(60);
            }
            None => sum += term.parse::<Decimal>().unwrap(),
        }
    }
    (seconds, format!("{:.4}", sum.round_dp(4)))
}

const SPAIN: &str = "+34911234567";
const PORTUGAL: &str = "+351211234567";
const FRANCE: &str = "+33123456789";
const ITALY: &str = "+390612345678";

#[test]
fn the_band_of_the_answer_by_the_decks_clock() {
    check(&[
        // Monday 5 October 2026, 18:00 in Berlin is 16:00 UTC; 18:00 in Kathmandu is 12:15; in New York 22:00.
        Row("berlin-start", SPAIN, "2026-10-05T15:59:59Z", "60", "60 s × 0.60"),
        Row("berlin-start", SPAIN, "2026-10-05T16:00:00Z", "60", "60 s × 0.30"),
        Row("berlin-start", SPAIN, "2026-10-05T05:59:59.999999Z", "60", "60 s × 0.30"),
        Row("berlin-start", SPAIN, "2026-10-05T06:00:00Z", "60", "60 s × 0.60"),
        Row("kathmandu-start", SPAIN, "2026-10-05T12:14:59Z", "60", "60 s × 0.60"),
        Row("kathmandu-start", SPAIN, "2026-10-05T12:15:00Z", "60", "60 s × 0.30"),
        Row("newyork-start", SPAIN, "2026-10-05T21:59:59Z", "60", "60 s × 0.60"),
        Row("newyork-start", SPAIN, "2026-10-05T22:00:00Z", "60", "60 s × 0.30"),
        // Saturday begins in Lord Howe (+10:30 in winter) at 13:30 UTC on Friday, 2 October.
        Row("lordhowe-start", SPAIN, "2026-10-02T13:29:59Z", "60", "60 s × 0.30"),
        Row("lordhowe-start", SPAIN, "2026-10-02T13:30:00Z", "60", "60 s × 0.12"),
        Row("utc-start", SPAIN, "2026-10-02T13:30:00Z", "60", "60 s × 0.60"),
        // The whole call goes by its beginning, however long it is.
        Row("berlin-start", SPAIN, "2026-10-05T15:59:59Z", "7200", "7200 s × 0.60"),
    ]);
}

#[test]
fn holidays_are_no_weekdays() {
    check(&[
        // A Tuesday by date, a Thursday of every year, Easter Monday: in the deck's zone.
        Row("berlin-start", SPAIN, "2026-10-05T21:59:59Z", "60", "60 s × 0.30"),
        Row("berlin-start", SPAIN, "2026-10-05T22:00:00Z", "60", "60 s × 0.12"),
        Row("berlin-start", SPAIN, "2026-10-06T10:00:00Z", "60", "60 s × 0.12"),
        Row("berlin-start", SPAIN, "2026-10-07T10:00:00Z", "60", "60 s × 0.60"),
        Row("berlin-start", SPAIN, "2026-12-24T10:00:00Z", "60", "60 s × 0.12"),
        Row("berlin-start", SPAIN, "2027-12-24T10:00:00Z", "60", "60 s × 0.12"),
        Row("berlin-start", SPAIN, "2026-04-06T10:00:00Z", "60", "60 s × 0.12"),
        Row("berlin-start", SPAIN, "2027-03-29T10:00:00Z", "60", "60 s × 0.12"),
        Row("berlin-start", SPAIN, "2027-04-05T10:00:00Z", "60", "60 s × 0.60"),
        // A row without days holds on them.
        Row("berlin-start", PORTUGAL, "2026-10-06T10:00:00Z", "60", "0.05 + 60 s × 0.60"),
    ]);
}

#[test]
fn where_no_band_holds_the_next_shorter_prefix() {
    check(&[
        Row("berlin-start", "+436601234567", "2026-10-05T15:59:59Z", "60", "60 s × 0.60"),
        Row("berlin-start", "+436601234567", "2026-10-05T16:00:00Z", "60", "60 s × 0.24"),
    ]);
}

#[test]
fn each_increment_by_the_band_in_which_it_begins() {
    check(&[
        // 19:59:30 to 20:00:30 by the second: half of it by day, half by night; the fee of the beginning, once.
        Row("berlin-split", PORTUGAL, "2026-10-05T17:59:30Z", "60", "0.05 + 30 s × 0.60 + 30 s × 0.06"),
        Row("berlin-start", PORTUGAL, "2026-10-05T17:59:30Z", "60", "0.05 + 60 s × 0.60"),
        // The other way round: by night the row has a fee of 9 and steps of a minute, which are those of the call.
        Row("berlin-split", PORTUGAL, "2026-10-06T05:59:30Z", "61", "9 + 60 s × 0.06 + 60 s × 0.60"),
        // By the minute from 17:59:30: the increment that straddles 18:00 began before it.
        Row("berlin-split", SPAIN, "2026-10-05T15:59:30Z", "60", "60 s × 0.60"),
        Row("berlin-split", SPAIN, "2026-10-05T15:59:30Z", "61", "60 s × 0.60 + 60 s × 0.30"),
        Row("berlin-split", SPAIN, "2026-10-05T15:59:00Z", "61", "60 s × 0.60 + 60 s × 0.30"),
        Row("berlin-split", SPAIN, "2026-10-05T15:59:00.000001Z", "61", "60 s × 0.60 + 60 s × 0.30"),
        Row("berlin-split", SPAIN, "2026-10-05T15:58:59.999999Z", "121", "120 s × 0.60 + 60 s × 0.30"),
        // Stepped once, before the split: 61 s are two minutes, not one of each side and one more.
        Row("kathmandu-split", SPAIN, "2026-10-05T12:14:30Z", "61", "60 s × 0.60 + 60 s × 0.30"),
        // Midnight into a holiday: 23:59:00 to 00:01:00.
        Row("berlin-split", SPAIN, "2026-10-05T21:59:00Z", "120", "60 s × 0.30 + 60 s × 0.12"),
        // From Friday 17:00 for 24 hours: an hour, six and then eighteen hours of Saturday, less one.
        Row("utc-split", SPAIN, "2026-10-02T17:00:00Z", "86400", "3600 s × 0.60 + 21600 s × 0.30 + 61200 s × 0.12"),
        // Into a band that is not there: the next shorter prefix.
        Row("berlin-split", "+436601234567", "2026-10-05T15:59:00Z", "120", "60 s × 0.60 + 60 s × 0.24"),
        Row("berlin-split", "+436601234567", "2026-10-06T05:59:00Z", "120", "60 s × 0.24 + 60 s × 0.60"),
    ]);
}

#[test]
fn caps_are_those_of_the_beginning_and_bound_the_sum() {
    check(&[
        // 120 × 0.60 + 600 × 0.06 = 1.20 + 0.60 = 1.80, at most 1.50.
        Row("utc-split", "+46812345678", "2026-10-05T17:58:00Z", "720", "1.5 + 720 s × 0"),
        Row("utc-split", "+46812345678", "2026-10-05T17:58:00Z", "300", "120 s × 0.60 + 180 s × 0.06"),
        // 60 × 0.60 + 60 × 0.06 = 0.66, at least 2.
        Row("utc-split", "+4721234567", "2026-10-05T17:59:00Z", "120", "2 + 120 s × 0"),
    ]);
}

/// Trap 24: a band is as long as clocks make it.
#[test]
fn through_the_repeated_and_the_missing_hour() {
    check(&[
        // New York, 1 November 2026: clocks show 01:00 to 02:00 twice. From 00:00 (04:00 UTC), four hours: "0-2" lasts three.
        Row("newyork-split", FRANCE, "2026-11-01T04:00:00Z", "14400", "10800 s × 0.06 + 3600 s × 0.60"),
        Row("newyork-start", FRANCE, "2026-11-01T06:30:00Z", "60", "60 s × 0.06"),
        Row("newyork-start", FRANCE, "2026-11-01T07:00:00Z", "60", "60 s × 0.60"),
        // 8 March 2026: 02:00 to 03:00 never comes. From 00:00 (05:00 UTC): "0-2" lasts two hours, and then it is three.
        Row("newyork-split", FRANCE, "2026-03-08T05:00:00Z", "14400", "7200 s × 0.06 + 7200 s × 0.60"),
        // 01:59:30 to 03:00:30 on those clocks is a minute: by the minute, it began at night.
        Row("newyork-split", FRANCE, "2026-03-08T06:59:30Z", "60", "60 s × 0.06"),
        Row("newyork-split", ITALY, "2026-03-08T06:30:00Z", "3600", "3600 s × 0.60"),
        // Berlin, 25 October 2026: 02:00 to 03:00 comes twice. From 01:30 (23:30 UTC), four hours: "2-3" lasts two.
        Row("berlin-split", ITALY, "2026-10-24T23:30:00Z", "14400", "1800 s × 0.60 + 7200 s × 0.06 + 5400 s × 0.60"),
        Row("berlin-start", ITALY, "2026-10-25T00:30:00Z", "60", "60 s × 0.06"),
        Row("berlin-start", ITALY, "2026-10-25T01:30:00Z", "60", "60 s × 0.06"),
        Row("berlin-start", ITALY, "2026-10-25T02:00:00Z", "60", "60 s × 0.60"),
        // Berlin, 29 March 2026: 02:00 to 03:00 never comes. From 01:30 (00:30 UTC), an hour.
        Row("berlin-split", ITALY, "2026-03-29T00:30:00Z", "3600", "3600 s × 0.60"),
        // Lord Howe puts its clocks by half an hour: on 5 April 2026 "0-2" lasts two and a half hours (from 13:00 UTC) …
        Row("lordhowe-split", FRANCE, "2026-04-04T13:00:00Z", "14400", "9000 s × 0.06 + 5400 s × 0.60"),
        // … and on 4 October 2026 "2-3" lasts half an hour: from 01:30 (15:00 UTC), two hours.
        Row("lordhowe-split", ITALY, "2026-10-03T15:00:00Z", "7200", "1800 s × 0.60 + 1800 s × 0.06 + 3600 s × 0.60"),
        // London, 25 October 2026: 01:00 to 02:00 comes twice. From 00:30 (23:30 UTC), three hours: two and a half by night.
        Row("london-split", FRANCE, "2026-10-24T23:30:00Z", "10800", "9000 s × 0.06 + 1800 s × 0.60"),
        // London, 29 March 2026: 01:00 to 02:00 never comes. From 00:30 (00:30 UTC), two hours: half an hour by night.
        Row("london-split", FRANCE, "2026-03-29T00:30:00Z", "7200", "1800 s × 0.06 + 5400 s × 0.60"),
        // Kathmandu has no summer time, and a quarter of an hour.
        Row("kathmandu-split", FRANCE, "2026-10-04T18:15:00Z", "14400", "7200 s × 0.06 + 7200 s × 0.60"),
    ]);
}

#[test]
fn what_goes_beyond_the_allowance_is_split_too() {
    // In the plan (a minute included), charged by the deck beyond it.
    let row = |answer: &str, lasts: &str| call("", "+4930123456").account("utc-split").answered(answer).lasts(lasts);
    BOOKS.check_all([
        // Three minutes from 17:58: the first is included, then 60 × 0.60 and 60 × 0.06.
        (row("2026-10-05T17:58:00Z", "180"), "outbound utc-split included R9 180 s (60 in) 0.6600"),
        // From 17:59: what is left is by night: 120 × 0.06.
        (row("2026-10-05T17:59:00Z", "180"), "outbound utc-split included R9 180 s (60 in) 0.1200"),
        // 30 s left: the first increment began by day: 30 × 0.60, then 60 × 0.06.
        (row("2026-10-05T17:59:00Z", "120").used(30), "outbound utc-split included R9 120 s (30 in) 0.3600"),
        (row("2026-10-05T17:59:00Z", "60"), "outbound utc-split included R9 60 s (60 in) 0.0000"),
    ]);
}

#[test]
fn a_block_or_no_row_later_in_the_call_waits() {
    let row = |to: &str, answer: &str, lasts: &str| call("", to).account("blocks").answered(answer).lasts(lasts);
    BOOKS.check_all([
        (row(SPAIN, "2026-10-05T17:58:00Z", "120"), "outbound blocks international R10 120 s (0 in) 1.2000"),
        (row(SPAIN, "2026-10-05T17:59:00Z", "120"), "outbound blocks suspense blocked Blocked"),
        (row(SPAIN, "2026-10-05T18:00:00Z", "120"), "outbound blocks suspense blocked Blocked"),
        (row(PORTUGAL, "2026-10-05T17:58:00Z", "120"), "outbound blocks international R10 120 s (0 in) 1.2000"),
        (row(PORTUGAL, "2026-10-05T17:59:00Z", "120"), "outbound blocks suspense no_rate NoRow"),
        (row(PORTUGAL, "2026-10-05T18:00:00Z", "120"), "outbound blocks suspense no_rate NoRow"),
    ]);
}

#[test]
fn the_proof_names_band_and_parts() {
    let call = call("", SPAIN).account("berlin-split").answered("2026-10-05T15:58:30Z").lasts("170");
    let side = callrated::record::Direction::Outbound;
    let proof =
        callrated::rating::prove(&call.record(), call.received(), &call.profile, BOOKS.world(), side, &|_, _| {
            callrated::rating::Standing::of(&0)
        });
    let line = |rule: &str| proof.lines.iter().rev().find(|l| l.rule == rule).map(|l| l.text.as_str()).unwrap();
    assert_eq!(
        line("R16"),
        "longest prefix 34 of deck berlin (Spain peak), mon-fri 08:00-18:00 Europe/Berlin: 0.6 a minute; always in force"
    );
    assert_eq!(
        line("R17"),
        "the price changes while the call lasts; each increment by the row that holds where it begins: \
         0 s to 120 s at 0.6 a minute by 34 of deck berlin (mon-fri 08:00-18:00 Europe/Berlin); \
         120 s to 180 s at 0.3 a minute by 34 of deck berlin (mon-fri 00:00-08:00, 18:00-24:00 Europe/Berlin)"
    );
    assert_eq!(
        line("R18"),
        "0.6/min × 120 s / 60 + 0.3/min × 60 s / 60 = 1.5 → rounded once to 4 decimals, halves away from zero: 1.5000 EUR"
    );
}
