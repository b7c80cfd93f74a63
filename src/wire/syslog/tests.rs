use super::*;
use proptest::prelude::*;

/// Priority (or −1), host, program and text of a message.
#[track_caller]
fn check(message: &str, priority: i16, host: &str, app: &str, text: &str) {
    let read = read(message.as_bytes());
    let show = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let found = (read.priority.map_or(-1, i16::from), show(read.host), show(read.app), show(read.text));
    assert_eq!(found, (priority, host.to_owned(), app.to_owned(), text.to_owned()), "{message:?}");
}

#[test]
fn rfc_3164_in_its_many_shapes() {
    // As measured: util-linux logger, rsyslog, Kamailio through /dev/log.
    check("<173>Nov 21 22:01:45 vm kamailio: ACC: x", 173, "vm", "kamailio", "ACC: x");
    check("<25>Nov 21 21:46:31 json_acc[4076]: {\"time\": 1}", 25, "", "json_acc", "{\"time\": 1}");
    check(
        "<29>Nov  1 21:46:31 vm /usr/sbin/kamailio[7]: NOTICE: acc: ACC: x\n",
        29,
        "vm",
        "/usr/sbin/kamailio",
        "NOTICE: acc: ACC: x",
    );
    check("<181>2026-11-21T22:01:47.489782+00:00 vm kamailio: start_time=1", 181, "vm", "kamailio", "start_time=1");
    // Without a host, without a time, without anything.
    check("<13>kamailio: ACC: x", 13, "", "kamailio", "ACC: x");
    check("<13>ACC: x", 13, "", "", "ACC: x");
    check("ACC: x\0", -1, "", "", "ACC: x");
    check("<13>Nov 21 22:01:45 vm ACC: x", 13, "vm", "", "ACC: x");
    check("<134>[S=41] [SID=1:2] |CALL_END |SBC ", 134, "", "", "[S=41] [SID=1:2] |CALL_END |SBC");
    check("<134>Nov 21 22:01:45 10.1.2.3 [S=41] |CALL_END ", 134, "10.1.2.3", "", "[S=41] |CALL_END");
    check("<134>Nov 21 22:01:45 2001:db8::7 cdr: x", 134, "2001:db8::7", "cdr", "x");
    check("<13>\"acct\",\"x: y\"\r\n\0", 13, "", "", "\"acct\",\"x: y\"");
    check("", -1, "", "", "");
    check("<13>", 13, "", "", "");
    // Not a priority.
    check("<192>x y", -1, "", "", "<192>x y");
    check("<>x y", -1, "", "", "<>x y");
    check("<0001>x y", -1, "", "", "<0001>x y");
}

#[test]
fn cisco() {
    let text = "%VOIPAAA-5-VOIP_CALL_HISTORY: CallLegType 2";
    for (header, host) in [
        ("<189>123: *Dec 16 10:16:25.486: ", ""),
        ("<189>123: .Dec 16 10:16:25.486: ", ""),
        ("<189>Dec 16 10:16:25: ", ""),
        ("<189>123: Dec 16 2010 10:16:25.486: ", ""),
        ("<189>123: *Dec  6 10:16:25.486 CET: ", ""),
        ("<189>123: gw1: Dec 16 10:16:25.486: ", "gw1"),
        ("<189>Dec 16 10:16:25.486 CET: ", ""),
        // Through a relay that adds a header of its own.
        ("<189>Dec 16 10:16:26 gw1 ", "gw1"),
    ] {
        check(&format!("{header}{text}"), 189, host, "", text);
    }
    let relayed = format!("<189>Dec 16 10:16:26 gw1 123: *Dec 16 10:16:25.486: {text}");
    // The counter looks like a tag; the mark is where a format looks for it.
    check(&relayed, 189, "gw1", "123", &format!("*Dec 16 10:16:25.486: {text}"));
}

#[test]
fn rfc_5424() {
    check(
        r#"<173>1 2026-11-21T22:01:45.975225+00:00 vm kamailio - - [timeQuality tzKnown="1" isSynced="0"] ACC: x"#,
        173,
        "vm",
        "kamailio",
        "ACC: x",
    );
    // rsyslog's template puts a second space before the text.
    check("<181>1 2026-11-21T22:01:47.489782+00:00 vm kamailio - - -  ACC: x\n", 181, "vm", "kamailio", "ACC: x");
    check("<13>1 - - - - - -", 13, "", "", "");
    check("<13>1 - - - - - - \u{feff}héllo", 13, "", "", "héllo");
    check(r#"<13>1 - h a p m [a k="\"\]\\"][b x="]"] text ] here"#, 13, "h", "a", "text ] here");
    check(r#"<13>1 - h a p m [a k="not closed] text"#, 13, "h", "a", r#"[a k="not closed] text"#);
    // A text that only begins like one.
    check("<13>1 call from x: y", 13, "", "", "1 call from x: y");
    check("<13>1 2026-11-21T22:01:45Z vm", 13, "", "", "1 2026-11-21T22:01:45Z vm");
}

proptest! {
    /// Any bytes, and any bytes behind the beginning of a header: no panic, and the text is a piece of the message.
    #[test]
    fn any_bytes_are_a_message(head in 0usize..6, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let heads: [&[u8]; 6] = [b"", b"<13>", b"<13>1 - ", b"<13>Nov 21 22:01:45 ", b"<9>1: *", b"<13>1 - h a p m ["];
        let message = [heads[head], &bytes].concat();
        let read = read(&message);
        prop_assert!(message.windows(read.text.len().max(1)).any(|w| w == read.text) || read.text.is_empty());
    }

    /// What is put together is taken apart, by either RFC.
    #[test]
    fn headers_are_taken_off(
        priority in 0u8..=191,
        host in "[a-z][a-z0-9.-]{0,20}",
        app in "[a-z][a-z0-9_-]{0,10}",
        value in "[^\\x00-\\x1f]{0,20}",
        text in "[!-9<-~]([ -~]{0,40}[!-~])?",
    ) {
        let escaped: String = value.chars().flat_map(|c| matches!(c, '"' | '\\' | ']').then_some('\\').into_iter().chain([c])).collect();
        for message in [
            format!("<{priority}>Nov 21 22:01:45 {host} {app}[12]: {text}"),
            format!("<{priority}>1 2026-11-21T22:01:45Z {host} {app} 12 ID [x@1 k=\"{escaped}\"] {text}"),
        ] {
            let read = read(message.as_bytes());
            prop_assert_eq!(read.priority, Some(priority));
            prop_assert_eq!((read.host, read.app, read.text), (host.as_bytes(), app.as_bytes(), text.as_bytes()));
        }
    }
}
