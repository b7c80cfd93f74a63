//! The ground under the house: disk, memory, clock, sockets, locks and the service manager.
//!
//! The only place with `unsafe`, and the only place where the time is read. [`disk`] is a seam: the journal and the
//! identity index speak to a [`disk::Disk`], and a test puts a [`sim::SimDisk`] with seeded faults in its place.
//!
//! Does not know records, frames or settings; it hands out bytes and instants.
#![allow(unsafe_code)]

pub mod clock;
pub mod cpu;
pub mod disk;
pub mod handed;
pub mod lock;
pub mod map;
pub mod marks;
pub mod memory;
pub mod notify;
pub mod prefetch;
pub mod random;
pub mod shown;
pub mod sim;
pub mod thread;
pub mod udp;
