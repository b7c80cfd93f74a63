//! Hears what the spend guard tells, says it in log and metrics, and hands it to every webhook; at the start also what the
//! store has and a webhook has not heard.
//!
//! Does not know how an event is sent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hashbrown::HashSet;
use metrics::counter;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Webhook;
use super::deliver::Queue;
use crate::guard::Event;
use crate::os::clock::Clock;
use crate::store::{GuardDelivery, GuardPage, Store, StoreError};
use crate::time::Timestamp;

/// How often it is looked whether an event found no room, or the store did not answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Fates of events that wait to be written down, and how many are written at once.
const FATES_MAX: usize = 16_384;
const FATES_AT_ONCE: usize = 1000;
/// Pause between two attempts to write them down.
const WRITE_AGAIN: Duration = Duration::from_secs(5);
/// Events of which it is remembered that they were heard: a replay tells some again.
const HEARD_MAX: usize = 100_000;
/// Events read from the store at a time.
const PAGE: usize = 1000;

/// Where events come from, and who is told.
pub struct Herald {
    events: mpsc::Receiver<Arc<Event>>,
    missed: Arc<AtomicBool>,
    store: Arc<dyn Store>,
    clock: Clock,
    queues: Vec<Arc<Queue>>,
    fates: mpsc::Receiver<GuardDelivery>,
    heard: HashSet<String>,
    heard_order: VecDeque<String>,
    /// Events and webhooks that have heard them, as the store said last.
    done: HashSet<(String, String)>,
    /// The store was asked.
    begun: bool,
}

impl Herald {
    /// Over what a running engine tells.
    pub fn new(
        events: mpsc::Receiver<Arc<Event>>,
        missed: Arc<AtomicBool>,
        store: Arc<dyn Store>,
        clock: Clock,
        webhooks: &[Webhook],
    ) -> Herald {
        let (sender, fates) = mpsc::channel(FATES_MAX);
        let queue = |webhook: &Webhook| Arc::new(Queue::new(webhook.clone(), sender.clone(), clock.clone()));
        let queues = webhooks.iter().map(queue).collect();
        // What was told before this process began is looked for first.
        missed.store(!webhooks.is_empty(), Ordering::Release);
        let (heard, heard_order) = (HashSet::new(), VecDeque::new());
        Herald { events, missed, store, clock, queues, fates, heard, heard_order, done: HashSet::new(), begun: false }
    }

    /// Tells, for as long as the process runs.
    pub async fn run(mut self) {
        let mut tasks = JoinSet::new();
        for queue in &self.queues {
            queue.webhook().secret.warn_if_open();
            tasks.spawn(queue.clone().run());
        }
        let (_, nobody) = mpsc::channel(1);
        tasks.spawn(write_down(self.store.clone(), std::mem::replace(&mut self.fates, nobody)));
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // The store first: it knows what was heard before.
                biased;
                _ = look.tick() => if self.missed.swap(false, Ordering::AcqRel) && !self.hear_stored().await {
                    self.missed.store(true, Ordering::Release);
                },
                event = self.events.recv() => match event {
                    Some(event) => self.hear(event, true),
                    // The road has ended; what waits is still told.
                    None => std::future::pending().await,
                },
            }
        }
    }

    /// Hears what the store has and somebody has not heard; false: the store does not say.
    async fn hear_stored(&mut self) -> bool {
        let longest = self.queues.iter().map(|queue| queue.webhook().give_up.0).max().unwrap_or(0);
        let since = Timestamp(self.clock.now().0.saturating_sub(longest));
        let store = self.store.clone();
        let Ok(Ok((events, done))) = tokio::task::spawn_blocking(move || stored(store.as_ref(), since)).await else {
            return false;
        };
        self.done = done;
        // What an earlier process found it has said, too.
        let aloud = std::mem::replace(&mut self.begun, true);
        for event in events {
            self.hear(Arc::new(event), aloud);
        }
        true
    }

    /// Whether an event is heard for the first time.
    fn is_new(&mut self, id: String) -> bool {
        if !self.heard.insert(id.clone()) {
            return false;
        }
        self.heard_order.push_back(id);
        if self.heard_order.len() > HEARD_MAX
            && let Some(oldest) = self.heard_order.pop_front()
        {
            self.heard.remove(&oldest);
        }
        true
    }

    /// Says an event and hands it on to whoever has not heard it.
    fn hear(&mut self, event: Arc<Event>, aloud: bool) {
        if !self.is_new(event.id.clone()) {
            return;
        }
        if aloud {
            tracing::warn!("spend guard, {} {}: {} ({})", event.rule, event.level, event.summary, event.id);
            counter!("callrated_guard_events_total", "rule" => event.rule.clone(), "level" => event.level.clone())
                .increment(1);
        }
        for queue in &self.queues {
            if !self.done.contains(&(event.id.clone(), queue.webhook().name.clone())) {
                queue.push(event.clone());
            }
        }
    }
}

/// Events from an instant on, and who has heard which.
type Stored = (Vec<Event>, HashSet<(String, String)>);

fn stored(store: &dyn Store, since: Timestamp) -> Result<Stored, StoreError> {
    let deliveries = store.guard_deliveries(since)?;
    let done = deliveries.into_iter().map(|one| (one.event, one.webhook)).collect();
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = GuardPage { after, since: Some(since), account: None, newest_first: false, limit: PAGE };
        let found = store.guard_events(page)?;
        let whole = found.len() == PAGE;
        after = found.last().map_or(after, |last| last.number);
        events.extend(found.into_iter().map(|one| one.event));
        if !whole {
            return Ok((events, done));
        }
    }
}

/// Writes down what became of events. While the store does not take it, it waits here.
async fn write_down(store: Arc<dyn Store>, mut fates: mpsc::Receiver<GuardDelivery>) {
    let mut together = Vec::new();
    while fates.recv_many(&mut together, FATES_AT_ONCE).await > 0 {
        loop {
            let (store, batch) = (store.clone(), together.clone());
            match tokio::task::spawn_blocking(move || store.guard_delivered(&batch)).await {
                Ok(Ok(())) => break,
                Ok(Err(_)) => tokio::time::sleep(WRITE_AGAIN).await,
                Err(_) => return,
            }
        }
        together.clear();
    }
}
