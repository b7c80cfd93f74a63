//! Who may send: networks in CIDR notation.
//!
//! Does not know what is sent, nor by which protocol.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// One network: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// IPv4 stands in its IPv6-mapped form, so that one comparison serves both.
    bits: u128,
    mask: u128,
}

/// Text that is not a network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Not an address, or not a number behind the slash.
    #[error("{0:?} is not a network: write an address such as 192.0.2.7 or a network such as 10.0.0.0/8")]
    NotNetwork(String),
    /// Bits behind the mask are set: it is unclear which network was meant.
    #[error("{0:?} has bits set behind its mask: did you mean {1}?")]
    HostBits(String, String),
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Network, BadNetwork> {
        let bad = || BadNetwork::NotNetwork(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            // `parse` would take a plus sign.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| bad())?,
            Some(_) => return Err(bad()),
            None => width,
        };
        if length > width {
            return Err(bad());
        }
        let host_bits = width - length;
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        let bits = mapped(address);
        if bits & !mask != 0 {
            let network = Ipv6Addr::from_bits(bits & mask);
            let network = match address {
                IpAddr::V4(_) => network.to_ipv4_mapped().map_or(IpAddr::V6(network), IpAddr::V4),
                IpAddr::V6(_) => IpAddr::V6(network),
            };
            return Err(BadNetwork::HostBits(text.to_owned(), format!("{network}/{length}")));
        }
        Ok(Network { bits, mask })
    }
}

impl Network {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        mapped(address) & self.mask == self.bits
    }

    /// Bits that are fixed: of two networks that hold an address the one with more of them is meant.
    pub fn fixed_bits(&self) -> u32 {
        self.mask.count_ones()
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The networks from which records are taken; only this machine unless said otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allow(Box<[Network]>);

impl Allow {
    /// Exactly these networks.
    pub fn networks(networks: impl IntoIterator<Item = Network>) -> Allow {
        Allow(networks.into_iter().collect())
    }

    /// Whether that address may send.
    pub fn permits(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Default for Allow {
    /// Loopback.
    fn default() -> Allow {
        let v4 = Network { bits: mapped(Ipv4Addr::new(127, 0, 0, 0).into()), mask: u128::MAX << 24 };
        let v6 = Network { bits: mapped(Ipv6Addr::LOCALHOST.into()), mask: u128::MAX };
        Allow::networks([v4, v6])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(networks: &[&str], address: &str, expected: bool) {
        let allow = Allow::networks(networks.iter().map(|n| n.parse().unwrap()));
        assert_eq!(allow.permits(address.parse().unwrap()), expected, "{networks:?} {address}");
    }

    #[test]
    fn networks_hold_their_addresses() {
        check(&["10.0.0.0/8"], "10.255.0.1", true);
        check(&["10.0.0.0/8"], "11.0.0.0", false);
        check(&["10.0.0.0/8"], "::ffff:10.1.2.3", true);
        check(&["192.0.2.7"], "192.0.2.7", true);
        check(&["192.0.2.7"], "192.0.2.6", false);
        check(&["0.0.0.0/0"], "203.0.113.1", true);
        check(&["0.0.0.0/0"], "2001:db8::1", false);
        check(&["2001:db8::/33", "10.0.0.0/31"], "2001:db8:7fff::1", true);
        check(&["2001:db8::/33", "10.0.0.0/31"], "2001:db8:8000::1", false);
        check(&["2001:db8::/33", "10.0.0.0/31"], "10.0.0.1", true);
        check(&["::/0"], "1.2.3.4", true);
        check(&[], "127.0.0.1", false);
    }

    #[test]
    fn only_this_machine_by_default() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::2", false),
        ] {
            assert_eq!(Allow::default().permits(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "::/129", "host/8"] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork::NotNetwork(text.to_owned())));
        }
        let error = "10.1.2.3/8".parse::<Network>().unwrap_err().to_string();
        assert_eq!(error, r#""10.1.2.3/8" has bits set behind its mask: did you mean 10.0.0.0/8?"#);
        let error = "2001:db8::1/64".parse::<Network>().unwrap_err().to_string();
        assert_eq!(error, r#""2001:db8::1/64" has bits set behind its mask: did you mean 2001:db8::/64?"#);
    }
}
