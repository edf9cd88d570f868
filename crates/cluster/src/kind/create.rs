//! Making a cluster: everything that can go on at once does, and the caller gets it as soon as its API answers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use events::ClusterKind;
use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::KindCluster;
use super::jobs::Job;
use super::{config, containers, images, kubeconfig, network};
use crate::error::Fault;
use crate::ledger::{Entry, Ledger, Owner, Target, cluster_name};
use crate::tools::{Door, Invocation, Tool};
use crate::{Cluster, ClusterError, ClusterSpec, Leftovers, Progress, Provider, Settings};

/// Makes kind clusters.
#[derive(Debug)]
pub struct KindProvider {
    settings: Arc<Settings>,
    ledger: Ledger,
    next: AtomicU32,
}

/// What a cluster and the work on it share.
pub(super) struct Inner {
    pub(super) name: String,
    /// Absolute.
    pub(super) dir: Utf8PathBuf,
    pub(super) nodes: Vec<String>,
    pub(super) scale: f64,
    pub(super) door: Door,
    pub(super) ledger: Ledger,
    pub(super) progress: Arc<dyn Progress>,
    /// Docker's folders that every node mounts, by place.
    pub(super) mounted: std::sync::OnceLock<Vec<String>>,
    /// Nodes whose containers have started.
    pub(super) started: watch::Sender<BTreeSet<String>>,
    /// `kind create cluster`.
    pub(super) kind: Job,
    /// Images on every node.
    pub(super) images: Job,
    /// Stops both.
    pub(super) cancel: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Whether it has been removed; held while it is.
    pub(super) removed: tokio::sync::Mutex<bool>,
}

impl KindProvider {
    /// A provider with these settings.
    pub fn new(settings: Arc<Settings>) -> Self {
        let ledger = Ledger::new(&settings.ledger_dir);
        Self { settings, ledger, next: AtomicU32::new(1) }
    }

    /// Enters a cluster into the ledger, under a name that is not in it yet.
    fn register(&self, spec: &ClusterSpec, dir: &Utf8Path) -> Result<Entry, Fault> {
        loop {
            let name = cluster_name(&spec.run, self.next.fetch_add(1, Ordering::Relaxed));
            if self.ledger.path(&name).exists() {
                continue;
            }
            let entry = Entry {
                format: Entry::FORMAT,
                run: spec.run.clone(),
                scenario: spec.scenario.clone(),
                owner: Owner::current(),
                created: jiff::Timestamp::now(),
                dir: dir.to_owned(),
                kept: None,
                target: Target::Kind { nodes: config::node_names(&name, spec.workers), network: name.clone() },
                name,
            };
            self.ledger.write(&entry).map_err(|error| Fault::ledger(&error))?;
            return Ok(entry);
        }
    }
}

#[async_trait]
impl Provider for KindProvider {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Kind
    }

    async fn create(&self, spec: &ClusterSpec, progress: Arc<dyn Progress>) -> Result<Arc<dyn Cluster>, ClusterError> {
        let before = |fault: Fault| fault.on(format!("kind cluster for {}", spec.scenario), Leftovers::Clear);
        let dir = private_dir(&spec.dir).map_err(before)?;
        let entry = self.register(spec, &dir).map_err(before)?;
        let inner = Arc::new(Inner {
            door: Door::for_cluster(self.settings.clone(), &dir, &entry.name),
            name: entry.name.clone(),
            nodes: config::node_names(&entry.name, spec.workers),
            scale: spec.timeout_scale,
            ledger: self.ledger.clone(),
            mounted: std::sync::OnceLock::new(),
            started: watch::Sender::new(BTreeSet::new()),
            kind: Job::new(),
            images: Job::new(),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            removed: tokio::sync::Mutex::new(false),
            progress,
            dir,
        });
        let mut guard = Abandoned(Some(inner.clone()));
        let made = make(&inner, spec, &entry).await;
        guard.0 = None;
        match made {
            Ok((client, file)) => Ok(Arc::new(KindCluster::new(inner, client, file))),
            Err(fault) => {
                let leftovers = match inner.destroy().await {
                    Ok(()) => Leftovers::Clear,
                    Err(_) => inner.leftovers(),
                };
                Err(fault.on(inner.object(), leftovers))
            }
        }
    }
}

/// Removes a cluster whose making was given up half-way, as far as the runtime lives long enough; it is in the ledger anyway.
struct Abandoned(Option<Arc<Inner>>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            inner.cancel.cancel();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { inner.destroy().await });
            }
        }
    }
}

async fn make(inner: &Arc<Inner>, spec: &ClusterSpec, entry: &Entry) -> Result<(Client, Utf8PathBuf), Fault> {
    let settings = inner.door.settings().clone();
    inner.progress.now("network and images");
    let ledger = inner.ledger.absolute();
    let (network, survey, later) = tokio::join!(
        network::create(&inner.door, entry, ledger.as_str(), &spec.ip_family),
        images::survey(&inner.door, &spec.images, settings.images),
        images::survey(&inner.door, &spec.later, settings.images),
    );
    network?;
    let survey = survey?;
    if !survey.missing.is_empty() {
        inner.progress.warn(&format!("not in Docker, left to the nodes to pull: {}", survey.missing.join(", ")));
    }

    if let Some(why) = &survey.streamed_because
        && !survey.present.is_empty()
    {
        inner
            .progress
            .warn(&format!("images are streamed to the nodes, which takes longer than sharing layers: {why}"));
    }

    let mirror = match &settings.registry_mirror {
        None => None,
        Some(url) => {
            let dir = private_dir(&inner.dir.join("certs.d/_default"))?;
            write_private(&dir.join("hosts.toml"), config::mirror_hosts(url).as_bytes())?;
            Some(inner.dir.join("certs.d"))
        }
    };
    // Folders can be mounted only now; those of images that are never brought cost a node nothing.
    let later = later.ok().and_then(|later| later.shared).filter(|_| survey.shared.is_some());
    let shared = survey.shared.iter().chain(&later).flat_map(images::Shared::dirs);
    let mut dirs: Vec<String> = Vec::new();
    for dir in shared {
        if !dirs.iter().any(|known| known == dir) {
            dirs.push(dir.to_owned());
        }
    }
    let mounts = images::mounts(inner.mounted.get_or_init(|| dirs));
    let rendered = config::render(spec, settings.node_image.as_deref(), mirror.as_deref(), &mounts);
    let config_file = inner.dir.join("kind.json");
    write_private(&config_file, format!("{rendered:#}\n").as_bytes())?;

    inner.progress.now(&format!("kind create cluster ({} nodes)", inner.nodes.len()));
    start_kind(inner, &config_file);
    start_images(inner, survey);
    inner.tasks.close();

    tokio::select! {
        fault = inner.kind.failed() => Err(fault),
        result = api(inner) => result,
    }
}

impl Inner {
    pub(super) fn mounted(&self) -> &[String] {
        self.mounted.get().map_or(&[], Vec::as_slice)
    }

    /// Waits until a node's container runs.
    pub(super) async fn has_started(&self, node: &str) {
        // The sender is ours, so it does not go away.
        self.started.subscribe().wait_for(|set| set.contains(node)).await.ok();
    }
}

/// Follows the containers as they start, and brings images into them.
fn start_images(inner: &Arc<Inner>, survey: images::Survey) {
    let inner = inner.clone();
    inner.clone().tasks.spawn(async move {
        let bound = Duration::from_secs(600).mul_f64(inner.scale);
        let watch = containers::watch_starts(&inner.door, &inner.name, &inner.nodes, bound, &inner.started);
        let work = async { tokio::try_join!(watch, images::load(&inner, &survey)).map(drop) };
        let result = tokio::select! {
            () = inner.cancel.cancelled() => Err(Fault::new("load images into", "cancelled")),
            result = work => result,
        };
        inner.images.end(result);
    });
}

/// `kind create cluster` in the background. It keeps what it made when it fails, so that it can be looked at; we remove it.
fn start_kind(inner: &Arc<Inner>, config: &Utf8Path) {
    let own = inner.dir.join("kind-kubeconfig");
    let run = Invocation::new(Tool::Kind, "create cluster", Duration::from_secs(900).mul_f64(inner.scale))
        .args(["create", "cluster", "--name", &inner.name, "--config", config.as_str()])
        .args(["--kubeconfig", own.as_str(), "--wait", "0s", "--retain"])
        .env("KIND_EXPERIMENTAL_DOCKER_NETWORK", inner.name.clone());
    let inner = inner.clone();
    inner.clone().tasks.spawn(async move {
        let result = match inner.door.spawn(run) {
            Err(error) => Err(error),
            Ok(running) => tokio::select! {
                () = inner.cancel.cancelled() => return inner.kind.end(Err(Fault::new("create", "cancelled"))),
                result = running.finish() => result,
            },
        };
        // The same credentials as in ours.
        fs_err::remove_file(&own).ok();
        inner.kind.end(result.map(drop).map_err(|error| Fault::tool("create", &error)));
    });
}

/// Waits until the API server answers as the administrator; gives a client, and the kubeconfig's path.
///
/// kubeadm writes the administrator's kubeconfig long before kind is done, so that is read from the node. It is authorized a little
/// later still, so a request decides.
async fn api(inner: &Inner) -> Result<(Client, Utf8PathBuf), Fault> {
    let bound = Duration::from_secs(600).mul_f64(inner.scale);
    let end = Instant::now() + bound;
    let mut last = String::new();
    let control_plane = &inner.nodes[0];
    if timeout(bound, inner.has_started(control_plane)).await.is_err() {
        return Err(Fault::new(
            "create",
            format!("its control-plane container did not start within {} s", bound.as_secs()),
        ));
    }
    let mut file: Option<(Client, Utf8PathBuf)> = None;
    while Instant::now() < end {
        match &file {
            None => match admin(inner, control_plane).await {
                Ok(config) => {
                    inner.progress.now("waiting for the API server");
                    let path = inner.dir.join("kubeconfig");
                    let text = serde_json::to_vec_pretty(&config)
                        .map_err(|e| Fault::new("write kubeconfig of", e.to_string()))?;
                    write_private(&path, &text)?;
                    file = Some((client(config).await?, path));
                    continue;
                }
                Err(why) => last = why,
            },
            Some((client, path)) => {
                let namespaces: Api<Namespace> = Api::all(client.clone());
                match timeout(Duration::from_secs(2), namespaces.get_opt("kube-system")).await {
                    Ok(Ok(Some(_))) => return Ok((client.clone(), path.clone())),
                    Ok(Ok(None)) => last = "namespace kube-system does not exist yet".to_owned(),
                    Ok(Err(error)) => last = error.to_string(),
                    Err(_) => last = "no answer within 2 s".to_owned(),
                }
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    let cause = format!("its API did not answer within {} s; last: {last}", bound.as_secs());
    Err(Fault::new("create", cause))
}

/// The kubeconfig, once kubeadm has written it; otherwise why there is none yet.
async fn admin(inner: &Inner, node: &str) -> Result<Kubeconfig, String> {
    let inspect = containers::inspect(&inner.door, node).await.map_err(|fault| fault.cause)?;
    let server = kubeconfig::server(&inspect).ok_or("the API server's port is not published")?;
    // The node waits, so that nobody has to ask again and again.
    const WAIT: &str = "n=0; until [ -s /etc/kubernetes/admin.conf ]; do n=$((n + 1)); [ $n -le 600 ] || exit 1; sleep 0.1; done; cat /etc/kubernetes/admin.conf";
    let out = inner
        .door
        .docker("read kubeconfig", Duration::from_secs(90), ["exec", node, "sh", "-c", WAIT])
        .await
        .map_err(|error| error.cause())?;
    kubeconfig::rewrite(&out.stdout, &inner.name, &server)
}

/// A client that reaches the cluster directly: its address is this machine's, so no proxy is asked.
async fn client(kubeconfig: Kubeconfig) -> Result<Client, Fault> {
    let fault = |error: String| Fault::new("make a client of", error);
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| fault(error.to_string()))?;
    config.proxy_url = None;
    Client::try_from(config).map_err(|error| fault(error.to_string()))
}

/// Makes a folder that only its owner reads; gives its absolute path.
pub(crate) fn private_dir(dir: &Utf8Path) -> Result<Utf8PathBuf, Fault> {
    let fault = |error: std::io::Error| Fault::new("prepare", format!("folder {dir}: {error}"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fault)?;
    dir.canonicalize_utf8().map_err(fault)
}

/// Writes a file that only its owner reads.
pub(crate) fn write_private(path: &Utf8Path, bytes: &[u8]) -> Result<(), Fault> {
    let write = || {
        let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)
    };
    write().map_err(|error| Fault::new("prepare", format!("{path}: {error}")))
}
