//! CIDRs and blocks of CIDRs, by arithmetic on addresses: nothing here walks over hosts.

mod blocks;
mod sets;
mod slots;

pub use blocks::{Blocks, BlocksError};
pub use sets::{
    ListError, contains_addr, is_subset, is_subset_of_any, overlaps, overlaps_any, parse_lenient, parse_list,
};
pub(crate) use slots::SlotSet;
