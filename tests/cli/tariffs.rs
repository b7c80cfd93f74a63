//! Changing prices: what a change changes, and the way back.

use std::fs;

use serde_json::{Value, json};

use super::Place;

fn raise(place: &Place, from: &str, to: &str) {
    let deck = fs::read_to_string(place.path("rates/decks/world-eur.csv")).unwrap();
    assert!(deck.contains(from), "{deck}");
    place.write("rates/decks/world-eur.csv", deck.replace(from, to));
}

/// A deck of three rows instead of the shipped one.
fn small_deck(place: &Place) {
    let deck = "prefix,destination,rate\n55,Brazil,0.10\n5511,Sao Paulo,0.08\n55119,Sao Paulo Mobile,0.16\n";
    place.write("rates/decks/world-eur.csv", deck);
}

#[test]
fn what_a_change_of_prices_changes() {
    let place = Place::new();
    small_deck(&place);
    place.run(&["tariff", "compile", "--out", "old.image"]).code(0);
    assert_eq!(place.json(&["tariff", "diff", "old.image", "rates", "--json"])["equal"], true);
    fs::copy(place.path("rates/decks/world-eur.csv"), place.path("world-eur.csv")).unwrap();

    // Sao Paulo: 0.08 to 0.10 is a quarter more; its mobiles go, Brazil stays, Rio comes.
    let deck = "prefix,destination,rate\n55,Brazil,0.10\n5511,Sao Paulo,0.10\n5521,Rio,0.09\n";
    place.write("rates/decks/world-eur.csv", deck);
    let plans = fs::read_to_string(place.path("rates/plans.toml")).unwrap();
    assert!(plans.contains("included_minutes"), "{plans}");
    let changed: String = plans
        .lines()
        .map(|line| if line.starts_with("included_minutes") { "included_minutes = 7" } else { line })
        .fold(String::new(), |text, line| text + line + "\n");
    place.write("rates/plans.toml", changed);

    let told = place.run(&["tariff", "diff", "old.image", "rates", "--json", "--rows"]).code(1).last_json();
    let (added, removed, up) = (&told["rows"]["added"], &told["rows"]["removed"], &told["rows"]["up"]);
    assert_eq!((added, removed, up), (&json!(1), &json!(1), &json!(1)), "{told}");
    let first = &told["destinations"][0];
    assert_eq!((&first["destination"], &first["largest"]["percent"]), (&json!("Sao Paulo"), &json!("+25.00")));
    let changes: Vec<String> = told["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| format!("{} {}", change["prefix"].as_str().unwrap(), change["what"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, ["5511 up", "55119 removed", "5521 added"]);
    assert_eq!(
        told["plans"].as_array().unwrap().iter().map(|p| &p["after"]).collect::<Vec<_>>(),
        [&json!("7")],
        "{told}"
    );

    // The same of decks alone, whatever stands on the other side.
    for arguments in
        [["old.image", "rates"], ["world-eur.csv", "rates"], ["world-eur.csv", "rates/decks/world-eur.csv"]]
    {
        let told = [&["tariff", "diff"][..], &arguments, &["--deck", "world-eur", "--json"]].concat();
        let told = place.run(&told).code(1).last_json();
        assert_eq!(
            told["rows"],
            json!({ "added": 1, "removed": 1, "up": 1, "down": 0, "other": 0, "unchanged": 1 }),
            "{arguments:?}"
        );
    }
    let table = place.run(&["tariff", "diff", "old.image", "rates", "--top", "1"]).code(1);
    assert!(table.out().contains("+25.00 %") && !table.out().contains("Rio"), "{}", table.out());
    assert_eq!(table.err(), "");

    // What cannot be compared is no difference.
    for (arguments, says) in [
        (["old.image", "nosuch"], "neither a file nor a folder"),
        (["old.image", "0123456789"], "there is no image"),
        (["other.csv", "rates"], "no deck \"other\""),
        (["bad.csv", "world-eur.csv"], "no deck that could be in force"),
    ] {
        place.write("other.csv", "prefix,rate\n49,0.1\n");
        place.write("bad.csv", "prefix,rate\n49,cheap\n");
        let ended = place.run(&[&["tariff", "diff"][..], &arguments].concat()).code(2);
        assert!(ended.err().contains(says), "{}", ended.err());
    }
}

/// Digest and who asked, oldest first.
fn history(place: &Place) -> Vec<(String, String)> {
    let told = place.json(&["tariff", "history", "--json"]);
    let of = |tariff: &Value, name: &str| tariff[name].as_str().unwrap().to_owned();
    told["tariffs"].as_array().unwrap().iter().map(|tariff| (of(tariff, "digest"), of(tariff, "by"))).collect()
}

fn in_force(place: &Place) -> String {
    place.json(&["tariff", "history", "--json"])["tariff"].as_str().unwrap().to_owned()
}

fn cost(place: &Place) -> String {
    let call = ["explain", "--account", "acme", "--to", "005511987654321", "--duration", "60", "--json"];
    place.json(&call)["cost"].as_str().unwrap().to_owned()
}

#[test]
fn an_earlier_tariff_comes_back_and_stays() {
    let place = Place::new();
    small_deck(&place);
    let first = in_force(&place);
    assert_eq!(cost(&place), "0.1600");
    raise(&place, "Mobile,0.16", "Mobile,0.20");
    let second = in_force(&place);
    assert_ne!(first, second);
    assert_eq!(cost(&place), "0.2000");

    // Nobody at work: every command starts the engine, and with it looks at the folder.
    let done = place.json(&["tariff", "activate", &first[..20], "--json"]);
    assert_eq!((&done["tariff"], &done["before"]), (&json!(first), &json!(second)));
    assert_eq!((in_force(&place), cost(&place)), (first.clone(), "0.1600".to_owned()));

    // A daemon, a signal, and changes of what is not prices.
    let daemon = place.serve("");
    assert_eq!(in_force(&place), first);
    let accounts = fs::read_to_string(place.path("rates/accounts.csv")).unwrap();
    let row = accounts.lines().find(|line| line.starts_with("acme,")).unwrap().replacen("acme,", "zenith,", 1);
    let before = place.json(&["tariff", "show", "--json"])["rows"].clone();
    let extensions = accounts.lines().next().unwrap().split(',').position(|name| name == "extensions");
    let row: Vec<&str> = row.split(',').enumerate().map(|(i, c)| if Some(i) == extensions { "" } else { c }).collect();
    place.write("rates/accounts.csv", format!("{}\n{}\n", accounts.trim_end(), row.join(",")));
    let patience = super::Patience::new();
    while !place
        .run(&["explain", "--account", "zenith", "--to", "005511987654321", "--duration", "60"])
        .err()
        .is_empty()
    {
        assert!(patience.lasts(), "the new account is not seen");
    }
    assert_eq!(place.json(&["tariff", "show", "--json"])["rows"], before);
    assert_eq!((in_force(&place), cost(&place)), (first.clone(), "0.1600".to_owned()));
    assert_eq!(daemon.stop(), 0);

    // After a restart, too; and what the folder gives can be asked for.
    let daemon = place.serve("");
    assert_eq!((in_force(&place), cost(&place)), (first.clone(), "0.1600".to_owned()));
    place.run(&["tariff", "activate", &second]).code(0);
    assert_eq!((in_force(&place), cost(&place)), (second.clone(), "0.2000".to_owned()));
    // What is planned prices no call before its time, and is not in force.
    place.run(&["tariff", "activate", &first, "--from", "2099-01-01T00:00:00Z"]).code(0);
    assert_eq!((in_force(&place), cost(&place)), (second.clone(), "0.2000".to_owned()));
    let then = ["--account", "acme", "--to", "005511987654321", "--duration", "60", "--at", "2099-01-01T00:00:00Z"];
    assert_eq!(place.json(&[&["explain", "--json"], &then[..]].concat())["cost"], "0.1600");
    place.run(&["tariff", "activate", &first, "--from", "2026-01-01T00:00:00Z"]).code(0);
    assert_eq!(daemon.stop(), 0);

    // Other prices are meant.
    raise(&place, "Mobile,0.20", "Mobile,0.30");
    let third = in_force(&place);
    assert!(third != first && third != second);
    assert_eq!(cost(&place), "0.3000");
    raise(&place, "Mobile,0.30", "Mobile,0.20");
    assert_eq!((in_force(&place), cost(&place)), (second.clone(), "0.2000".to_owned()));
    let by = "command line".to_owned();
    let again = format!("activate, {by}");
    let expected = [
        (&first, &by),
        (&second, &by),
        (&first, &again),
        (&second, &again),
        (&first, &again),
        (&first, &again),
        (&third, &by),
        (&second, &by),
    ];
    assert_eq!(history(&place), expected.map(|(digest, by)| (digest.clone(), by.clone())));
    let table = place.run(&["tariff", "history"]).code(0);
    assert!(table.out().contains(&third) && table.out().contains("ever"), "{}", table.out());
}

/// What was planned gives way to whatever is activated behind it: whoever does that is told, by whichever way, and so is who looks.
#[test]
fn a_plan_that_is_overtaken_is_told() {
    let place = Place::new();
    small_deck(&place);
    let first = in_force(&place);
    raise(&place, "Mobile,0.16", "Mobile,0.20");
    let second = in_force(&place);
    let states = |place: &Place| -> Vec<Value> {
        let told = place.json(&["tariff", "history", "--json"]);
        told["tariffs"].as_array().unwrap().iter().map(|tariff| tariff["state"].clone()).collect()
    };
    let (christmas, new_year) = ("2098-12-24T00:00:00Z", "2099-01-01T00:00:00Z");
    let planned = place.run(&["tariff", "activate", &first, "--from", new_year]).code(0);
    assert_eq!(planned.err(), "", "nothing is overtaken");
    assert_eq!(states(&place), ["earlier", "in_force", "planned"]);

    // Somebody changes a price: the log says it, and the list.
    raise(&place, "Mobile,0.20", "Mobile,0.30");
    let noticed = place.run(&["tariff", "history"]).code(0).err();
    assert!(noticed.contains("will not apply"), "{noticed}");
    let third = in_force(&place);
    assert!(third != first && third != second);
    assert_eq!(states(&place), ["earlier", "earlier", "overtaken", "in_force"]);
    let told = place.json(&["tariff", "history", "--json"]);
    assert_eq!(told["tariffs"][2]["overtaken_by"], json!(third));
    let table = place.run(&["tariff", "history"]).code(0).out();
    let digits = |digest: &str| digest.trim_start_matches("blake3:")[..12].to_owned();
    assert!(table.contains(&format!("will not apply: overtaken by {}", digits(&third))), "{table}");

    // Planned again, by the command that the warning names, and overtaken by an activation.
    place.run(&["tariff", "activate", &first, "--from", new_year]).code(0);
    let done = place.run(&["tariff", "activate", &second]).code(0);
    let command = format!("callrated tariff activate {} --from {new_year}", digits(&first));
    assert!(done.err().starts_with("warning: tariff ") && done.err().contains(&command), "{}", done.err());
    assert_eq!(done.err().lines().count(), 1, "{}", done.err());
    let again: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(place.run(&again).code(0).err(), "");
    // In machine-readable form; what begins later than a plan leaves it alone.
    let done = place.json(&["tariff", "activate", &third, "--from", christmas, "--json"]);
    let overtaken = &done["overtaken"][0];
    assert_eq!(
        (&overtaken["tariff"], &overtaken["planned_for"], &overtaken["by"]),
        (&json!(first), &json!(new_year), &json!(third)),
        "{done}"
    );
    let last = place.json(&["tariff", "activate", &first, "--from", new_year, "--json"]);
    assert_eq!(last["overtaken"], json!([]));
    assert_eq!(
        states(&place),
        ["earlier", "earlier", "overtaken", "earlier", "overtaken", "in_force", "overtaken", "planned", "planned"]
    );
}

#[test]
fn what_cannot_come_back_is_said_and_changes_nothing() {
    let place = Place::new();
    let first = in_force(&place);
    let none = "0123456789abcdef".repeat(4);
    for (digest, code, says) in [
        (none.as_str(), 1, "there is no image blake3:0123"),
        ("0123456789", 1, "no tariff that was in force begins with"),
        ("../../etc/passwd", 2, "hex digits"),
        ("0123", 2, "hex digits"),
    ] {
        let ended = place.run(&["tariff", "activate", digest]).code(code);
        assert!(ended.sentence().contains(says), "{}", ended.err());
    }
    place.run(&["tariff", "activate", &first, "--from", "soon"]).code(2);

    // Another plan, to which the account moved: the tariff of before does not have it.
    for file in ["plans.toml", "accounts.csv"] {
        let text = fs::read_to_string(place.path(&format!("rates/{file}"))).unwrap();
        place.write(&format!("rates/{file}"), text.replace("de-business", "de-grown"));
    }
    let second = in_force(&place);
    assert_ne!(first, second);
    let refused = place.run(&["tariff", "activate", &first]).code(1);
    assert!(refused.sentence().contains("\"de-grown\""), "{}", refused.err());
    assert_eq!(in_force(&place), second);
    assert_eq!(history(&place).len(), 2);
}

/// Every file of a folder with its content.
fn files(place: &Place, folder: &str) -> Vec<(String, Vec<u8>)> {
    let listed = fs::read_dir(place.path(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = listed.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_tariff_is_tried_on_a_month_and_nothing_is_touched() {
    let place = Place::new();
    small_deck(&place);
    place.write("old.json", super::records(140, "a").join("\n"));
    place.json(&["import", "old.json", "--json"]);
    let usage = place.json(&["usage", "acme", "--period", "2026-10", "--json"]);
    let digest = in_force(&place);
    let tries = |tariff: &str, more: &[&str]| {
        place.json(&[&["tariff", "try", "--period", "2026-10", "--tariff", tariff, "--json"][..], more].concat())
    };

    // The tariff in force, named in each way: what it was before and after.
    place.run(&["tariff", "compile", "--out", "now.image"]).code(0);
    for named in [digest.as_str(), &digest[..20], "rates", "now.image"] {
        let tried = tries(named, &[]);
        assert_eq!(tried["tariff"], digest);
        for row in ["total", "accounts", "destinations"].iter().flat_map(|name| tried[name].as_array().unwrap()) {
            assert_eq!(row["cost_before"], row["cost_after"], "{row}");
            assert_eq!(row["calls_before"], row["calls_after"], "{row}");
        }
        assert_eq!((&tried["lost"], &tried["gained"]), (&json!([]), &json!(0)));
        assert_eq!(tried["accounts"][0]["cost_before"], usage["cost"], "{usage}");
    }

    // Mobiles of Sao Paulo at twice the price; premium numbers in no deck any more. Nothing of it comes into force.
    let (journal, images) = (files(&place, "data/journal"), files(&place, "data/images"));
    let rates =
        ["rates/countries.toml", "rates/numbering.csv", "rates/plans.toml", "rates/accounts.csv", "rates/numbers.csv"];
    for file in rates.into_iter().chain(["rates/decks/tollfree-de.csv"]) {
        let to = file.replacen("rates", "new", 1);
        place.write(&to, fs::read(place.path(file)).unwrap());
    }
    let premium = fs::read_to_string(place.path("rates/decks/premium-de.csv")).unwrap();
    let less: String =
        premium.lines().filter(|line| !line.starts_with("49900")).fold(String::new(), |t, l| t + l + "\n");
    assert!(less.len() < premium.len());
    place.write("new/decks/premium-de.csv", less);
    let deck = "prefix,destination,rate\n55,Brazil,0.10\n5511,Sao Paulo,0.08\n55119,Sao Paulo Mobile,0.32\n";
    place.write("new/decks/world-eur.csv", deck);
    let tried = tries("new", &[]);
    let of = |destination: &str| {
        let rows = tried["destinations"].as_array().unwrap();
        rows.iter().find(|row| row["destination"] == destination).unwrap_or_else(|| panic!("{destination}: {tried}"))
    };
    let mobile = of("Sao Paulo Mobile");
    assert_eq!(super::nano(&mobile["cost_after"]), 2 * super::nano(&mobile["cost_before"]), "{mobile}");
    assert_eq!(mobile["percent"], "+100.00");
    let lost = &tried["lost"][0];
    assert_eq!((&lost["reason"], lost["calls"].as_u64()), (&json!("no_rate"), Some(30)), "{tried}");
    assert!(lost["prefix"].as_str().unwrap().starts_with("49900"), "{lost}");
    let total = &tried["total"][0];
    assert_eq!(total["calls_before"].as_u64().unwrap() - 30, total["calls_after"].as_u64().unwrap());
    assert_eq!(tries("new", &["--account", "acme"])["total"], tried["total"]);
    let table = place.run(&["tariff", "try", "--period", "2026-10", "--tariff", "new"]).code(0);
    assert!(table.out().contains("no longer rated") && table.out().contains("+100.00"), "{}", table.out());
    assert_eq!((files(&place, "data/journal"), files(&place, "data/images")), (journal, images));

    // Beside a daemon the same.
    let daemon = place.serve("");
    assert_eq!(tries("new", &[])["destinations"], tried["destinations"]);
    assert_eq!(place.json(&["usage", "acme", "--period", "2026-10", "--json"]), usage);
    assert_eq!(daemon.stop(), 0);
    assert_eq!(in_force(&place), digest);

    for (arguments, code, says) in [
        (["--period", "october", "--tariff", "rates"], 2, "YYYY-MM"),
        (["--period", "2026-10", "--tariff", "rates/decks/world-eur.csv"], 2, "is one deck"),
        (["--period", "2026-10", "--tariff", "0123456789"], 2, "there is no image"),
    ] {
        let ended = place.run(&[&["tariff", "try"][..], &arguments].concat()).code(code);
        assert!(ended.sentence().contains(says), "{}", ended.err());
    }
    place.run(&["tariff", "try", "--period", "2026-10", "--tariff", "rates", "--account", "nosuch"]).code(1);
}
