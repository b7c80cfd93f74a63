//! Which of several sorted runs goes on next: a heap of their numbers, so that what they hold stays where it lies.
//!
//! Does not know what runs hold.

/// Runs that have something left.
pub struct Heads(Vec<usize>);

impl Heads {
    /// `less` says whether the first thing of a run comes before that of another.
    pub fn new(runs: impl Iterator<Item = usize>, less: impl Fn(usize, usize) -> bool) -> Heads {
        let mut heads = Heads(runs.collect());
        (0..heads.0.len() / 2).rev().for_each(|at| heads.sink(at, &less));
        heads
    }

    /// The run that goes on next.
    pub fn first(&self) -> Option<usize> {
        self.0.first().copied()
    }

    /// It went on by one, or has nothing left.
    pub fn went_on(&mut self, has_more: bool, less: impl Fn(usize, usize) -> bool) {
        if !has_more && !self.0.is_empty() {
            self.0.swap_remove(0);
        }
        self.sink(0, &less);
    }

    /// Of two that are equal the one with the lower number comes first.
    fn sink(&mut self, mut at: usize, less: &impl Fn(usize, usize) -> bool) {
        let before = |a: usize, b: usize| less(a, b) || a < b && !less(b, a);
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if self.0.get(child).is_some_and(|run| before(*run, self.0[least])) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.0.swap(at, least);
            at = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_come_in_one_order(mut runs in proptest::collection::vec(proptest::collection::vec(0..9_u8, 0..12), 0..9)) {
            runs.iter_mut().for_each(|run| run.sort_unstable());
            let mut all: Vec<(u8, usize)> =
                runs.iter().enumerate().flat_map(|(at, run)| run.iter().map(move |one| (*one, at))).collect();
            all.sort_unstable();
            let mut next = vec![0; runs.len()];
            let begun = (0..runs.len()).filter(|at| !runs[*at].is_empty());
            let mut heads = Heads::new(begun, |a, b| runs[a][0] < runs[b][0]);
            let mut found = Vec::new();
            while let Some(at) = heads.first() {
                found.push((runs[at][next[at]], at));
                next[at] += 1;
                heads.went_on(next[at] < runs[at].len(), |a, b| runs[a][next[a]] < runs[b][next[b]]);
            }
            prop_assert_eq!(found, all);
        }
    }
}
