//! `minimum_spend = "20.00"`: what an account spends at least in a month.
//!
//! Does not know months, nor what is spent.

use crate::money::{Money, Sum, minor_unit};
use crate::tariff::toml_cells::{Document, Table};

pub(super) fn read<'t>(document: &mut Document<'t>, plan: Table<'_, 't>, currency: [u8; 3]) -> Option<Money> {
    let value = plan.get("minimum_spend")?;
    let least = document.amount("minimum_spend", value)?;
    if least == Money::ZERO {
        document.wrong(value, "minimum_spend: 0 is no minimum", "leave it out");
        return None;
    }
    let paid = Sum(i128::from(least.0)).in_minor_units(currency);
    if paid.0 != i128::from(least.0) {
        let (code, decimals) = (String::from_utf8_lossy(&currency).into_owned(), minor_unit(currency));
        let message = format!("minimum_spend: {least} {code} cannot be paid");
        document.wrong(value, message, format!("{code} has {decimals} decimals: write \"{}\"", paid.fixed(decimals)));
        return None;
    }
    Some(least)
}
