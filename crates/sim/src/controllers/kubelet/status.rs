//! A pod's status as its kubelet writes it.

use super::container::{Container, State};
use super::{Local, Stage};
use crate::controllers::scheduler::set_condition;
use crate::store::Resource;
use crate::tree::{Tree, tree};
use crate::world::Context;

pub(super) fn write(cx: &mut Context, local: &Local, hosts: &[String]) {
    let now = cx.stamp();
    let initialized = local.inits.iter().all(|container| container.ready);
    let containers_ready = !local.containers.is_empty() && local.containers.iter().all(|container| container.ready);
    let sandbox = local.stage >= Stage::Initializing;
    let phase = phase(local);
    cx.change(Resource::Pod, &local.key, |pod| {
        let waiting_inits = !local.inits.is_empty();
        pod["status"]["phase"] = phase.into();
        if let Some(host) = hosts.first() {
            pod["status"]["hostIP"] = host.clone().into();
            pod["status"]["hostIPs"] = hosts.iter().map(|ip| tree!({"ip": ip})).collect();
        }
        if let Some(started) = &local.started {
            pod["status"]["startTime"] = started.clone().into();
        }
        let own: Vec<String> = if local.view.host_network {
            if sandbox { hosts.to_vec() } else { Vec::new() }
        } else {
            local.addresses.iter().map(ToString::to_string).collect()
        };
        match own.first() {
            Some(first) => {
                pod["status"]["podIP"] = first.clone().into();
                pod["status"]["podIPs"] = own.iter().map(|ip| tree!({"ip": ip})).collect();
            }
            None => {
                if let Some(status) = pod["status"].as_object_mut() {
                    status.remove("podIP");
                    status.remove("podIPs");
                }
            }
        }
        if waiting_inits {
            pod["status"]["initContainerStatuses"] = local
                .inits
                .iter()
                .map(|container| {
                    let mut status = container.status(true);
                    // The first one is being created; the others wait for it.
                    if !sandbox && local.stage == Stage::Sandbox {
                        status["state"] = tree!({"waiting": {"reason": "PodInitializing"}});
                    }
                    status
                })
                .collect();
        }
        let initializing = waiting_inits && !initialized;
        pod["status"]["containerStatuses"] =
            local.containers.iter().map(|container| container.status(initializing)).collect();
        for (kind, holds) in [
            ("PodReadyToStartContainers", sandbox),
            ("Initialized", initialized),
            ("Ready", containers_ready),
            ("ContainersReady", containers_ready),
        ] {
            set_condition(pod, condition(local, kind, holds, &now));
        }
        observe(pod);
    });
}

/// Conditions in a kubelet's order, after those of others; and which generation of the pod all of it is about.
fn observe(pod: &mut Tree) {
    const ORDER: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    let generation = pod["metadata"]["generation"].as_i64().unwrap_or(1);
    let status = &mut pod["status"];
    status["observedGeneration"] = generation.into();
    if let Some(list) = status["conditions"].as_array_mut() {
        list.sort_by_key(|one| ORDER.iter().position(|kind| one["type"] == **kind).map_or(0, |at| at + 1));
        for one in list {
            one["observedGeneration"] = generation.into();
        }
    }
}

fn condition(local: &Local, kind: &str, holds: bool, now: &str) -> Tree {
    let status = if holds { "True" } else { "False" };
    let mut condition = tree!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": now});
    if holds || kind == "PodReadyToStartContainers" {
        return condition;
    }
    let (list, reason, word): (&[Container], _, _) = match kind {
        "Initialized" => (&local.inits, "ContainersNotInitialized", "incomplete"),
        _ => (&local.containers, "ContainersNotReady", "unready"),
    };
    let names: Vec<&str> = list.iter().filter(|c| !c.ready).map(|c| c.name.as_str()).collect();
    condition["reason"] = reason.into();
    // As Go prints a list: no commas.
    let kind =
        if word == "incomplete" { "containers with incomplete status" } else { "containers with unready status" };
    condition["message"] = format!("{kind}: [{}]", names.join(" ")).into();
    condition
}

fn phase(local: &Local) -> &'static str {
    if local.stage < Stage::Running {
        return "Pending";
    }
    let ended = |container: &Container| match &container.state {
        State::Ended { code, .. } => Some(*code),
        _ => None,
    };
    let codes: Vec<i32> = local.containers.iter().filter_map(ended).collect();
    if codes.len() < local.containers.len() || !codes.iter().all(|code| local.view.stays_ended(*code)) {
        "Running"
    } else if codes.iter().all(|code| *code == 0) {
        "Succeeded"
    } else {
        "Failed"
    }
}
