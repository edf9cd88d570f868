//! podCIDRs of Nodes, as kube-controller-manager hands them out (pkg/controller/nodeipam/ipam, RangeAllocator).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::nodes::NodeFacts;
use crate::store::Resource;
use crate::tree::tree;
use crate::world::{ByName, Context, Key, Name, Names, Note, Source, Task};

/// One family's range, in blocks; the next free block after the last one is taken, around the end.
#[derive(Debug)]
struct Range {
    net: IpNet,
    mask: u8,
    used: BTreeSet<u128>,
    next: u128,
}

impl Range {
    fn blocks(&self) -> u128 {
        let bits = self.mask.saturating_sub(self.net.prefix_len());
        if self.mask < self.net.prefix_len() { 0 } else { 1 << bits.min(126) }
    }

    fn take(&mut self) -> Option<IpNet> {
        let blocks = self.blocks();
        if u128::try_from(self.used.len()).unwrap_or(u128::MAX) >= blocks {
            return None;
        }
        let mut block = self.next % blocks;
        while !self.used.insert(block) {
            block = (block + 1) % blocks;
        }
        self.next = block + 1;
        self.cidr(block)
    }

    fn cidr(&self, block: u128) -> Option<IpNet> {
        let host_bits = u32::from(self.net.max_prefix_len() - self.mask);
        let offset = block.checked_shl(host_bits)?;
        match self.net.network() {
            std::net::IpAddr::V4(base) => {
                let address = u32::from(base).checked_add(u32::try_from(offset).ok()?)?;
                IpNet::new(std::net::Ipv4Addr::from(address).into(), self.mask).ok()
            }
            std::net::IpAddr::V6(base) => {
                let address = u128::from(base).checked_add(offset)?;
                IpNet::new(std::net::Ipv6Addr::from(address).into(), self.mask).ok()
            }
        }
    }

    fn block_of(&self, cidr: &IpNet) -> Option<u128> {
        if !self.net.contains(cidr) {
            return None;
        }
        let host_bits = u32::from(self.net.max_prefix_len() - self.mask);
        let offset = match (cidr.network(), self.net.network()) {
            (std::net::IpAddr::V4(at), std::net::IpAddr::V4(base)) => u128::from(u32::from(at) - u32::from(base)),
            (std::net::IpAddr::V6(at), std::net::IpAddr::V6(base)) => u128::from(at) - u128::from(base),
            _ => return None,
        };
        Some(offset.checked_shr(host_bits).unwrap_or_default())
    }
}

/// A `--cluster-cidr` or mask that kube-controller-manager would not start with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NodeIpamError {
    #[error("pod subnet {0:?} is not a CIDR")]
    Subnet(String),
    #[error("controller-manager flag {flag}: {value:?} is not a prefix length for {net}")]
    Mask { flag: &'static str, value: String, net: IpNet },
}

/// The controller.
#[derive(Debug, Default)]
pub(crate) struct NodeIpam {
    ranges: Vec<Range>,
    given: ByName<Vec<IpNet>>,
    queued: Names,
}

impl NodeIpam {
    /// For kube-controller-manager's flags; without `allocate-node-cidrs`, no Node ever gets anything.
    pub(crate) fn new(pod_subnet: &str, flags: &BTreeMap<String, String>) -> Result<Self, NodeIpamError> {
        if flags.get("allocate-node-cidrs").is_some_and(|value| value == "false") {
            return Ok(Self::default());
        }
        let subnets = flags.get("cluster-cidr").map_or(pod_subnet, String::as_str);
        let mut ranges = Vec::new();
        let texts: Vec<&str> = subnets.split(',').map(str::trim).filter(|text| !text.is_empty()).collect();
        for text in &texts {
            let net: IpNet = text.parse().map_err(|_| NodeIpamError::Subnet((*text).to_owned()))?;
            let (flag, default) = match net {
                IpNet::V4(_) => ("node-cidr-mask-size-ipv4", 24),
                IpNet::V6(_) => ("node-cidr-mask-size-ipv6", 64),
            };
            let single = flags.get("node-cidr-mask-size").filter(|_| texts.len() == 1);
            let mask = match flags.get(flag).or(single) {
                None => default,
                Some(value) => value
                    .parse()
                    .ok()
                    .filter(|mask| (net.prefix_len()..=net.max_prefix_len()).contains(mask))
                    .ok_or_else(|| NodeIpamError::Mask { flag, value: value.clone(), net })?,
            };
            ranges.push(Range { net: net.trunc(), mask, used: BTreeSet::new(), next: 0 });
        }
        Ok(Self { ranges, given: ByName::default(), queued: Names::default() })
    }

    pub(crate) fn node_changed(&mut self, cx: &mut Context, before: Option<&NodeFacts>, after: Option<&NodeFacts>) {
        if self.ranges.is_empty() {
            return;
        }
        let replaced = after.zip(before).is_some_and(|(after, before)| after.uid != before.uid);
        if (after.is_none() || replaced)
            && let Some(node) = before
        {
            self.release(&node.name);
        }
        let Some(node) = after else { return };
        if node.pod_cidrs.is_empty() {
            if self.queued.insert(node.name.clone()) {
                let span = cx.pace.reconcile;
                cx.later(span, Task::NodeCidr(node.name.clone()));
            }
        } else if !self.given.contains_key(&node.name) {
            let cidrs: Vec<IpNet> = node.pod_cidrs.iter().filter_map(|text| text.parse().ok()).collect();
            for (range, cidr) in self.ranges.iter_mut().zip(&cidrs) {
                if let Some(block) = range.block_of(cidr) {
                    range.used.insert(block);
                }
            }
            self.given.insert(node.name.clone(), cidrs);
        }
    }

    fn release(&mut self, node: &Name) {
        for (cidr, range) in self.given.remove(node).into_iter().flatten().zip(&mut self.ranges) {
            if let Some(block) = range.block_of(&cidr) {
                range.used.remove(&block);
            }
        }
    }

    /// Gives a Node its podCIDRs. They cannot be changed any more.
    pub(crate) fn allocate(&mut self, cx: &mut Context, name: &Name) {
        self.queued.remove(name);
        let Some(node) = cx.store.find(Resource::Node, "", name) else { return };
        if self.given.contains_key(name) {
            return;
        }
        let mut cidrs = Vec::new();
        for range in &mut self.ranges {
            if let Some(cidr) = range.take() {
                cidrs.push(cidr);
            }
        }
        if cidrs.len() < self.ranges.len() {
            for (cidr, range) in cidrs.iter().zip(&mut self.ranges) {
                if let Some(block) = range.block_of(cidr) {
                    range.used.remove(&block);
                }
            }
            let source = Source { component: "cidrAllocator", host: "" };
            // The text calls every event a warning's reason; its type is Normal (RecordNodeStatusChange).
            let note = Note::normal("CIDRNotAvailable", format!("Node {name} status is now: CIDRNotAvailable"));
            cx.events.write(&cx.store, &node, source, note);
            // The node's next heartbeat makes it try again; freed blocks are seen then.
            self.queued.insert(name.clone());
            cx.timers.after(std::time::Duration::from_secs(60), Task::NodeCidr(name.clone()));
            return;
        }
        let texts: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
        cx.change(Resource::Node, &Key::new("", name), |node| {
            node["spec"]["podCIDR"] = texts[0].clone().into();
            node["spec"]["podCIDRs"] = tree!(texts);
        });
        self.given.insert(name.clone(), cidrs);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[rstest]
    #[case::defaults("10.224.0.0/16", &[], &["10.224.0.0/24", "10.224.1.0/24"])]
    #[case::mask("10.224.0.0/16", &[("node-cidr-mask-size", "25")], &["10.224.0.0/25", "10.224.0.128/25"])]
    #[case::other_subnet("10.224.0.0/16", &[("cluster-cidr", "10.9.0.0/16")], &["10.9.0.0/24", "10.9.1.0/24"])]
    #[case::ipv6("fd00:10:244::/56", &[], &["fd00:10:244::/64", "fd00:10:244:1::/64"])]
    fn takes_blocks_in_order(#[case] subnet: &str, #[case] given: &[(&str, &str)], #[case] expected: &[&str]) {
        let mut ipam = NodeIpam::new(subnet, &flags(given)).unwrap();
        let taken: Vec<String> = (0..2).map(|_| ipam.ranges[0].take().unwrap().to_string()).collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn goes_on_after_the_last_one_and_around_the_end() {
        let mut ipam = NodeIpam::new("10.0.0.0/22", &BTreeMap::new()).unwrap();
        let range = &mut ipam.ranges[0];
        for _ in 0..4 {
            range.take().unwrap();
        }
        assert_eq!(range.take(), None);
        let first = range.block_of(&"10.0.1.0/24".parse().unwrap()).unwrap();
        range.used.remove(&first);
        assert_eq!(range.take().unwrap().to_string(), "10.0.1.0/24");
    }

    #[rstest]
    #[case("10.0.0.0/16", &[("node-cidr-mask-size", "8")])]
    #[case("nonsense", &[])]
    fn refuses(#[case] subnet: &str, #[case] given: &[(&str, &str)]) {
        assert!(NodeIpam::new(subnet, &flags(given)).is_err());
    }

    #[test]
    fn nothing_is_given_when_told_not_to() {
        let ipam = NodeIpam::new("10.0.0.0/16", &flags(&[("allocate-node-cidrs", "false")])).unwrap();
        assert!(ipam.ranges.is_empty());
    }
}
