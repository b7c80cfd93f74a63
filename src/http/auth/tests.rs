//! Tables: callers → let in or not.

use super::*;

const SECRET: &str = "callrated_secret";

fn with_tokens() -> Guard {
    let text = format!(
        "[[token]]\nname = \"reader\"\nblake3 = \"{}\"\nscopes = [\"read\"]\n\
         [[token]]\nname = \"both\"\nblake3 = \"{}\"\nscopes = [\"ingest\", \"operate\"]\nexpires = 2026-10-05\n",
        blake3::hash(SECRET.as_bytes()).to_hex(),
        blake3::hash(b"other").to_hex(),
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    Guard::open(Some(file.path())).unwrap()
}

const READ: Access = Access::Scope(Scope::Read);
const INGEST: Access = Access::Scope(Scope::Ingest);
const OPERATE: Access = Access::Scope(Scope::Operate);

fn status(problem: Problem) -> u16 {
    serde_json::to_value(problem).unwrap()["status"].as_u64().unwrap() as u16
}

fn outcome(result: Result<(), Problem>) -> u16 {
    result.map_or_else(status, |()| 200)
}

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text.as_bytes()).unwrap()
}

#[test]
fn tokens_open_what_their_scopes_say() {
    let guard = with_tokens();
    let before = at("2026-10-04T23:59:59Z");
    let after = at("2026-10-05T00:00:00Z");
    for (access, authorization, now, expected) in [
        (READ, None, before, 401),
        (READ, Some("Bearer callrated_secret"), before, 200),
        (READ, Some("bearer callrated_secret"), before, 200),
        (READ, Some("Bearer callrated_secret "), before, 200),
        (READ, Some("Bearer callrated_secreT"), before, 401),
        (READ, Some("Bearer"), before, 401),
        (READ, Some("Basic callrated_secret"), before, 401),
        (READ, Some(""), before, 401),
        (INGEST, Some("Bearer callrated_secret"), before, 403),
        (OPERATE, Some("Bearer callrated_secret"), before, 403),
        (INGEST, Some("Bearer other"), before, 200),
        (OPERATE, Some("Bearer other"), before, 200),
        (READ, Some("Bearer other"), before, 403),
        (INGEST, Some("Bearer other"), after, 401),
        (Access::Public, None, before, 200),
        (Access::Health, None, before, 401),
        (Access::Health, Some("Bearer other"), before, 200),
        (Access::Health, Some("Bearer nobody"), before, 401),
    ] {
        // A token counts alike from everywhere, also from loopback.
        for peer in ["127.0.0.1", "203.0.113.7"] {
            let caller = Caller { peer: peer.parse().ok(), authorization, ..Caller::default() };
            let admitted = guard.admit(access, false, caller, now);
            assert_eq!(outcome(admitted), expected, "{access:?} {authorization:?} {peer}");
        }
    }
    let caller = Caller { peer: "203.0.113.7".parse().ok(), ..Caller::default() };
    assert!(guard.admit(Access::Health, true, caller, before).is_ok(), "health is open on the metrics address");
    assert_eq!(outcome(guard.admit(READ, true, caller, before)), 401);
}

#[test]
fn without_tokens_only_this_machine() {
    let guard = Guard::open(None).unwrap();
    for (peer, host, origin, expected) in [
        ("127.0.0.1", Some("127.0.0.1:7080"), None, 200),
        ("127.0.0.1", Some("localhost:7080"), None, 200),
        ("127.0.0.1", Some("LOCALHOST"), None, 200),
        ("127.0.0.1", Some("gateway"), None, 200),
        ("127.0.0.1", None, None, 200),
        ("::1", Some("[::1]:7080"), None, 200),
        ("::ffff:127.0.0.1", Some("127.0.0.1"), None, 200),
        ("203.0.113.7", Some("127.0.0.1:7080"), None, 403),
        ("::ffff:203.0.113.7", None, None, 403),
        // A domain of somebody's that leads to this machine, and a page of another site.
        ("127.0.0.1", Some("evil.example:7080"), None, 403),
        ("127.0.0.1", Some("localhost.evil.example"), None, 403),
        ("127.0.0.1", Some("localhost:7080"), Some("http://localhost:7080"), 200),
        ("127.0.0.1", Some("localhost:7080"), Some("http://localhost:9999"), 403),
        ("127.0.0.1", Some("localhost:7080"), Some("https://evil.example"), 403),
        ("127.0.0.1", Some("localhost:7080"), Some("null"), 403),
    ] {
        let caller = Caller { peer: Some(peer.parse().unwrap()), host, origin, authorization: None };
        for access in [READ, INGEST, OPERATE, Access::Health, Access::Public] {
            let admitted = guard.admit(access, false, caller, Timestamp(0));
            assert_eq!(outcome(admitted), expected, "{peer} {host:?} {origin:?}");
        }
    }
    let caller = Caller { peer: "203.0.113.7".parse().ok(), ..Caller::default() };
    for (access, expected) in [(Access::Health, 200), (Access::Public, 200), (READ, 403)] {
        assert_eq!(outcome(guard.admit(access, true, caller, Timestamp(0))), expected, "{access:?}");
    }
    assert!(guard.admit(OPERATE, false, Caller::default(), Timestamp(0)).is_ok(), "from inside the process");
}

#[test]
fn wrong_files_are_said() {
    let hash = "0".repeat(64);
    for (text, expected) in [
        ("[[token]]\nname = \"a\"\nblake3 = \"12\"\nscopes = [\"read\"]".to_owned(), "64 hex digits"),
        (format!("[[token]]\nname = \"a\"\nblake3 = \"{hash}\"\nscopes = []"), "no scopes"),
        (
            format!("[[token]]\nname = \"a\"\nblake3 = \"{hash}\"\nscopes = [\"write\"]"),
            "line 4: unknown value `write`; known here: ingest, read, operate",
        ),
        (format!("[[token]]\nname = \"a\"\nblake3 = \"{hash}\"\nscope = [\"read\"]"), "line 4"),
        (
            format!("[[token]]\nname = \"a\"\nblake3 = \"{hash}\"\nscopes = [\"read\"]\nexpires = 09:00:00"),
            "write a date",
        ),
        (format!("{0}{0}", format!("[[token]]\nname = \"a\"\nblake3 = \"{hash}\"\nscopes = [\"read\"]\n")), "twice"),
    ] {
        let error = Tokens::parse(&text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert_eq!(Tokens::parse("").unwrap().0.len(), 0);
}

#[test]
fn a_changed_file_is_taken_and_a_wrong_one_changes_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "").unwrap();
    let guard = Guard::open(Some(file.path())).unwrap();
    let ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        let caller = Caller { authorization: Some(&bearer), ..Caller::default() };
        outcome(guard.admit(READ, false, caller, Timestamp(0)))
    };
    let (token, hash) = new_token().unwrap();
    assert_eq!(ask(&token), 401);
    fs::write(file.path(), format!("[[token]]\nname = \"a\"\nblake3 = \"{hash}\"\nscopes = [\"read\"]\n")).unwrap();
    guard.look(false);
    assert_eq!(ask(&token), 200);
    fs::write(file.path(), "not toml").unwrap();
    guard.look(false);
    assert_eq!(ask(&token), 200);
    fs::remove_file(file.path()).unwrap();
    guard.look(false);
    assert_eq!(ask(&token), 200);
    fs::write(file.path(), "# nobody\n").unwrap();
    guard.look(false);
    assert_eq!(ask(&token), 401);
}

/// A copy that keeps the time, of a file as long as the one before: only SIGHUP can tell.
#[test]
fn a_file_of_the_same_time_and_length_is_read_when_told_to() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let modified = fs::metadata(file.path()).unwrap().modified().unwrap();
    let (old, new) = (new_token().unwrap(), new_token().unwrap());
    let write = |hash: &str| {
        fs::write(file.path(), format!("[[token]]\nname = \"a\"\nblake3 = \"{hash}\"\nscopes = [\"read\"]\n")).unwrap();
        file.as_file().set_modified(modified).unwrap();
    };
    write(&old.1);
    let guard = Guard::open(Some(file.path())).unwrap();
    let ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        let caller = Caller { authorization: Some(&bearer), ..Caller::default() };
        outcome(guard.admit(READ, false, caller, Timestamp(0)))
    };
    write(&new.1);
    guard.look(false);
    assert_eq!((ask(&old.0), ask(&new.0)), (200, 401));
    guard.look(true);
    assert_eq!((ask(&old.0), ask(&new.0)), (401, 200));
}

#[test]
fn new_tokens_are_long_and_match_their_hash() {
    let (token, hash) = new_token().unwrap();
    assert_eq!(token.len(), TOKEN_PREFIX.len() + 64);
    assert_eq!(blake3::hash(token.as_bytes()).to_hex().as_str(), hash);
    assert_ne!(new_token().unwrap().0, token);
}
