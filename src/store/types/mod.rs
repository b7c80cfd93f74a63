//! The values that go into the store and come out of it.
//!
//! Does not know SQL or files.

mod answer;
mod chains;
mod draft;
mod flush;
mod grounds;
mod guard;
mod margin;
mod minimum;
mod packed;
mod retention;
mod start;
mod state;
mod told;

pub use answer::*;
pub use chains::*;
pub use draft::*;
pub use flush::*;
pub use grounds::*;
pub use guard::*;
pub use margin::*;
pub use minimum::*;
pub use packed::*;
pub use retention::*;
pub use start::*;
pub use state::*;
pub use told::*;
