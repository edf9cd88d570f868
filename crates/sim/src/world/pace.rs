//! How long things take.

use std::time::Duration;

/// A least and a most; the seed chooses in between.
pub(crate) type Span = (Duration, Duration);

const fn ms(least: u64, most: u64) -> Span {
    (Duration::from_millis(least), Duration::from_millis(most))
}

/// How long the parts of a small, quick cluster on one machine take (kind with everything already on its nodes, seen in recorded
/// runs of Kubernetes 1.34: a Deployment of three rolls in 4 s, agents are back in 8 to 12 s).
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// A controller looks at an object that has changed.
    pub(crate) reconcile: Span,
    /// The scheduler binds a pod.
    pub(crate) bind: Span,
    /// A kubelet takes notice of a pod.
    pub(crate) notice: Span,
    /// A sandbox, with its network.
    pub(crate) sandbox: Span,
    /// One init container, start to end.
    pub(crate) init_container: Span,
    /// A container's start.
    pub(crate) container: Span,
    /// The first good answer to a probe of an ordinary container.
    pub(crate) probe: Span,
    /// A process that heeds SIGTERM ends.
    pub(crate) stop: Span,
    /// An agent's process up to the moment at which it wants its range.
    pub(crate) agent_boot: Span,
    /// An agent with a range, up to ready.
    pub(crate) agent_ready: Span,
    /// An operator's process up to its bid for the lease.
    pub(crate) operator_boot: Span,
    /// A leading operator lists what is there.
    pub(crate) operator_sync: Span,
    /// A message reaches a watcher.
    pub(crate) watch: Span,
    /// A machine joins after the first.
    pub(crate) join: Span,
    /// A stopped machine starts, up to its kubelet.
    pub(crate) machine_boot: Span,
    /// Between two tries to set up a pod's sandbox.
    pub(crate) sandbox_retry: Span,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            reconcile: ms(2, 15),
            bind: ms(3, 25),
            notice: ms(10, 60),
            sandbox: ms(150, 500),
            init_container: ms(150, 450),
            container: ms(120, 400),
            probe: ms(300, 1500),
            stop: ms(100, 600),
            agent_boot: ms(900, 2200),
            agent_ready: ms(1500, 3500),
            operator_boot: ms(700, 1500),
            operator_sync: ms(200, 600),
            watch: ms(1, 8),
            join: ms(400, 3000),
            machine_boot: ms(3000, 6000),
            sandbox_retry: ms(10_000, 15_000),
        }
    }
}

/// How long the others go on without news from a kubelet (kube-controller-manager `--node-monitor-grace-period`, 1.32 and later).
pub(crate) const NODE_GRACE: Duration = Duration::from_secs(50);
/// How long pods of a deleted Node are left (kube-controller-manager's podgc: two of its 20 s rounds).
pub(crate) const POD_GC: Duration = Duration::from_secs(40);
/// The first wait of CrashLoopBackOff; it doubles up to [`BACK_OFF_MOST`].
pub(crate) const BACK_OFF_FIRST: Duration = Duration::from_secs(10);
/// The longest wait of CrashLoopBackOff.
pub(crate) const BACK_OFF_MOST: Duration = Duration::from_secs(300);
