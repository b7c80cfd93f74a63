//! Calls made up: every turn that a call over SIP, an accounting line or a gateway's history can take.

use callrated::wire::{Format, Origin};
use proptest::prelude::*;

use super::*;

/// A packet of a capture agent around a message seen then.
pub fn packet(micros: i64, message: &str) -> Vec<u8> {
    let mut packet = b"HEP3\0\0".to_vec();
    let seconds = (micros / 1_000_000) as u32;
    let rest = (micros % 1_000_000) as u32;
    for (kind, value) in
        [(9u16, &seconds.to_be_bytes()[..]), (10, &rest.to_be_bytes()), (11, &[1]), (15, message.as_bytes())]
    {
        packet.extend([0, 0]);
        packet.extend(kind.to_be_bytes());
        packet.extend((value.len() as u16 + 6).to_be_bytes());
        packet.extend(value);
    }
    let length = packet.len() as u16;
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet
}

const T0: i64 = 1_795_297_590_000_000;

/// `10.5 INVITE`, `11 200 INVITE b`, `14 BYE b`, `14 BYE b<` (from the called side): time, message, tag of the called
/// side; `@2` at the end: seen two hops from the caller.
fn sip(line: &str) -> Vec<u8> {
    let (line, hops) = line.split_once(" @").map_or((line, 1), |(line, hops)| (line, hops.parse().unwrap()));
    let mut words = line.split(' ');
    let at = T0 + (words.next().unwrap().parse::<f64>().unwrap() * 1e6) as i64;
    let first = words.next().unwrap();
    let (start, method) = match first.parse::<u16>() {
        Ok(code) => (format!("SIP/2.0 {code} Whatever"), words.next().unwrap()),
        Err(_) => (format!("{first} sip:0044113296010{hops}@h SIP/2.0"), first),
    };
    let tag = words.next().unwrap_or_default();
    let called = if tag.is_empty() { String::new() } else { format!(";tag={}", tag.trim_end_matches('<')) };
    let (from, to) = ("<sip:alice@a>;tag=caller".to_owned(), format!("<sip:bob@b>{called}"));
    let (from, to) = if tag.ends_with('<') { (to, from) } else { (from, to) };
    let vias: String = (0..hops).map(|hop| format!("Via: SIP/2.0/UDP h{hop};branch=z{hop}\r\n")).collect();
    let asserted = if first == "INVITE" { "P-Asserted-Identity: <tel:+442079460001>\r\n" } else { "" };
    let message =
        format!("{start}\r\n{vias}From: {from}\r\nTo: {to}\r\n{asserted}Call-ID: c1\r\nCSeq: 1 {method}\r\n\r\nv=0");
    packet(at, &message)
}

#[track_caller]
fn check(story: &[&str], expected: &str) {
    let messages: Vec<Vec<u8>> = story.iter().map(|line| sip(line)).collect();
    let found = calls(&pieces(&mut hep(), messages.iter().map(Vec::as_slice)));
    let short = |line: &String| {
        let words =
            line.split(' ').filter(|w| !["node=", "start=", "answer=", "end="].iter().any(|f| w.starts_with(f)));
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found.iter().map(short).collect::<Vec<_>>(), [expected], "{story:?}");
}

const TALKED_3: &str = "id=c1;b;caller from=+442079460001 to=00441132960101 talked 3.000000";

#[test]
fn calls_over_sip() {
    check(&["0 INVITE", "1 180 INVITE b", "2 200 INVITE b", "2 ACK b", "5 BYE b", "5 200 BYE b"], TALKED_3);
    // The called side hangs up.
    check(&["0 INVITE", "2 200 INVITE b", "5 BYE b<"], TALKED_3);
    // Early media is no answer; a retransmitted answer does not count; nor does a re-INVITE, of either side.
    check(&["0 INVITE", "1 183 INVITE b", "2 200 INVITE b", "2.5 200 INVITE b", "5 BYE b", "5.5 BYE b"], TALKED_3);
    check(
        &["0 INVITE", "2 200 INVITE b", "3 INVITE b", "3 200 INVITE b", "4 INVITE b<", "4 200 INVITE b<", "5 BYE b"],
        TALKED_3,
    );
    // A re-INVITE that fails ends nothing.
    check(&["0 INVITE", "2 200 INVITE b", "3 INVITE b", "3 488 INVITE b", "5 BYE b"], TALKED_3);
    // The password is asked for, and the caller comes again.
    check(&["0 INVITE", "0.1 407 INVITE p", "0.2 INVITE", "2 200 INVITE b", "5 BYE b"], TALKED_3);
    // Both capture points see everything; further on the number called is another.
    check(
        &["0 INVITE", "0.001 INVITE @2", "2 200 INVITE b @2", "2.001 200 INVITE b", "5 BYE b", "5.001 BYE b @2"],
        "id=c1;b;caller from=+442079460001 to=00441132960101 talked 3.000000",
    );
    // The clock of the second capture point is late by a second: still the first hop's number.
    check(&["0 INVITE", "-1 INVITE @2", "2 200 INVITE b", "5 BYE b"], TALKED_3);
    // CANCEL came too late: answered, then ended.
    check(&["0 INVITE", "2 200 INVITE b", "2 CANCEL", "5 BYE b"], TALKED_3);
}

#[test]
fn forks() {
    // The branch that was second is ended at once by the caller; the call goes on.
    check(&["0 INVITE", "2 200 INVITE b", "2.1 200 INVITE c", "2.2 BYE c", "5 BYE b"], TALKED_3);
    check(
        &["0 INVITE", "2 200 INVITE b", "2.1 200 INVITE c", "2.2 BYE c"],
        "open End id=c1 from=+442079460001 to=00441132960101",
    );
    // One branch is busy, another answers; what a branch says further on is not what the caller hears.
    check(&["0 INVITE", "0 INVITE @2", "1 486 INVITE x @2", "2 200 INVITE b", "5 BYE b"], TALKED_3);
    check(
        &["0 INVITE", "0 INVITE @2", "1 486 INVITE x @2"],
        "open End id=c1 from=+442079460001 to=00441132960101 cause=486",
    );
}

#[test]
fn calls_that_fail_or_never_end() {
    check(&["0 INVITE", "1 486 INVITE b"], "unanswered id=c1 from=+442079460001 to=00441132960101 cause=486");
    check(&["0 INVITE", "1 CANCEL", "1 487 INVITE b"], "unanswered id=c1 from=+442079460001 to=00441132960101");
    check(&["0 INVITE", "1 CANCEL"], "unanswered id=c1 from=+442079460001 to=00441132960101");
    check(&["0 INVITE", "2 200 INVITE b"], "open End id=c1 from=+442079460001 to=00441132960101");
    check(&["2 200 INVITE b", "5 BYE b"], "open Beginning id=c1;b;caller");
}

proptest! {
    /// In any order, and each any number of times, the packets of the captures make the same calls.
    #[test]
    fn order_and_repeats_do_not_matter(seed in any::<u64>(), name in prop_oneof![Just("kamailio"), Just("opensips"), Just("asterisk_sid"), Just("freeswitch")]) {
        let capture = capture(&format!("{name}/hep.bin"));
        let expected = calls(&pieces(&mut hep(), packets(&capture)));
        let mut state = seed;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut shuffled = packets(&capture);
        for _ in 0..20 {
            shuffled.push(shuffled[next(shuffled.len())]);
        }
        for i in (1..shuffled.len()).rev() {
            shuffled.swap(i, next(i + 1));
        }
        prop_assert_eq!(calls(&pieces(&mut hep(), shuffled)), expected);
    }
}

#[track_caller]
fn understood(format: &str, origin: &Origin, rows: &[(&str, &str)]) {
    let mut decoder = syslog(format, origin);
    for (message, expected) in rows {
        assert_eq!(show(&mut decoder, message.as_bytes()), *expected, "{message}");
    }
}

#[test]
fn accounting_lines() {
    let acc = "ACC: transaction answered: timestamp=1795297591;method=INVITE;from_tag=f;to_tag=t;call_id=c1;code=200;reason=OK";
    let line = |more: &str| format!("<181>Nov 21 22:01:47 vm kamailio: {acc}{more}");
    understood(
        "auto",
        &Origin::new("kam"),
        &[
            (
                &line(";src_user=442079460001;dst_user=441132960100;account=acme"),
                "Acc Answer c1;f;t at 2026-11-21T21:46:31Z: id=c1;f;t node=vm account=acme from=442079460001 to=441132960100 answer=2026-11-21T21:46:31Z cause=200",
            ),
            // Microseconds beside the time, and values in which the separator stands.
            (
                &line(";time_exten=250000;dst_user=+44;uri=sip:x@h;transport=udp"),
                "Acc Answer c1;f;t at 2026-11-21T21:46:31.25Z: id=c1;f;t node=vm to=+44 answer=2026-11-21T21:46:31.25Z cause=200",
            ),
            // Who forges a field is not believed.
            (&line(";src_user=1;dst_user=900;dst_user=44"), "refused repeated_field: field \"callee\" stands twice"),
            (&line(";src_user=1;code=486"), "refused repeated_field: field \"code\" stands twice"),
            (&line(";src_user=1"), "refused missing_field: field \"callee\" is missing"),
            // A re-INVITE that is accounted too goes to a contact without a user.
            (
                &line(";src_user=1;dst_user="),
                "Acc Answer c1;f;t at 2026-11-21T21:46:31Z: id=c1;f;t node=vm from=1 answer=2026-11-21T21:46:31Z cause=200",
            ),
            (
                "<181>Nov 21 22:01:47 vm kamailio: ACC: transaction answered: timestamp=1795297594;method=BYE;from_tag=t;to_tag=f;call_id=c1;code=200;reason=OK",
                "Acc End c1;f;t at 2026-11-21T21:46:34Z: id=c1;f;t node=vm end=2026-11-21T21:46:34Z cause=200",
            ),
            (
                "<29>Nov 21 22:01:47 /usr/sbin/kamailio[7]: NOTICE: acc [acc.c:287]: acc_log_request(): ACC: call missed: timestamp=1795297594;method=INVITE;from_tag=f;to_tag=t;call_id=c1;code=486;reason=Busy Here",
                "Acc Fail c1;f;t at 2026-11-21T21:46:34Z: id=c1;f;t node=kam start=2026-11-21T21:46:34Z cause=486",
            ),
            ("<13>ACC: transaction answered: timestamp=1;method=INVITE;call_id=c1;code=407", "skipped not_a_call"),
            ("<13>ACC: transaction answered: timestamp=1;method=CANCEL;call_id=c1;code=200", "skipped not_a_call"),
            ("<13>ACC: request acknowledged: timestamp=1;method=ACK;call_id=c1;code=200", "skipped not_a_call"),
            (
                "<13>vm opensips: ACC: call ended: created=1795297909;call_start_time=1795297910;duration=4;ms_duration=3006;setuptime=1;method=INVITE;from_tag=f;to_tag=t;call_id=c1;code=200;reason=OK;caller=1;callee=2",
                "record id=c1;f;t node=kam from=1 to=2 start=2026-11-21T21:51:49Z answer=2026-11-21T21:51:50Z duration=3.006 cause=200",
            ),
            // Not ours at all.
            ("<13>Nov 21 22:01:47 vm sshd[9]: Accepted publickey for root", "skipped not_a_call"),
            ("<13>Nov 21 22:01:47 vm app: {\"level\":\"info\"}", "skipped not_a_call"),
            ("<13>Nov 21 22:01:47 vm x: a | b | c", "skipped not_a_call"),
            // Ours, and cut on the way.
            (
                "<13>Nov 21 22:01:47 vm json_acc[1]: {\"time\": 1, \"meth",
                "refused malformed_json: malformed JSON at column 18: the text is not closed",
            ),
            (
                "<13>vm: {\"id\":\"n1\",\"source\":\"1\",\"destination\":\"2\",\"duration\":1}",
                "record id=n1 node=kam from=1 to=2 duration=1",
            ),
            (
                "<13>kamailio: start_time=1795297590.489; end_time=1795297594.016; duration=3.527; ci=c1; caller=1; callee=2",
                "refused ringing_unknown: a Kamailio CDR does not tell whether its duration includes the ringing: set talk_includes_ringing = false on the listener if Kamailio has cdr_start_on_confirmed = 1, else true, and calls are rated from the accounting of INVITE and BYE",
            ),
        ],
    );
    let confirmed = Origin { talk_includes_ringing: Some(false), ..Origin::new("kam") };
    understood(
        "kamailio",
        &confirmed,
        &[(
            "<13>kamailio: start_time=1795297591.013; end_time=1795297594.016; duration=3.003; callid=c1; caller=1; callee=2",
            "record id=c1 node=kam from=1 to=2 answer=2026-11-21T21:46:31.013Z end=2026-11-21T21:46:34.016Z duration=3.003",
        )],
    );
}

#[test]
fn rows_of_an_audiocodes() {
    let own = "CALL_END |SBC |2076@10.33.45.80 |187 |RMT |10.33.45.80 |5060 |10.33.45.72 |5060 |UDP |9001@10.8.8.10 |9001@10.8.8.10 |6001@10.33.45.80 |6001@10.33.45.80 |15 |LCL |GWAPP_NORMAL_CALL_CLEAR |NORMAL_CALL_CLEAR |17:00:29.954 UTC Thu Oct 14 2014 |17:00:49.052 UTC Thu Oct 14 2014 |17:01:04.953 UTC Thu Oct 14 2014 |-1 | | |40 |1 |0 (SRD_GW) |1 |1 |1 () |0 (MR_1) |no |BYE |Q.850 ;cause=16 |9028 |";
    let record = "record id=2076@10.33.45.80 node=sbc from=9001 to=6001 start=2014-10-14T17:00:29.954Z answer=2014-10-14T17:00:49.052Z end=2014-10-14T17:01:04.953Z cause=BYE";
    let titles = "<134>[S=40] |SBCReportType |SIPCallId |ReleaseTime |ConnectTime |SetupTime |DstURI |SrcURI |Orig ";
    understood(
        "audiocodes",
        &Origin::new("sbc"),
        &[
            (&format!("<134>[S=41] [SID=1] |{own}"), record),
            (&format!("<134>[S=41] |{}", own.replace("|RMT", "|LCL")), "skipped other_leg"),
            (&format!("<134>[S=41] |{}", own.replace("CALL_END", "CALL_CONNECT")), "skipped not_a_call"),
            (
                &format!("<134>[S=41] |{}", own.replace("|17:00:49.052 UTC Thu Oct 14 2014 |", "| |")),
                "record id=2076@10.33.45.80 node=sbc from=9001 to=6001 start=2014-10-14T17:00:29.954Z end=2014-10-14T17:01:04.953Z duration=0 cause=BYE",
            ),
            // A device with columns of its own that did not say so.
            (
                "<134>[S=41] |CALL_END |17:01:04.953 UTC Thu Oct 14 2014 |2076",
                "refused bad_header: the row does not have the columns that are known: let the node send its title row, or set columns on the listener",
            ),
            (titles, "header"),
            (
                "<134>[S=41] |CALL_END |c7 |17:01:04.953 UTC Thu Oct 14 2014 |17:00:49.052 UTC Thu Oct 14 2014 |17:00:29.954 UTC Thu Oct 14 2014 |6001@h |9001@h |RMT",
                "record id=c7 node=sbc from=9001 to=6001 start=2014-10-14T17:00:29.954Z answer=2014-10-14T17:00:49.052Z end=2014-10-14T17:01:04.953Z",
            ),
            (
                "<134>[S=41] |CALL_END |c7 |17:01:04.953 CET Thu Oct 14 2014 |17:00:49.052 UTC Thu Oct 14 2014 | |6001@h |9001@h |RMT",
                "refused bad_time: the time in \"ReleaseTime\" names another zone than the listener's: set timezone to the node's, such as \"Europe/Berlin\"",
            ),
        ],
    );
}

#[test]
fn both_legs_of_a_cisco_gateway_make_one_call() {
    let zone = callrated::time::Zone::named("Europe/Berlin").unwrap();
    let origin = Origin { zone, ..Origin::new("gw") };
    let leg = |origin: u8, peer: &str, connect: &str, cause: &str| {
        format!(
            "<189>123: *Dec 16 10:16:25.486: %VOIPAAA-5-VOIP_CALL_HISTORY: CallLegType 2, ConnectionId CA52, SetupTime 10:14:59.214 CET Thu Dec 16 2010, PeerAddress {peer}, PeerSubAddress , DisconnectCause {cause}  , DisconnectText normal call clearing (16), ConnectTime {connect} CET Thu Dec 16 2010, DisconnectTime 10:15:50.894 CET Thu Dec 16 2010, CallOrigin {origin}, ChargedUnits 0, InfoType 2, TransmitPackets 2562"
        )
    };
    let told = |legs: &[String]| calls(&pieces(&mut syslog("auto", &origin), legs.iter().map(String::as_bytes)));
    let (caller, called) = (leg(2, "510", "10:14:59.294", "10"), leg(1, "0800123", "10:14:59.290", "10"));
    let whole = "id=CA52 node=gw from=510 to=0800123 start=2010-12-16T09:14:59.214Z answer=2010-12-16T09:14:59.294Z end=2010-12-16T09:15:50.894Z cause=16 talked 51.600000";
    assert_eq!(told(&[caller.clone(), called.clone()]), [whole]);
    assert_eq!(told(&[called.clone(), caller]), [whole]);
    // An attempt that failed before the one that was answered says nothing of the call.
    let failed = leg(1, "999", "10:15:50.894", "11");
    assert_eq!(told(&[failed, called, leg(2, "510", "10:14:59.294", "10")]), [whole]);
    assert_eq!(
        told(&[leg(2, "510", "10:15:50.894", "11")]),
        ["unanswered id=CA52 node=gw from=510 start=2010-12-16T09:14:59.214Z cause=17"]
    );
    let mut decoder = syslog("auto", &origin);
    let feature = b"<189>124: Dec 16 10:16:25: %VOIPAAA-5-VOIP_FEAT_HISTORY: FEAT_VSA=fn:TWC";
    assert_eq!(show(&mut decoder, feature), "skipped not_a_call");
}

#[test]
fn what_syslog_carries_in_other_formats() {
    let mut rows = syslog("json", &Origin::new("pbx"));
    let row = b"<13>Nov 21 22:01:47 vm cdr: {\"id\":\"n1\",\"source\":\"1\",\"destination\":\"2\",\"duration\":1}";
    assert_eq!(show(&mut rows, row), "record id=n1 node=vm from=1 to=2 duration=1");
    assert!(Format::named("kamailio").is_some() && Format::named("opensips").is_some());
}
