//! A Deployment's status.

use std::time::Duration;

use jiff::Timestamp;

use super::{Replicas, count};
use crate::store::{Resource, Stored};
use crate::tree::{List, Tree, tree};
use crate::world::{Context, Key};

/// Writes it. Returns when to look again: a roll-out that makes no progress says so after its deadline.
pub(super) fn write(
    cx: &mut Context,
    key: &Key,
    object: &Stored,
    value: &Tree,
    sets: &[Replicas],
    current: Option<&str>,
) -> Option<Duration> {
    let now = cx.stamp();
    let generation = object.meta.generation;
    let wanted = count(&value["spec"]["replicas"]);
    let new = sets.iter().find(|set| Some(&*set.object.meta.name) == current);
    let sum = |of: fn(&Replicas) -> usize| sets.iter().map(of).sum::<usize>();
    let (replicas, ready, available) = (sum(Replicas::present), sum(Replicas::ready), sum(Replicas::available));
    let desired: usize = sets.iter().map(Replicas::wanted).sum();
    let updated = new.map_or(0, Replicas::present);
    let unavailable = desired.saturating_sub(available);
    let (_, surge) = super::roll::limits(value);
    let least_available = {
        let rolling = &value["spec"]["strategy"]["rollingUpdate"];
        let unavailable = crate::controllers::template::share(&rolling["maxUnavailable"], wanted, false, 0);
        wanted.saturating_sub(if surge == 0 && unavailable == 0 { 1.min(wanted) } else { unavailable })
    };
    let complete = updated == wanted && replicas == wanted && available == wanted && new.is_some();
    let old = &value["status"];
    let before = |field: &str| count(&old[field]);
    let progressed = updated > before("updatedReplicas")
        || ready > before("readyReplicas")
        || available > before("availableReplicas")
        || replicas.saturating_sub(updated) < before("replicas").saturating_sub(before("updatedReplicas"));
    let mut conditions = Conditions { list: old["conditions"].as_array().cloned().unwrap_or_default(), now: &now };
    if available >= least_available {
        conditions.set("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.");
    } else {
        conditions.set(
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        );
    }
    let name = new.map_or_else(String::new, |set| set.object.meta.name.to_string());
    let mut look_again = None;
    let known = conditions.get("Progressing").map(|c| c["reason"].as_str().unwrap_or_default().to_owned());
    if complete {
        let text = format!("ReplicaSet \"{name}\" has successfully progressed.");
        if known.as_deref() != Some("NewReplicaSetAvailable") || conditions.message("Progressing") != text {
            conditions.renew("Progressing", "True", "NewReplicaSetAvailable", &text);
        }
    } else if new.is_some() {
        let text = format!("ReplicaSet \"{name}\" is progressing.");
        let created = format!("Created new replica set \"{name}\"");
        if known.is_none() {
            conditions.renew("Progressing", "True", "NewReplicaSetCreated", &created);
        } else if progressed || conditions.is_about_another(&name) {
            conditions.renew("Progressing", "True", "ReplicaSetUpdated", &text);
        } else if known.as_deref() == Some("NewReplicaSetAvailable") {
            // It was complete and is not any more, without a roll-out: its pods have a reason of their own.
        } else {
            let deadline = value["spec"]["progressDeadlineSeconds"].as_u64().unwrap_or(600);
            let since = conditions.updated("Progressing");
            let passed = since.map_or(0, |at| cx.store.now().duration_since(at).as_secs().max(0).unsigned_abs());
            if passed >= deadline {
                let text = format!("ReplicaSet \"{name}\" has timed out progressing.");
                conditions.set("Progressing", "False", "ProgressDeadlineExceeded", &text);
            }
        }
        if conditions
            .get("Progressing")
            .is_some_and(|c| c["status"] == "True" && c["reason"] != "NewReplicaSetAvailable")
        {
            let deadline = value["spec"]["progressDeadlineSeconds"].as_u64().unwrap_or(600);
            // Looked at again only if nobody has looked since: asked for at each change, it would be asked for too often.
            if known.is_none() || progressed {
                look_again = Some(Duration::from_secs(deadline + 1));
            }
        }
    }
    let list = conditions.list;
    cx.change(Resource::Deployment, key, |deployment| {
        let status = &mut deployment["status"];
        if !status.is_object() {
            *status = tree!({});
        }
        status["observedGeneration"] = generation.into();
        for (field, number) in [
            ("replicas", replicas),
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", available),
            ("unavailableReplicas", unavailable),
        ] {
            if number == 0 {
                status.as_object_mut().map(|status| status.remove(field));
            } else {
                status[field] = number.into();
            }
        }
        status["conditions"] = list.into();
    });
    look_again
}

struct Conditions<'a> {
    list: List,
    now: &'a str,
}

impl Conditions<'_> {
    fn get(&self, kind: &str) -> Option<&Tree> {
        self.list.iter().find(|condition| condition["type"] == kind)
    }

    fn message(&self, kind: &str) -> &str {
        self.get(kind).and_then(|condition| condition["message"].as_str()).unwrap_or_default()
    }

    fn is_about_another(&self, set: &str) -> bool {
        !self.message("Progressing").contains(&format!("\"{set}\""))
    }

    fn updated(&self, kind: &str) -> Option<Timestamp> {
        self.get(kind)?["lastUpdateTime"].as_str()?.parse().ok()
    }

    /// Sets it; times change with the status only.
    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let same = self.get(kind).is_some_and(|old| old["status"] == status && old["reason"] == reason);
        if !same {
            self.renew(kind, status, reason, message);
        }
    }

    /// Sets it with a new update time.
    fn renew(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let since = self.get(kind).filter(|old| old["status"] == status).map(|old| old["lastTransitionTime"].clone());
        let condition = tree!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastUpdateTime": self.now,
            "lastTransitionTime": since.unwrap_or_else(|| self.now.into()),
        });
        match self.list.iter_mut().find(|old| old["type"] == kind) {
            Some(old) => *old = condition,
            None => self.list.push(condition),
        }
    }
}
