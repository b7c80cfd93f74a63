//! Where a text lies that was read of a line.
//!
//! Does not know which field it is.

/// Where a text lies: in the line, or in the scratch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    pub start: u32,
    pub end: u32,
    pub in_scratch: bool,
}

impl Place {
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub fn of<'a>(self, line: &'a [u8], scratch: &'a [u8]) -> &'a [u8] {
        let text = if self.in_scratch { scratch } else { line };
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}
