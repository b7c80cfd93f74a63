//! callrated: a real-time call-rating daemon.
#![deny(unsafe_code)]

pub mod batch;
pub mod call;
pub mod directory;
pub mod entry;
pub mod ingest;
pub mod journal;
pub mod money;
pub mod number;
pub mod os;
pub mod rating;
pub mod record;
pub mod tariff;
pub mod time;
pub mod traffic;
pub mod wire;
