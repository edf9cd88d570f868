//! The one source of chance.

use std::time::Duration;

/// splitmix64. Everything that real life leaves open (who is first, how long something takes) is drawn from here, so that a seed
/// repeats a run.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The same seed gives the same draws.
    pub(crate) fn new(seed: u64) -> Self {
        // The store seeds its ids with the plain seed.
        Self(seed ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.bits().checked_rem(bound).unwrap_or_default()).unwrap_or_default()
    }

    /// A duration between the two, in steps of a microsecond.
    pub(crate) fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        least + Duration::from_micros(self.bits() % span)
    }

    /// Puts a list into a random order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_itself() {
        let draws = |seed| {
            let mut rng = Rng::new(seed);
            let mut list: Vec<u32> = (0..10).collect();
            rng.shuffle(&mut list);
            (list, rng.between((Duration::from_millis(5), Duration::from_millis(9))))
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1).0, draws(2).0);
        let (_, span) = draws(3);
        assert!((5..=9).contains(&span.as_millis()), "{span:?}");
    }

    #[test]
    fn below_nothing_is_nothing() {
        assert_eq!(Rng::new(1).below(0), 0);
        assert_eq!(Rng::new(1).below(1), 0);
    }
}
