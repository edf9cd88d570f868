//! How many nodes the pools have room for, by the allocator's own count.

use ipam::operator::{ByName, Change, Event, Family, NodeSnapshot, Operator, OperatorConfig, Timing};
use serde::Serialize;

use crate::Settings;

/// The room of one address family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// Prefix length of a node's range.
    pub mask: i64,
    /// The pools, in their order.
    pub pools: Vec<PoolCapacity>,
    /// Node ranges of all pools.
    pub ranges: u64,
    /// How many are used by the CiliumNodes of the cluster; none without a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// How many nodes there are or will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// The node, counted from the first, that gets no range.
    pub first_without: u64,
}

/// The room of one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolCapacity {
    /// The pool, without host bits.
    pub cidr: String,
    /// Its node ranges.
    pub ranges: u64,
    /// How many are used; none without a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
}

impl Capacity {
    pub(crate) fn family(&self) -> Family {
        if self.family == "IPv4" { Family::V4 } else { Family::V6 }
    }

    /// The share of ranges that is used, in percent; none where nothing is known about nodes, or there is no range.
    pub fn share_used(&self) -> Option<f64> {
        let used = self.used.or(self.nodes)?;
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let share = used as f64 * 100.0 / self.ranges as f64;
        (self.ranges > 0).then_some(share)
    }
}

/// The room that the operator has with these settings; nothing where it does not start, or the mode is another.
pub(crate) fn capacity(settings: &Settings) -> Vec<Capacity> {
    let Ok(config) = OperatorConfig::from_config_map(&settings.config, settings.release) else { return Vec::new() };
    let started = Operator::start(&config, settings.release, Timing::default());
    let (true, Ok(mut operator)) = (settings.is_cluster_pool(), started) else { return Vec::new() };
    if let Some(live) = &settings.live {
        for (name, node) in &live.nodes {
            let node = NodeSnapshot {
                name: name.clone(),
                pod_cidrs: node.pod_cidrs.clone(),
                error: node.error.clone(),
                ..NodeSnapshot::default()
            };
            operator.handle(std::time::Duration::ZERO, Event::Upsert { node, change: Change::Content }, &mut ByName);
        }
    }
    let known = settings.live.is_some();
    let families = Family::BOTH.into_iter().filter(|family| config.family(*family).0);
    families
        .map(|family| {
            let pools: Vec<PoolCapacity> = operator
                .pools(family)
                .map(|pool| PoolCapacity {
                    cidr: pool.cidr.map_or_else(String::new, |cidr| cidr.to_string()),
                    ranges: pool.slots,
                    used: known.then_some(pool.used),
                })
                .collect();
            let ranges = pools.iter().fold(0_u64, |sum, pool| sum.saturating_add(pool.ranges));
            Capacity {
                family: if family == Family::V4 { "IPv4" } else { "IPv6" },
                mask: config.family(family).1.mask,
                used: known.then(|| pools.iter().filter_map(|pool| pool.used).sum()),
                pools,
                ranges,
                nodes: settings.around.node_count,
                first_without: ranges.saturating_add(1),
            }
        })
        .collect()
}
