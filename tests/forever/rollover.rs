//! Minutes that roll over, prices by volume and calls in quick succession, as customers and operators see them; and that they
//! hold when details are gone.

use serde_json::{Value, json};

use super::retention::{call, json_of, months, seal, verified};
use crate::process::daemon::{Daemon, EACH_SECOND, wait_for};
use crate::process::{PLANS, german, rates_folder};

const LONDON: &str = "00442079460123";
const LEEDS: &str = "00441132960999";
const MOBILE: &str = "0151 23456789";

/// Ten minutes that are kept for two months; abroad 10 % less behind the first minute; calls that follow soon are one.
fn plans() -> String {
    let keys = "included_minutes = 10\nrollover = { months = 2 }\nsuccessive = { within = 120, from = \"any\" }\n\
                tiers.world = { of = [\"international\"], levels = [{ after_minutes = 1, discount = \"10%\" }] }";
    PLANS.replacen("included_minutes = 2000", keys, 1)
}

fn explained(daemon: &Daemon, id: &str, language: &str) -> String {
    let leg = json_of(daemon, &format!("/v1/calls/sbc/{id}/explain?lang={language}"))["legs"][0].clone();
    assert_eq!(leg["proved"], true, "{leg:#}");
    leg["words"].as_array().unwrap().iter().map(|words| words.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_left_is_handed_on_told_and_stands_when_details_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let rates = rates_folder(folder.path());
    std::fs::write(rates.join("plans.toml"), plans()).unwrap();
    let [old, young] = months();
    let daemon = Daemon::start(folder.path());
    let of = |id: &str, to: &str, month: &str, second: usize| call(id, "de00", &german(0), to, month, second);
    // 61 s are two minutes: 8 of 10 are left. Of de01 all 10 are.
    let other = call("other", "de01", &german(1), LONDON, &young, 0);
    daemon.send_http(&[&of("o1", MOBILE, &old, 0), &other]);

    // The later month cannot go first.
    let (status, said) = daemon.ask("POST", &format!("/v1/periods/{young}/seal"), r#"{"early":true}"#);
    assert_eq!(status, 409, "{said}");
    assert!(said.contains(&format!("{old} is not sealed")) && said.contains("rolls over"), "{said}");
    let state = json_of(&daemon, &format!("/v1/periods/{young}"))["state"].clone();
    assert!(state != "sealing" && state != "sealed", "{state}");
    let (code, said, wrong) = Daemon::command(folder.path(), &["seal", &young, "--early"]);
    assert!(code == 1 && wrong.contains(&format!("seal {old} first")), "{code} {said}{wrong}");
    seal(&daemon, &old);

    // Two minutes at home; two abroad, the second of them behind the first minute of the month; two more to another number; and a
    // minute more of the first one.
    daemon.send_http(&[
        &of("y1", MOBILE, &young, 0),
        &of("y2", LONDON, &young, 300),
        &of("y3", LEEDS, &young, 365),
        &of("y4", LONDON, &young, 391),
    ]);
    let cost = |id: &str| json_of(&daemon, &format!("/v1/calls/sbc/{id}"))["legs"][0]["cost"].clone();
    // 0.05 + 0.031 + 0.0279; 0.05 + 2 × 0.0279; the first minute stays at its price, the third costs 0.0279.
    assert_eq!(["y1", "y2", "y3", "y4"].map(cost), ["0.0000", "0.1089", "0.1058", "0.0279"].map(|cost| json!(cost)));

    let usage = |month: &str| json_of(&daemon, &format!("/v1/accounts/de00/usage?period={month}"));
    let (then, now) = (usage(&old)["allowance"].clone(), usage(&young));
    assert_eq!((&then["handed_on_seconds"], &then["left_seconds"]), (&json!(480), &json!(0)), "{then:#}");
    let next = json_of(&daemon, &format!("/v1/periods/{young}/usage"));
    assert!(next.to_string().contains("de00"), "{next}");
    let until = {
        let (year, month) =
            young.split_once('-').map(|(y, m)| (y.parse::<i16>().unwrap(), m.parse::<i8>().unwrap())).unwrap();
        if month == 12 { format!("{:04}-01", year + 1) } else { format!("{year:04}-{:02}", month + 1) }
    };
    let carried = json!([{ "from": old, "seconds": 480, "left_seconds": 360, "until": until }]);
    let allowance = &now["allowance"];
    assert_eq!((&allowance["used_seconds"], &allowance["left_seconds"]), (&json!(120), &json!(960)), "{now:#}");
    assert_eq!(allowance["carried"], carried, "{now:#}");
    let tier = &now["tiers"][0];
    assert_eq!(
        ["name", "charged_seconds", "price"].map(|key| tier[key].clone()),
        [json!("world"), json!(300), json!("10 % less")],
        "{tier}"
    );
    let lines = |month: &str| Daemon::command(folder.path(), &["usage", "de00", "--period", month]).1;
    let (then, now) = (lines(&old), lines(&young));
    assert!(then.contains("  handed on to later months: 8:00 min"), "{then}");
    let line = format!("  carried over from {old}: 8:00 min, 6:00 min left until the end of {until}");
    assert!(now.contains(&line) && now.contains("tier world: 5:00 min charged, now 10 % less"), "{now}");

    // In the customer's words.
    for (id, language, words) in [
        ("y1", "en", "This allowance includes 480 s left over from earlier months; they are used first."),
        ("y1", "de", "Darin enthalten sind 480 s aus früheren Monaten; sie werden zuerst verbraucht."),
        ("y1", "it", "Sono compresi 480 s rimasti dai mesi precedenti, usati per primi."),
        ("y2", "en", "0 s charged in the month before: 60 s at the usual price; 60 s at 10 % less (beyond 1 min)."),
        ("y2", "de", "zuvor 0 s berechnet: 60 s zum üblichen Preis; 60 s um 10 % günstiger (ab 1 min)."),
        ("y2", "it", "con 0 s già addebitati nel mese: 60 s al prezzo normale; 60 s con 10 % di sconto (oltre 1 min)."),
        ("y4", "en", "61 s were talked before, 122 s in all; 120 s were billed before, 60 s are added."),
        (
            "y4",
            "de",
            "Zuvor wurden 61 s gesprochen, insgesamt 122 s; 120 s wurden bereits abgerechnet, 60 s kommen hinzu.",
        ),
        ("y4", "it", "prima si è parlato 61 s, in tutto 122 s; 120 s erano già addebitati, se ne aggiungono 60 s."),
    ] {
        let told = explained(&daemon, id, language);
        assert!(told.contains(words), "{id} {language}: {told}");
    }

    // Tried by what is in force nothing is another, by the command and by the API alike.
    for month in [&old, &young] {
        let (code, said, wrong) =
            Daemon::command(folder.path(), &["tariff", "try", "--period", month, "--tariff", "rates", "--json"]);
        assert_eq!(code, 0, "{wrong}");
        let tried: Value = serde_json::from_str(&said).unwrap();
        for row in ["total", "accounts", "destinations"].iter().flat_map(|name| tried[name].as_array().unwrap()) {
            assert_eq!(row["cost_before"], row["cost_after"], "{row}");
        }
        // 0.1089 + 0.1058 + 0.0279, and 0.1089 of de01.
        assert_eq!(tried["total"][0]["cost_after"], if *month == old { "0.0000" } else { "0.3515" }, "{tried:#}");
        let (status, asked) = daemon.ask("POST", "/v1/tariff/try", &json!({ "period": month }).to_string());
        assert_eq!(status, 200, "{asked}");
        let asked: Value = serde_json::from_str(&asked).unwrap();
        for what in ["period", "tariff", "total", "accounts", "destinations", "lost", "below", "fixed"] {
            assert_eq!(asked[what], tried[what], "{what}");
        }
    }
    verified(&daemon, &young);
    assert_eq!(verified(&daemon, &old)["calls"], 1);
    assert_eq!(daemon.terminate().0.code(), Some(0));

    // The details of the month that handed on are deleted: what it handed on is proved by its manifest.
    let daemon = Daemon::start_with(folder.path(), &format!("{EACH_SECOND}[retention]\ncalls = \"1 month\"\n"));
    wait_for("the rule", || {
        let shown = json_of(&daemon, "/v1/retention");
        shown["orders"]
            .as_array()
            .is_some_and(|orders| orders.iter().any(|order| order["what"] == "delete" && order["state"] == "done"))
    });
    assert_eq!(daemon.ask("GET", "/v1/calls/sbc/o1", "").0, 410);
    let month = verified(&daemon, &old);
    assert_eq!((&month["calls"], &month["deleted"]), (&json!(0), &json!(1)), "{month:#}");
    // A late call of it finds nothing left: two minutes at 0.015.
    daemon.send_http(&[&of("o2", MOBILE, &old, 600)]);
    let late = json_of(&daemon, "/v1/calls/sbc/o2")["legs"][0].clone();
    assert_eq!((&late["cost"], &late["adjusts"]), (&json!("0.0300"), &json!(old)), "{late:#}");
    verified(&daemon, &old);
    seal(&daemon, &young);
    verified(&daemon, &young);
    let (code, said, wrong) = Daemon::command(&daemon.kill(), &["verify"]);
    assert_eq!(code, 0, "{said}{wrong}");
}
