//! Any names and values in any order: what is told twice with two values is refused, and nothing else changes.

use super::*;
use proptest::prelude::*;

fn text_of(line: &str) -> Result<String, Refusal> {
    let acc = Acc::new(&Origin::new("kam"));
    let mut scratch = Scratch::default();
    let line = acc.text(line.as_bytes(), &mut scratch)?;
    Ok(match line {
        Line::Piece(piece) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let record = piece.record;
            format!(
                "{:?} {} {} {} {:?}",
                piece.step,
                text(record.id),
                text(record.source),
                text(record.destination),
                piece.at
            )
        }
        other => format!("{other:?}"),
    })
}

/// Names that mean something, and the end of a line's own fields.
const FORGED: [&str; 24] = [
    "account",
    "acct",
    "callee",
    "caller",
    "call_id",
    "callid",
    "ci",
    "calling",
    "code",
    "created",
    "destination",
    "dst_user",
    "duration",
    "end_time",
    "method",
    "ms_duration",
    "reason",
    "source",
    "src_user",
    "start_time",
    "time_exten",
    "timestamp",
    "to_tag",
    "to_user",
];

#[test]
fn fields_that_the_listener_was_told() {
    let check = |columns: &str, fields: &str, expected: &str| {
        let titles = Some(columns.into());
        let acc = Acc::new(&Origin { titles, ..Origin::new("kam") });
        let line = format!(
            "ACC: transaction answered: timestamp=1795297591;method=INVITE;from_tag=f;to_tag=t;call_id=c1;code=200;reason=OK{fields}"
        );
        let got = match acc.text(line.as_bytes(), &mut Scratch::default()) {
            Ok(Line::Piece(piece)) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                format!(
                    "{}|{}|{}",
                    text(piece.record.account),
                    text(piece.record.source),
                    text(piece.record.destination)
                )
            }
            other => format!("{other:?}"),
        };
        assert_eq!(got, expected, "{columns} {fields}");
    };
    check("src_user;dst_user", ";src_user=1;dst_user=2", "|1|2");
    // Fields of no name that we know take their values along; separators and signs belong to the value.
    check(
        "name=$fn;src_user=$fU;dst_user=$rU",
        ";name=A;account=evil;b;src_user=1;dst_user=2;callee=3",
        "|1|2;callee=3",
    );
    check("src_user=$fU;dst_user=$rU;account=$avp(a)", ";src_user=1;dst_user=2;account=acme", "acme|1|2");
    check("src_user;dst_user", ";src_user=1;dst_user=9;dst_user=2", "Err(Repeated(\"callee\"))");
    check("src_user;dst_user;account", ";src_user=1;dst_user=2", "Err(Titles)");
    check("src_user;dst_user", ";dst_user=2;src_user=1", "Err(Titles)");
    for bad in ["", "src_user", "src_user;;dst_user", "dst_user;dst_user"] {
        assert_eq!(text::Extras::read(bad), None, "{bad}");
    }
    // OpenSIPS' CDR, whose caller would have it shorter.
    let line = "ACC: call ended: created=1795297909;call_start_time=1795297910;duration=4;ms_duration=3006;setuptime=1;method=INVITE;from_tag=f;to_tag=t;call_id=c;code=200;reason=OK;caller=1;ms_duration=1;callee=2";
    assert_eq!(text_of(line), Err(Refusal::Repeated("ms_duration")));
    let acc = Acc::new(&Origin { titles: Some("caller;callee".into()), ..Origin::new("osips") });
    let mut scratch = Scratch::default();
    let Ok(Line::Record(record)) = acc.text(line.as_bytes(), &mut scratch) else { panic!() };
    assert_eq!((record.source, record.duration), (&b"1;ms_duration=1"[..], Some(Micros(3_006_000))));
    // A CDR has separators of its own, and its Call-ID is the operator's field.
    let titles = Some("callid=$dlg_var(c);caller=$dlg_var(a);callee=$dlg_var(b)".into());
    let acc = Acc::new(&Origin { titles, talk_includes_ringing: Some(false), ..Origin::new("kam") });
    let line = b"start_time=1795297591.013; end_time=1795297594.016; duration=3.003; callid=c;1; caller=+1; callee=+2";
    let mut scratch = Scratch::default();
    let Ok(Line::Record(record)) = acc.text(line, &mut scratch) else { panic!() };
    assert_eq!((record.id, record.source, record.destination), (&b"c;1"[..], &b"+1"[..], &b"+2"[..]));
}

proptest! {
    #[test]
    fn the_order_of_fields_does_not_matter(
        caller in "[0-9+a-z]{0,12}",
        callee in "[0-9+]{1,12}",
        other in "[a-z=: ]{0,10}",
        order in Just(vec![0usize, 1, 2, 3, 4, 5, 6, 7]).prop_shuffle(),
    ) {
        let fields = [
            "method=INVITE".to_owned(),
            "from_tag=b".to_owned(),
            "to_tag=a".to_owned(),
            "call_id=c1".to_owned(),
            "code=200".to_owned(),
            format!("src_user={caller}"),
            format!("dst_user={callee}"),
            format!("x_other={other}"),
        ];
        let shuffled: Vec<&str> = order.iter().map(|at| fields[*at].as_str()).collect();
        let line = format!("ACC: a comment: timestamp=1795297591;{}", shuffled.join(";"));
        let expected = format!("Answer c1;a;b {caller} {callee} Some(Timestamp(1795297591000000))");
        prop_assert_eq!(text_of(&line), Ok(expected));
    }

    /// Whatever is written into a caller's number, a Call-ID or a reason, as fields of any name: the line says what the
    /// node wrote, or is refused.
    #[test]
    fn nothing_can_be_forged(
        forged in proptest::collection::vec((0..FORGED.len(), "[0-9a-z]{1,4}"), 1..4),
        place in 0usize..3,
        told in any::<bool>(),
    ) {
        let forged: String = forged.iter().map(|(name, value)| format!(";{}={value}", FORGED[*name])).collect();
        let at = |here| if place == here { forged.as_str() } else { "" };
        let line = format!(
            "ACC: transaction answered: timestamp=1795297591;time_exten=250000;method=INVITE;from_tag=f;to_tag=t;call_id=c1{};code=200;reason=OK{};src_user=1{};dst_user=44",
            at(0), at(1), at(2)
        );
        let titles = told.then(|| "src_user=$fU;dst_user=$rU".into());
        let acc = Acc::new(&Origin { titles, ..Origin::new("kam") });
        match acc.text(line.as_bytes(), &mut Scratch::default()) {
            Ok(Line::Piece(piece)) => {
                let record = piece.record;
                prop_assert_eq!((piece.step, piece.at), (Step::Answer, Some(Timestamp(1_795_297_591_250_000))), "{}", &line);
                prop_assert_eq!((record.id, record.destination), (&b"c1;f;t"[..], &b"44"[..]), "{}", &line);
                // With the fields told all of it is the caller's number; else what stands before the separator.
                let whole = format!("1{}", at(2));
                prop_assert_eq!(record.source, if told { whole.as_bytes() } else { &b"1"[..] }, "{}", &line);
                prop_assert_eq!((record.account, record.cause), (&b""[..], &b"200"[..]), "{}", &line);
            }
            Ok(other) => prop_assert!(false, "{}: {:?}", &line, other),
            Err(refusal) => prop_assert!(matches!(refusal, Refusal::Repeated(_) | Refusal::Forgeable | Refusal::Titles), "{}: {}", &line, refusal),
        }
    }

    /// A caller who writes fields into his own name is found out, whichever field it is.
    #[test]
    fn a_forged_field_is_refused(field in prop_oneof![Just("code=486"), Just("dst_user=900"), Just("call_id=x"), Just("method=BYE"), Just("timestamp=1")]) {
        let line = format!("ACC: transaction answered: timestamp=1795297591;method=INVITE;call_id=c1;code=200;src_user=1;{field};dst_user=44");
        prop_assert!(matches!(text_of(&line), Err(Refusal::Repeated(_))));
    }
}
