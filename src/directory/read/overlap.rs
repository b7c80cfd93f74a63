//! Rows of one account that hold at the same time.
//!
//! Does not know how rows are read.

use super::{AccountRow, EVER};
use crate::directory::table::{Fault, Findings, Place, clip};
use crate::time::Timestamp;

pub(super) fn overlapping_accounts(rows: &[AccountRow], findings: &mut Findings) {
    for same in rows.chunk_by(|a, b| a.name == b.name) {
        let mut longest = &same[0];
        for row in same.iter().skip(1) {
            if row.from < longest.to {
                let (first, last) = (longest.line.min(row.line), longest.line.max(row.line));
                findings.error(
                    Place { line: last, column: 0 },
                    Fault::new(
                        format!(
                            "account {:?} has two rows {}: lines {first} and {last}",
                            clip(&row.name),
                            from_when(row.from)
                        ),
                        "give the earlier row the valid_to that is the later row's valid_from",
                    ),
                );
            }
            if row.to > longest.to {
                longest = row;
            }
        }
    }
}

fn from_when(from: i64) -> String {
    if from == EVER { "without valid_from".to_owned() } else { format!("valid at {}", Timestamp(from)) }
}
