//! How long cells take, and the order that ends soonest.

use std::collections::BTreeMap;

use events::ClusterKind;
use semver::Version;
use serde::{Deserialize, Serialize};

/// Times that were measured: milliseconds by kind of cluster, scenario and Cilium version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times(BTreeMap<ClusterKind, BTreeMap<String, BTreeMap<Version, u64>>>);

impl Times {
    /// Takes a measured time over; a later one replaces it.
    pub fn learn(&mut self, cluster: ClusterKind, scenario: &str, cilium: &Version, took_ms: u64) {
        self.0.entry(cluster).or_default().entry(scenario.to_owned()).or_default().insert(cilium.clone(), took_ms);
    }

    /// What a scenario took on that version, or, where it has not run on it, on the others in the middle.
    pub fn of(&self, cluster: ClusterKind, scenario: &str, cilium: &Version) -> Option<u64> {
        let times = self.0.get(&cluster)?.get(scenario)?;
        times.get(cilium).copied().or_else(|| {
            let mut all: Vec<u64> = times.values().copied().collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied()
        })
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is known of a scenario that has never run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// Nodes.
    pub nodes: u32,
    /// Steps that are run.
    pub steps: usize,
    /// Of these, those that restart something or change nodes.
    pub restarts: usize,
}

impl Shape {
    /// A guess in milliseconds: on kind, a cluster with Cilium and its removal take a minute and more by node, a restart half a minute;
    /// on sim it is a matter of how much happens to how many nodes.
    pub fn guess(self, cluster: ClusterKind) -> u64 {
        let (nodes, steps, restarts) = (u64::from(self.nodes), self.steps as u64, self.restarts as u64);
        match cluster {
            ClusterKind::Sim => 20 + nodes * (3 + restarts) + steps,
            ClusterKind::Kind | ClusterKind::Existing => 45_000 + nodes * 5_000 + steps * 2_000 + restarts * 18_000,
        }
    }
}

/// The order in which work of these lengths ends soonest on several hands: the longest first.
pub fn order(lengths: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(lengths[*index]), *index));
    order
}

/// When the last of so many hands is done, if each takes the next piece in [`order`].
pub fn until_done(lengths: &[u64], hands: usize) -> u64 {
    let mut busy = vec![0_u64; hands.max(1)];
    for index in order(lengths) {
        if let Some(free) = busy.iter_mut().min() {
            *free += lengths[index];
        }
    }
    busy.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_has_not_run_takes_the_middle_of_the_others() {
        let mut times = Times::default();
        for (patch, took) in [(1, 10), (2, 30), (3, 20)] {
            times.learn(ClusterKind::Kind, "s", &Version::new(1, 18, patch), took);
        }
        assert_eq!(times.of(ClusterKind::Kind, "s", &Version::new(1, 18, 2)), Some(30));
        assert_eq!(times.of(ClusterKind::Kind, "s", &Version::new(1, 20, 0)), Some(20));
        assert_eq!(times.of(ClusterKind::Sim, "s", &Version::new(1, 18, 2)), None);
        assert_eq!(times.of(ClusterKind::Kind, "t", &Version::new(1, 18, 2)), None);
    }

    #[test]
    fn the_longest_goes_first_and_the_end_is_told() {
        assert_eq!(order(&[1, 5, 3, 5]), [1, 3, 2, 0]);
        assert_eq!(until_done(&[1, 5, 3, 5], 1), 14);
        // 5 and 5 side by side, then 3 beside 1.
        assert_eq!(until_done(&[1, 5, 3, 5], 2), 8);
        assert_eq!(until_done(&[], 2), 0);
    }

    #[test]
    fn more_of_anything_takes_longer() {
        let small = Shape { nodes: 2, steps: 3, restarts: 0 };
        for cluster in [ClusterKind::Kind, ClusterKind::Sim] {
            for more in [Shape { nodes: 3, ..small }, Shape { steps: 4, ..small }, Shape { restarts: 1, ..small }] {
                assert!(more.guess(cluster) > small.guess(cluster), "{more:?} on {cluster}");
            }
        }
    }
}
