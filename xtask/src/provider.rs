//! Which kind of cluster, and what has to be in order before one is made.

use std::sync::Arc;

use anyhow::Result;
use cluster::existing::Context;
use cluster::{ExistingProvider, KindProvider, Provider, Settings, Sweep};
use engine::Plan;
use events::ClusterKind;
use sim::{SimOptions, SimProvider, TimedFault};

use crate::cli::{ClusterChoice, E2e, Sources};
use crate::outcome::BadInput;
use crate::project;
use crate::versions::versions;

/// The kind of cluster that was chosen.
pub(crate) struct Chosen {
    pub(crate) kind: ClusterKind,
    /// In a line.
    pub(crate) why: String,
    /// How simulated clusters run, where they do.
    pub(crate) sim: SimOptions,
    settings: Arc<Settings>,
}

/// Settings from flags and the environment, with the ledger in this project's target folder.
pub(crate) fn settings(sources: &Sources) -> Result<Arc<Settings>> {
    let mut settings = Settings::from_env(|name| match name {
        "IPAM_E2E_NODE_IMAGE" => sources.node_image.clone(),
        "IPAM_E2E_CHART_DIR" => sources.chart_dir.as_ref().map(ToString::to_string),
        "IPAM_E2E_CHART_REPO" => sources.chart_repo.clone(),
        "IPAM_E2E_REGISTRY_MIRROR" => sources.registry_mirror.clone(),
        other => std::env::var(other).ok(),
    })
    .map_err(|error| BadInput(error.to_string()))?;
    if std::env::var("IPAM_E2E_LEDGER_DIR").map_or(true, |dir| dir.trim().is_empty()) {
        settings.ledger_dir = project::state_dir().join("ledger");
    }
    settings.node_image.get_or_insert_with(|| versions().kubernetes.node_image().to_owned());
    Ok(Arc::new(settings))
}

/// Chooses a kind of cluster.
pub(crate) async fn choose(args: &E2e) -> Result<Chosen> {
    let settings = settings(&args.sources)?;
    let (kind, why) = match args.cluster {
        ClusterChoice::Kind => (ClusterKind::Kind, "--cluster kind".to_owned()),
        ClusterChoice::Existing => match &args.context {
            Some(context) => (ClusterKind::Existing, format!("--cluster existing --context {context}")),
            None => {
                let text = "--cluster existing needs --context NAME: the ambient context is never used";
                return Err(BadInput(text.to_owned()).into());
            }
        },
        ClusterChoice::Sim => (ClusterKind::Sim, "--cluster sim".to_owned()),
        // Faults and seeds have a meaning there alone.
        ClusterChoice::Auto if args.sim.asked() => {
            (ClusterKind::Sim, "--seed, --seeds and --fault are for sim".to_owned())
        }
        ClusterChoice::Auto => match cluster::doctor::kind_available(settings.clone()).await {
            Ok(()) => (ClusterKind::Kind, "Docker, kind and helm are ready".to_owned()),
            Err(why) => (ClusterKind::Sim, format!("no kind cluster can be made here: {why}")),
        },
    };
    if args.sim.asked() && kind != ClusterKind::Sim {
        return Err(BadInput("--seed, --seeds and --fault are for --cluster sim".to_owned()).into());
    }
    if args.context.is_some() && kind != ClusterKind::Existing {
        return Err(BadInput("--context is for --cluster existing".to_owned()).into());
    }
    let faults = args.sim.faults.iter().map(|text| text.parse::<TimedFault>()).collect::<Result<_, _>>();
    let faults = faults.map_err(|error| BadInput(format!("--fault {error}")))?;
    let sim = SimOptions { seed: args.sim.seed.unwrap_or_default(), faults, ..SimOptions::default() };
    Ok(Chosen { kind, why, sim, settings })
}

impl Chosen {
    /// Where programs, images and charts come from.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    /// Removes what killed runs left and looks for what is missing here, before anything is made.
    pub(crate) async fn prepare(&self, args: &E2e, plans: &[Plan]) -> Result<Box<dyn Provider>> {
        match self.kind {
            ClusterKind::Kind => {
                let report = crate::cmd::doctor::look(self.settings.clone(), &args.cilium, plans).await;
                crate::cmd::doctor::refuse(&report)?;
                let swept = cluster::clean(self.settings.clone(), Sweep::Remnants).await?;
                for name in &swept.removed {
                    say!("removed what an earlier run left: {name}");
                }
                for error in &swept.failed {
                    eprintln!("warning: {error}");
                }
            }
            ClusterKind::Existing | ClusterKind::Sim => {}
        }
        Ok(self.provider(args))
    }

    /// What makes clusters of this kind.
    pub(crate) fn provider(&self, args: &E2e) -> Box<dyn Provider> {
        match self.kind {
            ClusterKind::Kind => Box::new(KindProvider::new(self.settings.clone())),
            ClusterKind::Existing => {
                let context = Context { name: args.context.clone().unwrap_or_default(), kubeconfig: None };
                Box::new(ExistingProvider::new(self.settings.clone(), context))
            }
            ClusterKind::Sim => Box::new(SimProvider::new(self.sim.clone())),
        }
    }
}
