//! House rules as a test: who must not know what, no clock and no float in the heart, every file says what it is.
//!
//! The table of [`MAY_USE`] is the architecture: a module may name the modules beside it there, and nothing else of this
//! crate. Adding a line here is a decision about the house, not a formality.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Top-level module → modules of this crate that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    // The words of the house: values, no part of the road.
    ("time", &[]),
    ("money", &[]),
    ("record", &["time"]),
    ("piece", &["record", "time"]),
    ("batch", &["piece", "record", "time"]),
    ("entry", &["time"]),
    // Of `os` the hint that memory will be read soon.
    ("names", &["os"]),
    ("nearest", &[]),
    ("exit", &[]),
    ("call", &["batch", "money", "number", "record", "time"]),
    ("books", &["call", "time"]),
    ("number", &["call", "os", "time"]),
    // The heart: pure.
    ("guard", &["call", "directory", "money", "nearest", "number", "record", "tariff", "time"]),
    ("tariff", &["call", "money", "nearest", "number", "os", "time"]),
    ("directory", &["nearest", "number", "os", "tariff", "time"]),
    ("rating", &["batch", "call", "directory", "entry", "money", "number", "record", "tariff", "time"]),
    ("assembly", &["batch", "piece", "record", "time"]),
    // Doors in: they have an outbox and an answer.
    ("wire", &["os", "piece", "record", "time"]),
    ("ingest", &["batch", "entry", "number", "os", "record", "time", "tls", "wire"]),
    // Durable order.
    ("journal", &["batch", "entry", "os", "time"]),
    ("identity", &["batch", "os", "record"]),
    // The road.
    ("road", &["batch", "call", "guard", "ingest", "rating", "record", "sequencer", "time"]),
    ("sequencer", &["batch", "ingest", "journal", "os", "road", "time"]),
    (
        "resolver",
        &[
            "assembly",
            "batch",
            "books",
            "call",
            "directory",
            "entry",
            "flush",
            "guard",
            "identity",
            "images",
            "names",
            // The hint that memory will be read soon.
            "os",
            "period",
            "piece",
            "poison",
            "rating",
            "record",
            "road",
            "shard",
            "store",
            "tariff",
            "time",
        ],
    ),
    // A month rated again, from the store.
    (
        "period",
        &[
            "batch",
            "books",
            "call",
            "directory",
            "entry",
            "explain",
            "flush",
            "images",
            "money",
            "number",
            "os",
            "rating",
            "record",
            "store",
            "tariff",
            "time",
        ],
    ),
    (
        "shard",
        &[
            "batch",
            "books",
            "call",
            "directory",
            "flush",
            "guard",
            "os",
            "poison",
            "rating",
            "record",
            "road",
            "tariff",
            "time",
        ],
    ),
    (
        "flush",
        &[
            "batch",
            "books",
            "call",
            "entry",
            "guard",
            "images",
            "money",
            "os",
            "record",
            "resolver",
            "road",
            "sequencer",
            "shard",
            "store",
            "tariff",
            "time",
        ],
    ),
    // Of `os` the hint that memory will be read soon, and rows as SQLite shows them.
    ("store", &["batch", "call", "entry", "guard", "money", "number", "os", "poison", "record", "time"]),
    // The whole way a second time, from the journal and the store.
    (
        "audit",
        &[
            "assembly",
            "batch",
            "books",
            "call",
            "directory",
            "entry",
            "explain",
            "images",
            "journal",
            "money",
            "names",
            "number",
            "period",
            "piece",
            "rating",
            "record",
            "store",
            "tariff",
            "time",
        ],
    ),
    // The proof of what is stored, from the store and the images alone.
    (
        "explain",
        &[
            "batch",
            "call",
            "directory",
            "entry",
            "images",
            "money",
            "number",
            "rating",
            "record",
            "store",
            "tariff",
            "time",
        ],
    ),
    // What another system charges, beside what is stored.
    ("shadow", &["batch", "call", "images", "money", "record", "store", "tariff", "time"]),
    // Answers out. They change an amount only by putting an entry on the road.
    (
        "http",
        &[
            "assembly",
            "audit",
            "batch",
            "books",
            "call",
            "config",
            "daemon",
            "directory",
            "entry",
            "exit",
            "explain",
            "guard",
            "images",
            "ingest",
            "journal",
            "metrics",
            "money",
            "nearest",
            "number",
            "os",
            "period",
            "rates",
            "rating",
            "record",
            "road",
            "sequencer",
            "shadow",
            "store",
            "tariff",
            "time",
            "tls",
            "wire",
        ],
    ),
    ("metrics", &[]),
    // Answers out that nobody asked for.
    ("webhook", &["guard", "ingest", "os", "store", "time", "tls"]),
    ("tls", &[]),
    // Beside the road.
    ("images", &["directory", "os", "tariff"]),
    ("poison", &["batch"]),
    // Accounts are checked against the countries that the folder has.
    ("rates", &["directory", "guard", "nearest", "number", "tariff", "time"]),
    ("traffic", &["ingest", "number", "os", "record", "time", "wire"]),
    // The program: knows everybody; nobody knows it.
    ("config", &["ingest", "entry", "money", "nearest", "number", "period", "time", "tls", "webhook", "wire"]),
    ("os", &["time"]),
];

/// Modules that may name any other: here the parts are put together.
const KNOWS_ALL: &[&str] = &["daemon", "cli", "main", "lib"];

/// Modules in which nothing of the outside world may be named.
const PURE: &[&str] = &[
    "time",
    "money",
    "record",
    "piece",
    "assembly",
    "batch",
    "entry",
    "names",
    "nearest",
    "call",
    "books",
    "number",
    "tariff",
    "directory",
    "guard",
    "rating",
    "wire",
];

/// What a pure module may not name, and why.
const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "files"),
    ("std::net", "sockets"),
    ("std::thread", "threads"),
    ("Mutex", "locks"),
    ("RwLock", "locks"),
    ("std::sync::atomic", "state shared between threads"),
    ("std::env", "the environment"),
    ("std::time", "clocks"),
    ("tokio", "async"),
    ("crossbeam", "threads"),
    ("tracing", "logging"),
    ("metrics::", "metrics"),
    ("rusqlite", "a database"),
    ("Instant::now", "clocks"),
    ("SystemTime", "clocks"),
    ("f32", "binary floating point"),
    ("f64", "binary floating point"),
];

/// Files with more than [`FILE_LINES_MAX`] lines of code, with the length they may not exceed. A ratchet: shorten or split,
/// and lower the number; a new file does not come in here.
const LONG_FILES: &[(&str, usize)] = &[];

/// Lines of code a file may have; inline tests do not count, files of tests may have more.
const FILE_LINES_MAX: usize = 400;
const TEST_LINES_MAX: usize = 800;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

struct Source {
    /// `src/rating/price.rs`.
    name: String,
    /// `rating`.
    module: String,
    /// The file without comments and without its tests.
    code: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    rust_files(&src)
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&src).unwrap();
            let module = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
            let text = fs::read_to_string(&path).unwrap();
            let name = format!("src/{}", inside.display());
            let is_test = name.contains("tests") || name.contains("/sim");
            let code = if is_test { String::new() } else { without_comments(&without_tests(&text)) };
            Source { name, module: module.to_owned(), code, text }
        })
        .collect()
}

/// Up to the first inline test module, which by custom stands last.
fn without_tests(text: &str) -> String {
    match text.find("#[cfg(test)]\nmod tests {") {
        Some(at) => text[..at].to_owned(),
        None => text.to_owned(),
    }
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Every `crate::NAME` in the code.
fn uses(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `use crate::{a, b}` is not written here: one line per module.
        let rest = &code[at + "crate::".len()..];
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if !name.is_empty() {
            found.insert(name);
        }
        assert!(!rest.starts_with('{'), "write one `use crate::module…` per module, so that this test can read it");
    }
    found
}

#[test]
fn nobody_knows_more_than_the_house_allows() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources() {
        if KNOWS_ALL.contains(&source.module.as_str()) {
            continue;
        }
        let Some(may) = allowed.get(source.module.as_str()) else {
            faults.push(format!("{}: module `{}` has no place in tests/tidy.rs", source.name, source.module));
            continue;
        };
        for used in uses(&source.code) {
            if used != source.module && !may.contains(&used.as_str()) {
                faults.push(format!("{}: `{}` must not know `{used}`", source.name, source.module));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn pure_modules_name_nothing_of_the_world() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| PURE.contains(&s.module.as_str())) {
        for (number, line) in source.code.lines().enumerate() {
            for (word, what) in IMPURE {
                let hit = line.match_indices(word).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                });
                if hit {
                    faults.push(format!("{}:{}: {word} ({what}): {}", source.name, number + 1, line.trim()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A hash map may be asked, but nothing may depend on its order: a pure module never walks one.
#[test]
fn pure_modules_never_walk_a_hash_map() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|s| PURE.contains(&s.module.as_str())) {
        let mut names = BTreeSet::new();
        for line in source.code.lines().filter(|l| l.contains("HashMap") || l.contains("HashSet")) {
            let before = line.split("Hash").next().unwrap_or("").trim_end_matches(|c: char| ":<&='_ ".contains(c));
            let before = before
                .trim_end_matches("std::collections")
                .trim_end_matches(['=', ':', ' ', '&'])
                .trim_end_matches("mut ");
            let name = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or("");
            if !name.is_empty() {
                names.insert(name.to_owned());
            }
        }
        for (number, line) in source.code.lines().enumerate() {
            for name in &names {
                for walk in [".iter()", ".iter_mut()", ".keys()", ".values()", ".drain(", ".into_iter()", ".retain("] {
                    if line.contains(&format!("{name}{walk}")) {
                        faults.push(format!("{}:{}: walks a hash map: {}", source.name, number + 1, line.trim()));
                    }
                }
                if line.contains(&format!("in &{name} ")) || line.contains(&format!("in {name} ")) {
                    faults.push(format!("{}:{}: walks a hash map: {}", source.name, number + 1, line.trim()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn unsafe_stands_only_on_the_ground() {
    for source in sources() {
        if source.module == "os" {
            continue;
        }
        let line = source.code.lines().find(|l| l.contains("unsafe ") && !l.contains("unsafe_code"));
        assert!(line.is_none(), "{}: {}", source.name, line.unwrap_or_default());
    }
}

#[test]
fn every_module_says_what_it_is_and_what_it_does_not_know() {
    let mut faults = Vec::new();
    for source in sources() {
        if source.name.contains("tests") {
            continue;
        }
        if !source.text.starts_with("//!") {
            faults.push(format!("{}: begins without //!", source.name));
        }
        let is_front = source.name.matches('/').count() == 1 || source.name.ends_with("/mod.rs");
        let exempt = ["src/main.rs", "src/lib.rs", "src/daemon.rs"].contains(&source.name.as_str());
        if is_front && !exempt && !source.text.contains("Does not know") {
            faults.push(format!("{}: its header does not say what it does not know", source.name));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_file_fits_in_one_head() {
    let long: BTreeMap<&str, usize> = LONG_FILES.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources() {
        let lines = without_tests(&source.text).lines().count();
        let usual = if source.name.contains("tests") { TEST_LINES_MAX } else { FILE_LINES_MAX };
        let most = long.get(source.name.as_str()).copied().unwrap_or(usual);
        if lines > most {
            faults.push(format!("{}: {lines} lines, at most {most}: look for a seam", source.name));
        }
        if long.contains_key(source.name.as_str()) && lines <= FILE_LINES_MAX {
            faults.push(format!("{}: is short now; take it off the list", source.name));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Full names of all tests: those of `src` begin with their module, those of `tests` with their file or folder.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["src", "tests"] {
        let folder = root().join(folder);
        for file in rust_files(&folder) {
            let below = file.strip_prefix(&folder).unwrap().with_extension("");
            let mut module: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "main" && module.len() > 1) {
                module.pop();
            }
            let text = fs::read_to_string(&file).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim_start) {
                if line == "mod tests {" {
                    module.push("tests".to_owned());
                }
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
                let name = function.and_then(|rest| rest.split('(').next());
                if let Some(name) = name.filter(|_| std::mem::take(&mut is_test)) {
                    names.insert(format!("{}::{name}", module.join("::")));
                }
            }
        }
    }
    names
}

#[test]
fn whatever_the_readme_says_happens_is_shown_by_a_test_that_is_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, behind) = readme.split_once("## What happens when").expect("the table's heading");
    let rows =
        behind.lines().skip_while(|line| !line.starts_with('|')).skip(2).take_while(|line| line.starts_with('|'));
    let (known, mut shown, mut missing) = (tests(), 0, Vec::new());
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        // Every second piece stands between backticks.
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "nothing shows this: {row}");
        missing.extend(named.into_iter().filter(|name| !known.contains(*name)));
        shown += 1;
    }
    assert!(shown > 30, "{shown} rows");
    assert!(missing.is_empty(), "no such tests: {missing:#?}\nthere are {known:#?}");
}
