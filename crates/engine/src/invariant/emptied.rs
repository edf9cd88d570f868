//! podCIDRs once given are not emptied. A CiliumNode that is deleted and made again is another one.

use std::time::Duration;

use events::Invariant;
use serde_json::Value;

use super::{Finding, Rule, Touch, View, list, past};
use crate::observe;

pub(super) const RULE: Rule = Rule { invariant: Invariant::PodCidrsNeverEmptied, kinds, touched, judge };

fn kinds() -> Vec<observe::KindName> {
    vec![past::cilium_node_kind()]
}

fn has_some(cilium_node: &Value) -> bool {
    cilium_node.pointer("/spec/ipam/podCIDRs").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

fn emptied(before: &Value, after: &Value) -> bool {
    before["metadata"]["uid"] == after["metadata"]["uid"] && has_some(before) && !has_some(after)
}

fn touched(touch: Touch<'_>, _: View<'_>) -> Vec<String> {
    match touch {
        Touch::Object { kind: "CiliumNode", before: Some(before), after, deleted: false } if emptied(before, after) => {
            after["metadata"]["name"].as_str().map(str::to_owned).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn judge(name: &str, view: View<'_>) -> Option<Finding> {
    let kind = past::cilium_node_kind();
    let [.., before, after] = view.history.of(&kind, "", name) else { return None };
    let gone = [before, after].into_iter().any(|version| version.seen == observe::Seen::Deleted);
    if gone || !emptied(&before.object, &after.object) {
        return None;
    }
    let had = list(&past::pod_cidrs(&before.object));
    Some(Finding {
        seen: vec![
            past::one(&kind, after, "spec.ipam.podCIDRs none".to_owned()),
            past::one(&kind, before, format!("spec.ipam.podCIDRs {had}")),
        ],
        field: "spec.ipam.podCIDRs",
        expected: had,
        observed: "none".to_owned(),
        grace: Duration::ZERO,
        under: String::new(),
    })
}
