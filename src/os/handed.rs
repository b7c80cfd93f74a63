//! Sockets that the service manager opened for us (systemd's socket activation, `LISTEN_FDS`). They outlive a restart: while
//! the daemon is away, connections and datagrams wait in the kernel instead of being refused.
//!
//! Does not know what is listened for; a socket is found by its address.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use socket2::{Socket, Type};

/// The sockets that nobody has asked for yet.
#[derive(Debug, Default)]
pub struct Handed(Mutex<Vec<Socket>>);

impl Handed {
    /// What was handed to this process: nothing where no service manager did, and nothing the second time.
    ///
    /// # Errors
    /// `LISTEN_FDS` names descriptors that are not open, or makes no sense.
    pub fn take() -> io::Result<Handed> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Ok(Handed::default());
        }
        let mut sockets = Vec::new();
        for descriptor in sd_notify::listen_fds()? {
            // SAFETY: the descriptor is open, or marking it close-on-exec would have failed; the protocol gives it to
            // this process (`LISTEN_PID` is ours), which has opened nothing at that number, and `TAKEN` sees to it that
            // it gets one owner.
            let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
            let socket = Socket::from(owned);
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        Ok(Handed(Mutex::new(sockets)))
    }

    /// The socket at an address to which clients connect.
    pub fn stream(&self, address: SocketAddr) -> Option<TcpListener> {
        let streams = |socket: &Socket| is(socket, Type::STREAM, address) && socket.is_listener().unwrap_or(false);
        self.matching(streams).next().map(TcpListener::from)
    }

    /// The sockets at an address to which datagrams are sent: several, if they share the port.
    pub fn datagrams(&self, address: SocketAddr) -> Vec<UdpSocket> {
        self.matching(|socket| is(socket, Type::DGRAM, address)).map(UdpSocket::from).collect()
    }

    /// Addresses of those that nobody asked for.
    pub fn left(&self) -> Vec<String> {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |socket: &Socket| match socket.local_addr().ok().and_then(|address| address.as_socket()) {
            Some(address) => address.to_string(),
            None => "a socket that is none of the internet's".to_owned(),
        };
        left.iter().map(name).collect()
    }

    /// Takes out those that fit.
    fn matching(&self, fits: impl Fn(&Socket) -> bool) -> std::vec::IntoIter<Socket> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, others) = std::mem::take(&mut *left).into_iter().partition(fits);
        *left = others;
        let found: Vec<Socket> = found;
        found.into_iter()
    }
}

/// Whether a socket is of that kind and at that address. `ListenStream=7070` opens `[::]:7070`, which is any address of
/// either family, so it is found by `0.0.0.0:7070` too.
fn is(socket: &Socket, kind: Type, address: SocketAddr) -> bool {
    let Some(at) = socket.local_addr().ok().and_then(|at| at.as_socket()) else { return false };
    let anywhere = at.port() == address.port() && at.ip().is_unspecified() && address.ip().is_unspecified();
    socket.r#type().is_ok_and(|is| is == kind) && (at == address || anywhere && at.is_ipv6())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_by_kind_and_address() {
        let stream = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = stream.local_addr().unwrap();
        let datagrams = UdpSocket::bind(at).unwrap();
        let handed = Handed(Mutex::new(vec![stream.into(), datagrams.into()]));
        let other = SocketAddr::new([127, 0, 0, 2].into(), at.port());
        assert!(handed.stream(other).is_none() && handed.datagrams(other).is_empty());
        assert_eq!(handed.left(), [at.to_string(), at.to_string()]);
        assert_eq!(handed.datagrams(at).len(), 1);
        assert_eq!(handed.stream(at).unwrap().local_addr().unwrap(), at);
        assert!(handed.stream(at).is_none() && handed.left().is_empty());
    }

    #[test]
    fn any_address_of_either_family_is_any_address() {
        let socket = TcpListener::bind("[::]:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let handed = Handed(Mutex::new(vec![socket.into()]));
        assert!(handed.stream(SocketAddr::from(([127, 0, 0, 1], port))).is_none());
        assert!(handed.stream(SocketAddr::from(([0, 0, 0, 0], port))).is_some());
    }
}
