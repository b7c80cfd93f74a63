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

proptest! {
    #[test]
    fn the_order_of_fields_does_not_matter(
        caller in "[0-9+a-z]{0,12}",
        callee in "[0-9+]{1,12}",
        other in "[a-z=: ]{0,10}",
        order in Just(vec![0usize, 1, 2, 3, 4, 5, 6, 7, 8]).prop_shuffle(),
    ) {
        let fields = [
            "timestamp=1795297591".to_owned(),
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
        let line = format!("ACC: a comment: {}", shuffled.join(";"));
        let expected = format!("Answer c1;a;b {caller} {callee} Some(Timestamp(1795297591000000))");
        prop_assert_eq!(text_of(&line), Ok(expected));
    }

    /// A caller who writes fields into his own name is found out, whichever field it is.
    #[test]
    fn a_forged_field_is_refused(field in prop_oneof![Just("code=486"), Just("dst_user=900"), Just("call_id=x"), Just("method=BYE"), Just("timestamp=1")]) {
        let line = format!("ACC: transaction answered: timestamp=1795297591;method=INVITE;call_id=c1;code=200;src_user=1;{field};dst_user=44");
        prop_assert!(matches!(text_of(&line), Err(Refusal::Repeated(_))));
    }
}
