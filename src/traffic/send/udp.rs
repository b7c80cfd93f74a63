//! Records over UDP: sent and never answered.
//!
//! Does not know the schedule.

use std::io;

use tokio::net::UdpSocket;

use super::{Line, Report};

/// Lines of one datagram stay within this, so that it crosses an Ethernet whole.
const DATAGRAM_BYTES: usize = 1400;

/// A socket that sends to `address` and nowhere else.
pub(super) async fn udp_socket(address: &str) -> io::Result<UdpSocket> {
    let target = tokio::net::lookup_host(address).await?.next();
    let target = target.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    let local = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(target).await?;
    Ok(socket)
}

/// Sends what is dealt to one socket.
pub(super) async fn over_udp(socket: UdpSocket, mut line: Line) -> Report {
    let mut report = Report::default();
    while let Some(parcel) = line.parcels.recv().await {
        for datagram in datagrams(&parcel.text) {
            let records = datagram.iter().filter(|b| **b == b'\n').count() as u64;
            match socket.send(datagram).await {
                Ok(_) => report.sent += records,
                Err(error) => {
                    report.trouble.get_or_insert(error.to_string());
                }
            }
            let latency = line.since(parcel.due);
            (0..records).for_each(|_| report.latency.record(latency));
            line.settled(records);
        }
    }
    report
}

/// Cuts lines into datagrams of whole lines; a line that is too long for one stands alone.
pub(super) fn datagrams(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        for line in rest.split_inclusive(|b| *b == b'\n') {
            if end > 0 && end + line.len() > DATAGRAM_BYTES {
                break;
            }
            end += line.len();
        }
        let (datagram, behind) = rest.split_at(end);
        rest = behind;
        (!datagram.is_empty()).then_some(datagram)
    })
}
