//! The name of a SIP dialog: the Call-ID and both tags, the same whichever side speaks.
//!
//! Does not know which format the parts came from.

use xxhash_rust::xxh3::xxh3_128;

use crate::record::ID_MAX;
use crate::wire::Scratch;
use crate::wire::place::Place;

/// Writes `call-id;tag;tag` with the tags in the order of their bytes, since the side that hangs up is `From` in its BYE.
/// Without tags it is the Call-ID alone. One longer than [`ID_MAX`] is cut and ends in a digest of the whole.
pub fn name(line: &[u8], scratch: &mut Scratch, call_id: Place, tags: [Place; 2]) -> Place {
    let [one, other] = tags;
    let (first, second) = match one.of(line, &scratch.text) <= other.of(line, &scratch.text) {
        true => (one, other),
        false => (other, one),
    };
    if one.is_empty() && other.is_empty() && call_id.len() <= ID_MAX {
        return call_id;
    }
    let start = scratch.text.len();
    for (part, mark) in [(call_id, &b""[..]), (first, b";"), (second, b";")] {
        scratch.text.extend_from_slice(mark);
        let (from, to) = (part.start as usize, part.end as usize);
        if !part.in_scratch {
            scratch.text.extend_from_slice(line.get(from..to).unwrap_or_default());
        } else if from <= to && to <= scratch.text.len() {
            scratch.text.extend_from_within(from..to);
        }
    }
    let written = scratch.text.len() - start;
    if written > ID_MAX {
        let digest = xxh3_128(scratch.text.get(start..).unwrap_or_default());
        // A cut within a character would not be text: back to where one ends.
        let mut keep = start + ID_MAX - 33;
        while scratch.text.get(keep).is_some_and(|b| b & 0xC0 == 0x80) {
            keep -= 1;
        }
        scratch.text.truncate(keep);
        scratch.text.extend_from_slice(format!("~{digest:032x}").as_bytes());
    }
    Place { start: start as u32, end: scratch.text.len() as u32, in_scratch: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(call: &str, from: &str, to: &str) -> String {
        let line = [call, from, to].concat();
        let mut at = 0;
        let mut place = |text: &str| {
            let start = at;
            at += text.len() as u32;
            Place { start, end: at, in_scratch: false }
        };
        let parts = [place(call), place(from), place(to)];
        let mut scratch = Scratch::default();
        let found = name(line.as_bytes(), &mut scratch, parts[0], [parts[1], parts[2]]);
        String::from_utf8(found.of(line.as_bytes(), &scratch.text).to_vec()).unwrap()
    }

    #[test]
    fn either_side_names_the_dialog_alike() {
        assert_eq!(named("c1", "b", "a"), "c1;a;b");
        assert_eq!(named("c1", "a", "b"), "c1;a;b");
        assert_eq!(named("c1", "", ""), "c1");
        assert_eq!(named("c1", "a", ""), "c1;;a");
    }

    #[test]
    fn what_is_too_long_ends_in_a_digest_of_all() {
        let long = "é".repeat(200);
        let (one, other) = (named(&long, "a", "b"), named(&long, "a", "c"));
        assert!(one.len() <= ID_MAX && one != other && one.starts_with("éé"), "{one}");
        assert_eq!(one, named(&long, "b", "a"));
        assert!(named(&"x".repeat(300), "", "").len() <= ID_MAX);
    }
}
