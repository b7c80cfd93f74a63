//! Candidates in canonical order, in bounded memory: sorted runs are put aside and merged.
//!
//! Does not know what a candidate is worth.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::candidates::Candidate;
use super::draft::SealError;
use crate::flush::{Aside, Spill};

/// Candidates held at once, of some 500 bytes each.
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
        self.held.sort_by(|a, b| a.key.cmp(&b.key));
        let mut run = Vec::new();
        for piece in self.held.chunks(PIECE) {
            run.push(self.spill.put(&postcard::to_stdvec(piece)?)?);
        }
        // The last piece is on top.
        run.reverse();
        self.runs.push(run);
        self.held.clear();
        Ok(())
    }

    /// All of them, in order.
    pub fn each(mut self, mut take: impl FnMut(Candidate) -> Result<(), SealError>) -> Result<(), SealError> {
        self.held.sort_by(|a, b| a.key.cmp(&b.key));
        if self.runs.is_empty() {
            return self.held.into_iter().try_for_each(take);
        }
        let mut runs: Vec<Run> = self.runs.into_iter().map(|aside| Run { aside, held: Vec::new() }).collect();
        self.held.reverse();
        runs.push(Run { aside: Vec::new(), held: self.held });
        let mut heads = BinaryHeap::new();
        for (at, run) in runs.iter_mut().enumerate() {
            if let Some(first) = run.next(self.spill)? {
                heads.push(Reverse((first, at)));
            }
        }
        while let Some(Reverse((candidate, at))) = heads.pop() {
            if let Some(next) = runs[at].next(self.spill)? {
                heads.push(Reverse((next, at)));
            }
            take(candidate)?;
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
    fn next(&mut self, spill: &mut Spill) -> Result<Option<Candidate>, SealError> {
        if self.held.is_empty()
            && let Some(piece) = self.aside.pop()
        {
            let bytes = piece.read()?;
            spill.drop_one(&piece);
            self.held = postcard::from_bytes(&bytes)?;
            self.held.reverse();
        }
        Ok(self.held.pop())
    }
}
