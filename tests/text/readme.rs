//! What the README says to write here is configuration that this program reads.

use std::path::Path;

use callrated::config::Config;

/// The part of the README about nodes.
fn section() -> &'static str {
    let readme = include_str!("../../README.md");
    let begun = readme.split_once("\n## Connecting a node\n").unwrap().1;
    begun.split_once("\n## ").unwrap().0
}

/// Reads it as the program would, from a folder in which the secret lies.
#[track_caller]
fn check(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        file
    };
    for secret in ["radius.secret", "ami.secret", "esl.secret"] {
        write(secret, "s3cret\n");
    }
    let file = write("callrated.toml", text);
    Config::load(Some(Path::new(&file))).unwrap_or_else(|e| panic!("{e}\n{text}"));
}

#[test]
fn every_block_is_configuration() {
    let blocks: Vec<&str> =
        section().split("```toml\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect();
    assert!(blocks.len() >= 2);
    blocks.iter().for_each(|block| check(block));
}

/// The third column of the table: keys as inline code, of a listener unless a table stands before them.
#[test]
fn every_row_is_configuration() {
    let rows = section().lines().skip_while(|line| !line.starts_with("| node |")).skip(2);
    let mut read = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert_eq!(cells.len(), 5, "{row}");
        let keys: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
        if cells[2].contains("format of your own") {
            continue;
        }
        assert!(!keys.is_empty() && cells[1..].iter().all(|cell| !cell.trim_matches([' ', '|']).is_empty()), "{row}");
        let heading = if keys[0].starts_with("[[") { "" } else { "[[listen]]\n" };
        check(&format!("{heading}{}\n", keys.join("\n")));
        read += 1;
    }
    assert!(read >= 33, "{read}");
}
