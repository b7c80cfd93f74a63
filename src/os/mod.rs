//! What only the operating system can do; the one place where `unsafe` stands.
//!
//! Does not know what the bytes mean that it moves.

pub mod udp;
