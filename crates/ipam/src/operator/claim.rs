//! Taking blocks out of the pools of one family: `allocateIPNet` and `allocateFirstFreeCIDR`.

use super::pool::Pool;
use crate::golang::Net;
use crate::version::Generation;

/// Why blocks were not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClaimError {
    /// Every block of a requested CIDR belongs to somebody else: `ErrCIDRAllocated`.
    Taken(Net),
    /// Anything else, as it is reported.
    Refused(String),
}

impl ClaimError {
    pub(crate) fn text(&self, generation: Generation) -> String {
        match self {
            Self::Taken(cidr) => format!("requested CIDR ({}) is already allocated", cidr.show(generation)),
            Self::Refused(text) => text.clone(),
        }
    }
}

/// What was taken, so that it can be given back.
#[derive(Debug, Default)]
pub(crate) struct Taken(Vec<(usize, Net)>);

impl Taken {
    /// Frees the blocks again, last first. Blocks that somebody else shares are freed as well, as in Cilium. The place where
    /// the search for a free block starts is not moved back.
    pub(crate) fn undo(self, pools: &mut [Pool]) {
        for (index, cidr) in self.0.into_iter().rev() {
            // Released from the pool it was just taken from: it cannot be out of range.
            let _ = pools[index].release(cidr);
        }
    }
}

/// Claims the CIDRs, all or none: each from the first pool that it overlaps.
pub(crate) fn claim(pools: &mut [Pool], cidrs: &[Net], generation: Generation) -> Result<Taken, ClaimError> {
    let mut taken = Taken::default();
    for cidr in cidrs {
        match claim_one(pools, *cidr, generation) {
            Ok(index) => taken.0.push((index, *cidr)),
            Err(error) => {
                taken.undo(pools);
                return Err(error);
            }
        }
    }
    Ok(taken)
}

fn claim_one(pools: &mut [Pool], cidr: Net, generation: Generation) -> Result<usize, ClaimError> {
    let Some((index, pool)) = pools.iter_mut().enumerate().find(|(_, pool)| pool.in_range(cidr)) else {
        let shown = cidr.show(generation);
        return Err(ClaimError::Refused(format!("allocator not configured for the requested CIDR {shown}")));
    };
    if pool.is_full() {
        return Err(ClaimError::Refused(format!("allocator {pool} full")));
    }
    if pool.is_allocated(cidr).map_err(ClaimError::Refused)? {
        return Err(ClaimError::Taken(cidr));
    }
    pool.occupy(cidr).map_err(ClaimError::Refused)?;
    Ok(index)
}

/// The next free block of the first pool that has one.
pub(crate) fn next_free(pools: &mut [Pool]) -> Result<(Net, Taken), ClaimError> {
    for (index, pool) in pools.iter_mut().enumerate() {
        if let Some(cidr) = pool.allocate_next() {
            return Ok((cidr, Taken(vec![(index, cidr)])));
        }
    }
    Err(ClaimError::Refused("allocator full".to_owned()))
}
