//! callrated: a real-time call-rating daemon.
#![deny(unsafe_code)]

pub mod time;
pub mod money;
pub mod record;
pub mod batch;
pub mod entry;
pub mod call;
pub mod number;
pub mod tariff;
pub mod directory;
pub mod rating;
