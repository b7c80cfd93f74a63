//! One row of a deck: cells → terms, prefixes, destination.
//!
//! Does not know other rows.

use super::{BLOCKED, DESTINATION_MAX, RATE_WARN, Reader, Terms};
use crate::call::{StepMode, StepRule};
use crate::money::{Money, Price};
use crate::number::Number;
use crate::tariff::bands::Band;
use crate::tariff::condition::{ANONYMOUS, Condition, Jurisdiction, Origin};
use crate::tariff::csv::Field;
use crate::tariff::findings::{Findings, Place};
use crate::tariff::{cells, prefixes};
use crate::time::Timestamp;

/// What only the row has with which a call begins: in later ones of a chain it would say two things.
const FIRST_ONLY: [&str; 10] = [
    "connect_fee",
    "per_call",
    "minimum_cost",
    "maximum_cost",
    "increment",
    "initial",
    "minimum",
    "mode",
    "call_type",
    "blocked",
];

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

    /// What the row says, once for each origin and jurisdiction that it prices.
    pub fn terms(&mut self) -> Vec<Terms> {
        let asks = self.reader.columns.asks;
        let (condition, origins) =
            if asks { (self.condition(), self.origins()) } else { (Condition::default(), vec![None]) };
        let blocked = self.read(BLOCKED, |_, text| cells::flag(text)).unwrap_or(false);
        let call_type = self.read("call_type", |_, text| cells::call_type(text));
        let rates = ["rate", "rate_interstate", "rate_intrastate"].map(|column| self.rate(column));
        let per_call = self.amount("per_call");
        let connect_fee = self.amount("connect_fee");
        let priced = ["rate", "per_call", "rate_interstate", "rate_intrastate"];
        if !blocked && priced.iter().all(|column| self.cell(column).is_none()) {
            self.fail(
                None,
                "rate: empty",
                "0 is a price and must be written; a forbidden destination has blocked = true",
            );
        }
        if self.cell("per_call").is_some()
            && let Some(column) = ["rate", "rate_interstate", "rate_intrastate", "connect_fee"]
                .into_iter()
                .find(|column| self.cell(column).is_some())
        {
            let hint = "a call at a price of its own has no other; a fee and a rate are connect_fee and rate";
            self.fail(self.cell("per_call"), format!("per_call beside {column}"), hint);
        }
        let price = Price {
            rate: Money::ZERO,
            connect_fee: per_call.or(connect_fee).unwrap_or(Money::ZERO),
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
        let mut terms = Vec::with_capacity(1);
        for (rate, of) in rates.into_iter().zip([None, Some(Jurisdiction::Interstate), Some(Jurisdiction::Intrastate)])
        {
            // Without any rate (a blocked row, a price per call) there is one row all the same.
            if rate.is_none() && (of.is_some() || rates.iter().any(Option::is_some)) {
                continue;
            }
            let price = Price { rate: rate.unwrap_or(Money::ZERO), ..price };
            for origin in &origins {
                let jurisdiction = of.or(condition.jurisdiction);
                let condition = self.condition_id(Condition { origin: *origin, jurisdiction, ..condition });
                terms.push(Terms { call_type, price, steps, blocked, valid_from, valid_to, condition });
            }
        }
        terms
    }

    /// A rate per minute; one that is far above any honest one is told.
    fn rate(&mut self, column: &'static str) -> Option<Money> {
        let rate = self.amount(column)?;
        if rate > RATE_WARN
            && let Some(field) = self.cell(column)
        {
            let place = field.place(self.reader.text);
            self.findings.warn(place, format!("{column} {rate} per minute"), "has the decimal point been lost?");
        }
        Some(rate)
    }

    /// What the row asks of a call besides its number.
    fn condition(&mut self) -> Condition {
        let [days, hours] = ["days", "hours"].map(|column| self.cell(column).map_or("", |field| field.text.as_ref()));
        let mut condition = Condition::default();
        if !(days.is_empty() && hours.is_empty()) {
            match Band::read(days, hours) {
                Ok(band) if band.words() == "always" => {}
                Ok(band) => condition.band = Some(band),
                Err((column, (message, hint))) => self.fail(self.cell(column), format!("{column}: {message}"), hint),
            }
        }
        condition.lengths = self.read("length", |_, text| cells::lengths(text));
        condition.after = self.read("after", |_, text| cells::seconds(text)).unwrap_or(0);
        condition.jurisdiction = self.read("jurisdiction", |_, text| cells::jurisdiction(text));
        if condition.jurisdiction.is_some()
            && let Some(column) =
                ["rate_interstate", "rate_intrastate"].into_iter().find(|column| self.cell(column).is_some())
        {
            self.fail(self.cell(column), format!("{column} beside jurisdiction"), "leave one of the two out");
        }
        if condition.after > 0
            && let Some(column) = FIRST_ONLY.into_iter().find(|column| self.cell(column).is_some())
        {
            let hint = "fee, caps, steps, type and block of a call are those of the row it begins with";
            self.fail(self.cell(column), format!("{column} in a row with after"), hint);
        }
        condition
    }

    /// The origins of a row; one that is none where it names none.
    fn origins(&mut self) -> Vec<Option<Origin>> {
        let read = self.read("origin", |_, text| {
            if text.eq_ignore_ascii_case(ANONYMOUS) {
                return Ok(vec![Some(Origin::Anonymous)]);
            }
            let prefixes = prefixes::read(text, &|_, _| None)?;
            Ok(prefixes.into_iter().map(|prefix| Some(Origin::Prefix(prefix))).collect())
        });
        read.unwrap_or_else(|| vec![None])
    }

    fn condition_id(&mut self, condition: Condition) -> u32 {
        if condition.is_empty() {
            return 0;
        }
        super::intern(&mut self.reader.condition_ids, &mut self.reader.deck.conditions, condition) + 1
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
        // Their keys begin with 0, prefixes never do.
        if self.cell("length").is_some() && read.iter().any(|prefix| prefix.digit(0) == Some(0)) {
            self.fail(self.cell("length"), "length: a short code has no other than its own", "leave it empty");
        }
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
