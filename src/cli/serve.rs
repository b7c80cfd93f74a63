//! `callrated serve`.

use crate::config::Config;
use crate::daemon;
use crate::exit::Exit;

pub(super) fn run(config: Config) -> Result<(), Exit> {
    super::runtime()?.block_on(daemon::serve(config))
}
