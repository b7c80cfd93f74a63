use super::*;
use crate::tariff::deck;
use crate::time::Zone;
use proptest::prelude::*;

fn understood(bytes: &[u8], mapping: &str) -> (Supplied, Vec<crate::tariff::Finding>) {
    let mut findings = Findings::new("t");
    let mapping = Mapping::parse(mapping).unwrap();
    let table = table::read(bytes, mapping.separator.map(|c| c as u8), &mut findings);
    let supplied = understand(&table, &mapping, &mut findings);
    (supplied, findings.finish())
}

/// The deck written, without its heading line if that is the plain one; or the first error.
fn shown(bytes: &[u8], mapping: &str) -> String {
    let (supplied, findings) = understood(bytes, mapping);
    let errors: Vec<String> = findings
        .iter()
        .filter(|f| f.severity == crate::tariff::Severity::Error)
        .map(|f| format!("!{}: {}", f.line, f.message))
        .collect();
    if !errors.is_empty() {
        return errors.join("\n");
    }
    let text = write::deck(&supplied.rows).text;
    // Whatever is written must be a deck of ours.
    let mut findings = Findings::new("written");
    deck::read(text.as_bytes(), &Zone::UTC, &|_, _| None, &mut findings);
    assert!(!findings.refused(), "{:?}\n{text}", findings.finish());
    text
}

fn check(text: &str, mapping: &str, expected: &str) {
    let shown = shown(text.as_bytes(), mapping);
    assert_eq!(shown.trim_end().trim_start_matches("prefix,destination,rate\n"), expected, "{text}\n{mapping}");
}

#[test]
fn each_supplier_s_layout_is_read() {
    // ASTPP
    check(
        "Code,Destination,Connection Cost (USD),Grace Time,Cost / Min (USD),Initial Increment,Increment,Strip,Prepend\n\
         93,Afghanistan,0.00,0,0.2093,30,60,,\n^9375.*,Afghanistan Mobile,0,0,0.2204,30,30,,\n",
        "",
        "prefix,destination,rate,initial,increment\n93,Afghanistan,0.2093,30,60\n9375,Afghanistan Mobile,0.2204,30,30",
    );
    // Telnyx: some rows are for some callers, and some have a price by the call.
    check(
        "ISO,Country,Origination Prefixes,Destination Prefixes,Description,Interval 1,Interval N,Rate,Price Per Call,Exact Match\n\
         DE,Germany,,49,Germany,60,60,0.01,,\nES,Spain,34,34,Spain local,60,60,0.012,,\nDE,Germany,,49137,Germany 0137,60,60,,0.5,\n",
        "",
        "prefix,destination,rate,origin,per_call,initial,increment\n34,Spain local,0.012,34,,60,60\n\
         49,Germany,0.01,,,60,60\n49137,Germany 0137,,,0.5,60,60",
    );
    // A code and an area code: together, or the same once more? Where it is not told it is asked.
    check(
        "Code,Area Code,Name,Rate\n431,1,Vienna,0.03\n43316,0316,Graz,0.04\n",
        "",
        "431,Vienna,0.03\n43316,Graz,0.04",
    );
    let apart = "Code,Area Codes,Name,Rate\n43,\"1, 316-317\",Towns,0.03\n";
    check(apart, "", "!2: code: \"43\" may be a whole code, or what stands before \"1, 316-317\"");
    check(apart, "columns.calling_code = \"Code\"", "431,Towns,0.03\n43316,Towns,0.03\n43317,Towns,0.03");
    check(apart, "ignore = [\"Area Codes\"]", "43,Towns,0.03");
    // Twilio
    check(
        "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes\nAT,Austria,Austria,0.03,,\"43, 431\"\n",
        "",
        "43,Austria,0.03\n431,Austria,0.03",
    );
    // TWT, as Italians write it.
    check(
        "Destinations;Code;Peak;Off peak;Effective;Route Type;Comment\nItaly;39;0,01;0,01;25/06/2014;CLI;increase\n",
        "",
        "prefix,destination,rate,valid_from\n39,Italy,0.01,2014-06-25",
    );
    // callwithus
    check(
        "dialprefix;destination name;rate;initial billing time;billing increment\n52;Mexico;0.02;60;60\n",
        "",
        "prefix,destination,rate,initial,increment\n52,Mexico,0.02,60,60",
    );
    // 46labs: three prices, the last for calls of which the states are not known.
    let labs =
        "code,duration,increment,interrate,intrarate,ijrate,effective_date\n1201200,6,6,0.001,0.002,0.003,2020-01-15\n";
    check(
        labs,
        "",
        "prefix,destination,rate,rate_interstate,rate_intrastate,initial,increment,minimum,valid_from\n\
         1201200,,0.003,0.001,0.002,6,6,6,2020-01-15",
    );
    check(
        labs,
        "ignore = [\"interrate\", \"ijrate\"]\n[columns]\nrate = \"intrarate\"",
        "prefix,destination,rate,initial,increment,minimum,valid_from\n1201200,,0.002,6,6,6,2020-01-15",
    );
    // Kazoo
    check(
        "prefix,rate_cost,rate_increment,rate_minimum,rate_nocharge_time,rate_surcharge,direction,weight\n44,0.01,6,30,3,0.002,outbound,10\n",
        "",
        "prefix,destination,rate,connect_fee,initial,increment,minimum,free_below\n44,,0.01,0.002,6,6,30,3",
    );
    // Calling code and area code apart, with a title above and a sum below.
    check(
        "Rates of Example Ltd\nvalid for all\nCountry|Country Code|Area Code|Price per minute|Billing\n\
         United Kingdom|44||0.01|60/60\nUnited Kingdom|44|7400-7402|0.02|1/1\nItaly|39|06698|0.03|60+60\nTotal 3\n",
        "",
        "prefix,destination,rate,initial,increment\n3906698,Italy,0.03,60,60\n44,United Kingdom,0.01,60,60\n\
         447400,United Kingdom,0.02,1,1\n447401,United Kingdom,0.02,1,1\n447402,United Kingdom,0.02,1,1",
    );
}

/// What a row asks of a call besides its number.
#[test]
fn rows_that_ask_for_more_than_a_prefix() {
    // Gamma: three columns, whose hours the mapping knows. Equal prices are one row.
    check(
        "ChargeCode,Description,Peak Per Minute,Off Peak Per Minute,Weekend Per Minute,Call Set Up Charge\n\
         44,UK,0.03,0.02,0.01,0.005\n447,UK Mobile,0.05,0.05,0.05,0.005\n",
        "[bands]\npeak = \"mon-fri 8-18\"\nweekend = \"sat;sun\"",
        "prefix,destination,rate,days,hours,connect_fee\n44,UK,0.03,mon-fri,08:00-18:00,0.005\n\
         44,UK,0.02,mon-fri,\"00:00-08:00;18:00-24:00\",0.005\n44,UK,0.01,sat-sun,,0.005\n447,UK Mobile,0.05,,,0.005",
    );
    // An Italian ISP: a line for each band.
    check(
        "Prefisso;Destinazione;Prezzo;Fascia oraria\n39;Italia;0,02;8-18\n44;UK;0,03;\n",
        "",
        "prefix,destination,rate,hours\n39,Italia,0.02,08:00-18:00\n44,UK,0.03,",
    );
    check(
        "code,rate,Time Band\n39,0.02,Peak\n39,0.01,Off-Peak\n44,0.03,Flat\n",
        "[bands]\npeak = \"mon-fri 8-18\"\noff_peak = [\"mon-fri 18-8\", \"sat-sun\"]",
        "prefix,destination,rate,days,hours\n39,,0.02,mon-fri,08:00-18:00\n\
         39,,0.01,mon-fri,\"00:00-08:00;18:00-24:00\"\n39,,0.01,sat-sun,\n44,,0.03,,",
    );
    check(
        "prefix,rate,days,hours\n39,0.02,Mon-Fri,0800-1800\n39,0.01,Mon-Fri,18:00-08:00\n39,0.01,sat sun,\n",
        "",
        "prefix,destination,rate,days,hours\n39,,0.02,mon-fri,08:00-18:00\n\
         39,,0.01,mon-fri,\"00:00-08:00;18:00-24:00\"\n39,,0.01,sat-sun,",
    );
    // callwithus: the United States by states, beside what holds where they are not known.
    check(
        "dialprefix;destination name;rate;rate interstate;rate intrastate;initial billing time;billing increment\n\
         1201;New Jersey;0.012;0.007;0.015;6;6\n1212;New York;;0.008;0.016;6;6\n",
        "",
        "prefix,destination,rate,rate_interstate,rate_intrastate,initial,increment\n\
         1201,New Jersey,0.012,0.007,0.015,6,6\n1212,New York,,0.008,0.016,6,6",
    );
    check(
        "code,rate interstate,rate intrastate\n1201,0.0001,0.0002\n",
        "per = \"second\"",
        "prefix,destination,rate,rate_interstate,rate_intrastate\n1201,,,0.006,0.012",
    );
    check(
        "code,peak,off peak,weekend\n49,0.02,0.01,\n",
        "[bands]\npeak = \"mon-fri 8-18\"\nweekend = \"sat;sun\"",
        "!2: there is no price for these hours",
    );
    // Callers: lists, those without a number, and words that no deck of ours has.
    check(
        "Origination Prefixes,Destination Prefixes,Rate\n\"34, 346\",34,0.01\nanonymous,34,0.4\nEEA,34,0.02\n,34,0.03\n",
        "",
        "prefix,destination,rate,origin\n34,,0.01,\"34;346\"\n34,,0.4,anonymous\n34,,0.03,",
    );
    let (supplied, _) = understood(b"origin,code,rate\nlocal,34,0.01\n,34,0.03\n", "");
    assert_eq!(supplied.held, [Held { line: 2, why: "holds for callers that are named in words" }]);
    // Lengths: one number alone, and as yeti has them.
    check(
        "code,rate,exact match\n16784601475,0,1\n1678,0.01,0\n",
        "",
        "prefix,destination,rate,length\n1678,,0.01,\n16784601475,,0,11",
    );
    check(
        "prefix,rate,min length,max length\n4932,0.05,11,12\n49,0.01,,\n4915,0.02,13,13\n",
        "",
        "prefix,destination,rate,length\n49,,0.01,\n4915,,0.02,13\n4932,,0.05,11-12",
    );
    // Price steps: what later rows repeat of the first is taken off.
    check(
        "code,rate,after seconds,connection fee,increment\n34,0.30,0,0.10,60\n34,0.12,180,0.10,60\n",
        "",
        "prefix,destination,rate,after,connect_fee,initial,increment\n34,,0.3,,0.1,60,60\n34,,0.12,180,,,",
    );
    check("code,rate,after\n34,0.12,180\n", "", "!2: no row says what is paid before 180 s");
    check(
        "code,rate,after,increment\n34,0.30,,60\n34,0.12,180,6\n",
        "",
        "!3: after 180 s the row says more than a price",
    );
    // By the call: alone it is a price of its own, beside a fee or a rate it is a fee.
    check(
        "code,rate,price per call,setup\n491371,,0.14,\n49180,0.02,0.06,0.01\n49181,,0.06,0.01\n",
        "",
        "prefix,destination,rate,per_call,connect_fee\n491371,,,0.14,\n49180,,0.02,,0.07\n49181,,0,,0.07",
    );
}

#[test]
fn cells_of_many_hands() {
    check("\u{feff}CODE;PRICE\r\n49;0,02\r\n", "", "49,,0.02");
    check("code,price\n\"+49 30\",$0.02\n0049151,USD 1.5\n", "", "49151,,1.5\n4930,,0.02");
    check("code;price\n49;1.234,50\n43;0,01\n", "", "43,,0.01\n49,,1234.5");
    check("code,rate per second\n49,0.0001\n", "", "49,,0.006");
    check("code,rate\n49,0.0001\n", "per = \"second\"", "49,,0.006");
    check("code,USD/min\n49,0.01\n", "", "49,,0.01");
    check("code,rate (cents)\n49,1.25\n", "", "49,,0.0125");
    check("49,Germany,0.02\n", "[columns]\nprefix = 1\ndestination = 2\nrate = 3", "49,Germany,0.02");
    check(
        "code,rate\n49,0.02\n",
        "initial = 30\nincrement = 6",
        "prefix,destination,rate,initial,increment\n49,,0.02,30,6",
    );
    check("code,rate,change\n49,0.02,increase\n48,0.02,deleted\n", "", "49,,0.02");
    check(
        "code,rate,from,to\n49,0.02,2026-01-01,2026-01-31\n",
        "end_dates = \"inclusive\"",
        "prefix,destination,rate,valid_from,valid_to\n49,,0.02,2026-01-01,2026-02-01",
    );
    check(
        "code,rate,valid from\n49,0.02,05/06/2014\n",
        "dates = \"mdy\"",
        "prefix,destination,rate,valid_from\n49,,0.02,2014-05-06",
    );
    let utf16: Vec<u8> = "\u{feff}code\trate\n49\t0.02\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(shown(&utf16, ""), "prefix,destination,rate\n49,,0.02\n");
}

#[test]
fn what_may_mean_two_things_is_asked() {
    for (text, mapping, expected) in [
        (
            "code,rate,effective\n49,0.02,05/06/2014\n",
            "",
            "!2: \"05/06/2014\" may be 2014-06-05 or 2014-05-06, and no other date tells",
        ),
        ("code;rate\n49;1,234\n", "", "!2: \"1,234\" may have a decimal comma or thousands, and no other amount tells"),
        ("code;rate\n49;0,02\n48;0.03\n", "", "!3: line 3 has a decimal point and line 2 a decimal comma"),
        (
            "code;rate\n49;0,02\n48;0.03\n",
            "decimal = \",\"",
            "!3: rate: \"0.03\" has another decimal mark than the deck",
        ),
        ("code,peak,off peak\n49,0.02,0.01\n", "", "!2: when is peak?"),
        ("code,peak,off peak,weekend\n49,0.02,0.01,0.01\n", "[bands]\npeak = \"8-18\"", "!2: when is off-peak?"),
        ("code,rate,band\n49,0.02,off-peak\n", "", "!2: when is off-peak?"),
        ("code,rate,band\n49,0.02,lunch\n", "", "!2: \"lunch\" is no band"),
        ("code,rate\n49,0.01\n", "[bands]\npek = \"8-18\"", "!0: the mapping names a band \"pek\""),
        (
            "code,rate,grace time\n49,0.02,3\n",
            "",
            "!2: grace: \"3\" seconds may be free at the start of each call, or make only shorter calls free",
        ),
        ("code,rate,valid to\n49,0.02,2026-01-31\n", "", "!1: does a row still hold on the day of its end?"),
        ("code,rate,price\n49,0.02,0.03\n", "", "!1: \"rate\" and \"price\" both look like the column rate"),
        ("code,rate\n49,$0.02\n48,€0.03\n", "", "!3: rate: EUR, where the deck is in USD"),
        ("a,b\n1,2\n", "", "!0: no row looks like a heading with a code and a price"),
        ("code,rate\n49,0.01\n", "[columns]\nrte = 2", "!0: the mapping names a column \"rte\""),
        ("code,rate\n49,0.01\n", "[columns]\nrate = \"Preis\"", "!1: rate: there is no \"Preis\""),
        ("", "", "!0: the file is empty"),
        ("code,rate\n", "", "!0: there is no row with a code and a price"),
    ] {
        assert_eq!(shown(text.as_bytes(), mapping), expected, "{text}");
    }
}

#[test]
fn every_bad_row_is_named() {
    let text = "code,rate,increment\n49,0.02,60\n4.95E+12,0.02,60\n48,n/a 1,60\n47,0.02,0\n46,,60\n045,0.02,60\n";
    let expected = "!3: code: \"4.95E+12\" was made a rounded number by a spreadsheet\n\
                    !4: rate: \"n/a 1\" is not an amount\n!5: an increment of 0 seconds\n!6: there is no price\n\
                    !7: code: \"045\" begins with 0";
    assert_eq!(shown(text.as_bytes(), ""), expected);
}

#[test]
fn a_saved_mapping_reads_the_same_deck_again() {
    let text = b"Ziel;Vorwahl;Preis;Takt;Effective\nGermany;49;0,02;60/60;25/06/2014\n";
    let (first, _) = understood(text, "");
    let saved = first.mapping.text();
    let (second, findings) = understood(text, &saved);
    assert_eq!(findings, []);
    assert_eq!(second.rows, first.rows);
    assert_eq!(Mapping::parse(&saved).unwrap(), first.mapping);
    assert!(
        saved.contains("decimal = \",\"")
            && saved.contains("dates = \"dmy\"")
            && saved.contains("prefix = \"Vorwahl\""),
        "{saved}"
    );
}

/// A written deck, read by the reader of our own decks, as lines like those of [`expected`].
fn reread(written: &str) -> Vec<String> {
    let mut findings = Findings::new("t");
    let deck = deck::read(written.as_bytes(), &Zone::UTC, &|_, _| None, &mut findings);
    assert!(!findings.refused(), "{:?}\n{written}", findings.finish());
    let shown = |row: &deck::DeckRow| {
        let t = &deck.terms[row.terms as usize];
        let steps = t.steps.map_or_else(String::new, |s| format!("{}/{}", s.initial, s.increment));
        format!("{} {} {} {steps} {}", row.prefix, t.price.rate, t.price.connect_fee, deck.names[row.name as usize])
    };
    let mut lines: Vec<String> = deck.rows.iter().map(shown).collect();
    lines.sort();
    lines
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = understood(&bytes, "");
    }

    #[test]
    fn anything_under_a_heading_is_read_or_refused(body in "[0-9a-zA-Z.,;|/+\\-^*$€\"\n \t]{0,200}", separator in "[,;|\t]") {
        let head = ["code", "rate", "increment", "effective", "country code", "area code"].join(&separator);
        let _ = understood(format!("{head}\n{body}").as_bytes(), "dates = \"dmy\"");
    }

    /// What is written says what the rows said: the expected lines are made from the numbers, not by the writer.
    #[test]
    fn a_written_deck_says_the_same(
        rows in proptest::collection::btree_map(1000u32..99_999, (0u64..5_000_000, 0u64..1000, 1u32..90, 1u32..90, "[A-Za-z,\"; é]{0,12}"), 1..20)
    ) {
        let (mut text, mut expected) = ("Code|Price|Setup|Initial|Increment|Name\n".to_owned(), Vec::new());
        for (code, (micros, fee, initial, increment, name)) in &rows {
            let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ");
            let (rate, setup) = (format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000), format!("0.{fee:03}"));
            text += &format!("{code}|{rate}|{setup}|{initial}|{increment}|\"{}\"\n", name.replace('"', "\"\""));
            let (rate, setup) = (Money::parse(&rate).unwrap(), Money::parse(&setup).unwrap());
            expected.push(format!("{code} {rate} {setup} {initial}/{increment} {name}"));
        }
        expected.sort();
        prop_assert_eq!(reread(&shown(text.as_bytes(), "")), expected);
    }
}
