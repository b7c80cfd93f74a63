//! Types of attributes, and those of a packet that say something of a call, found in one pass.
//!
//! Does not know what they mean together.

use super::{Packet, sub_attributes};

/// User-Name.
pub const USER_NAME: u8 = 1;
/// NAS-IP-Address.
pub const NAS_IP_ADDRESS: u8 = 4;
/// Service-Type.
pub const SERVICE_TYPE: u8 = 6;
/// Vendor-Specific.
pub const VENDOR: u8 = 26;
/// Called-Station-Id.
pub const CALLED_STATION: u8 = 30;
/// Calling-Station-Id.
pub const CALLING_STATION: u8 = 31;
/// NAS-Identifier.
pub const NAS_IDENTIFIER: u8 = 32;
/// Proxy-State.
pub const PROXY_STATE: u8 = 33;
/// Acct-Status-Type.
pub const STATUS_TYPE: u8 = 40;
/// Acct-Delay-Time, seconds.
pub const DELAY_TIME: u8 = 41;
/// Acct-Session-Id.
pub const SESSION_ID: u8 = 44;
/// Acct-Session-Time, seconds.
pub const SESSION_TIME: u8 = 46;
/// Acct-Terminate-Cause.
pub const TERMINATE_CAUSE: u8 = 49;
/// Event-Timestamp, seconds since 1970.
pub const EVENT_TIMESTAMP: u8 = 55;
/// Message-Authenticator.
pub const MESSAGE_AUTHENTICATOR: u8 = 80;
/// NAS-IPv6-Address.
pub const NAS_IPV6_ADDRESS: u8 = 95;
/// Sip-Method, where Service-Type is Sip-Session (elsewhere the number is that of Error-Cause).
pub const SIP_METHOD: u8 = 101;
/// Sip-Response-Code, likewise.
pub const SIP_RESPONSE_CODE: u8 = 102;
/// Sip-To-Tag, likewise.
pub const SIP_TO_TAG: u8 = 104;
/// Sip-From-Tag, likewise.
pub const SIP_FROM_TAG: u8 = 105;

/// Service-Type of Kamailio's and OpenSIPS' accounting.
pub const SIP_SESSION: u32 = 15;

/// Vendors.
const CISCO: u32 = 9;
const ACME: u32 = 9148;
const ASTERISK: u32 = 22736;

/// What Asterisk says of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asterisk<'a> {
    pub(super) account: &'a [u8],
    pub(super) source: &'a [u8],
    pub(super) destination: &'a [u8],
    pub(super) to_channel: &'a [u8],
    pub(super) start: &'a [u8],
    pub(super) answer: &'a [u8],
    pub(super) end: &'a [u8],
    pub(super) talk: Option<u32>,
    pub(super) disposition: &'a [u8],
    pub(super) unique_id: &'a [u8],
}

/// The attributes that say something; absent text is empty. Of several of one type the first counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) status: Option<u32>,
    pub(super) session_id: &'a [u8],
    pub(super) session_time: Option<u32>,
    pub(super) delay: u32,
    pub(super) event: Option<u32>,
    pub(super) user_name: &'a [u8],
    pub(super) calling: &'a [u8],
    pub(super) called: &'a [u8],
    pub(super) nas_identifier: &'a [u8],
    pub(super) nas_address: &'a [u8],
    pub(super) service: Option<u32>,
    pub(super) terminate_cause: Option<u32>,
    pub(super) sip_method: Option<u32>,
    pub(super) sip_code: Option<u32>,
    pub(super) from_tag: &'a [u8],
    pub(super) to_tag: &'a [u8],
    pub(super) conference: &'a [u8],
    pub(super) origin: &'a [u8],
    pub(super) setup: &'a [u8],
    pub(super) connect: &'a [u8],
    pub(super) disconnect: &'a [u8],
    pub(super) disconnect_cause: &'a [u8],
    pub(super) account_code: &'a [u8],
    pub(super) redirecting: &'a [u8],
    pub(super) acme_status: Option<u32>,
    pub(super) asterisk: Option<Asterisk<'a>>,
}

impl<'a> Said<'a> {
    pub(super) fn of(packet: &Packet<'a>) -> Said<'a> {
        let mut said = Said::default();
        for attribute in packet.attributes() {
            let value = attribute.value;
            match attribute.kind {
                STATUS_TYPE => first_number(&mut said.status, value),
                SESSION_ID => first(&mut said.session_id, value),
                SESSION_TIME => first_number(&mut said.session_time, value),
                DELAY_TIME => said.delay = number(value).unwrap_or(0),
                EVENT_TIMESTAMP => first_number(&mut said.event, value),
                USER_NAME => first(&mut said.user_name, value),
                CALLING_STATION => first(&mut said.calling, value),
                CALLED_STATION => first(&mut said.called, value),
                NAS_IDENTIFIER => first(&mut said.nas_identifier, value),
                NAS_IP_ADDRESS | NAS_IPV6_ADDRESS => first(&mut said.nas_address, value),
                SERVICE_TYPE => first_number(&mut said.service, value),
                TERMINATE_CAUSE => first_number(&mut said.terminate_cause, value),
                SIP_METHOD => first_number(&mut said.sip_method, value),
                SIP_RESPONSE_CODE => first_number(&mut said.sip_code, value),
                SIP_TO_TAG => first(&mut said.to_tag, value),
                SIP_FROM_TAG => first(&mut said.from_tag, value),
                VENDOR => said.vendor(value),
                _ => {}
            }
        }
        said
    }

    fn vendor(&mut self, value: &'a [u8]) {
        let Some((vendor, inside)) = value.split_first_chunk::<4>() else { return };
        let vendor = u32::from_be_bytes(*vendor);
        if !matches!(vendor, CISCO | ACME | ASTERISK) {
            return;
        }
        for attribute in sub_attributes(inside) {
            match vendor {
                CISCO => self.cisco(attribute.kind, attribute.value),
                ACME if attribute.kind == 71 => first_number(&mut self.acme_status, attribute.value),
                ASTERISK => self.asterisk(attribute.kind, attribute.value),
                _ => {}
            }
        }
    }

    fn cisco(&mut self, kind: u8, value: &'a [u8]) {
        match kind {
            1 => self.pair(value),
            24 => first(&mut self.conference, behind(b"h323-conf-id=", value)),
            25 => first(&mut self.setup, behind(b"h323-setup-time=", value)),
            26 => first(&mut self.origin, behind(b"h323-call-origin=", value)),
            28 => first(&mut self.connect, behind(b"h323-connect-time=", value)),
            29 => first(&mut self.disconnect, behind(b"h323-disconnect-time=", value)),
            30 => first(&mut self.disconnect_cause, behind(b"h323-disconnect-cause=", value)),
            _ => {}
        }
    }

    /// Cisco-AVPair, `name=value`.
    fn pair(&mut self, value: &'a [u8]) {
        if let Some(code) = value.strip_prefix(b"h323-ivr-out=accountcode:") {
            first(&mut self.account_code, code);
        } else if let Some(number) = value.strip_prefix(b"gw-rxd-rdn=") {
            first(&mut self.redirecting, number);
        }
    }

    fn asterisk(&mut self, kind: u8, value: &'a [u8]) {
        let said = self.asterisk.get_or_insert_default();
        match kind {
            101 => first(&mut said.account, value),
            102 => first(&mut said.source, value),
            103 => first(&mut said.destination, value),
            107 => first(&mut said.to_channel, value),
            110 => first(&mut said.start, value),
            111 => first(&mut said.answer, value),
            112 => first(&mut said.end, value),
            114 => first_number(&mut said.talk, value),
            115 => first(&mut said.disposition, value),
            117 => first(&mut said.unique_id, value),
            _ => {}
        }
    }
}

fn first<'a>(place: &mut &'a [u8], value: &'a [u8]) {
    if place.is_empty() {
        *place = value;
    }
}

fn first_number(place: &mut Option<u32>, value: &[u8]) {
    if place.is_none() {
        *place = number(value);
    }
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

/// The value behind its own name, which is this one as a rule.
#[inline(always)]
fn behind<'a, const N: usize>(name: &[u8; N], value: &'a [u8]) -> &'a [u8] {
    match value.split_first_chunk::<N>() {
        Some((front, rest)) if front == name => rest,
        _ => unnamed(value),
    }
}

/// The value behind its own name, which many vendors repeat: `h323-setup-time=14:30:25.429 GMT …`.
fn unnamed(value: &[u8]) -> &[u8] {
    let named = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
    match value.iter().position(|b| !named(b)) {
        Some(at) if at > 0 && value[at] == b'=' => &value[at + 1..],
        _ => value,
    }
}
