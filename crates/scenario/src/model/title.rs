//! Steps and checks in plain words: `restart cilium-agent, hubble-relay`.

use std::fmt;

use serde_json::{Map, Value};

use super::step::{PatchStep, WaitFor};
use super::{
    Action, AgentMatcher, Check, CidrMatcher, Expect, IpMatcher, NodeRef, ObjectName, ObjectRef, Quantity, Reach,
    RestartItem, RestartTarget, Since, Span, StatusMatcher, Step, Timing, ValueMatcher,
};

impl Step {
    /// What the step does, in a line.
    pub fn title(&self) -> String {
        match &self.fails {
            None => self.action.to_string(),
            Some(text) => format!("{}, refused: \"{text}\"", self.action),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deploy { workload, ready } => write!(f, "deploy {workload}{}", unready(*ready)),
            Self::Scale { target, replicas, ready } => write!(f, "scale {target} to {replicas}{}", unready(*ready)),
            Self::Delete { workload } => write!(f, "delete {workload}"),
            Self::Configure(data) => {
                let changes = data.iter().map(|(key, value)| match value {
                    Some(value) => format!("{key}={value}"),
                    None => format!("remove {key}"),
                });
                write!(f, "configure {}", join(changes))
            }
            Self::Upgrade(values) => {
                let mut paths = Vec::new();
                leaves("", values, &mut paths);
                write!(f, "upgrade with {}", paths.join(", "))
            }
            Self::Reinstall(values) => {
                let mut paths = Vec::new();
                leaves("", values, &mut paths);
                let with = if paths.is_empty() { String::new() } else { format!(" with {}", paths.join(", ")) };
                write!(f, "reinstall Cilium{with}")
            }
            Self::Backup => f.write_str("backup cilium-config"),
            Self::Restore => f.write_str("restore cilium-config"),
            Self::Restart(items) => write!(f, "restart {}", join(items)),
            Self::DeleteCiliumNode(node) => write!(f, "delete CiliumNode of {node}"),
            Self::Cordon(node) => write!(f, "cordon {node}"),
            Self::Uncordon(node) => write!(f, "uncordon {node}"),
            Self::RemoveNode(node) => write!(f, "remove node {node}"),
            Self::AddNode { node, ready } => write!(f, "add node {node}{}", unready(*ready)),
            Self::Patch(PatchStep { object, subresource, .. }) => match subresource {
                Some(subresource) => write!(f, "patch {subresource} of {object}"),
                None => write!(f, "patch {object}"),
            },
            Self::Exec(exec) => write!(f, "exec {} in {}", exec.command.join(" "), exec.pods),
            Self::Inject(fault) => write!(f, "inject {fault}"),
            Self::Wait(wait) => wait.fmt(f),
            Self::Expect(expect) => expect.fmt(f),
            Self::Model => f.write_str("expect model"),
        }
    }
}

fn unready(ready: bool) -> &'static str {
    if ready { "" } else { " without waiting" }
}

fn join<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// ` on worker, worker2`; nothing for all nodes.
fn on(nodes: &[NodeRef]) -> String {
    if nodes.is_empty() { String::new() } else { format!(" on {}", join(nodes)) }
}

/// `ipam.mode=kubernetes` for every value.
fn leaves(prefix: &str, values: &Map<String, Value>, paths: &mut Vec<String>) {
    for (key, value) in values {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => leaves(&path, inner, paths),
            Value::String(text) => paths.push(format!("{path}={text}")),
            other => paths.push(format!("{path}={other}")),
        }
    }
}

impl fmt::Display for RestartTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(component) => f.write_str(component.as_str()),
            Self::Workload(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for RestartItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.target, on(&self.on), unready(self.ready))
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(name) => f.write_str(name),
            Self::Node(node) => node.fmt(f),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl fmt::Display for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settled(quiet) => write!(f, "wait until settled for {}", humantime::format_duration(*quiet)),
            Self::Ready(targets) => write!(f, "wait until ready: {}", join(targets)),
            Self::Log { component, contains } => {
                write!(f, "wait for log of {}: \"{}\"", component.as_str(), contains.text)
            }
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks = self.checks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        write!(f, "expect {checks}")?;
        match self.timing {
            Timing::Eventually => Ok(()),
            Timing::Holds(span) => write!(f, "; holds {span}"),
            Timing::Never(span) => write!(f, "; never {span}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => write!(f, "for {}", humantime::format_duration(*span)),
            Self::Steps(1) => f.write_str("until the next step has ended"),
            Self::Steps(count) => write!(f, "until the next {count} steps have ended"),
            Self::Rest => f.write_str("until the end"),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("every"),
            Self::Some => f.write_str("some"),
            Self::None => f.write_str("none"),
            Self::Exactly(count) => write!(f, "exactly {count}"),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodIps { of, on: nodes, quantity, matcher } => {
                let IpMatcher::Within(ranges) = matcher;
                write!(f, "podIPs of {of}{} {quantity} within {ranges}", on(nodes))
            }
            Self::OperatorStatus { on: nodes, quantity, matcher } => {
                write!(f, "operatorStatus{} {quantity} {matcher}", on(nodes))
            }
            Self::PodCidrs { of, on: nodes, quantity, matcher } => {
                write!(f, "podCIDRs of {}{} {quantity} {}", of.as_str(), on(nodes), join(matcher))
            }
            Self::Pods { of, on: nodes, unchanged, count, ready, endpoints } => {
                let unchanged = unchanged.as_ref().map(ToString::to_string);
                let numbers = [("count", count), ("ready", ready), ("endpoints", endpoints)];
                let numbers =
                    numbers.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value}")));
                write!(f, "pods of {of}{} {}", on(nodes), join(unchanged.into_iter().chain(numbers)))
            }
            Self::Config(keys) => {
                let keys = keys.iter().map(|(key, matcher)| match matcher {
                    ValueMatcher::Equal(value) => format!("{key}={value}"),
                    ValueMatcher::Absent => format!("{key} absent"),
                });
                write!(f, "config {}", join(keys))
            }
            Self::Agents { on: nodes, quantity, matcher } => write!(f, "agents{} {quantity} {matcher}", on(nodes)),
            Self::Cel { kind, namespace, name, quantity, expression, .. } => {
                let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
                let namespace = namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
                write!(f, "cel over {kind}{name}{namespace} {quantity} {expression}")
            }
            Self::Reachability { from, to, quantity, matcher } => {
                write!(f, "reachability from {from} to {to} {quantity} {matcher}")
            }
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rollout => f.write_str("unchanged"),
            Self::Label(label) => write!(f, "unchanged since {label}"),
        }
    }
}

impl fmt::Display for StatusMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear => f.write_str("clear"),
            Self::Error(template) => write!(f, "error \"{}\"", template.text),
            Self::Matches(pattern) => write!(f, "matches /{pattern}/"),
        }
    }
}

impl fmt::Display for CidrMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal(ranges) => write!(f, "equal {ranges}"),
            Self::Within(ranges) => write!(f, "within {ranges}"),
            Self::Disjoint(ranges) => write!(f, "disjoint from {ranges}"),
            Self::Unchanged(super::At::Now) => f.write_str("unchanged"),
            Self::Unchanged(super::At::Label(label)) => write!(f, "unchanged since {label}"),
            Self::Mask(mask) => write!(f, "mask {mask}"),
            Self::Empty(true) => f.write_str("empty"),
            Self::Empty(false) => f.write_str("not empty"),
        }
    }
}

impl fmt::Display for AgentMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ipam = self.ipam.map(|mode| format!("ipam {}", mode.as_str()));
        let ready = self.ready.map(|ready| if ready { "ready" } else { "not ready" }.to_owned());
        let looping = self.crash_looping.map(|yes| if yes { "crash-looping" } else { "not crash-looping" }.to_owned());
        f.write_str(&join([ipam, ready, looping].into_iter().flatten()))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reachable => "reachable",
            Self::Unreachable => "unreachable",
        })
    }
}
