//! `callrated serve`.

use std::time::Duration;

use crate::config::Config;
use crate::daemon;
use crate::exit::Exit;

/// How long questions to the store that nobody waits for any more may still take once everything else has ended.
const QUESTIONS_END: Duration = Duration::from_secs(1);

pub(super) fn run(config: Config) -> Result<(), Exit> {
    let runtime = super::runtime()?;
    let ended = runtime.block_on(daemon::serve(config));
    // Questions that a hanging store never answers would be waited for for ever.
    runtime.shutdown_timeout(QUESTIONS_END);
    ended
}
