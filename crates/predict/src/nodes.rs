//! The podCIDRs of Nodes, as kube-controller-manager hands them out: next-fit, one of each family, whatever mode Cilium is in.

use std::collections::{BTreeMap, BTreeSet};

use ipam::cidr::Blocks;
use ipnet::IpNet;

/// A `--cluster-cidr` or mask that kube-controller-manager does not start with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kube-controller-manager's {flag} {value:?} is no prefix length for {net}")]
pub struct KubeRangeError {
    /// The flag.
    pub flag: &'static str,
    /// As written.
    pub value: String,
    /// The range that it is for.
    pub net: IpNet,
}

#[derive(Debug, Clone)]
struct Range {
    blocks: Blocks,
    used: BTreeSet<u128>,
    next: u128,
}

/// kube-controller-manager's ranges.
#[derive(Debug, Clone, Default)]
pub struct KubeRanges {
    ranges: Vec<Range>,
    given: BTreeMap<String, Vec<IpNet>>,
}

impl KubeRanges {
    /// For its flags, without dashes; with `allocate-node-cidrs: "false"` no Node gets anything.
    ///
    /// # Errors
    /// When it would not start.
    pub fn new(pod_subnets: &[IpNet], flags: &BTreeMap<String, String>) -> Result<Self, KubeRangeError> {
        let mut ranges = Vec::new();
        if flags.get("allocate-node-cidrs").is_some_and(|value| value == "false") {
            return Ok(Self::default());
        }
        for net in pod_subnets {
            let (flag, default) = match net {
                IpNet::V4(_) => ("node-cidr-mask-size-ipv4", 24),
                IpNet::V6(_) => ("node-cidr-mask-size-ipv6", 64),
            };
            let single = flags.get("node-cidr-mask-size").filter(|_| pod_subnets.len() == 1);
            let value = flags.get(flag).or(single);
            let error = |value: &str| KubeRangeError { flag, value: value.to_owned(), net: *net };
            let mask = match value {
                None => default,
                Some(text) => text.parse().map_err(|_| error(text))?,
            };
            let blocks = Blocks::new(*net, mask).map_err(|_| error(&mask.to_string()))?;
            ranges.push(Range { blocks, used: BTreeSet::new(), next: 0 });
        }
        Ok(Self { ranges, given: BTreeMap::new() })
    }

    /// The ranges.
    pub fn subnets(&self) -> Vec<IpNet> {
        self.ranges.iter().map(|range| range.blocks.net()).collect()
    }

    /// A new Node's podCIDRs; fewer than there are families, or none, when a range is full.
    pub fn give(&mut self, name: &str) -> Vec<String> {
        let given: Vec<IpNet> = self.ranges.iter_mut().filter_map(Range::take).collect();
        let texts = given.iter().map(ToString::to_string).collect();
        self.given.insert(name.to_owned(), given);
        texts
    }

    /// A Node is gone.
    pub fn release(&mut self, name: &str) {
        for net in self.given.remove(name).unwrap_or_default() {
            for range in &mut self.ranges {
                if let Some((first, _)) = range.blocks.touched_by(&net) {
                    range.used.remove(&first);
                }
            }
        }
    }
}

impl Range {
    fn take(&mut self) -> Option<IpNet> {
        let count = self.blocks.count();
        if u128::try_from(self.used.len()).unwrap_or(u128::MAX) >= count {
            return None;
        }
        let mut block = self.next % count;
        while !self.used.insert(block) {
            block = (block + 1) % count;
        }
        self.next = block + 1;
        self.blocks.nth(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn next_fit_by_the_flags() {
        let nets = ["10.244.0.0/16".parse().unwrap(), "fd00:10:244::/56".parse().unwrap()];
        let mut ranges = KubeRanges::new(&nets, &flags(&[("node-cidr-mask-size-ipv4", "25")])).unwrap();
        assert_eq!(ranges.give("a"), ["10.244.0.0/25", "fd00:10:244::/64"]);
        ranges.release("a");
        assert_eq!(ranges.give("a"), ["10.244.0.128/25", "fd00:10:244:1::/64"]);
        assert!(KubeRanges::new(&nets[..1], &flags(&[("node-cidr-mask-size", "8")])).is_err());
        let mut none = KubeRanges::new(&nets, &flags(&[("allocate-node-cidrs", "false")])).unwrap();
        assert_eq!(none.give("a"), [""; 0]);
    }
}
