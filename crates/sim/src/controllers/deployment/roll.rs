//! How many pods each ReplicaSet of a Deployment shall have now.

use super::{DESIRED, Replicas, count};
use crate::controllers::pods::Pods;
use crate::controllers::template::share;
use crate::store::Resource;
use crate::tree::Tree;
use crate::world::{Context, Key, Note, Source};

/// The Deployment's size and how many pods it may have above it.
pub(super) fn limits(deployment: &Tree) -> (usize, usize) {
    let wanted = count(&deployment["spec"]["replicas"]);
    if deployment["spec"]["strategy"]["type"] == "Recreate" || wanted == 0 {
        return (wanted, 0);
    }
    (wanted, fences(deployment, wanted).0)
}

/// `maxSurge` and `maxUnavailable` as numbers. Both zero would stop everything: then one may be unavailable.
fn fences(deployment: &Tree, wanted: usize) -> (usize, usize) {
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    let surge = share(&rolling["maxSurge"], wanted, true, 0);
    let unavailable = share(&rolling["maxUnavailable"], wanted, false, 0);
    (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable })
}

/// The size of a ReplicaSet that is made now.
pub(super) fn first_size(deployment: &Tree, sets: &[Replicas]) -> usize {
    let (wanted, surge) = limits(deployment);
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        // Only when nobody of the old ones is left.
        return if sets.iter().all(|set| set.present() == 0 && set.wanted() == 0) { wanted } else { 0 };
    }
    let there: usize = sets.iter().map(Replicas::wanted).sum();
    (wanted + surge).saturating_sub(there).min(wanted)
}

/// Whether the Deployment was scaled since its live ReplicaSets were written.
pub(super) fn is_scaling(deployment: &Tree, sets: &[Replicas]) -> bool {
    let wanted = count(&deployment["spec"]["replicas"]);
    sets.iter().filter(|set| set.wanted() > 0).any(|set| {
        let written =
            set.value["metadata"]["annotations"][DESIRED].as_str().and_then(|text| text.parse::<usize>().ok());
        written.is_some_and(|written| written != wanted)
    })
}

/// Spreads a new size over the live ReplicaSets; with one of them, it gets everything.
pub(super) fn scale_proportionally(cx: &mut Context, deployment: &Tree, sets: &[Replicas]) {
    let (wanted, surge) = limits(deployment);
    let live: Vec<&Replicas> = sets.iter().filter(|set| set.wanted() > 0).collect();
    match live.as_slice() {
        [] => {
            if let Some(last) = sets.last() {
                resize(cx, deployment, last, wanted);
            }
        }
        [one] => resize(cx, deployment, one, wanted),
        many => {
            let allowed = if wanted > 0 { wanted + surge } else { 0 };
            let total: usize = many.iter().map(|set| set.wanted()).sum();
            let mut left = allowed;
            for (at, set) in many.iter().enumerate() {
                let last = at + 1 == many.len();
                let size = if last { left } else { (set.wanted() * allowed).div_ceil(total.max(1)).min(left) };
                left -= size;
                resize(cx, deployment, set, size);
            }
        }
    }
}

/// All old ones go before the first new one comes.
pub(super) fn recreate(cx: &mut Context, pods: &Pods, deployment: &Tree, sets: &[Replicas], current: Option<&str>) {
    let (wanted, _) = limits(deployment);
    let (new, old): (Vec<&Replicas>, Vec<&Replicas>) =
        sets.iter().partition(|set| Some(&*set.object.meta.name) == current);
    for set in &old {
        if set.wanted() > 0 {
            resize(cx, deployment, set, 0);
        }
    }
    // Terminating pods count too, here.
    let left = old.iter().any(|set| set.wanted() > 0 || pods.of(&set.object.meta.uid).any(|pod| !pod.ended));
    if !left && let Some(new) = new.first() {
        resize(cx, deployment, new, wanted);
    }
}

/// First the new one grows as far as the surge allows, then old ones shrink as far as availability allows.
pub(super) fn rolling(cx: &mut Context, deployment: &Tree, sets: &[Replicas], current: Option<&str>) {
    let wanted = count(&deployment["spec"]["replicas"]);
    let (surge, unavailable) = fences(deployment, wanted);
    let Some(new) = sets.iter().find(|set| Some(&*set.object.meta.name) == current) else { return };
    let total: usize = sets.iter().map(Replicas::wanted).sum();
    if new.wanted() > wanted {
        resize(cx, deployment, new, wanted);
        return;
    }
    if new.wanted() < wanted && total < wanted + surge {
        let size = new.wanted() + (wanted + surge - total).min(wanted - new.wanted());
        resize(cx, deployment, new, size);
        return;
    }
    let old: Vec<&Replicas> = sets.iter().filter(|set| Some(&*set.object.meta.name) != current).collect();
    let old_total: usize = old.iter().map(|set| set.wanted()).sum();
    if old_total == 0 {
        return;
    }
    let least = wanted.saturating_sub(unavailable);
    let new_unavailable = new.wanted().saturating_sub(new.available());
    let mut may_go = total.saturating_sub(least).saturating_sub(new_unavailable);
    let mut sizes: Vec<usize> = old.iter().map(|set| set.wanted()).collect();
    // Those that serve nobody go first.
    for (set, size) in old.iter().zip(&mut sizes) {
        let unhealthy = set.wanted().saturating_sub(set.available()).min(may_go);
        *size -= unhealthy;
        may_go -= unhealthy;
    }
    let available: usize = sets.iter().map(Replicas::available).sum();
    let mut healthy = available.saturating_sub(least).min(may_go);
    for size in &mut sizes {
        let less = (*size).min(healthy);
        *size -= less;
        healthy -= less;
    }
    for (set, size) in old.iter().zip(sizes) {
        if size != set.wanted() {
            resize(cx, deployment, set, size);
        }
    }
}

fn resize(cx: &mut Context, deployment: &Tree, set: &Replicas, size: usize) {
    let (wanted, surge) = limits(deployment);
    let key = Key::of(&set.object);
    let before = set.wanted();
    cx.change(Resource::ReplicaSet, &key, |set| {
        set["spec"]["replicas"] = size.into();
        set["metadata"]["annotations"][DESIRED] = wanted.to_string().into();
        set["metadata"]["annotations"][super::MOST] = (wanted + surge).to_string().into();
    });
    if before == size {
        return;
    }
    let direction = if size > before { "up" } else { "down" };
    let text = format!("Scaled {direction} replica set {} from {before} to {size}", key.name);
    let owner = set.object.meta.controller().and_then(|uid| cx.store.find_uid(uid));
    if let Some(owner) = owner {
        let source = Source { component: "deployment-controller", host: "" };
        cx.events.write(&cx.store, &owner, source, Note::normal("ScalingReplicaSet", text));
    }
}
