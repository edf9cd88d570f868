//! What `matrix` and `report` are told.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};
use matrix::Shard;
use semver::Version;

use crate::cli::{ClusterChoice, EXIT_CODES, Selection, Sources, scale};
use crate::versions::{self, VersionList};

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Matrix {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The same, as a list separated by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) scenario: Vec<String>,
    /// Cilium's versions and ranges of them, separated by commas. Default: those that scenarios are proven with.
    #[arg(long, value_name = "LIST", value_parser = versions::many)]
    pub(crate) cilium: Vec<VersionList>,
    /// Kubernetes' versions, separated by commas, on kind. Default: that of the node image.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = kubernetes)]
    pub(crate) kubernetes: Vec<Version>,
    /// Kind of cluster.
    #[arg(long, value_enum, default_value_t = ClusterChoice::Auto)]
    pub(crate) cluster: ClusterChoice,
    /// How many cells run side by side. Default: 1 on kind, one for each processor on sim.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Run one part of several, balanced by time: 1/4 to 4/4.
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    /// Leave out what remains of a column after its first failure.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// How often a cell is run again after an infrastructure failure. It then counts as flaky.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=10))]
    pub(crate) retries: u8,
    /// Compare with an earlier result: its folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) baseline: Option<Utf8PathBuf>,
    /// From which factor on a cell is slower than in the baseline.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.5, value_parser = scale)]
    pub(crate) slower: f64,
    /// Where the result goes. Default: target/e2e/matrix-RUN.
    #[arg(long, value_name = "DIR")]
    pub(crate) report_dir: Option<Utf8PathBuf>,
    /// Go on with a matrix that was interrupted or killed: its folder. Cells with a verdict are not run again.
    #[arg(long, value_name = "DIR", conflicts_with = "report_dir")]
    pub(crate) resume: Option<Utf8PathBuf>,
    /// Let nodes pull what Docker does not have, and helm fetch charts, instead of refusing.
    #[arg(long)]
    pub(crate) pull: bool,
    /// Print the plan with its estimate and touch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the matrix of a workflow, one job for each shard, and touch nothing.
    #[arg(long, value_enum, value_name = "FOR")]
    pub(crate) emit: Option<Emit>,
    /// How many shards --emit plans for. Default: so many that each takes three quarters of an hour.
    #[arg(long, value_name = "N", requires = "emit", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) shards: Option<u16>,
    /// Wait after each step until the cluster has settled, so that cells can be compared (`fidelity --real`).
    #[arg(long)]
    pub(crate) settle: bool,
    /// Tell of cells that pass where a known bug should make them fail, without failing.
    #[arg(long)]
    pub(crate) defer_xpass: bool,
    /// Stretch every deadline by this factor, for slow machines.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(crate) timeout_scale: f64,
    /// Orders everything that real life leaves open, on sim. Default: 0.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Let something go wrong, on sim: as for e2e.
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<String>,
    /// Write what cells took to kind/weights.json, by which shards are balanced everywhere.
    #[arg(long)]
    pub(crate) update_weights: bool,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

/// Whose matrix is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// `strategy.matrix` of a GitHub workflow, for `fromJSON`.
    Github,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(subcommand)]
    pub(crate) what: ReportWhat,
}

/// What is done with results.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportWhat {
    /// Make one result of those of all shards.
    Merge(Merge),
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Merge {
    /// Folders with the shards' results.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) dirs: Vec<Utf8PathBuf>,
    /// Where the result goes. Default: target/e2e/matrix-RUN.
    #[arg(long, value_name = "DIR")]
    pub(crate) report_dir: Option<Utf8PathBuf>,
    /// Compare with an earlier result: its folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) baseline: Option<Utf8PathBuf>,
    /// From which factor on a cell is slower than in the baseline.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.5, value_parser = scale)]
    pub(crate) slower: f64,
}

fn kubernetes(text: &str) -> Result<Version, String> {
    let bare = text.trim().trim_start_matches('v');
    let known: Vec<Version> = versions::versions().kubernetes.node_images.keys().cloned().collect();
    let all = || known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    // A minor stands for the node image that there is of it.
    if let Some(version) = known.iter().rfind(|version| format!("{}.{}", version.major, version.minor) == bare) {
        return Ok(version.clone());
    }
    let version =
        Version::parse(bare).map_err(|_| format!("\"{text}\" is not a version of Kubernetes; known: {}", all()))?;
    if known.contains(&version) {
        return Ok(version);
    }
    let distance = |known: &&Version| (known.minor.abs_diff(version.minor), known.patch.abs_diff(version.patch));
    let nearest = known.iter().min_by_key(distance).map(ToString::to_string).unwrap_or_default();
    Err(format!("there is no node image of Kubernetes {version}; the nearest is {nearest} (known: {})", all()))
}
