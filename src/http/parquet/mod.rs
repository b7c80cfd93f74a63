//! Calls and totals of a month as Parquet.
//!
//! Columns are named as in NDJSON; the parts of `steps` stand as `steps_mode` and so on, for readers without nested columns, and
//! the parts of `exchange`, by which a rate in another currency became a cost, beside it.
//!
//! Does not know how a file is laid out, nor who asked.

use std::borrow::Cow;
use std::io;

use ::parquet::errors::ParquetError;

use super::details::{number, text};
use super::export::{self, Costs};
use super::{minimums, periods, stream, usage};
use crate::call::Usage;
use crate::money::{Money, minor_unit};
use crate::rating::billable_millionths as millionths;
use crate::store::{Store, StoreError, StoredCall, Visit};
use crate::time::{Period, Timestamp};

mod table;

use table::Take::{Count, Instant, MaybeInstant, MaybeNanos, MaybeText, Millionths, Nanos, Text};
use table::{Column, Rows, Table};

/// Accounts read at a time: a slow client keeps no transaction of the store open.
const ACCOUNTS: usize = 1000;
/// How the column of costs comes to its sum.
const SUM_RULE: &str = "every call is rounded once, to its plan's decimals, when it is rated (R18); by currency, the column cost \
    adds up to callrated.cost to the digit, and nothing is rounded again";
/// How the column of amounts comes to its sum.
const AMOUNT_RULE: &str = "every row's cost is rounded once more, to the minor unit of its currency (ISO 4217), halves away \
    from zero; callrated.amount is the sum of the rounded rows";

/// What rows of minimum spends are.
const MINIMUM_RULE: &str = "rows of call type minimum_spend count no calls: they bill what the calls of a sealed month are short of \
    its plan's minimum (R26), behind a colon that of an earlier month; callrated.cost less callrated.minimum_spend_cost is what \
    calls cost; such a row's amount takes up what the account's other rows were rounded by";

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
    let mut least = Costs::default();
    loop {
        let page = periods::page(store, period, after.as_deref(), ACCOUNTS)?;
        for of in &page {
            let account = of.name.as_str();
            for line in &of.lines {
                count += line.usage.calls;
                costs.add(line.currency, line.usage.cost, line.decimals);
                amounts.add_amount(line);
                let (currency, amount) = (line.currency, usage::amount(line).0);
                let call_type = line.call_type.name().into();
                table.push(&Total { account, call_type, usage: line.usage, currency, amount })?;
            }
            for row in &of.minimums {
                let (currency, amount) = (row.currency, minimums::amount(row, &of.lines).0);
                costs.add(currency, row.cost, row.decimals);
                amounts.add(currency, amount, minor_unit(currency) as u8);
                least.add(currency, row.cost, row.decimals);
                let usage = Usage { cost: row.cost, ..Usage::default() };
                table.push(&Total { account, call_type: minimums::called(row).into(), usage, currency, amount })?;
            }
        }
        if page.len() < ACCOUNTS {
            break;
        }
        after = page.into_iter().next_back().map(|of| of.name);
    }
    let (count, cost, amount) = (count.to_string(), costs.to_string(), amounts.to_string());
    let least = least.to_string();
    Ok(table.end(&[
        ("sum_rule", SUM_RULE),
        ("amount_rule", AMOUNT_RULE),
        ("period", &period.to_string()),
        ("calls", &count),
        ("cost", &cost),
        ("minimum_spend_cost", &least),
        ("minimum_spend_rule", MINIMUM_RULE),
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
        ("duration", Millionths(|row| row.of.call.duration.0 * row.of.call.sign())),
        ("call_type", Text(|row| row.of.call.call_type.name().into())),
        ("billable_seconds", Count(|row| i64::from(row.of.call.billable_seconds) * row.of.call.sign())),
        (
            "billable_minutes",
            Millionths(|row| millionths(i64::from(row.of.call.billable_seconds) * row.of.call.sign())),
        ),
        ("included_seconds", Count(|row| row.of.call.drawn())),
        ("overage_seconds", Count(|row| i64::from(row.of.call.overage_seconds()) * row.of.call.sign())),
        ("rate", Nanos(|row| nanos(row.of.call.basis.price.rate))),
        ("exchange", MaybeText(|row| row.of.call.basis.exchange_words())),
        ("exchange_from", MaybeText(|row| row.of.call.basis.exchange.map(|exchange| usage::text(&exchange.from)))),
        ("exchange_rate", MaybeNanos(|row| row.of.call.basis.exchange.map(|exchange| nanos(exchange.rate)))),
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
        ("run", MaybeText(|row| row.of.run.map(|run| run.to_string()))),
    ];
}

/// Totals by account, call type and currency.
enum Totals {}

/// A line of them.
struct Total<'a> {
    account: &'a str,
    call_type: Cow<'static, str>,
    usage: Usage,
    currency: [u8; 3],
    amount: i128,
}

impl Rows for Totals {
    type Row<'a> = Total<'a>;
    const CONTENT: &'static str = "totals";
    const COLUMNS: &'static [Column<Totals>] = &[
        ("account", Text(|row| row.account.into())),
        ("call_type", Text(|row| row.call_type.as_ref().into())),
        ("calls", Count(|row| row.usage.calls)),
        // As in JSON: a month of talk time of one account is far below 292,000 years.
        ("seconds", Millionths(|row| row.usage.talk as i64)),
        ("billable_seconds", Count(|row| row.usage.billable_seconds)),
        ("billable_minutes", Millionths(|row| millionths(row.usage.billable_seconds))),
        ("currency", Text(|row| usage::text(&row.currency).into())),
        ("cost", Nanos(|row| row.usage.cost)),
        ("amount", Nanos(|row| row.amount)),
    ];
}

fn nanos(money: Money) -> i128 {
    money.0.into()
}
