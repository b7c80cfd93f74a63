//! The other side of a plan's prices: what its calls cost us, and under which plans it is resold.
//!
//! Does not know calls, nor what anything is sold for.

use serde::{Deserialize, Serialize};

use super::findings::Place;
use super::image::{Meta, StoredSteps};
use super::plans::Resolved;
use super::{PlanId, Side};
use crate::call::{RESELLERS_MAX, StepMode, StepRule};
use crate::money::Money;
use crate::time::Micros;

/// A list of decks in one image; means nothing in another image.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DeckList(pub u16);

/// Cost rows without steps of their own, in a plan without `cost_steps`: by the second.
const BY_THE_SECOND: StepRule =
    StepRule { mode: StepMode::Up, initial: 1, increment: 1, minimum: 0, free_below: Micros(0) };

/// What calls of a plan cost us, checked.
#[derive(Clone, Debug)]
pub struct Buying {
    /// Names of the decks for calls made.
    pub decks: Vec<String>,
    /// Names of the decks for calls received.
    pub inbound_decks: Vec<String>,
    /// Carriers with decks of their own for calls made, by number.
    pub carriers: Vec<(u16, Vec<String>)>,
    /// Steps of rows that have none.
    pub steps: StepRule,
    /// The plans under which this one is bought, nearest first: at most [`RESELLERS_MAX`].
    pub resellers: Vec<PlanId>,
    /// Least margin in per cent of the price, where the plan says one.
    pub minimum_margin: Option<Money>,
    outbound: Option<DeckList>,
    inbound: Option<DeckList>,
    of_carriers: Vec<(u16, DeckList)>,
}

impl Buying {
    /// The decks that say what a call costs us, and the carrier if it has decks of its own.
    #[inline]
    pub fn list(&self, side: Side, carrier: Option<u16>) -> (Option<DeckList>, Option<u16>) {
        if side == Side::Inbound {
            return (self.inbound, None);
        }
        let known = carrier.and_then(|carrier| self.of_carriers.iter().find(|(known, _)| *known == carrier));
        match known {
            Some((carrier, list)) => (Some(*list), Some(*carrier)),
            None => (self.outbound, None),
        }
    }

    /// The lists of calls made: the plan's own, and those of carriers.
    pub fn outbound_lists(&self) -> impl Iterator<Item = (Option<u16>, DeckList)> {
        let own = self.outbound.map(|list| (None, list));
        own.into_iter().chain(self.of_carriers.iter().map(|(carrier, list)| (Some(*carrier), *list)))
    }
}

/// The same as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredBuying {
    #[serde(skip_serializing_if = "Option::is_none")]
    outbound: Option<DeckList>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbound: Option<DeckList>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    carriers: Vec<(u16, DeckList)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<StoredSteps>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resellers: Vec<u16>,
    /// Per cent, times 10⁹.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum_margin: Option<i64>,
}

impl StoredBuying {
    /// Of what was read; `list` gives a list of decks its number.
    pub(super) fn new(
        resolved: &Resolved<'_>,
        carriers: &[String],
        list: &mut impl FnMut(&[(String, Place)]) -> u16,
    ) -> StoredBuying {
        let text = resolved.text;
        let mut some = |decks: &[(String, Place)]| (!decks.is_empty()).then(|| DeckList(list(decks)));
        let (outbound, inbound) = (some(&text.decks), some(&text.inbound_decks));
        let of_carriers = text
            .carriers
            .iter()
            .filter_map(|(name, decks)| Some((carriers.binary_search(name).ok()? as u16, some(decks)?)));
        StoredBuying {
            outbound,
            inbound,
            carriers: of_carriers.collect(),
            steps: text.steps.map(StoredSteps::new),
            resellers: resolved.chain.clone(),
            minimum_margin: resolved.minimum_margin.map(|per_cent| per_cent.0),
        }
    }

    /// None where it contradicts the image.
    pub(super) fn open(&self, meta: &Meta, names: &impl Fn(u16) -> Option<Vec<String>>) -> Option<Buying> {
        let decks = |list: Option<DeckList>| list.map_or(Some(Vec::new()), |list| names(list.0));
        let steps = match self.steps {
            None => BY_THE_SECOND,
            Some(steps) => steps.rule()?,
        };
        let known = |carrier: u16| usize::from(carrier) < meta.carriers.len();
        let plan = |place: u16| usize::from(place) < meta.plans.len();
        if self.resellers.len() > RESELLERS_MAX || !self.resellers.iter().all(|place| plan(*place)) {
            return None;
        }
        let carriers = self.carriers.iter().map(|(carrier, list)| {
            known(*carrier).then_some(())?;
            Some((*carrier, names(list.0)?))
        });
        Some(Buying {
            decks: decks(self.outbound)?,
            inbound_decks: decks(self.inbound)?,
            carriers: carriers.collect::<Option<_>>()?,
            steps,
            resellers: self.resellers.iter().map(|place| PlanId(*place)).collect(),
            minimum_margin: self.minimum_margin.map(Money),
            outbound: self.outbound,
            inbound: self.inbound,
            of_carriers: self.carriers.clone(),
        })
    }
}
