//! Which rule takes which calls: the one that explains most of what is left, until nothing is.
//!
//! Does not know how a rule explains a call.

use std::collections::BTreeMap;

use super::guess::Rule;
use super::standing::code;
use super::{EXAMPLES, Group, Report, Set, Sums, amount, fee_rule};
use crate::store::{OwnedCall, Told};

impl Report {
    /// The rule that explains most of what is left takes its calls, until nothing is.
    pub(super) fn choose(&mut self, mut left: BTreeMap<Vec<Rule>, BTreeMap<String, Set>>) {
        let unexplained = left.remove(&Vec::new());
        while !left.is_empty() {
            let mut explains: BTreeMap<&Rule, u64> = BTreeMap::new();
            for (rules, sets) in &left {
                let calls: u64 = sets.values().map(|set| set.sums.calls).sum();
                for rule in rules {
                    *explains.entry(rule).or_default() += calls;
                }
            }
            // Of equals the first in the rules' own order: the map goes by it, and `max_by_key` would take the last.
            let best = explains.iter().rev().max_by_key(|(_, calls)| **calls).map(|(rule, _)| (*rule).clone());
            let Some(best) = best else { break };
            let mut groups: BTreeMap<String, Group> = BTreeMap::new();
            let mut also: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
            let (taken, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
                left.into_iter().partition(|(rules, _)| rules.contains(&best));
            left = rest;
            for (rules, sets) in taken {
                for (currency, mut set) in sets {
                    if rules.len() > 1 {
                        set.sums.ambiguous = set.sums.calls;
                        for other in rules.iter().filter(|other| **other != best) {
                            *also.entry(currency.clone()).or_default().entry(other.words.clone()).or_default() +=
                                set.sums.calls;
                        }
                    }
                    let group = groups.entry(currency.clone()).or_insert_with(|| Group {
                        rule: best.clone(),
                        currency,
                        sums: Sums::default(),
                        also: Vec::new(),
                        examples: Vec::new(),
                    });
                    group.sums.merge(&set.sums);
                    // What nothing else explains argues best.
                    let at = if rules.len() > 1 { group.examples.len() } else { 0 };
                    group.examples.splice(at..at, set.examples);
                    group.examples.truncate(EXAMPLES);
                }
                self.chosen.by_rules.insert(rules, best.clone());
            }
            for (currency, mut group) in groups {
                group.also = also.remove(&currency).unwrap_or_default().into_iter().collect();
                group.also.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
                self.groups.push(group);
            }
        }
        for (currency, set) in unexplained.into_iter().flatten() {
            self.groups.push(Group {
                rule: unexplained_rule(),
                currency,
                sums: set.sums,
                also: Vec::new(),
                examples: set.examples,
            });
        }
        self.groups.sort_by(|a, b| b.sums.calls.cmp(&a.sums.calls).then_with(|| a.rule.cmp(&b.rule)));
    }

    /// The rule under which the report has a call that differs.
    pub fn rule_of(&self, call: &OwnedCall, told: Option<&Told>, rules: &[Rule]) -> Rule {
        if let Some(rule) = self.chosen.by_rules.get(rules) {
            return rule.clone();
        }
        let theirs = told.and_then(|told| amount(&told.cost)).unwrap_or_default();
        let difference = theirs.checked_sub(call.call.cost.decimal()).unwrap_or_default();
        if rules.is_empty() && self.chosen.fees.contains(&(code(&call.call.basis.currency), difference)) {
            return fee_rule(difference);
        }
        unexplained_rule()
    }
}

fn unexplained_rule() -> Rule {
    Rule::new("unexplained", "no rule that is known here gives their digits")
}
