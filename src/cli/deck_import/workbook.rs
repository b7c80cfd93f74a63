//! Workbooks (.xlsx, .xls, .ods) as tables of text.
//!
//! A workbook's numbers are binary: they are written with the fifteen digits that a spreadsheet has, so that 0.1 + 0.2
//! comes out as 0.3, and whole numbers without a point. Days come out as 2026-10-01.
//!
//! Does not know what the cells mean.

use crate::tariff::supplier::table::Table;

/// Reads a sheet: the one that is named, or the first that holds anything. Its name and the others' come with it.
#[cfg(feature = "xlsx")]
pub(super) fn read(bytes: Vec<u8>, sheet: Option<&str>) -> Result<(Table, String, Vec<String>), String> {
    use calamine::{Reader, open_workbook_auto_from_rs};

    let bytes = bytes::Bytes::from(bytes);
    let mut book =
        open_workbook_auto_from_rs(std::io::Cursor::new(bytes)).map_err(|e| format!("not a workbook: {e}"))?;
    let names = book.sheet_names();
    if let Some(sheet) = sheet
        && !names.iter().any(|n| n == sheet)
    {
        return Err(format!("there is no sheet {sheet:?}; there are {}", names.join(", ")));
    }
    for name in names.iter().filter(|n| sheet.is_none_or(|s| s == n.as_str())) {
        let range = book.worksheet_range(name).map_err(|e| format!("sheet {name:?}: {e}"))?;
        let Some((first, _)) = range.start() else { continue };
        let mut table = Table::default();
        for (i, row) in range.rows().enumerate() {
            let cells: Vec<String> = row.iter().map(text).collect();
            if cells.iter().all(String::is_empty) {
                continue;
            }
            let line = u32::try_from(i).unwrap_or(u32::MAX).saturating_add(first).saturating_add(1);
            if !table.push(line, cells.iter().map(String::as_str)) {
                return Err(format!("sheet {name:?} holds more than a gibibyte of text"));
            }
        }
        let others = names.iter().filter(|n| *n != name).cloned().collect();
        return Ok((table, name.clone(), others));
    }
    Err("no sheet holds anything".to_owned())
}

/// Without calamine there is no way to read one.
#[cfg(not(feature = "xlsx"))]
pub(super) fn read(_: Vec<u8>, _: Option<&str>) -> Result<(Table, String, Vec<String>), String> {
    Err("this callrated was built without workbooks: save the sheet as CSV UTF-8".to_owned())
}

#[cfg(feature = "xlsx")]
fn text(cell: &calamine::Data) -> String {
    use calamine::Data;
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.trim().to_owned(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => decimal(*number),
        Data::Bool(yes) => yes.to_string(),
        Data::DateTime(at) => {
            let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
            let time = if (hour, minute, second) == (0, 0, 0) {
                String::new()
            } else {
                format!(" {hour:02}:{minute:02}:{second:02}")
            };
            format!("{year:04}-{month:02}-{day:02}{time}")
        }
        Data::Error(error) => format!("{error:?}"),
    }
}

/// With at most fifteen digits, which is what a spreadsheet keeps and shows.
#[cfg(feature = "xlsx")]
fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return "not a number".to_owned();
    }
    // One digit before the point, fourteen behind; then read again for the plain form.
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    format!("{rounded}")
}

#[cfg(all(test, feature = "xlsx"))]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_a_spreadsheet_shows() {
        for (number, expected) in [
            (0.1 + 0.2, "0.3"),
            (0.0125, "0.0125"),
            (4930.0, "4930"),
            (4.95e12, "4950000000000"),
            (0.000_000_1, "0.0000001"),
            (f64::NAN, "not a number"),
        ] {
            assert_eq!(decimal(number), expected);
        }
    }

    #[test]
    fn what_is_no_workbook_is_refused() {
        assert!(read(b"PK\x03\x04 and nothing behind it".to_vec(), None).unwrap_err().contains("not a workbook"));
    }
}
