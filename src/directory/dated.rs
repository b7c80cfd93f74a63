//! Dated rows with something said anew from one instant to another.
//!
//! Does not know what the rows say.

use super::layer::{Dated, Owned, Terms};
use super::read::NEVER;

/// Rows with something said anew from one instant to another. Where no row holds at the first, a new one begins, made of
/// `base`, which ends where the next one begins.
pub fn set_rows(rows: &[Dated], (from, to): (i64, i64), said: &dyn Fn(&Terms) -> Terms, base: &Terms) -> Vec<Dated> {
    let mut all = Vec::with_capacity(rows.len() + 2);
    let mut push = |from: i64, to: i64, terms: Terms| {
        if from < to {
            all.push(Dated { from, to, terms });
        }
    };
    for row in rows {
        push(row.from, row.to.min(from), row.terms.clone());
        push(row.from.max(from), row.to.min(to), said(&row.terms));
        push(row.from.max(to), row.to, row.terms.clone());
    }
    if !rows.iter().any(|row| row.from <= from && from < row.to) {
        let next = rows.iter().map(|row| row.from).filter(|next| *next > from).min().unwrap_or(NEVER);
        push(from, next.min(to), said(base));
    }
    all.sort_by_key(|row| row.from);
    all.dedup_by(|next, kept| {
        let joined = kept.to == next.from && kept.terms == next.terms;
        if joined {
            kept.to = next.to;
        }
        joined
    });
    all
}

/// Owners with somebody, or nobody, from one instant to another.
pub fn set_owner(owners: &[Owned], (from, to): (i64, i64), account: Option<&str>) -> Vec<Owned> {
    let mut all: Vec<Owned> = Vec::with_capacity(owners.len() + 2);
    for owned in owners {
        all.push(Owned { to: owned.to.min(from), ..owned.clone() });
        all.push(Owned { from: owned.from.max(to), ..owned.clone() });
    }
    all.extend(account.map(|account| Owned { from, to, account: account.into() }));
    all.retain(|owned| owned.from < owned.to);
    all.sort_by_key(|owned| owned.from);
    all.dedup_by(|next, kept| {
        let joined = kept.to == next.from && kept.account == next.account;
        if joined {
            kept.to = next.to;
        }
        joined
    });
    all
}
