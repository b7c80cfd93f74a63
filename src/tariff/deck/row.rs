//! One row of a deck: cells → terms, prefixes, destination.
//!
//! Does not know other rows.

use super::{BLOCKED, DESTINATION_MAX, RATE_WARN, Reader, Terms};
use crate::call::{StepMode, StepRule};
use crate::money::{Money, Price};
use crate::number::Number;
use crate::tariff::csv::Field;
use crate::tariff::findings::{Findings, Place};
use crate::tariff::{cells, prefixes};
use crate::time::Timestamp;
/// One row being read.
pub(super) struct Row<'r, 'a, 'f, 'x> {
    pub reader: &'r mut Reader<'a>,
    pub fields: &'f [Field<'x>],
    pub findings: &'r mut Findings,
    pub failed: bool,
}

impl<'f, 'x> Row<'_, '_, 'f, 'x> {
    /// A cell that holds something.
    fn cell(&self, column: &'static str) -> Option<&'f Field<'x>> {
        let field = self.fields.get(*self.reader.columns.at.get(column)?)?;
        (!field.text.is_empty()).then_some(field)
    }

    /// Reads a cell, if it holds something, with a reader that says what is wrong.
    fn read<T>(
        &mut self,
        column: &'static str,
        read: impl FnOnce(&mut Self, &str) -> Result<T, (String, String)>,
    ) -> Option<T> {
        let field = self.cell(column)?;
        match read(self, &field.text) {
            Ok(value) => Some(value),
            Err((message, hint)) => {
                self.fail(Some(field), format!("{column}: {message}"), hint);
                None
            }
        }
    }

    fn fail(&mut self, field: Option<&Field<'_>>, message: impl Into<String>, hint: impl Into<String>) {
        let field = field.or(self.fields.first());
        let place = field.map_or(Place::default(), |f| f.place(self.reader.text));
        self.findings.error(place, message, hint);
        self.failed = true;
    }

    fn amount(&mut self, column: &'static str) -> Option<Money> {
        let field = self.cell(column)?;
        let place = field.place(self.reader.text);
        self.read(column, |row, text| row.reader.style.amount(text, field.quoted, place))
    }

    pub fn terms(&mut self) -> Option<Terms> {
        for column in ["days", "hours"] {
            if let Some(field) = self.cell(column) {
                self.fail(Some(field), format!("{column}: time bands are not yet supported"), "leave the column empty");
            }
        }
        let blocked = self.read(BLOCKED, |_, text| cells::flag(text)).unwrap_or(false);
        let call_type = self.read("call_type", |_, text| cells::call_type(text));
        let rate = self.amount("rate");
        if rate.is_none() && self.cell("rate").is_none() && !blocked {
            self.fail(
                None,
                "rate: empty",
                "0 is a price and must be written; a forbidden destination has blocked = true",
            );
        }
        if let (Some(rate), Some(field)) = (rate, self.cell("rate"))
            && rate > RATE_WARN
        {
            let place = field.place(self.reader.text);
            self.findings.warn(place, format!("rate {rate} per minute"), "has the decimal point been lost?");
        }
        let price = Price {
            rate: rate.unwrap_or(Money::ZERO),
            connect_fee: self.amount("connect_fee").unwrap_or(Money::ZERO),
            minimum_cost: self.amount("minimum_cost"),
            maximum_cost: self.amount("maximum_cost"),
        };
        if price.minimum_cost.zip(price.maximum_cost).is_some_and(|(least, most)| least > most) {
            self.fail(self.cell("minimum_cost"), "minimum_cost is larger than maximum_cost", "exchange them");
        }
        let steps = self.steps();
        let (valid_from, valid_to) = (self.date("valid_from"), self.date("valid_to"));
        if valid_from.zip(valid_to).is_some_and(|(from, to)| to <= from) {
            self.fail(
                self.cell("valid_to"),
                "valid_to: the row ends before it begins",
                "valid_to is the first instant at which it no longer holds",
            );
        }
        Some(Terms { call_type, price, steps, blocked, valid_from, valid_to })
    }

    fn steps(&mut self) -> Option<StepRule> {
        let increment = self.read("increment", |_, text| cells::increment(text));
        let initial = self.read("initial", |_, text| cells::seconds(text));
        let minimum = self.read("minimum", |_, text| cells::seconds(text));
        let mode = self.read("mode", |_, text| cells::mode(text));
        let free_below = self.read("free_below", |_, text| cells::fine_seconds(text));
        let Some((initial_too, increment)) = increment else {
            if self.cell("increment").is_none()
                && let Some(column) =
                    ["initial", "minimum", "mode", "free_below"].into_iter().find(|c| self.cell(c).is_some())
            {
                let hint =
                    "steps in a row are whole and inherit nothing: give the increment, or leave all of them empty";
                self.fail(self.cell(column), format!("{column} without increment"), hint);
            }
            return None;
        };
        if initial.is_some() && initial_too.is_some() {
            self.fail(
                self.cell("initial"),
                "initial stands in two columns",
                "write 60/60 in increment, or initial and increment apart",
            );
        }
        let rule = StepRule {
            mode: mode.unwrap_or(StepMode::Up),
            initial: initial.or(initial_too).unwrap_or(increment),
            increment,
            minimum: minimum.unwrap_or(0),
            free_below: free_below.unwrap_or_default(),
        };
        if let Err(bad) = rule.check() {
            self.fail(
                self.cell("increment"),
                bad.to_string(),
                "seconds; 60/6 means a first block of 60 and further ones of 6",
            );
        }
        Some(rule)
    }

    fn date(&mut self, column: &'static str) -> Option<Timestamp> {
        let field = self.cell(column)?;
        if let Some(known) = self.reader.dates.get(field.text.as_ref()) {
            return Some(*known);
        }
        let read = self.read(column, |row, text| cells::date(text, row.reader.zone))?;
        self.reader.dates.insert(field.text.to_string(), read);
        Some(read)
    }

    pub fn prefixes(&mut self) -> Option<Vec<Number>> {
        let Some(field) = self.cell("prefix") else {
            self.fail(None, "prefix: empty", "every row needs one");
            return None;
        };
        let read = self.read("prefix", |row, text| prefixes::read(text, row.reader.short_codes))?;
        if let Some(suspicious) = read.iter().find(|n| prefixes::looks_rounded(**n)) {
            let place = field.place(self.reader.text);
            self.findings.warn(
                place,
                format!("prefix {suspicious} looks like a number a spreadsheet has rounded"),
                "check it against the original",
            );
        }
        Some(read)
    }

    pub fn name(&mut self) -> &'f str {
        let Some(field) = self.cell("destination") else { return "" };
        if field.text.len() > DESTINATION_MAX {
            self.fail(Some(field), format!("destination: longer than {DESTINATION_MAX} bytes"), "is a quote missing?");
        }
        &field.text
    }
}
