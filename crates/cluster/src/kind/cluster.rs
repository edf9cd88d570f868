//! A kind cluster that is there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use events::ClusterKind;
use kube::Client;

use super::create::Inner;
use super::remove::{Thoroughness, remove};
use super::{evidence, images, kubeconfig, scrub};
use crate::error::Fault;
use crate::{Cluster, ClusterError, ExecOutput, HelmAction, Leftovers, exec, helm};

/// The command that removes what is left.
const REMOVE: &str = "cargo xtask clean";

impl Inner {
    pub(super) fn object(&self) -> String {
        format!("kind cluster {}", self.name)
    }

    pub(super) fn leftovers(&self) -> Leftovers {
        let what = format!("kind cluster {} ({} containers, 1 network)", self.name, self.nodes.len());
        Leftovers::Remaining { what, remove: REMOVE.to_owned() }
    }

    /// Stops the work on it, removes it, and then its entry.
    pub(super) async fn destroy(&self) -> Result<(), Fault> {
        let mut removed = self.removed.lock().await;
        if *removed {
            return Ok(());
        }
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let thoroughness = if self.kind.is_done() { Thoroughness::Settled } else { Thoroughness::CutOff };
        remove(&self.door, &self.name, &self.nodes, thoroughness, self.scale).await?;
        for cache in ["helm", "kubectl"] {
            fs_err::remove_dir_all(self.dir.join(cache)).ok();
        }
        self.ledger.remove(&self.name).map_err(|error| Fault::ledger(&error))?;
        *removed = true;
        Ok(())
    }
}

/// A cluster whose API answers. Dropped without [`Cluster::destroy`], it stays, and stays in the ledger.
pub(super) struct KindCluster {
    inner: Arc<Inner>,
    client: Client,
    kubeconfig: Utf8PathBuf,
    context: String,
}

impl KindCluster {
    pub(super) fn new(inner: Arc<Inner>, client: Client, kubeconfig: Utf8PathBuf) -> Self {
        let context = kubeconfig::context(&inner.name);
        Self { inner, client, kubeconfig, context }
    }

    fn error(&self, fault: Fault) -> ClusterError {
        fault.on(self.inner.object(), self.leftovers())
    }

    /// `docker stop` or `docker start` of a node of this cluster, and of nothing else.
    async fn node(&self, verb: &'static str, node: &str, args: &[&str]) -> Result<(), ClusterError> {
        if !self.inner.nodes.iter().any(|known| known == node) {
            let cause = format!("it has no node {node}; its nodes are {}", self.inner.nodes.join(", "));
            return Err(self.error(Fault::new(format!("{verb} node of"), cause)));
        }
        let bound = Duration::from_secs(60).mul_f64(self.inner.scale);
        let result = self.inner.door.docker(verb, bound, args.iter().copied().chain([node])).await;
        result.map(drop).map_err(|error| self.error(Fault::tool(format!("{verb} node {node} of"), &error)))
    }
}

impl Drop for KindCluster {
    fn drop(&mut self) {
        // Whoever forgot the cluster also gives up the work on it.
        self.inner.cancel.cancel();
    }
}

#[async_trait]
impl Cluster for KindCluster {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Kind
    }

    fn name(&self) -> &str {
        &self.inner.name
    }

    fn client(&self) -> Client {
        self.client.clone()
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        Some(&self.kubeconfig)
    }

    async fn ready(&self) -> Result<(), ClusterError> {
        let (kind, images) = (self.inner.kind.wait(), self.inner.images.wait());
        tokio::try_join!(kind, images).map(drop).map_err(|fault| self.error(fault))
    }

    /// Waits for the images first: a pod whose image comes a moment too late is tried again only after ten seconds.
    async fn helm(&self, action: &HelmAction) -> Result<(), ClusterError> {
        if let HelmAction::Apply { .. } = action {
            self.inner.images.wait().await.map_err(|fault| self.error(fault))?;
        }
        let target = helm::Target {
            door: &self.inner.door,
            dir: &self.inner.dir,
            kubeconfig: &self.kubeconfig,
            context: &self.context,
            scale: self.inner.scale,
        };
        helm::run(target, action).await.map_err(|fault| self.error(fault))
    }

    async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
        deadline: Duration,
    ) -> Result<ExecOutput, ClusterError> {
        let result = exec::exec(self.client(), namespace, pod, container, command, deadline).await;
        result.map_err(|fault| self.error(fault))
    }

    async fn stop_node(&self, node: &str) -> Result<(), ClusterError> {
        self.node("stop", node, &["stop", "--time", "10"]).await
    }

    async fn start_node(&self, node: &str) -> Result<(), ClusterError> {
        self.node("start", node, &["start"]).await
    }

    async fn evidence(&self, dir: &Utf8Path) -> (Vec<String>, Vec<String>) {
        evidence::collect(&self.inner.door, &self.inner.nodes, dir, self.inner.scale).await
    }

    async fn bring(&self, wanted: &[String]) -> Result<(), ClusterError> {
        let bring = async {
            let door = &self.inner.door;
            let survey = images::survey(door, wanted, door.settings().images).await?;
            images::load(&self.inner, &survey).await
        };
        bring.await.map_err(|fault| self.error(fault))
    }

    async fn scrub(&self) -> Result<(), ClusterError> {
        scrub::all(&self.inner).await.map_err(|fault| self.error(fault))
    }

    async fn keep(&self, reason: &str) -> Result<(), ClusterError> {
        let keep = || {
            if let Some(mut entry) = self.inner.ledger.read(&self.inner.name)? {
                entry.kept = Some(reason.to_owned());
                self.inner.ledger.write(&entry)?;
            }
            Ok(())
        };
        keep().map_err(|error| self.error(Fault::ledger(&error)))
    }

    async fn destroy(&self) -> Result<(), ClusterError> {
        self.inner.progress.now("removing the cluster");
        self.inner.destroy().await.map_err(|fault| self.error(fault))
    }

    fn leftovers(&self) -> Leftovers {
        match self.inner.removed.try_lock() {
            Ok(removed) if *removed => Leftovers::Clear,
            Ok(_) => self.inner.leftovers(),
            Err(_) => Leftovers::Unknown { remove: REMOVE.to_owned() },
        }
    }
}
