//! Every target of the fuzzer with bytes made up by proptest: any bytes, and seeds with some of them changed.

use proptest::prelude::*;

mod targets;

use targets::{TARGETS, run, seeds};

/// A seed with parts overwritten, left out, or repeated.
fn changed(seed: &[u8], changes: &[(prop::sample::Index, u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (place, how, with) in changes {
        let at = place.index(bytes.len() + 1);
        let end = (at + with.len()).min(bytes.len());
        match how % 3 {
            0 => drop(bytes.splice(at..end, with.iter().copied())),
            1 => drop(bytes.drain(at..end)),
            _ => drop(bytes.splice(at..at, with.iter().copied())),
        }
    }
    bytes
}

/// Bytes that the parsers look at.
fn telling() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        prop::sample::select(vec![
            "\"",
            ",",
            "\n",
            "\r\n",
            "=",
            "[",
            "]",
            "{",
            "}",
            "0",
            "9999999999999999999",
            "-",
            ".",
            "\\u0000",
            "é",
            ";",
            "2026-02-30",
            "+",
            "#",
            "\0",
            "true",
            "\u{feff}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

macro_rules! any_bytes {
    ($($name:ident)*) => {
        /// The list below is the list of targets.
        #[test]
        fn every_target_is_here() {
            let here = [$(stringify!($name)),*];
            assert_eq!(TARGETS.iter().map(|target| target.0).collect::<Vec<_>>(), here);
            for (name, run) in TARGETS {
                seeds(name).iter().for_each(|seed| run(seed));
            }
        }

        $(
            proptest! {
                #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

                #[test]
                fn $name(
                    bytes in prop::collection::vec(any::<u8>(), 0..600),
                    place: prop::sample::Index,
                    changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), telling()), 1..8),
                ) {
                    let seeds = seeds(stringify!($name));
                    run(stringify!($name), &bytes);
                    run(stringify!($name), &changed(&seeds[place.index(seeds.len())], &changes));
                }
            }
        )*
    };
}

any_bytes! {
    wire_lines wire_document wire_session journal identity_log entries deck plans countries directory convert guards tariff_image directory_image
}
