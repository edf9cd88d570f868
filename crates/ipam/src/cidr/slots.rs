//! A set of slot numbers as disjoint ranges: what is used of a pool.
//!
//! Ranges, not bits: a pool of 2^32 slots costs nothing until it is used, claiming all of it costs as much as claiming one
//! slot, and the next free slot is one look-up away. Every operation is O(log n) in the number of ranges.

use std::collections::BTreeMap;

/// A set of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SlotSet {
    /// Start to end (exclusive); no two ranges overlap or touch.
    ranges: BTreeMap<u64, u64>,
    len: u64,
}

impl SlotSet {
    /// How many numbers are in it.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether all of `start..end` is in it. The empty range is.
    pub(crate) fn contains_all(&self, start: u64, end: u64) -> bool {
        start >= end || self.ranges.range(..=start).next_back().is_some_and(|(_, stop)| *stop >= end)
    }

    /// Adds all of `start..end`.
    pub(crate) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut from, mut to) = (start, end);
        // Ranges that overlap or touch are taken out and become part of the new one.
        while let Some((&first, &stop)) = self.ranges.range(..=to).next_back() {
            if stop < from {
                break;
            }
            self.ranges.remove(&first);
            self.len -= stop - first;
            from = from.min(first);
            to = to.max(stop);
        }
        self.ranges.insert(from, to);
        self.len += to - from;
    }

    /// Takes out all of `start..end`.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        while let Some((&first, &stop)) = self.ranges.range(..end).next_back() {
            if stop <= start {
                break;
            }
            self.ranges.remove(&first);
            self.len -= stop - first;
            if stop > end {
                self.ranges.insert(end, stop);
                self.len += stop - end;
            }
            if first < start {
                self.ranges.insert(first, start);
                self.len += start - first;
                break;
            }
        }
    }

    /// The first number from `from` that is not in it.
    pub(crate) fn next_free(&self, from: u64) -> u64 {
        match self.ranges.range(..=from).next_back() {
            Some((_, stop)) if *stop > from => *stop,
            _ => from,
        }
    }

    /// Its ranges, start and end (exclusive), ascending.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(start, end)| (*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn huge_ranges_are_cheap() {
        let mut set = SlotSet::default();
        set.insert(0, 1 << 32);
        set.remove(7, 8);
        assert_eq!((set.len(), set.next_free(0), set.next_free(8)), ((1 << 32) - 1, 7, 1 << 32));
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(steps in prop::collection::vec((any::<bool>(), 0_u64..40, 0_u64..12), 0..60)) {
            let (mut set, mut reference) = (SlotSet::default(), BTreeSet::new());
            for (add, start, size) in steps {
                let end = start + size;
                if add {
                    set.insert(start, end);
                    reference.extend(start..end);
                } else {
                    set.remove(start, end);
                    reference.retain(|slot| !(start..end).contains(slot));
                }
                prop_assert_eq!(set.len(), reference.len() as u64);
                prop_assert_eq!(set.contains_all(start, end), (start..end).all(|slot| reference.contains(&slot)));
                let free = (start..).find(|slot| !reference.contains(slot));
                prop_assert_eq!(Some(set.next_free(start)), free);
                let ranges: Vec<_> = set.ranges().collect();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "ranges touch: {:?}", ranges);
            }
        }
    }
}
