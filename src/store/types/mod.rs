//! The values that go into the store and come out of it.
//!
//! Does not know SQL or files.

mod answer;
mod flush;
mod grounds;
mod guard;
mod margin;
mod packed;
mod state;

pub use answer::*;
pub use flush::*;
pub use grounds::*;
pub use guard::*;
pub use margin::*;
pub use packed::*;
pub use state::*;
