//! Standard output for people and for pipes: tables, colours only on a terminal, and no fault when a pipe is closed early.
//!
//! Does not know what is printed.

use std::io::{IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use crate::exit::Exit;

/// Writes to standard output. A reader that went away (`| head`) is a quiet end.
pub(super) fn write(bytes: &[u8]) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| failed(&e))
}

/// A text and a line's end.
pub(super) fn line(text: &str) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(|e| failed(&e))
}

/// A JSON value on a line of its own.
pub(super) fn json(value: &serde_json::Value) -> Result<(), Exit> {
    line(&value.to_string())
}

/// Why standard output gave out.
pub(super) fn failed(error: &std::io::Error) -> Exit {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return Exit { code: 0, message: String::new() };
    }
    Exit::environment(format!("standard output cannot be written: {error}"))
}

/// Whether people look at standard output.
pub(super) fn on_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether people look at standard error.
pub(super) fn errors_on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Colours of severities and headings.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    Red,
    Yellow,
    Bold,
}

/// The text in a colour, where people look and did not forbid it (<https://no-color.org>).
pub(super) fn paint(text: &str, how: Paint) -> String {
    if !on_terminal() || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) {
        return text.to_owned();
    }
    let code = match how {
        Paint::Red => "31;1",
        Paint::Yellow => "33;1",
        Paint::Bold => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// One line under the headings and nothing else: easy on the eye, and on whoever cuts columns out of it.
const RULE_UNDER_HEADING: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with headings; those columns are right-aligned that hold numbers.
pub(super) fn table(headings: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(RULE_UNDER_HEADING).set_content_arrangement(if on_terminal() {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    });
    table.set_header(headings);
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A number with separators in groups of three: `12 345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit that reads best.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < units.len() {
        (whole, rest, unit) = (whole / 1024, whole % 1024, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{whole}.{} {}", rest * 10 / 1024, units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_people() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(grouped(number), shown);
        }
        for (bytes, shown) in [(5, "5 B"), (1536, "1.5 KiB"), (10 << 20, "10.0 MiB")] {
            assert_eq!(size(bytes), shown);
        }
    }
}
