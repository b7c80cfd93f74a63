//! Minimum spends in answers (R26): what a month bills beside calls.
//!
//! Of a sealed month it is what was sealed; of an open one what it would be by now.
//!
//! Does not know how a minimum comes about.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::details::Language;
use super::usage::{self, CostIn, text};
use super::{App, Problem};
use crate::money::{Sum, minor_unit};
use crate::period::Preview;
use crate::road::UsageLine;
use crate::store::{MinimumRow, MinimumsOf};
use crate::time::Period;

/// What calls are called in lists that have a line for each call type.
pub(super) const CALL_TYPE: &str = "minimum_spend";

/// What a month bills of a minimum spend.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "period": "2026-10", "currency": "EUR", "minimum": "20.00", "charged": "3.1000", "cost": "16.9000", "amount": "16.90",
    "text": "Minimum spend of 20.00 EUR, 3.1000 EUR of it in calls",
}))]
pub(super) struct MinimumBilled {
    /// Whose minimum it is: that of the month itself, or of an earlier, sealed one whose calls this month bills.
    period: String,
    /// ISO 4217.
    currency: String,
    /// What the account is to spend at least in that month.
    minimum: String,
    /// What its calls of that month come to, as far as they are billed by now. While a month is open, calls of earlier ones that
    /// come late count once they are stored.
    charged: String,
    /// What this month bills beside calls: what is short; below zero where it gives back what an earlier month billed. Exact.
    cost: String,
    /// The same as a line of an invoice: rounded to the minor unit of the currency, so that an invoice of rounded lines comes to
    /// what its exact sum comes to, rounded once.
    amount: String,
    /// The same in words, in the account's language.
    text: String,
}

/// What a month bills an account beside its calls, in the order in which it is shown.
pub(super) async fn of_account(
    app: &App,
    account: &str,
    period: Period,
    sealed: bool,
    lines: &[UsageLine],
) -> Result<Vec<MinimumRow>, Problem> {
    let (tariff, directory) = app.in_force()?;
    let asks = tariff.plans().iter().any(|plan| plan.minimum_spend.is_some());
    let mut all: Vec<([u8; 3], i128, u8)> = Vec::new();
    for line in lines {
        match all.iter_mut().find(|(currency, ..)| *currency == line.currency) {
            Some((_, cost, decimals)) => (*cost, *decimals) = (*cost + line.usage.cost, line.decimals.max(*decimals)),
            None => all.push((line.currency, line.usage.cost, line.decimals)),
        }
    }
    let account = account.to_owned();
    app.stored(move |store| {
        let key = store.account_named(&account)?;
        match (key, directory.first_row(account.as_bytes())) {
            (Some(key), _) if sealed => store.minimums(MinimumsOf::Account(key, period)),
            (_, row) if !sealed && (asks || key.is_some()) => {
                let preview = Preview { store, directory: &directory, tariff: &tariff };
                preview.of(row.as_ref(), key, period, &all)
            }
            _ => Ok(Vec::new()),
        }
    })
    .await
}

/// As it is shown.
pub(super) fn shown(lines: &[UsageLine], rows: &[MinimumRow], language: Language) -> Vec<MinimumBilled> {
    let shown = |row: &MinimumRow| {
        let (currency, decimals) = (text(&row.currency), u32::from(row.decimals));
        let minimum = row.minimum.fixed(minor_unit(row.currency));
        let charged = Sum(row.charged).fixed(decimals);
        let words = match row.own == row.period {
            true => language
                .of([
                    "Minimum spend of {minimum} {currency}, {charged} {currency} of it in calls",
                    "Mindestumsatz von {minimum} {currency}, davon {charged} {currency} durch Gespräche",
                    "Spesa minima di {minimum} {currency}, di cui {charged} {currency} in chiamate",
                ])
                .to_owned(),
            false => language
                .of([
                    "Minimum spend of {month}: calls of that month now come to {charged} {currency} of {minimum} {currency}",
                    "Mindestumsatz {month}: Gespräche dieses Monats ergeben nun {charged} {currency} von {minimum} {currency}",
                    "Spesa minima {month}: le chiamate di quel mese ammontano ora a {charged} {currency} su {minimum} {currency}",
                ])
                .replace("{month}", &row.own.to_string()),
        };
        MinimumBilled {
            period: row.own.to_string(),
            cost: Sum(row.cost).fixed(decimals),
            amount: amount(row, lines).fixed(minor_unit(row.currency)),
            text: words.replace("{minimum}", &minimum).replace("{charged}", &charged).replace("{currency}", &currency),
            currency,
            minimum,
            charged,
        }
    };
    rows.iter().map(shown).collect()
}

/// What the line says on an invoice. What is short of a month's own minimum takes up what the lines of calls were rounded by.
pub(super) fn amount(row: &MinimumRow, lines: &[UsageLine]) -> Sum {
    if row.own != row.period || row.cost <= 0 {
        return Sum(row.cost).in_minor_units(row.currency);
    }
    let (mut exact, mut amounts) = (row.cost, 0);
    for line in lines.iter().filter(|line| line.currency == row.currency) {
        exact += line.usage.cost;
        amounts += usage::amount(line).0;
    }
    Sum(Sum(exact).in_minor_units(row.currency).0 - amounts)
}

/// What lines and minimums come to, in the currencies of minimums.
pub(super) fn due(lines: &[UsageLine], rows: &[MinimumRow]) -> Vec<CostIn> {
    let mut sums: BTreeMap<[u8; 3], (i128, i128, u8)> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(row.currency).or_default();
        *sum = (sum.0 + row.cost, sum.1 + amount(row, lines).0, sum.2.max(row.decimals));
    }
    for line in lines {
        if let Some(sum) = sums.get_mut(&line.currency) {
            *sum = (sum.0 + line.usage.cost, sum.1 + usage::amount(line).0, sum.2.max(line.decimals));
        }
    }
    let shown = |(currency, (exact, amount, decimals)): ([u8; 3], (i128, i128, u8))| {
        let rounded = Sum(exact).in_minor_units(currency);
        CostIn {
            currency: text(&currency),
            cost: Sum(exact).fixed(decimals.into()),
            amount: Sum(amount).fixed(minor_unit(currency)),
            rounded_cost: (rounded.0 != amount).then(|| rounded.fixed(minor_unit(currency))),
        }
    };
    sums.into_iter().map(shown).collect()
}

/// What the line is called beside call types: `minimum_spend`, and of an earlier month `minimum_spend:2026-09`.
pub(super) fn called(row: &MinimumRow) -> String {
    if row.own == row.period { CALL_TYPE.to_owned() } else { format!("{CALL_TYPE}:{}", row.own) }
}
