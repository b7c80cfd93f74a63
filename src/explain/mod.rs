//! The proof of a stored call (R23): its price derived anew, from what the store keeps of its record, by the directory and
//! the tariff image that it names, and compared with what is stored.
//!
//! ```text
//! row ─ numbers, times, grounds ─▶ record ─┐
//! journal ─ raw text, while kept ──────────┤
//! directory and tariff named by the row ───┴─▶ rating::prove ─▶ lines, and the same digits as the row
//! ```
//! A row keeps everything that rating asks of a record, so the proof outlives the journal: who is named in it, who
//! forwarded, from which side it was told, by which settings of its listener and which directory it was resolved, and how
//! much of the allowance was used before it. What the journal still has adds the raw text.
//!
//! Does not know HTTP, nor how the journal is read.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::batch::SourceId;
use crate::call::{Chain, Costs, Meter, Pair, RatedCall};
use crate::directory::{Account, Directory};
use crate::entry::{SourceProfile, Talk};
use crate::images::{ImageMissing, Images};
use crate::rating::{self, Drawn, Proof, Resolution, Standing, Told, World};
use crate::record::Record;
use crate::store::{ActivationRow, Grounds, OwnedCall, Store, StoreError};
use crate::tariff::tiers::TIER;
use crate::tariff::{Allowance, PlanId};
use crate::time::{Period, Timestamp};

mod words;

pub use words::{Language, customer};

/// A version of a record, as the journal or the list of contradictions still has it.
pub struct Kept<'a> {
    /// In canonical form, raw text included.
    pub record: Record<'a>,
    /// Receipt of its frame.
    pub received_at: Timestamp,
    /// Source of its frame.
    pub source: SourceId,
}

/// A price derived anew.
pub struct Explained {
    /// Every decision, and what they come to.
    pub proof: Proof,
    /// What the call costs us, derived anew: for operators only, hence in none of the lines and differences.
    pub costs: Option<Costs>,
    /// The record with its raw text was there: which of those given; else what the store keeps of it decided.
    pub raw: Option<Vec<u8>>,
    /// What differs from the stored call; empty: it is proved.
    pub differences: Vec<Differs>,
    /// The directory by which it was resolved.
    pub directory: Arc<Directory>,
}

/// A field of the stored call that does not follow from its record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Differs {
    /// Which field.
    pub field: &'static str,
    /// As stored.
    pub stored: String,
    /// As derived.
    pub derived: String,
}

/// Why a call cannot be derived anew.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An image that the call names.
    #[error(transparent)]
    Image(#[from] ImageMissing),
    /// Stored by a version that did not keep what a proof needs, and the journal no longer has the record.
    #[error(
        "this call was stored by an earlier version, and its record has left the journal: it can no longer be proved"
    )]
    NotKept,
}

/// What a store knows of activations and settings of listeners, read once for many calls.
pub struct Archive<'a> {
    store: &'a dyn Store,
    images: &'a Images,
    directories: Vec<ActivationRow>,
}

impl<'a> Archive<'a> {
    /// Over a store and the images it names.
    ///
    /// # Errors
    /// The store.
    pub fn open(store: &'a dyn Store, images: &'a Images) -> Result<Archive<'a>, StoreError> {
        Ok(Archive { store, images, directories: store.load_activations()?.1 })
    }

    /// Derives a stored call anew.
    ///
    /// # Errors
    /// Something it names is not there.
    pub fn explain(&self, call: &OwnedCall, kept: &[Kept<'_>]) -> Result<Explained, ExplainError> {
        if call.call.reversal {
            // What is taken back is what was charged, to the digit.
            let costs = call.costs.map(|costs| costs.reversed());
            let charged = OwnedCall { call: call.call.reversed(), costs, ..call.clone() };
            let explained = self.explain(&charged, kept)?;
            return Ok(Explained { costs: explained.costs.map(|costs| costs.reversed()), ..explained });
        }
        // A correction may stand on another version of the record than the one at its place in the journal.
        let kept = kept.iter().find(|kept| Archive::is_of(call, kept));
        let grounds = match (&call.grounds, kept) {
            (Some(grounds), _) => Cow::Borrowed(grounds),
            (None, Some(kept)) => Cow::Owned(self.grounds_then(call, kept)),
            (None, None) => return Err(ExplainError::NotKept),
        };
        let directory = self.directories.get(grounds.directory as usize).ok_or(ExplainError::NotKept)?;
        let directory = self.images.directory(&directory.digest)?;
        let tariff = self.images.tariff(&call.text.tariff)?;
        let world = World { directory: &directory, tariff: &tariff, slot: call.call.basis.tariff };
        let profile = self.store.profile(grounds.source, grounds.profile)?;
        let profile: SourceProfile = profile.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let told = OnceCell::new();
        let standing = |account: &Account<'_>, _| Standing::of(told.get_or_init(|| Before::of(call, world, account)));
        let side = call.call.key.leg;
        let (record, at, profile) = match kept {
            Some(kept) => (kept.record, kept.received_at, profile),
            // R1 and R2 were judged when it came: the row has their outcome.
            None => {
                let judged = SourceProfile { talk: Talk::Duration, max_age_days: u32::MAX, ..profile };
                (call.borrowed().record(&grounds), call.call.answer, judged)
            }
        };
        let proof = rating::prove(&record, at, &profile, world, side, &standing);
        let costs = costs(call, rating::resolve(&record, at, &profile, world), world);
        let differences = differences(call, &proof);
        Ok(Explained { proof, costs, raw: kept.map(|kept| kept.record.raw.to_vec()), differences, directory })
    }

    /// Whether a call was rated from this version of its record.
    fn is_of(call: &OwnedCall, kept: &Kept<'_>) -> bool {
        let record = &kept.record;
        let talks = [Talk::Duration, Talk::EndAnswer].map(|talk| rating::talk_time(record, talk));
        record.source == call.source_dialled
            && record.destination == call.destination_dialled
            && (record.node, record.id) == (&*call.node, &*call.id)
            && (record.answer == Some(call.call.answer) || record.fold.is_some())
            && talks.contains(&Some(call.call.duration))
    }

    /// What a row of an earlier version was resolved by: the latest of each kind before the record.
    fn grounds_then(&self, call: &OwnedCall, kept: &Kept<'_>) -> Grounds {
        let position = call.call.key.position;
        let before = self.directories.iter().filter(|row| row.position <= position).count();
        Grounds {
            source: kept.source,
            profile: position,
            directory: before.saturating_sub(1) as u32,
            direction: kept.record.direction,
            account: kept.record.account.into(),
            forwarded_by: kept.record.forwarded_by.into(),
            routing_number: kept.record.routing_number.into(),
            carrier: kept.record.carrier.into(),
        }
    }
}

/// What the call costs us, derived anew.
fn costs(call: &OwnedCall, resolution: Resolution, world: World<'_>) -> Option<Costs> {
    let Resolution::Legs(first, second) = resolution else { return None };
    let mut legs = [first, second].into_iter().flatten();
    let leg = legs.find(|leg| leg.direction == call.call.key.leg)?;
    rating::costs(&leg, world, PlanId(call.call.basis.plan), call.call.own_period())
}

/// What was used of the allowance before the call. A row of an earlier version does not say; what it drew leaves one
/// answer where it was not all.
fn used_before(call: &RatedCall, world: World<'_>, account: &Account<'_>) -> u64 {
    if let Some(used) = call.used_before {
        return used;
    }
    let plan = world.tariff.plan(PlanId(call.basis.plan));
    match rating::allowance(world, plan, account, call.own_period(), None) {
        Allowance::Seconds(seconds) if call.overage_seconds() > 0 => {
            seconds.saturating_sub(u64::from(call.included_seconds))
        }
        _ => 0,
    }
}

/// What stood before the call, as its row tells.
struct Before {
    plan: u64,
    told: Vec<Told>,
    chain: Option<Chain>,
}

impl Before {
    fn of(call: &OwnedCall, world: World<'_>, account: &Account<'_>) -> Before {
        let chain = Chain::told(&call.call, &call.draws);
        Before { plan: used_before(&call.call, world, account), told: Told::read(&call.draws), chain }
    }

    fn of_meter(&self, meter: Meter) -> Option<&Told> {
        self.told.iter().find(|told| told.meter() == meter)
    }
}

impl Drawn for Before {
    fn seconds(&self, month: Period, meter: Meter) -> u64 {
        self.of_meter(meter).map_or_else(|| self.plan.seconds(month, meter), |told| told.2)
    }

    fn left(&self, meter: Meter) -> Option<u64> {
        self.of_meter(meter).map(|told| told.3.unwrap_or(u64::MAX))
    }

    fn carried(&self, _month: Period, meter: Meter, _lots: &[Meter], _handed_on: Meter) -> i64 {
        self.of_meter(meter).map_or(0, |told| told.4)
    }

    fn chain(&self, _pair: Pair) -> Option<Chain> {
        self.chain
    }
}

fn differences(call: &OwnedCall, proof: &Proof) -> Vec<Differs> {
    let rated = &call.call;
    let mut found = Vec::new();
    let mut differ = |field, stored: String, derived: String| {
        if stored != derived {
            found.push(Differs { field, stored, derived });
        }
    };
    let cost = rated.cost.fixed(u32::from(rated.basis.decimals));
    match (&proof.quote, &proof.suspended) {
        (Some(quote), _) => {
            let e164 = |number: Option<crate::number::Number>| number.map_or(String::new(), |n| format!("+{n}"));
            differ("cost", cost, quote.cost.clone());
            differ("currency", String::from_utf8_lossy(&rated.basis.currency).into_owned(), quote.currency.clone());
            differ("call type", rated.call_type.name().to_owned(), quote.call_type.to_owned());
            differ("billable seconds", rated.billable_seconds.to_string(), quote.billable_seconds.to_string());
            differ("included seconds", rated.included_seconds.to_string(), quote.included_seconds.to_string());
            let gave = |name: &str, seconds: u32| format!("{name:?} {seconds} s");
            let told: Vec<String> = Told::read(&call.draws).iter().map(|told| gave(&told.0, told.1)).collect();
            let derived = quote.allowances.iter().map(|draw| gave(&draw.name, draw.included_seconds));
            let tier = quote.tier.iter().map(|tier| gave(&format!("{TIER}{}", tier.name), tier.seconds()));
            differ("allowances", told.join(", "), derived.chain(tier).collect::<Vec<_>>().join(", "));
            differ("month", rated.own_period().to_string(), quote.period.clone());
            differ("rate", rated.basis.price.rate.fixed(0), quote.rate.clone());
            differ("source", e164(rated.source), quote.source.clone().unwrap_or_default());
            differ("destination", e164(rated.destination), quote.destination.clone().unwrap_or_default());
        }
        (None, Some(why)) => differ("cost", cost, format!("none: it would wait in suspense: {}", why.reason)),
        (None, None) => differ("cost", cost, "none".to_owned()),
    }
    found
}
