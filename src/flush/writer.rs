//! The thread that asks the store, one flush at a time, and waits for its answer as long as it takes.
//!
//! Does not know what waits, nor what follows from an answer.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::FlushError;
use super::held::Content;
use super::words::Words;
use crate::store::{FlushReport, Store, StoreError};

/// What the store says; an error beside it: there was nothing to ask it with.
pub(super) type Answer = Result<Result<FlushReport, StoreError>, FlushError>;

struct Job {
    content: Arc<Content>,
    words: Words,
}

/// The thread. It ends when this is dropped, or with the process if the store never answers.
pub(super) struct Writer {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub fn start(store: Arc<dyn Store>) -> Result<Writer, FlushError> {
        let (jobs, inbox) = bounded::<Job>(1);
        let (outbox, answers) = bounded(1);
        let work = move || {
            for Job { content, words } in inbox {
                let answer = ask(store.as_ref(), &content, &words);
                drop(content);
                if outbox.send(answer).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("store".into()).spawn(work).map_err(FlushError::Thread)?;
        Ok(Writer { jobs, answers, thread })
    }

    /// Asks; one answer follows before the next may be asked.
    pub fn ask(&self, content: Arc<Content>, words: Words) {
        // The thread ends only after this is dropped; if it is gone, its panic is already ending us.
        let _ = self.jobs.send(Job { content, words });
    }

    pub fn answers(&self) -> &Receiver<Answer> {
        &self.answers
    }

    /// Waits for the thread's end. Only for one that has answered everything.
    pub fn end(self) {
        drop(self.jobs);
        let _ = self.thread.join();
    }
}

/// Asks the store on this thread.
pub(super) fn ask(store: &dyn Store, content: &Content, words: &Words) -> Answer {
    content.with_batch(&|basis| words.describe(basis), |batch| store.flush(batch))
}
