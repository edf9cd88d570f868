//! The provider that keeps a cluster for the next scenario.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8PathBuf;
use events::ClusterKind;
use tokio::time::Instant;

use super::fit::{fits, versions_allow};
use super::lent::{Lent, Standing, State};
use super::relay::Relay;
use super::reset::reset;
use crate::{Cluster, ClusterError, ClusterSpec, Progress, Provider};

/// How long a cluster may take to be brought back. A new one takes about a minute.
const RESET: Duration = Duration::from_secs(180);

/// How the last cluster that was asked for was come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// Made. Where another one stood, why that was not taken.
    New {
        /// `from Cilium 1.18.4 to 1.20.2 is more than one minor release`.
        instead: Option<String>,
    },
    /// Brought back to what a new one is.
    Reused {
        /// How long that took, by the cluster's clock.
        took: Duration,
    },
}

/// Makes clusters, and hands out the one that was given back where it fits. There is one at a time.
///
/// A cluster stays in the ledger for as long as it exists, whoever has it: a process that is killed leaves it to `cargo xtask clean`, as
/// any other. Whoever has a pool ends it with [`Pool::close`].
pub struct Pool {
    makes: Box<dyn Provider>,
    /// Each cluster gets a folder in it: it is no scenario's.
    dir: Utf8PathBuf,
    /// Versions that may be wanted, each with its images.
    versions: Vec<(String, Vec<String>)>,
    made: AtomicU32,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    standing: Option<Arc<Standing>>,
    last: Option<Use>,
}

impl Pool {
    /// A pool of clusters that `makes` makes, with their files in `dir`. `versions` of Cilium and their images are those that may be
    /// wanted in the life of a cluster: what costs nothing is prepared for them.
    pub fn new(makes: Box<dyn Provider>, dir: Utf8PathBuf, versions: Vec<(String, Vec<String>)>) -> Self {
        Self { makes, dir, versions, made: AtomicU32::new(0), slot: Mutex::default() }
    }

    /// How the last cluster was come by; none if none has been handed out since this was asked.
    pub fn last_use(&self) -> Option<Use> {
        self.slot().last.take()
    }

    /// The name of the cluster that stands.
    pub fn standing(&self) -> Option<String> {
        self.slot().standing.as_ref().map(|standing| standing.cluster.name().to_owned())
    }

    /// Removes the cluster that stands, unless somebody wanted it to stay. One that cannot be removed is tried again next time.
    ///
    /// # Errors
    /// When it is still there.
    pub async fn close(&self) -> Result<(), ClusterError> {
        let Some(standing) = self.slot().standing.clone() else { return Ok(()) };
        if !standing.state().kept {
            standing.cluster.destroy().await?;
        }
        self.slot().standing = None;
        Ok(())
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings back the cluster that stands, or says why it does not do.
    async fn again(
        &self,
        standing: &Arc<Standing>,
        spec: &ClusterSpec,
        progress: &Arc<dyn Progress>,
    ) -> Result<Duration, String> {
        let began = Instant::now();
        let new = {
            let state = standing.state();
            if !state.free || state.kept {
                return Err(format!("{} is in use", standing.cluster.name()));
            }
            fits(&state.spec, spec)?;
            state.new.clone().unwrap_or_else(|| Err("it never came up".to_owned()))?
        };
        let hearing = standing.relay.begin(progress.clone());
        // Until it is back it is nobody's, also if this is given up half-way.
        standing.state().free = false;
        let images = standing.cluster.bring(&spec.images);
        let bound = RESET.mul_f64(spec.timeout_scale);
        let back = reset(&*standing.cluster, &new, bound, &**progress);
        let (images, back) = tokio::join!(images, back);
        images.map_err(|error| error.to_string())?;
        back.map_err(|fault| format!("{} {}: {}", fault.operation, standing.cluster.name(), fault.cause))?;
        standing.state().spec = spec.clone();
        hearing.goes_on();
        Ok(began.elapsed())
    }

    /// One that no cluster has had, also none of an earlier process.
    fn free_dir(&self) -> Utf8PathBuf {
        loop {
            let dir = self.dir.join((self.made.fetch_add(1, Ordering::Relaxed) + 1).to_string());
            if !dir.exists() {
                return dir;
            }
        }
    }

    async fn make(&self, spec: &ClusterSpec, progress: Arc<dyn Progress>) -> Result<Arc<Standing>, ClusterError> {
        let relay = Arc::new(Relay::default());
        let hearing = relay.begin(progress);
        let near = self.versions.iter().filter(|(version, _)| versions_allow(&spec.cilium, version));
        let mut later: Vec<String> = near.flat_map(|(_, images)| images.iter().cloned()).collect();
        later.retain(|image| !spec.images.contains(image));
        let wanted = ClusterSpec { dir: self.free_dir(), later, ..spec.clone() };
        let cluster = self.makes.create(&wanted, relay.clone()).await?;
        hearing.goes_on();
        let state = State { spec: spec.clone(), new: None, free: false, kept: false };
        Ok(Arc::new(Standing { cluster, relay, state: Mutex::new(state) }))
    }
}

#[async_trait]
impl Provider for Pool {
    fn kind(&self) -> ClusterKind {
        self.makes.kind()
    }

    async fn create(&self, spec: &ClusterSpec, progress: Arc<dyn Progress>) -> Result<Arc<dyn Cluster>, ClusterError> {
        let standing = self.slot().standing.clone();
        let mut instead = None;
        if let Some(standing) = standing {
            match self.again(&standing, spec, &progress).await {
                Ok(took) => {
                    self.slot().last = Some(Use::Reused { took });
                    return Ok(Arc::new(Lent(standing)));
                }
                Err(why) => instead = Some(why),
            }
            progress.now("removing the cluster of the scenario before");
            self.close().await?;
        }
        let standing = self.make(spec, progress).await?;
        let mut slot = self.slot();
        slot.standing = Some(standing.clone());
        slot.last = Some(Use::New { instead });
        drop(slot);
        Ok(Arc::new(Lent(standing)))
    }
}
