//! Packets of the last half minute and the answers they got: a client that missed the answer sends the same packet again
//! and gets the same answer.
//!
//! Does not know sockets, nor what a packet says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tokio::time::Instant;

/// How long an answer is kept: clients give up after half a minute (radiusclient: three times ten seconds).
pub(super) const KEPT: Duration = Duration::from_secs(30);
/// Answers kept at most, some 10 MB; beyond that the oldest goes, and a repeat is told by its content.
const ANSWERS_MAX: usize = 1 << 16;

/// What makes a packet the same (RFC 5080, section 2.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct PacketKey {
    pub(super) client: SocketAddr,
    pub(super) id: u8,
    pub(super) authenticator: [u8; 16],
}

/// What is known of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// Never seen, or forgotten.
    New,
    /// On its way; its answer will come.
    OnItsWay,
    /// Answered with this.
    Answered(Box<[u8]>),
}

/// The packets of one socket.
#[derive(Debug, Default)]
pub(super) struct Cache {
    packets: HashMap<PacketKey, Known, RandomState>,
    order: VecDeque<(Instant, PacketKey)>,
}

impl Cache {
    pub(super) fn look(&self, key: &PacketKey) -> Known {
        self.packets.get(key).cloned().unwrap_or(Known::New)
    }

    /// A packet that is on its way now.
    pub(super) fn begin(&mut self, key: PacketKey, now: Instant) {
        while let Some((since, oldest)) = self.order.front().copied()
            && (self.order.len() >= ANSWERS_MAX || now.duration_since(since) >= KEPT)
        {
            self.order.pop_front();
            self.packets.remove(&oldest);
        }
        if self.packets.insert(key, Known::OnItsWay).is_none() {
            self.order.push_back((now, key));
        }
    }

    /// Its answer; one that is forgotten by now is not taken up again.
    pub(super) fn answered(&mut self, key: &PacketKey, answer: Box<[u8]>) {
        if let Some(known) = self.packets.get_mut(key) {
            *known = Known::Answered(answer);
        }
    }

    /// It was not taken: the next time it is new.
    pub(super) fn failed(&mut self, key: &PacketKey) {
        self.packets.remove(key);
        self.order.retain(|(_, known)| known != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_a_while() {
        let key = |id| PacketKey { client: "127.0.0.1:1".parse().unwrap(), id, authenticator: [id; 16] };
        let (mut cache, start) = (Cache::default(), Instant::now());
        assert_eq!(cache.look(&key(1)), Known::New);
        cache.begin(key(1), start);
        assert_eq!(cache.look(&key(1)), Known::OnItsWay);
        cache.answered(&key(1), [9].into());
        assert_eq!(cache.look(&key(1)), Known::Answered([9].into()));
        cache.begin(key(2), start + KEPT / 2);
        cache.failed(&key(2));
        assert_eq!((cache.look(&key(2)), cache.order.len()), (Known::New, 1));
        cache.begin(key(3), start + KEPT);
        assert_eq!((cache.look(&key(1)), cache.look(&key(3))), (Known::New, Known::OnItsWay));
        cache.answered(&key(1), [9].into());
        assert_eq!(cache.look(&key(1)), Known::New);
        for i in 0..ANSWERS_MAX + 5 {
            let other =
                PacketKey { client: SocketAddr::new([10, 0, 0, 1].into(), (i % 65_536) as u16), ..key(i as u8) };
            cache.begin(PacketKey { authenticator: (i as u128).to_be_bytes(), ..other }, start + KEPT);
        }
        assert_eq!((cache.packets.len(), cache.order.len()), (ANSWERS_MAX, ANSWERS_MAX));
    }
}
