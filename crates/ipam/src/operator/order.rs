//! What real life leaves open: the order in which Go walks over a map, or a watch delivers its first list.

/// A place where the order is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// The CiliumNodes that exist when the operator starts (always by name up to 1.18).
    InitialList,
    /// The nodes without podCIDRs, served once the first list is through.
    Postponed,
    /// The writes of one batch.
    Writes,
}

/// Decides an open order. The names come in ascending order.
pub trait Order {
    /// Brings `names` into the order in which they are handled.
    fn arrange(&mut self, choice: Choice, names: &mut [String]);
}

/// Always by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByName;

impl Order for ByName {
    fn arrange(&mut self, _choice: Choice, _names: &mut [String]) {}
}

/// A permutation drawn from a seed: the same seed and the same calls give the same orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number of the sequence (SplitMix64).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Order for Seeded {
    fn arrange(&mut self, _choice: Choice, names: &mut [String]) {
        // Fisher-Yates; the bias of the remainder is far below what anybody could notice.
        for i in (1..names.len()).rev() {
            let bound = i as u64 + 1;
            let j = usize::try_from(self.next() % bound).unwrap_or(0);
            names.swap(i, j);
        }
    }
}

impl<F: FnMut(Choice, &mut [String])> Order for F {
    fn arrange(&mut self, choice: Choice, names: &mut [String]) {
        self(choice, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_repeat_and_differ() {
        let names: Vec<String> = (0..20).map(|i| format!("n{i:02}")).collect();
        let shuffled = |seed| {
            let mut out = names.clone();
            Seeded::new(seed).arrange(Choice::Postponed, &mut out);
            out
        };
        assert_eq!(shuffled(7), shuffled(7));
        assert_ne!(shuffled(7), shuffled(8));
        let mut sorted = shuffled(7);
        sorted.sort();
        assert_eq!(sorted, names);
    }
}
