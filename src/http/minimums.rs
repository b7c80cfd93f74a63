//! Minimum spends in answers (R26): what a month bills beside calls.
//!
//! Of a sealed month it is what was sealed; of an open one what it would be by now.
//!
//! Does not know how a minimum comes about.

use serde::Serialize;
use utoipa::ToSchema;

use super::amounts::{self, Cost, CostIn, Costs, text};
use super::details::Language;
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
        amounts += amounts::amount(line).0;
    }
    Sum(Sum(exact).in_minor_units(row.currency).0 - amounts)
}

/// What lines and minimums come to, in the currencies of minimums.
pub(super) fn due(lines: &[UsageLine], rows: &[MinimumRow]) -> Vec<CostIn> {
    let mut costs = Costs::default();
    for row in rows {
        costs.put(row.currency, row.decimals, row.cost, amount(row, lines));
    }
    for line in lines.iter().filter(|line| rows.iter().any(|row| row.currency == line.currency)) {
        costs.put(line.currency, line.decimals, line.usage.cost, amounts::amount(line));
    }
    costs.0.iter().map(Cost::shown).collect()
}

/// What the line is called beside call types: `minimum_spend`, and of an earlier month `minimum_spend:2026-09`.
pub(super) fn called(row: &MinimumRow) -> String {
    if row.own == row.period { CALL_TYPE.to_owned() } else { format!("{CALL_TYPE}:{}", row.own) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{AccountKey, CallType, GroupKey, Usage};
    use crate::money::Money;

    const OCTOBER: Period = Period(2026 * 12 + 9);

    fn line(call_type: CallType, currency: [u8; 3], cost: i128) -> UsageLine {
        UsageLine { call_type, currency, decimals: 4, usage: Usage { calls: 1, cost, ..Usage::default() } }
    }

    fn row(own: Period, currency: [u8; 3], charged: i128, cost: i128) -> MinimumRow {
        MinimumRow {
            period: OCTOBER,
            own,
            account: AccountKey(1),
            group: GroupKey(1),
            currency,
            decimals: 4,
            minimum: Money(20_000_000_000),
            charged,
            cost,
        }
    }

    /// Exact, as an invoice has it, and rounded once where that is another.
    type Due = (String, String, Option<String>);

    fn sums(lines: &[UsageLine], rows: &[MinimumRow]) -> (Vec<String>, Vec<Due>) {
        let amounts = shown(lines, rows, Language::En).into_iter().map(|one| one.amount);
        let due = due(lines, rows).into_iter().map(|sum| (sum.cost, sum.amount, sum.rounded_cost));
        (amounts.collect(), due.collect())
    }

    #[test]
    fn an_invoice_comes_to_the_minimum_however_its_lines_are_rounded() {
        use CallType::{DomesticPremium, International, Overage};
        let three = |cost| [Overage, DomesticPremium, International].map(|call_type| line(call_type, *b"EUR", cost));
        let of = |text: &[&str]| text.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        // Lines of 0.0050 say 0.01 each; 19.9850 are short, which takes up the 0.0150 that they say too much: 0.03 + 19.97.
        let short = row(OCTOBER, *b"EUR", 15_000_000, 19_985_000_000);
        let expected = (of(&["19.97"]), vec![("20.0000".to_owned(), "20.00".to_owned(), None)]);
        assert_eq!(sums(&three(5_000_000), &[short]), expected);
        // Lines of 0.0040 say nothing each; 19.9880 are short: 20.00.
        let short = row(OCTOBER, *b"EUR", 12_000_000, 19_988_000_000);
        let expected = (of(&["20.00"]), vec![("20.0000".to_owned(), "20.00".to_owned(), None)]);
        assert_eq!(sums(&three(4_000_000), &[short]), expected);
        // Nothing is short: the line says nothing, and the others say what they always said.
        let enough = row(OCTOBER, *b"EUR", 21_000_000_000, 0);
        let expected = (of(&["0.00"]), vec![("0.0150".to_owned(), "0.03".to_owned(), Some("0.02".to_owned()))]);
        assert_eq!(sums(&three(5_000_000), &[enough]), expected);
        // What is given back of an earlier month is rounded by itself; another currency is apart.
        let back = row(Period(OCTOBER.0 - 1), *b"EUR", 5_000_000_000, -1_245_000_000);
        let yen = row(OCTOBER, *b"JPY", 0, 20_000_000_000);
        let (amounts, due) = sums(&[line(Overage, *b"EUR", 1_245_000_000)], &[back, yen]);
        assert_eq!(amounts, of(&["-1.25", "20"]));
        assert_eq!(due[0], ("0.0000".to_owned(), "0.00".to_owned(), None));
        assert_eq!((due[1].0.as_str(), due[1].1.as_str()), ("20.0000", "20"));
    }

    #[test]
    fn a_line_says_whose_minimum_it_is() {
        let (own, earlier) =
            (row(OCTOBER, *b"EUR", 3_100_000_000, 16_900_000_000), row(Period(OCTOBER.0 - 1), *b"EUR", 0, 0));
        assert_eq!((called(&own).as_str(), called(&earlier).as_str()), ("minimum_spend", "minimum_spend:2026-09"));
        for (language, words) in [
            (Language::En, "Minimum spend of 20.00 EUR, 3.1000 EUR of it in calls"),
            (Language::De, "Mindestumsatz von 20.00 EUR, davon 3.1000 EUR durch Gespräche"),
            (Language::It, "Spesa minima di 20.00 EUR, di cui 3.1000 EUR in chiamate"),
        ] {
            assert_eq!(shown(&[], &[own], language)[0].text, words);
            assert!(shown(&[], &[earlier], language)[0].text.contains("2026-09"));
        }
    }
}
