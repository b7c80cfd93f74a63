//! What decided a call, in words, from the image it names.
//!
//! Does not know who wants to know.

use std::sync::Arc;

use crate::call::Basis;
use crate::images::Images;
use crate::money::Money;
use crate::store::BasisText;
use crate::tariff::{PlanId, RowId};

/// The images and their names; cheap to clone, so that another thread can say the same.
#[derive(Clone)]
pub(super) struct Words {
    images: Arc<Images>,
    /// Digests of the tariffs by slot.
    tariffs: Arc<Vec<String>>,
}

impl Words {
    pub fn new(images: Arc<Images>, tariffs: Vec<String>) -> Words {
        Words { images, tariffs: Arc::new(tariffs) }
    }

    /// Takes the digests of further slots.
    pub fn learn(&mut self, digests: impl ExactSizeIterator<Item = String>) {
        if digests.len() > 0 {
            Arc::make_mut(&mut self.tariffs).extend(digests);
        }
    }

    /// What the plan of a call wants to be left of its price, if it says so.
    pub fn least_margin(&self, basis: &Basis) -> Option<Money> {
        let tariff = self.images.tariff(self.tariffs.get(usize::from(basis.tariff.0))?).ok()?;
        tariff.plans().get(usize::from(basis.plan))?.buying.as_deref()?.minimum_margin
    }

    pub fn describe(&self, basis: &Basis) -> BasisText {
        let Some(digest) = self.tariffs.get(usize::from(basis.tariff.0)) else { return BasisText::default() };
        // The image is mapped already: it was used to rate the call.
        let Ok(tariff) = self.images.tariff(digest) else { return BasisText::default() };
        let mut text = BasisText {
            tariff: digest.clone(),
            plan: tariff.plan(PlanId(basis.plan)).name.clone(),
            ..BasisText::default()
        };
        if let Some(row) = basis.row {
            let row = tariff.row(RowId(row));
            text.deck = row.deck.to_owned();
            text.prefix = row.prefix.to_string();
            text.destination = row.destination.to_owned();
        }
        text
    }
}
