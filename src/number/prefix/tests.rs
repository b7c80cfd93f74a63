use std::collections::HashMap;

use proptest::prelude::*;

use super::build::build_with_head;
use super::{Number, PrefixMap, build, lexicographic};

fn number(text: &str) -> Number {
    Number::from_digits(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}

/// Sorted and distinct by plain comparison of digit strings, not by the key under test.
fn sorted(texts: &[String]) -> Vec<Number> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts.dedup();
    texts.iter().map(|t| number(t)).collect()
}

/// Longest prefix by trying every length in a hash map.
fn naive(ids: &HashMap<String, u32>, query: &str) -> Option<u32> {
    (1..=query.len()).rev().find_map(|n| ids.get(&query[..n]).copied())
}

fn check(texts: &[String], queries: &[String]) {
    check_heads(texts, queries, &[1, 3, 5]);
}

fn check_heads(texts: &[String], queries: &[String], heads: &[u32]) {
    let prefixes = sorted(texts);
    let ids: HashMap<String, u32> = prefixes.iter().enumerate().map(|(i, p)| (p.to_string(), i as u32)).collect();
    for head in heads.iter().copied() {
        let bytes = build_with_head(&prefixes, head);
        let map = PrefixMap::validate(&bytes).unwrap();
        assert_eq!(map.len() as usize, prefixes.len());
        let expected: Vec<Option<u32>> = queries.iter().map(|q| naive(&ids, q)).collect();
        for (query, expected) in queries.iter().zip(&expected) {
            assert_eq!(map.longest(number(query)), *expected, "{query} among {texts:?}, head of {head}");
        }
        let numbers: Vec<Number> = queries.iter().map(|q| number(q)).collect();
        let mut out = vec![7; numbers.len()];
        map.longest_batch(&numbers, &mut out);
        let expected: Vec<u32> = expected.iter().map(|e| e.unwrap_or(u32::MAX)).collect();
        assert_eq!(out, expected, "batch, head of {head}");
        for (id, prefix) in prefixes.iter().enumerate() {
            assert_eq!(map.prefix(id as u32), Some(*prefix));
            let text = prefix.to_string();
            assert_eq!(map.parent(id as u32), naive(&ids, &text[..text.len() - 1]), "parent of {text}");
        }
        assert_eq!(map.prefix(prefixes.len() as u32), None);
        assert_eq!(map.parent(prefixes.len() as u32), None);
        assert!(map.prefixes().eq(prefixes.iter().copied()));
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|t| (*t).to_owned()).collect()
}

#[test]
fn known_sets() {
    check(&[], &texts(&["1", "49301234567", "9999999999999999"]));
    check(
        &texts(&["4", "49", "491", "4915", "49155", "491555", "4915555", "5"]),
        &texts(&["4", "49", "4915555123", "4916", "50", "3", "48"]),
    );
    check(&texts(&["1234567890123456", "0", "00"]), &texts(&["1234567890123456", "123456789012345", "0001", "01"]));
}

#[test]
fn order_is_that_of_digit_strings() {
    let mut list = texts(&["5", "49", "491", "4", "490", "1234567890123456", "0", "9999999999999999", "09"]);
    let mut numbers: Vec<Number> = list.iter().map(|t| number(t)).collect();
    list.sort();
    numbers.sort_by_key(|n| lexicographic(*n));
    assert_eq!(numbers.iter().map(Number::to_string).collect::<Vec<_>>(), list);
    assert!(number("49") > number("491"), "the packed form sorts an end behind its extensions, hence the key");
}

#[test]
fn unsorted_prefixes_are_refused_by_validate() {
    let mut bytes = build(&[number("49"), number("491")]);
    let at = bytes.len() - 3;
    // The codes are the last bytes: exchange the shared part so that the second is no longer greater.
    bytes[at..].copy_from_slice(&[0x01, 0x48, 0x00]);
    assert!(PrefixMap::validate(&bytes).is_err());
}

/// Short digit strings over few digits (dense, nested) and long ones over all.
fn digits() -> impl Strategy<Value = String> {
    prop_oneof!["[0-2]{1,6}", "[0-9]{1,16}", "49[0-9]{0,5}", "1[0-9]{6}", "4915[0-9]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_naive_longest_prefix(
        prefixes in proptest::collection::vec(digits(), 0..200), tails in proptest::collection::vec(digits(), 1..100),
    ) {
        // Queries that lie on, below, above and beside the prefixes.
        let mut queries = tails.clone();
        for (prefix, tail) in prefixes.iter().zip(tails.iter().cycle()) {
            queries.push(prefix.clone());
            queries.push(prefix.chars().chain(tail.chars()).take(16).collect());
            queries.push(prefix[..prefix.len().div_ceil(2)].to_owned());
        }
        // A five-digit head takes a debug build long to check, whatever it holds: one case in eight has it.
        check_heads(&prefixes, &queries, if prefixes.len() % 8 == 0 { &[1, 3, 5] } else { &[1, 3] });
    }

    #[test]
    fn equals_the_naive_longest_prefix_in_dense_sets(stem in "[0-9]{1,12}", keep in 1..9_u32, seed in any::<u64>()) {
        // Nearly all of the 1,110 extensions by one to three digits, thinned out by a hash.
        let all = (0..1000_u32).flat_map(|i| [format!("{stem}{i:03}"), format!("{stem}{:02}", i / 10), format!("{stem}{}", i / 100)]);
        let prefixes: Vec<String> = all.filter(|t| xxhash_rust::xxh3::xxh3_64_with_seed(t.as_bytes(), seed) % 10 < u64::from(keep)).collect();
        let queries: Vec<String> = (0..500_u32).map(|i| format!("{stem}{:04}", i * 19 % 10_000)).chain([stem.clone()]).collect();
        check_heads(&prefixes, &queries, &[1, 3]);
    }

    /// Whatever byte is damaged: refused, or every look-up still answers.
    #[test]
    fn damage_never_panics(
        prefixes in proptest::collection::vec(digits(), 0..60), queries in proptest::collection::vec(any::<u64>(), 40),
        flip in 1..=255_u8, places in proptest::collection::vec(any::<prop::sample::Index>(), 40), head in prop_oneof![Just(1), Just(3)],
    ) {
        let good = build_with_head(&sorted(&prefixes), head);
        // Any bits, also such as no number has.
        let queries: Vec<Number> = queries.into_iter().map(Number).collect();
        let mut out = vec![0; queries.len()];
        for place in places {
            let mut bytes = good.clone();
            let at = place.index(bytes.len());
            bytes[at] ^= flip;
            let valid = PrefixMap::validate(&bytes);
            for map in [valid.ok(), Some(PrefixMap::trusted(&bytes))].into_iter().flatten() {
                map.longest_batch(&queries, &mut out);
                for (query, out) in queries.iter().zip(&out) {
                    prop_assert_eq!(map.longest(*query).unwrap_or(u32::MAX), *out);
                    if valid.is_ok() {
                        prop_assert!(*out == u32::MAX || *out < map.len());
                    }
                }
                (0..map.len().min(100)).for_each(|id| { map.parent(id); });
            }
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = PrefixMap::validate(&bytes);
        let map = PrefixMap::trusted(&bytes);
        map.longest(Number(0x1234_5678_9012_3456));
        map.prefix(3);
    }
}
