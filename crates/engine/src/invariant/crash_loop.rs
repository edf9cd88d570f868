//! An agent that crash-loops has an explanation: in its node's operator-status, or in its pod's own status, where the chart has the end of
//! its log put (`terminationMessagePolicy: FallbackToLogsOnError`).

use std::time::Duration;

use cilium::components::AGENT;
use events::Invariant;
use serde_json::Value;

use super::{Finding, Rule, Seen, Touch, View, past};
use crate::observe::KindName;

pub(super) const RULE: Rule = Rule { invariant: Invariant::CrashLoopExplained, kinds, touched, judge };

/// Up to this many restarts it may be bad luck.
const BY_CHANCE: u64 = 1;
/// An operator writes up to 11 s after it has got its lease.
const GRACE: Duration = Duration::from_secs(15);
/// Reasons that say no more than that it ended.
const EMPTY: [&str; 5] = ["", "Error", "Completed", "Unknown", "ContainerStatusUnknown"];

fn kinds() -> Vec<KindName> {
    vec![past::pod_kind(), past::cilium_node_kind()]
}

fn touched(touch: Touch<'_>, _: View<'_>) -> Vec<String> {
    match touch {
        Touch::Object { kind: "Pod", after, deleted: false, .. }
            if AGENT.selects(|label| after["metadata"]["labels"][label].as_str()) =>
        {
            let (namespace, name) = crate::observe::key(after);
            vec![format!("{namespace}/{name}")]
        }
        _ => Vec::new(),
    }
}

fn judge(subject: &str, view: View<'_>) -> Option<Finding> {
    let (namespace, name) = subject.split_once('/')?;
    let key = (namespace.to_owned(), name.to_owned());
    let pod = view.world.pods.get(&key)?;
    if pod.waiting.as_deref() != Some("CrashLoopBackOff") || pod.restarts <= BY_CHANCE || pod.terminating {
        return None;
    }
    let object = view.world.objects.get(&past::pod_kind()).and_then(|objects| objects.get(&key))?;
    let node = pod.node.as_deref()?;
    let own = view.world.cilium_nodes.get(node);
    if explains_itself(object) || own.is_some_and(|own| own.error.is_some()) {
        return None;
    }
    let what = format!("CrashLoopBackOff after {} restarts, no message", pod.restarts);
    let kind = past::pod_kind();
    let seen = past::seen(view, &kind, namespace, name, what, crate::world::pod_restarts);
    Some(Finding {
        seen: seen.into_iter().chain(operator_status(view, node)).collect(),
        field: "status.containerStatuses.lastState.terminated.message",
        expected: format!("an explanation there, or in operator-status of CiliumNode/{node}"),
        observed: "none".to_owned(),
        grace: GRACE,
        under: pod.uid.clone(),
    })
}

/// Whether a container's last end says why.
fn explains_itself(pod: &Value) -> bool {
    let status = &pod["status"];
    let containers =
        ["initContainerStatuses", "containerStatuses"].into_iter().filter_map(|list| status[list].as_array());
    containers.flatten().any(|container| {
        ["state", "lastState"].into_iter().any(|state| {
            let end = &container[state]["terminated"];
            let text = |field: &str| end[field].as_str().unwrap_or_default().trim();
            !end.is_null() && (!text("message").is_empty() || !EMPTY.contains(&text("reason")))
        })
    })
}

fn operator_status(view: View<'_>, node: &str) -> Option<Seen> {
    let what = "no operator-status error".to_owned();
    past::seen(view, &past::cilium_node_kind(), "", node, what, |object| {
        object.pointer("/status/ipam/operator-status").cloned()
    })
}
