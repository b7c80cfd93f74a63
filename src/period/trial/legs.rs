//! Legs of the month in canonical order (R19), in bounded memory: sorted runs are put aside and merged.
//!
//! What sealing has to know of a leg (its record, its row) is left out: a leg is resolved when it is read, and small. Nothing is
//! allocated for one: what all have lies side by side, names and what few have behind it, and small keys are sorted.
//!
//! Does not know what a leg costs.

use std::cmp::Ordering;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::call::{SuspenseReason, TariffSlot};
use crate::flush::{Aside, Spill};
use crate::os::prefetch::prefetch_all;
use crate::period::SealError;
use crate::period::candidates::Fixed;
use crate::period::heads::Heads;
use crate::rating::Leg;
use crate::record::Direction;

/// Legs in one piece of a run: what the merge holds of each run.
const PIECE: usize = 2_000;
/// Bytes of names that are held of a thread at once: ids are short, but for those that somebody makes long.
const NAMES: usize = 128 << 20;
/// Legs that are asked of memory ahead.
const AHEAD: usize = 8;

/// What is to be done with a leg.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum What {
    /// It is rated twice: by a tariff that was in force, and by the one that is tried, for the same account.
    Rated(TariffSlot, Leg),
    /// Few are otherwise.
    Otherwise(Box<Otherwise>),
}

/// Few legs.
// It always lies in a box.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Otherwise {
    /// By the tariff that is tried it is another leg.
    Rated(TariffSlot, Leg, Then),
    /// It stands as it is.
    Stands(Fixed),
}

/// Whose leg it is by the tariff that is tried, where that is not the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Then {
    Other(Leg),
    /// It would wait; none: on this side it is nobody's.
    None(Option<SuspenseReason>),
}

/// Where a leg stands among others.
pub(super) struct Place<'a> {
    /// Number of the billing group: groups draw apart from each other.
    pub group: u32,
    pub answer: i64,
    pub node: &'a [u8],
    pub id: &'a [u8],
    pub side: Direction,
    pub direction: Option<Direction>,
    pub position: Position,
    pub version: (u32, bool),
    /// It was found as the leg of a row of its own.
    pub own: bool,
    /// It is billed in a month that is sealed already: none of this month's.
    pub closed: bool,
}

/// What the order asks first, and which leg it is.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Key {
    answer: i64,
    group: u32,
    at: u32,
}

impl Key {
    /// Group and answer as one number, which is compared at once.
    fn first(&self) -> u128 {
        let answer = self.answer.cast_unsigned() ^ 1 << 63;
        u128::from(self.group) << 64 | u128::from(answer)
    }
}

/// A leg, as far as a trial asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TriedLeg {
    pub group: u32,
    /// Where its node begins in the text; behind that is its id.
    name: u32,
    id: u32,
    node: u16,
    side: Direction,
    direction: Option<Direction>,
    position: Position,
    version: (u32, bool),
    own: bool,
    pub closed: bool,
    pub what: What,
}

impl TriedLeg {
    /// What makes the order total below node and id. An identity has one position, so legs of one group and answer that are
    /// equal here are one leg, found twice.
    fn last(&self) -> impl Ord + use<> {
        (self.side, self.direction, self.position, self.version)
    }

    /// Takes what another finding of the same leg knows.
    fn merge(&mut self, other: TriedLeg) {
        self.closed |= other.closed;
        let stands = |leg: &TriedLeg| matches!(&leg.what, What::Otherwise(otherwise) if matches!(**otherwise, Otherwise::Stands(_)));
        if !stands(self) && (stands(&other) || other.own && !self.own) {
            self.what = other.what;
        }
        self.own |= other.own;
    }
}

/// Legs, and keys that may be in order.
#[derive(Default, Serialize, Deserialize)]
struct Piece {
    keys: Vec<Key>,
    /// Those that were taken out are none.
    legs: Vec<Option<TriedLeg>>,
    text: Vec<u8>,
}

impl Piece {
    fn clear(&mut self) {
        self.keys.clear();
        self.legs.clear();
        self.text.clear();
    }

    fn push(&mut self, place: &Place<'_>, what: What) {
        let Place { group, answer, node, id, side, direction, position, version, own, closed } = *place;
        let (at, name) = (self.legs.len() as u32, self.text.len() as u32);
        self.text.extend_from_slice(node);
        self.text.extend_from_slice(id);
        // Nodes have short names.
        let (node, id) = (node.len() as u16, id.len() as u32);
        self.keys.push(Key { answer, group, at });
        let leg = TriedLeg { group, name, node, id, side, direction, position, version, own, closed, what };
        self.legs.push(Some(leg));
    }

    fn leg(&self, key: &Key) -> Option<&TriedLeg> {
        self.legs.get(key.at as usize)?.as_ref()
    }

    fn name(&self, leg: &TriedLeg) -> (&[u8], &[u8]) {
        let from = leg.name as usize;
        let name = self.text.get(from..from + usize::from(leg.node) + leg.id as usize).unwrap_or_default();
        name.split_at_checked(usize::from(leg.node)).unwrap_or_default()
    }

    /// Rows come account by account and in the order of answers, as they were flushed: the sort finds what is in order.
    fn sort(&mut self) {
        let mut keys = std::mem::take(&mut self.keys);
        keys.sort_by(|a, b| compare((self, a), (self, b)));
        self.keys = keys;
    }

    /// Some of the legs, in the order of their keys, taken out.
    fn part(&mut self, keys: &[Key]) -> Piece {
        let mut part = Piece::default();
        for key in keys {
            let Some(mut leg) = self.legs.get_mut(key.at as usize).and_then(Option::take) else { continue };
            let name = part.text.len() as u32;
            let (node, id) = self.name(&leg);
            part.text.extend_from_slice(node);
            part.text.extend_from_slice(id);
            leg.name = name;
            part.keys.push(Key { at: part.legs.len() as u32, ..*key });
            part.legs.push(Some(leg));
        }
        part
    }
}

/// R19. Names are looked at where group and answer are the same.
fn compare((a, first): (&Piece, &Key), (b, second): (&Piece, &Key)) -> Ordering {
    first.first().cmp(&second.first()).then_with(|| {
        let (Some(one), Some(other)) = (a.leg(first), b.leg(second)) else { return Ordering::Equal };
        a.name(one).cmp(&b.name(other)).then_with(|| one.last().cmp(&other.last()))
    })
}

/// Where runs are put aside, by several threads.
pub(super) type Shelf<'a> = Mutex<&'a mut Spill>;

fn with<T>(shelf: &Shelf<'_>, what: impl FnOnce(&mut Spill) -> T) -> T {
    what(&mut shelf.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Legs in any order, as one thread finds them, for one that rates them.
#[derive(Default)]
pub(super) struct Pile {
    held: Piece,
    runs: Vec<Vec<Aside>>,
}

impl Pile {
    fn put_aside(&mut self, shelf: &Shelf<'_>) -> Result<(), SealError> {
        self.held.sort();
        let keys = std::mem::take(&mut self.held.keys);
        let mut run = Vec::new();
        for keys in keys.chunks(PIECE) {
            let bytes = postcard::to_stdvec(&self.held.part(keys))?;
            run.push(with(shelf, |spill| spill.put(&bytes))?);
        }
        // What comes next takes the same room.
        self.held.keys = keys;
        self.held.clear();
        // The last piece is on top.
        run.reverse();
        self.runs.push(run);
        Ok(())
    }
}

/// All that one thread finds: a pile for each that rates.
pub(super) struct Piles<'a, 's> {
    pub list: Vec<Pile>,
    shelf: &'a Shelf<'s>,
    /// Legs held, and how many may be.
    held: usize,
    most: usize,
}

impl<'a, 's> Piles<'a, 's> {
    pub fn new(piles: usize, most: usize, shelf: &'a Shelf<'s>) -> Piles<'a, 's> {
        Piles { list: (0..piles).map(|_| Pile::default()).collect(), shelf, held: 0, most }
    }

    /// One more; beyond so many held those of the largest pile are put aside.
    pub fn push(&mut self, place: &Place<'_>, what: What) -> Result<(), SealError> {
        let at = place.group as usize % self.list.len();
        let piece = &mut self.list[at].held;
        piece.push(place, what);
        self.held += 1;
        if self.held < self.most && piece.text.len() < NAMES {
            return Ok(());
        }
        let largest = self.list.iter_mut().max_by_key(|pile| pile.held.legs.len());
        largest.map_or(Ok(()), |pile| {
            self.held -= pile.held.legs.len();
            pile.put_aside(self.shelf)
        })
    }
}

/// All legs of some piles, in order, each once.
pub(super) fn each(
    piles: Vec<Pile>,
    shelf: &Shelf<'_>,
    mut take: impl FnMut(TriedLeg) -> Result<(), SealError>,
) -> Result<(), SealError> {
    let mut runs = Vec::new();
    for mut pile in piles {
        pile.held.sort();
        runs.push(Run { aside: Vec::new(), piece: pile.held, next: 0 });
        runs.extend(pile.runs.into_iter().map(|aside| Run { aside, piece: Piece::default(), next: 0 }));
    }
    for run in &mut runs {
        run.more(shelf)?;
    }
    let begun = (0..runs.len()).filter(|at| runs[*at].key().is_some());
    let mut heads = Heads::new(begun, |a, b| less(&runs, a, b));
    while let Some((key, mut leg)) = next(&mut runs, &mut heads, shelf)? {
        // The same leg, found another time.
        while let Some((same, other)) = heads.first().and_then(|at| runs[at].first())
            && same.first() == key.first()
            && other.last() == leg.last()
        {
            if let Some((_, other)) = next(&mut runs, &mut heads, shelf)? {
                leg.merge(other);
            }
        }
        take(leg)?;
    }
    Ok(())
}

fn less(runs: &[Run], a: usize, b: usize) -> bool {
    match (runs[a].key(), runs[b].key()) {
        (Some(one), Some(other)) => compare((&runs[a].piece, one), (&runs[b].piece, other)).is_lt(),
        _ => false,
    }
}

/// The first of what is left.
fn next(runs: &mut [Run], heads: &mut Heads, shelf: &Shelf<'_>) -> Result<Option<(Key, TriedLeg)>, SealError> {
    while let Some(at) = heads.first() {
        let next = runs[at].take();
        runs[at].more(shelf)?;
        heads.went_on(runs[at].key().is_some(), |a, b| less(runs, a, b));
        if next.is_some() {
            return Ok(next);
        }
    }
    Ok(None)
}

/// A run that is being read.
struct Run {
    /// The next piece is the last of these.
    aside: Vec<Aside>,
    piece: Piece,
    next: usize,
}

impl Run {
    fn key(&self) -> Option<&Key> {
        self.piece.keys.get(self.next)
    }

    /// The next leg.
    fn first(&self) -> Option<(&Key, &TriedLeg)> {
        let key = self.key()?;
        Some((key, self.piece.leg(key)?))
    }

    /// The same, taken out.
    fn take(&mut self) -> Option<(Key, TriedLeg)> {
        if let Some(ahead) = self.piece.keys.get(self.next + AHEAD)
            && let Some(leg) = self.piece.legs.get(ahead.at as usize)
        {
            prefetch_all(leg);
        }
        let key = *self.key()?;
        self.next += 1;
        Some((key, self.piece.legs.get_mut(key.at as usize)?.take()?))
    }

    /// Has the next leg at hand, if there is one.
    fn more(&mut self, shelf: &Shelf<'_>) -> Result<(), SealError> {
        while self.next >= self.piece.keys.len() {
            let Some(aside) = self.aside.pop() else { return Ok(()) };
            let bytes = aside.read()?;
            with(shelf, |spill| spill.drop_one(&aside));
            (self.piece, self.next) = (postcard::from_bytes(&bytes)?, 0);
        }
        Ok(())
    }
}
