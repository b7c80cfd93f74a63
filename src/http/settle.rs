//! Bringing the store up to date before a question is put to it, with as few flushes as will do.
//!
//! A question must see every record that was acknowledged before it was asked. Where the store has them all already,
//! nothing happens. Else one flush is under way at a time: those who ask meanwhile wait for it, and then the first of them
//! asks for one more, which covers all the others. So however many ask, at most one flush runs and one is wanted.
//!
//! A flush goes on when the one who asked for it is gone: markers on the road cannot be called back, and while the store
//! is away they must not pile up.
//!
//! Does not know what a flush writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Problem;
use crate::road::Road;

/// Longest wait of a question for the store: longer than a flush ever takes while the store is there.
const WAIT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Clone)]
pub(super) struct Settler {
    turn: Arc<Mutex<()>>,
    wait: Duration,
}

impl Default for Settler {
    fn default() -> Settler {
        Settler { turn: Arc::default(), wait: WAIT }
    }
}

impl Settler {
    /// Returns once the store has everything that was acknowledged before the call.
    pub(super) async fn settle(&self, road: &Road) -> Result<(), Problem> {
        // Every acknowledged record lies before this position: it is published before the acknowledgement goes out.
        let asked = road.progress().durable.load(Ordering::Acquire);
        let stored = || road.progress().stored.load(Ordering::Acquire) >= asked;
        if stored() {
            return Ok(());
        }
        match timeout(self.wait, self.flush(road, stored)).await {
            Ok(done) => done,
            Err(_) => Err(Problem::unavailable("the store is away: what was acknowledged last is not stored yet")),
        }
    }

    async fn flush(&self, road: &Road, stored: impl Fn() -> bool) -> Result<(), Problem> {
        let turn = self.turn.clone().lock_owned().await;
        if stored() {
            return Ok(());
        }
        let road = road.clone();
        let flush = tokio::spawn(async move {
            let _turn = turn;
            road.flush().await
        });
        match flush.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Problem::stopping()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use tokio::sync::mpsc;

    use super::*;
    use crate::batch::Position;
    use crate::sequencer::{Control, Progress};

    /// A road whose flushes wait to be let through; each brings the store to where the journal was when it began.
    fn road() -> (Road, Arc<Progress>, mpsc::Sender<()>, Arc<AtomicU64>) {
        let progress = Arc::new(Progress::default());
        let (controls, mut inbox) = mpsc::channel(1024);
        let (let_through, mut gate) = mpsc::channel::<()>(1024);
        let flushes = Arc::new(AtomicU64::new(0));
        let (shared, counted) = (progress.clone(), flushes.clone());
        tokio::spawn(async move {
            while let Some(control) = inbox.recv().await {
                let Control::Flush(Some(reply)) = control else { continue };
                counted.fetch_add(1, Ordering::SeqCst);
                let upto = shared.durable.load(Ordering::SeqCst);
                if gate.recv().await.is_none() {
                    return;
                }
                shared.stored.store(upto, Ordering::SeqCst);
                let _ = reply.send(Position(upto));
            }
        });
        (Road::new(controls, progress.clone()), progress, let_through, flushes)
    }

    #[tokio::test]
    async fn nothing_new_needs_no_flush() {
        let (road, progress, _gate, flushes) = road();
        progress.durable.store(7, Ordering::SeqCst);
        progress.stored.store(7, Ordering::SeqCst);
        Settler::default().settle(&road).await.unwrap();
        assert_eq!(flushes.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn many_questions_share_two_flushes_and_see_what_was_acknowledged() {
        let (road, progress, gate, flushes) = road();
        let settler = Settler::default();
        progress.durable.store(1, Ordering::SeqCst);
        let ask = || {
            let (settler, road, progress) = (settler.clone(), road.clone(), progress.clone());
            tokio::spawn(async move {
                let asked = progress.durable.load(Ordering::SeqCst);
                settler.settle(&road).await.unwrap();
                assert!(progress.stored.load(Ordering::SeqCst) >= asked);
            })
        };
        let first = ask();
        while flushes.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        // These come while the first flush is under way, after one more record: it does not cover them.
        progress.durable.store(2, Ordering::SeqCst);
        let others: Vec<_> = (0..100).map(|_| ask()).collect();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(flushes.load(Ordering::SeqCst), 1, "the others wait for the one under way");
        gate.send(()).await.unwrap();
        first.await.unwrap();
        gate.send(()).await.unwrap();
        for one in others {
            one.await.unwrap();
        }
        assert_eq!(flushes.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_store_that_is_away_gets_one_flush_however_often_it_is_asked() {
        let (road, progress, gate, flushes) = road();
        let mut settler = Settler { wait: Duration::from_millis(1), ..Settler::default() };
        progress.durable.store(1, Ordering::SeqCst);
        for _ in 0..5 {
            assert!(settler.settle(&road).await.is_err());
        }
        assert_eq!(flushes.load(Ordering::SeqCst), 1);
        gate.send(()).await.unwrap();
        settler.wait = WAIT;
        settler.settle(&road).await.unwrap();
        assert_eq!(flushes.load(Ordering::SeqCst), 1);
    }
}
