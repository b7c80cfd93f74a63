//! Does not know sockets: packets come from captures and from a builder here.

use proptest::prelude::*;

use super::*;
use crate::piece::Piece;
use crate::record::Record;
use crate::time::parse_rfc3339;
use crate::wire::fuzz;

const RADCLIENT: &[u8] = include_bytes!("../../../tests/data/captures/radclient/radius_raw.bin");
const KAMAILIO: &[u8] = include_bytes!("../../../tests/data/captures/kamailio_radius/radius_raw.bin");
const SECRET: &[u8] = b"testing123";

/// Packets one behind the other, as the sink wrote them.
fn packets(mut bytes: &[u8]) -> Vec<Packet<'_>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        all.push(Packet::read(&bytes[..length]).unwrap());
        bytes = &bytes[length..];
    }
    all
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn record(r: &Record<'_>) -> String {
    let time = |t: Option<crate::time::Timestamp>| t.map_or("-".to_owned(), |t| t.to_string());
    let talk = r.duration.map_or("-".to_owned(), |d| d.to_string());
    let mut shown = format!(
        "{} {} {} > {} start {} answer {} end {} talk {talk}",
        text(r.node),
        text(r.id),
        text(r.source),
        text(r.destination),
        time(r.start),
        time(r.answer),
        time(r.end)
    );
    for (name, value) in [("account", r.account), ("by", r.forwarded_by), ("cause", r.cause)] {
        if !value.is_empty() {
            shown += &format!(" {name} {}", text(value));
        }
    }
    if let Some(direction) = r.direction {
        shown += &format!(" {}", direction.name());
    }
    shown
}

fn shown(line: Result<Line<'_>, Refusal>) -> String {
    match line {
        Ok(Line::Piece(Piece { step, key, at, delay, record: r, .. })) => {
            let at = at.map_or("-".to_owned(), |t| t.to_string());
            format!("{step:?} [{}] at {at} delay {delay} {}", text(key), record(&r))
        }
        Ok(Line::Record(r)) => format!("record {}", record(&r)),
        Ok(Line::Skipped(skip)) => skip.reason().to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(refusal) => refusal.to_string(),
    }
}

fn all(packets: &[Packet<'_>], reading: &Reading) -> String {
    let mut scratch = Scratch::default();
    packets.iter().map(|packet| shown(decode(packet, reading, None, &mut scratch)) + "\n").collect()
}

#[test]
fn what_radclient_sent() {
    insta::assert_snapshot!("radclient", all(&packets(RADCLIENT), &Reading::default()));
}

#[test]
fn what_kamailio_sent() {
    insta::assert_snapshot!("kamailio", all(&packets(KAMAILIO), &Reading::default()));
}

/// A packet under construction.
#[derive(Clone)]
struct Build(Vec<u8>);

impl Build {
    fn new(status: u32) -> Build {
        Build(vec![ACCOUNTING_REQUEST, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            .number(attributes::STATUS_TYPE, status)
    }

    fn with(mut self, kind: u8, value: &[u8]) -> Build {
        self.0.extend_from_slice(&[kind, value.len() as u8 + 2]);
        self.0.extend_from_slice(value);
        self
    }

    fn number(self, kind: u8, value: u32) -> Build {
        self.with(kind, &value.to_be_bytes())
    }

    fn vendor(self, vendor: u32, kind: u8, value: &str) -> Build {
        let mut inside = vendor.to_be_bytes().to_vec();
        inside.extend_from_slice(&[kind, value.len() as u8 + 2]);
        inside.extend_from_slice(value.as_bytes());
        self.with(attributes::VENDOR, &inside)
    }

    fn signed(mut self) -> Vec<u8> {
        sign::sign_request(&mut self.0, SECRET);
        self.0
    }

    fn read(self, reading: &Reading) -> String {
        let bytes = self.signed();
        let mut scratch = Scratch::default();
        shown(decode(&Packet::read(&bytes).unwrap(), reading, None, &mut scratch))
    }
}

fn stop() -> Build {
    Build::new(2).with(44, b"s1").with(31, b"100").with(30, b"200")
}

fn cisco(connect: &str, disconnect: &str) -> Build {
    let mut build = stop().vendor(9, 26, "answer");
    for (kind, value) in [(28, connect), (29, disconnect)] {
        if !value.is_empty() {
            build = build.vendor(9, kind, value);
        }
    }
    build
}

#[test]
fn steps_identities_and_times() {
    let plain = Reading { node: (*b"n").into(), ..Reading::default() };
    let check = |build: Build, reading: &Reading, expected: &str| assert_eq!(build.read(reading), expected);
    let at = 1_795_297_061;
    // A client that says nothing but how long: its day keeps sessions that are counted anew apart.
    check(
        stop().number(46, 61).number(55, at),
        &plain,
        "End [s1] at 2026-11-21T21:37:41Z delay 0 n s1;2026-11-21 100 > 200 start - answer 2026-11-21T21:36:40Z \
         end 2026-11-21T21:37:41Z talk 61",
    );
    check(stop().number(46, 61), &plain, "End [s1] at - delay 0 n s1 100 > 200 start - answer - end - talk 61");
    check(
        stop().number(46, 0).number(55, at).number(41, 5),
        &plain,
        "Fail [s1] at 2026-11-21T21:37:41Z delay 5 n s1;2026-11-21 100 > 200 start - answer - \
         end 2026-11-21T21:37:41Z talk 0",
    );
    // Cisco: milliseconds; not connected, or connected and disconnected at once; hexadecimal cause.
    check(
        cisco("12:00:00.250 UTC Sat Nov 21 2026", "*12:01:01.500 UTC Sat Nov 21 2026")
            .vendor(9, 30, "1F")
            .number(46, 61),
        &plain,
        "End [s1] at 2026-11-21T12:01:01.5Z delay 0 n s1;2026-11-21 100 > 200 start - answer 2026-11-21T12:00:00.25Z \
         end 2026-11-21T12:01:01.5Z talk 61.25 cause 31",
    );
    check(
        cisco("", "12:01:01.500 UTC Sat Nov 21 2026").vendor(9, 30, "h323-disconnect-cause=11"),
        &plain,
        "Fail [s1] at 2026-11-21T12:01:01.5Z delay 0 n s1;2026-11-21 100 > 200 start - answer - \
         end 2026-11-21T12:01:01.5Z talk - cause 17",
    );
    let same = "12:01:01.500 UTC Sat Nov 21 2026";
    assert!(cisco(same, same).read(&plain).starts_with("Fail "));
    // Acct-Session-Time where it is preferred.
    let preferred = Reading { session_time: true, ..plain.clone() };
    let both = cisco("12:00:00.250 UTC Sat Nov 21 2026", "12:01:01.500 UTC Sat Nov 21 2026").number(46, 60);
    assert!(both.clone().read(&preferred).ends_with(" talk 60") && both.read(&plain).ends_with(" talk 61.25"));
    // A zone that nobody explained.
    let unknown = cisco("12:00:00 XYZ Sat Nov 21 2026", same);
    assert!(unknown.read(&plain).starts_with("h323-connect-time is not a time, or its zone is not known"));
    // A conference id that lost its zeros is the same.
    for conference in ["A1B2C3D 00112233 44556677 8899AABB", "h323-conf-id=0A1B2C3D 112233 44556677 8899aabb"] {
        let id = "s1;0A1B2C3D00112233445566778899AABB";
        let start = Build::new(1).with(44, b"s1").vendor(9, 24, conference);
        check(start, &plain, &format!("Begin [{id}] at - delay 0 n {id}  >  start - answer - end - talk -"));
    }
}

#[test]
fn the_leg_that_counts() {
    let leg = |origin: &str| stop().number(46, 1).vendor(9, 26, origin);
    for (policy, answer, originate) in [
        (CallOrigin::Answer, " talk 1", "other_leg"),
        (CallOrigin::Originate, "other_leg", " talk 1"),
        (CallOrigin::Both, " talk 1 outbound", " talk 1 inbound"),
    ] {
        let reading = Reading { call_origin: policy, ..Reading::default() };
        assert!(leg("h323-call-origin=answer").read(&reading).ends_with(answer), "{policy:?}");
        assert!(leg("originate").read(&reading).ends_with(originate), "{policy:?}");
        // Who does not say which leg it is has one.
        assert!(stop().number(46, 1).read(&reading).ends_with(" talk 1"));
    }
}

#[test]
fn asterisk_rows_are_records() {
    let row = |disposition: &str, answer: &str, talk: &str| {
        let mut build = Build::new(2).with(44, b"1795297591.12").with(32, b"pbx");
        for (kind, value) in [
            (101, "acme"),
            (102, "100"),
            (103, "00441132960100"),
            (107, "PJSIP/trunk-2"),
            (110, "2026-11-21 21:36:30 +0100"),
            (111, answer),
            (112, "2026-11-21 21:37:41 +0100"),
            (115, disposition),
            (117, "1795297591.12"),
        ] {
            build = build.vendor(22736, kind, value);
        }
        let talk: u32 = talk.parse().unwrap();
        let mut inside = 22736u32.to_be_bytes().to_vec();
        inside.extend_from_slice(&[114, 6]);
        inside.extend_from_slice(&talk.to_be_bytes());
        build.with(26, &inside).read(&Reading::default())
    };
    let head = "record pbx 1795297591.12;2026-11-21 21:36:30 +0100;PJSIP/trunk-2 100 > 00441132960100 start \
                2026-11-21T20:36:30Z";
    let answer = "2026-11-21 21:36:40 +0100";
    let answered = "answer 2026-11-21T20:36:40Z end 2026-11-21T20:37:41Z talk 61 account acme cause ANSWERED";
    assert_eq!(row("ANSWERED", answer, "61"), format!("{head} {answered}"));
    // Answered by the PBX itself, and nobody else.
    let unanswered = "answer - end 2026-11-21T20:37:41Z talk 0 account acme cause";
    assert_eq!(row("NO ANSWER", answer, "60"), format!("{head} {unanswered} NO ANSWER"));
    assert_eq!(row("ANSWERED", answer, "0"), format!("{head} {unanswered} ANSWERED"));
    assert!(row("ANSWERED", "yesterday", "61").starts_with("Asterisk-Answer-Time is not a time"));
}

#[test]
fn numbers_in_header_text() {
    for (value, expected) in [
        ("442079460001", "442079460001"),
        ("\"A <b>\"<sip:+12513001300@host:5060;user=phone>;tag=SD1", "+12513001300"),
        ("<tel:+4930123;phone-context=x>", "+4930123"),
        ("sips:alice@example.org", "alice"),
        ("<>", ""),
        ("sip:", ""),
    ] {
        let read = Build::new(1).with(44, b"s").with(31, value.as_bytes()).read(&Reading::default());
        assert!(read.contains(&format!(" s {expected} > ")), "{value}: {read}");
    }
}

#[test]
fn who_speaks() {
    let named = |build: Build, reading: &Reading| {
        build.with(44, b"s").read(reading).split(" delay 0 ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    };
    let plain = Reading::default();
    assert_eq!(named(Build::new(1), &plain), "unknown");
    assert_eq!(named(Build::new(1).with(4, &[192, 0, 2, 7]), &plain), "192.0.2.7");
    assert_eq!(named(Build::new(1).with(95, &[0; 16]), &plain), "::");
    assert_eq!(named(Build::new(1).with(4, &[192, 0, 2, 7]).with(32, b"cube"), &plain), "cube");
    assert_eq!(named(Build::new(1).with(32, b"cu\nbe"), &plain), "unknown");
    let configured = Reading { node: (*b"gw").into(), ..Reading::default() };
    assert_eq!(named(Build::new(1).with(32, b"cube"), &configured), "gw");
}

#[test]
fn what_is_no_call() {
    let plain = Reading::default();
    assert_eq!(Build::new(9).read(&plain), "not_a_call");
    assert_eq!(stop().read(&plain), "End [s1] at - delay 0 unknown s1 100 > 200 start - answer - end - talk -");
    assert_eq!(Build::new(2).read(&plain), "RADIUS packet: it has no Acct-Session-Id");
    let on = Build::new(7).number(55, 1_795_297_061).with(32, b"cube");
    assert_eq!(on.read(&plain), "Reset [] at 2026-11-21T21:37:41Z delay 0 cube   >  start - answer - end - talk -");
    let bare = Packet::read(&[4, 1, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap().bytes;
    let mut scratch = Scratch::default();
    let bare = decode(&Packet::read(bare).unwrap(), &plain, None, &mut scratch);
    assert_eq!(shown(bare), "RADIUS packet: it has no Acct-Status-Type");
}

#[test]
fn frames_that_are_none() {
    let good = stop().signed();
    assert!(Packet::read(&good).is_some());
    // Padding is passed over.
    assert_eq!(Packet::read(&[&good[..], b"pad"].concat()).unwrap().bytes(), good);
    for at in 0..good.len() {
        assert_eq!(Packet::read(&good[..at]), None, "cut at {at}");
    }
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        Packet::read(&bad).is_none()
    };
    assert!(with(3, 19) && with(2, 16) && with(21, 0) && with(21, 1) && with(21, 255));
}

#[test]
fn signatures() {
    for packet in packets(RADCLIENT).into_iter().chain(packets(KAMAILIO)) {
        assert!(sign::is_genuine(&packet, SECRET));
        assert!(!sign::is_genuine(&packet, b"another"));
    }
    // With a Message-Authenticator, right and wrong.
    let signed = stop().with(80, &[0; 16]).signed();
    assert!(sign::is_genuine(&Packet::read(&signed).unwrap(), SECRET));
    for at in 0..signed.len() {
        let mut bad = signed.clone();
        bad[at] ^= 1;
        if let Some(packet) = Packet::read(&bad) {
            assert!(packet.code() != ACCOUNTING_REQUEST || !sign::is_genuine(&packet, SECRET), "bit {at}");
        }
    }
    // A question whether we are there must be signed by that alone.
    let mut asked = Build(signed.clone());
    asked.0[0] = STATUS_SERVER;
    assert!(!sign::is_genuine(&Packet::read(&asked.0).unwrap(), SECRET));
}

#[test]
fn answers_are_signed_and_bring_proxy_state_back() {
    let request = stop().with(33, b"first").with(25, b"class").with(33, b"second").signed();
    let request = Packet::read(&request).unwrap();
    let answer = sign::response(&request, SECRET);
    let packet = Packet::read(&answer).unwrap();
    assert_eq!((packet.code(), packet.id(), packet.bytes().len()), (ACCOUNTING_RESPONSE, 7, 20 + 7 + 8));
    let states: Vec<_> = packet.attributes().map(|a| (a.kind, text(a.value))).collect();
    assert_eq!(states, [(33, "first".to_owned()), (33, "second".to_owned())]);
    // As the client checks it (RFC 2866): MD5 over the answer with the request's authenticator in it, and the secret.
    let mut check = answer.clone();
    check[4..20].copy_from_slice(&request.authenticator());
    check.extend_from_slice(SECRET);
    assert_eq!(packet.authenticator(), <[u8; 16]>::from(<md5::Md5 as md5::Digest>::digest(&check)));
}

/// What is accepted survives its canonical form, whatever it was.
#[test]
fn captures_survive_the_canonical_form() {
    for packet in packets(RADCLIENT).into_iter().chain(packets(KAMAILIO)) {
        fuzz::radius(packet.bytes());
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz::radius(&bytes);
    }

    /// Sound frames with anything in them: of known types, often.
    #[test]
    fn any_attributes(attributes in proptest::collection::vec(
        (prop_oneof![Just(26u8), Just(40), Just(44), Just(55), any::<u8>()], proptest::collection::vec(any::<u8>(), 0..60)),
        0..20,
    )) {
        let mut build = Build::new(2);
        for (kind, value) in &attributes {
            build = build.with(*kind, value);
        }
        fuzz::radius(&build.signed());
    }

    /// A time with anything for its words.
    #[test]
    fn any_times(time in "[*.]?[0-9:.]{0,14} ?[A-Z+0-9:-]{0,6} ?[A-Za-z]{0,4} [A-Za-z]{3} [0-9]{1,3} [0-9]{3,5}") {
        fuzz::radius(&cisco(&time, "12:00:00 UTC Sat Nov 21 2026").signed());
    }
}

#[test]
fn the_capture_is_of_its_day() {
    // So that the snapshots above are not read off themselves: radclient's input says 21:36:40.123 to 21:37:41.456.
    let (from, to) = ("2026-11-21T21:36:40.123Z", "2026-11-21T21:37:41.456Z");
    let talk = parse_rfc3339(to.as_bytes()).unwrap().0 - parse_rfc3339(from.as_bytes()).unwrap().0;
    assert_eq!(talk, 61_333_000);
    assert!(all(&packets(RADCLIENT), &Reading::default()).contains("talk 61.333"));
}
