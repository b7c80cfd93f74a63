//! Collects what is noticed while reading: places, reasons, hints, and a cap on how many.
//!
//! Does not know what is read.

use super::{Finding, Severity};

/// Findings of one severity named for one file; the rest are counted. Enough to mend a file by, and still readable.
pub const FINDINGS_MAX: usize = 1000;

/// Where in a file: line and column, 1-based; 0 where the whole file is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// Line, 1-based; 0: the whole file.
    pub line: u32,
    /// Characters from the beginning of the line, 1-based; 0: the whole line.
    pub column: u32,
}

/// What was noticed in one file.
#[derive(Debug)]
pub struct Findings {
    file: String,
    list: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

impl Findings {
    /// Nothing noticed yet in `file`, a path inside the rates folder.
    pub fn new(file: impl Into<String>) -> Findings {
        Findings { file: file.into(), list: Vec::new(), errors: 0, warnings: 0 }
    }

    /// Something that refuses the file.
    pub fn error(&mut self, at: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.errors += 1;
        self.push(self.errors, Severity::Error, at, message.into(), hint.into());
    }

    /// Something worth telling.
    pub fn warn(&mut self, at: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.warnings += 1;
        self.push(self.warnings, Severity::Warning, at, message.into(), hint.into());
    }

    fn push(&mut self, nth: usize, severity: Severity, at: Place, message: String, hint: String) {
        if nth <= FINDINGS_MAX {
            let Place { line, column } = at;
            self.list.push(Finding { severity, file: self.file.clone(), line, column, message, hint });
        }
    }

    /// Whether anything refuses the file.
    pub fn refused(&self) -> bool {
        self.errors > 0
    }

    /// All of them in the order of places, and how many more there were.
    pub fn finish(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|f| (f.line, f.column));
        for (count, severity, what) in
            [(self.errors, Severity::Error, "errors"), (self.warnings, Severity::Warning, "warnings")]
        {
            if count > FINDINGS_MAX {
                let message = format!("{} more {what}", count - FINDINGS_MAX);
                let hint = format!("the first {FINDINGS_MAX} are listed");
                self.list.push(Finding { severity, file: self.file.clone(), line: 0, column: 0, message, hint });
            }
        }
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_named() {
        let mut findings = Findings::new("f");
        (0..FINDINGS_MAX as u32 + 7).for_each(|line| findings.error(Place { line, column: 1 }, "m", "h"));
        let list = findings.finish();
        assert_eq!(list.len(), FINDINGS_MAX + 1);
        assert_eq!(list[FINDINGS_MAX].message, "7 more errors");
    }
}
