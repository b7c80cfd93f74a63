//! The nearest known word to an unknown one, for "did you mean".
//!
//! Does not know what the words name.

/// The candidate with the least edit distance, if it is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates.map(|c| (distance(word, c), c)).min().filter(|(d, c)| *d <= 1 + c.len() / 3).map(|(_, c)| c)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["rates_dir", "data_dir", "shards"];
        assert_eq!(nearest("rate_dir", known.into_iter()), Some("rates_dir"));
        assert_eq!(nearest("shard", known.into_iter()), Some("shards"));
        assert_eq!(nearest("zzzzzzzz", known.into_iter()), None);
    }
}
