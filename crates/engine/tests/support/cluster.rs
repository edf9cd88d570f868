//! A provider and a cluster of three nodes, with as much of Cilium and of Kubernetes' controllers as scenarios need.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use cluster::{Cluster, ClusterError, ClusterSpec, ExecOutput, HelmAction, Leftovers, Progress, Provider};
use events::ClusterKind;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::{Api, Write};
use super::objects::{self, NODES, Pod};

/// How long the controllers take for anything.
pub(crate) const PACE: Duration = Duration::from_millis(400);

/// What the cluster is told to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Creating the cluster fails with this cause.
    pub(crate) create_fails: Option<&'static str>,
    /// Creating it never ends.
    pub(crate) create_hangs: bool,
    /// Helm never returns.
    pub(crate) helm_hangs: bool,
    /// Removing it never ends.
    pub(crate) destroy_hangs: bool,
    /// Removing it fails with this cause.
    pub(crate) destroy_fails: Option<&'static str>,
    /// Evidence that only the provider has never comes.
    pub(crate) evidence_hangs: bool,
    /// Commands in pods cannot be run until then.
    pub(crate) exec_down_until: Option<Instant>,
    /// Pods of this image never run.
    pub(crate) missing_image: Option<&'static str>,
    /// Pings that are not answered: from these pods' names.
    pub(crate) unreachable_from: Vec<&'static str>,
    /// The last node registers so much later than the others.
    pub(crate) last_node_after: Option<Duration>,
    /// Replacements of agent pods come up with the mode that they were made with.
    pub(crate) agents_ignore_config: bool,
}

#[derive(Default)]
struct Inner {
    script: Script,
    /// The IPAM mode of each agent pod, by name.
    modes: BTreeMap<String, String>,
    calls: Vec<String>,
    kept: bool,
    destroyed: bool,
}

/// A cluster in this process. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) api: Api,
    inner: Arc<Mutex<Inner>>,
    serial: Arc<AtomicUsize>,
    kubeconfig: Utf8PathBuf,
    client: kube::Client,
}

impl Lab {
    /// Outside of a runtime's task nothing can be made: call it in a test's body.
    pub(crate) fn new(script: Script) -> Self {
        let api = Api::default();
        let client = api.client();
        Self::with_client(script, api, client)
    }

    pub(crate) fn with_client(script: Script, api: Api, client: kube::Client) -> Self {
        let inner = Arc::new(Mutex::new(Inner { script, ..Inner::default() }));
        let lab = Self { api, inner, serial: Arc::default(), kubeconfig: "/run/kubeconfig".into(), client };
        let controllers = lab.clone();
        lab.api.react(move |_, write| controllers.reconcile(write));
        lab
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds this")
    }

    /// Changes what it does from now on.
    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.inner().script);
    }

    /// What was asked of the provider.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.inner().calls.clone()
    }

    fn call(&self, what: impl Into<String>) -> Script {
        let mut inner = self.inner();
        inner.calls.push(what.into());
        inner.script.clone()
    }

    /// Nodes without Cilium.
    pub(crate) fn bring_up(&self) {
        let late = self.inner().script.last_node_after;
        for (place, name) in NODES.iter().enumerate() {
            match late {
                Some(after) if place + 1 == NODES.len() => {
                    let api = self.api.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        api.put(objects::node(name));
                    });
                }
                _ => {
                    self.api.put(objects::node(name));
                }
            }
        }
    }

    /// Cilium as its chart and its first minute leave it.
    pub(crate) fn install(&self, mode: &str) {
        self.api.put(objects::config(&json!({"ipam": mode})));
        for (place, node) in NODES.iter().enumerate() {
            let (kubernetes, pool) = (format!("10.244.{place}.0/24"), format!("10.0.{place}.0/24"));
            let cidr = if mode == "kubernetes" { kubernetes } else { pool };
            self.api.put(objects::cilium_node(node, &[&cidr], None));
            self.agent(node);
        }
        let operator = json!({"io.cilium/app": "operator", "name": "cilium-operator"});
        self.api.put(Pod::system(operator, "cilium-operator-0", NODES[1], "172.18.0.3", true).value());
        self.api.put(objects::lease("cilium-operator-0", "2026-01-01T00:00:00Z"));
    }

    fn next(&self) -> usize {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes an agent pod that runs what `cilium-config` says.
    fn agent(&self, node: &str) {
        let name = format!("cilium-{}", self.next());
        let labels = json!({"k8s-app": "cilium", "app.kubernetes.io/name": "cilium-agent"});
        let config = self.api.get("ConfigMap", "kube-system", "cilium-config").unwrap_or_default();
        let asked = config["data"]["ipam"].as_str().unwrap_or("cluster-pool").to_owned();
        let stubborn = self.inner().script.agents_ignore_config;
        let mode = if stubborn { "cluster-pool".to_owned() } else { asked };
        self.inner().modes.insert(name.clone(), mode.clone());
        self.api.put(Pod::system(labels, &name, node, "172.18.0.2", true).value());
        if mode == "kubernetes" {
            // The agent writes the Node's podCIDR, and the operator of 1.18 and 1.19 complains.
            let wanted = objects::node(node)["spec"]["podCIDR"].clone();
            let api = self.api.clone();
            let Some(before) = api.get("CiliumNode", "", node) else { return };
            let had = before["spec"]["ipam"]["podCIDRs"].clone();
            if had == json!([wanted]) {
                return;
            }
            let (had, wanted) = (had[0].as_str().unwrap_or("").to_owned(), wanted.as_str().unwrap_or("").to_owned());
            let node = node.to_owned();
            api.edit("CiliumNode", "", &node, |object| object["spec"]["ipam"]["podCIDRs"] = json!([wanted]));
            tokio::spawn(async move {
                tokio::time::sleep(PACE).await;
                let error = format!("node has CIDRs allocated ([{had}]) that conflict with requested CIDRs [{wanted}]");
                api.edit("CiliumNode", "", &node, |object| {
                    object["status"]["ipam"]["operator-status"] = json!({"error": error});
                });
            });
        }
    }

    /// The range that the agent on a node uses.
    fn range(&self, node: &str) -> String {
        let pods = self.api.all("Pod");
        let agent =
            pods.iter().find(|pod| pod["spec"]["nodeName"] == node && pod["metadata"]["labels"]["k8s-app"] == "cilium");
        let place = NODES.iter().position(|known| *known == node).unwrap_or(9);
        let name = agent.and_then(|pod| pod["metadata"]["name"].as_str()).unwrap_or("");
        match self.inner().modes.get(name).map(String::as_str) {
            Some("kubernetes") => format!("10.244.{place}.0/24"),
            _ => format!("10.0.{place}.0/24"),
        }
    }

    /// Kubernetes' controllers, after each write.
    fn reconcile(&self, write: &Write) {
        match (&write.method, write.plural.as_str()) {
            (&Method::POST, "deployments") => self.start(write.object.clone(), Vec::new()),
            (&Method::PATCH, "deployments") => {
                let template = "/spec/template/metadata/annotations";
                let before = write.before.as_ref().unwrap_or(&Value::Null);
                if before.pointer(template) != write.object.pointer(template) {
                    self.start(write.object.clone(), self.pods_of(&write.object));
                } else {
                    self.resize(&write.object);
                }
            }
            (&Method::DELETE, "deployments") => self.stop(&self.pods_of(&write.object)),
            (&Method::DELETE, "pods") if write.object["metadata"]["labels"]["k8s-app"] == "cilium" => {
                let (lab, node) = (self.clone(), write.object["spec"]["nodeName"].as_str().unwrap_or("").to_owned());
                tokio::spawn(async move {
                    tokio::time::sleep(PACE).await;
                    lab.agent(&node);
                });
            }
            (&Method::DELETE, "pods") if write.object["metadata"]["labels"]["name"] == "cilium-operator" => {
                let (lab, mut pod) = (self.clone(), write.object.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(PACE).await;
                    let name = format!("cilium-operator-{}", lab.next());
                    pod["metadata"]["name"] = json!(name);
                    pod["metadata"]["uid"] = json!(format!("uid-of-{name}"));
                    lab.api.put(pod);
                    tokio::time::sleep(PACE).await;
                    lab.api.put(objects::lease(&name, "2026-01-01T00:00:02Z"));
                });
            }
            _ => {}
        }
    }

    fn pods_of(&self, deployment: &Value) -> Vec<Value> {
        let namespace = &deployment["metadata"]["namespace"];
        let name = &deployment["metadata"]["name"];
        let pods = self.api.all("Pod").into_iter();
        pods.filter(|pod| pod["metadata"]["namespace"] == *namespace && pod["metadata"]["labels"]["app"] == *name)
            .collect()
    }

    /// New pods, and once they run the old ones go.
    fn start(&self, deployment: Value, old: Vec<Value>) {
        let replicas = usize::try_from(deployment["spec"]["replicas"].as_u64().unwrap_or(0)).unwrap_or(0);
        self.add(&deployment, replicas);
        let lab = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PACE * 3).await;
            lab.stop(&old);
        });
    }

    fn resize(&self, deployment: &Value) {
        let pods = self.pods_of(deployment);
        let wanted = usize::try_from(deployment["spec"]["replicas"].as_u64().unwrap_or(0)).unwrap_or(0);
        self.add(deployment, wanted.saturating_sub(pods.len()));
        self.stop(pods.get(wanted..).unwrap_or_default());
    }

    fn add(&self, deployment: &Value, count: usize) {
        for _ in 0..count {
            let number = self.next();
            let (lab, deployment) = (self.clone(), deployment.clone());
            tokio::spawn(async move { lab.pod(&deployment, number).await });
        }
    }

    /// The life of one pod up to Running.
    async fn pod(&self, deployment: &Value, number: usize) {
        let template = &deployment["spec"]["template"];
        let name = format!("{}-{number}", deployment["metadata"]["name"].as_str().unwrap_or(""));
        let namespace = deployment["metadata"]["namespace"].as_str().unwrap_or("").to_owned();
        let image = template["spec"]["containers"][0]["image"].as_str().unwrap_or("").to_owned();
        let node = template["spec"]["nodeSelector"]["kubernetes.io/hostname"]
            .as_str()
            .map_or_else(|| NODES[number % NODES.len()].to_owned(), str::to_owned);
        let mut labels = template["metadata"]["labels"].clone();
        labels["app"] = deployment["metadata"]["name"].clone();
        let blank = Pod { labels, ready: false, namespace: &namespace, ..Pod::of("", &name, &node, "") };
        let mut pending = blank.value();
        pending["status"]["phase"] = json!("Pending");
        self.api.put(pending);
        tokio::time::sleep(PACE).await;
        if self.inner().script.missing_image == Some(image.as_str()) {
            self.api.edit("Pod", &namespace, &name, |pod| {
                let waiting = json!({"waiting": {"reason": "ImagePullBackOff"}});
                pod["status"]["containerStatuses"] = json!([{"restartCount": 0, "state": waiting}]);
            });
            return;
        }
        let ip = self.range(&node).replace(".0/24", &format!(".{}", 10 + number));
        let uid = self.api.get("Pod", &namespace, &name).unwrap_or_default()["metadata"]["uid"].clone();
        let mut running = Pod { ip: &ip, ready: true, ..blank }.value();
        running["metadata"]["uid"] = uid;
        self.api.put(json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint",
            "metadata": {"name": name, "namespace": namespace},
            "status": {"state": "ready", "networking": {"addressing": [{"ipv4": ip}]}},
        }));
        self.api.put(running);
    }

    /// Pods terminate, and are gone a little later.
    fn stop(&self, pods: &[Value]) {
        for pod in pods {
            let part = |part: &str| pod["metadata"][part].as_str().unwrap_or("").to_owned();
            let (lab, namespace, name) = (self.clone(), part("namespace"), part("name"));
            if lab.api.get("Pod", &namespace, &name).is_none() {
                continue;
            }
            lab.api.edit("Pod", &namespace, &name, |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
            });
            tokio::spawn(async move {
                tokio::time::sleep(PACE).await;
                lab.api.delete("Pod", &namespace, &name);
                lab.api.delete("CiliumEndpoint", &namespace, &name);
            });
        }
    }

    fn error(operation: &str, cause: &str) -> ClusterError {
        ClusterError {
            operation: operation.to_owned(),
            object: "cluster t".to_owned(),
            cause: cause.to_owned(),
            output: None,
            hint: None,
            leftovers: Leftovers::Clear,
        }
    }
}

#[async_trait]
impl Provider for Lab {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Kind
    }

    async fn create(&self, spec: &ClusterSpec, progress: Arc<dyn Progress>) -> Result<Arc<dyn Cluster>, ClusterError> {
        let script = self.call(format!("create {}", spec.scenario));
        progress.now("nodes");
        if script.create_hangs {
            std::future::pending::<()>().await;
        }
        if let Some(cause) = script.create_fails {
            return Err(Self::error("create", cause));
        }
        self.bring_up();
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Cluster for Lab {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Kind
    }

    fn name(&self) -> &str {
        "t"
    }

    fn client(&self) -> kube::Client {
        self.client.clone()
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        Some(&self.kubeconfig)
    }

    async fn ready(&self) -> Result<(), ClusterError> {
        self.call("ready");
        Ok(())
    }

    async fn helm(&self, action: &HelmAction) -> Result<(), ClusterError> {
        let HelmAction::Apply { version, values } = action else { return Ok(()) };
        let script = self.call(format!("helm {version}"));
        if script.helm_hangs {
            std::future::pending::<()>().await;
        }
        let mode = values["ipam"]["mode"].as_str().unwrap_or("cluster-pool");
        if self.api.all("CiliumNode").is_empty() {
            self.install(mode);
        } else {
            self.api.edit("ConfigMap", "kube-system", "cilium-config", |object| object["data"]["ipam"] = json!(mode));
        }
        Ok(())
    }

    async fn exec(
        &self,
        _namespace: &str,
        pod: &str,
        _container: Option<&str>,
        command: &[String],
        _deadline: Duration,
    ) -> Result<ExecOutput, ClusterError> {
        let script = self.call(format!("exec {pod} {}", command.join(" ")));
        if script.exec_down_until.is_some_and(|until| Instant::now() < until) {
            return Err(Self::error("exec", "connection refused"));
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let (code, stdout) = match command.as_slice() {
            ["cilium-dbg", "status", ..] => {
                let pods = self.api.all("Pod");
                let node = pods.iter().find(|found| found["metadata"]["name"] == pod).cloned().unwrap_or_default();
                let range = self.range(node["spec"]["nodeName"].as_str().unwrap_or(""));
                let line = format!("IPv4: 5/254 allocated from {range}, ");
                (0, json!({"ipam": {"status": line}}).to_string())
            }
            ["cilium-dbg", "config", ..] => {
                let mode = self.inner().modes.get(pod).cloned().unwrap_or_default();
                (0, json!({"IPAM": mode}).to_string())
            }
            ["ping", ..] => (i32::from(script.unreachable_from.contains(&pod)), String::new()),
            ["false"] => (1, String::new()),
            other => (0, other.join(" ")),
        };
        Ok(ExecOutput { code, stdout, stderr: String::new() })
    }

    async fn stop_node(&self, node: &str) -> Result<(), ClusterError> {
        self.call(format!("stop {node}"));
        Ok(())
    }

    async fn start_node(&self, node: &str) -> Result<(), ClusterError> {
        self.call(format!("start {node}"));
        self.api.put(objects::node(node));
        Ok(())
    }

    async fn evidence(&self, _dir: &Utf8Path) -> (Vec<String>, Vec<String>) {
        let script = self.call("evidence");
        if script.evidence_hangs {
            std::future::pending::<()>().await;
        }
        (vec!["nodes/kubelet.log".to_owned()], Vec::new())
    }

    async fn keep(&self, _reason: &str) -> Result<(), ClusterError> {
        self.call("keep");
        self.inner().kept = true;
        Ok(())
    }

    async fn destroy(&self) -> Result<(), ClusterError> {
        let script = self.call("destroy");
        if script.destroy_hangs {
            std::future::pending::<()>().await;
        }
        if let Some(cause) = script.destroy_fails {
            return Err(Self::error("delete", cause));
        }
        self.inner().destroyed = true;
        Ok(())
    }

    fn leftovers(&self) -> Leftovers {
        if self.inner().destroyed {
            return Leftovers::Clear;
        }
        Leftovers::Remaining { what: "cluster t".to_owned(), remove: "cargo xtask clean --run r1".to_owned() }
    }
}
