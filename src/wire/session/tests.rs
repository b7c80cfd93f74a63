use proptest::prelude::*;

use super::*;

fn login() -> Login {
    Login { user: "u".into(), secret: Key(b"s3cret".as_slice().into()), events: "cdr" }
}

/// What a session hears in a stream that arrives in pieces of these lengths, over and over.
fn heard(protocol: Protocol, stream: &[u8], pieces: &[usize]) -> Vec<String> {
    let user = if protocol == Protocol::Ami { "u" } else { "" };
    let mut session = Session::new(protocol, Login { user: user.into(), ..login() });
    let (mut found, mut buffer, mut rest) = (Vec::new(), Vec::new(), stream);
    let mut lengths = pieces.iter().cycle();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(*lengths.next().unwrap_or(&1)));
        rest = behind;
        buffer.extend_from_slice(piece);
        while let Some(Step { consumed, heard }) = session.next(&buffer) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            match heard {
                Heard::Message(place) => found.push(text(&buffer[place])),
                Heard::Say(words) => found.push(format!("say {}", text(&words))),
                Heard::Open => found.push("open".to_owned()),
                Heard::Refused(why) => found.push(format!("refused {why}")),
                Heard::TooLong => found.push("too long".to_owned()),
                Heard::Nothing => {}
                Heard::Stranger(_) => {
                    found.push("stranger".to_owned());
                    return found;
                }
            }
            assert!(consumed > 0 && consumed <= buffer.len());
            buffer.drain(..consumed);
        }
    }
    found
}

#[track_caller]
fn check(protocol: Protocol, stream: &str, expected: &[&str]) {
    for piece in (1..=stream.len().clamp(1, 40)).chain([stream.len()]) {
        assert_eq!(heard(protocol, stream.as_bytes(), &[piece]), expected, "{stream:?} in pieces of {piece}");
    }
}

const BANNER: &str = "Asterisk Call Manager/11.0.0\r\n";
const LOGIN: &str = "say Action: Login\r\nUsername: u\r\nSecret: s3cret\r\nEvents: cdr\r\n\r\n";
const WELCOME: &str = "Response: Success\r\nMessage: Authentication accepted\r\n\r\n";

#[test]
fn asterisks_manager() {
    let event = "Event: Cdr\r\nSource: 1\r\n\r\n";
    check(
        Protocol::Ami,
        &format!("{BANNER}{WELCOME}{event}\r\nResponse: Success\r\nPing: Pong\r\n\r\n{event}Event: Cdr\r\nSou"),
        &[LOGIN, "open", event, event],
    );
    // Events may come before the login is answered; they are nobody's.
    check(Protocol::Ami, &format!("{BANNER}Event: FullyBooted\r\n\r\n{WELCOME}"), &[LOGIN, "open"]);
    let refusal = "Response: Error\r\nMessage: Authentication failed\r\n\r\n";
    check(Protocol::Ami, &format!("{BANNER}{refusal}"), &[LOGIN, "refused Authentication failed"]);
    check(Protocol::Ami, "HTTP/1.1 400 Bad Request\r\n\r\n", &["stranger"]);
    check(Protocol::Ami, "Asterisk Call Mana", &[]);
    let session = Session::new(Protocol::Ami, login());
    assert_eq!((session.is_open(), session.ping()), (false, None));
}

#[test]
fn freeswitchs_event_socket() {
    let say = ["say auth s3cret\n\n", "say event plain CHANNEL_HANGUP_COMPLETE\n\n", "open"];
    let begin = "Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\nContent-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n";
    let with = |rest: &str| format!("{begin}{rest}");
    let heard = |messages: &[&'static str]| [&say[..], messages].concat();
    check(
        Protocol::Esl,
        &with(
            "Content-Length: 6\nContent-Type: text/event-plain\n\nA: 1\n\nContent-Length: 7\nContent-Type: text/event-json\n\n{\"A\":1}Content-Length: 4\nContent-Type: text/disconnect-notice\n\nbye\n",
        ),
        &heard(&["A: 1\n\n", "{\"A\":1}"]),
    );
    // An event's own text is none of its names.
    check(
        Protocol::Esl,
        &with("Content-Length: 11\nContent-Type: text/event-plain\n\nA: 1\n\nA: 2\n"),
        &heard(&["A: 1\n\n"]),
    );
    check(
        Protocol::Esl,
        "Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: -ERR invalid\n\n",
        &[say[0], "refused -ERR invalid"],
    );
    check(
        Protocol::Esl,
        "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
        &["refused Access Denied, go away. (apply-inbound-acl)"],
    );
    check(Protocol::Esl, "SSH-2.0-x\r\nA: b\r\n\r\n", &["stranger"]);
    check(Protocol::Esl, "Content-Type: auth/request\nContent-Length: -1\n\n", &["stranger"]);
    let long = format!("Content-Length: {}\nContent-Type: text/event-plain\n\n", MESSAGE_MAX + 1);
    let stream = with(
        &[&long, &"x".repeat(MESSAGE_MAX + 1), "Content-Length: 6\nContent-Type: text/event-plain\n\nA: 1\n\n"]
            .concat(),
    );
    assert_eq!(super::tests::heard(Protocol::Esl, stream.as_bytes(), &[5000]), heard(&["too long", "A: 1\n\n"]));
    let named = Session::new(Protocol::Esl, Login { user: "u@d".into(), ..login() });
    let mut named = named;
    let greeted = named.next(b"Content-Type: auth/request\n\n").unwrap();
    assert_eq!(greeted.heard, Heard::Say(b"userauth u@d:s3cret\n\n".to_vec()));
}

#[test]
fn kamailios_evapi() {
    check(Protocol::Evapi, "7:{\"a\":1},2:{},5:{\"a\"", &["{\"a\":1}", "{}"]);
    check(Protocol::Evapi, "{\"a\":{}}{} {\"b\"", &["{\"a\":{}}", "{}"]);
    check(Protocol::Evapi, "2:{}x", &["stranger"]);
    check(Protocol::Evapi, "12345678:{}", &["stranger"]);
    check(Protocol::Evapi, "SSH-2.0", &["stranger"]);
    let stream = format!("{}:{},2:{{}},", MESSAGE_MAX + 1, "x".repeat(MESSAGE_MAX + 1));
    assert_eq!(heard(Protocol::Evapi, stream.as_bytes(), &[5000]), ["too long", "{}"]);
}

#[test]
fn lines() {
    check(Protocol::Tcp, "a\r\n\nb\nc", &["a\r", "", "b"]);
    let stream = format!("{}\na\n", "x".repeat(LINE_MAX + 1));
    for piece in [5000, LINE_MAX + 1, stream.len()] {
        assert_eq!(heard(Protocol::Tcp, stream.as_bytes(), &[piece]), ["too long", "a"]);
    }
}

#[test]
fn an_event_that_never_ends_is_passed_over() {
    let event = "Event: Cdr\r\n\r\n";
    // Lines of ten bytes, so that a piece can end where a line does.
    let long = "Event: X\r\n".to_owned() + &"X: yyyyy\r\n".repeat(MESSAGE_MAX / 10 + 1000);
    let stream = format!("{BANNER}{WELCOME}{long}\r\n{event}");
    let begun = BANNER.len() + WELCOME.len();
    for piece in [999, 1000, 1001, stream.len()] {
        let pieces: Vec<usize> = [begun].into_iter().chain(std::iter::repeat_n(piece, 400)).collect();
        assert_eq!(heard(Protocol::Ami, stream.as_bytes(), &pieces), [LOGIN, "open", "too long", event], "{piece}");
    }
}

proptest! {
    /// Whatever is said, and however it is cut, it is heard alike, and to its end.
    #[test]
    fn any_bytes_are_heard_alike(
        protocol in prop::sample::select(vec![Protocol::Ami, Protocol::Esl, Protocol::Evapi, Protocol::Tcp]),
        begun: bool,
        words in prop::collection::vec(prop_oneof![
            Just("\n".to_owned()), Just("\r\n".to_owned()), Just("Response: Success\r\n\r\n".to_owned()),
            Just("Content-Type: command/reply\nReply-Text: +OK\n\n".to_owned()), Just("Content-Length: 9\n".to_owned()),
            Just("Content-Type: text/event-plain\n\n".to_owned()), Just("7:{\"a\":1},".to_owned()), Just("{}".to_owned()), ".{0,9}",
        ], 0..12),
        pieces in prop::collection::vec(1usize..30, 1..6),
    ) {
        let greeting = match protocol {
            Protocol::Ami => BANNER,
            Protocol::Esl => "Content-Type: auth/request\n\n",
            _ => "",
        };
        let stream = format!("{}{}", if begun { greeting } else { "" }, words.concat());
        prop_assert_eq!(
            heard(protocol, stream.as_bytes(), &pieces),
            heard(protocol, stream.as_bytes(), &[stream.len().max(1)])
        );
    }
}
