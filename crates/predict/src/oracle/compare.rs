//! What the model says against what is there.

use std::collections::BTreeSet;

use super::{Difference, SeenNodes};
use crate::World;

/// Everything that differs, in order of node.
pub(super) fn differences(world: &World, seen: &SeenNodes) -> Vec<Difference> {
    let state = world.cilium_nodes();
    let names: BTreeSet<&String> = state.keys().chain(seen.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let differs = |field, predicted: &str, observed: &str| Difference {
            node: name.clone(),
            field,
            predicted: predicted.to_owned(),
            observed: observed.to_owned(),
        };
        match (state.get(name), seen.get(name)) {
            (Some(model), Some(real)) => {
                let (predicted, observed) = (set(&model.pod_cidrs), set(&real.pod_cidrs));
                if predicted != observed {
                    found.push(differs("spec.ipam.podCIDRs", &list(&predicted), &list(&observed)));
                }
                if model.error != real.error {
                    let field = "status.ipam.operator-status.error";
                    found.push(differs(field, or_none(&model.error), or_none(&real.error)));
                }
            }
            (Some(_), None) => found.push(differs("CiliumNode", "there", "not there")),
            (None, Some(_)) => found.push(differs("CiliumNode", "not there", "there")),
            (None, None) => {}
        }
    }
    found
}

fn set(cidrs: &[String]) -> BTreeSet<&str> {
    cidrs.iter().map(String::as_str).collect()
}

fn list(cidrs: &BTreeSet<&str>) -> String {
    let words: Vec<&str> = cidrs.iter().copied().collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn or_none(error: &str) -> &str {
    if error.is_empty() { "none" } else { error }
}
