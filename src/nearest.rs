//! The nearest known word to a mistyped one, for "did you mean".
//!
//! Does not know what the words name.

/// Longest word that is measured: a text that is longer is no slip of the pen.
const LENGTH_MAX: usize = 64;

/// The known word nearest to a mistyped one, letters' case aside, if one is near enough to be meant; of equals the first
/// by alphabet.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_of(word, known.into_iter().map(|k| (k, k)))
}

/// The same where what is meant has other spellings than its own: pairs of spelling and meaning.
pub fn nearest_of<S: AsRef<str>, T: Ord>(word: &str, known: impl IntoIterator<Item = (S, T)>) -> Option<T> {
    if word.len() > LENGTH_MAX {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    // One slip in any word, one more for every four letters.
    let allowed = 1 + word.len() / 4;
    known
        .into_iter()
        .filter(|(spelling, _)| spelling.as_ref().len() <= LENGTH_MAX)
        .map(|(spelling, meaning)| {
            let spelling: Vec<char> = spelling.as_ref().to_lowercase().chars().collect();
            // A word that breaks off where a part ends (`asterisk` of `asterisk-csv`) was meant so.
            let begun = spelling.starts_with(&word) && spelling.get(word.len()) == Some(&'-');
            (if begun { 0 } else { distance(&word, &spelling) }, meaning)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, meaning)| meaning)
}

/// `did you mean "x"?`, or what else to do.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    nearest(word, known).map_or_else(|| otherwise.to_owned(), |k| format!("did you mean {k:?}?"))
}

/// What serde says of a key or a value that it does not know (``unknown field `x`, expected one of `a`, `b` ``), as what
/// is wrong and a hint; none if it says something else.
pub fn unknown(message: &str) -> Option<(String, String)> {
    let kinds = [("unknown field `", "key"), ("unknown variant `", "value")];
    let (rest, what) = kinds.iter().find_map(|(front, what)| Some((message.strip_prefix(front)?, what)))?;
    let (word, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let hint = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Some((format!("unknown {what} `{word}`"), hint))
}

/// Letters to change, add, leave out or exchange with a neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant() {
        let known = ["prefix", "rate", "connect_fee", "increment", "minimum", "minimum_cost", "rates_dir", "shards"];
        for (typed, meant) in [
            ("conect_fee", Some("connect_fee")),
            ("Prefix", Some("prefix")),
            ("raet", Some("rate")),
            ("minimun", Some("minimum")),
            ("rate_dir", Some("rates_dir")),
            ("shard", Some("shards")),
            ("colour", None),
            ("zzzzzzzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(nearest(&"rate".repeat(20), ["rate".repeat(20).as_str()]), None);
    }

    #[test]
    fn what_serde_does_not_know_in_our_words() {
        for (message, expected) in [
            (
                "unknown field `prots`, expected `ports` or `names`",
                Some(("unknown key `prots`", "did you mean `ports`?")),
            ),
            (
                "unknown variant `x`, expected one of `tcp`, `udp`, `http`",
                Some(("unknown value `x`", "known here: tcp, udp, http")),
            ),
            ("unknown field `a`, expected `zzz`", Some(("unknown key `a`", "known here: zzz"))),
            ("invalid type: string", None),
        ] {
            let said = unknown(message);
            assert_eq!(said.as_ref().map(|(what, hint)| (what.as_str(), hint.as_str())), expected);
        }
    }

    #[test]
    fn the_order_of_the_known_words_changes_nothing() {
        assert_eq!(nearest("ab", ["ac", "ad"]), Some("ac"));
        assert_eq!(nearest("ab", ["ad", "ac"]), Some("ac"));
    }

    #[test]
    fn a_word_may_be_meant_by_another_spelling() {
        let zones = [("Europe/Berlin", "Europe/Berlin"), ("Berlin", "Europe/Berlin"), ("Merlin", "X/Merlin")];
        assert_eq!(nearest_of("berlln", zones), Some("Europe/Berlin"));
    }
}
