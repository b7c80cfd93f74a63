//! A body that is written while it is read: the store's thread fills it, the client empties it, and neither the rows nor
//! the client's slowness grow memory.
//!
//! The store holds no transaction between two windows of rows, so a slow client holds up nobody; one that takes nothing
//! for [`STALL`] is given up. A body that cannot be finished is cut off, so that the client sees that it is not whole.
//!
//! Does not know what the bytes mean.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Bytes gathered before they are handed to the connection.
const CHUNK: usize = 64 << 10;
/// Chunks that may wait for a slow client: with the one being filled, 320 KiB for each download.
const CHUNKS: usize = 4;
/// Longest time in which a client takes nothing at all.
const STALL: Duration = Duration::from_secs(60);

/// The writing end, for a thread that may block.
pub(super) struct Writer {
    sender: mpsc::Sender<Result<Bytes, CutOff>>,
    buffer: BytesMut,
    runtime: Handle,
}

/// The client went away, or takes nothing any more.
#[derive(Debug)]
pub(super) struct Gone;

/// Ends a body before its end.
#[derive(Debug)]
pub(super) struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer could not be finished")
    }
}

impl std::error::Error for CutOff {}

impl Writer {
    /// Appends; waits where the client is slow.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < CHUNK {
            return Ok(());
        }
        self.hand_over()
    }

    /// The whole body is written.
    pub(super) fn finish(mut self) -> Result<(), Gone> {
        self.hand_over()
    }

    /// The rest cannot be had: cuts the body off.
    pub(super) fn cut_off(self) {
        let Writer { sender, runtime, .. } = self;
        // A client that takes nothing does not learn of it either.
        let _ = runtime.block_on(tokio::time::timeout(STALL, sender.send(Err(CutOff))));
    }

    fn hand_over(&mut self) -> Result<(), Gone> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        match self.sender.try_send(Ok(chunk)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Gone),
            Err(TrySendError::Full(chunk)) => {
                let sent = self.runtime.block_on(tokio::time::timeout(STALL, self.sender.send(chunk)));
                sent.map_err(|_| Gone)?.map_err(|_| Gone)
            }
        }
    }
}

/// A body and its writing end. Must be called inside the runtime.
pub(super) fn body() -> (Writer, Body) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    (Writer { sender, buffer: BytesMut::new(), runtime: Handle::current() }, Body::new(Chunks(receiver)))
}

struct Chunks(mpsc::Receiver<Result<Bytes, CutOff>>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|bytes| bytes.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_slow_reader_holds_back_the_writer_not_the_memory() {
        let (mut writer, mut body) = body();
        let written = Arc::new(AtomicUsize::new(0));
        let counted = written.clone();
        let rows = 200_000usize;
        let thread = tokio::task::spawn_blocking(move || {
            let row = [b'x'; 100];
            for _ in 0..rows {
                writer.write(&row)?;
                counted.fetch_add(row.len(), Ordering::SeqCst);
            }
            writer.finish()
        });
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.len() <= CHUNK + 100);
            read += data.len();
            let ahead = written.load(Ordering::SeqCst).saturating_sub(read);
            assert!(ahead <= (CHUNKS + 2) * (CHUNK + 100), "{ahead} bytes wait");
        }
        thread.await.unwrap().unwrap();
        assert_eq!(read, rows * 100);
    }

    #[tokio::test]
    async fn a_reader_that_leaves_ends_the_writer() {
        let (mut writer, body) = body();
        drop(body);
        let thread = tokio::task::spawn_blocking(move || while writer.write(&[0; 1024]).is_ok() {});
        thread.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_cut_off_does_not_look_whole() {
        let (mut writer, body) = body();
        tokio::task::spawn_blocking(move || {
            writer.write(b"half").unwrap();
            writer.cut_off();
        });
        assert!(body.collect().await.is_err());
    }
}
