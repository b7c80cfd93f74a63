//! The codes of a row: whole, or a country's and an area's in two columns.
//!
//! Does not know how one code is written.

use super::{Bad, Row, codes};
use crate::number::Number;
use crate::tariff::supplier::header::Role;

impl Row<'_> {
    pub(super) fn prefixes(&self) -> Result<Vec<Number>, (usize, Bad)> {
        let style = codes::Style { international: &self.style.international };
        let both = self.column(Role::CallingCode).is_some();
        let country = self.cell(Role::CallingCode).trim_start_matches(['+', '0']).trim();
        let role = if self.column(Role::Area).is_some() && both { Role::Area } else { Role::Prefix };
        let place = self.column(role).or(self.column(Role::CallingCode)).unwrap_or(0);
        let code = self.cell(role);
        if !both && let Some(place) = self.column(Role::Area) {
            self.one_code(place, code)?;
        }
        let read = match (both && (role == Role::Area || self.column(Role::Prefix).is_none()), code) {
            (true, "") => codes::read(country, None, &style),
            (true, code) if !country.is_empty() => codes::read(code, Some(country), &style),
            _ => codes::read(code, None, &style),
        };
        read.map_err(|(message, hint)| (place, (format!("code: {message}"), hint)))
    }

    /// A column of codes with one of area codes beside it: whole codes, or what stands before those? The one is told by their
    /// ends; the other would give a country the price of an area.
    fn one_code(&self, place: usize, code: &str) -> Result<(), (usize, Bad)> {
        let digits = |cell: &str| cell.chars().filter(char::is_ascii_digit).collect::<String>();
        let area = self.cell(Role::Area);
        if digits(code).ends_with(digits(area).trim_start_matches('0')) {
            return Ok(());
        }
        let heading = |role| {
            let column = self.column(role).and_then(|at| self.supplied.header.columns.get(at));
            column.map_or("", |column| column.heading.trim())
        };
        let (whole, apart) = (heading(Role::Prefix), heading(Role::Area));
        let message = format!("code: {code:?} may be a whole code, or what stands before {area:?}");
        Err((
            place,
            (
                message,
                format!(
                    "columns.calling_code = {whole:?} puts one before the other, ignore = [{apart:?}] leaves it out"
                ),
            ),
        ))
    }
}
