//! Randomness from the operating system, for secrets and for chance.
//!
//! Does not know what the bytes are for.

use std::fs::File;
use std::io::{self, Read};

/// Thirty-two random bytes, fit for a secret.
pub fn secret() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    // Never blocks once the system has started, and is cryptographically strong on every Linux.
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A random number, for spreading work over time; 0 where the system gives none.
pub fn number() -> u64 {
    let bytes = secret().unwrap_or_default();
    bytes.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_secrets_differ() {
        assert_ne!(super::secret().unwrap(), super::secret().unwrap());
    }
}
