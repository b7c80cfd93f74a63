//! Where records of real nodes mislead whoever believes them, one test each.

use callrated::time::Zone;
use callrated::wire::{Format, messages};

use super::*;

/// Records and refusals of a text, each in a line.
fn read(format: &str, origin: &Origin, text: &str) -> Vec<String> {
    let format = Format::named(format).unwrap();
    let mut decoder = Decoder::of(&format, origin);
    let mut lines = Vec::new();
    messages::each(&format, text.as_bytes(), |_, message| {
        lines.push(show(&mut decoder, message.unwrap()));
    });
    lines
}

/// Of each record in lines: talk time, or `-` where it was not answered.
fn talks(lines: &[String]) -> Vec<String> {
    let word = |line: &String, name: &str| {
        let found = line.split(' ').find_map(|word| word.strip_prefix(name));
        found.unwrap_or("-").to_owned()
    };
    let answered = |line: &String| line.contains(" answer=");
    lines.iter().map(|line| if answered(line) { word(line, "duration=") } else { "-".to_owned() }).collect()
}

/// A call that rang for half a second and talked for three. Its CDR says 3.5, and nothing in it tells; the accounting of
/// INVITE and BYE knows better.
#[test]
fn kamailio_durations_may_include_the_ringing() {
    let acc = |method: &str, at: u32, callee: &str| {
        format!(
            "ACC: transaction answered: timestamp={at};method={method};from_tag=f;to_tag=t;call_id=c1;code=200;reason=OK;src_user=1;dst_user={callee}"
        )
    };
    let lines = [
        acc("INVITE", 1_795_297_591, "2"),
        acc("BYE", 1_795_297_594, ""),
        "start_time=1795297590.489; end_time=1795297594.016; duration=3.527; callid=c1; caller=1; callee=2".to_owned(),
    ];
    let with = |ringing| Origin { talk_includes_ringing: ringing, ..Origin::new("kam") };
    let of = |ringing, line: &String| read("kamailio", &with(ringing), line).concat();
    // Nobody said which it is: the CDR is refused, the accounting counts.
    assert!(of(None, &lines[2]).starts_with("refused ringing_unknown"));
    for ringing in [None, Some(true)] {
        let told = pieces(&mut syslog("kamailio", &with(Some(true))), lines.iter().map(String::as_bytes));
        assert_eq!(calls(&told).len(), 1);
        assert!(calls(&told)[0].ends_with("talked 3.000000"), "{:?}", calls(&told));
        assert!(of(ringing, &lines[0]).starts_with("Acc Answer") && of(ringing, &lines[1]).starts_with("Acc End"));
    }
    assert_eq!(of(Some(true), &lines[2]), "skipped told_in_parts");
    // Kamailio has `cdr_start_on_confirmed`: the CDR is exact, and the accounting would be the same call again.
    assert_eq!(talks(&[of(Some(false), &lines[2])]), ["3.527"]);
    assert_eq!(lines[..2].iter().map(|l| of(Some(false), l)).collect::<Vec<_>>(), ["skipped other_leg"; 2]);
}

/// 3006 ms are 4 s in its `duration`.
#[test]
fn opensips_rounds_up() {
    let event = r#"{"jsonrpc":"2.0","method":"E_ACC_CDR","params":{"method":"INVITE","from_tag":"f","to_tag":"t","callid":"c","sip_code":"200","sip_reason":"OK","time":1795297910,"caller":"1","callee":"2","duration":4,"ms_duration":3006,"setuptime":1,"created":1795297909}}"#;
    let line = "ACC: call ended: created=1795297909;call_start_time=1795297910;duration=4;ms_duration=3006;setuptime=1;method=INVITE;from_tag=f;to_tag=t;call_id=c;code=200;reason=OK;caller=1;callee=2";
    assert_eq!(talks(&read("opensips", &Origin::new("o"), event)), ["3.006"]);
    assert_eq!(show(&mut syslog("opensips", &Origin::new("o")), line.as_bytes()), {
        "record id=c;f;t node=o from=1 to=2 start=2026-11-21T21:51:49Z answer=2026-11-21T21:51:50Z duration=3.006 cause=200"
    });
}

/// 1.204 s that lie across two turns of a second are 2 s in its `billsec`, and 1 s if they lie otherwise.
#[test]
fn freeswitch_cuts_seconds_off() {
    let leg = |answer: u64, billsec: u32| {
        format!(
            r#"{{"variables":{{"uuid":"u","direction":"inbound","sip_from_user":"1","sip_req_user":"2","answer_epoch":"{}","answer_uepoch":"{answer}","end_uepoch":"{}","billsec":"{billsec}","billmsec":"1204","billusec":"1203793"}}}}"#,
            answer / 1_000_000,
            answer + 1_203_793
        )
    };
    let text = leg(1_795_297_932_900_000, 2) + &leg(1_795_297_932_100_000, 1);
    assert_eq!(talks(&read("freeswitch", &Origin::new("fs"), &text)), ["1.203793"; 2]);
}

/// A call that two phones rang for, was answered, and was put through to a third; and what Asterisk's own answering leaves.
/// All rows of one `linkedid`, four of one `uniqueid`: each is told by its sequence, and only talk counts.
#[test]
fn asterisk_writes_several_rows_of_a_call() {
    let row = |channel: &str, dst: &str, bill: u32, disposition: &str, unique: &str, sequence: u32| {
        format!(
            "\"acme\",\"442079460001\",\"{dst}\",\"in\",\"\",\"PJSIP/{channel}\",\"PJSIP/x\",\"Dial\",\"\",\"2026-11-21 21:56:51\",\"2026-11-21 21:56:52\",\"2026-11-21 21:58:54\",{},{bill},\"{disposition}\",\"DOCUMENTATION\",\"{unique}\",\"\",\"\",\"1795298211.0\",{sequence}\n",
            bill + 1
        )
    };
    let rows = [
        row("a", "101", 0, "NO ANSWER", "1795298211.0", 0),
        // The channel was answered by a menu before it dialled.
        row("a", "102", 60, "NO ANSWER", "1795298211.0", 1),
        row("a", "103", 33, "ANSWERED", "1795298211.0", 2),
        row("a", "104", 27, "ANSWERED", "1795298211.0", 3),
        // A Local channel in between.
        row("b", "103", 0, "ANSWERED", "1795298211.2", 4),
        row("c", "101", 0, "BUSY", "1795298211.3", 5),
        row("c", "101", 0, "FAILED", "1795298211.3", 6),
    ];
    let found = read("asterisk-csv", &Origin::new("pbx"), &rows.concat());
    let talked: Vec<String> =
        talks(&found).into_iter().zip(&found).filter(|(t, _)| t != "-").map(|(talk, _)| talk).collect();
    assert_eq!(talked, ["33", "27"]);
    let mut ids: Vec<&str> = found.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), ids[0]), (7, "id=1795298211.0/0"));
}

/// The same call towards the caller and towards the gateway: one of the two is the call.
#[test]
fn legs_are_told_apart() {
    let leg = |uuid: &str, direction: &str, account: &str| {
        format!(
            r#"{{"variables":{{"uuid":"{uuid}","direction":"{direction}"{account},"sip_from_user":"1","sip_req_user":"2","answer_uepoch":"1795297932878737","billusec":"1203793"}}}}"#
        )
    };
    let legs = leg("b", "outbound", "") + &leg("a", "inbound", r#","accountcode":"acme""#);
    let found = read("freeswitch", &Origin::new("fs"), &legs);
    assert_eq!(found[0], "skipped other_leg");
    assert!(found[1].starts_with("record id=a node=fs account=acme"), "{found:?}");
    // An SBC and a gateway: `rows_of_an_audiocodes`, `both_legs_of_a_cisco_gateway_make_one_call`; captured SIP of a
    // back-to-back user agent has two calls, which `captured_sip` shows and the README says.
}

/// Kamailio with `failed_transaction_flag` and a flag for missed calls tells the same failure twice, OpenSIPS too; it is one
/// attempt.
#[test]
fn the_same_failed_call_reported_twice() {
    let line = |what: &str| {
        format!(
            "ACC: {what}: timestamp=1795297595;method=INVITE;from_tag=f;to_tag=t;call_id=c1;code=486;reason=Busy Here;src_user=1;dst_user=2"
        )
    };
    let lines = [line("call missed"), line("transaction answered")];
    let told = pieces(&mut syslog("kamailio", &Origin::new("kam")), lines.iter().map(String::as_bytes));
    assert_eq!(calls(&told), ["unanswered id=c1;f;t node=kam from=1 to=2 start=2026-11-21T21:46:35Z cause=486"]);
    let event = |name: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"{name}","params":{{"method":"INVITE","from_tag":"f","to_tag":"t","callid":"c1","sip_code":"486","time":1795297595,"caller":"1","callee":"2"}}}}"#
        )
    };
    let events = [event("E_ACC_EVENT"), event("E_ACC_MISSED_EVENT")];
    let mut decoder = Decoder::of(&Format::named("opensips").unwrap(), &Origin::new("kam"));
    assert_eq!(calls(&pieces(&mut decoder, events.iter().map(String::as_bytes))), calls(&told));
}

/// 25 October 2026 in Berlin: 02:30 came twice. Asterisk's unique id holds the second in which the channel was made; where
/// nothing tells, the record says by how much it may be wrong, and waits.
#[test]
fn local_times_in_the_repeated_autumn_hour() {
    let berlin = Origin { zone: Zone::named("Europe/Berlin").unwrap(), ..Origin::new("pbx") };
    let row = |unique: &str| {
        format!(
            "\"acme\",\"1\",\"2\",\"in\",\"\",\"c\",\"d\",\"Dial\",\"\",\"2026-10-25 02:30:00\",\"2026-10-25 02:30:01\",\"2026-10-25 02:30:11\",11,10,\"ANSWERED\",\"DOCUMENTATION\",\"{unique}\",\"\",\"\",\"{unique}\",0"
        )
    };
    for (unique, answer, doubt) in [
        // 00:30:00 and 01:30:00 UTC.
        ("1792888200.4", "2026-10-25T00:30:01Z", false),
        ("1792891800.4", "2026-10-25T01:30:01Z", false),
        ("pbx.4", "2026-10-25T00:30:01Z", true),
    ] {
        let text = row(unique);
        let mut decoder = Decoder::of(&Format::named("asterisk-csv").unwrap(), &berlin);
        let mut scratch = Scratch::default();
        let Ok(Line::Record(record)) = decoder.decode(text.as_bytes(), &mut scratch) else { panic!("{text}") };
        assert_eq!(record.answer.unwrap().to_string(), answer, "{unique}");
        assert_eq!(record.fold.map(|seconds| seconds.to_string()), doubt.then(|| "3600".to_owned()), "{unique}");
    }
}

/// Names with separators and quotes in formats that escape nothing; a caller who writes a field into his own name.
#[test]
fn values_that_nobody_escaped() {
    let switch = r#""Al "Big", Jr","1","2","public","2026-11-21 21:52:12","2026-11-21 21:52:12","2026-11-21 21:52:15","3","3","NORMAL_CLEARING","u-1","","acct","PCMU","PCMU""#;
    let found = read("freeswitch-csv", &Origin::new("fs"), switch).concat();
    assert!(found.contains("id=u-1") && found.contains("from=1 to=2") && found.contains("duration=3"), "{found}");
    let line = |more: &str| {
        format!(
            "ACC: transaction answered: timestamp=1795297591;method=INVITE;from_tag=f;to_tag=t;call_id=c1;code=200;reason=OK;src_user=1;dst_user=2{more}"
        )
    };
    let mut decoder = syslog("kamailio", &Origin::new("kam"));
    // A URI with parameters, of which one goes by no name of ours.
    assert!(show(&mut decoder, line(";uri=sip:x@h;transport=udp;lr").as_bytes()).contains("from=1 to=2"));
    let forged = show(&mut decoder, line(";from_name=Eve;dst_user=3").as_bytes());
    assert!(forged.starts_with("refused repeated_field"), "{forged}");
}

/// The log of a Kamailio that sends it by itself (`log_custom`), without any envelope.
#[test]
fn kamailio_sends_its_log_by_itself() {
    let mut decoder = syslog("auto", &Origin::new("kam"));
    let line = "(28768) NOTICE: acc [acc.c:287]: acc_log_request(): ACC: transaction answered: timestamp=1795682581;method=INVITE;from_tag=f;to_tag=t;call_id=c1;code=200;reason=OK;src_user=1;dst_user=2;src_ip=127.0.0.1\n";
    let found = show(&mut decoder, line.as_bytes());
    assert!(found.starts_with("Acc Answer c1;f;t at 2026-11-26T08:43:01Z: id=c1;f;t node=kam from=1 to=2"), "{found}");
    let other = "(28768) NOTICE: <core> [main.c:733]: handle_sigs(): Thank you for flying kamailio!!!\n";
    assert_eq!(show(&mut decoder, other.as_bytes()), "skipped not_a_call");
}
