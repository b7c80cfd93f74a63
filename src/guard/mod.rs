//! The spend guard: thresholds on what accounts spend, judged call by call as calls are rated. It tells; it blocks nothing
//! and changes no amount.
//!
//! ```text
//! guards.toml ─ read ─▶ rules ─journal─▶ judge: call ─▶ windows of its account ─▶ fired ─ event ─▶ store, webhooks
//! ```
//!
//! Rules enter through the journal, and what an account's windows hold is stored with the position up to which it holds.
//! A replay therefore comes to the same events, and an event's id is made of what it says (rule, account, window, level):
//! whoever hears of one twice knows it.
//!
//! Windows are those of calls' answers: calendar months and days begin in the account's zone, rolling windows go by
//! twelfths of their length ([`windows`]). What is held for an account is bounded by its rules, not by its calls.
//!
//! Does not know files, clocks, shards, or who is told.

mod account;
pub mod event;
mod judge;
mod lengths;
pub mod read;
mod rules;
#[cfg(test)]
mod tests;
mod windows;

pub use account::AccountState;
pub use event::Event;
pub use judge::{Fired, Judge, Seen, Standing, States};
pub use rules::{Entered, LEVELS_MAX, Override, Per, RULES_MAX, Rule, Rules, What};
