//! Legs of the month in canonical order (R19), in bounded memory: sorted runs are put aside and merged.
//!
//! What sealing has to know of a leg (its record, its row) is left out: a leg is resolved when it is read, and small.
//!
//! Does not know what a leg costs.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::call::{SuspenseReason, TariffSlot};
use crate::flush::{Aside, Spill};
use crate::period::SealError;
use crate::period::candidates::Fixed;
use crate::rating::Leg;
use crate::record::Direction;

/// Legs in one piece of a run: what the merge holds of each run.
const PIECE: usize = 2_000;

/// A leg, as far as a trial asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TriedLeg {
    /// Number of the billing group: groups draw apart from each other.
    pub group: u32,
    pub answer: i64,
    /// Node, and behind it the id.
    name: Vec<u8>,
    node: u16,
    pub side: Direction,
    direction: Option<Direction>,
    position: Position,
    version: (u32, bool),
    /// It was found as the leg of a row of its own.
    own: bool,
    /// It is billed in a month that is sealed already: none of this month's.
    pub closed: bool,
    pub what: What,
}

/// What is to be done with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum What {
    /// It is rated twice: by a tariff that was in force, and by the one that is tried.
    Rated(TariffSlot, Leg, Then),
    /// It stands as it is.
    Stands(Box<Fixed>),
}

/// Whose leg it is by the tariff that is tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Then {
    /// The same.
    Same,
    Other(Box<Leg>),
    /// It would wait; none: on this side it is nobody's.
    None(Option<SuspenseReason>),
}

/// Where a leg stands among others.
pub(super) struct Place<'a> {
    pub group: u32,
    pub answer: i64,
    pub node: &'a [u8],
    pub id: &'a [u8],
    pub side: Direction,
    pub direction: Option<Direction>,
    pub position: Position,
    pub version: (u32, bool),
}

impl TriedLeg {
    pub fn new(place: &Place<'_>, (own, closed): (bool, bool), what: What) -> TriedLeg {
        let Place { group, answer, node, id, side, direction, position, version } = *place;
        let mut name = Vec::with_capacity(node.len() + id.len());
        name.extend_from_slice(node);
        name.extend_from_slice(id);
        // Nodes have short names, and records less than 64 KiB.
        let node = node.len() as u16;
        TriedLeg { group, answer, name, node, side, direction, position, version, own, closed, what }
    }

    fn first(&self) -> (u32, i64) {
        (self.group, self.answer)
    }

    /// Below group and answer, with what makes the order total.
    fn rest(&self, other: &TriedLeg) -> Ordering {
        let ((node, id), (node_of, id_of)) =
            (self.name.split_at(usize::from(self.node)), other.name.split_at(usize::from(other.node)));
        let below = |leg: &TriedLeg| (leg.side, leg.direction, leg.position, leg.version);
        node.cmp(node_of).then_with(|| id.cmp(id_of)).then_with(|| below(self).cmp(&below(other)))
    }

    /// Takes what another finding of the same leg knows.
    fn merge(&mut self, other: TriedLeg) {
        self.closed |= other.closed;
        let stands = |leg: &TriedLeg| matches!(leg.what, What::Stands(_));
        if !stands(self) && (stands(&other) || other.own && !self.own) {
            self.what = other.what;
        }
        self.own |= other.own;
    }
}

impl PartialEq for TriedLeg {
    fn eq(&self, other: &TriedLeg) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TriedLeg {}

impl PartialOrd for TriedLeg {
    fn partial_cmp(&self, other: &TriedLeg) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TriedLeg {
    fn cmp(&self, other: &TriedLeg) -> Ordering {
        self.first().cmp(&other.first()).then_with(|| self.rest(other))
    }
}

/// Where runs are put aside, by several threads.
pub(super) type Shelf<'a> = Mutex<&'a mut Spill>;

fn with<T>(shelf: &Shelf<'_>, what: impl FnOnce(&mut Spill) -> T) -> T {
    what(&mut shelf.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Legs in any order, as one thread finds them.
#[derive(Default)]
pub(super) struct Pile {
    held: Vec<TriedLeg>,
    runs: Vec<Vec<Aside>>,
}

impl Pile {
    /// One more; beyond so many held they are put aside.
    pub fn push(&mut self, leg: TriedLeg, most: usize, shelf: &Shelf<'_>) -> Result<(), SealError> {
        self.held.push(leg);
        if self.held.len() < most {
            return Ok(());
        }
        let sorted = sorted(std::mem::take(&mut self.held));
        let mut run = Vec::new();
        for piece in sorted.chunks(PIECE) {
            let bytes = postcard::to_stdvec(piece)?;
            run.push(with(shelf, |spill| spill.put(&bytes))?);
        }
        // The last piece is on top.
        run.reverse();
        self.runs.push(run);
        Ok(())
    }
}

/// By an order of small keys: moving legs about costs more than comparing them.
fn sorted(legs: Vec<TriedLeg>) -> Vec<TriedLeg> {
    let mut order: Vec<(u32, i64, u32)> =
        legs.iter().enumerate().map(|(at, leg)| (leg.group, leg.answer, at as u32)).collect();
    order.sort_unstable_by(|a, b| {
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| legs[a.2 as usize].rest(&legs[b.2 as usize])).then(a.2.cmp(&b.2))
    });
    let mut legs: Vec<Option<TriedLeg>> = legs.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(_, _, at)| legs[at as usize].take()).collect()
}

/// All legs of some piles, in order, each once.
pub(super) fn each(
    piles: Vec<Pile>,
    shelf: &Shelf<'_>,
    mut take: impl FnMut(TriedLeg) -> Result<(), SealError>,
) -> Result<(), SealError> {
    let (mut held, mut runs) = (Vec::new(), Vec::new());
    for pile in piles {
        held.extend(pile.held);
        runs.extend(pile.runs.into_iter().map(|aside| Run { aside, held: Vec::new().into_iter() }));
    }
    let mut last: Option<TriedLeg> = None;
    let mut once = |leg: TriedLeg| match &mut last {
        Some(same) if *same == leg => {
            same.merge(leg);
            Ok(())
        }
        last => last.replace(leg).map_or(Ok(()), &mut take),
    };
    let held = sorted(held).into_iter();
    if runs.is_empty() {
        held.into_iter().try_for_each(&mut once)?;
    } else {
        runs.push(Run { aside: Vec::new(), held });
        let mut heads = BinaryHeap::new();
        for (at, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next(shelf)?.map(|first| Reverse((first, at))));
        }
        while let Some(Reverse((leg, at))) = heads.pop() {
            heads.extend(runs[at].next(shelf)?.map(|next| Reverse((next, at))));
            once(leg)?;
        }
    }
    last.map_or(Ok(()), take)
}

/// A run that is being read.
struct Run {
    /// The next piece is the last of these.
    aside: Vec<Aside>,
    held: std::vec::IntoIter<TriedLeg>,
}

impl Run {
    fn next(&mut self, shelf: &Shelf<'_>) -> Result<Option<TriedLeg>, SealError> {
        if let Some(leg) = self.held.next() {
            return Ok(Some(leg));
        }
        let Some(piece) = self.aside.pop() else { return Ok(None) };
        let bytes = piece.read()?;
        with(shelf, |spill| spill.drop_one(&piece));
        self.held = postcard::from_bytes::<Vec<TriedLeg>>(&bytes)?.into_iter();
        Ok(self.held.next())
    }
}
