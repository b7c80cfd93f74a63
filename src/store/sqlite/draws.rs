//! What a call drew, as the text beside it tells.
//!
//! Does not know what else that tells.

use serde_json::Value;

/// Name and seconds of each draw; none: damaged.
pub fn told(text: &[u8]) -> Option<Vec<(String, u32)>> {
    let told: Vec<Vec<Value>> = serde_json::from_slice(text).ok()?;
    let one = |one: &Vec<Value>| {
        let (name, seconds) = (one.first()?.as_str()?, one.get(1)?.as_u64()?);
        Some((name.to_owned(), u32::try_from(seconds).ok()?))
    };
    told.iter().map(one).collect()
}
