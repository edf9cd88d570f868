//! Where clusters live that outlast a run.

use anyhow::{Context, Result};
use camino::Utf8PathBuf;
use cluster::{Pool, Provider, Use};
use engine::{Stop, StopLevel};
use events::ClusterKind;
use tokio::runtime::{Builder, Runtime};

use crate::cli::E2e;
use crate::provider;

/// A pool of clusters with the runtime that they live in: a simulated cluster is tasks of it, and has its clock; of a real one it holds
/// the connections.
pub(crate) struct Host {
    pub(super) runtime: Runtime,
    pool: Pool,
}

impl Host {
    /// A host of clusters of the kind that these arguments choose, with their files in `dir`; see [`Pool::new`].
    pub(crate) fn new(args: &E2e, dir: Utf8PathBuf, versions: Vec<(String, Vec<String>)>) -> Result<Self> {
        let threads =
            Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start the runtime")?;
        let chosen = threads.block_on(provider::choose(args))?;
        let pool = Pool::new(chosen.provider(args), dir, versions);
        let runtime = match chosen.kind {
            ClusterKind::Sim => sim::runtime(true).context("start the runtime")?,
            ClusterKind::Kind | ClusterKind::Existing => threads,
        };
        Ok(Self { runtime, pool })
    }

    pub(super) fn provider(&self) -> &dyn Provider {
        &self.pool
    }

    /// How the last run came by its cluster.
    pub(crate) fn last_use(&self) -> Option<Use> {
        self.pool.last_use()
    }

    /// Removes the cluster that stands. A user who will not wait for that is told what is left.
    pub(crate) fn close(&self, stop: &Stop) -> Result<()> {
        let Some(name) = self.pool.standing() else { return Ok(()) };
        // There is nothing to wait for in memory.
        if self.pool.kind() != ClusterKind::Sim {
            say!("  removing {name}");
        }
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop.at_least(StopLevel::Leave) => {
                    eprintln!("{name} is left; `cargo xtask clean` removes it");
                    Ok(())
                }
                closed = self.pool.close() => closed,
            }
        })?;
        Ok(())
    }

    /// Ends the runtime.
    pub(crate) fn end(self) {
        super::end(self.runtime);
    }
}
