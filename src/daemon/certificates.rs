//! The certificates of the doors: opened with them, read anew at SIGHUP.
//!
//! Does not know what is said behind the doors.

use std::sync::Arc;

use tokio::signal::unix::Signal;

use crate::exit::Exit;
use crate::tls::{Tls, TlsSettings};

/// Those of all doors.
#[derive(Default)]
pub(super) struct Certificates(Vec<Arc<Tls>>);

impl Certificates {
    /// What a door offers, if it is to be encrypted.
    pub(super) fn open(&mut self, settings: Option<&TlsSettings>) -> Result<Option<Arc<Tls>>, Exit> {
        let Some(settings) = settings else { return Ok(None) };
        let tls = Arc::new(Tls::open(settings).map_err(Exit::usage)?);
        self.0.push(tls.clone());
        Ok(Some(tls))
    }

    /// Reads them anew whenever SIGHUP comes.
    pub(super) async fn renew_on_signal(self, hangup: Option<Signal>) {
        let Some(mut hangup) = hangup else { return };
        while hangup.recv().await.is_some() {
            for tls in &self.0 {
                match tls.reload() {
                    Ok(()) => tracing::info!("{} is offered from now on", tls.cert().display()),
                    Err(error) => tracing::error!("{error}; what was read before stays"),
                }
            }
        }
    }
}
