//! A cluster for tests, and questions about it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ::cilium::CiliumNode;
use ::cilium::values::{IpamValues, with_ipam};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::store::{Clock, DeleteOptions, Resource, Selection, Store, StoreConfig, Stored, WriteOptions};
use crate::world::{Shape, World};

/// A running cluster.
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) store: Store,
    pub(crate) version: semver::Version,
}

/// Runs a test in virtual time.
pub(crate) fn virtually<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

pub(crate) fn shape(version: &str, workers: u32, seed: u64) -> Shape {
    let mut shape = Shape::new("sim", workers, version.parse().unwrap(), seed);
    shape.pod_subnet = "10.224.0.0/16".to_owned();
    shape
}

impl Lab {
    /// Boots nodes without Cilium.
    pub(crate) async fn boot(version: &str, shape: Shape) -> Self {
        let clock = Clock::tokio("2026-01-01T00:00:00Z".parse().unwrap());
        let store = Store::new(StoreConfig::new(shape.seed, clock));
        let world = World::boot(store.clone(), shape).unwrap();
        world.ready().await;
        Self { world, store, version: version.parse().unwrap() }
    }

    /// Boots nodes, installs Cilium in cluster-pool with this pool and waits for it.
    pub(crate) async fn with_pool(version: &str, workers: u32, seed: u64, pool: &[&str], mask: u8) -> Self {
        let lab = Self::boot(version, shape(version, workers, seed)).await;
        lab.install(&IpamValues {
            ipv4_pools: pool.iter().map(|one| (*one).to_owned()).collect(),
            ipv4_mask: mask,
            ..IpamValues::default()
        });
        lab.until("Cilium is up", 120, Self::is_up).await;
        lab
    }

    pub(crate) fn install(&self, ipam: &IpamValues) {
        let release = self.version.to_string().parse().unwrap();
        self.world.helm_apply(&self.version, release, &with_ipam(ipam)).unwrap();
    }

    /// Waits for a level.
    #[track_caller]
    pub(crate) fn until<'a>(
        &'a self,
        what: &'a str,
        seconds: u64,
        holds: impl Fn(&Self) -> bool + 'a,
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
            while !holds(self) {
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "{caller}: not in {seconds} s: {what}\n{}",
                    self.picture()
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn picture(&self) -> String {
        let mut text = String::new();
        for resource in [Resource::Node, Resource::CiliumNode, Resource::Pod, Resource::Event] {
            for object in self.all(resource) {
                let value = object.value();
                let line = match resource {
                    Resource::Node => format!("{} {}", value["spec"], value["status"]["conditions"]),
                    Resource::CiliumNode => format!("{} {}", value["spec"]["ipam"], value["status"]),
                    Resource::Pod => format!(
                        "{} {} {} {}",
                        value["spec"]["nodeName"],
                        value["status"]["phase"],
                        value["status"]["podIP"],
                        value["status"]["containerStatuses"]
                    ),
                    _ => format!("{} {} x{}", value["reason"], value["message"], value["count"]),
                };
                text.push_str(&format!(
                    "{resource:?} {}: {}\n",
                    object.meta.name,
                    line.chars().take(600).collect::<String>()
                ));
            }
        }
        text
    }

    pub(crate) fn all(&self, resource: Resource) -> Vec<Stored> {
        self.store.list(resource, None, &Selection::all()).0
    }

    /// Live pods with a label.
    pub(crate) fn pods(&self, label: &str, value: &str) -> Vec<Stored> {
        let pods = self.all(Resource::Pod).into_iter();
        pods.filter(|pod| !pod.meta.deleting && pod.meta.label(label) == Some(value)).collect()
    }

    pub(crate) fn is_ready(pod: &Stored) -> bool {
        let value = pod.value();
        let conditions = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
    }

    pub(crate) fn ready(&self, label: &str, value: &str, count: usize) -> bool {
        let pods = self.pods(label, value);
        pods.len() == count && pods.iter().all(Self::is_ready)
    }

    /// All of Cilium and CoreDNS ready, nodes schedulable.
    pub(crate) fn is_up(&self) -> bool {
        let nodes = self.all(Resource::Node);
        let calm = nodes.iter().all(|node| {
            let taints = node.value()["spec"]["taints"].as_array().cloned().unwrap_or_default();
            taints.iter().all(|taint| taint["key"] == "node-role.kubernetes.io/control-plane")
        });
        calm && self.ready("app.kubernetes.io/name", "cilium-agent", nodes.len())
            && self.ready("app.kubernetes.io/name", "cilium-operator", 1)
            && self.ready("app.kubernetes.io/name", "hubble-relay", 1)
            && self.ready("k8s-app", "kube-dns", 2)
    }

    pub(crate) fn cilium_nodes(&self) -> BTreeMap<String, CiliumNode> {
        let nodes = self.all(Resource::CiliumNode).into_iter();
        nodes.map(|one| CiliumNode::from_value(&one.value()).unwrap()).map(|one| (one.name.clone(), one)).collect()
    }

    /// podCIDRs and errors, by node.
    pub(crate) fn ipam(&self) -> BTreeMap<String, (Vec<String>, Option<String>)> {
        self.cilium_nodes().into_iter().map(|(name, node)| (name, (node.pod_cidrs, node.error))).collect()
    }

    pub(crate) fn cidr(&self, node: &str) -> String {
        self.ipam()[node].0.join(",")
    }

    pub(crate) fn node_cidr(&self, node: &str) -> String {
        let node = self.store.get(Resource::Node, "", node).unwrap().value();
        node["spec"]["podCIDR"].as_str().unwrap_or_default().to_owned()
    }

    /// Name, UID and address of a workload's live pods.
    pub(crate) fn addresses(&self, label: &str, value: &str) -> BTreeMap<String, (String, Option<IpAddr>)> {
        let pods = self.pods(label, value).into_iter();
        pods.map(|pod| {
            let ip = pod.value()["status"]["podIP"].as_str().and_then(|ip| ip.parse().ok());
            (pod.meta.name.to_string(), (pod.value()["spec"]["nodeName"].as_str().unwrap_or_default().to_owned(), ip))
        })
        .collect()
    }

    /// Whether every pod of the workload has an address in what `range` says of its node.
    pub(crate) fn every_address(&self, workload: &str, count: usize, range: impl Fn(&str) -> String) -> bool {
        let pods = self.addresses("app", workload);
        pods.len() == count
            && pods.values().all(|(node, ip)| {
                let net: Result<IpNet, _> = range(node).parse();
                net.is_ok_and(|net| ip.is_some_and(|ip| net.contains(&ip)))
            })
    }

    pub(crate) fn deploy(&self, name: &str, replicas: u32) {
        if self.store.find(Resource::Namespace, "", name).is_none() {
            self.store
                .create(Resource::Namespace, "", json!({"metadata": {"name": name}}), &WriteOptions::default())
                .unwrap();
        }
        let deployment = json!({
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{
                        "name": name,
                        "image": "alpine:3.22",
                        "command": ["sh", "-c", "trap exit TERM; sleep infinity & wait"],
                    }]},
                },
            },
        });
        self.store.create(Resource::Deployment, name, deployment, &WriteOptions::default()).unwrap();
    }

    pub(crate) fn configure(&self, pairs: &[(&str, &str)]) {
        self.store
            .mutate(Resource::ConfigMap, "kube-system", "cilium-config", |map| {
                for (key, value) in pairs {
                    map["data"][*key] = (*value).into();
                }
            })
            .unwrap();
    }

    /// `kubectl rollout restart`.
    pub(crate) fn rollout(&self, resource: Resource, namespace: &str, name: &str) {
        let now = self.store.timestamp();
        self.store.update_with(resource, namespace, name, |object| {
            object["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
                now.as_str().into();
        });
    }

    /// Deletes pods by label and waits until so many new ones are ready.
    pub(crate) async fn replace(&self, label: &str, value: &str) {
        let old: Vec<Stored> = self.pods(label, value);
        for pod in &old {
            self.store.delete(Resource::Pod, &pod.meta.namespace, &pod.meta.name, &DeleteOptions::default()).unwrap();
        }
        let uids: Vec<ecow::EcoString> = old.iter().map(|pod| pod.meta.uid.clone()).collect();
        self.until("successors are ready", 120, |lab| {
            lab.ready(label, value, uids.len())
                && lab.pods(label, value).iter().all(|pod| !uids.contains(&pod.meta.uid))
        })
        .await;
    }

    pub(crate) async fn agents_replaced(&self) {
        self.replace("app.kubernetes.io/name", "cilium-agent").await;
        self.pass(6).await;
    }

    pub(crate) async fn operator_replaced(&self) {
        self.replace("app.kubernetes.io/name", "cilium-operator").await;
        self.pass(15).await;
    }

    pub(crate) async fn workload_rolled(&self, name: &str, replicas: usize) {
        let old: Vec<ecow::EcoString> = self.pods("app", name).iter().map(|pod| pod.meta.uid.clone()).collect();
        self.rollout(Resource::Deployment, name, name);
        self.until("the workload has rolled", 60, |lab| {
            lab.ready("app", name, replicas) && lab.pods("app", name).iter().all(|pod| !old.contains(&pod.meta.uid))
        })
        .await;
    }

    pub(crate) fn delete(&self, resource: Resource, namespace: &str, name: &str) {
        self.store.delete(resource, namespace, name, &DeleteOptions::default()).unwrap();
    }

    pub(crate) fn exec(&self, pod: &Stored, command: &str) -> (i32, String) {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let (code, stdout, _) = self.world.exec(&pod.meta.namespace, &pod.meta.name, None, &words).unwrap();
        (code, stdout)
    }

    pub(crate) fn log(&self, pod: &Stored) -> String {
        let lines = self.world.logs(&pod.meta.namespace, &pod.meta.name, None, false).unwrap();
        lines.into_iter().map(|line| line.text + "\n").collect()
    }
}

/// What only tests need of the store.
trait Update {
    fn update_with(&self, resource: Resource, namespace: &str, name: &str, change: impl FnOnce(&mut Value));
}

impl Update for Store {
    /// An update as a client makes it: generation and defaults are the server's.
    fn update_with(&self, resource: Resource, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(resource, namespace, name).unwrap().value();
        change(&mut object);
        self.update(resource, namespace, name, object, &WriteOptions::default()).unwrap();
    }
}
