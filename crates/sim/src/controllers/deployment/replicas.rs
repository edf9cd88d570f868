//! The ReplicaSets of a Deployment: finding, creating, numbering and forgetting them.

use super::{DESIRED, MOST, REVISION, Replicas};
use crate::controllers::template::{self, POD_TEMPLATE_HASH};
use crate::store::{DeleteOptions, Resource, Stored, WriteOptions};
use crate::tree::{Tree, tree};
use crate::world::{Context, Key, Note, Source};

/// All of them, oldest first.
pub(super) fn of(cx: &Context, deployment: &Stored) -> Vec<Replicas> {
    let owned = cx.store.owned_by(&deployment.meta.uid).into_iter();
    let mut sets: Vec<Replicas> = owned
        .filter(|object| object.meta.resource == Resource::ReplicaSet && !object.meta.deleting)
        .map(|object| Replicas { value: object.tree().clone(), object })
        .collect();
    sets.sort_by_key(Replicas::revision);
    sets
}

/// The name of the ReplicaSet of the Deployment's template; made if there is none, numbered anew if it is an old one.
pub(super) fn current(cx: &mut Context, deployment: &Stored, value: &Tree, sets: &[Replicas]) -> Option<String> {
    let wanted = template::bare(&value["spec"]["template"]);
    let highest = |except: Option<&str>| {
        sets.iter()
            .filter(|set| Some(&*set.object.meta.name) != except)
            .map(Replicas::revision)
            .max()
            .unwrap_or_default()
    };
    let found = sets.iter().find(|set| template::bare(&set.value["spec"]["template"]) == wanted);
    if let Some(found) = found {
        let name = found.object.meta.name.to_string();
        let revision = found.revision().max(highest(Some(&name)) + 1);
        number(cx, deployment, value, &name, revision);
        return Some(name);
    }
    let revision = highest(None) + 1;
    let hash = template::hash(&value["spec"]["template"]);
    let name = format!("{}-{hash}", deployment.meta.name);
    let mut pod_template = value["spec"]["template"].clone();
    pod_template["metadata"]["labels"][POD_TEMPLATE_HASH] = hash.clone().into();
    let mut selector = value["spec"]["selector"].clone();
    selector["matchLabels"][POD_TEMPLATE_HASH] = hash.into();
    // A roll-out begins with what its limits allow; a first one with everything.
    let replicas = super::roll::first_size(value, sets);
    let set = tree!({
        "metadata": {
            "name": name,
            "labels": pod_template["metadata"]["labels"],
            "annotations": annotations(value, revision),
            "ownerReferences": [template::controller_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector,
            "template": pod_template,
        },
    });
    let source = Source { component: "deployment-controller", host: "" };
    match cx.store.create(Resource::ReplicaSet, &deployment.meta.namespace, set, &WriteOptions::default()) {
        Ok(_) => {
            let text = format!("Scaled up replica set {name} from 0 to {replicas}");
            if replicas > 0 {
                cx.events.write(&cx.store, deployment, source, Note::normal("ScalingReplicaSet", text));
            }
            number(cx, deployment, value, &name, revision);
            Some(name)
        }
        Err(status) => {
            let text = format!("Failed to create new replica set {name:?}: {status}");
            cx.events.write(&cx.store, deployment, source, Note::warning("ReplicaSetCreateError", text));
            None
        }
    }
}

fn annotations(deployment: &Tree, revision: u64) -> Tree {
    let mut annotations = deployment["metadata"]["annotations"].clone();
    if !annotations.is_object() {
        annotations = tree!({});
    }
    if let Some(map) = annotations.as_object_mut() {
        map.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    let (wanted, surge) = super::roll::limits(deployment);
    annotations[REVISION] = revision.to_string().into();
    annotations[DESIRED] = wanted.to_string().into();
    annotations[MOST] = (wanted + surge).to_string().into();
    annotations
}

fn number(cx: &mut Context, deployment: &Stored, value: &Tree, set: &str, revision: u64) {
    let key = Key::new(&deployment.meta.namespace, set);
    let annotations = annotations(value, revision);
    let least = value["spec"]["minReadySeconds"].as_u64().unwrap_or_default();
    cx.change(Resource::ReplicaSet, &key, |set| {
        for name in [REVISION, DESIRED, MOST] {
            set["metadata"]["annotations"][name] = annotations[name].clone();
        }
        if least > 0 || set["spec"]["minReadySeconds"].is_number() {
            set["spec"]["minReadySeconds"] = least.into();
        }
    });
    if value["metadata"]["annotations"][REVISION].as_str() != Some(&revision.to_string()) {
        let key = Key::of(deployment);
        cx.change(Resource::Deployment, &key, |deployment| {
            deployment["metadata"]["annotations"][REVISION] = revision.to_string().into();
        });
    }
}

/// Deletes empty ReplicaSets beyond `revisionHistoryLimit`.
pub(super) fn forget_old(cx: &Context, value: &Tree, sets: &[Replicas], current: Option<&str>) {
    let keep = value["spec"]["revisionHistoryLimit"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(10);
    let old: Vec<&Replicas> = sets
        .iter()
        .filter(|set| Some(&*set.object.meta.name) != current)
        .filter(|set| set.wanted() == 0 && set.present() == 0)
        .collect();
    for set in old.iter().take(old.len().saturating_sub(keep)) {
        // Somebody else may have deleted it already.
        let _ = cx.store.delete(
            Resource::ReplicaSet,
            &set.object.meta.namespace,
            &set.object.meta.name,
            &DeleteOptions::default(),
        );
    }
}
