//! Checks as the data that the script's own definitions judge (`prelude/checks.jq`).

use scenario::model::{
    At, Check, CidrMatcher, CidrRef, IpMatcher, NodeRef, ObjectName, Quantity, Reach, Since, StatusMatcher,
    ValueMatcher,
};
use serde_json::{Value, json};

/// A check as data; none where the script has no words for it.
pub(super) fn data(check: &Check, cel: &mut super::cel::Translated) -> Option<Value> {
    Some(match check {
        Check::PodIps { of, on, quantity, matcher: IpMatcher::Within(ranges) } => json!({
            "check": "podIPs", "of": of.to_string(), "on": roles(on), "quantity": amount(*quantity), "within": reference(ranges),
        }),
        Check::OperatorStatus { on, quantity, matcher } => {
            let mut data = json!({"check": "operatorStatus", "on": roles(on), "quantity": amount(*quantity)});
            match matcher {
                StatusMatcher::Clear => data["clear"] = true.into(),
                StatusMatcher::Error(template) => data["error"] = template.text.as_str().into(),
                StatusMatcher::Matches(pattern) => data["matches"] = pattern.as_str().into(),
            }
            data
        }
        Check::PodCidrs { of, on, quantity, matcher } => json!({
            "check": "podCIDRs", "of": of.as_str(), "on": roles(on), "quantity": amount(*quantity),
            "must": matcher.iter().map(must).collect::<Vec<_>>(),
        }),
        Check::Pods { of, on, unchanged, count, ready, endpoints } => {
            let mut data = json!({"check": "pods", "of": of.to_string(), "on": roles(on)});
            match unchanged {
                Some(Since::Rollout) => data["unchanged"] = "rollout".into(),
                Some(Since::Label(label)) => data["unchanged"] = json!({"since": label}),
                None => {}
            }
            for (name, number) in [("count", count), ("ready", ready), ("endpoints", endpoints)] {
                if let Some(number) = number {
                    data[name] = (*number).into();
                }
            }
            data
        }
        Check::Config(keys) => {
            let keys: serde_json::Map<String, Value> = keys
                .iter()
                .map(|(key, matcher)| match matcher {
                    ValueMatcher::Equal(value) => (key.clone(), value.as_str().into()),
                    ValueMatcher::Absent => (key.clone(), Value::Null),
                })
                .collect();
            json!({"check": "config", "keys": keys})
        }
        Check::Agents { on, quantity, matcher } => {
            let mut data = json!({"check": "agents", "on": roles(on), "quantity": amount(*quantity)});
            if let Some(mode) = matcher.ipam {
                data["ipam"] = mode.as_str().into();
            }
            for (name, wanted) in [("ready", matcher.ready), ("crashLooping", matcher.crash_looping)] {
                if let Some(wanted) = wanted {
                    data[name] = wanted.into();
                }
            }
            data
        }
        Check::Cel { api_version, kind, namespace, name, quantity, expression } => {
            let number = cel.add(api_version, kind, expression)?;
            json!({
                "check": "cel", "kind": kind, "namespace": namespace, "name": name.as_ref().map(object_name),
                "quantity": amount(*quantity), "number": number, "text": expression,
            })
        }
        Check::Reachability { from, to, quantity, matcher } => json!({
            "check": "reachability", "from": from.to_string(), "to": to.to_string(), "quantity": amount(*quantity),
            "reach": match matcher {
                Reach::Reachable => "reachable",
                Reach::Unreachable => "unreachable",
            },
        }),
    })
}

fn object_name(name: &ObjectName) -> Value {
    match name {
        ObjectName::Literal(name) => name.as_str().into(),
        ObjectName::Node(role) => json!({"node": role.to_string()}),
    }
}

fn roles(on: &[NodeRef]) -> Vec<String> {
    on.iter().map(ToString::to_string).collect()
}

fn amount(quantity: Quantity) -> Value {
    match quantity {
        Quantity::Every => "every".into(),
        Quantity::Some => "some".into(),
        Quantity::None => "none".into(),
        Quantity::Exactly(count) => json!({"exactly": count}),
    }
}

fn reference(reference: &CidrRef) -> Value {
    match reference {
        CidrRef::Literal(ranges) => ranges.iter().map(ToString::to_string).collect(),
        other => other.to_string().into(),
    }
}

fn at(at: &At) -> Value {
    match at {
        At::Now => Value::Null,
        At::Label(label) => label.as_str().into(),
    }
}

fn must(matcher: &CidrMatcher) -> Value {
    match matcher {
        CidrMatcher::Equal(ranges) => json!({"equal": reference(ranges)}),
        CidrMatcher::Within(ranges) => json!({"within": reference(ranges)}),
        CidrMatcher::Disjoint(ranges) => json!({"disjoint": reference(ranges)}),
        CidrMatcher::Unchanged(when) => json!({"unchanged": at(when)}),
        CidrMatcher::Mask(mask) => json!({"mask": mask}),
        CidrMatcher::Empty(empty) => json!({"empty": empty}),
    }
}
