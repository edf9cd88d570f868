//! Provider `sim`: the same interface as `kind`, with a simulated cluster behind it.

mod cluster;
mod kubeconfig;
mod options;

pub use cluster::SimCluster;
pub use kubeconfig::kubeconfig;
pub use options::{NOTICE, SimOptions, runtime};

use std::sync::Arc;

use ::cluster::{Cluster, ClusterError, ClusterSpec, Progress, Provider};
use async_trait::async_trait;
use events::ClusterKind;

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
        Ok(Arc::new(cluster))
    }
}

#[cfg(test)]
mod tests;
