//! The signatures of RFC 2866 (section 3) and RFC 3579 (section 3.2), by a secret that both sides know.
//!
//! Does not know whose secret it is.

use md5::{Digest, Md5};

use super::attributes as a;
use super::{ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, HEAD, Packet};

/// Whether a request was signed with that secret: its authenticator and, where it brings one, its
/// Message-Authenticator.
pub fn is_genuine(packet: &Packet<'_>, secret: &[u8]) -> bool {
    let bytes = packet.bytes();
    // The authenticator of anything but an accounting request is a random number; such a packet must bring the other.
    let accounting = packet.code() == ACCOUNTING_REQUEST;
    if accounting {
        let mut hash = Md5::new();
        hash.update(&bytes[..4]);
        hash.update([0; 16]);
        hash.update(&bytes[HEAD..]);
        hash.update(secret);
        if !equal(&hash.finalize().into(), &packet.authenticator()) {
            return false;
        }
    }
    match message_authenticator(bytes) {
        None => accounting,
        Some(at) => {
            let Some(given) = bytes.get(at..at + 16).and_then(|given| given.try_into().ok()) else { return false };
            let mut blank = bytes.to_vec();
            blank[at..at + 16].fill(0);
            if accounting {
                blank[4..HEAD].fill(0);
            }
            equal(&hmac(secret, &blank), &given)
        }
    }
}

/// The answer to a request: its Proxy-State attributes in their order, signed; with a Message-Authenticator if the
/// request had one.
pub fn response(request: &Packet<'_>, secret: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&[ACCOUNTING_RESPONSE, request.id(), 0, 0]);
    out.extend_from_slice(&request.authenticator());
    for state in request.attributes().filter(|attribute| attribute.kind == a::PROXY_STATE) {
        out.extend_from_slice(&[a::PROXY_STATE, state.value.len() as u8 + 2]);
        out.extend_from_slice(state.value);
    }
    let signed = message_authenticator(request.bytes()).map(|_| {
        out.extend_from_slice(&[a::MESSAGE_AUTHENTICATOR, 18]);
        out.resize(out.len() + 16, 0);
        out.len() - 16
    });
    let length = (out.len() as u16).to_be_bytes();
    out[2..4].copy_from_slice(&length);
    if let Some(at) = signed {
        // With the request's authenticator still in its place.
        let code = hmac(secret, &out);
        out[at..].copy_from_slice(&code);
    }
    let mut hash = Md5::new();
    hash.update(&out);
    hash.update(secret);
    let authenticator: [u8; 16] = hash.finalize().into();
    out[4..HEAD].copy_from_slice(&authenticator);
    out
}

/// Signs an accounting request whose authenticator is blank: what a client does.
pub fn sign_request(packet: &mut [u8], secret: &[u8]) {
    let Some(length) = packet.len().checked_sub(HEAD).and_then(|_| u16::try_from(packet.len()).ok()) else { return };
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet[4..HEAD].fill(0);
    if let Some(at) = message_authenticator(packet).filter(|at| at + 16 <= packet.len()) {
        packet[at..at + 16].fill(0);
        let code = hmac(secret, packet);
        packet[at..at + 16].copy_from_slice(&code);
    }
    let mut hash = Md5::new();
    hash.update(&*packet);
    hash.update(secret);
    let authenticator: [u8; 16] = hash.finalize().into();
    packet[4..HEAD].copy_from_slice(&authenticator);
}

/// Where the value of the Message-Authenticator begins.
fn message_authenticator(packet: &[u8]) -> Option<usize> {
    let mut at = HEAD;
    while let (Some(kind), Some(length)) = (packet.get(at), packet.get(at + 1)) {
        if *kind == a::MESSAGE_AUTHENTICATOR {
            // One of another length cannot be right; the caller sees that there is one.
            return Some(if *length == 18 { at + 2 } else { packet.len() });
        }
        at += usize::from(*length).max(2);
    }
    None
}

/// HMAC-MD5 (RFC 2104).
fn hmac(secret: &[u8], message: &[u8]) -> [u8; 16] {
    let mut key = [0u8; 64];
    if secret.len() > key.len() {
        key[..16].copy_from_slice(&Md5::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let mut inner = Md5::new();
    inner.update(key.map(|byte| byte ^ 0x36));
    inner.update(message);
    let mut outer = Md5::new();
    outer.update(key.map(|byte| byte ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// Compares without telling by the time it takes where the first difference is.
fn equal(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, section 2: cases 1, 2, 3 and 6.
    #[test]
    fn hmac_agrees_with_the_published_cases() {
        let hex = |bytes: [u8; 16]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(hmac(&[0x0b; 16], b"Hi There")), "9294727a3638bb1c13f48ef8158bfc9d");
        assert_eq!(hex(hmac(b"Jefe", b"what do ya want for nothing?")), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(hex(hmac(&[0xaa; 16], &[0xdd; 50])), "56be34521d144c88dbb8c733f0e8b3f6");
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(hmac(&[0xaa; 80], text)), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }
}
