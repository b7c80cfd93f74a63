//! HEPv3: a captured message in its envelope of chunks, and the frames of a stream of them.
//!
//! ```text
//! "HEP3" │ length u16 of all │ chunk │ chunk │ …
//! chunk:  vendor u16 │ type u16 │ length u16 with these six bytes │ payload
//! ```
//!
//! Chunks come in any order and number (Kamailio, OpenSIPS, FreeSWITCH and Asterisk each have their own); chunks of other
//! vendors and of unknown types are passed over. Where one stands twice, the first counts.
//!
//! Does not know sockets, nor what the captured message says.

use std::io::Read;

use crate::time::Timestamp;

/// Shortest packet: its head.
const HEAD: usize = 6;
/// Longest captured message after it was unpacked: more than any SIP message over UDP; on TCP larger ones may pass, but
/// what rates a call stands in their first lines.
pub const MESSAGE_MAX: usize = 256 << 10;

/// Why bytes are not a packet of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadHep {
    /// The forms before version 3 carry no time of their own, so no talk time can be had from them.
    #[error("HEP version {0} is not read: set the capture agent to version 3 (Kamailio: hep_version 3)")]
    Old(u8),
    /// No such mark.
    #[error("not a HEP packet: it does not begin with \"HEP3\"")]
    NotHep,
    /// The length does not fit.
    #[error("the HEP packet is cut short or its length is wrong")]
    Length,
    /// A chunk that does not fit.
    #[error("a chunk of the HEP packet does not fit into it")]
    Chunk,
    /// No message in it.
    #[error("the HEP packet has no payload")]
    Empty,
    /// No time in it.
    #[error("the HEP packet has no time stamp")]
    Untimed,
    /// The compressed payload is damaged, or grows beyond the limit.
    #[error("the compressed payload cannot be unpacked to at most {MESSAGE_MAX} bytes")]
    Compressed,
    /// The key is wrong or absent.
    #[error("the authentication key is absent or not the listener's")]
    Key,
}

/// A packet, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// When the message was seen, by the agent's clock.
    pub at: Timestamp,
    /// What was captured: 1 is SIP.
    pub protocol: u8,
    /// The agent's number.
    pub agent: Option<u32>,
    /// The agent's name; empty where it gives none.
    pub node: &'a [u8],
    /// What it shows to be let in; empty where it shows nothing.
    pub key: &'a [u8],
    /// What the agent thinks belongs together; empty where it does not say.
    pub correlation: &'a [u8],
    /// The captured message, perhaps compressed.
    pub payload: Payload<'a>,
}

/// The number of SIP among the captured protocols.
pub const SIP: u8 = 1;

/// The captured message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payload<'a> {
    /// As it was.
    Plain(&'a [u8]),
    /// Compressed by zlib.
    Zlib(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// The message itself; what was compressed is unpacked into `room`.
    ///
    /// Errors: damaged, or larger than [`MESSAGE_MAX`].
    pub fn unpack<'r>(self, room: &'r mut Vec<u8>) -> Result<&'r [u8], BadHep>
    where
        'a: 'r,
    {
        match self {
            Payload::Plain(message) => Ok(message),
            Payload::Zlib(packed) => {
                room.clear();
                // One byte more than is taken shows that there is more.
                let mut unpacking = flate2::read::ZlibDecoder::new(packed).take(MESSAGE_MAX as u64 + 1);
                unpacking.read_to_end(room).map_err(|_| BadHep::Compressed)?;
                if room.len() > MESSAGE_MAX { Err(BadHep::Compressed) } else { Ok(room) }
            }
        }
    }
}

/// Takes a packet apart: a whole datagram, or a frame of a stream.
pub fn read(packet: &[u8]) -> Result<Packet<'_>, BadHep> {
    let length = match length(packet) {
        Length::Of(length) => length,
        Length::Short => return Err(BadHep::Length),
        Length::Not(why) => return Err(why),
    };
    // A datagram may be longer than the packet says: padding.
    let mut rest = packet.get(HEAD..length).ok_or(BadHep::Length)?;
    let (mut seconds, mut micros, mut protocol, mut agent) = (None, None, None, None);
    let (mut node, mut key, mut correlation) = (None, None, None);
    let mut payload = None;
    while !rest.is_empty() {
        let (head, behind) = rest.split_first_chunk::<HEAD>().ok_or(BadHep::Chunk)?;
        let [v0, v1, t0, t1, l0, l1] = *head;
        let size = usize::from(u16::from_be_bytes([l0, l1])).checked_sub(HEAD).ok_or(BadHep::Chunk)?;
        let (value, next) = behind.split_at_checked(size).ok_or(BadHep::Chunk)?;
        rest = next;
        if [v0, v1] != [0, 0] {
            continue;
        }
        match u16::from_be_bytes([t0, t1]) {
            9 => seconds = seconds.or(u32_of(value)),
            10 => micros = micros.or(u32_of(value)),
            11 => protocol = protocol.or(value.first().copied()),
            12 => agent = agent.or(u32_of(value)),
            14 => key = key.or(Some(value)),
            15 => payload = payload.or(Some(Payload::Plain(value))),
            16 => payload = payload.or(Some(Payload::Zlib(value))),
            17 => correlation = correlation.or(Some(value)),
            19 => node = node.or(Some(value)),
            _ => {}
        }
    }
    let at = i64::from(seconds.ok_or(BadHep::Untimed)?) * 1_000_000 + i64::from(micros.unwrap_or(0));
    Ok(Packet {
        at: Timestamp(at),
        protocol: protocol.unwrap_or(SIP),
        agent,
        node: node.unwrap_or_default(),
        key: key.unwrap_or_default(),
        correlation: correlation.unwrap_or_default(),
        payload: payload.ok_or(BadHep::Empty)?,
    })
}

/// How long the packet at the front of a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// So many bytes; they may not all be there yet.
    Of(usize),
    /// Its head is not there yet.
    Short,
    /// It is none; nothing behind it can be understood.
    Not(BadHep),
}

/// Looks at the front of a stream.
pub fn length(stream: &[u8]) -> Length {
    match *stream {
        // Version 1 and 2 begin with their number, and the length of their head.
        [version @ 1..=2, ..] => Length::Not(BadHep::Old(version)),
        [b'H', b'E', b'P', b'3', high, low, ..] => match usize::from(u16::from_be_bytes([high, low])) {
            length if length >= HEAD => Length::Of(length),
            _ => Length::Not(BadHep::Length),
        },
        _ if stream.len() < HEAD && b"HEP3".iter().zip(stream).all(|(ours, theirs)| ours == theirs) => Length::Short,
        _ => Length::Not(BadHep::NotHep),
    }
}

/// Whether a key is the listener's; how long it takes tells nothing of where they differ.
pub fn same_key(shown: &[u8], expected: &[u8]) -> bool {
    // C strings bring their end along.
    let shown = shown.strip_suffix(b"\0").unwrap_or(shown);
    let mut difference = u8::from(shown.len() != expected.len());
    for (at, byte) in expected.iter().enumerate() {
        difference |= byte ^ shown.get(at).copied().unwrap_or(0);
    }
    std::hint::black_box(difference) == 0
}

fn u32_of(value: &[u8]) -> Option<u32> {
    value.try_into().map(u32::from_be_bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn packet(chunks: &[(u16, u16, &[u8])]) -> Vec<u8> {
        let mut packet = b"HEP3\0\0".to_vec();
        for (vendor, kind, value) in chunks {
            packet.extend(vendor.to_be_bytes());
            packet.extend(kind.to_be_bytes());
            packet.extend((value.len() as u16 + 6).to_be_bytes());
            packet.extend(*value);
        }
        let length = packet.len() as u16;
        packet[4..6].copy_from_slice(&length.to_be_bytes());
        packet
    }

    const TIME: [(u16, u16, &[u8]); 2] = [(0, 9, &[0x6b, 2, 0x11, 0x36]), (0, 10, &[0, 7, 0x75, 0x2d])];

    #[test]
    fn chunks_in_any_order_and_unknown_ones() {
        let mut chunks = vec![
            (0, 17, b"corr".as_slice()),
            (0, 15, b"INVITE"),
            (0x8009, 15, b"another vendor's"),
            (0, 99, b""),
            (0, 11, &[1]),
            (0, 12, &[0, 0, 7, 0xd1]),
            (0, 14, b"key"),
            (0, 19, b"sbc1"),
            TIME[0],
            TIME[1],
        ];
        let expected = Packet {
            at: Timestamp(1_795_297_590_488_749),
            protocol: 1,
            agent: Some(2001),
            node: b"sbc1",
            key: b"key",
            correlation: b"corr",
            payload: Payload::Plain(b"INVITE"),
        };
        for _ in 0..chunks.len() {
            chunks.rotate_left(1);
            let mut bytes = packet(&chunks);
            assert_eq!(read(&bytes), Ok(expected));
            bytes.extend(b"padding");
            assert_eq!(read(&bytes), Ok(expected));
        }
        chunks.push((0, 15, b"second"));
        assert_eq!(read(&packet(&chunks)), Ok(expected));
    }

    #[test]
    fn what_is_not_taken_says_why() {
        let payload = (0, 15, b"x".as_slice());
        for (bytes, expected) in [
            (packet(&[TIME[0], TIME[1]]), BadHep::Empty),
            (packet(&[payload]), BadHep::Untimed),
            (b"".to_vec(), BadHep::Length),
            (b"HEP".to_vec(), BadHep::Length),
            (b"HEP3\0\x05".to_vec(), BadHep::Length),
            (b"HEP3\0\xff1".to_vec(), BadHep::Length),
            (b"HEP4\0\x06".to_vec(), BadHep::NotHep),
            (b"INVITE sip:x SIP/2.0".to_vec(), BadHep::NotHep),
            (b"\x01\x10\x02\x11\0\0".to_vec(), BadHep::Old(1)),
            (b"\x02\x10\x02\x11\0\0".to_vec(), BadHep::Old(2)),
            (b"HEP3\0\x0a\0\0\0\x01".to_vec(), BadHep::Chunk),
            (b"HEP3\0\x0c\0\0\0\x01\0\x05".to_vec(), BadHep::Chunk),
            (b"HEP3\0\x0c\0\0\0\x01\0\x07".to_vec(), BadHep::Chunk),
        ] {
            assert_eq!(read(&bytes), Err(expected), "{bytes:?}");
        }
        // A packet cut anywhere is no packet.
        let whole = packet(&[TIME[0], payload]);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err());
        }
    }

    #[test]
    fn compressed_payloads_are_unpacked_within_limits() {
        let pack = |message: &[u8]| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(message).unwrap();
            encoder.finish().unwrap()
        };
        let unpack = |packed: &[u8]| Payload::Zlib(packed).unpack(&mut Vec::new()).map(<[u8]>::to_vec);
        assert_eq!(unpack(&pack(b"INVITE")), Ok(b"INVITE".to_vec()));
        assert_eq!(unpack(&pack(&vec![0; MESSAGE_MAX])).map(|m| m.len()), Ok(MESSAGE_MAX));
        // Some kilobytes that would grow to gigabytes are left when they pass the limit.
        assert_eq!(unpack(&pack(&vec![0; MESSAGE_MAX + 1])), Err(BadHep::Compressed));
        assert_eq!(unpack(b"not zlib"), Err(BadHep::Compressed));
        assert_eq!(unpack(&pack(b"INVITE sip:x")[..10]), Err(BadHep::Compressed));
    }

    #[test]
    fn keys() {
        for (shown, expected, same) in [
            ("secret", "secret", true),
            ("secret\0", "secret", true),
            ("secre", "secret", false),
            ("secrets", "secret", false),
            ("Secret", "secret", false),
            ("", "secret", false),
        ] {
            assert_eq!(same_key(shown.as_bytes(), expected.as_bytes()), same, "{shown:?}");
        }
    }

    #[test]
    fn a_stream_tells_where_a_packet_ends() {
        let whole = packet(&[TIME[0]]);
        for end in 0..6 {
            assert_eq!(length(&whole[..end]), Length::Short, "{end}");
        }
        assert_eq!(length(&whole[..6]), Length::Of(whole.len()));
        assert_eq!(length(b"HEQ"), Length::Not(BadHep::NotHep));
        assert_eq!(length(&[2]), Length::Not(BadHep::Old(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..100), ours in any::<bool>()) {
            if ours {
                let length = (bytes.len() + 6) as u16;
                bytes.splice(0..0, [b"HEP3".as_slice(), &length.to_be_bytes()].concat());
            }
            if let Ok(packet) = read(&bytes) {
                let _ = packet.payload.unpack(&mut Vec::new());
            }
        }
    }
}
