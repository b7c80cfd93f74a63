//! What calls cost us: told to operators, and in no answer to a customer.

use super::*;

/// The shipped rates, and a carrier behind the plan of acme.
fn with_costs(folder: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let rates = folder.join("rates");
    std::fs::create_dir_all(rates.join("decks")).unwrap();
    for name in ["countries.toml", "numbering.csv", "accounts.csv", "numbers.csv"] {
        std::fs::copy(shipped.join(name), rates.join(name)).unwrap();
    }
    for deck in std::fs::read_dir(shipped.join("decks")).unwrap() {
        let deck = deck.unwrap();
        std::fs::copy(deck.path(), rates.join("decks").join(deck.file_name())).unwrap();
    }
    let plans = std::fs::read_to_string(shipped.join("plans.toml")).unwrap();
    let named =
        "[plan.de-business]\ncost_decks = [\"carrier\"]\ncarriers = { colt = [\"colt\"] }\nminimum_margin = \"10\"\n";
    std::fs::write(rates.join("plans.toml"), plans.replacen("[plan.de-business]\n", named, 1)).unwrap();
    let carrier = "prefix,rate,destination,increment\n4915,0.0117,Mobile,1\n55,7.77,Brazil,60\n4930,0.0013,Berlin,1\n";
    std::fs::write(rates.join("decks/carrier.csv"), carrier).unwrap();
    std::fs::write(rates.join("decks/colt.csv"), "prefix,rate,destination,increment\n4915,0.0341,Mobile,1\n").unwrap();
}

fn sold() -> Vec<Value> {
    let mut carried = record("carried", "015123456789", 3, 60);
    carried["carrier"] = json!("colt");
    vec![
        record("mobile", "015123456789", 0, 61),
        record("abroad", "00551198765432", 1, 61),
        // No cost deck knows France.
        record("france", "0033123456789", 2, 60),
        carried,
    ]
}

#[test]
fn operators_see_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    with_costs(folder.path());
    let daemon = Daemon::start_in(folder, "");
    daemon.send(&sold());
    let (period, _) = last_month();
    let by = |by: &str| daemon.get(&format!("/v1/margin?period={period}&by={by}")).json();
    let lines = |answer: &Value| -> Vec<String> {
        let of = |line: &Value, key: &str| line[key].as_str().map_or(line[key].to_string(), str::to_owned);
        let keys = ["name", "calls", "cost", "unknown", "below"];
        let line = |line: &Value| keys.map(|key| of(line, key)).join(" ");
        answer["lines"].as_array().unwrap().iter().map(line).collect()
    };
    // 0.0117 × 61 / 60 = 0.011895 and 0.0341; 2 × 7.77; what earns least comes first.
    assert_eq!(lines(&by("destination"))[..2], ["Brazil 1 15.5400 0 true", "Mobile 2 0.0460 0 false"]);
    // Where no cost deck knows the way it goes by the name under which it is sold.
    assert!(lines(&by("destination"))[2].ends_with(" 1 0.0000 1 false"), "{:?}", lines(&by("destination")));
    assert_eq!(lines(&by("carrier")), [" 3 15.5519 1 true", "colt 1 0.0341 0 false"]);
    assert_eq!(lines(&by("plan")), ["de-business 4 15.5860 1 true"]);
    assert_eq!(lines(&by("account")), ["acme 4 15.5860 1 true"]);
    assert_eq!(daemon.get(&format!("/v1/margin?period={period}&by=node")).status, 400);
    let total = &by("plan")["total"][0];
    let usage = daemon.get(&format!("/v1/accounts/acme/usage?period={period}")).json();
    assert_eq!(total["revenue"], usage["cost"], "revenue is what is billed");
    let margin: f64 = total["margin"].as_str().unwrap().parse().unwrap();
    assert!(margin < -15.0 && total["percent"].as_str().unwrap().starts_with('-'), "{total}");
    let below = daemon.get(&format!("/v1/margin?period={period}&below=true")).json();
    assert_eq!(below["lines"].as_array().unwrap().len(), 1);
    let csv = daemon.ask("GET", &format!("/v1/margin?period={period}"), &[("Accept", "text/csv")], "");
    assert!(
        csv.body.starts_with("destination,currency,calls,") && csv.body.contains("\r\nMobile,EUR,2,"),
        "{}",
        csv.body
    );
    let metrics = daemon.get("/metrics").body;
    // Daemons of one process share their metrics.
    let metric = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {metrics}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(metric("callrated_margin_calls_total{result=\"below\"}") >= 1.0);
    assert!(metric("callrated_margin_calls_total{result=\"unknown\"}") >= 1.0);
    assert!(metric("callrated_margin_destinations_below") >= 1.0);

    // Everything adds up, and goes on adding up when the month is sealed.
    let verified = daemon.get("/v1/verify").json();
    assert_eq!((&verified["balanced"], &verified["calls"]), (&json!(true), &json!(4)), "{verified}");
    let before = by("carrier");
    let month = format!("/v1/periods/{period}");
    daemon.ask("POST", &format!("{month}/seal"), &[("Content-Type", "application/json")], "{\"early\":true}");
    wait_until("the month is sealed", || daemon.get(&month).json()["state"] == "sealed");
    assert_eq!(by("carrier")["lines"], before["lines"]);
    assert_eq!(daemon.get("/v1/verify").json()["balanced"], json!(true));
}

#[test]
fn a_trial_tells_what_would_be_left() {
    let folder = tempfile::tempdir().unwrap();
    with_costs(folder.path());
    let carrier = folder.path().join("rates/decks/carrier.csv");
    let daemon = Daemon::start_in(folder, "");
    daemon.send(&sold());
    let (period, _) = last_month();
    let post =
        |body: Value| daemon.ask("POST", "/v1/tariff/try", &[("Content-Type", "application/json")], &body.to_string());
    let tariff = daemon.get("/v1/tariff").json()["tariff"].clone();
    let now = post(json!({ "period": period, "tariff": tariff })).json();
    let total = &now["total"][0];
    let usage = daemon.get(&format!("/v1/accounts/acme/usage?period={period}")).json();
    assert_eq!((&total["cost_before"], &total["cost_after"]), (&usage["cost"], &usage["cost"]), "{now:#}");
    assert_eq!(total["margin_before"], total["margin_after"]);
    // As `GET /v1/margin` has it: 0.0119 + 0.0341 + 2 × 7.77, and one call of which nobody knows.
    let left = &total["margin_before"];
    assert_eq!((&left["calls"], &left["unknown"], &left["cost"]), (&json!(4), &json!(1), &json!("15.5860")), "{left}");
    let of_margin = daemon.get(&format!("/v1/margin?period={period}&by=plan")).json()["total"][0].clone();
    assert_eq!((&left["margin"], &left["percent"]), (&of_margin["margin"], &of_margin["percent"]), "{of_margin}");
    let below = &now["below"];
    assert_eq!(below.as_array().unwrap().len(), 1, "{below}");
    let keys = ["plan", "deck", "prefix", "destination", "cost", "least_percent"];
    let expected = ["de-business", "carrier", "55", "Brazil", "15.5400", "10"];
    assert_eq!(keys.map(|key| below[0][key].clone()), expected.map(|value| json!(value)), "{below}");

    // A carrier that is nearly free: the folder as it is now is tried, whatever is in force.
    let cheap = std::fs::read_to_string(&carrier).unwrap().replace("7.77", "0.0001");
    std::fs::write(&carrier, cheap).unwrap();
    let then = post(json!({ "period": period })).json();
    let total = &then["total"][0];
    assert_eq!(total["margin_before"], *left);
    assert_eq!((&total["margin_after"]["cost"], &then["below"]), (&json!("0.0462"), &json!([])), "{then:#}");
    assert_eq!(total["difference"], "0.0000");
    let account = &then["accounts"][0];
    assert_eq!((&account["account"], &account["margin_after"]), (&json!("acme"), &total["margin_after"]));
    let abroad = then["destinations"].as_array().unwrap().iter().find(|row| row["margin_before"]["cost"] == "15.5400");
    assert_eq!(abroad.expect("Brazil")["margin_after"]["cost"], "0.0002");

    assert_eq!(post(json!({ "period": "October" })).status, 400);
    assert_eq!(post(json!({ "period": period, "account": "nobody" })).status, 404);
    assert_eq!(post(json!({ "period": period, "tariff": "0123456789" })).status, 404);
    std::fs::write(&carrier, "prefix,rate\n55,seven\n").unwrap();
    assert_eq!(post(json!({ "period": period })).status, 422);
}

#[test]
fn customers_see_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    with_costs(folder.path());
    let mut text = String::new();
    let mut token = |name: &str, scopes: &[&str]| {
        let (token, hash) = http::new_token().unwrap();
        text.push_str(&format!("[[token]]\nname = {name:?}\nblake3 = {hash:?}\nscopes = {scopes:?}\n"));
        format!("Bearer {token}")
    };
    let (ingest, read, both) = (token("i", &["ingest"]), token("r", &["read"]), token("b", &["read", "operate"]));
    std::fs::write(folder.path().join("tokens.toml"), text).unwrap();
    let daemon = Daemon::start_in(folder, "tokens = \"tokens.toml\"");
    let lines: String = sold().iter().map(|r| format!("{r}\n")).collect();
    let kind = ("Content-Type", "application/x-ndjson");
    assert_eq!(daemon.ask("POST", "/v1/calls", &[kind, ("Authorization", &ingest)], &lines).status, 200);
    let (period, _) = last_month();
    let ask = |path: &str, token: &str, accept: &str| {
        daemon.ask("GET", path, &[("Authorization", token), ("Accept", accept)], "")
    };
    let calls = format!("/v1/accounts/acme/calls?period={period}");
    let everything = [
        calls.clone(),
        format!("{calls}&columns=full"),
        format!("{calls}&billed_only=true"),
        format!("/v1/accounts/acme/usage?period={period}"),
        format!("/v1/periods/{period}/usage"),
        format!("/v1/periods/{period}/calls"),
        "/v1/calls/lab/abroad".to_owned(),
        "/v1/calls/lab/abroad/explain".to_owned(),
        "/v1/records/lab/abroad".to_owned(),
        "/v1/tariff".to_owned(),
    ];
    let mut seen = 0;
    for path in &everything {
        for accept in ["application/json", "text/csv", "application/x-ndjson"] {
            let answer = ask(path, &read, accept);
            assert!([200, 406].contains(&answer.status), "{path}: {}", answer.body);
            seen += usize::from(answer.status == 200);
            let told = answer.body.to_lowercase();
            for secret in ["15.54", "7.77", "0.0119", "0.0341", "carrier_cost", "carrier cost", "margin", "\"costs\""] {
                assert!(!told.contains(secret), "{path} as {accept} tells {secret}: {}", answer.body);
            }
        }
    }
    assert!(seen > 15, "{seen} answers");
    // Nor is it had by asking, however it is written.
    for columns in ["margin", "%6dargin", "m%61rgin"] {
        let path = format!("{calls}&columns={columns}");
        assert_eq!(ask(&path, &read, "text/csv").status, 403, "{path}");
        assert_eq!(daemon.ask("HEAD", &path, &[("Authorization", &read)], "").status, 403, "{path}");
        let shown = ask(&path, &both, "text/csv");
        assert_eq!(shown.status, 200);
        assert!(shown.body.contains("Carrier Cost") && shown.body.contains(",120,15.5400,,-"), "{}", shown.body);
    }
    assert_eq!(ask(&format!("/v1/margin?period={period}"), &read, "text/csv").status, 403);
    let shown = ask(&format!("{calls}&columns=margin"), &both, "application/json").json();
    let of = |id: &str| shown.as_array().unwrap().iter().find(|leg| leg["id"] == id).unwrap()["costs"].clone();
    assert_eq!(of("carried"), json!({ "carrier_seconds": 60, "carrier_cost": "0.0341", "margin": "-0.0341" }));
    assert_eq!(of("france"), json!({ "carrier_seconds": 0, "carrier_cost": null, "margin": null }));
}
