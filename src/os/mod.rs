//! What needs the operating system or the processor directly: the only home of `unsafe`.
//!
//! Does not know records, money, or any part of the road.

pub mod prefetch;
