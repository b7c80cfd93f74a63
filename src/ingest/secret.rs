//! Secrets that senders and we share: in a file, or for a try in the configuration itself.
//!
//! Does not know what a secret opens.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A secret as written: `{ file = "radius.secret" }`, or the text itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum SecretSettings {
    /// The first line of a file, which only the daemon should be able to read.
    File {
        /// Relative to the configuration's folder.
        file: PathBuf,
    },
    /// Here, for a try.
    Text(String),
}

impl fmt::Debug for SecretSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSettings::File { file } => write!(f, "the secret in {}", file.display()),
            SecretSettings::Text(_) => f.write_str("a secret"),
        }
    }
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NoSecret {
    /// The file cannot be read.
    #[error("the secret in {0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    /// There is nothing in it.
    #[error("the secret in {0} is empty: write it into the first line")]
    Empty(PathBuf),
}

impl SecretSettings {
    /// The same with a path that is relative to a folder.
    pub fn relative_to(&self, base: &Path) -> SecretSettings {
        match self {
            SecretSettings::File { file } => SecretSettings::File { file: base.join(file) },
            text => text.clone(),
        }
    }

    /// The secret itself.
    ///
    /// Errors: its file cannot be read, or holds none.
    pub fn read(&self) -> Result<Box<[u8]>, NoSecret> {
        let file = match self {
            SecretSettings::Text(text) => return Ok(text.as_bytes().into()),
            SecretSettings::File { file } => file,
        };
        let text = std::fs::read(file).map_err(|e| NoSecret::Unreadable(file.clone(), e))?;
        let line = text.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
        if line.is_empty() { Err(NoSecret::Empty(file.clone())) } else { Ok(line.into()) }
    }

    /// Says so in the log where everybody on the machine can read it.
    pub fn warn_if_open(&self) {
        use std::os::unix::fs::PermissionsExt;
        if let SecretSettings::File { file } = self
            && std::fs::metadata(file).is_ok_and(|about| about.permissions().mode() & 0o007 != 0)
        {
            tracing::warn!("everybody on this machine can read the secret in {0}: chmod 640 {0}", file.display());
        }
    }
}
