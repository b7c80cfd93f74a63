//! The words of a proof about allowances (R12).
//!
//! Does not know in which order they are asked, and decides nothing.

use crate::rating::pools::Month;
use crate::rating::price::Asked;
use crate::rating::{Draw, Rated};
use crate::tariff::Allowance;
use crate::tariff::pools::Pool;

pub(super) fn allowance_words(month: Month<'_, '_>, asked: Asked, rated: &Rated) -> String {
    let Asked { allowance, used, left } = asked;
    let Allowance::Seconds(seconds) = allowance else {
        return format!("unlimited minutes: all {} s are included", rated.included_seconds);
    };
    let drawn = u64::from(rated.included_seconds);
    let beyond = rated.billable_seconds - rated.included_seconds;
    format!(
        "allowance of {}: {seconds} s{}, {used} s used before, {left} s left; {drawn} s drawn, {} s left after; {beyond} s beyond",
        month.period,
        share_words(month, None),
        left - drawn
    )
}

/// R12: how an allowance that is no whole month's came about.
fn share_words(month: Month<'_, '_>, pool: Option<&Pool>) -> String {
    let minutes = |allowance: Allowance| match allowance {
        Allowance::Seconds(seconds) => format!("{} min", seconds / 60),
        Allowance::Unlimited => "no limit, so none".to_owned(),
    };
    let mut words = String::new();
    if month.plan.prorate_change && month.changes() {
        month.shares(pool, |share| {
            let then = if words.is_empty() { " (the plan changes: " } else { " + " };
            words +=
                &format!("{then}{} of {} × {}/{} days", minutes(share.whole), share.plan, share.days, month.days());
        });
        words += ", each up to the minute)";
    } else if let Some((days, of)) = month.first_month_days() {
        let whole = pool.map_or(month.plan.allowance, |pool| pool.allowance);
        words = format!(" (first month: {} × {days}/{of} days, up to the minute)", minutes(whole));
    }
    words
}

/// R12: what one of several allowances gives.
pub(super) fn draw_words(month: Month<'_, '_>, draw: &Draw) -> String {
    let pool = draw.pool.and_then(|i| month.plan.pools.get(usize::from(i)));
    let name = match pool {
        Some(pool) => {
            let of: Vec<String> = pool.of.iter().map(|of| of.to_string()).collect();
            format!("allowance {} (of {}) of {}", pool.name, of.join(", "), month.period)
        }
        None => format!("the plan's minutes of {}", month.period),
    };
    match (month.allowance(pool), draw.left) {
        (Allowance::Seconds(seconds), Some(left)) => format!(
            "{name}: {seconds} s{}, {} s used before, {left} s left; {} s drawn, {} s left after",
            share_words(month, pool),
            draw.used,
            draw.seconds,
            left - u64::from(draw.seconds)
        ),
        _ => format!("{name}: no limit; {} s drawn", draw.seconds),
    }
}
