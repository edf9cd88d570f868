//! Looking at a cluster that is not ours to touch: a handful of reads, under one deadline.

use std::time::Duration;

use http::Request;
use kube::Client;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::Context;
use super::context::client;
use crate::error::{ClusterError, Fault, Leftovers};

/// What is read, and what it takes to be allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// What it is good for: `the nodes' podCIDRs`.
    pub what: &'static str,
    /// API group; empty for the core.
    pub group: &'static str,
    /// Plural name.
    pub resource: &'static str,
    /// `get` or `list`.
    pub verb: &'static str,
    /// The one object that is read, in namespace kube-system; none for lists.
    pub name: Option<&'static str>,
    /// Without it there is nothing to say.
    pub needed: bool,
    path: &'static str,
}

/// Everything that is read.
pub const WANTED: [Wanted; 6] = [
    Wanted {
        what: "Cilium's configuration",
        group: "",
        resource: "configmaps",
        verb: "get",
        name: Some("cilium-config"),
        needed: true,
        path: "/api/v1/namespaces/kube-system/configmaps/cilium-config",
    },
    Wanted {
        what: "each node's podCIDRs and operator-status",
        group: "cilium.io",
        resource: "ciliumnodes",
        verb: "list",
        name: None,
        needed: true,
        path: "/apis/cilium.io/v2/ciliumnodes",
    },
    Wanted {
        what: "the nodes' addresses and podCIDRs",
        group: "",
        resource: "nodes",
        verb: "list",
        name: None,
        needed: true,
        path: "/api/v1/nodes",
    },
    Wanted {
        what: "the ranges of Services and Nodes' podCIDRs, as kubeadm set them",
        group: "",
        resource: "configmaps",
        verb: "get",
        name: Some("kubeadm-config"),
        needed: false,
        path: "/api/v1/namespaces/kube-system/configmaps/kubeadm-config",
    },
    Wanted {
        what: "the ranges of Services",
        group: "networking.k8s.io",
        resource: "servicecidrs",
        verb: "list",
        name: None,
        needed: false,
        path: "/apis/networking.k8s.io/v1/servicecidrs",
    },
    Wanted {
        what: "Cilium's version",
        group: "apps",
        resource: "daemonsets",
        verb: "get",
        name: Some("cilium"),
        needed: false,
        path: "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium",
    },
];

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sight {
    /// The objects, with their kinds.
    pub objects: Vec<Value>,
    /// What was not to be had.
    pub missing: Vec<Missing>,
}

/// Something that was not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub wanted: Wanted,
    /// Why.
    pub why: Why,
}

/// Why something was not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The user of that context may not read it: the API server's words.
    Forbidden(String),
    /// There is none.
    Absent,
}

/// Reads what [`WANTED`] names. Nothing is written.
///
/// # Errors
/// When the context cannot be used, the API server does not answer, or not before `patience` is over.
pub async fn look(context: &Context, patience: Duration) -> Result<Sight, ClusterError> {
    let deadline = Instant::now() + patience;
    let work = async {
        let client = client(context.load()?).await?;
        let mut sight = Sight::default();
        for wanted in WANTED {
            read(&client, wanted, deadline, patience, &mut sight).await?;
        }
        Ok(sight)
    };
    work.await.map_err(|fault: Fault| fault.on(context.object(), Leftovers::Clear))
}

async fn read(
    client: &Client,
    wanted: Wanted,
    deadline: Instant,
    patience: Duration,
    sight: &mut Sight,
) -> Result<(), Fault> {
    let operation = format!("{} {} in", wanted.verb, wanted.resource);
    let mut from = String::new();
    loop {
        let query = match (wanted.verb, from.is_empty()) {
            ("list", true) => "?limit=500".to_owned(),
            ("list", false) => format!("?limit=500&continue={from}"),
            _ => String::new(),
        };
        let request = Request::get(format!("{}{query}", wanted.path)).body(Vec::new());
        let request = request.map_err(|error| Fault::new(&operation, error.to_string()))?;
        let answer = timeout_at(deadline, client.request::<Value>(request)).await.map_err(|_| {
            let seconds = patience.as_secs_f64();
            Fault::new(&operation, format!("no answer within {seconds} s"))
                .hint("the API server is slow or cannot be reached from here: `--timeout 60s` waits longer")
        })?;
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                sight.missing.push(Missing { wanted, why: Why::Forbidden(status.message.clone()) });
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                sight.missing.push(Missing { wanted, why: Why::Absent });
                return Ok(());
            }
            Err(error) => return Err(Fault::new(&operation, chain(&error))),
        };
        from = answer.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_owned();
        // A list says what its items are, and they do not say it themselves.
        let kind = answer["kind"].as_str().and_then(|kind| kind.strip_suffix("List")).map(str::to_owned);
        match (answer.get_mut("items").map(Value::take), kind) {
            (Some(Value::Array(items)), Some(kind)) => sight.objects.extend(items.into_iter().map(|mut item| {
                item["kind"] = Value::String(kind.clone());
                item
            })),
            _ => sight.objects.push(answer),
        }
        if from.is_empty() {
            return Ok(());
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let one = error.to_string();
        if !text.contains(&one) {
            text.push_str(": ");
            text.push_str(&one);
        }
        cause = error.source();
    }
    text
}

/// The ClusterRole with every right that a look needs.
pub fn cluster_role(name: &str) -> String {
    let mut out =
        format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules:\n");
    for wanted in WANTED {
        let group = if wanted.group.is_empty() { "\"\"" } else { wanted.group };
        let names = wanted.name.map_or_else(String::new, |name| format!(", resourceNames: [{name}]"));
        out.push_str(&format!(
            "  - {{apiGroups: [{group}], resources: [{}], verbs: [{}]{names}}}\n",
            wanted.resource, wanted.verb
        ));
    }
    out
}

impl Wanted {
    /// `list ciliumnodes.cilium.io`, `get configmaps/cilium-config in kube-system`.
    pub fn right(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        match self.name {
            Some(name) => format!("{} {}{group}/{name} in kube-system", self.verb, self.resource),
            None => format!("{} {}{group}", self.verb, self.resource),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_gives_every_right_that_is_asked_for() {
        let role = cluster_role("ipam-e2e-lint");
        for wanted in WANTED {
            let line = role.lines().find(|line| {
                line.contains(&format!("resources: [{}]", wanted.resource))
                    && wanted.name.is_none_or(|name| line.contains(name))
            });
            assert!(line.is_some_and(|line| line.contains(wanted.verb)), "{}:\n{role}", wanted.right());
        }
        assert_eq!(WANTED[1].right(), "list ciliumnodes.cilium.io");
        assert_eq!(WANTED[0].right(), "get configmaps/cilium-config in kube-system");
    }
}
