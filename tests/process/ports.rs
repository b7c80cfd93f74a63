//! Ports that nobody else gets.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of this machine for TCP and UDP. It lies below those that the kernel gives to whoever asks for any, so no connection
/// and no socket of another test gets it by accident; and it is this process's until it ends: no test of another gets it here.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + (std::process::id() as u16).wrapping_mul(61).wrapping_add(turn) % 20_000;
        // A name that only one process has, and that leaves nothing behind.
        let name = SocketAddr::from_abstract_name(format!("callrated-tests-port-{port}")).unwrap();
        let Ok(mark) = UnixListener::bind_addr(&name) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            std::mem::forget(mark);
            return port;
        }
    }
}
