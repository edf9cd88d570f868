//! Defaults of Deployments, ReplicaSets and DaemonSets.

use super::defaults::{condition_times, set};
use super::pod;
use crate::tree::{Tree, tree};

fn template(object: &mut Tree) {
    set(object, "/spec/template/spec", || tree!({}));
    set(object, "/spec/template/metadata", || tree!({}));
    pod::spec_defaults(&mut object["spec"]["template"]["spec"]);
}

pub(super) fn deployment(object: &mut Tree) {
    template(object);
    set(object, "/spec/replicas", || 1.into());
    set(object, "/spec/strategy/type", || "RollingUpdate".into());
    if object["spec"]["strategy"]["type"] == "RollingUpdate" {
        set(object, "/spec/strategy/rollingUpdate/maxUnavailable", || "25%".into());
        set(object, "/spec/strategy/rollingUpdate/maxSurge", || "25%".into());
    }
    set(object, "/spec/revisionHistoryLimit", || 10.into());
    set(object, "/spec/progressDeadlineSeconds", || 600.into());
    set(object, "/status", || tree!({}));
    condition_times(object, &["lastUpdateTime", "lastTransitionTime"]);
}

pub(super) fn replica_set(object: &mut Tree) {
    template(object);
    set(object, "/spec/replicas", || 1.into());
    set(object, "/status/replicas", || 0.into());
}

/// What `apps/v1` shows of a count that only its predecessors had as a field.
pub(super) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Counts a changed template.
pub(super) fn template_generation(object: &mut Tree, old: &Tree) {
    let count = old["metadata"]["annotations"][TEMPLATE_GENERATION].as_str().and_then(|t| t.parse::<i64>().ok());
    let changed = object["spec"]["template"] != old["spec"]["template"];
    let count = count.unwrap_or(1) + i64::from(changed);
    object["metadata"]["annotations"][TEMPLATE_GENERATION] = count.to_string().into();
}

pub(super) fn daemon_set(object: &mut Tree) {
    template(object);
    set(object, &format!("/metadata/annotations/{TEMPLATE_GENERATION}"), || "1".into());
    set(object, "/spec/updateStrategy/type", || "RollingUpdate".into());
    if object["spec"]["updateStrategy"]["type"] == "RollingUpdate" {
        set(object, "/spec/updateStrategy/rollingUpdate/maxUnavailable", || 1.into());
        set(object, "/spec/updateStrategy/rollingUpdate/maxSurge", || 0.into());
    }
    set(object, "/spec/revisionHistoryLimit", || 10.into());
    for key in ["currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"] {
        set(object, &format!("/status/{key}"), || 0.into());
    }
}
