use super::*;
use proptest::prelude::*;

/// `start | call-id | cseq method | from;tag | to;tag | asserted | branch | hops`.
fn show(message: &[u8]) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match read(message) {
        Err(bad) => format!("{bad:?}"),
        Ok(m) => {
            let start = match m.start {
                Start::Request(uri) => text(uri),
                Start::Response(code) => code.to_string(),
            };
            let cseq = m.cseq.map_or("-".to_owned(), |n| n.to_string());
            format!(
                "{start} | {} | {cseq} {} | {};{} | {};{} | {} | {} | {}",
                text(m.call_id),
                text(m.method),
                text(m.from.user),
                text(m.from.tag),
                text(m.to.user),
                text(m.to.tag),
                text(m.asserted),
                text(m.branch),
                m.hops
            )
        }
    }
}

#[track_caller]
fn check(message: &str, expected: &str) {
    for message in [message.to_owned(), message.replace('\n', "\r\n")] {
        assert_eq!(show(message.as_bytes()), expected, "{message:?}");
    }
}

#[test]
fn a_request_with_everything() {
    check(
        "INVITE sip:+4930@h:5060;user=phone SIP/2.0\nVia: SIP/2.0/UDP a;branch=z1;rport, SIP/2.0/TCP b;branch=z2\nVia: SIP/2.0/UDP c;branch=z3\n\
         From: \"A \\\"<x>\\\" ;tag=no\" <sip:alice:pw@h;x=y>;tag=f1\nTo: <sip:bob@h>\nCall-ID: c1@h\nCSeq: 7 INVITE\n\
         P-Asserted-Identity: \"A, B\" <sip:h>, <tel:+4912;phone-context=x>\nMax-Forwards: 70\n\nCall-ID: body\n",
        "sip:+4930@h:5060;user=phone | c1@h | 7 INVITE | alice;f1 | bob; | +4912 | z1 | 3",
    );
}

#[test]
fn compact_names_folding_and_disorder() {
    check(
        "\n\nSIP/2.0 200 All is well\nv : SIP/2.0/UDP a\n ;branch=z1\ni:\n\tc2\nf: sip:alice@h ; TAG = f1\nnonsense\nT: <sips:bob%23@h> ;x; tag=t1\ncseq: 2\n  bye\nF: <sip:second@h>;tag=f2",
        "200 | c2 | 2 bye | alice;f1 | bob%23;t1 |  | z1 | 1",
    );
}

#[test]
fn parts_that_are_missing_or_strange() {
    check("BYE sip:x SIP/2.0\ni: c\n", "sip:x | c | - BYE | ; | ; |  |  | 0");
    check("BYE sip:x SIP/2.0\ni: c\nCSeq: many BYE", "sip:x | c | - BYE | ; | ; |  |  | 0");
    check("SIP/2.0 200\ni: c\n", "Cseq");
    check("BYE sip:x SIP/2.0\nf: <sip:a@h", "CallId");
    check("BYE sip:x SIP/2.0\ni: c\nf: <sip:a@h\nt: \"open <sip:b@h>;tag=t", "sip:x | c | - BYE | a; | ; |  |  | 0");
    for message in [
        "",
        "\n\n",
        "BYE",
        "BYE sip:x",
        "BYE sip:x HTTP/1.1",
        "SIP/2.0 99 x",
        "SIP/2.0 1000 x",
        "HEP3",
        "[BYE] x SIP/2.0",
    ] {
        check(message, "Start");
    }
}

#[test]
fn users() {
    for (uri, expected) in [
        ("sip:alice@h", "alice"),
        ("SIP:alice:secret@h:5060;transport=tcp?Subject=a@b", "alice"),
        ("sips:+4930;phone-context=+49@h;user=phone", "+4930"),
        ("sip:a@b@h", "a@b"),
        ("sip:h.example", ""),
        ("sip:h:5060", ""),
        ("tel:+49-30;ext=5", "+49-30"),
        ("tel:911", "911"),
        ("tel:+12025331234;npdi", "+12025331234"),
        ("tel:+12025331234;npdi;rn=+12025440000", "+12025331234;npdi;rn=+12025440000"),
        ("sip:+12025331234;npdi;RN=+12025440000:pw@h;rn=1", "+12025331234;npdi;RN=+12025440000"),
        ("mailto:a@b", ""),
        ("alice", ""),
        ("", ""),
    ] {
        assert_eq!(user(uri.as_bytes()), expected.as_bytes(), "{uri}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), ours in any::<bool>()) {
        let message = if ours { [b"BYE x SIP/2.0\ni: c\nf:".as_slice(), &bytes].concat() } else { bytes };
        let _ = read(&message);
    }

    /// Anything made of what the scanner looks at.
    #[test]
    fn any_marks_are_read(value in "[\"<>;,=@: \\\\\r\n\ta-c]{0,60}") {
        let message = format!("INVITE sip:{value} SIP/2.0\ni: c\nf: {value}\nv: {value}\nP-Asserted-Identity: {value}\n");
        let _ = read(message.as_bytes());
    }

    /// What is written is read, in any order of headers, by either name, folded or not.
    #[test]
    fn headers_are_found(
        user in "[a-z0-9+.-]{1,12}",
        tag in "[a-z0-9]{1,8}",
        call in "[a-z0-9@.-]{1,20}",
        number in any::<u32>(),
        name in "[ -!#-\\[\\]-~]{0,20}",
        compact in any::<bool>(),
        fold in any::<bool>(),
        order in Just(vec![0usize, 1, 2, 3, 4]).prop_shuffle(),
    ) {
        let space = if fold { "\r\n  " } else { " " };
        let (f, t, i) = if compact { ("f", "t", "i") } else { ("From", "To", "Call-ID") };
        let headers = [
            format!("{f}:{space}\"{name}\"{space}<sip:{user}@h>{space};tag={tag}"),
            format!("{t}:{space}<sip:to@h>"),
            format!("{i}:{space}{call}"),
            format!("CSeq:{space}{number}{space}INVITE"),
            "X-Other: \"<sip:no@h>;tag=no".to_owned(),
        ];
        let head: String = order.iter().map(|at| format!("{}\r\n", headers[*at])).collect();
        let message = format!("SIP/2.0 180 Ringing\r\n{head}\r\n{f}: <sip:body@h>\r\n");
        let read = read(message.as_bytes()).unwrap();
        prop_assert_eq!(read.from, Party { user: user.as_bytes(), tag: tag.as_bytes() });
        prop_assert_eq!(read.to, Party { user: b"to", tag: b"" });
        prop_assert_eq!((read.call_id, read.cseq, read.method), (call.as_bytes(), Some(number), b"INVITE".as_slice()));
    }
}
