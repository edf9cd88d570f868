//! Go's two representations of a CIDR, `net.IPNet` (<= 1.19) and `netip.Prefix` (1.20), in one type.
//!
//! They differ only for IPv4-mapped IPv6 addresses (`::ffff:10.0.0.0/104`): `net` takes them for IPv4 at most places,
//! `netip` never does.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::version::Generation;

/// A CIDR with the width of its representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Net {
    /// The address; an IPv4 one in the low 32 bits. May have host bits set.
    addr: u128,
    /// Prefix length, counted in the own width.
    len: u8,
    /// 16 bytes instead of 4.
    wide: bool,
}

/// An address with the width of its representation, as `net.IP` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ip {
    addr: u128,
    wide: bool,
}

const MAPPED: u128 = 0xffff;

impl Ip {
    /// `IP.To4`: the IPv4 address, also out of a mapped one.
    fn to4(self) -> Option<u32> {
        if !self.wide {
            u32::try_from(self.addr).ok()
        } else if self.addr >> 32 == MAPPED {
            u32::try_from(self.addr & u128::from(u32::MAX)).ok()
        } else {
            None
        }
    }

    /// `IP.Mask` with the mask of a net of that width and length. `None` where Go answers nil.
    fn mask(self, len: u8, wide: bool) -> Option<Self> {
        match (self.wide, wide) {
            (true, true) => Some(Self { addr: self.addr & mask128(len), wide: true }),
            (false, false) => Some(Self { addr: self.addr & mask32(len), wide: false }),
            // A 16 byte mask whose first 12 bytes are all ones works on 4 bytes.
            (false, true) => (len >= 96).then(|| Self { addr: self.addr & mask32(len - 96), wide: false }),
            (true, false) => self.to4().map(|v4| Self { addr: u128::from(v4) & mask32(len), wide: false }),
        }
    }
}

/// The mask of an IPv6 prefix length.
pub(crate) fn mask128(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

/// The mask of an IPv4 prefix length, in the low 32 bits.
pub(crate) fn mask32(len: u8) -> u128 {
    u128::from(u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0))
}

impl Net {
    /// An IPv4 CIDR.
    pub(crate) fn narrow(addr: u32, len: u8) -> Self {
        Self { addr: u128::from(addr), len, wide: false }
    }

    /// An IPv6 CIDR, possibly IPv4-mapped.
    pub(crate) fn wide(addr: u128, len: u8) -> Self {
        Self { addr, len, wide: true }
    }

    /// Without its host bits.
    pub(crate) fn masked(self) -> Self {
        let mask = if self.wide { mask128(self.len) } else { mask32(self.len) };
        Self { addr: self.addr & mask, ..self }
    }

    pub(crate) fn len(self) -> u8 {
        self.len
    }

    pub(crate) fn addr(self) -> u128 {
        self.addr
    }

    pub(crate) fn is_wide(self) -> bool {
        self.wide
    }

    fn ip(self) -> Ip {
        Ip { addr: self.addr, wide: self.wide }
    }

    /// Whether its address counts as IPv4: for `net` a mapped one does, for `netip` only a real one.
    pub(crate) fn is_v4(self, generation: Generation) -> bool {
        match generation {
            Generation::Legacy => self.ip().to4().is_some(),
            Generation::G20 => !self.wide,
        }
    }

    /// The IPv4 address, if it [is one](Self::is_v4) for `net`.
    pub(crate) fn to4(self) -> Option<u32> {
        self.ip().to4()
    }

    /// Whether its own address lies in `other` or the other way round, as `cidrset.CidrSet.InRange` asks it.
    /// `self` is the pool.
    pub(crate) fn in_range(self, other: Self, generation: Generation) -> bool {
        match generation {
            Generation::Legacy => {
                let into_self = other.ip().mask(self.len, self.wide).is_some_and(|ip| self.contains(ip));
                into_self || self.ip().mask(other.len, other.wide).is_some_and(|ip| other.contains(ip))
            }
            Generation::G20 => {
                let len = self.len.min(other.len);
                self.wide == other.wide && Self { len, ..self }.masked().addr == Self { len, ..other }.masked().addr
            }
        }
    }

    /// `IPNet.Contains`.
    fn contains(self, ip: Ip) -> bool {
        match (self.to4(), ip.to4()) {
            (Some(net), Some(ip)) => {
                // networkNumberAndMask shortens a 16 byte mask to its last 4 bytes.
                let len = if self.wide { self.len.saturating_sub(96) } else { self.len };
                u128::from(net) & mask32(len) == u128::from(ip) & mask32(len)
            }
            (None, None) => self.addr & mask128(self.len) == ip.addr & mask128(self.len),
            _ => false,
        }
    }

    /// `cidr.Equal` (<= 1.19) or `==` (1.20).
    pub(crate) fn same(self, other: Self, generation: Generation) -> bool {
        match generation {
            Generation::Legacy => {
                let same_ip = match (self.to4(), other.to4()) {
                    (Some(a), Some(b)) => a == b,
                    (None, None) => self.addr == other.addr,
                    _ => false,
                };
                same_ip && (self.len, self.wide) == (other.len, other.wide)
            }
            Generation::G20 => self == other,
        }
    }

    /// As that generation prints it.
    pub(crate) fn show(self, generation: Generation) -> String {
        match (generation, self.to4()) {
            (Generation::Legacy, Some(v4)) => {
                let len = if self.wide { self.len.saturating_sub(96) } else { self.len };
                format!("{}/{len}", Ipv4Addr::from(v4))
            }
            _ => self.to_string(),
        }
    }

    /// As `ipnet` has it.
    pub(crate) fn to_ipnet(self) -> Option<IpNet> {
        self.show(Generation::Legacy).parse().ok()
    }
}

/// As `netip.Prefix` prints it.
impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.wide, u32::try_from(self.addr)) {
            (false, Ok(addr)) => write!(f, "{}/{}", Ipv4Addr::from(addr), self.len),
            _ => write!(f, "{}/{}", Ipv6Addr::from(self.addr), self.len),
        }
    }
}

impl From<IpNet> for Net {
    fn from(net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => Self::narrow(net.addr().into(), net.prefix_len()),
            IpNet::V6(net) => Self::wide(net.addr().into(), net.prefix_len()),
        }
    }
}
