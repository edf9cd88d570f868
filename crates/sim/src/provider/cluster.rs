//! One simulated cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use ::cluster::{Cluster, ClusterError, ClusterSpec, ExecOutput, HelmAction, Leftovers};
use async_trait::async_trait;
use camino::Utf8Path;
use events::ClusterKind;
use ipam::Release;
use ipnet::IpNet;
use semver::Version;
use serde_json::Value;

use super::SimOptions;
use crate::api::{Api, FaultPlan, Faults, Served, serve};
use crate::store::{ChangeKind, Clock, Resource, Store, StoreConfig};
use crate::world::{Fault, Shape, World};

/// The name of every simulated cluster: nodes are `sim-control-plane`, `sim-worker`, ... in each run, so that runs can be compared.
const NAME: &str = "sim";

/// The name of the node with this role.
pub(super) fn node_name(role: &str) -> String {
    format!("{NAME}-{role}")
}

/// A simulated cluster. It lives in the runtime that it was booted in.
pub struct SimCluster {
    world: World,
    api: Api,
    client: kube::Client,
    seed: u64,
}

impl SimCluster {
    /// Boots a cluster: its API answers at once, its nodes join after that.
    ///
    /// # Errors
    /// An unknown Cilium version, ranges that cannot be read, or flags that kube-controller-manager would not start with.
    pub fn boot(spec: &ClusterSpec, options: &SimOptions) -> Result<Self, ClusterError> {
        let release = release(&spec.cilium).map_err(|cause| fault("create", cause))?;
        let seed = options.seed ^ fold(&spec.scenario);
        let mut shape = Shape::new(NAME, spec.workers, release, seed);
        shape.ipv4 = spec.ip_family != "ipv6";
        shape.ipv6 = spec.ip_family != "ipv4";
        shape.pod_subnet.clone_from(&spec.pod_subnet);
        shape.service_subnet.clone_from(&spec.service_subnet);
        shape.controller_manager.clone_from(&spec.controller_manager);
        shape.speed = options.speed;
        let mut config = StoreConfig::new(seed, Clock::tokio(options.epoch));
        config.service_subnets = subnets(&spec.service_subnet).map_err(|cause| fault("create", cause))?;
        let store = Store::new(config);
        let world = World::boot(store.clone(), shape).map_err(|error| fault("create", error.to_string()))?;
        let mut api = Api::new(store);
        api.hooks = std::sync::Arc::new(world.clone());
        api.faults = Faults::new(seed);
        // Within the process nobody has to show a token.
        let client = kube::Client::new(crate::api::router(api.clone()), "default");
        api.token.clone_from(&options.token);
        Ok(Self { world, api, client, seed })
    }

    /// Serves the API on 127.0.0.1 too, until the answer is dropped. Port 0 takes any that is free.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn serve(&self, port: u16) -> Result<Served, ClusterError> {
        let mut api = self.api.clone();
        // Real clients on real time: their idle watches get bookmarks as from a real server.
        api.bookmarks = Some(Duration::from_secs(60));
        serve(api, port).await.map_err(|error| fault("serve", error.to_string()))
    }

    /// Whether it has not been removed.
    pub(super) fn is_up(&self) -> bool {
        self.world.runs()
    }

    /// What acts on it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Lets something go wrong, at the API server or behind it. Nodes are given by name.
    ///
    /// # Errors
    /// When there is nothing that could.
    pub fn go_wrong(&self, what: &events::Fault) -> Result<(), ClusterError> {
        let faults = &self.api.faults;
        let plan = faults.plan();
        let behind = match what {
            events::Fault::Errors(error_rate) => {
                faults.set(FaultPlan { error_rate: *error_rate, ..plan });
                return Ok(());
            }
            events::Fault::SlowWrites(slow_writes) => {
                faults.set(FaultPlan { slow_writes: *slow_writes, ..plan });
                return Ok(());
            }
            events::Fault::DropWatches => {
                faults.drop_watches();
                return Ok(());
            }
            events::Fault::ExpireWatches => {
                faults.expire_watches();
                return Ok(());
            }
            events::Fault::AgentCrash(node) => Fault::AgentCrash { node: node.clone() },
            events::Fault::OperatorCrash => Fault::OperatorCrash,
            events::Fault::LostLeader => Fault::LostLeader,
            events::Fault::Violate(breaks) => Fault::Flaw { breaks: *breaks },
            events::Fault::NodeLoss(node) => Fault::NodeLoss { node: node.clone() },
            events::Fault::ImageMissing(image) => Fault::ImageMissing { image: image.clone() },
            events::Fault::DiskFull(node) => Fault::DiskFull { node: node.clone() },
        };
        self.world.inflict(&behind).map_err(|error| fault(&format!("inject {what} into"), error.to_string()))
    }

    /// Returns once this many Nodes are Ready: an agent runs on each.
    pub async fn nodes_ready(&self, count: usize) {
        let mut nodes = self.world.store().subscribe(Resource::Node);
        let mut ready = BTreeSet::new();
        while ready.len() < count
            && let Some(change) = nodes.next().await
        {
            let node = change.object.value();
            let conditions = node["status"]["conditions"].as_array();
            let is_ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
            if change.kind != ChangeKind::Deleted && conditions.is_some_and(|list| list.iter().any(is_ready)) {
                ready.insert(change.object.meta.name.clone());
            } else {
                ready.remove(&change.object.meta.name);
            }
        }
    }

    /// The seed that this cluster's life was drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl std::fmt::Debug for SimCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimCluster").field("seed", &self.seed).finish_non_exhaustive()
    }
}

fn fault(operation: &str, cause: String) -> ClusterError {
    ClusterError {
        operation: operation.to_owned(),
        object: "simulated cluster".to_owned(),
        cause,
        output: None,
        hint: None,
        leftovers: Leftovers::Clear,
    }
}

fn release(version: &str) -> Result<Release, String> {
    version.parse().map_err(|error: ipam::UnknownRelease| error.to_string())
}

fn subnets(text: &str) -> Result<Vec<IpNet>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| format!("service subnet {part:?} is not a CIDR"))).collect()
}

/// A scenario's own part of the seed.
fn fold(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |word, byte| (word ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[async_trait]
impl Cluster for SimCluster {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Sim
    }

    fn name(&self) -> &str {
        NAME
    }

    fn client(&self) -> kube::Client {
        self.client.clone()
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        None
    }

    async fn ready(&self) -> Result<(), ClusterError> {
        self.world.ready().await;
        Ok(())
    }

    async fn helm(&self, action: &HelmAction) -> Result<(), ClusterError> {
        let (operation, done) = match action {
            HelmAction::Apply { version, values } => {
                let release = release(version).map_err(|cause| fault("helm upgrade", cause))?;
                let parsed = Version::parse(version.trim_start_matches('v'))
                    .map_err(|error| fault("helm upgrade", format!("chart version {version:?}: {error}")))?;
                ("helm upgrade", self.world.helm_apply(&parsed, release, values))
            }
            // As from every provider: that there is nothing to remove is no error.
            HelmAction::Uninstall => match self.world.helm_uninstall() {
                Err(text) if text.contains("release: not found") => return Ok(()),
                done => ("helm uninstall", done),
            },
        };
        done.map_err(|output| {
            let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            ClusterError { output: Some(output.clone()), ..fault(operation, lines.join(" ")) }
        })
    }

    async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
        _deadline: Duration,
    ) -> Result<ExecOutput, ClusterError> {
        let answer = self.world.exec(namespace, pod, container, command);
        let (code, stdout, stderr) = answer.map_err(|error| ClusterError {
            object: format!("pod {namespace}/{pod}"),
            ..fault("exec in", error.to_string())
        })?;
        Ok(ExecOutput { code, stdout, stderr })
    }

    async fn stop_node(&self, node: &str) -> Result<(), ClusterError> {
        self.world.stop_node(node).map_err(|error| fault("stop a node of", error.to_string()))
    }

    async fn start_node(&self, node: &str) -> Result<(), ClusterError> {
        self.world.start_node(node).map_err(|error| fault("start a node of", error.to_string()))
    }

    async fn scrub(&self) -> Result<(), ClusterError> {
        self.world.scrub();
        Ok(())
    }

    async fn inject(&self, fault: &events::Fault) -> Result<(), ClusterError> {
        self.go_wrong(fault)
    }

    async fn evidence(&self, dir: &Utf8Path) -> (Vec<String>, Vec<String>) {
        const FILE: &str = "simulation.json";
        let text = format!("{:#}\n", self.world.report(self.seed));
        let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(dir.join(FILE), text));
        match written {
            Ok(()) => (vec![FILE.to_owned()], Vec::new()),
            Err(error) => (Vec::new(), vec![format!("{FILE}: {error}")]),
        }
    }

    async fn destroy(&self) -> Result<(), ClusterError> {
        self.world.stop();
        Ok(())
    }

    fn leftovers(&self) -> Leftovers {
        // It is memory of this process and nothing else.
        Leftovers::Clear
    }
}
