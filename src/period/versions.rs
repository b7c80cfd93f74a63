//! R20 at the seal: which version of a record counts that came again with other content.
//!
//! Does not know where the versions were found.

use super::candidates::Facts;
use super::gather::Gather;
use super::known::read;
use super::progress::SealError;
use crate::batch::Position;

/// A contradiction that was decided.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Decided {
    pub node: String,
    pub id: String,
    /// The later version was taken.
    pub other: bool,
    /// Why, where somebody decided it.
    pub why: Option<String>,
    pub versions: usize,
    pub duration: String,
    pub destination: String,
}

/// A version that somebody took.
pub struct Taken {
    /// Another than the first.
    pub later: bool,
    pub why: String,
}

impl Gather<'_, '_, '_> {
    /// R20: which version of a record is taken, how many there are, and whether somebody took a later one, and why.
    pub(super) fn winner(
        &mut self,
        position: Position,
        first: Facts,
    ) -> Result<(Facts, usize, Option<Taken>), SealError> {
        let Some(others) = self.conflicts.get(&position).cloned() else { return Ok((first, 1, None)) };
        let versions = others.len() + 1;
        if let Some((kept, why)) = self.by_hand.get(&position) {
            // What is stored under the first one's place was made of the version taken when it was decided.
            return Ok((first, versions, Some(Taken { later: *kept != position, why: why.clone() })));
        }
        let mut best = (self.known.standing(&first)?, first);
        for other in others {
            let standing = self.known.standing(&other)?;
            if standing < best.0 {
                best = (standing, other);
            }
        }
        Ok((best.1, versions, None))
    }

    pub(super) fn decided(&mut self, facts: &Facts, versions: usize, taken: Option<Taken>) -> Result<(), SealError> {
        let record = read(&facts.record)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.gathered.decided.insert(Decided {
            node: text(record.node),
            id: text(record.id),
            other: taken.as_ref().map_or(facts.other, |taken| taken.later),
            why: taken.map(|taken| taken.why),
            versions,
            duration: record.duration.map_or(String::new(), |d| d.to_string()),
            destination: text(record.destination),
        });
        Ok(())
    }
}
