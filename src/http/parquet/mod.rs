//! Calls and totals of a month as Parquet.
//!
//! Columns are named as in NDJSON; the parts of `steps` stand as `steps_mode` and so on, for readers without nested columns.
//!
//! Does not know how a file is laid out, nor who asked.

use std::io;

use ::parquet::errors::ParquetError;

use super::details::{number, text};
use super::export::{self, Costs};
use super::{periods, stream, usage};
use crate::money::Money;
use crate::rating::billable_millionths as millionths;
use crate::road::UsageLine;
use crate::store::{Store, StoreError, StoredCall, Visit};
use crate::time::{Period, Timestamp};

mod table;

use table::Take::{Count, Instant, MaybeInstant, MaybeText, Millionths, Nanos, Text};
use table::{Column, Rows, Table};

/// Accounts read at a time: a slow client keeps no transaction of the store open.
const ACCOUNTS: usize = 1000;
/// How the column of costs comes to its sum.
const SUM_RULE: &str = "every call is rounded once, to its plan's decimals, when it is rated (R18); by currency, the column cost \
    adds up to callrated.cost to the digit, and nothing is rounded again";
/// How the column of amounts comes to its sum.
const AMOUNT_RULE: &str = "every row's cost is rounded once more, to the minor unit of its currency (ISO 4217), halves away \
    from zero; callrated.amount is the sum of the rounded rows";

/// Writes the calls of a month; `began` is what its totals came to as that began.
pub(super) fn calls(store: &dyn Store, period: Period, began: &str, mut body: stream::Writer) {
    let written = write_calls(store, period, began, &mut body);
    ended(written, body);
}

/// Writes the totals of a month.
pub(super) fn totals(store: &dyn Store, period: Period, mut body: stream::Writer) {
    let written = write_totals(store, period, &mut body);
    ended(written, body);
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Encoder(#[from] ParquetError),
}

fn ended(written: Result<(), Broken>, body: stream::Writer) {
    match written {
        // A client that went away wants no end.
        Ok(()) => drop(body.finish()),
        Err(Broken::Encoder(ParquetError::External(error))) if error.is::<io::Error>() => {}
        Err(error) => {
            tracing::error!("an export is cut off: {error}");
            body.cut_off();
        }
    }
}

fn write_calls(store: &dyn Store, period: Period, began: &str, body: &mut stream::Writer) -> Result<(), Broken> {
    let mut table = Table::<Calls>::begin(body)?;
    let (mut count, mut costs, mut failed) = (0u64, Costs::default(), None);
    export::each(store, period, |call, account| {
        count += 1;
        costs.add(call.call.basis.currency, nanos(call.call.cost), call.call.basis.decimals);
        match table.push(&Leg { of: call, account }) {
            Ok(()) => Visit::Continue(()),
            Err(error) => {
                failed = Some(error);
                Visit::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let (count, cost) = (count.to_string(), costs.to_string());
    Ok(table.end(&[
        ("sum_rule", SUM_RULE),
        ("period", &period.to_string()),
        ("calls", &count),
        ("cost", &cost),
        ("month_cost", began),
    ])?)
}

fn write_totals(store: &dyn Store, period: Period, body: &mut stream::Writer) -> Result<(), Broken> {
    let mut table = Table::<Totals>::begin(body)?;
    let (mut count, mut costs, mut amounts, mut after) = (0, Costs::default(), Costs::default(), None);
    loop {
        let page = periods::page(store, period, after.as_deref(), ACCOUNTS)?;
        for (account, lines) in &page {
            for line in lines {
                count += line.usage.calls;
                costs.add(line.currency, line.usage.cost, line.decimals);
                amounts.add_amount(line);
                table.push(&(account, line))?;
            }
        }
        if page.len() < ACCOUNTS {
            break;
        }
        after = page.into_iter().next_back().map(|(account, _)| account);
    }
    let (count, cost, amount) = (count.to_string(), costs.to_string(), amounts.to_string());
    Ok(table.end(&[
        ("sum_rule", SUM_RULE),
        ("amount_rule", AMOUNT_RULE),
        ("period", &period.to_string()),
        ("calls", &count),
        ("cost", &cost),
        ("amount", &amount),
    ])?)
}

/// Rated legs.
enum Calls {}

/// A leg and the name of its account.
struct Leg<'a> {
    of: &'a StoredCall<'a>,
    account: &'a str,
}

impl Rows for Calls {
    type Row<'a> = Leg<'a>;
    const CONTENT: &'static str = "calls";
    const COLUMNS: &'static [Column<Calls>] = &[
        ("account", Text(|row| row.account.into())),
        ("node", Text(|row| text(row.of.node).into())),
        ("id", Text(|row| text(row.of.id).into())),
        ("direction", Text(|row| row.of.call.key.leg.name().into())),
        ("source", Text(|row| number(row.of.call.source, row.of.source_dialled).into())),
        ("destination", Text(|row| number(row.of.call.destination, row.of.destination_dialled).into())),
        ("dialled", Text(|row| text(row.of.destination_dialled).into())),
        ("setup", MaybeInstant(|row| row.of.start)),
        ("start", Instant(|row| row.of.call.answer)),
        ("end", Instant(|row| Timestamp(row.of.call.answer.0.saturating_add(row.of.call.duration.0)))),
        ("duration", Millionths(|row| row.of.call.duration.0)),
        ("call_type", Text(|row| row.of.call.call_type.name().into())),
        ("billable_seconds", Count(|row| row.of.call.billable_seconds.into())),
        ("billable_minutes", Millionths(|row| millionths(row.of.call.billable_seconds.into()))),
        ("included_seconds", Count(|row| row.of.call.included_seconds.into())),
        ("overage_seconds", Count(|row| row.of.call.overage_seconds().into())),
        ("rate", Nanos(|row| nanos(row.of.call.basis.price.rate))),
        ("connect_fee", Nanos(|row| nanos(row.of.call.basis.price.connect_fee))),
        ("cost", Nanos(|row| nanos(row.of.call.cost))),
        ("currency", Text(|row| usage::text(&row.of.call.basis.currency).into())),
        ("period", Text(|row| row.of.call.period.to_string().into())),
        ("adjusts", MaybeText(|row| row.of.call.adjusts.map(|own| own.to_string()))),
        ("rule", Text(|row| format!("R{}", row.of.call.basis.rule).into())),
        ("plan", Text(|row| row.of.text.plan.as_str().into())),
        ("deck", Text(|row| row.of.text.deck.as_str().into())),
        ("prefix", Text(|row| row.of.text.prefix.as_str().into())),
        ("destination_name", Text(|row| row.of.text.destination.as_str().into())),
        ("steps_mode", Text(|row| row.of.call.basis.steps.mode.name().into())),
        ("steps_initial", Count(|row| row.of.call.basis.steps.initial.into())),
        ("steps_increment", Count(|row| row.of.call.basis.steps.increment.into())),
        ("steps_minimum", Count(|row| row.of.call.basis.steps.minimum.into())),
        ("steps_free_below", Millionths(|row| row.of.call.basis.steps.free_below.0)),
        ("tariff", Text(|row| format!("blake3:{}", row.of.text.tariff).into())),
        ("revision", Count(|row| row.of.revision.into())),
    ];
}

/// Totals by account, call type and currency.
enum Totals {}

impl Rows for Totals {
    type Row<'a> = (&'a String, &'a UsageLine);
    const CONTENT: &'static str = "totals";
    const COLUMNS: &'static [Column<Totals>] = &[
        ("account", Text(|row| row.0.as_str().into())),
        ("call_type", Text(|row| row.1.call_type.name().into())),
        ("calls", Count(|row| row.1.usage.calls)),
        // As in JSON: a month of talk time of one account is far below 292,000 years.
        ("seconds", Millionths(|row| row.1.usage.talk as i64)),
        ("billable_seconds", Count(|row| row.1.usage.billable_seconds)),
        ("billable_minutes", Millionths(|row| millionths(row.1.usage.billable_seconds))),
        ("currency", Text(|row| usage::text(&row.1.currency).into())),
        ("cost", Nanos(|row| row.1.usage.cost)),
        ("amount", Nanos(|row| usage::amount(row.1).0)),
    ];
}

fn nanos(money: Money) -> i128 {
    money.0.into()
}
