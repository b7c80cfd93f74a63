//! A journal that is damaged in its middle: named, looked into, and gone around with what was lost being said.

use std::path::Path;
use std::process::Command;

use super::daemon::Place;
use super::*;

fn run(place: &Place, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callrated"));
    let done = command.current_dir(place.folder.path()).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.code().unwrap(), text)
}

#[test]
fn a_damaged_middle_is_named_and_can_be_given_up() {
    let place = Place::new("0.25");
    let daemon = place.start("[flush]\nevery = \"1h\"\n", &[]);
    let lines = lines("damage", 6);
    for line in &lines {
        daemon.records(std::slice::from_ref(line));
    }
    daemon.kill();
    assert_eq!(run(&place, &["journal", "repair"]), (0, "nothing is damaged\n".to_owned()));

    // The fourth frame of a record.
    let (code, frames) = run(&place, &["journal", "inspect", "--json"]);
    assert_eq!(code, 0, "{frames}");
    let frames: Vec<serde_json::Value> = frames.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let frame = frames.iter().filter(|frame| frame["received"] == 1).nth(3).unwrap();
    let (file, offset) = (frame["file"].as_str().unwrap(), frame["offset"].as_u64().unwrap());
    let path = place.path(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[offset as usize + 100] ^= 1;
    std::fs::write(&path, &bytes).unwrap();

    let mut daemon = place.launch("", &[]);
    assert_eq!(daemon.ended().code(), Some(4));
    std::thread::sleep(std::time::Duration::from_millis(50));
    let log = daemon.log();
    let named = format!("{file}@{offset}");
    for expected in [&format!("damaged at offset {offset}"), "callrated journal inspect", "--accept-loss", &named] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    assert_eq!(run(&place, &["journal", "inspect"]).0, 4);
    let (code, told) = run(&place, &["journal", "repair"]);
    assert!(code == 4 && told.contains(&named), "{code} {told}");
    let (code, told) = run(&place, &["journal", "repair", "--json"]);
    let damage: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert!(code == 4 && damage["file"] == file && damage["offset"] == offset, "{told}");
    // Nothing but exactly that place.
    assert_eq!(run(&place, &["journal", "repair", "--accept-loss", &format!("{file}@{}", offset + 1)]).0, 2);
    assert_eq!(run(&place, &["journal", "repair", "--accept-loss", "the-whole-thing"]).0, 2);
    let (code, told) = run(&place, &["journal", "repair", "--accept-loss", &named, "--json"]);
    let given_up: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert!(code == 0 && given_up["bytes"] == frame["bytes"] && given_up["left"] == 0, "{code} {told}");
    let kept: Vec<_> = std::fs::read_dir(place.path("data/journal")).unwrap().map(|f| f.unwrap().path()).collect();
    let kept = kept.iter().find(|file| file.to_str().unwrap().contains("damaged")).unwrap();
    assert!(kept.ends_with(Path::new(given_up["kept"].as_str().unwrap()).file_name().unwrap()), "{told}");
    let length = frame["bytes"].as_u64().unwrap() as usize;
    assert_eq!(std::fs::read(kept).unwrap(), bytes[offset as usize..offset as usize + length]);

    let daemon = place.start("", &[]);
    has(&daemon, 5);
    assert!(daemon.log().contains("given up by an operator's word"), "{}", daemon.log());
    // The sender has them still: what was lost is taken now, the others are repeats.
    daemon.records(&lines);
    has(&daemon, 6);
    assert_eq!(daemon.metric("callrated_records_duplicate_total", ""), 5);
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
    let (code, told) = run(&place, &["journal", "repair"]);
    assert!(code == 3 && told.contains("another"), "a running daemon's journal is left alone: {code} {told}");
}
