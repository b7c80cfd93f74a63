//! One call beside what is told of it: equal, different by a rule, or not to be compared.
//!
//! Does not know of other calls.

use rust_decimal::Decimal;

use super::guess::{Compared, Rule, rules};
use crate::call::CallType;
use crate::images::Images;
use crate::store::{OwnedCall, Told};

/// Digits behind the point from which on an amount is what binary floating point left of one.
const FLOAT_DECIMALS: u32 = 12;

/// How a call stands.
#[derive(Clone, PartialEq, Debug)]
pub enum Standing {
    /// Both charge the same.
    Equal,
    /// They do not: the rules that explain it, best first.
    Differs(Vec<Rule>),
    /// What they say cannot be compared: why.
    NotCompared(String),
    /// They tell nothing.
    NotTold,
}

/// An amount as systems write it: `0.0198`, `1.98e-2`, `0,0198`.
pub fn amount(text: &[u8]) -> Option<Decimal> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let mended;
    let text = if text.contains(',') && !text.contains('.') {
        mended = text.replace(',', ".");
        &mended
    } else {
        text
    };
    Decimal::from_str_exact(text)
        .or_else(|_| text.parse::<Decimal>())
        .or_else(|_| Decimal::from_scientific(text))
        .ok()
        .map(|amount| amount.normalize())
}

/// Compares one call with what is told of it.
pub fn standing(call: &OwnedCall, told: Option<&Told>, images: &Images) -> Standing {
    let Some(told) = told.filter(|told| !told.cost.is_empty()) else { return Standing::NotTold };
    let Some(theirs) = amount(&told.cost) else {
        return Standing::NotCompared("the cost is no amount".to_owned());
    };
    let rated = &call.call;
    let ours = rated.cost.decimal();
    let currency = String::from_utf8_lossy(&told.currency).trim().to_ascii_uppercase();
    let same = currency.is_empty() || currency.as_bytes() == rated.basis.currency;
    let exchanged = rated.basis.exchange.filter(|exchange| exchange.from == currency.as_bytes());
    if !same && exchanged.is_none() {
        return Standing::NotCompared(format!("in {currency}, where we charge {}", code(&rated.basis.currency)));
    }
    if same && theirs == ours {
        return Standing::Equal;
    }
    let float = theirs.scale() >= FLOAT_DECIMALS;
    let bare = if float { theirs.round_dp(FLOAT_DECIMALS - 2).normalize() } else { theirs };
    if same && float && bare == ours {
        let words = "binary floating point: our amount with digits behind it that nobody meant";
        return Standing::Differs(vec![Rule::new("float", words)]);
    }
    if exchanged.is_some() {
        let seconds = match rated.call_type {
            CallType::Included | CallType::Overage => rated.overage_seconds(),
            _ => rated.billable_seconds,
        };
        let plain = rated.basis.price.cost(i64::from(seconds), u32::from(rated.basis.decimals)).decimal();
        let ours_is = code(&rated.basis.currency);
        return if plain == theirs {
            let words = format!("left in the deck's currency, {currency}, where the plan charges {ours_is}");
            Standing::Differs(vec![Rule::new("currency", words)])
        } else {
            Standing::NotCompared(format!("in {currency}, where we charge {ours_is}"))
        };
    }
    let tariff = images.tariff(&call.text.tariff).ok();
    let seconds = amount(&told.seconds);
    let whole = |seconds: Decimal| u32::try_from(seconds).ok().filter(|whole| Decimal::from(*whole) == seconds);
    let compared = Compared {
        call: rated,
        start: call.start,
        tariff: tariff.as_deref(),
        told: bare,
        seconds: seconds.and_then(whole),
    };
    Standing::Differs(rules(&compared))
}

/// A currency as text.
pub(super) fn code(currency: &[u8]) -> String {
    String::from_utf8_lossy(currency).into_owned()
}
