//! A month of any size is downloaded in the same memory.
//!
//! `CALLRATED_EXPORT_CALLS` asks for another number of calls.

use crate::process::streams::grow;

#[test]
fn a_month_of_any_size_streams_without_memory_that_grows_with_it() {
    let most = std::env::var("CALLRATED_EXPORT_CALLS").ok().map_or(60_000, |calls| calls.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    grow(folder.path(), &[most / 5, most], &["text/csv", "application/x-ndjson"]);
}
