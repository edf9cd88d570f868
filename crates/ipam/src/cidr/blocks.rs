//! A CIDR cut into equal blocks.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A CIDR cut into blocks of one size, numbered from its start. Cheap whatever the size: every answer is arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    net: IpNet,
    block_len: u8,
}

/// Why a CIDR cannot be cut like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlocksError {
    /// The blocks would be larger than the CIDR.
    #[error("{net} is smaller than a block of /{block_len}")]
    Smaller {
        /// The CIDR.
        net: IpNet,
        /// Prefix length of a block.
        block_len: u8,
    },
    /// The prefix length does not exist in that family.
    #[error("/{block_len} is longer than an address of {net}")]
    TooLong {
        /// The CIDR.
        net: IpNet,
        /// Prefix length of a block.
        block_len: u8,
    },
}

impl Blocks {
    /// Cuts `net` (its host bits are dropped) into blocks of prefix length `block_len`.
    ///
    /// # Errors
    /// When no block fits, or when the length does not exist in the family.
    pub fn new(net: IpNet, block_len: u8) -> Result<Self, BlocksError> {
        let net = net.trunc();
        if block_len > net.max_prefix_len() {
            Err(BlocksError::TooLong { net, block_len })
        } else if block_len < net.prefix_len() {
            Err(BlocksError::Smaller { net, block_len })
        } else {
            Ok(Self { net, block_len })
        }
    }

    /// The CIDR.
    pub fn net(&self) -> IpNet {
        self.net
    }

    /// Prefix length of a block.
    pub fn block_len(&self) -> u8 {
        self.block_len
    }

    /// How many blocks there are; `u128::MAX` stands for the one number that does not fit, 2^128.
    pub fn count(&self) -> u128 {
        1_u128.checked_shl(u32::from(self.block_len - self.net.prefix_len())).unwrap_or(u128::MAX)
    }

    /// Block number `index`, from 0.
    pub fn nth(&self, index: u128) -> Option<IpNet> {
        if index >= self.count() {
            return None;
        }
        match self.net {
            IpNet::V4(net) => {
                let offset = u32::try_from(index).ok()?.checked_shl(32 - u32::from(self.block_len)).unwrap_or(0);
                let addr = Ipv4Addr::from(u32::from(net.network()) | offset);
                Ipv4Net::new(addr, self.block_len).ok().map(IpNet::V4)
            }
            IpNet::V6(net) => {
                let offset = index.checked_shl(128 - u32::from(self.block_len)).unwrap_or(0);
                let addr = Ipv6Addr::from(u128::from(net.network()) | offset);
                Ipv6Net::new(addr, self.block_len).ok().map(IpNet::V6)
            }
        }
    }

    /// The numbers of the blocks that `other` touches, first and last; `None` when it lies outside.
    pub fn touched_by(&self, other: &IpNet) -> Option<(u128, u128)> {
        if self.net.contains(other) {
            let (first, last) = (bits(&other.trunc()), bits(&other.trunc()) | host_mask(other));
            let base = bits(&self.net);
            let shift = u32::from(self.net.max_prefix_len() - self.block_len);
            let number = |addr: u128| (addr - base).checked_shr(shift).unwrap_or(0);
            Some((number(first), number(last)))
        } else if other.contains(&self.net) {
            Some((0, self.count() - 1))
        } else {
            None
        }
    }
}

fn bits(net: &IpNet) -> u128 {
    match net {
        IpNet::V4(net) => u128::from(u32::from(net.addr())),
        IpNet::V6(net) => u128::from(net.addr()),
    }
}

fn host_mask(net: &IpNet) -> u128 {
    let host_bits = u32::from(net.max_prefix_len() - net.prefix_len());
    1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.0/8", 24, 65_536, "10.255.255.0/24")]
    #[case("10.0.5.7/16", 24, 256, "10.0.255.0/24")]
    #[case("10.0.0.0/30", 30, 1, "10.0.0.0/30")]
    #[case("0.0.0.0/0", 32, 1 << 32, "255.255.255.255/32")]
    #[case("0.0.0.0/0", 0, 1, "0.0.0.0/0")]
    #[case("fd00::/104", 120, 65_536, "fd00::ff:ff00/120")]
    #[case("::/0", 128, u128::MAX, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128")]
    fn counts_and_numbers(#[case] net: &str, #[case] len: u8, #[case] count: u128, #[case] last: &str) {
        let blocks = Blocks::new(net.parse().unwrap(), len).unwrap();
        assert_eq!(blocks.count(), count);
        assert_eq!(blocks.nth(count - 1).unwrap().to_string(), last);
        assert_eq!(blocks.nth(count), None);
    }

    #[test]
    fn refuses_impossible_cuts() {
        let error = Blocks::new("10.0.0.0/30".parse().unwrap(), 24).unwrap_err();
        assert_eq!(error.to_string(), "10.0.0.0/30 is smaller than a block of /24");
        let error = Blocks::new("10.0.0.0/30".parse().unwrap(), 33).unwrap_err();
        assert_eq!(error.to_string(), "/33 is longer than an address of 10.0.0.0/30");
    }

    #[rstest]
    #[case("10.0.2.0/23", Some((2, 3)))]
    #[case("10.0.7.9/32", Some((7, 7)))]
    #[case("10.0.0.0/8", Some((0, 255)))]
    #[case("10.1.0.0/24", None)]
    #[case("fd00::/8", None)]
    fn touched(#[case] other: &str, #[case] expected: Option<(u128, u128)>) {
        let blocks = Blocks::new("10.0.0.0/16".parse().unwrap(), 24).unwrap();
        assert_eq!(blocks.touched_by(&other.parse().unwrap()), expected);
    }

    proptest! {
        #[test]
        fn a_block_touches_itself_alone(addr: u32, len in 0_u8..=32, extra in 0_u8..=32, index: u32) {
            let net = IpNet::V4(Ipv4Net::new(Ipv4Addr::from(addr), len).unwrap());
            let blocks = Blocks::new(net, len.saturating_add(extra).min(32)).unwrap();
            let index = u128::from(index) % blocks.count();
            let block = blocks.nth(index).unwrap();
            prop_assert_eq!(blocks.touched_by(&block), Some((index, index)));
            prop_assert!(blocks.net().contains(&block));
        }
    }
}
