//! Contradictions that somebody decides: what counts is the version taken, at once and at the seal, through restarts, in a
//! replay of the whole journal, and against a model that never heard of the other version.

use callrated::entry::Decide;

use super::*;

impl Folder {
    fn place(&self, said: &Said) -> Position {
        let found = self.store.conflicts(None, 10_000).unwrap();
        let of = |record: &[u8]| Record::decode(record).unwrap().id == said.id.as_bytes();
        found.iter().find(|conflict| of(&conflict.record)).map(|conflict| conflict.first).unwrap()
    }

    /// As the API does it.
    pub fn decide(&mut self, said: &Said, keep: Option<&Said>) -> Decide {
        self.flush();
        let seen = self.store.load().unwrap().position;
        let first = self.place(said);
        let version = self.store.conflicts_of(first).unwrap().pop().unwrap();
        let kept = if keep.is_some() { version.position } else { first };
        let before = self.store.legs(first).unwrap();
        let waiting = self.store.suspense_of(first).unwrap();
        let latest = self.store.decisions(Some(first)).unwrap().pop();
        let stands = latest.map_or(first, |latest| latest.kept) == kept;
        let rows: Vec<_> = before.iter().map(|leg| (leg.call, leg.draws.clone())).collect();
        let entry = Decide {
            first: first.0,
            kept: kept.0,
            source: version.source.0,
            received_at: version.received_at.unwrap().0,
            seen: seen.0,
            revision: if stands { 0 } else { before.iter().map(|leg| leg.revision).max().unwrap_or(0) + 1 },
            rated: serde_json::to_value(&rows).unwrap(),
            waiting: waiting.iter().map(Folder::item).collect(),
            why: "by hand".to_owned(),
            by: "nora".to_owned(),
            at: 7,
        };
        self.enter_decision(&entry, keep.unwrap_or(said));
        entry
    }

    fn enter_decision(&mut self, entry: &Decide, taken: &Said) {
        let (mut record, mut payload) = (Vec::new(), Vec::new());
        taken.record().encode(&mut record);
        entry.encode(&record, &mut payload).unwrap();
        let mut batch = Batch::new(SourceId(0));
        batch.push_entry(EntryKind::Decide, &payload);
        self.enter(batch);
    }
}

#[test]
fn the_version_that_somebody_took_counts_at_once_and_at_the_seal() {
    let (mut longer, mut back, mut void) = (0, 0, 0);
    for seed in 0..12 {
        let mut taken = month(seed);
        let mut folder = told(seed, &taken, CHANGES);
        let mut random = Random::new(seed ^ 0xdec1);
        // Some of those that nothing contradicts yet; the others are left to the seal's own rule.
        let alone = |i: &usize| taken.iter().filter(|said| said.id == taken[*i].id).count() == 1;
        let contradicted: Vec<usize> = (0..taken.len()).filter(|i| i % 5 == 4).filter(alone).collect();
        for i in contradicted.iter().copied() {
            let first = taken[i].clone();
            let mut other = first.clone();
            // Longer, so that the seal's own rule would take the first; or another destination; or nobody's.
            match random.below(3) {
                0 => other.duration = Micros(first.duration.0 + 90_000_000),
                1 if first.destination != "+33112345678" => other.destination = "+33112345678".to_owned(),
                _ => (other.source, other.account) = ("+4930999999".to_owned(), String::new()),
            }
            folder.tell(&[&other]);
            let entry = folder.decide(&first, Some(&other));
            // What somebody else decides by what he saw before is void.
            folder.enter_decision(&Decide { kept: entry.first, revision: entry.revision + 1, ..entry }, &first);
            void += 1;
            if random.once_in(3) {
                folder.restart();
            }
            if random.once_in(4) {
                folder.decide(&first, None);
                back += 1;
            } else {
                longer += usize::from(other.duration > first.duration);
                taken[i] = other;
            }
        }
        folder.check();
        folder.again();
        let decisions = folder.store.decisions(None).unwrap();
        assert!(decisions.len() >= contradicted.len(), "{decisions:?}");
        folder.seal(OCTOBER);
        folder.seal(NOVEMBER);
        folder.check();
        assert_eq!(stored(&folder), expected(&taken, CHANGES), "seed {seed}");
        let manifest = folder.manifest(OCTOBER);
        for conflict in manifest["conflicts"].as_array().unwrap() {
            let by_hand = contradicted.iter().any(|i| conflict["id"] == *taken[*i].id);
            assert_eq!(conflict["decided"] == "by hand", by_hand, "{conflict}");
        }
        // A closed month is changed by no decision.
        let closed = contradicted.iter().map(|i| taken[*i].clone()).find(|said| {
            let legs = folder.store.legs(folder.place(said)).unwrap();
            legs.first().is_some_and(|leg| leg.call.period == OCTOBER)
        });
        if let Some(said) = closed {
            let before = stored(&folder);
            let count = folder.store.decisions(None).unwrap().len();
            folder.decide(&said, None);
            folder.decide(&said, Some(&said));
            folder.flush();
            assert_eq!((stored(&folder), folder.store.decisions(None).unwrap().len()), (before, count));
            folder.check();
        }
    }
    assert!(longer > 5 && back > 5 && void > 20, "{longer} {back} {void}");
}
