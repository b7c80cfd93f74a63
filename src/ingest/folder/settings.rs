//! The settings of a watched folder: as written in `[[watch]]`, and checked.
//!
//! Does not know what is done with files.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::entry::{Ambiguous, LegsPolicy, SourceProfile, Talk};
use crate::ingest::settings::{BadListen, Listen, ListenSettings, Protocol};
use crate::wire::formats::Formats;

/// What becomes of a file once its records are safe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// It stays, and what is appended to it is read, too.
    #[default]
    Keep,
    /// It goes to the folder `done` within the watched one.
    Move,
    /// It is removed; one with refused lines is moved to `refused` instead.
    Delete,
}

/// One `[[watch]]`, as written.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchSettings {
    /// The folder; its subfolders are not looked at.
    pub folder: PathBuf,
    /// Names of files, with `*` and `?`; every one.
    #[serde(default)]
    pub pattern: Option<String>,
    /// What becomes of a file once its records are safe; `keep`.
    #[serde(default)]
    pub after: After,
    /// As of a listener.
    #[serde(default)]
    pub format: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub columns: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub node: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub country: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub timezone: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub account: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub legs: LegsPolicy,
    /// As of a listener.
    #[serde(default)]
    pub talk: Talk,
    /// As of a listener.
    #[serde(default)]
    pub ambiguous: Ambiguous,
    /// As of a listener.
    #[serde(default)]
    pub strip: Vec<String>,
    /// As of a listener.
    #[serde(default)]
    pub talk_includes_ringing: Option<bool>,
}

/// A watched folder, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The folder.
    pub folder: PathBuf,
    /// Names of files.
    pub pattern: String,
    /// What becomes of them.
    pub after: After,
    /// Everything else, as if it were a listener; nobody listens at its address.
    pub source: Listen,
}

impl WatchSettings {
    /// Checks them; a relative folder lies beside the configuration.
    pub fn check(&self, base: &Path, formats: &Formats) -> Result<Watch, BadListen> {
        let listen = ListenSettings {
            format: self.format.clone(),
            columns: self.columns.clone(),
            node: self.node.clone(),
            country: self.country.clone(),
            timezone: self.timezone.clone(),
            account: self.account.clone(),
            legs: self.legs,
            talk: self.talk,
            ambiguous: self.ambiguous,
            strip: self.strip.clone(),
            talk_includes_ringing: self.talk_includes_ringing,
            ..ListenSettings::new(Protocol::Tcp)
        };
        let folder = base.join(&self.folder);
        let source = listen.check(formats)?;
        let pattern = self.pattern.clone().unwrap_or_else(|| "*".to_owned());
        let listener = format!("watch:{}/{pattern}", folder.display());
        let profile = SourceProfile { listener, ..source.profile };
        Ok(Watch { folder, pattern, after: self.after, source: Listen { profile, ..source } })
    }
}

/// Whether a name is of a pattern with `*` (any characters) and `?` (one).
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last star stood, and up to where it swallows the name.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(from) {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(want), _) if *want == b'?' || want == byte => {
                at += 1;
                from += 1;
            }
            (_, Some((stood, swallowed))) => {
                star = Some((stood, swallowed + 1));
                at = stood + 1;
                from = swallowed + 1;
            }
            (_, None) => return false,
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*.csv", "Master.csv", true),
            ("*.csv", "Master.csv.1", false),
            ("cdr_*_?", "cdr_Stand_1", true),
            ("cdr_*_?", "cdr_Stand_11", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("", "a", false),
            ("Master.csv", "Master.csv", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
