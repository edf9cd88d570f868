//! Provider `sim`: the same interface as `kind`, with a simulated cluster behind it.

mod cluster;
mod kubeconfig;
mod options;

pub use cluster::SimCluster;
pub use kubeconfig::kubeconfig;
pub use options::{NOTICE, NoTimedFault, SimOptions, TimedFault, When, runtime};

use std::sync::{Arc, Weak};

use ::cluster::{Cluster, ClusterError, ClusterSpec, Progress, Provider};
use async_trait::async_trait;
use events::{ClusterKind, Fault};

/// Makes simulated clusters.
#[derive(Debug, Clone)]
pub struct SimProvider {
    options: SimOptions,
}

impl SimProvider {
    /// Clusters with these options.
    pub fn new(options: SimOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl Provider for SimProvider {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Sim
    }

    async fn create(&self, spec: &ClusterSpec, progress: Arc<dyn Progress>) -> Result<Arc<dyn Cluster>, ClusterError> {
        let cluster = SimCluster::boot(spec, &self.options)?;
        progress.now("simulated API server answers");
        let cluster = Arc::new(cluster);
        for timed in &self.options.faults {
            tokio::spawn(strike(Arc::downgrade(&cluster), timed.clone(), progress.clone()));
        }
        Ok(cluster)
    }
}

/// Lets a fault strike at its time, as long as the cluster is there.
async fn strike(cluster: Weak<SimCluster>, timed: TimedFault, progress: Arc<dyn Progress>) {
    let fault = match timed.fault {
        Fault::AgentCrash(role) => Fault::AgentCrash(cluster::node_name(&role)),
        Fault::NodeLoss(role) => Fault::NodeLoss(cluster::node_name(&role)),
        Fault::DiskFull(role) => Fault::DiskFull(cluster::node_name(&role)),
        other => other,
    };
    let (first, next) = match timed.when {
        When::After(span) => (span, None),
        When::Every(span) => (span, Some(span)),
    };
    tokio::time::sleep(first).await;
    loop {
        let Some(cluster) = cluster.upgrade().filter(|cluster| cluster.is_up()) else { return };
        match cluster.go_wrong(&fault) {
            Ok(()) => progress.warn(&format!("injected {fault}")),
            Err(error) => progress.warn(&error.to_string()),
        }
        drop(cluster);
        match next {
            Some(span) => tokio::time::sleep(span).await,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
