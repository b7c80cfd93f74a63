//! The README as a newcomer takes it: what stands there is pasted, and has to work.

use callrated::config::Config;
use callrated::guard::read as guard;

use super::*;

const README: &str = include_str!("../../README.md");

/// The blocks of a language, each with the heading over it.
fn blocks(language: &str) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let (mut heading, mut inside) = ("", false);
    for line in README.lines() {
        if line.starts_with("```") {
            inside = !inside && line == format!("```{language}");
            if inside {
                found.push((heading, String::new()));
            }
        } else if inside {
            found.last_mut().unwrap().1 += &format!("{line}\n");
        } else if let Some(text) = line.strip_prefix("##") {
            heading = text.trim_start_matches(['#', ' ']);
        }
    }
    found
}

/// The one block of shell under a heading.
fn only_block(heading: &str) -> String {
    let mut found: Vec<String> =
        blocks("sh").into_iter().filter(|(over, _)| *over == heading).map(|(_, text)| text).collect();
    assert_eq!(found.len(), 1, "{heading}");
    found.remove(0)
}

/// What a shell says to it, which must like all of it.
fn pasted(place: &Place, text: &str) -> Ended {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", text]).current_dir(place.folder.path());
    Ended::of(&["the tour"], bash.stdin(Stdio::null()).output().unwrap()).code(0)
}

/// A daemon with the shipped rates, and the port of its API.
fn with_shipped_rates() -> (Place, Daemon, u16) {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let (records, api) = (free_port(), free_port());
    place.configured(records, api, "");
    let config = fs::read_to_string(place.path("callrated.toml")).unwrap();
    place.write("callrated.toml", format!("rates_dir = {:?}\n{config}", shipped_rates()));
    let daemon = place.started(records, api);
    (place, daemon, api)
}

#[test]
fn the_five_minutes_paste() {
    let (place, daemon, api) = with_shipped_rates();
    let tour = only_block("Five minutes").replace("target/release/callrated", PROGRAM);
    let done = pasted(&place, &tour.replace("127.0.0.1:7080", &format!("127.0.0.1:{api}")));
    let said = done.out();
    for expected in [
        "{\"durable\":1,\"refused\":[]}",
        "EUR 0.7900",
        "10 000 durable, 0 refused",
        "soylent",
        "no_rate",
        "\nbalanced: ",
        "callrated_records_durable_total 10001",
        "callrated_books_unbalanced 0",
        "callrated_store_up 1",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}\n{}", done.err());
    }
    assert!(fs::read_to_string(place.path("calls.csv")).unwrap().starts_with("Quellrufnummer,"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn accounts_over_the_api_paste() {
    let (place, daemon, api) = with_shipped_rates();
    let tour = only_block("Accounts and numbers over the API").replace("\ncallrated ", &format!("\n{PROGRAM} "));
    let done = pasted(&place, &tour.replace("7080", &api.to_string()));
    let said = done.out();
    for expected in [
        "\"changed\":true",
        "change, anna",
        "change, ben",
        "+ account=soylent valid_from=2026-12-31T23:00:00Z",
        "2027-01-31T23:00:00Z",
        "depots",
        "de-business",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}\n{}", done.err());
    }
    // What is wrong is said by row, and nothing of it is done.
    place.write(
        "some.csv",
        "account,plan,country,billing_start\nx1,de-payg,DE,2026-01-01\nx2,de-pay,DE,soon\nx3,,DE,2026-01-01\n",
    );
    let program = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        Ended::of(arguments, command.args(arguments).current_dir(place.folder.path()).output().unwrap())
    };
    let refused = program(&["accounts", "import", "some.csv"]).code(1);
    assert!(refused.err().contains("line 3: ") && refused.err().contains("line 4: "), "{}", refused.err());
    let listed = program(&["accounts", "list", "--after", "tyrell", "--json"]).code(0);
    assert!(listed.out().contains("umbrella") && !listed.out().contains("x1"), "{}", listed.out());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_calls_cost_us_pastes() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let copied = Command::new("cp").arg("-r").arg(shipped_rates()).arg(place.path("rates")).status().unwrap();
    assert!(copied.success());
    let daemon = place.serve("");
    let tour = only_block("What calls cost us").replace("\ncallrated ", &format!("\n{PROGRAM} "));
    let said = pasted(&place, &tour.replace("7080", &daemon.api.to_string())).out();
    for expected in ["5511", "São Paulo", "Germany Mobile", "10 000 durable", "acme"] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
    assert_eq!(daemon.stop(), 0);
}

/// The README's picture of a start is what is printed, but for addresses.
#[test]
fn the_start_says_what_the_readme_shows() {
    let place = Place::new();
    let (records, api) = (free_port(), free_port());
    place.configured(records, api, &format!("[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:{records}\"\n"));
    let mut child = place.command(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: String = (&mut lines).take(5).map(|line| line.unwrap() + "\n").collect();
    terminate(&child);
    assert_eq!(wait(&mut child), 0);
    let said = said.replace(&records.to_string(), "7070").replace(&api.to_string(), "7080");
    // The built-in defaults name UDP first.
    let said = said.replace("tcp:127.0.0.1:7070, udp:127.0.0.1:7070", "udp:127.0.0.1:7070, tcp:127.0.0.1:7070");
    assert!(README.contains(&said), "{said}");
}

#[test]
fn every_piece_of_configuration_in_the_readme_is_read() {
    let blocks = blocks("toml");
    assert!(blocks.len() >= 2, "{blocks:?}");
    for (heading, text) in blocks {
        if text.starts_with("# rates/guards.toml") {
            let known = guard::Known { plans: Vec::new(), accounts: ["acme"].into() };
            let (rules, findings) = guard::read(text.as_bytes(), &known);
            assert!(rules.is_some() && findings.is_empty(), "{heading}: {findings:?}");
            continue;
        }
        Config::parse(&text, None).unwrap_or_else(|e| panic!("{heading}: {e}\n{text}"));
    }
}
