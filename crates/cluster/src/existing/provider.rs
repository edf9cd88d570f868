//! The provider, and the cluster as the engine sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use events::ClusterKind;
use kube::Client;

use super::Context;
use super::context::client;
use super::mark::claim;
use super::remove::take_back;
use crate::error::Fault;
use crate::kind::{private_dir, write_private};
use crate::ledger::{Entry, Ledger, Owner, Target, cluster_name};
use crate::tools::Door;
use crate::{
    Cluster, ClusterError, ClusterSpec, ExecOutput, HelmAction, Leftovers, Progress, Provider, Settings, exec, helm,
};

/// Uses the cluster behind a context.
#[derive(Debug)]
pub struct ExistingProvider {
    settings: Arc<Settings>,
    context: Context,
    ledger: Ledger,
    next: AtomicU32,
}

impl ExistingProvider {
    /// A provider for this context.
    pub fn new(settings: Arc<Settings>, context: Context) -> Self {
        let ledger = Ledger::new(&settings.ledger_dir);
        Self { settings, context, ledger, next: AtomicU32::new(1) }
    }

    async fn begin(&self, spec: &ClusterSpec, progress: &dyn Progress) -> Result<Existing, ClusterError> {
        let clear = |fault: Fault| fault.on(self.context.object(), Leftovers::Clear);
        let dir = private_dir(&spec.dir).map_err(clear)?;
        let config = self.context.load().map_err(clear)?;
        let kubeconfig = dir.join("kubeconfig");
        let text = serde_json::to_vec_pretty(&config).map_err(|error| clear(Fault::new("use", error.to_string())))?;
        write_private(&kubeconfig, &text).map_err(clear)?;
        let client = client(config).await.map_err(clear)?;
        let entry = Entry {
            format: Entry::FORMAT,
            name: cluster_name(&spec.run, self.next.fetch_add(1, Ordering::Relaxed)),
            run: spec.run.clone(),
            scenario: spec.scenario.clone(),
            owner: Owner::current(),
            created: jiff::Timestamp::now(),
            dir: dir.clone(),
            kept: None,
            target: Target::Existing {
                context: self.context.name.clone(),
                kubeconfig: self.context.kubeconfig.clone(),
            },
        };
        self.ledger.write(&entry).map_err(|error| clear(Fault::ledger(&error)))?;
        if let Err(fault) = claim(&client, &self.context, &spec.run).await {
            self.ledger.remove(&entry.name).map_err(|error| clear(Fault::ledger(&error)))?;
            return Err(clear(fault));
        }
        progress.warn("existing cluster: its nodes, subnets and images are what they are; the scenario's do not apply");
        Ok(Existing {
            door: Door::for_cluster(self.settings.clone(), &dir, &entry.name),
            entry_name: entry.name,
            run: spec.run.clone(),
            context: self.context.clone(),
            ledger: self.ledger.clone(),
            scale: spec.timeout_scale,
            removed: tokio::sync::Mutex::new(false),
            kubeconfig,
            client,
            dir,
        })
    }
}

#[async_trait]
impl Provider for ExistingProvider {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Existing
    }

    async fn create(&self, spec: &ClusterSpec, progress: Arc<dyn Progress>) -> Result<Arc<dyn Cluster>, ClusterError> {
        progress.now(&format!("checking context {}", self.context.name));
        Ok(Arc::new(self.begin(spec, &*progress).await?))
    }
}

struct Existing {
    door: Door,
    entry_name: String,
    run: String,
    context: Context,
    ledger: Ledger,
    scale: f64,
    /// Whether what we brought has been taken back; held while it is.
    removed: tokio::sync::Mutex<bool>,
    kubeconfig: Utf8PathBuf,
    client: Client,
    dir: Utf8PathBuf,
}

impl Existing {
    fn error(&self, fault: Fault) -> ClusterError {
        fault.on(self.context.object(), self.leftovers())
    }

    fn target(&self) -> helm::Target<'_> {
        helm::Target {
            door: &self.door,
            dir: &self.dir,
            kubeconfig: &self.kubeconfig,
            context: &self.context.name,
            scale: self.scale,
        }
    }

    fn unsupported(&self, what: &str, node: &str) -> ClusterError {
        let cause = "this tool did not make the machine, so it does not stop or start it".to_owned();
        let fault = Fault::new(format!("{what} node {node} of"), cause);
        self.error(fault.hint("run the scenario with --cluster kind"))
    }
}

#[async_trait]
impl Cluster for Existing {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Existing
    }

    fn name(&self) -> &str {
        &self.context.name
    }

    fn client(&self) -> Client {
        self.client.clone()
    }

    fn kubeconfig(&self) -> Option<&Utf8Path> {
        Some(&self.kubeconfig)
    }

    async fn ready(&self) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn helm(&self, action: &HelmAction) -> Result<(), ClusterError> {
        helm::run(self.target(), action).await.map_err(|fault| self.error(fault))
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
        Err(self.unsupported("stop", node))
    }

    async fn start_node(&self, node: &str) -> Result<(), ClusterError> {
        Err(self.unsupported("start", node))
    }

    async fn evidence(&self, _dir: &Utf8Path) -> (Vec<String>, Vec<String>) {
        (Vec::new(), vec!["the nodes' own logs: this tool did not make the machines".to_owned()])
    }

    async fn keep(&self, reason: &str) -> Result<(), ClusterError> {
        let keep = || {
            if let Some(mut entry) = self.ledger.read(&self.entry_name)? {
                entry.kept = Some(reason.to_owned());
                self.ledger.write(&entry)?;
            }
            Ok(())
        };
        keep().map_err(|error| self.error(Fault::ledger(&error)))
    }

    async fn destroy(&self) -> Result<(), ClusterError> {
        let mut removed = self.removed.lock().await;
        if *removed {
            return Ok(());
        }
        // The lock is held, so what is left is said by hand.
        let fail = |fault: Fault| {
            fault.on(self.context.object(), Leftovers::Unknown { remove: "cargo xtask clean".to_owned() })
        };
        take_back(&self.client, self.target(), &self.run).await.map_err(fail)?;
        self.ledger.remove(&self.entry_name).map_err(|error| fail(Fault::ledger(&error)))?;
        fs_err::remove_file(&self.kubeconfig).ok();
        *removed = true;
        Ok(())
    }

    fn leftovers(&self) -> Leftovers {
        let remove = "cargo xtask clean".to_owned();
        match self.removed.try_lock() {
            Ok(removed) if *removed => Leftovers::Clear,
            Ok(_) => {
                Leftovers::Remaining { what: format!("Cilium and workloads in {}", self.context.object()), remove }
            }
            Err(_) => Leftovers::Unknown { remove },
        }
    }
}
