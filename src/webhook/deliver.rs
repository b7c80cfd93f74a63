//! One webhook's queue, and the task that empties it: in order, again with growing jittered pauses while the receiver is
//! away. An event that the receiver refuses for itself waits aside, so that the others go on.
//!
//! Does not know where events come from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge};
use tokio::sync::{Notify, mpsc};

use super::send::{NotTaken, send};
use super::{Webhook, seconds};
use crate::guard::Event;
use crate::os::clock::Clock;
use crate::os::random;
use crate::store::GuardDelivery;

/// Most events that wait for a webhook, some 20 MiB: beyond them the oldest is given up.
pub const WAITING_MAX: usize = 10_000;
/// First pause after a failure, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_LONGEST: Duration = Duration::from_secs(600);

/// Events that wait for one webhook.
pub struct Queue {
    webhook: Webhook,
    waiting: Mutex<Waiting>,
    bell: Notify,
    pending: Gauge,
    given_up: Counter,
    /// Where it is told what became of an event.
    fates: mpsc::Sender<GuardDelivery>,
    clock: Clock,
}

#[derive(Default)]
struct Waiting {
    /// In their order.
    events: VecDeque<Arc<Event>>,
    /// Refused for themselves: the event, its attempts, and when it is tried again, by [`Clock::running`].
    refused: Vec<(Arc<Event>, u32, i64)>,
}

impl Queue {
    /// Empty.
    pub fn new(webhook: Webhook, fates: mpsc::Sender<GuardDelivery>, clock: Clock) -> Queue {
        let labelled = webhook.name.clone();
        let pending = gauge!("callrated_guard_webhook_pending", "webhook" => labelled.clone());
        let given_up = counter!("callrated_guard_webhook_given_up_total", "webhook" => labelled);
        pending.set(0.0);
        given_up.increment(0);
        Queue { webhook, waiting: Mutex::default(), bell: Notify::new(), pending, given_up, fates, clock }
    }

    /// Its webhook.
    pub fn webhook(&self) -> &Webhook {
        &self.webhook
    }

    /// Puts an event behind the others; the oldest is given up where there are too many.
    pub fn push(&self, event: Arc<Event>) {
        let oldest = {
            let mut waiting = self.waiting();
            waiting.events.push_back(event);
            let many = waiting.events.len() + waiting.refused.len() > WAITING_MAX;
            if many { waiting.events.pop_front() } else { None }
        };
        if let Some(oldest) = oldest {
            self.give_up(&oldest, format!("more than {WAITING_MAX} waited"));
        }
        self.show();
        self.bell.notify_one();
    }

    /// Tells one after the other, for as long as the process runs.
    pub async fn run(self: Arc<Queue>) {
        let name = self.webhook.name.clone();
        let failures = counter!("callrated_guard_webhook_failures_total", "webhook" => name.clone());
        let taken = counter!("callrated_guard_webhook_deliveries_total", "webhook" => name.clone());
        let success = gauge!("callrated_guard_webhook_last_success_timestamp_seconds", "webhook" => name.clone());
        failures.increment(0);
        taken.increment(0);
        success.set(0.0);
        let (mut pause, mut away) = (PAUSE_FIRST, false);
        loop {
            let (event, attempts) = match self.next() {
                Next::Event(event, attempts) => (event, attempts),
                Next::Later(left) => {
                    let _ = tokio::time::timeout(left, self.bell.notified()).await;
                    continue;
                }
                Next::Nothing => {
                    self.bell.notified().await;
                    continue;
                }
            };
            match send(&self.webhook, &event, self.clock.now()).await {
                Ok(_) => {
                    if std::mem::take(&mut away) {
                        tracing::info!("the webhook {name} takes events again");
                    }
                    pause = PAUSE_FIRST;
                    taken.increment(1);
                    success.set(seconds(self.clock.now()) as f64);
                    self.fate(&event, None);
                }
                Err(why) => {
                    failures.increment(1);
                    if self.is_old(&event) {
                        self.give_up(&event, why.to_string());
                    } else if why.is_of_event() {
                        self.aside(event, attempts, &why);
                    } else {
                        if !std::mem::replace(&mut away, true) {
                            tracing::error!(
                                "the webhook {name} does not take events, {why}; they wait and are sent again"
                            );
                        }
                        self.back(event, attempts);
                        self.show();
                        tokio::time::sleep(jittered(pause)).await;
                        pause = (pause * 2).min(PAUSE_LONGEST);
                    }
                }
            }
            self.show();
        }
    }

    fn next(&self) -> Next {
        let now = self.clock.running().0;
        let mut waiting = self.waiting();
        if let Some(due) = waiting.refused.iter().position(|(_, _, at)| *at <= now) {
            let (event, attempts, _) = waiting.refused.remove(due);
            return Next::Event(event, attempts);
        }
        match waiting.events.pop_front() {
            Some(event) => Next::Event(event, 0),
            None => match waiting.refused.iter().map(|(_, _, at)| at - now).min() {
                Some(left) => Next::Later(Duration::from_micros(left.unsigned_abs())),
                None => Next::Nothing,
            },
        }
    }

    /// Back to where it was.
    fn back(&self, event: Arc<Event>, attempts: u32) {
        let mut waiting = self.waiting();
        match attempts {
            0 => waiting.events.push_front(event),
            _ => waiting.refused.push((event, attempts, i64::MIN)),
        }
    }

    fn aside(&self, event: Arc<Event>, attempts: u32, why: &NotTaken) {
        if attempts == 0 {
            tracing::error!(
                "the webhook {} refuses event {}, {why}; it is sent again, and others meanwhile",
                self.webhook.name,
                event.id
            );
        }
        let pause = PAUSE_FIRST.saturating_mul(1 << attempts.min(20)).min(PAUSE_LONGEST);
        let now = self.clock.running().0;
        let at = now + jittered(pause).as_micros() as i64;
        self.waiting().refused.push((event, attempts + 1, at));
    }

    fn is_old(&self, event: &Event) -> bool {
        self.clock.now().0.saturating_sub(event.at.0) > self.webhook.give_up.0
    }

    fn give_up(&self, event: &Event, why: String) {
        self.given_up.increment(1);
        tracing::error!("the webhook {} is not told event {} after all: {why}", self.webhook.name, event.id);
        self.fate(event, Some(why));
    }

    fn fate(&self, event: &Event, given_up: Option<String>) {
        let (event, webhook, at) = (event.id.clone(), self.webhook.name.clone(), self.clock.now());
        // Where there is no room to write it down, the event is sent again after a restart.
        let _ = self.fates.try_send(GuardDelivery { event, webhook, at, given_up });
    }

    fn show(&self) {
        let waiting = self.waiting();
        self.pending.set((waiting.events.len() + waiting.refused.len()) as f64);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next {
    Event(Arc<Event>, u32),
    Later(Duration),
    Nothing,
}

/// Three quarters to five quarters of a pause, so that many daemons do not knock at once.
fn jittered(pause: Duration) -> Duration {
    let dice = random::number() % 512;
    pause * (768 + dice as u32) / 1024
}
