//! The words of a proof about allowances (R12).
//!
//! Does not know in which order they are asked, and decides nothing.

use crate::rating::pools::Month;
use crate::rating::price::Asked;
use crate::rating::{Draw, DrawOf, Rated};
use crate::tariff::Allowance;
use crate::tariff::pools::{Pool, PoolOf};
use crate::tariff::tiers::{self, Tier};
use crate::time::Period;

pub(super) fn allowance_words(month: Month<'_, '_>, asked: Asked, rated: &Rated) -> String {
    let Asked { allowance, used, left, .. } = asked;
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

/// R12: what one of several allowances gives; R25: what a tier counts.
pub(super) fn draw_words(month: Month<'_, '_>, draw: &Draw) -> (&'static str, String) {
    let Month { plan, period, .. } = month;
    let (name, pool) = match draw.of {
        DrawOf::Tier(i) => return ("R25", tier_words(plan.tiers.get(usize::from(i)), period, draw)),
        DrawOf::Plan => (format!("the plan's minutes of {period}"), None),
        DrawOf::Pool(i) => {
            let pool = plan.pools.get(usize::from(i));
            let named = pool.map(|pool| format!("allowance {} (of {}) of {period}", pool.name, of_words(&pool.of)));
            (named.unwrap_or_default(), pool)
        }
    };
    let words = match (month.allowance(pool), draw.left) {
        (Allowance::Seconds(seconds), Some(left)) => format!(
            "{name}: {seconds} s{}{}, {} s used before, {left} s left; {} s drawn, {} s left after",
            share_words(month, pool),
            match draw.carried {
                0 => String::new(),
                more @ 1.. => format!(" + {more} s that earlier months left"),
                less => format!(" − {} s handed on to later months", less.unsigned_abs()),
            },
            draw.used,
            draw.seconds,
            left - u64::from(draw.seconds)
        ),
        _ => format!("{name}: no limit; {} s drawn", draw.seconds),
    };
    ("R12", words)
}

fn of_words(of: &[PoolOf]) -> String {
    of.iter().map(|of| of.to_string()).collect::<Vec<_>>().join(", ")
}

fn tier_words(tier: Option<&Tier>, period: Period, draw: &Draw) -> String {
    let Some(tier) = tier else { return String::new() };
    let mut standing = tiers::Standing { tier, at: draw.used };
    let mut stretches = Vec::new();
    standing.count(draw.seconds, |level, seconds| {
        stretches.push(match level {
            None => format!("{seconds} s below the first level"),
            Some(level) => format!("{seconds} s behind {} s: {}", level.after, level.price),
        });
    });
    format!(
        "tier {} (of {}) of {period}: {} s charged before; {}",
        tier.key(),
        of_words(&tier.of),
        draw.used,
        stretches.join(", ")
    )
}
