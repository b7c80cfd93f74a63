//! The spend guard in a shard: judges calls as they are rated, and tells of what they set off while the flush is still to
//! come. What is told is stored with the flush, and a replay tells it again: nothing is lost between the two.
//!
//! Does not know who listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::{LegJob, Shard};
use crate::batch::Frame;
use crate::call::{AccountKey, GroupKey, RatedCall};
use crate::directory::{Account, Directory};
use crate::guard::event::Circumstances;
use crate::guard::{Event, Seen, Standing};
use crate::record::Record;
use crate::time::Timestamp;

/// Where events go at once. Nobody waits: what finds no room is told from the store.
#[derive(Clone, Debug, Default)]
pub struct Outlet(Option<(mpsc::Sender<Arc<Event>>, Arc<AtomicBool>)>);

impl Outlet {
    /// An outlet, where its events come out, and whether any found no room.
    pub fn new(most: usize) -> (Outlet, mpsc::Receiver<Arc<Event>>, Arc<AtomicBool>) {
        let (sender, receiver) = mpsc::channel(most);
        let missed = Arc::new(AtomicBool::new(false));
        (Outlet(Some((sender, missed.clone()))), receiver, missed)
    }

    fn tell(&self, event: &Arc<Event>) {
        if let Some((sender, missed)) = &self.0
            && sender.try_send(event.clone()).is_err()
        {
            missed.store(true, Ordering::Release);
        }
    }
}

impl Shard {
    /// Tells there of what calls set off, beside the flush.
    pub fn telling(mut self, outlet: Outlet) -> Shard {
        self.outlet = outlet;
        self
    }

    /// Judges a call by the rules of its account.
    pub(super) fn guard(&mut self, call: &RatedCall, job: &LegJob, account: &Account<'_>, frame: &Frame) {
        let seen = Seen { call, account, received_at: job.received_at };
        let Some(tariff) = self.tariffs.get(usize::from(job.slot.0)) else { return };
        self.judge.judge(seen, |number| tariff.classify(number).country, &mut self.fired);
        if self.fired.is_empty() {
            return;
        }
        let country = call.destination.map(|number| tariff.classify(number).country);
        let bytes = frame.bytes.get(job.at as usize..).and_then(|rest| rest.get(..job.length as usize));
        let record = bytes.and_then(|bytes| Record::decode(bytes).ok()).unwrap_or_default();
        let (node, id) = (String::from_utf8_lossy(record.node), String::from_utf8_lossy(record.id));
        for fired in self.fired.drain(..) {
            let about = Circumstances {
                account: account.name(),
                plan: account.plan,
                zone: account.zone_name,
                call,
                country,
                node: &node,
                call_id: &id,
                received_at: job.received_at,
            };
            let event = Arc::new(Event::new(&fired, &about));
            self.outlet.tell(&event);
            self.part.guard_events.push(event);
        }
    }

    /// Where an account stands.
    pub(super) fn standings(&mut self, key: (AccountKey, GroupKey), name: &str, at: Timestamp) -> Vec<Standing> {
        let directory: Option<Arc<Directory>> = self.directory.as_ref().map(|(_, directory)| directory.clone());
        let Some(account) = directory.as_ref().and_then(|directory| directory.account_at(name.as_bytes(), at)) else {
            return Vec::new();
        };
        self.judge.standings(key, &account, at)
    }
}
