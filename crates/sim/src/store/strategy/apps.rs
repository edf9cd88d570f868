//! Defaults of Deployments, ReplicaSets and DaemonSets.

use serde_json::{Value, json};

use super::defaults::set;
use super::pod;

fn template(object: &mut Value) {
    set(object, "/spec/template/spec", || json!({}));
    set(object, "/spec/template/metadata", || json!({}));
    pod::spec_defaults(&mut object["spec"]["template"]["spec"]);
}

pub(super) fn deployment(object: &mut Value) {
    template(object);
    set(object, "/spec/replicas", || 1.into());
    set(object, "/spec/strategy/type", || "RollingUpdate".into());
    if object["spec"]["strategy"]["type"] == "RollingUpdate" {
        set(object, "/spec/strategy/rollingUpdate/maxUnavailable", || "25%".into());
        set(object, "/spec/strategy/rollingUpdate/maxSurge", || "25%".into());
    }
    set(object, "/spec/revisionHistoryLimit", || 10.into());
    set(object, "/spec/progressDeadlineSeconds", || 600.into());
    set(object, "/status", || json!({}));
}

pub(super) fn replica_set(object: &mut Value) {
    template(object);
    set(object, "/spec/replicas", || 1.into());
    set(object, "/status/replicas", || 0.into());
}

pub(super) fn daemon_set(object: &mut Value) {
    template(object);
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
