//! A cluster in the hands of one scenario.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8Path;
use events::{ClusterKind, Fault};
use kube::Client;

use super::inventory::Inventory;
use super::relay::Relay;
use crate::{Cluster, ClusterError, ClusterSpec, ExecOutput, HelmAction, Leftovers};

/// A cluster that stands, between scenarios or with one.
pub(super) struct Standing {
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) relay: Arc<Relay>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    /// What it was last made, or brought back, for.
    pub(super) spec: ClusterSpec,
    /// What was in it when it was new, or why that is not known; none until it has come up.
    pub(super) new: Option<Result<Inventory, String>>,
    /// Whether its scenario has given it back.
    pub(super) free: bool,
    /// Whether somebody wants it to stay.
    pub(super) kept: bool,
}

impl Standing {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics while it is held, and nothing in it can be half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cluster as its scenario sees it: to remove it is to give it back.
pub(super) struct Lent(pub(super) Arc<Standing>);

#[async_trait]
impl Cluster for Lent {
    fn kind(&self) -> ClusterKind {
        self.0.cluster.kind()
    }

    fn name(&self) -> &str {
        self.0.cluster.name()
    }

    fn client(&self) -> Client {
        self.0.cluster.client()
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        self.0.cluster.kubeconfig()
    }

    /// Takes stock of a new cluster once it is whole. Without that it would not be known later what does not belong to it.
    async fn ready(&self) -> Result<(), ClusterError> {
        self.0.cluster.ready().await?;
        if self.0.state().new.is_some() {
            return Ok(());
        }
        // The scenario does not need it: where it cannot be had, the cluster is not used again, which is said then.
        let new =
            Inventory::take(&self.client()).await.map_err(|fault| format!("{}: {}", fault.operation, fault.cause));
        self.0.state().new = Some(new);
        Ok(())
    }

    async fn helm(&self, action: &HelmAction) -> Result<(), ClusterError> {
        self.0.cluster.helm(action).await
    }

    async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
        deadline: Duration,
    ) -> Result<ExecOutput, ClusterError> {
        self.0.cluster.exec(namespace, pod, container, command, deadline).await
    }

    async fn stop_node(&self, node: &str) -> Result<(), ClusterError> {
        self.0.cluster.stop_node(node).await
    }

    async fn start_node(&self, node: &str) -> Result<(), ClusterError> {
        self.0.cluster.start_node(node).await
    }

    async fn inject(&self, fault: &Fault) -> Result<(), ClusterError> {
        self.0.cluster.inject(fault).await
    }

    async fn evidence(&self, dir: &Utf8Path) -> (Vec<String>, Vec<String>) {
        self.0.cluster.evidence(dir).await
    }

    async fn bring(&self, images: &[String]) -> Result<(), ClusterError> {
        self.0.cluster.bring(images).await
    }

    async fn scrub(&self) -> Result<(), ClusterError> {
        self.0.cluster.scrub().await
    }

    async fn keep(&self, reason: &str) -> Result<(), ClusterError> {
        self.0.state().kept = true;
        self.0.cluster.keep(reason).await
    }

    async fn destroy(&self) -> Result<(), ClusterError> {
        self.0.state().free = true;
        self.0.relay.to(None);
        Ok(())
    }

    fn leftovers(&self) -> Leftovers {
        self.0.cluster.leftovers()
    }
}
