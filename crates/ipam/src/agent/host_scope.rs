//! The allocator of one node: one CIDR, its first and last address left out, a random start and then the next free one.
//! `pkg/ipam/service/ipallocator/allocator.go`, `pkg/ipam/service/allocator/bitmap.go`, `pkg/ipam/hostscope.go`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::infra::Draw;
use crate::cidr::SlotSet;

/// The addresses of one CIDR, and which of them are taken.
#[derive(Debug, Clone)]
pub struct HostScope {
    cidr: IpNet,
    /// The first address that is given out.
    base: u128,
    capacity: u64,
    taken: SlotSet,
}

/// There is no free address left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("range is full")]
pub struct RangeFull;

/// Why one particular address is not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefused {
    /// It is outside, or the first or last of a CIDR with more than two addresses.
    #[error("provided IP is not in the valid range. The range of valid IPs is {range}")]
    NotInRange {
        /// The CIDR.
        range: IpNet,
    },
    /// Somebody has it.
    #[error("provided IP is already allocated")]
    Taken,
}

impl HostScope {
    /// Over a CIDR; its host bits are dropped.
    pub fn new(cidr: IpNet) -> Self {
        let cidr = cidr.trunc();
        let size = range_size(&cidr);
        let reserved = size > 2;
        let capacity = if reserved { size - 2 } else { size };
        Self { cidr, base: number(cidr.addr()) + u128::from(reserved), capacity, taken: SlotSet::default() }
    }

    /// The CIDR.
    pub fn cidr(&self) -> IpNet {
        self.cidr
    }

    /// How many addresses it can give out: 254 of a /24, 6 of a /29, 2 of a /30 or a /31, 1 of a /32.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How many are taken.
    pub fn used(&self) -> u64 {
        self.taken.len()
    }

    /// Takes a particular address.
    ///
    /// # Errors
    /// When it is not one of this CIDR's, or not free.
    pub fn claim(&mut self, address: IpAddr) -> Result<(), ClaimRefused> {
        let slot = self.slot(address).ok_or(ClaimRefused::NotInRange { range: self.cidr })?;
        if self.taken.contains_all(slot, slot + 1) {
            return Err(ClaimRefused::Taken);
        }
        self.taken.insert(slot, slot + 1);
        Ok(())
    }

    /// Takes the first free address from the drawn place on, around the end.
    ///
    /// # Errors
    /// When there is none.
    pub fn allocate(&mut self, draw: &mut dyn Draw) -> Result<IpAddr, RangeFull> {
        if self.taken.len() >= self.capacity {
            return Err(RangeFull);
        }
        let start = draw.below(self.capacity).min(self.capacity - 1);
        let mut slot = self.taken.next_free(start);
        if slot >= self.capacity {
            slot = self.taken.next_free(0);
        }
        self.taken.insert(slot, slot + 1);
        Ok(self.address(slot))
    }

    /// Gives an address back. One that is not taken stays free.
    pub fn release(&mut self, address: IpAddr) {
        if let Some(slot) = self.slot(address) {
            self.taken.remove(slot, slot + 1);
        }
    }

    /// Whether an address is taken.
    pub fn has(&self, address: IpAddr) -> bool {
        self.slot(address).is_some_and(|slot| self.taken.contains_all(slot, slot + 1))
    }

    /// As `cilium-dbg status` shows it: `5/254 allocated from 10.0.1.0/24`.
    pub fn status(&self) -> String {
        let host_bits = u32::from(self.cidr.max_prefix_len() - self.cidr.prefix_len());
        // CountIPsInCIDR: 2^n - 2, and 0 for a single address.
        let total = match host_bits {
            0 => "0".to_owned(),
            128 => "340282366920938463463374607431768211454".to_owned(),
            bits => ((1_u128 << bits) - 2).to_string(),
        };
        format!("{}/{total} allocated from {}", self.used(), self.cidr)
    }

    fn slot(&self, address: IpAddr) -> Option<u64> {
        if !self.cidr.contains(&address) {
            return None;
        }
        let slot = u64::try_from(number(address).checked_sub(self.base)?).ok()?;
        (slot < self.capacity).then_some(slot)
    }

    fn address(&self, slot: u64) -> IpAddr {
        let address = self.base + u128::from(slot);
        match self.cidr {
            IpNet::V4(_) => IpAddr::V4(u32::try_from(address).unwrap_or(u32::MAX).into()),
            IpNet::V6(_) => IpAddr::V6(address.into()),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// `RangeSize`: 0 for half of the address space and more, 65,536 at most for IPv6.
fn range_size(cidr: &IpNet) -> u64 {
    let host_bits = u32::from(cidr.max_prefix_len() - cidr.prefix_len());
    match cidr {
        IpNet::V4(_) if host_bits >= 31 => 0,
        IpNet::V6(_) if host_bits >= 127 => 0,
        IpNet::V6(_) if host_bits >= 16 => 1 << 16,
        _ => 1 << host_bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.0/24", 254, "10.0.0.1", "10.0.0.254", "0/254")]
    #[case("10.0.0.0/29", 6, "10.0.0.1", "10.0.0.6", "0/6")]
    #[case("10.0.0.0/30", 2, "10.0.0.1", "10.0.0.2", "0/2")]
    #[case("10.0.0.0/31", 2, "10.0.0.0", "10.0.0.1", "0/0")]
    #[case("10.0.0.7/32", 1, "10.0.0.7", "10.0.0.7", "0/0")]
    #[case("10.0.0.9/16", 65_534, "10.0.0.1", "10.0.255.254", "0/65534")]
    #[case("fd00::/112", 65_534, "fd00::1", "fd00::fffe", "0/65534")]
    #[case("fd00::/64", 65_534, "fd00::1", "fd00::fffe", "0/18446744073709551614")]
    #[case("fd00::/127", 2, "fd00::", "fd00::1", "0/0")]
    fn sizes(#[case] cidr: &str, #[case] capacity: u64, #[case] first: &str, #[case] last: &str, #[case] status: &str) {
        let mut range = HostScope::new(cidr.parse().unwrap());
        assert_eq!((range.capacity(), range.status().split(' ').next()), (capacity, Some(status)));
        assert_eq!(range.allocate(&mut |_| 0).unwrap().to_string(), first);
        if capacity > 1 {
            assert_eq!(range.allocate(&mut |max| max - 1).unwrap().to_string(), last);
        }
    }

    #[rstest]
    #[case("0.0.0.0/0")]
    #[case("0.0.0.0/1")]
    #[case("::/1")]
    fn ranges_without_addresses(#[case] cidr: &str) {
        let mut range = HostScope::new(cidr.parse().unwrap());
        assert_eq!((range.capacity(), range.allocate(&mut |_| 0)), (0, Err(RangeFull)));
    }

    #[test]
    fn first_and_last_are_not_given() {
        let mut range = HostScope::new("10.244.1.0/24".parse().unwrap());
        for address in ["10.244.1.0", "10.244.1.255", "10.0.1.23", "fd00::1"] {
            let error = range.claim(address.parse().unwrap()).unwrap_err();
            let text = "provided IP is not in the valid range. The range of valid IPs is 10.244.1.0/24";
            assert_eq!(error.to_string(), text);
        }
        range.claim("10.244.1.7".parse().unwrap()).unwrap();
        let error = range.claim("10.244.1.7".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "provided IP is already allocated");
        assert_eq!(range.status(), "1/254 allocated from 10.244.1.0/24");
    }

    proptest! {
        #[test]
        fn gives_every_address_once_and_again_when_released(seed: u64, len in 24_u8..=32) {
            let cidr: IpNet = format!("10.1.2.0/{len}").parse().unwrap();
            let mut range = HostScope::new(cidr);
            let mut state = seed;
            let mut draw = move |max: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % max
            };
            let mut given = std::collections::BTreeSet::new();
            while let Ok(address) = range.allocate(&mut draw) {
                prop_assert!(cidr.contains(&address) && given.insert(address), "{} twice or outside", address);
            }
            prop_assert_eq!(given.len() as u64, range.capacity());
            let back = *given.first().unwrap();
            range.release(back);
            prop_assert_eq!(range.allocate(&mut draw), Ok(back));
        }
    }
}
