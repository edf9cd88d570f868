//! Pods of `k8s-app=kube-dns` without a CiliumEndpoint are restarted, one per round (operator/unmanagedpods/controller.go).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{OperatorStep, Operators, Parts};
use crate::cilium::info;
use crate::controllers::pods::PodFacts;
use crate::store::{DeleteOptions, Resource};
use crate::world::{Context, Key, Name, Task};

/// A pod this young may still get its endpoint.
const YOUNG: i64 = 30;
/// A pod of the same name is not restarted again before that.
const AGAIN: Duration = Duration::from_secs(300);

/// The rounds of one leader. They take place only while a pod of the set has no endpoint: a round over managed pods does nothing,
/// and would only keep a virtual clock busy.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// When the leader began; rounds keep its beat.
    began: Option<Duration>,
    interval: Duration,
    asked: bool,
    restarted: BTreeMap<Key, Duration>,
    /// Pods of the set, by key.
    pods: BTreeSet<Name>,
}

impl Rounds {
    pub(super) fn stop(&mut self) {
        self.began = None;
        self.asked = false;
        self.restarted.clear();
    }
}

impl Operators {
    /// A pod has changed.
    pub(crate) fn dns_pod_changed(&mut self, cx: &mut Context, before: Option<&PodFacts>, after: Option<&PodFacts>) {
        let Some(pod) = after.or(before) else { return };
        if pod.object.meta.label("k8s-app") != Some("kube-dns") {
            return;
        }
        if after.is_some() {
            self.unmanaged.pods.insert(pod.uid.clone());
            self.ask_for_round(cx);
        } else {
            self.unmanaged.pods.remove(&pod.uid);
        }
    }

    /// A CiliumEndpoint is gone.
    pub(crate) fn endpoint_gone(&mut self, cx: &mut Context) {
        self.ask_for_round(cx);
    }

    pub(super) fn start_unmanaged(&mut self, cx: &mut Context, pod: &Name) {
        let interval = self
            .processes
            .get(pod)
            .and_then(|process| process.data.get(cilium::config::UNMANAGED_POD_WATCHER_INTERVAL))
            .map_or(Some(Duration::from_secs(15)), |text| cilium::config::interval(text))
            .unwrap_or_default();
        self.unmanaged.began = Some(cx.timers.now());
        self.unmanaged.interval = interval;
        self.unmanaged.asked = false;
        self.ask_for_round(cx);
    }

    fn ask_for_round(&mut self, cx: &mut Context) {
        let Some(process) = self.leader.as_ref().and_then(|pod| self.processes.get(pod)) else { return };
        let rounds = &mut self.unmanaged;
        let Some(began) = rounds.began else { return };
        if rounds.asked || rounds.interval.is_zero() || rounds.pods.is_empty() {
            return;
        }
        let bare = rounds.pods.iter().any(|uid| {
            cx.store.find_uid(uid).is_some_and(|pod| {
                !pod.meta.deleting
                    && cx.store.find(Resource::CiliumEndpoint, &pod.meta.namespace, &pod.meta.name).is_none()
                    && pod.meta.field("status.phase") == Some("Running")
            })
        });
        if !bare {
            return;
        }
        rounds.asked = true;
        let passed = cx.timers.now().saturating_sub(began);
        let beat = rounds.interval.as_millis().max(1);
        let left = u64::try_from(beat - passed.as_millis() % beat).unwrap_or_default();
        let task = Task::Operator(process.pod.clone(), process.life, OperatorStep::Unmanaged);
        cx.timers.after(Duration::from_millis(left), task);
    }

    pub(super) fn restart_unmanaged(&mut self, cx: &mut Context, parts: &Parts<'_>, pod: &Name) {
        self.unmanaged.asked = false;
        let now = cx.timers.now();
        let mut candidates: Vec<PodFacts> =
            self.unmanaged.pods.iter().filter_map(|uid| parts.pods.get(uid)).cloned().collect();
        cx.rng.shuffle(&mut candidates);
        for dns in candidates {
            let managed = cx.store.find(Resource::CiliumEndpoint, &dns.key.namespace, &dns.key.name).is_some();
            let age = dns.created.map_or(0, |at| cx.store.now().duration_since(at).as_secs());
            let again = self.unmanaged.restarted.get(&dns.key).is_some_and(|at| now.saturating_sub(*at) < AGAIN);
            if managed || dns.host_network || !dns.running || dns.deleting || age <= YOUNG || again {
                continue;
            }
            let id = format!("{}/{}", dns.key.namespace, dns.key.name);
            self.log(cx, pod, &[info("Restarting unmanaged pod")], &[("k8sPodName", &id)]);
            let options = DeleteOptions::default();
            if cx.store.delete(Resource::Pod, &dns.key.namespace, &dns.key.name, &options).is_ok() {
                self.unmanaged.restarted.insert(dns.key, now);
                break;
            }
        }
        self.ask_for_round(cx);
    }
}
