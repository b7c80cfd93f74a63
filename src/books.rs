//! The books (rating §7): counts that must balance, cut at one journal position and kept for ever.
//!
//! ```text
//! per listener   received = refused + durable
//! records        durable = unanswered + duplicate + conflict + suspended now + resolved + merged + open now
//! per period     legs = before_billing_start + suspended now + rated
//! money          Σ cost of rated calls = Σ cost of totals, per currency
//! ```
//! A call told in parts is as many durable records as it has parts: one counts as the call, the others as `merged`; as
//! long as the call waits, all of them are `open`.
//!
//! Each part of the road hands its share to every flush as a [`Share`] of differences; the flush adds them to the
//! [`Books`] it holds, checks them and stores them in the same transaction as the rows they speak of.
//!
//! Does not know where the counts come from, nor where they are kept.

use std::collections::BTreeMap;

use crate::call::SuspenseReason;
use crate::time::Period;

/// Differences since the last flush: account name of the book → count.
pub type Share = BTreeMap<String, i128>;

/// All counts since the data folder began.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Books(BTreeMap<String, i128>);

/// One equation that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}: {left_side} is {left}, but {right_side} is {right}")]
pub struct Unbalanced {
    /// Which listener, period or currency.
    pub what: String,
    /// Left side in words.
    pub left_side: &'static str,
    /// Its value.
    pub left: i128,
    /// Right side in words.
    pub right_side: &'static str,
    /// Its value.
    pub right: i128,
}

/// The names of the books' accounts.
pub mod name {
    use super::*;

    /// Records a listener received.
    pub fn received(listener: &str) -> String {
        format!("listener/{listener}/received")
    }
    /// Records a listener refused.
    pub fn refused(listener: &str) -> String {
        format!("listener/{listener}/refused")
    }
    /// Records of a listener in the journal.
    pub fn durable(listener: &str) -> String {
        format!("listener/{listener}/durable")
    }
    /// Records by what became of them: `unanswered`, `duplicate`, `conflict`, `resolved`, `merged`,
    /// `open`.
    pub fn records(what: &str) -> String {
        format!("records/{what}")
    }
    /// Records in suspense now.
    pub fn suspended_records(reason: SuspenseReason) -> String {
        format!("records/suspended/{reason}")
    }
    /// Legs of a period by what became of them: `legs`, `rated`.
    pub fn legs(period: Period, what: &str) -> String {
        format!("period/{period}/{what}")
    }
    /// Legs of a period in suspense now; `before_billing_start` is one of the reasons.
    pub fn suspended_legs(period: Period, reason: SuspenseReason) -> String {
        format!("period/{period}/suspended/{reason}")
    }
    /// Nano-units of rated calls, and of totals.
    pub fn money(currency: &str, what: &str) -> String {
        format!("money/{currency}/{what}")
    }
}

impl Books {
    /// From what was stored.
    pub fn from_stored(counts: impl IntoIterator<Item = (String, i128)>) -> Books {
        Books(counts.into_iter().collect())
    }

    /// Adds a part's share; the names it touched hold absolute values afterwards.
    pub fn add(&mut self, share: &Share) {
        for (name, difference) in share {
            if *difference != 0 {
                *self.0.entry(name.clone()).or_default() += difference;
            }
        }
    }

    /// Every count by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i128)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// One count.
    pub fn get(&self, name: &str) -> i128 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Every equation that does not hold.
    pub fn check(&self) -> Vec<Unbalanced> {
        let mut faults = Vec::new();
        let mut durable_of_listeners = 0;
        for group in self.groups("listener/") {
            let of = |what: &str| self.get(&format!("listener/{group}/{what}"));
            durable_of_listeners += of("durable");
            unequal(
                &mut faults,
                format!("listener {group}"),
                ("received", of("received")),
                ("refused + durable", of("refused") + of("durable")),
            );
        }
        let became = self.sum("records/");
        unequal(
            &mut faults,
            "records".to_owned(),
            ("durable", durable_of_listeners),
            ("unanswered + duplicate + conflict + suspended + resolved + merged + open", became),
        );
        for period in self.groups("period/") {
            let all = self.sum(&format!("period/{period}/"));
            let legs = self.get(&format!("period/{period}/legs"));
            unequal(
                &mut faults,
                format!("period {period}"),
                ("legs", legs),
                ("before_billing_start + suspended + rated", all - legs),
            );
        }
        for currency in self.groups("money/") {
            let of = |what: &str| self.get(&format!("money/{currency}/{what}"));
            unequal(
                &mut faults,
                format!("money {currency}"),
                ("cost of rated calls", of("calls")),
                ("cost of totals", of("totals")),
            );
        }
        faults
    }

    fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, i128)> {
        self.0
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), *value))
    }

    fn sum(&self, prefix: &str) -> i128 {
        self.under(prefix).map(|(_, value)| value).sum()
    }

    /// The distinct middle parts of names under a prefix. A listener's own name may hold no slash.
    fn groups(&self, prefix: &str) -> Vec<String> {
        let mut groups: Vec<String> = self
            .under(prefix)
            .filter_map(|(name, _)| name[prefix.len()..].split('/').next())
            .map(str::to_owned)
            .collect();
        groups.dedup();
        groups
    }
}

fn unequal(faults: &mut Vec<Unbalanced>, what: String, left: (&'static str, i128), right: (&'static str, i128)) {
    if left.1 != right.1 {
        faults.push(Unbalanced { what, left_side: left.0, left: left.1, right_side: right.0, right: right.1 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(counts: &[(&str, i128)]) -> Books {
        Books::from_stored(counts.iter().map(|(n, v)| ((*n).to_owned(), *v)))
    }

    #[test]
    fn each_equation_is_checked() {
        let good = [
            ("listener/tcp:1/durable", 9),
            ("listener/tcp:1/received", 10),
            ("listener/tcp:1/refused", 1),
            ("money/EUR/calls", 5_000),
            ("money/EUR/totals", 5_000),
            ("period/2026-10/legs", 8),
            ("period/2026-10/rated", 6),
            ("period/2026-10/suspended/before_billing_start", 1),
            ("period/2026-10/suspended/no_rate", 1),
            ("records/duplicate", 1),
            ("records/resolved", 7),
            ("records/suspended/unknown_account", 1),
        ];
        assert_eq!(books(&good).check(), []);
        for i in 0..good.len() {
            let mut bad = good;
            bad[i].1 += 1;
            // A durable count stands in two equations.
            let expected = if good[i].0.ends_with("durable") { 2 } else { 1 };
            assert_eq!(books(&bad).check().len(), expected, "{}", good[i].0);
        }
    }

    #[test]
    fn shares_add_up() {
        let mut books = Books::default();
        books.add(&Share::from([(name::records("resolved"), 2), (name::records("duplicate"), 0)]));
        books.add(&Share::from([(name::records("resolved"), -1)]));
        assert_eq!(books.iter().collect::<Vec<_>>(), [("records/resolved", 1)]);
    }
}
