use super::*;
use crate::tariff::{Finding, Severity};
use proptest::prelude::*;

/// `DE:118` becomes 0999118.
fn keys(_: Country, digits: &[u8]) -> Option<Number> {
    Number::from_digits(&[b"0999", digits].concat())
}

fn read_in(bytes: &[u8], zone: &Zone) -> (Deck, Vec<Finding>) {
    let mut findings = Findings::new("decks/t.csv");
    let deck = read(bytes, zone, &keys, &mut findings);
    (deck, findings.finish())
}

/// Each row as `prefix rate fee initial/increment/minimum type from..to destination`, absent things left out.
fn shown(deck: &Deck) -> Vec<String> {
    let row = |row: &DeckRow| {
        let t = &deck.terms[row.terms as usize];
        let mut text = format!("{} {}", row.prefix, t.price.rate);
        if t.price.connect_fee != Money::ZERO {
            text += &format!(" fee {}", t.price.connect_fee);
        }
        if let Some(s) = t.steps {
            text += &format!(" {} {}/{}", s.mode, s.initial, s.increment);
            if s.minimum > 0 || s.free_below.0 > 0 {
                text += &format!("/{}/{}", s.minimum, s.free_below);
            }
        }
        for (name, cap) in [("min", t.price.minimum_cost), ("max", t.price.maximum_cost)] {
            text += &cap.map_or_else(String::new, |c| format!(" {name} {c}"));
        }
        text += &t.call_type.map_or_else(String::new, |c| format!(" {c}"));
        text += if t.blocked { " blocked" } else { "" };
        text += &t.valid_from.map_or_else(String::new, |c| format!(" from {c}"));
        text += &t.valid_to.map_or_else(String::new, |c| format!(" to {c}"));
        let asks = deck.condition(row).words("here");
        text += &if asks.is_empty() { asks } else { format!(" [{asks}]") };
        let name = &deck.names[row.name as usize];
        if name.is_empty() { text } else { format!("{text} ({name})") }
    };
    deck.rows.iter().map(row).collect()
}

fn check(text: &str, expected: &[&str]) {
    let (deck, findings) = read_in(text.as_bytes(), &Zone::UTC);
    assert!(findings.iter().all(|f| f.severity == Severity::Warning), "{text:?}: {findings:?}");
    assert_eq!(shown(&deck), expected, "{text:?}");
}

#[test]
fn ugly_decks_are_read() {
    check("prefix,rate\n49,0.02\n", &["49 0.02"]);
    check("\u{feff}RATE;Prefix\r\n0,02;\"+49 30\"\r\n\"0,1175\";0049 151\r\n", &["49151 0.1175", "4930 0.02"]);
    check("prefix\trate\tdestination\n93\t0,1175\tAfghanistan\n", &["93 0.1175 (Afghanistan)"]);
    check("destination,prefix,rate\n\"Congo, Rep.\",242,\"0,25\"\n", &["242 0.25 (Congo, Rep.)"]);
    check(
        "prefix,rate,increment\n1,0.01,60/60\n2,0.01,30/6\n3,0.01,1\n",
        &["1 0.01 up 60/60", "2 0.01 up 30/6", "3 0.01 up 1/1"],
    );
    check("prefix,rate\n4470-4473,0.1\n", &["4470 0.1", "4471 0.1", "4472 0.1", "4473 0.1"]);
    check("prefix,rate\n4470;4471,0.1\n\"1242, 1246\",0.2\n", &["1242 0.2", "1246 0.2", "4470 0.1", "4471 0.1"]);
    check("prefix,rate\n49,0.02\n49,0.020\n", &["49 0.02"]);
    check("prefix,rate,,\n49,0.02,,\n\n,,,\n43,0,\"\",\n", &["43 0", "49 0.02"]);
    check("sep=;\nprefix;rate\n49;1\n", &["49 1"]);
    check(
        "prefix;rate\n49;12,5\n48;1234,567\n47;0,125\n46;1,2345\n",
        &["46 1.2345", "47 0.125", "48 1234.567", "49 12.5"],
    );
    check("prefix,rate\nDE:118,1.99\nDE:11833*,2\n", &["0999118 1.99", "099911833 2"]);
    check("prefix,rate,blocked\n49900,,true\n49,0.02,no\n", &["49 0.02", "49900 0 blocked"]);
    check(
        "prefix,rate,connect_fee,increment,initial,minimum,mode,free_below,minimum_cost,maximum_cost,call_type\n\
         4915555,1.5,0.1,6,30,30,up,2.5,0.01,9,domestic_premium\n4930,0,,60,,,nearest,,,,included\n",
        &["4915555 1.5 fee 0.1 up 30/6/30/2.5 min 0.01 max 9 domestic_premium", "4930 0 nearest 60/60 included"],
    );
    // Later rows of a prefix come first; a shorter prefix before its extensions.
    check(
        "prefix,rate,valid_from,valid_to\n491,5,,\n49,1,,2026-02-01\n49,2,2026-01-01,\n49,3,2026-01-01T12:00:00+01:00,\n",
        &["49 3 from 2026-01-01T11:00:00Z", "49 2 from 2026-01-01T00:00:00Z", "49 1 to 2026-02-01T00:00:00Z", "491 5"],
    );
}

#[test]
fn rows_of_one_prefix_stand_beside_each_other() {
    check(
        "prefix,rate,days,hours\n49,1,mon-fri,8-18\n49,2,mon-fri,18-8\n49,3,sat;sun,\n",
        &["49 1 [mon-fri 08:00-18:00 here]", "49 2 [mon-fri 00:00-08:00, 18:00-24:00 here]", "49 3 [sat-sun here]"],
    );
    // Every day and hour is no band.
    check("prefix,rate,days,hours\n49,1,mon-sun holiday,0-24\n", &["49 1"]);
    // The longer origin first, then those without a number, then whoever calls.
    check(
        "prefix,rate,origin\n49,1,\n49,2,43\n49,3,4366\n49,4,anonymous\n",
        &["49 3 [callers from 4366]", "49 2 [callers from 43]", "49 4 [callers without a number]", "49 1"],
    );
    // The narrower length first; an origin says more than a length; then the later row; then the later step.
    check(
        "prefix,rate,length,origin,valid_from,after\n\
         49,1,,,,\n49,2,10-12,,,\n49,3,11,,,\n49,4,,43,,\n49,5,,,2026-01-01,\n49,6,,,2026-01-01,60\n49,7,,,2026-01-01,120\n",
        &[
            "49 4 [callers from 43]",
            "49 3 [numbers of 11 digits]",
            "49 2 [numbers of 10 to 12 digits]",
            "49 7 from 2026-01-01T00:00:00Z [after 120 s]",
            "49 6 from 2026-01-01T00:00:00Z [after 60 s]",
            "49 5 from 2026-01-01T00:00:00Z",
            "49 1",
        ],
    );
    check(
        "prefix,rate,rate_interstate,rate_intrastate\n1212,3,1,2\n1213,,1,\n",
        &["1212 2 [intrastate]", "1212 1 [interstate]", "1212 3", "1213 1 [interstate]"],
    );
    check("prefix,per_call\n49137,0.14\n", &["49137 0 fee 0.14"]);
    // A chain has one type.
    check(
        "prefix,rate,after,call_type\n49,1,,included\n49,2,60,\n50,2,60,\n50,1,,\n",
        &["49 2 included [after 60 s]", "49 1 included", "50 2 [after 60 s]", "50 1"],
    );
    // Said twice is told, not refused.
    check("prefix,rate,hours\n49,1,8-18\n49,1,08:00-18:00\n", &["49 1 [08:00-18:00 here]"]);
}

#[test]
fn dates_are_midnight_in_the_zone() {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let (deck, _) = read_in(b"prefix,rate,valid_from,valid_to\n49,1,2026-03-29,2026-03-30\n", &zone);
    assert_eq!(shown(&deck), ["49 1 from 2026-03-28T23:00:00Z to 2026-03-29T22:00:00Z"], "a day of 23 hours");
}

#[test]
fn latin_1_is_read_and_told() {
    let (deck, findings) = read_in(b"prefix,rate,destination\n225,0.1,C\xF4te d'Ivoire\n", &Zone::UTC);
    assert_eq!(shown(&deck), ["225 0.1 (Côte d'Ivoire)"]);
    assert_eq!(findings.len(), 1);
}

/// Text, line and column of the error, and a part of its message.
fn refused(text: &str, line: u32, column: u32, part: &str) {
    let (_, findings) = read_in(text.as_bytes(), &Zone::UTC);
    let errors: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
    let [error] = errors.as_slice() else { panic!("{text:?}: {findings:?}") };
    assert!(error.message.contains(part), "{text:?}: {error:?}");
    assert_eq!((error.line, error.column), (line, column), "{text:?}: {error:?}");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (text, line, column, part) in [
        ("", 0, 0, "empty"),
        ("prefix\n49\n", 1, 1, "no column rate"),
        ("prefix,rate,conect_fee\n", 1, 13, "unknown column \"conect_fee\""),
        ("prefix,rate,price_per_call\n", 1, 13, "unknown column"),
        ("prefix,rate,rate\n", 1, 13, "two columns"),
        ("prefix,rate\n49\n", 2, 1, "1 fields where the header has 2"),
        ("prefix,rate\n49,1,2\n", 2, 1, "3 fields"),
        ("prefix,rate\n49,\n", 2, 1, "rate: empty"),
        ("prefix,rate\n,0.1\n", 2, 1, "prefix: empty"),
        ("prefix,rate\n49,\"1,234\"\n", 2, 4, "decimal comma or thousands"),
        ("prefix;rate\n49;1,234\n", 2, 4, "decimal comma or thousands"),
        ("prefix;rate\n49;1.234\n48;0,5\n", 2, 4, "decimal point or thousands: line 3"),
        ("prefix;rate\n49;1.234,56\n", 2, 4, "more than a decimal comma"),
        ("prefix,rate\n49,-0.1\n", 2, 4, "negative"),
        ("prefix,rate\n49,abc\n", 2, 4, "not an amount"),
        ("prefix,rate\n49,1e3\n", 2, 4, "not an amount"),
        ("prefix,rate\n49,$1\n", 2, 4, "not an amount"),
        ("prefix,rate\n49,0.1234567891\n", 2, 4, "more than 9 decimals"),
        ("prefix,rate\n49,1000001\n", 2, 4, "larger than"),
        ("prefix,rate\n0151,1\n", 2, 1, "begins with 0"),
        ("prefix,rate\n1XXX310,1\n", 2, 1, "is a pattern"),
        ("prefix,rate\n4.95E+12,1\n", 2, 1, "spreadsheet"),
        ("prefix,rate\nabc,1\n", 2, 1, "is not digits"),
        ("prefix,rate\n1234567890123456,1\n", 2, 1, "more than 15 digits"),
        ("prefix,rate\n4479-4470,1\n", 2, 1, "backwards"),
        ("prefix,rate\n1-829,1\n", 2, 1, "different length"),
        ("prefix,rate\n10000-99999,1\n", 2, 1, "more than 10000"),
        ("prefix,rate\n49;;48,1\n", 2, 1, "empty place"),
        ("prefix,rate\nDEU:118,1\n", 2, 1, "names no country"),
        ("prefix,rate\nDE:1234567890123,1\n", 2, 1, "too long"),
        ("prefix,rate,initial\n49,1,60\n", 2, 6, "initial without increment"),
        ("prefix,rate,minimum\n49,1,0\n", 2, 6, "minimum without increment"),
        ("prefix,rate,increment\n49,1,0\n", 2, 6, "at least 1 second"),
        ("prefix,rate,increment\n49,1,86401\n", 2, 6, "not a number of seconds"),
        ("prefix,rate,increment,initial\n49,1,60/60,30\n", 2, 12, "stands in two columns"),
        ("prefix,rate,increment,mode\n49,1,30/6,nearest\n", 2, 6, "nearest"),
        ("prefix,rate,increment,mode\n49,1,6,down\n", 2, 8, "is no mode"),
        ("prefix,rate,days\n49,1,1-5\n", 2, 6, "days: \"1-5\" has numbers"),
        ("prefix,rate,hours\n49,1,8-18:00:30\n", 2, 6, "hours: \"8-18:00:30\" has seconds"),
        ("prefix,rate,hours\n49,1,8-18\n49,2,17-20\n", 3, 1, "prefix 49 stands in line 2 with something else"),
        ("prefix,rate,days\n49,1,mon-fri\n49,2,\n", 3, 1, "something else"),
        ("prefix,rate,length\n49,1,16\n", 2, 6, "no length of a number"),
        ("prefix,rate,length\n49,1,12-10\n", 2, 6, "no length of a number"),
        ("prefix,rate,length\n49,1,10-12\n49,2,11-13\n", 3, 1, "something else"),
        ("prefix,rate,length\nDE:118,1,5\n", 2, 10, "a short code has no other"),
        ("prefix,rate,origin\n49,1,030\n", 2, 6, "origin: \"030\" begins with 0"),
        ("prefix,rate,origin\n49,1,43;44\n49,2,44\n", 3, 1, "something else"),
        ("prefix,rate,jurisdiction\n1,1,local\n", 2, 5, "no jurisdiction"),
        ("prefix,rate_interstate,jurisdiction\n1,1,intrastate\n", 2, 3, "rate_interstate beside jurisdiction"),
        ("prefix,rate,per_call\n49,1,1\n", 2, 6, "per_call beside rate"),
        ("prefix,connect_fee,per_call\n49,1,1\n", 2, 6, "per_call beside connect_fee"),
        ("prefix,per_call\n49,\n", 2, 1, "rate: empty"),
        ("prefix,rate,after\n49,1,60\n", 2, 1, "no row says what is paid before 60 s"),
        ("prefix,rate,after,hours\n49,1,,8-18\n49,2,60,\n", 3, 1, "no row says what is paid before 60 s"),
        ("prefix,rate,after,increment\n49,1,,60\n49,2,60,1\n", 3, 9, "increment in a row with after"),
        ("prefix,rate,after,blocked\n49,1,,\n49,2,60,true\n", 3, 9, "blocked in a row with after"),
        ("prefix,rate,after\n49,1,\n49,2,60\n49,3,60\n", 4, 1, "something else"),
        ("prefix,rate,valid_from\n49,1,05/06/2026\n", 2, 6, "day and month or month and day"),
        ("prefix,rate,valid_from\n49,1,2026-02-30\n", 2, 6, "is not a date"),
        ("prefix,rate,valid_from,valid_to\n49,1,2026-02-02,2026-02-01\n", 2, 17, "ends before it begins"),
        ("prefix,rate,valid_from,valid_to\n49,1,2026-02-01,2026-02-01\n", 2, 17, "ends before it begins"),
        ("prefix,rate,minimum_cost,maximum_cost\n49,1,2,1\n", 2, 6, "larger than maximum_cost"),
        ("prefix,rate,call_type\n49,1,overage\n", 2, 6, "no call type"),
        ("prefix,rate,blocked\n49,1,maybe\n", 2, 6, "neither true nor false"),
        ("prefix,rate\n49,1\n50,3\n49,2\n", 4, 1, "prefix 49 stands in line 2 with something else"),
        ("prefix,rate,destination\n49,1,a\n49,1,b\n", 3, 1, "another destination"),
        ("prefix,rate\n4470-4479,1\n4475,2\n", 3, 1, "prefix 4475 stands in line 2"),
        ("prefix,rate\n49,\"1\n", 2, 4, "a quote"),
    ] {
        refused(text, line, column, part);
    }
    let (_, findings) = read_in(b"\xFF\xFEp\0", &Zone::UTC);
    assert!(findings[0].message.contains("UTF-16"));
}

#[test]
fn every_bad_row_is_named_up_to_a_cap() {
    let text = format!("prefix,rate\n{}", "49,x\n".repeat(1500));
    let (_, findings) = read_in(text.as_bytes(), &Zone::UTC);
    assert_eq!(findings.len(), 1001);
    assert_eq!(findings[1000].message, "500 more errors");
    assert!(findings[..1000].iter().zip(2..).all(|(f, line)| f.line == line));
}

#[test]
fn doubtful_things_are_told() {
    for (text, part) in [
        ("prefix,rate\n49,50.01\n", "per minute"),
        ("prefix,rate\n4950000000000,1\n", "spreadsheet"),
        ("prefix,rate\n49,1\n49,1\n", "says the same as line 2"),
        ("prefix,rate,colour\n49,1,blue\n", "not read"),
    ] {
        let (deck, findings) = read_in(text.as_bytes(), &Zone::UTC);
        assert_eq!((findings.len(), deck.rows.len()), (1, 1), "{text}: {findings:?}");
        assert!(findings[0].severity == Severity::Warning && findings[0].message.contains(part), "{findings:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_in(&bytes, &Zone::UTC);
    }

    /// Cells of every shape under a sound header.
    #[test]
    fn any_cells_are_answered(rows in proptest::collection::vec("[-0-9.,;:/+*\"' eExT\t\rA-D]{0,40}", 0..20)) {
        let header = "prefix,rate,increment,initial,free_below,valid_from,valid_to,destination,mode\n";
        read_in(format!("{header}{}", rows.join("\n")).as_bytes(), &Zone::UTC);
        let asking = "prefix,rate,days,hours,origin,length,after,jurisdiction,per_call\n";
        read_in(format!("{asking}{}", rows.join("\n")).as_bytes(), &Zone::UTC);
        read_in(format!("{}{}", header.replace(',', ";"), rows.join("\n")).as_bytes(), &Zone::UTC);
        for cell in &rows {
            for column in ["prefix", "rate", "increment", "valid_from", "days", "hours", "origin", "length", "after"] {
                read_in(format!("{column},prefix,rate\n\"{}\",49,1\n", cell.replace('"', "")).as_bytes(), &Zone::UTC);
            }
        }
    }
}
