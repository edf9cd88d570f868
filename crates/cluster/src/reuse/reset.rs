//! From a cluster in which a scenario has run to what a new one is.
//!
//! Cilium is taken away whole and installed anew, rather than upgraded in place: an upgrade would keep CiliumNodes with their ranges, and
//! a scenario begins with none. Pods go while Cilium still runs, since it is Cilium that takes down their network.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Namespace, Node, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::ApiResource;
use kube::discovery::{Discovery, verbs};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::Instant;

use super::inventory::{Inventory, is_ciliums};
use super::wait::until;
use crate::error::Fault;
use crate::existing::{RUN_LABEL, definitions};
use crate::{Cluster, HelmAction, Progress};

/// What a pod gets to end by itself: nobody needs what it would still write.
const GRACE: u32 = 1;

/// Brings a cluster back, and looks whether that is so.
///
/// # Errors
/// When a part could not be taken back in time, or something is left: then the cluster is of no further use.
pub(super) async fn reset(
    cluster: &dyn Cluster,
    new: &Inventory,
    bound: Duration,
    progress: &dyn Progress,
) -> Result<(), Fault> {
    let client = cluster.client();
    let end = Instant::now() + bound;
    let other = |error: crate::ClusterError| Fault { output: error.output, ..Fault::new(error.operation, error.cause) };

    progress.now("bringing the cluster back: pods");
    cordon(&client, true).await?;
    take_away(&client, &Inventory::take(&client).await?, new).await?;
    no_pods(&client, end).await?;

    progress.now("bringing the cluster back: Cilium");
    // Machines are cleaned as soon as their agents are gone, which would write their files anew: a kubelet tells only every ten seconds
    // that it has no network, so the sooner it has none, the better.
    let uninstall = async { cluster.helm(&HelmAction::Uninstall).await.map_err(other) };
    let scrub = async {
        no_agents(&client, end).await?;
        cluster.scrub().await.map_err(other)
    };
    tokio::try_join!(uninstall, scrub)?;
    no_definitions(&client, end).await?;
    forget_cilium(&client).await?;
    forget_events(&client).await?;

    progress.now("bringing the cluster back: nodes without a network");
    without_network(&client, end).await?;
    cordon(&client, false).await?;
    schedulable(&client, end).await?;

    let left = Inventory::take(&client).await?.differences(new);
    if left.is_empty() {
        return Ok(());
    }
    Err(Fault::new("bring back", format!("it is not as it was when new: {}", left.join("; "))))
}

fn api(error: &kube::Error) -> Fault {
    Fault::new("bring back", error.to_string())
}

/// That it is not there is what was wanted.
fn gone<T>(result: Result<T, kube::Error>) -> Result<(), Fault> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop).map_err(|error| api(&error)),
    }
}

/// What would take the place of pods that go finds no node.
async fn cordon(client: &Client, cordoned: bool) -> Result<(), Fault> {
    let nodes: Api<Node> = Api::all(client.clone());
    let value = if cordoned { json!(true) } else { json!(null) };
    let patch = Patch::Merge(json!({"spec": {"unschedulable": value}}));
    for node in nodes.list(&ListParams::default()).await.map_err(|error| api(&error))? {
        nodes.patch(&node.name_any(), &PatchParams::default(), &patch).await.map_err(|error| api(&error))?;
    }
    Ok(())
}

/// Deletes what was not there when the cluster was new, and what bears the mark of a run. What Helm and Cilium made goes with them, later.
async fn take_away(client: &Client, now: &Inventory, new: &Inventory) -> Result<(), Fault> {
    for (id, kind) in now.beside(new) {
        let objects = of(client, kind, id.namespace());
        gone(objects.delete(id.name(), &DeleteParams::background()).await)?;
    }
    let ours = ListParams::default().labels(RUN_LABEL);
    let discovery =
        Discovery::new(client.clone()).filter(&["", "apps"]).run_aggregated().await.map_err(|error| api(&error))?;
    for (kind, can) in discovery.groups().flat_map(|group| group.recommended_resources()) {
        if !can.supports_operation(verbs::DELETE) || !can.supports_operation(verbs::LIST) {
            continue;
        }
        let listed = Api::<DynamicObject>::all_with(client.clone(), &kind).list(&ours).await;
        for object in listed.map_err(|error| api(&error))? {
            let objects = of(client, &kind, object.namespace().as_deref());
            gone(objects.delete(&object.name_any(), &DeleteParams::background()).await)?;
        }
    }
    Ok(())
}

fn of(client: &Client, kind: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, kind),
        None => Api::all_with(client.clone(), kind),
    }
}

/// Ends every pod that has a network of its own. Those that are made in their place (CoreDNS) wait for a node, and so have no address.
async fn no_pods(client: &Client, end: Instant) -> Result<(), Fault> {
    let all: Api<Pod> = Api::all(client.clone());
    let quick = DeleteParams { grace_period_seconds: Some(GRACE), ..DeleteParams::default() };
    for pod in all.list(&ListParams::default()).await.map_err(|error| api(&error))?.iter().filter(|pod| on_network(pod))
    {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
        gone(pods.delete(&pod.name_any(), &quick).await)?;
    }
    until(&all, end, "the end of pods", |pod| {
        let left = on_network(pod) || pod.labels().contains_key(RUN_LABEL);
        left.then(|| format!("pod {} is there", pod.name_any()))
    })
    .await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    until(&namespaces, end, "the end of namespaces", |one| {
        let left = one.metadata.deletion_timestamp.is_some() || one.labels().contains_key(RUN_LABEL);
        left.then(|| format!("namespace {} is there", one.name_any()))
    })
    .await
}

/// Whether a pod is on a node, and not in the node's own network.
fn on_network(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some() && spec.host_network != Some(true))
}

async fn no_agents(client: &Client, end: Instant) -> Result<(), Fault> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), crate::helm::NAMESPACE);
    until(&pods, end, "the end of agents", |pod| {
        let agent = pod.labels().get("k8s-app").is_some_and(|app| app == "cilium");
        agent.then(|| format!("pod {} is there", pod.name_any()))
    })
    .await
}

/// Ends Cilium's objects, then their definitions: an operator that still ran would make them anew, so its pods are waited for first.
async fn no_definitions(client: &Client, end: Instant) -> Result<(), Fault> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), crate::helm::NAMESPACE);
    until(&pods, end, "the end of Cilium's pods", |pod| {
        let left = pod.labels().get("app.kubernetes.io/part-of").is_some_and(|part| part == "cilium");
        left.then(|| format!("pod {} is there", pod.name_any()))
    })
    .await?;
    let ours = definitions(client).await.map_err(|error| api(&error))?;
    let discovery = Discovery::new(client.clone()).run_aggregated().await.map_err(|error| api(&error))?;
    let kinds = discovery.groups().filter(|group| is_ciliums(group.name()));
    for (kind, _) in kinds.flat_map(|group| group.recommended_resources()) {
        let listed = Api::<DynamicObject>::all_with(client.clone(), &kind).list(&ListParams::default()).await;
        let listed = listed.map_err(|error| api(&error))?;
        for object in &listed {
            gone(
                of(client, &kind, object.namespace().as_deref())
                    .delete(&object.name_any(), &DeleteParams::default())
                    .await,
            )?;
        }
        if !listed.items.is_empty() {
            let all: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
            until(&all, end, "the end of Cilium's objects", |object| {
                Some(format!("{} {} is there", kind.kind, object.name_any()))
            })
            .await?;
        }
    }
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in &ours {
        gone(crds.delete(name, &DeleteParams::default()).await)?;
    }
    until(&crds, end, "the end of Cilium's definitions", |crd| {
        is_ciliums(&crd.name_any()).then(|| format!("{} is there", crd.name_any()))
    })
    .await
}

/// Takes from Nodes what Cilium wrote on them, and the operator's lease: the next one would wait until it runs out.
async fn forget_cilium(client: &Client) -> Result<(), Fault> {
    let nodes: Api<Node> = Api::all(client.clone());
    for node in nodes.list(&ListParams::default()).await.map_err(|error| api(&error))? {
        let name = node.name_any();
        let nulls = |keys: &mut dyn Iterator<Item = &String>| -> serde_json::Map<String, serde_json::Value> {
            keys.filter(|key| key.contains("cilium")).map(|key| (key.clone(), json!(null))).collect()
        };
        let labels = nulls(&mut node.labels().keys());
        let annotations = nulls(&mut node.annotations().keys());
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        let taints: Vec<_> = taints.into_iter().filter(|taint| !taint.key.contains("cilium")).collect();
        let patch = json!({"metadata": {"labels": labels, "annotations": annotations}, "spec": {"taints": taints}});
        nodes.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(|error| api(&error))?;
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "NetworkUnavailable") {
            let gone = json!({"status": {"conditions": [{"type": "NetworkUnavailable", "$patch": "delete"}]}});
            let patch = Patch::Strategic(gone);
            nodes.patch_status(&name, &PatchParams::default(), &patch).await.map_err(|error| api(&error))?;
        }
    }
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
        Api::namespaced(client.clone(), crate::helm::NAMESPACE);
    for lease in leases.list(&ListParams::default()).await.map_err(|error| api(&error))? {
        if lease.name_any().starts_with("cilium-") {
            gone(leases.delete(&lease.name_any(), &DeleteParams::default()).await)?;
        }
    }
    Ok(())
}

/// What happened to the scenario before is no evidence for the next.
async fn forget_events(client: &Client) -> Result<(), Fault> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces.list(&ListParams::default()).await.map_err(|error| api(&error))? {
        let events: Api<Event> = Api::namespaced(client.clone(), &namespace.name_any());
        let all = events.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
        all.map(drop).map_err(|error| api(&error))?;
    }
    Ok(())
}

/// Waits until kubelets have noticed that there is no network plugin, as on a new node: a pod that were put there before would fail.
async fn without_network(client: &Client, end: Instant) -> Result<(), Fault> {
    let nodes: Api<Node> = Api::all(client.clone());
    until(&nodes, end, "nodes without a network", |node| {
        (!is_not_ready(node)).then(|| format!("node {} is Ready", node.name_any()))
    })
    .await
}

fn is_not_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let unready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "False");
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    unready && taints.into_iter().any(|taint| taint.key == "node.kubernetes.io/not-ready")
}

/// The taint of a cordon goes a moment after the cordon.
async fn schedulable(client: &Client, end: Instant) -> Result<(), Fault> {
    let nodes: Api<Node> = Api::all(client.clone());
    until(&nodes, end, "nodes without a cordon", |node| {
        let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
        let cordoned = taints.into_iter().any(|taint| taint.key == "node.kubernetes.io/unschedulable");
        cordoned.then(|| format!("node {} is cordoned", node.name_any()))
    })
    .await
}
