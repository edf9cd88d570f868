//! Which node has which blocks: `NodesPodCIDRManager`, without its writing.

use std::collections::BTreeMap;

use super::api::{LogLine, NodeSnapshot};
use super::claim::{ClaimError, Taken, claim, next_free};
use super::family::{Family, PerFamily};
use super::order::{Choice, Order};
use super::pool::Pool;
use crate::golang::{Net, parse_cidr, parse_prefix};
use crate::version::Generation;

/// The CIDRs of a node, by family.
pub(crate) type NodeCidrs = PerFamily<Vec<Net>>;

/// What is to be written about a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    /// Its podCIDRs, then its error.
    Spec { pod_cidrs: Vec<String>, error: String },
    /// Its error alone.
    Status { error: String },
}

/// The operator's memory.
#[derive(Debug, Clone)]
pub(crate) struct Allocator {
    generation: Generation,
    pools: PerFamily<Vec<Pool>>,
    nodes: BTreeMap<String, NodeCidrs>,
    /// Nodes that wait for the first list to be through, as they were when they came.
    postponed: BTreeMap<String, NodeSnapshot>,
    ready: bool,
    log: Vec<LogLine>,
}

/// What became of a node's request.
enum Reused {
    /// Something was taken.
    Allocated,
    /// Nothing was to be done.
    Unchanged,
}

impl Allocator {
    pub(crate) fn new(pools: PerFamily<Vec<Pool>>, generation: Generation) -> Self {
        Self { generation, pools, nodes: BTreeMap::new(), postponed: BTreeMap::new(), ready: false, log: Vec::new() }
    }

    pub(crate) fn pools(&self) -> &PerFamily<Vec<Pool>> {
        &self.pools
    }

    /// What the operator remembers of a node, IPv4 before IPv6; `None` for a node that it has given nothing.
    pub(crate) fn record(&self, name: &str) -> Option<Vec<String>> {
        self.nodes.get(name).map(|cidrs| self.texts(cidrs))
    }

    pub(crate) fn record_names(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(crate) fn take_log(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.log)
    }

    fn texts(&self, cidrs: &NodeCidrs) -> Vec<String> {
        cidrs.v4.iter().chain(&cidrs.v6).map(|cidr| cidr.show(self.generation)).collect()
    }

    /// `upsertLocked` and `allocateNode`.
    pub(crate) fn upsert(&mut self, node: &NodeSnapshot) -> Option<Write> {
        if node.pod_cidrs.is_empty() {
            return self.upsert_empty(node);
        }
        let requested = match self.generation {
            Generation::Legacy => match split_legacy(&node.pod_cidrs) {
                Ok(requested) => requested,
                Err(error) => return Some(Write::Status { error }),
            },
            // The API server lets nothing else through; an operator could not decode such an object.
            Generation::G20 => split_g20(&node.pod_cidrs)?,
        };
        match self.reuse(&node.name, requested) {
            Ok(Reused::Allocated) => Some(self.write_record(&node.name)),
            Ok(Reused::Unchanged) if !self.ready => {
                self.postponed.insert(node.name.clone(), node.clone());
                None
            }
            Ok(Reused::Unchanged) if !node.error.is_empty() => Some(Write::Status { error: String::new() }),
            Ok(Reused::Unchanged) => None,
            Err(error) => Some(self.refuse(node, error)),
        }
    }

    fn upsert_empty(&mut self, node: &NodeSnapshot) -> Option<Write> {
        if !self.ready {
            self.postponed.insert(node.name.clone(), node.clone());
            return None;
        }
        match self.allocate_next(&node.name) {
            Ok(()) => Some(self.write_record(&node.name)),
            Err(error) => Some(self.refuse(node, error)),
        }
    }

    fn write_record(&self, name: &str) -> Write {
        Write::Spec { pod_cidrs: self.record(name).unwrap_or_default(), error: String::new() }
    }

    /// The deferred part of `allocateNode`: an error for the status, and from 1.20 on the spec as the operator remembers it.
    fn refuse(&self, node: &NodeSnapshot, error: String) -> Write {
        match (self.generation, self.nodes.get(&node.name)) {
            (Generation::G20, Some(record)) => {
                let remembered = record.v4.iter().chain(&record.v6).copied().map(Some);
                let written = node.pod_cidrs.iter().map(|text| parse_prefix(text).ok());
                if remembered.eq(written) {
                    Write::Status { error }
                } else {
                    Write::Spec { pod_cidrs: self.texts(record), error }
                }
            }
            _ => Write::Status { error },
        }
    }

    /// `allocateNext`: what the node had, or a fresh block of each family, or nothing.
    fn allocate_next(&mut self, name: &str) -> Result<(), String> {
        if self.nodes.contains_key(name) {
            return Ok(());
        }
        let mut cidrs = NodeCidrs::default();
        let mut taken: Vec<(Family, Taken)> = Vec::new();
        for family in Family::BOTH {
            let pools = self.pools.get_mut(family);
            if pools.is_empty() {
                continue;
            }
            match next_free(pools) {
                Ok((cidr, undo)) => {
                    cidrs.get_mut(family).push(cidr);
                    taken.push((family, undo));
                }
                Err(error) => {
                    for (family, undo) in taken.into_iter().rev() {
                        undo.undo(self.pools.get_mut(family));
                    }
                    return Err(error.text(self.generation));
                }
            }
        }
        if cidrs == NodeCidrs::default() {
            return Err(format!(
                "Unable to allocate node CIDR for node {name}. IPAMInfo: {{IPv4: [], IPv6: []}}. \
                 Please check that your configuration is correct."
            ));
        }
        self.nodes.insert(name.to_owned(), cidrs);
        Ok(())
    }

    /// `reuseIPNets`: the CIDRs that the node asks for, and fresh ones for a family that it does not name.
    fn reuse(&mut self, name: &str, mut requested: NodeCidrs) -> Result<Reused, String> {
        for family in Family::BOTH {
            let cidrs = requested.get(family);
            if self.pools.get(family).is_empty() && !cidrs.is_empty() {
                let shown = self.list(cidrs);
                return Err(format!(
                    "unable to allocate CIDR {shown} since allocator for {family} addresses does not exist"
                ));
            }
        }
        let record = self.nodes.get(name);
        let mut may_take = PerFamily { v4: true, v6: true };
        if let Some(record) = record {
            for family in Family::BOTH {
                let (had, wanted) = (record.get(family), requested.get(family));
                if !had.is_empty() && !self.has_all(had, wanted) {
                    let (had, wanted) = (self.list(had), self.list(wanted));
                    return Err(format!(
                        "node has CIDRs allocated ({had}) that conflict with requested CIDRs {wanted}"
                    ));
                }
                *may_take.get_mut(family) = had.is_empty() && self.ready;
            }
        }
        let mut cidrs = record.cloned().unwrap_or_default();
        let mut taken: Vec<(Family, Taken)> = Vec::new();
        let mut duplicates: Vec<(Family, ClaimError)> = Vec::new();
        for family in Family::BOTH {
            if !may_take.get(family) || self.pools.get(family).is_empty() {
                continue;
            }
            let wanted = requested.get_mut(family);
            let result = if wanted.is_empty() {
                next_free(self.pools.get_mut(family)).map(|(cidr, undo)| {
                    wanted.push(cidr);
                    undo
                })
            } else {
                claim(self.pools.get_mut(family), wanted, self.generation)
            };
            match result {
                Ok(undo) => {
                    *cidrs.get_mut(family) = std::mem::take(wanted);
                    taken.push((family, undo));
                }
                // From 1.20 on such a family is left out, and the other one is kept.
                Err(error @ ClaimError::Taken(_)) if self.generation == Generation::G20 => {
                    duplicates.push((family, error));
                }
                Err(error) => {
                    for (family, undo) in taken.into_iter().rev() {
                        undo.undo(self.pools.get_mut(family));
                    }
                    return Err(error.text(self.generation));
                }
            }
        }
        for (family, error) in &duplicates {
            let short = if *family == Family::V4 { "v4" } else { "v6" };
            self.log.push(LogLine {
                level: "warn",
                message: format!("Duplicate {short} CIDR, will be released from this node"),
                error: Some(error.text(self.generation)),
            });
        }
        // Both families taken by others: nothing is remembered, the spec stays.
        if duplicates.len() < 2 {
            self.nodes.insert(name.to_owned(), cidrs);
        }
        match duplicates.first() {
            Some((_, error)) => Err(error.text(self.generation)),
            None if taken.is_empty() => Ok(Reused::Unchanged),
            None => Ok(Reused::Allocated),
        }
    }

    fn has_all(&self, had: &[Net], wanted: &[Net]) -> bool {
        wanted.iter().all(|cidr| had.iter().any(|own| own.same(*cidr, self.generation)))
    }

    /// A list as Go prints one: `[a b]`.
    fn list(&self, cidrs: &[Net]) -> String {
        let shown: Vec<String> = cidrs.iter().map(|cidr| cidr.show(self.generation)).collect();
        format!("[{}]", shown.join(" "))
    }

    /// `Delete`: frees the node's blocks. Answers whether it had any.
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        if !self.ready {
            self.postponed.remove(name);
        }
        let Some(cidrs) = self.nodes.remove(name) else { return false };
        for family in Family::BOTH {
            for cidr in cidrs.get(family) {
                self.release(family, *cidr);
            }
        }
        true
    }

    /// `releaseCIDRs`: from the first pool that it overlaps and that lets it go.
    fn release(&mut self, family: Family, cidr: Net) {
        for pool in self.pools.get_mut(family).iter_mut().filter(|pool| pool.in_range(cidr)) {
            match pool.release(cidr) {
                Ok(()) => {
                    let shown = cidr.show(self.generation);
                    let message = "node released CIDRs".to_owned();
                    self.log.push(LogLine { level: "info", message, error: Some(shown) });
                    return;
                }
                Err(error) => {
                    let message = "failed to release cidr".to_owned();
                    self.log.push(LogLine { level: "error", message, error: Some(error) });
                }
            }
        }
    }

    /// `Resync`: from now on nodes without podCIDRs are served, first those that wait. Answers what to write about each.
    pub(crate) fn resync(&mut self, order: &mut dyn Order) -> Vec<(NodeSnapshot, Write)> {
        if self.ready {
            return Vec::new();
        }
        self.ready = true;
        let mut waiting = std::mem::take(&mut self.postponed);
        let mut names: Vec<String> = waiting.keys().cloned().collect();
        order.arrange(Choice::Postponed, &mut names);
        let nodes = names.iter().filter_map(|name| waiting.remove(name)).collect::<Vec<_>>();
        nodes.into_iter().filter_map(|node| self.upsert(&node).map(|write| (node, write))).collect()
    }
}

/// `parsePodCIDRs` (<= 1.19).
fn split_legacy(texts: &[String]) -> Result<NodeCidrs, String> {
    let mut cidrs = NodeCidrs::default();
    for text in texts {
        let (net, is_v4) = parse_cidr(text)?;
        if is_v4 { cidrs.v4.push(net) } else { cidrs.v6.push(net) }
    }
    Ok(cidrs)
}

/// `splitPodCIDRs` (1.20).
fn split_g20(texts: &[String]) -> Option<NodeCidrs> {
    let mut cidrs = NodeCidrs::default();
    for text in texts {
        let net = parse_prefix(text).ok()?.masked();
        if net.is_wide() { cidrs.v6.push(net) } else { cidrs.v4.push(net) }
    }
    Some(cidrs)
}
