//! How the process ends: one sentence and a listed exit code.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | fine |
//! | 1 | the check or the work found faults |
//! | 2 | wrong usage or configuration |
//! | 3 | an environment that gave out: disk, port, database, another daemon |
//! | 4 | damaged data, or data of a newer version |
//!
//! Does not know what happened; it carries what others say of it.

use std::fmt;

/// A reason to end, with its exit code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// 1 to 4.
    pub code: u8,
    /// One sentence.
    pub message: String,
}

impl Exit {
    /// The check or the work found faults.
    pub fn faults(message: impl fmt::Display) -> Exit {
        Exit { code: 1, message: message.to_string() }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl fmt::Display) -> Exit {
        Exit { code: 2, message: message.to_string() }
    }

    /// An environment that gave out.
    pub fn environment(message: impl fmt::Display) -> Exit {
        Exit { code: 3, message: message.to_string() }
    }

    /// Damaged data, or data of a newer version.
    pub fn damaged(message: impl fmt::Display) -> Exit {
        Exit { code: 4, message: message.to_string() }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Exit {}
