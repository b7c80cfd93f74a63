//! Realistic traffic for trying out and sizing: what `callrated send` makes and sends.
//!
//! [`recipe`] makes native records from a seed alone, again and again the same; [`send`](mod@send) sends them over UDP,
//! TCP or HTTP at a rate and measures how long each took to be safe.
//!
//! Floats are fine here: nothing made up ever becomes money on its own authority.
//!
//! Does not know what a record costs, nor anything of the daemon but its doors.

pub mod histogram;
pub mod random;
pub mod recipe;
pub mod send;
pub mod target;
