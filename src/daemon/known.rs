//! What was put in force and which listeners there are, as far as the journal says: what a reload and a new listener compare with.
//!
//! Does not know images, nor what becomes of a change.

use std::sync::Arc;

use super::schedule::{Overtaken, Schedule};
use crate::batch::{EntryKind, Frame};
use crate::entry::{self, Activation, SourceProfile};
use crate::guard::{Entered, Rules};
use crate::store::StoredState;

/// What a reload or a new listener compares with: the latest of each kind that the store knows, completed by the replay.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Digest of the latest tariff.
    pub tariff: Option<String>,
    /// Digest of the latest tariff that came from the rates folder; another than `tariff` after a roll-back.
    pub of_folder: Option<String>,
    /// Digest of the directory in force.
    pub directory: Option<String>,
    /// What accounts are watched by.
    pub guards: Arc<Rules>,
    /// Which tariff applies to calls answered when.
    pub schedule: Arc<Schedule>,
    /// Listeners' settings by index.
    pub sources: Vec<Option<SourceProfile>>,
}

impl Known {
    /// What the store knows.
    pub fn stored(state: &StoredState) -> Known {
        let mut known = Known {
            tariff: state.tariffs.last().map(|t| t.digest.clone()),
            of_folder: state.tariffs.iter().rfind(|t| entry::of_folder(&t.by)).map(|t| t.digest.clone()),
            directory: state.directories.last().map(|d| d.digest.clone()),
            guards: state.guards.as_ref().map(|row| row.rules.clone()).unwrap_or_default(),
            schedule: Arc::default(),
            sources: Vec::new(),
        };
        for row in &state.tariffs {
            known.schedule.activated(&Activation {
                digest: row.digest.clone(),
                effective_from: row.effective_from.map(|from| from.0),
                activated_at: row.activated_at.0,
                by: row.by.clone(),
            });
        }
        for row in &state.sources {
            if let Ok(profile) = serde_json::from_str::<SourceProfile>(&row.json) {
                known.source(profile);
            }
        }
        known
    }

    /// The journal behind the stored position may hold changes too: they are the latest.
    pub fn note(&mut self, frame: &Frame) {
        for entry in frame.entries() {
            let activation = || serde_json::from_slice::<Activation>(entry.payload).ok();
            match EntryKind::from_byte(entry.kind) {
                Some(EntryKind::Tariff) => {
                    if let Some(activation) = activation() {
                        self.put_in_force(&activation);
                    }
                }
                Some(EntryKind::Directory) => {
                    self.directory = activation().map(|a| a.digest).or(self.directory.take());
                }
                Some(EntryKind::Guard) => {
                    if let Ok(Entered::Rules { rules, .. }) = serde_json::from_slice(entry.payload) {
                        self.guards = Arc::new(rules);
                    }
                }
                Some(EntryKind::Source) => {
                    if let Ok(profile) = serde_json::from_slice::<SourceProfile>(entry.payload) {
                        self.source(profile);
                    }
                }
                Some(EntryKind::DirectoryChange) => {}
                // Records are many, and a frame of records holds nothing else.
                _ => return,
            }
        }
    }

    /// Takes the activation of a tariff; gives those planned for later that will not apply since.
    pub fn put_in_force(&mut self, activation: &Activation) -> Vec<Overtaken> {
        if entry::of_folder(&activation.by) {
            self.of_folder = Some(activation.digest.clone());
        }
        self.tariff = Some(activation.digest.clone());
        self.schedule.activated(activation)
    }

    /// Takes a listener's settings.
    pub fn source(&mut self, profile: SourceProfile) {
        let index = usize::from(profile.index);
        if self.sources.len() <= index {
            self.sources.resize(index + 1, None);
        }
        self.sources[index] = Some(profile);
    }
}
