//! The values that go into the store and come out of it.
//!
//! Does not know SQL or files.

mod answer;
mod flush;
mod packed;
mod state;
mod told;

pub use answer::*;
pub use flush::*;
pub use packed::*;
pub use state::*;
pub use told::*;
