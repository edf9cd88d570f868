//! What settings will do to a cluster that is running: the model of the operator, fed with its CiliumNodes.

use std::collections::BTreeMap;

use ipam::history::{NodeOutcome, Step, preview, run};
use ipam::operator::{Duty, OperatorConfig, duty};
use serde::Serialize;

use crate::{Live, Settings};

/// One node, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeChange {
    /// The CiliumNode's name.
    pub node: String,
    /// Its podCIDRs now.
    #[serde(rename = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
    /// Its operator-status error now; empty for none.
    pub error: String,
    /// Its podCIDRs then.
    #[serde(rename = "podCIDRsAfter")]
    pub pod_cidrs_after: Vec<String>,
    /// Its operator-status error then; empty for none.
    pub error_after: String,
}

/// What will be, once everything has come to rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The cluster.
    pub cluster: String,
    /// What has to happen for it: nothing reads the ConfigMap before.
    pub when: String,
    /// Why the operator will not start, in its own words; then no CiliumNode changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_error: Option<String>,
    /// The nodes, by name.
    pub nodes: Vec<NodeChange>,
    /// What is left open: the model decides it by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// Why there is no answer, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_covered: Option<String>,
}

/// Holds settings against the cluster that they are for.
pub(crate) fn preview_of(settings: &Settings) -> Option<Preview> {
    let live = settings.live.as_ref()?;
    let mode = settings.mode();
    let before = live.config.as_ref().map(|config| config.get("ipam").map_or("cluster-pool", |mode| mode.trim()));
    let own = live.config.as_ref() == Some(&settings.config);
    let restarted =
        if own { "at the operator's next start" } else { "once the operator is started with these settings" };
    let mut preview = Preview {
        cluster: live.name.clone(),
        when: restarted.to_owned(),
        start_error: None,
        nodes: Vec::new(),
        open: None,
        not_covered: None,
    };
    match (duty(mode, settings.release), before) {
        (Duty::ClusterPool, _) => cluster_pool(settings, live, &mut preview),
        (Duty::Idle, Some("cluster-pool")) if mode == "kubernetes" => to_kubernetes(settings, live, &mut preview),
        (Duty::Idle, _) => preview.nodes = changes(live, &live.nodes),
        (Duty::Exits(line), _) => {
            preview.start_error = Some(line.message);
            preview.nodes = changes(live, &live.nodes);
        }
        (Duty::NotModelled(mode), _) => {
            preview.not_covered =
                Some(format!("the model does not cover mode {mode}: what its operator does is not said"));
        }
    }
    Some(preview)
}

fn cluster_pool(settings: &Settings, live: &Live, preview_of: &mut Preview) {
    let started = match OperatorConfig::from_config_map(&settings.config, settings.release) {
        Err(error) => Err(error.to_string()),
        Ok(config) => preview(&config, settings.release, live.nodes.clone()).map_err(|error| error.to_string()),
    };
    match started {
        Ok(after) => {
            let empty = live.nodes.values().filter(|node| node.pod_cidrs.is_empty()).count();
            if empty > 1 {
                preview_of.open =
                    Some("which of the nodes without podCIDRs gets which range is open; here by name".to_owned());
            }
            preview_of.nodes = changes(live, &after);
        }
        Err(error) => {
            preview_of.start_error = Some(error);
            preview_of.nodes = changes(live, &live.nodes);
        }
    }
}

/// From cluster-pool to kubernetes. The usual way: agents are replaced while the operator still runs as before.
fn to_kubernetes(settings: &Settings, live: &Live, preview: &mut Preview) {
    let release = settings.release;
    let old = live.config.as_ref().map(|config| OperatorConfig::from_config_map(config, release));
    let Some(Ok(old)) = old else {
        preview.nodes = changes(live, &live.nodes);
        return;
    };
    "once the agents are replaced while the operator still runs with the old settings".clone_into(&mut preview.when);
    let mut steps: Vec<Step> = live
        .nodes
        .iter()
        .map(|(name, node)| Step::Node { name: name.clone(), cidrs: node.pod_cidrs.clone() })
        .collect();
    steps.push(Step::Start {
        v4: old.ipv4.then(|| old.v4.cidrs.clone()),
        mask4: old.v4.mask,
        v6: old.ipv6.then(|| old.v6.cidrs.clone()),
        mask6: old.v6.mask,
    });
    for (name, node) in &settings.around.nodes {
        if live.nodes.contains_key(name) && !node.pod_cidrs.is_empty() {
            steps.push(Step::Set { name: name.clone(), cidrs: node.pod_cidrs.clone() });
        }
    }
    let after = run(&steps, release).pop().map(|outcome| outcome.nodes).unwrap_or_default();
    preview.nodes = changes(live, &after);
}

fn changes(live: &Live, after: &BTreeMap<String, NodeOutcome>) -> Vec<NodeChange> {
    live.nodes
        .iter()
        .map(|(name, before)| {
            let after = after.get(name).cloned().unwrap_or_default();
            NodeChange {
                node: name.clone(),
                pod_cidrs: before.pod_cidrs.clone(),
                error: before.error.clone(),
                pod_cidrs_after: after.pod_cidrs,
                error_after: after.error,
            }
        })
        .collect()
}
