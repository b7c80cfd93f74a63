//! RADIUS accounting (RFC 2866): the packet, its signature, and what it says of a call.
//!
//! ```text
//! code u8 │ id u8 │ length u16 │ authenticator 16 │ attributes: type u8 │ length u8 │ value
//! ```
//! A packet is read in three steps, so that nothing is looked into before it is known to be genuine: [`Packet::read`]
//! checks the frame, [`sign`] the shared secret, [`decode`] says what the attributes mean.
//!
//! Does not know sockets, clocks, or which client has which secret.

pub mod attributes;
mod call;
pub mod sign;
mod text;
mod times;

use std::sync::Arc;

use super::formats::{Build, Named};
use super::{Decode, Format, Framing, Line, Origin, Refusal, Scratch};
use crate::time::Zone;

pub use call::decode;
pub(super) use times::Day as GatewayDay;

/// Code of an accounting request.
pub const ACCOUNTING_REQUEST: u8 = 4;
/// Code of the answer to it.
pub const ACCOUNTING_RESPONSE: u8 = 5;
/// Code of a question whether we are there (RFC 5997), answered like an accounting request.
pub const STATUS_SERVER: u8 = 12;
/// Bytes before the attributes.
pub const HEAD: usize = 20;
/// Longest packet (RFC 2866, section 3).
pub const PACKET_MAX: usize = 4095;

/// A packet whose frame is sound: every attribute lies within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
}

/// One attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// Its type.
    pub kind: u8,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram; what follows the packet's own length is padding. None: no RADIUS packet.
    pub fn read(datagram: &'a [u8]) -> Option<Packet<'a>> {
        let length = usize::from(u16::from_be_bytes([*datagram.get(2)?, *datagram.get(3)?]));
        if !(HEAD..=PACKET_MAX).contains(&length) {
            return None;
        }
        let packet = Packet { bytes: datagram.get(..length)? };
        let mut rest = packet.bytes.get(HEAD..)?;
        while let Some(length) = rest.get(1) {
            if *length < 2 {
                return None;
            }
            rest = rest.get(usize::from(*length)..)?;
        }
        rest.is_empty().then_some(packet)
    }

    /// The packet, without padding.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it is.
    pub fn code(&self) -> u8 {
        self.bytes[0]
    }

    /// Matches an answer to its request.
    pub fn id(&self) -> u8 {
        self.bytes[1]
    }

    /// The signature.
    pub fn authenticator(&self) -> [u8; 16] {
        self.bytes.get(4..HEAD).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
    }

    /// Its attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        sub_attributes(self.bytes.get(HEAD..).unwrap_or_default())
    }
}

/// Attributes one after the other, as in a packet and in most vendors' own attribute; ends at the first that is not sound.
pub fn sub_attributes(bytes: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [kind, length, ..] = *rest else { return None };
        let value = rest.get(2..usize::from(length))?;
        rest = rest.get(usize::from(length)..)?;
        Some(Attribute { kind, value })
    })
}

/// Which leg of a call through a gateway counts (Cisco's `h323-call-origin`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CallOrigin {
    /// The leg that the gateway answered: from the customer.
    #[default]
    Answer,
    /// The leg that the gateway originated: to the carrier.
    Originate,
    /// Both: the answered leg as the caller's, the originated one as the called side's.
    Both,
}

/// What a client's packets are read by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// The node, where it is given; else what the packet says: NAS-Identifier, NAS-IP-Address, else the client's address.
    pub node: Box<[u8]>,
    /// Zone of times whose zone is not known by its name; none: such times are refused.
    pub zone: Option<Zone>,
    /// Zones by the names that the client's clock gives them.
    pub zones: Vec<(Box<[u8]>, Zone)>,
    /// Which leg counts.
    pub call_origin: CallOrigin,
    /// User-Name names the account.
    pub user_name_is_account: bool,
    /// Acct-Session-Time is the talk time, even where the packet brings connect and disconnect times.
    pub session_time: bool,
}

/// The name of the format in metrics.
pub const NAME: &str = "radius";

/// The format by name: of packets whose signature was asked for by the door.
pub fn format() -> Format {
    let about = "RADIUS accounting packets".to_owned();
    Format::Named(Arc::new(Named { name: NAME.into(), about, framing: Framing::Lines, build: Build::Code(Reader::of) }))
}

/// Reads packets whose signature nobody asks for: those of a file.
#[derive(Debug, Default)]
pub struct Reader(Reading);

impl Reader {
    /// A reader of what comes from there.
    pub fn of(origin: &Origin) -> Box<dyn Decode> {
        let (node, zone) = (origin.node.clone(), Some(origin.zone.clone()));
        Box::new(Reader(Reading { node, zone, ..Reading::default() }))
    }
}

impl Decode for Reader {
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let packet = Packet::read(message).ok_or(Refusal::Radius("its lengths do not fit"))?;
        decode(&packet, &self.0, None, scratch)
    }
}

#[cfg(test)]
mod tests;
