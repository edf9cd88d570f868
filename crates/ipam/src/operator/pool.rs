//! One pool: `pkg/ipam/cidrset/cidr_set.go`.

use ipnet::IpNet;

use crate::cidr::SlotSet;
use crate::golang::Net;
use crate::version::Generation;

/// A pool cut into blocks, which of them are used, and where the search for the next one starts (next-fit).
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    net: Net,
    /// The node mask, as configured: any integer that passed the checks.
    mask: i64,
    slots: u64,
    used: SlotSet,
    next: u64,
    generation: Generation,
}

/// What can be seen of a pool from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    /// The pool's CIDR; `None` for the oddities that only Go's types can hold.
    pub cidr: Option<IpNet>,
    /// The node mask as configured.
    pub mask: i64,
    /// How many blocks it has. 0 when the mask is shorter than the pool's own prefix.
    pub slots: u64,
    /// How many of them are used.
    pub used: u64,
    /// The block with which the search for a free one starts.
    pub next: u64,
    /// The used blocks, as ranges of numbers from 0: first and one past the last, ascending.
    pub used_ranges: Vec<(u64, u64)>,
}

/// Why a pool cannot be made of a CIDR and a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolShapeError {
    /// More than 65,536 blocks in an IPv6 pool.
    #[error("New CIDR set failed; the node CIDR size is too big")]
    TooManyBlocks,
    /// A mask that the family does not have.
    #[error("SubNetMask is invalid, should be lower or equal to 32 for IPv4 and to 128 for IPv6")]
    InvalidMask,
}

impl Pool {
    /// `NewCIDRSet`. A mask shorter than the pool's prefix makes a pool that is full from the start.
    pub(crate) fn new(net: Net, mask: i64, generation: Generation) -> Result<Self, PoolShapeError> {
        let net = net.masked();
        let difference = mask - i64::from(net.len());
        if net.is_v4(generation) {
            if mask > 32 {
                return Err(PoolShapeError::InvalidMask);
            }
        } else if mask > 128 {
            return Err(PoolShapeError::InvalidMask);
        } else if difference > 16 {
            return Err(PoolShapeError::TooManyBlocks);
        }
        // Go: `1 << uint32(difference)`, which is 0 for a negative difference.
        let slots = u32::try_from(difference).ok().and_then(|bits| 1_u64.checked_shl(bits)).unwrap_or(0);
        Ok(Self { net, mask, slots, used: SlotSet::default(), next: 0, generation })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used.len() == self.slots
    }

    pub(crate) fn in_range(&self, cidr: Net) -> bool {
        self.net.in_range(cidr, self.generation)
    }

    /// Takes the next free block. `None` when the pool is full.
    pub(crate) fn allocate_next(&mut self) -> Option<Net> {
        if self.is_full() {
            return None;
        }
        let mut candidate = self.used.next_free(self.next);
        if candidate >= self.slots {
            candidate = self.used.next_free(0);
        }
        self.next = (candidate + 1) % self.slots;
        self.used.insert(candidate, candidate + 1);
        Some(self.block(candidate))
    }

    fn block(&self, index: u64) -> Net {
        let mask = u8::try_from(self.mask).unwrap_or(0);
        if self.net.is_wide() {
            let offset = u128::from(index).checked_shl(128 - u32::from(mask)).unwrap_or(0);
            Net::wide(self.net.addr() | offset, mask)
        } else {
            let offset = u128::from(index).checked_shl(32 - u32::from(mask)).unwrap_or(0);
            Net::narrow(u32::try_from((self.net.addr() | offset) & u128::from(u32::MAX)).unwrap_or(0), mask)
        }
    }

    /// Whether every block that the CIDR touches is used.
    pub(crate) fn is_allocated(&self, cidr: Net) -> Result<bool, String> {
        let (begin, end) = self.indices(cidr)?;
        Ok(self.used.contains_all(begin, end))
    }

    /// Marks every block that the CIDR touches. The search for the next free one is not moved.
    pub(crate) fn occupy(&mut self, cidr: Net) -> Result<(), String> {
        let (begin, end) = self.indices(cidr)?;
        self.used.insert(begin, end);
        Ok(())
    }

    /// Frees every block that the CIDR touches, whoever has it.
    pub(crate) fn release(&mut self, cidr: Net) -> Result<(), String> {
        let (begin, end) = self.indices(cidr)?;
        self.used.remove(begin, end);
        Ok(())
    }

    /// `getBeginningAndEndIndices`, with an exclusive end.
    fn indices(&self, cidr: Net) -> Result<(u64, u64), String> {
        if !self.in_range(cidr) {
            let (cidr, pool) = (cidr.show(self.generation), self.net.show(self.generation));
            return Err(format!("cidr {cidr} is out the range of cluster cidr {pool}"));
        }
        if self.net.len() >= cidr.len() {
            return Ok((0, self.slots));
        }
        let (first, last) = self.ends(cidr);
        Ok((self.index(first)?, self.index(last)? + 1))
    }

    /// First and last address of the CIDR, in the width of the pool.
    fn ends(&self, cidr: Net) -> (u128, u128) {
        if self.net.is_wide() {
            return (cidr.addr(), cidr.addr() | !crate::golang::mask128(cidr.len()));
        }
        let first = cidr.to4().map_or(0, u128::from);
        if cidr.is_wide() {
            // A mapped CIDR: Go reads the first 4 of its 16 bytes as the address and gets 0.
            (first, 0)
        } else {
            (first, first | (!crate::golang::mask32(cidr.len()) & u128::from(u32::MAX)))
        }
    }

    /// `getIndexForIP`: the block of an address.
    fn index(&self, addr: u128) -> Result<u64, String> {
        let mask = u8::try_from(self.mask).unwrap_or(0);
        let (width, limit, bits) = if self.net.is_wide() {
            (128, u128::from(self.slots), crate::golang::mask128(mask))
        } else {
            // `uint32(maxCIDRs)`: a pool of 2^32 blocks has none for this check.
            (32, u128::from(self.slots) & u128::from(u32::MAX), crate::golang::mask32(mask))
        };
        let aligned = addr & bits;
        let index = (self.net.addr() ^ aligned).checked_shr(width - u32::from(mask)).unwrap_or(0);
        match u64::try_from(index) {
            Ok(found) if index < limit => Ok(found),
            _ => {
                let shown = if self.net.is_wide() {
                    std::net::Ipv6Addr::from(aligned).to_string()
                } else {
                    std::net::Ipv4Addr::from(u32::try_from(aligned).unwrap_or(0)).to_string()
                };
                Err(format!("CIDR: {shown}/{} is out of the range of CIDR allocator", self.mask))
            }
        }
    }

    pub(crate) fn view(&self) -> PoolView {
        PoolView {
            cidr: self.net.to_ipnet(),
            mask: self.mask,
            slots: self.slots,
            used: self.used.len(),
            next: self.next,
            used_ranges: self.used.ranges().collect(),
        }
    }
}

/// As Cilium names a pool in its errors.
impl std::fmt::Display for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "clusterCIDR: {}, nodeMask: {}", self.net.show(self.generation), self.mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golang::parse_prefix;
    use rstest::rstest;

    fn net(text: &str) -> Net {
        parse_prefix(text).unwrap()
    }

    fn pool(text: &str, mask: i64) -> Pool {
        Pool::new(net(text), mask, Generation::G20).unwrap()
    }

    #[rstest]
    #[case("10.0.0.0/8", 24, 65_536)]
    #[case("10.0.0.0/8", 32, 1 << 24)]
    #[case("0.0.0.0/0", 32, 1 << 32)]
    #[case("10.0.0.0/30", 24, 0)]
    #[case("10.0.0.0/8", 0, 0)]
    #[case("10.0.0.0/8", -1, 0)]
    #[case("192.168.54.16/26", 28, 4)]
    #[case("fd00::/104", 120, 65_536)]
    #[case("fd00::/120", 104, 0)]
    fn capacity(#[case] cidr: &str, #[case] mask: i64, #[case] slots: u64) {
        assert_eq!(pool(cidr, mask).view().slots, slots);
    }

    #[rstest]
    #[case("10.0.0.0/8", 33, PoolShapeError::InvalidMask)]
    #[case("fd00::/104", 129, PoolShapeError::InvalidMask)]
    #[case("fd00::/64", 120, PoolShapeError::TooManyBlocks)]
    fn refused_shapes(#[case] cidr: &str, #[case] mask: i64, #[case] error: PoolShapeError) {
        assert_eq!(Pool::new(net(cidr), mask, Generation::G20).unwrap_err(), error);
    }

    #[test]
    fn next_fit_wraps() {
        let mut pool = pool("10.0.0.0/30", 32);
        let taken: Vec<_> = std::iter::from_fn(|| pool.allocate_next()).map(|net| net.to_string()).collect();
        assert_eq!(taken, ["10.0.0.0/32", "10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"]);
        pool.release(net("10.0.0.1/32")).unwrap();
        assert_eq!(pool.allocate_next().unwrap().to_string(), "10.0.0.1/32");
        pool.release(net("10.0.0.0/31")).unwrap();
        // The search goes on behind the last one that was given out.
        assert_eq!(pool.allocate_next().unwrap().to_string(), "10.0.0.0/32");
    }

    #[test]
    fn ipv6_blocks_cross_the_halves() {
        let mut pool = pool("fd00::/60", 72);
        pool.occupy(net("fd00:0:0:f:ff00::/72")).unwrap();
        assert_eq!(pool.view().used_ranges, [(4095, 4096)]);
        pool.occupy(net("fd00::/63")).unwrap();
        assert_eq!(pool.allocate_next().unwrap().to_string(), "fd00:0:0:2::/72");
    }

    #[test]
    fn four_billion_blocks_cannot_be_claimed() {
        let mut pool = pool("0.0.0.0/0", 32);
        let error = pool.occupy(net("10.0.0.0/32")).unwrap_err();
        assert_eq!(error, "CIDR: 10.0.0.0/32 is out of the range of CIDR allocator");
        assert_eq!(pool.allocate_next().unwrap().to_string(), "0.0.0.0/32");
    }
}
