//! A body that is written while it is read: the store's thread fills it, the client empties it, and neither the rows nor
//! the client's slowness grow memory.
//!
//! Does not know what the bytes mean.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Bytes gathered before they are handed to the connection.
const CHUNK: usize = 64 << 10;
/// Chunks that may wait for a slow client.
const CHUNKS: usize = 4;

/// The writing end, for a plain thread.
pub(super) struct Writer {
    sender: mpsc::Sender<Bytes>,
    buffer: BytesMut,
}

/// The client went away.
pub(super) struct Gone;

impl Writer {
    /// Appends; waits where the client is slow.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < CHUNK {
            return Ok(());
        }
        self.flush()
    }

    /// Hands over what is there.
    pub(super) fn flush(&mut self) -> Result<(), Gone> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        self.sender.blocking_send(chunk).map_err(|_| Gone)
    }
}

/// A body and its writing end.
pub(super) fn body() -> (Writer, Body) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    (Writer { sender, buffer: BytesMut::new() }, Body::new(Chunks(receiver)))
}

struct Chunks(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }
}
