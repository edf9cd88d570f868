//! CIDR blocks by a name that does not depend on their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use events::{NodeState, State};
use ipnet::IpNet;

/// Blocks by their first owner, in order of phase and role.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    names: BTreeMap<IpNet, String>,
    /// How many blocks a Node or a CiliumNode was the first to have.
    counts: BTreeMap<String, usize>,
    /// Blocks that were a Node's first.
    of_nodes: BTreeSet<IpNet>,
    /// Blocks that a CiliumNode was the first to have, as written.
    handed_out: BTreeSet<(IpNet, String)>,
}

/// What cannot be read as a CIDR is compared as it stands.
fn net(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

impl Blocks {
    /// Takes in the blocks that are new in a state.
    pub(super) fn learn(&mut self, state: &State) {
        for node in &state.nodes {
            for block in node.node.iter().flat_map(|node| &node.pod_cidrs).filter_map(|text| net(text)) {
                self.name(block, &format!("{}'s Node block", node.role));
                if self.names[&block].contains("Node block") {
                    self.of_nodes.insert(block);
                }
            }
        }
        for node in &state.nodes {
            let seen = node.seen.iter().flat_map(|seen| &seen.pod_cidrs);
            let now = node.cilium.iter().flat_map(|node| &node.pod_cidrs);
            let agent = node.agent.iter().flat_map(|agent| &agent.pod_cidrs);
            for text in seen.chain(now).chain(agent) {
                let Some(block) = net(text) else { continue };
                self.name(block, &format!("{}'s block", node.role));
                if !self.of_nodes.contains(&block) {
                    self.handed_out.insert((block, text.clone()));
                }
            }
        }
    }

    fn name(&mut self, block: IpNet, owner: &str) {
        if self.names.contains_key(&block) {
            return;
        }
        let count = self.counts.entry(owner.to_owned()).or_default();
        *count += 1;
        let name = if *count == 1 { owner.to_owned() } else { format!("{owner} {count}") };
        self.names.insert(block, name);
    }

    /// Whether a Node was the first to have it.
    pub(super) fn is_of_node(&self, block: &IpNet) -> bool {
        self.of_nodes.contains(block)
    }

    /// Numbers of all blocks so far that CiliumNodes were the first to have.
    pub(super) fn handed_out(&self) -> Vec<String> {
        self.handed_out.iter().map(|(_, text)| text.clone()).collect()
    }

    /// `worker's block /24 in the pool`.
    pub(super) fn block(&self, state: &State, text: &str) -> String {
        let Some(block) = net(text) else { return format!("\"{text}\"") };
        let name = self.names.get(&block).cloned().unwrap_or_else(|| block.to_string());
        format!("{name} /{} {}", block.prefix_len(), place(state, block.network()))
    }

    /// Several, in their order.
    pub(super) fn list(&self, state: &State, blocks: &[String]) -> String {
        if blocks.is_empty() {
            return "none".to_owned();
        }
        blocks.iter().map(|block| self.block(state, block)).collect::<Vec<_>>().join(", ")
    }

    /// A text of Cilium's with the blocks in it by name. Anything else in it stays to the letter.
    pub(super) fn text(&self, text: &str) -> String {
        let mut reduced = String::new();
        let mut word = String::new();
        let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/');
        for c in text.chars() {
            if is_part(c) {
                word.push(c);
            } else {
                self.word(&mut word, &mut reduced);
                reduced.push(c);
            }
        }
        self.word(&mut word, &mut reduced);
        reduced
    }

    fn word(&self, word: &mut String, reduced: &mut String) {
        match net(word).and_then(|block| Some((block, self.names.get(&block)?))) {
            Some((block, name)) => reduced.push_str(&format!("<{name} /{}>", block.prefix_len())),
            None => reduced.push_str(word),
        }
        word.clear();
    }

    /// In which of a node's ranges an address lies, else whose else.
    pub(super) fn address(&self, state: &State, node: Option<&NodeState>, address: &str) -> String {
        let Ok(ip) = address.parse::<IpAddr>() else { return format!("\"{address}\"") };
        let holds = |blocks: &[String]| blocks.iter().filter_map(|text| net(text)).any(|block| block.contains(&ip));
        let mut places = Vec::new();
        if let Some(node) = node {
            if node.cilium.as_ref().is_some_and(|cilium| holds(&cilium.pod_cidrs)) {
                places.push("its CiliumNode's podCIDR");
            }
            if node.node.as_ref().is_some_and(|node| holds(&node.pod_cidrs)) {
                places.push("its Node's podCIDR");
            }
            if node.agent.as_ref().is_some_and(|agent| holds(&agent.pod_cidrs)) {
                places.push("its agent's range");
            }
        }
        if !places.is_empty() {
            return places.join(" and ");
        }
        // A block that its node had once, or that of another node.
        let role = node.map_or("", |node| node.role.as_str());
        let owner = self.names.iter().find(|(block, _)| block.contains(&ip)).map(|(_, name)| name.as_str());
        match owner {
            Some(name) if name.starts_with(&format!("{role}'s ")) => {
                format!("its node's earlier block, {}", place(state, ip))
            }
            Some(_) => format!("another node's block, {}", place(state, ip)),
            None => place(state, ip),
        }
    }
}

/// In which of the cluster's ranges an address lies.
fn place(state: &State, ip: IpAddr) -> String {
    let within = |ranges: &[String]| ranges.iter().filter_map(|text| net(text)).any(|range| range.contains(&ip));
    match (within(&state.pools), within(&state.pod_subnets)) {
        (true, true) => "in the pool and in the pod subnet",
        (true, false) => "in the pool",
        (false, true) => "in the pod subnet",
        (false, false) => "outside pool and pod subnet",
    }
    .to_owned()
}
