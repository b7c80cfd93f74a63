//! Candidates in canonical order, in bounded memory: sorted runs are put aside and merged. Small keys are sorted, since candidates
//! are large.
//!
//! Does not know what a candidate is worth.

use std::cmp::Ordering;

use super::candidates::Candidate;
use super::heads::Heads;
use super::progress::SealError;
use crate::flush::{Aside, Spill};

/// Candidates held at once, of some 700 bytes each.
pub const IN_MEMORY: usize = 200_000;
/// Candidates in one piece of a run: what the merge holds of each run.
const PIECE: usize = 2_000;

/// Takes candidates in any order.
pub struct Sorter<'a> {
    spill: &'a mut Spill,
    in_memory: usize,
    held: Vec<Candidate>,
    runs: Vec<Vec<Aside>>,
}

/// Places of candidates in their order; of equal ones the first comes first.
fn order(held: &[Candidate]) -> Vec<u32> {
    let key = |(at, one): (usize, &Candidate)| (one.key.group, one.key.answer, at as u32);
    let mut keys: Vec<(u32, i64, u32)> = held.iter().enumerate().map(key).collect();
    // Rows come account by account and in the order of answers, as they were flushed: this sort finds what is in order.
    keys.sort_by(|a, b| match (a.0, a.1).cmp(&(b.0, b.1)) {
        Ordering::Equal => held[a.2 as usize].key.cmp(&held[b.2 as usize].key),
        order => order,
    });
    keys.into_iter().map(|(.., at)| at).collect()
}

impl<'a> Sorter<'a> {
    /// Puts aside what does not fit.
    pub fn new(spill: &'a mut Spill, in_memory: usize) -> Sorter<'a> {
        Sorter { spill, in_memory, held: Vec::new(), runs: Vec::new() }
    }

    /// One more.
    pub fn push(&mut self, candidate: Candidate) -> Result<(), SealError> {
        self.held.push(candidate);
        if self.held.len() < self.in_memory {
            return Ok(());
        }
        let mut run = Vec::new();
        for places in order(&self.held).chunks(PIECE) {
            let piece: Vec<&Candidate> = places.iter().map(|at| &self.held[*at as usize]).collect();
            run.push(self.spill.put(&postcard::to_stdvec(&piece)?)?);
        }
        // The last piece is on top.
        run.reverse();
        self.runs.push(run);
        self.held.clear();
        Ok(())
    }

    /// All of them, in order.
    pub fn each(self, mut take: impl FnMut(Candidate) -> Result<(), SealError>) -> Result<(), SealError> {
        let order = order(&self.held);
        let mut held: Vec<Option<Candidate>> = self.held.into_iter().map(Some).collect();
        if self.runs.is_empty() {
            return order.into_iter().filter_map(|at| held[at as usize].take()).try_for_each(take);
        }
        let mut runs: Vec<Run> = self.runs.into_iter().map(|aside| Run { aside, held: Vec::new() }).collect();
        let held = order.into_iter().rev().filter_map(|at| held[at as usize].take()).collect();
        runs.push(Run { aside: Vec::new(), held });
        for run in &mut runs {
            run.more(self.spill)?;
        }
        let less = |runs: &[Run], a: usize, b: usize| runs[a].held.last() < runs[b].held.last();
        let begun = (0..runs.len()).filter(|at| !runs[*at].held.is_empty());
        let mut heads = Heads::new(begun, |a, b| less(&runs, a, b));
        while let Some(at) = heads.first() {
            let candidate = runs[at].held.pop();
            runs[at].more(self.spill)?;
            heads.went_on(!runs[at].held.is_empty(), |a, b| less(&runs, a, b));
            candidate.map_or(Ok(()), &mut take)?;
        }
        Ok(())
    }
}

/// A run that is being read.
struct Run {
    /// The next piece is the last of these.
    aside: Vec<Aside>,
    /// The next candidate is the last of these.
    held: Vec<Candidate>,
}

impl Run {
    /// Has the next candidate at hand, if there is one.
    fn more(&mut self, spill: &mut Spill) -> Result<(), SealError> {
        if self.held.is_empty()
            && let Some(piece) = self.aside.pop()
        {
            let bytes = piece.read()?;
            spill.drop_one(&piece);
            self.held = postcard::from_bytes(&bytes)?;
            self.held.reverse();
        }
        Ok(())
    }
}
