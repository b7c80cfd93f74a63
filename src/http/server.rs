//! The HTTP/1.1 server: accepts connections, bounds how many there are and how long they may dawdle, and ends them within
//! a few seconds when the daemon stops.
//!
//! A release build aborts on a panic, so handlers are written not to: no `unwrap`, no indexing, no unchecked arithmetic
//! on what a client sent.
//!
//! Does not know routes, nor what is answered, nor how TLS goes.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::ServiceExt;

use crate::ingest::Stop;
use crate::tls::{Greeting, Streams};

/// Connections at once: each costs some ten kilobytes, a download 400. Those beyond wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;
/// Longest wait for the head of a request, and so for the next one on a connection that is kept.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// Longest time in which a client takes nothing of what is sent to it.
const WRITE_WAIT: Duration = Duration::from_secs(60);
/// What is under way when the daemon stops may take so long.
const GRACE: Duration = Duration::from_secs(5);
/// Pause where no connection can be accepted (no file descriptors left): trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

/// Answers until the stop, and then for at most [`GRACE`].
pub(super) async fn answer(streams: Streams, router: Router, mut stop: Stop) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            biased;
            () = stop.stopped() => break,
            // The semaphore is never closed.
            place = places.clone().acquire_owned() => match place { Ok(place) => place, Err(_) => break },
        };
        let accepted = tokio::select! {
            biased;
            () = stop.stopped() => break,
            accepted = streams.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((greeting, peer)) => {
                connections.spawn(connection(greeting, peer, router.clone(), stop.clone(), place));
            }
            Err(error) => {
                tracing::warn!("no HTTP connection can be accepted: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(streams);
    let ended = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!("{} HTTP connections did not end in {} s and are cut", connections.len(), GRACE.as_secs());
    }
    connections.shutdown().await;
}

async fn connection(
    greeting: Greeting,
    peer: SocketAddr,
    router: Router,
    mut stop: Stop,
    _place: OwnedSemaphorePermit,
) {
    // Answers are written whole; waiting for more to send only delays their end.
    let _ = greeting.stream.set_nodelay(true);
    // A handshake that fails is its client's affair, too.
    let Ok(stream) = greeting.stream().await else { return };
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    let mut connection = pin!(connection);
    // What went wrong with a connection is its client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.stopped() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// A stream that gives up once the other side has taken nothing for a while.
struct Patient<S> {
    stream: S,
    end: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<S> Patient<S> {
    fn new(stream: S) -> Patient<S> {
        Patient { stream, end: Box::pin(sleep(WRITE_WAIT)), waiting: false }
    }

    fn bounded<T>(&mut self, poll: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.waiting = false;
            return poll;
        }
        if !self.waiting {
            self.waiting = true;
            self.end.as_mut().reset(Instant::now() + WRITE_WAIT);
        }
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(poll, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(poll, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(poll, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
