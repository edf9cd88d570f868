//! The command line, declared.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use semver::Version;

use crate::cmd::matrix::{Matrix, Report};
use crate::versions::{self, VersionList, versions};

pub(crate) const EXIT_CODES: &str = "Exit codes: 0 passed, 1 a check failed or an xpass, 2 bad input, 3 cluster or tool error, 4 nothing selected, \
130 interrupted.";

/// Proves how Cilium hands out pod addresses, on clusters that live as long as a scenario.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios, each on a cluster of its own.
    E2e(E2e),
    /// List the scenarios.
    List(List),
    /// Print the table of the scenarios by folder, or check the committed one.
    Catalogue(Catalogue),
    /// Check scenario files, Cilium's values, its ConfigMap or a running cluster, without changing anything.
    Lint(Lint),
    /// Run scenarios × versions in the order that ends soonest, with one result.
    Matrix(Matrix),
    /// Make reports of results that exist.
    Report(Report),
    /// Say what a scenario or a values file makes of each node, without a cluster.
    Predict(Predict),
    /// Run the scenarios of known bugs: reproduced or not, version by version.
    Regress(Regress),
    /// Write a scenario file to fill in.
    New(New),
    /// Pack a scenario, and what a run saw of it, for another person; run or look at what another person packed.
    Repro(Box<Repro>),
    /// Print the JSON schema of scenario files, or check the committed one.
    Schema(Schema),
    /// Find the first version on which a scenario's verdict changes.
    Bisect(Bisect),
    /// List the versions of Cilium and Kubernetes that are known, and what is here of each.
    Versions(Versions),
    /// Look for what a run on kind needs, and say how to mend what is missing.
    Doctor(Doctor),
    /// Remove what runs that were killed left behind.
    Clean(Clean),
    /// Mark an existing cluster as disposable, so that `--cluster existing` may use it.
    Adopt(Adopt),
    /// Play with a simulated cluster.
    Sim(Sim),
    /// Run scenarios on kind and on simulated clusters, and compare the two phase by phase.
    Fidelity(Fidelity),
    /// Answer histories of the cluster-pool operator with the model of its allocator (JSON on standard input).
    Model(Model),
    /// Print a completion script for a shell.
    Completions(Completions),
}

/// Which scenarios.
#[derive(Debug, Clone, Args)]
pub(crate) struct Selection {
    /// Names of scenarios, globs of names (`cidr-*`), folders of the catalogue (`regressions`), or paths of files. Default: all.
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    /// Only scenarios with one of these tags.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
}

/// Which kind of cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClusterChoice {
    /// kind where Docker, kind and helm are ready, else sim.
    Auto,
    /// Real Kubernetes with real Cilium in Docker.
    Kind,
    /// The context given by --context, marked by `adopt`.
    Existing,
    /// A simulated cluster in this process: says nothing about Cilium itself.
    Sim,
}

/// When clusters stay after their scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeepChoice {
    /// Never.
    Never,
    /// When the scenario did not pass.
    OnFailure,
    /// Always.
    Always,
}

/// Where images, charts and tools come from: for sites without a way out.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Sources")]
pub(crate) struct Sources {
    /// kind's node image.
    #[arg(long, env = "IPAM_E2E_NODE_IMAGE", value_name = "IMAGE")]
    pub(crate) node_image: Option<String>,
    /// Folder with `cilium-VERSION.tgz`.
    #[arg(long, env = "IPAM_E2E_CHART_DIR", value_name = "DIR")]
    pub(crate) chart_dir: Option<Utf8PathBuf>,
    /// Helm repository, for charts that are not in the folder.
    #[arg(long, env = "IPAM_E2E_CHART_REPO", value_name = "URL")]
    pub(crate) chart_repo: Option<String>,
    /// Registry mirror for the nodes.
    #[arg(long, env = "IPAM_E2E_REGISTRY_MIRROR", value_name = "URL")]
    pub(crate) registry_mirror: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct E2e {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Kind of cluster.
    #[arg(long, value_enum, default_value_t = ClusterChoice::Auto)]
    pub(crate) cluster: ClusterChoice,
    /// kubeconfig context, for --cluster existing.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Cilium's version.
    #[arg(long, value_name = "VERSION", default_value_t = versions().cilium.default.clone(), value_parser = versions::one)]
    pub(crate) cilium: Version,
    /// When clusters stay.
    #[arg(long, value_enum, default_value_t = KeepChoice::Never)]
    pub(crate) keep: KeepChoice,
    /// Stop after the first scenario that does not pass.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Stretch every deadline by this factor, for slow machines.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(crate) timeout_scale: f64,
    /// Wait after each step until the cluster has settled, so that the recording can be compared (`fidelity --real`).
    #[arg(long)]
    pub(crate) settle: bool,
    /// Tell of scenarios that pass where a known bug should make them fail, without failing the run.
    #[arg(long)]
    pub(crate) defer_xpass: bool,
    /// Keep everything that was seen also where a scenario passes, for `repro --from`. On kind that is always so.
    #[arg(long)]
    pub(crate) record: bool,
    /// Let the model run beside simulated clusters too: it is compared with itself, which shows whether it is told all that happens.
    #[arg(long, hide = true)]
    pub(crate) model_on_sim: bool,
    /// Where reports and evidence go. Default: target/e2e/RUN.
    #[arg(long, value_name = "DIR")]
    pub(crate) report_dir: Option<Utf8PathBuf>,
    /// Print what would be done and touch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) sim: Simulation,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

/// What a simulated cluster leaves open.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Simulated clusters")]
pub(crate) struct Simulation {
    /// Orders everything that real life leaves open; the same seed gives the same run. Default: 0.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// Run everything under so many seeds, 0 and up.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) seeds: Option<u64>,
    /// Let something go wrong, such as errors=0.05, slow-writes=200ms, drop-watches@20s, expire-watches/30s,
    /// agent-crash=worker@40s, operator-crash@40s, lost-leader@40s, node-loss=worker2@60s, disk-full=worker@40s, image-missing=alpine:3.22,
    /// violate=INVARIANT. `@`: that long after the cluster
    /// was asked for; `/`: every so often.
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<String>,
}

impl Simulation {
    /// Whether something was asked for that only simulated clusters have.
    pub(crate) fn asked(&self) -> bool {
        self.seed.is_some() || self.seeds.is_some() || !self.faults.is_empty()
    }
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Lint {
    #[command(subcommand)]
    pub(crate) what: Option<LintWhat>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Problems as JSON: a list.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,
    /// Explain a code; without one, list them all.
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) explain: Option<String>,
}

/// What is looked at, if not scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum LintWhat {
    /// A values file for Cilium's chart.
    Values(LintValues),
    /// The ConfigMap `cilium-config`, as `kubectl get configmap -o yaml` (or json) writes it.
    Configmap(LintConfigMap),
    /// A running cluster. Nothing is written.
    Cluster(LintCluster),
}

/// How problems are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// What is around the pools, and which cluster they are for.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Surroundings")]
pub(crate) struct Around {
    /// How many nodes there will be.
    #[arg(long, value_name = "COUNT")]
    pub(crate) nodes: Option<u64>,
    /// Range of Services. More than one: repeat it.
    #[arg(long, value_name = "CIDR")]
    pub(crate) service_cidr: Vec<ipnet::IpNet>,
    /// Range from which kube-controller-manager gives podCIDRs to Nodes. More than one: repeat it.
    #[arg(long, value_name = "CIDR")]
    pub(crate) pod_cidr: Vec<ipnet::IpNet>,
    /// Network of the nodes. More than one: repeat it.
    #[arg(long, value_name = "CIDR")]
    pub(crate) node_cidr: Vec<ipnet::IpNet>,
    /// The cluster that the settings are for, from a file: `kubectl get ciliumnodes,nodes -o yaml`. Says what each node's operator-status
    /// will be.
    #[arg(long, value_name = "FILE", conflicts_with = "context")]
    pub(crate) against: Option<Utf8PathBuf>,
    /// The same, from a running cluster: a context of the kubeconfig. Nothing is written.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// How a running cluster is reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reach {
    /// kubeconfig. Default: KUBECONFIG, then ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<Utf8PathBuf>,
    /// How long all reads may take together. Default: 15s.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) timeout: Option<std::time::Duration>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LintValues {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: Utf8PathBuf,
    /// The chart's version.
    #[arg(long, value_name = "VERSION", default_value_t = versions().cilium.default.clone(), value_parser = versions::one)]
    pub(crate) chart: Version,
    #[command(flatten)]
    pub(crate) around: Around,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LintConfigMap {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: Utf8PathBuf,
    /// Cilium's version.
    #[arg(long, value_name = "VERSION", default_value_t = versions().cilium.default.clone(), value_parser = versions::one)]
    pub(crate) cilium: Version,
    #[command(flatten)]
    pub(crate) around: Around,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LintCluster {
    /// kubeconfig context.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Cilium's version. Default: that of the agents' image.
    #[arg(long, value_name = "VERSION", value_parser = versions::one)]
    pub(crate) cilium: Option<Version>,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, group = clap::ArgGroup::new("of").args(["scenario", "values"]).required(true))]
pub(crate) struct Predict {
    /// Name of a scenario, or its file.
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: Option<String>,
    /// A values file for Cilium's chart, instead of a scenario: what an installation with it gives each node.
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Option<Utf8PathBuf>,
    /// How many nodes. Default: the scenario's, or 3 with --values.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) nodes: Option<u32>,
    /// Range from which kube-controller-manager gives podCIDRs to Nodes, with --values. More than one: repeat it.
    #[arg(long, value_name = "CIDR", default_value = "10.244.0.0/16", requires = "values")]
    pub(crate) pod_cidr: Vec<ipnet::IpNet>,
    /// Cilium's version.
    #[arg(long, value_name = "VERSION", default_value_t = versions().cilium.default.clone(), value_parser = versions::one)]
    pub(crate) cilium: Version,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Catalogue {
    /// Compare with scenarios/README.md instead of printing.
    #[arg(long)]
    pub(crate) check: bool,
    /// Write scenarios/README.md.
    #[arg(long, conflicts_with = "check")]
    pub(crate) write: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Repro {
    #[command(subcommand)]
    pub(crate) what: Option<ReproWhat>,
    /// Name of a scenario, or its file.
    #[arg(value_name = "SCENARIO", required = true)]
    pub(crate) scenario: Option<String>,
    /// Cilium's version. Default: the run's, else the usual one.
    #[arg(long, value_name = "VERSION", value_parser = versions::one)]
    pub(crate) cilium: Option<Version>,
    /// An earlier run, by its folder or its id: what it saw goes into the archive. Without one, nothing is run and nothing observed is in
    /// it.
    #[arg(long, value_name = "RUN")]
    pub(crate) from: Option<String>,
    /// Where the archive and the text go. Default: target/repro.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Regress {
    /// The issue's number, cilium/cilium#NUMBER or its address. Default: every known bug.
    #[arg(value_name = "ISSUE")]
    pub(crate) issue: Option<String>,
    /// Cilium's versions, separated by commas. Default: every version that scenarios are proven with.
    #[arg(long, value_name = "VERSIONS", value_parser = versions::many)]
    pub(crate) cilium: Vec<VersionList>,
    /// Kind of cluster.
    #[arg(long, value_enum, default_value_t = ClusterChoice::Auto)]
    pub(crate) cluster: ClusterChoice,
    /// Stretch every deadline by this factor, for slow machines.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(crate) timeout_scale: f64,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// For a regression: the issue's number, cilium/cilium#NUMBER or its address. Nothing is looked up.
    #[arg(long, value_name = "ISSUE")]
    pub(crate) from_issue: String,
    /// The scenario's name. Default: issue-NUMBER.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// What is done with an archive.
#[derive(Debug, Subcommand)]
pub(crate) enum ReproWhat {
    /// Run an archive's scenario here. Nothing of the archive runs on this machine itself.
    Run(ReproRun),
    /// Judge an archive's recording again, without a cluster.
    Show(ReproShow),
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ReproRun {
    /// The archive.
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: Utf8PathBuf,
    /// Kind of cluster.
    #[arg(long, value_enum, default_value_t = ClusterChoice::Auto)]
    pub(crate) cluster: ClusterChoice,
    /// kubeconfig context, for --cluster existing.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Cilium's version. Default: the archive's.
    #[arg(long, value_name = "VERSION", value_parser = versions::one)]
    pub(crate) cilium: Option<Version>,
    /// Stretch every deadline by this factor, for slow machines.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(crate) timeout_scale: f64,
    /// Where reports and evidence go. Default: target/e2e/RUN.
    #[arg(long, value_name = "DIR")]
    pub(crate) report_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ReproShow {
    /// The archive.
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: Utf8PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Compare with scenarios/schema.json instead of printing.
    #[arg(long)]
    pub(crate) check: bool,
    /// Write scenarios/schema.json.
    #[arg(long, conflicts_with = "check")]
    pub(crate) write: bool,
}

const BISECT: &str = "Before a cluster is taken over, workloads, Cilium with its objects and definitions, and what it left on the nodes are taken away, and \
it is looked whether it is as it was when new; if not, a new one is made. A verdict that is in doubt is repeated on a new cluster. The report \
says of each run which it had.

A version is written 1.19.1, v1.19.1, as a range (its newest known version is taken), or as TAG@VERSION: images in \
Docker with that tag, installed by the chart of that version (an image that has no such tag is the version's own); \
PLACE:TAG@VERSION takes PLACE/cilium and PLACE/operator-generic instead of those of quay.io/cilium. \
With --good newer than --bad, the first good version is looked for.

Exit codes: 0 found, 2 bad input (also ends that do not differ), 3 cluster or tool error, 130 interrupted: --resume goes on.";

#[derive(Debug, Args)]
#[command(after_help = BISECT)]
pub(crate) struct Bisect {
    /// Name of a scenario, or its file.
    #[arg(value_name = "SCENARIO", required_unless_present = "resume")]
    pub(crate) scenario: Option<String>,
    /// A version on which it passes.
    #[arg(long, value_name = "VERSION", required_unless_present = "resume")]
    pub(crate) good: Option<String>,
    /// A version on which it does not.
    #[arg(long, value_name = "VERSION", required_unless_present = "resume")]
    pub(crate) bad: Option<String>,
    /// What to try: versions, ranges and TAG@VERSION, separated by commas; `here`: those whose chart and images are on this machine.
    /// With tags among them, their order is that of the list. Default: every known version.
    #[arg(long, value_name = "LIST")]
    pub(crate) among: Option<String>,
    /// Go on with a search that was interrupted or killed: its folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["scenario", "good", "bad", "among", "cluster", "context", "repeat", "retries", "seed", "faults", "timeout_scale", "report_dir"])]
    pub(crate) resume: Option<Utf8PathBuf>,
    /// Kind of cluster.
    #[arg(long, value_enum, default_value_t = ClusterChoice::Auto)]
    pub(crate) cluster: ClusterChoice,
    /// kubeconfig context, for --cluster existing.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Further runs of a version whose verdict does not look steady.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) repeat: u32,
    /// Further runs of a version after an infrastructure error, before it is skipped.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) retries: u32,
    /// Make a new cluster for each run. Otherwise a run takes over the cluster of the run before, where that was of the same or a
    /// neighbouring minor release and the scenario does nothing that cannot be taken back.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Stretch every deadline by this factor, for slow machines.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(crate) timeout_scale: f64,
    /// Where the search is kept, with its runs. Default: target/e2e/bisect-RUN.
    #[arg(long, value_name = "DIR")]
    pub(crate) report_dir: Option<Utf8PathBuf>,
    /// Orders everything that real life leaves open, on sim. Default: 0.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Let something go wrong, on sim: as for e2e.
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<String>,
    /// Print what would be tried, and touch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Versions {
    /// Only these: versions and ranges, separated by commas. Default: those that clusters are made with.
    #[arg(value_name = "VERSIONS", value_parser = versions::many)]
    pub(crate) only: Vec<VersionList>,
    /// Check kind/versions.yaml instead.
    #[arg(long, conflicts_with = "only")]
    pub(crate) check: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Cilium's version.
    #[arg(long, value_name = "VERSION", default_value_t = versions().cilium.default.clone(), value_parser = versions::one)]
    pub(crate) cilium: Version,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// Also remove clusters that a run kept on purpose.
    #[arg(long)]
    pub(crate) kept: bool,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// kubeconfig context.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: String,
    /// Yes, everything in this cluster may be lost.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sim {
    #[command(subcommand)]
    pub(crate) command: SimCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Start one, print how to reach it, and keep it until Ctrl-C.
    Up(SimUp),
}

#[derive(Debug, Args)]
pub(crate) struct SimUp {
    /// Nodes, the control plane included.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) nodes: u32,
    /// Cilium's version.
    #[arg(long, value_name = "VERSION", default_value_t = versions().cilium.default.clone(), value_parser = versions::one_or_newer_patch)]
    pub(crate) cilium: Version,
    /// Port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// How many times faster than a quick real cluster everything happens.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Cluster-pool range. More than one: repeat it.
    #[arg(long, value_name = "CIDR", default_value = "10.0.0.0/8", value_parser = pool)]
    pub(crate) pool: Vec<String>,
    /// Orders everything that real life leaves open.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Install no Cilium: `helm` cannot do it later, since there is nothing that runs its images.
    #[arg(long)]
    pub(crate) bare: bool,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Fidelity {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Cilium's versions and ranges of them, separated by commas. With --recorded: every version that scenarios are proven with.
    #[arg(long, value_name = "VERSIONS", value_parser = versions::many)]
    pub(crate) cilium: Vec<VersionList>,
    /// Compare with the recordings in tests/fidelity instead of running on kind.
    #[arg(long, conflicts_with_all = ["real", "record"])]
    pub(crate) recorded: bool,
    /// Compare with a run on kind that was made with `e2e --settle`: its folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) real: Option<Utf8PathBuf>,
    /// Write what is compared of the real run to tests/fidelity.
    #[arg(long)]
    pub(crate) record: bool,
    /// The simulated side's seed. Default: 0.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Where the comparison is written. Default: target/e2e/fidelity.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<Utf8PathBuf>,
    /// Stretch every deadline by this factor, for slow machines.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(crate) timeout_scale: f64,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    /// Cilium's version: any patch of the minors that the model knows.
    #[arg(long, value_name = "VERSION", default_value_t = versions().cilium.default.clone(), value_parser = exact_version)]
    pub(crate) cilium: Version,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

fn exact_version(text: &str) -> Result<Version, String> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    Version::parse(bare).map_err(|_| format!("\"{text}\" is not a version: write three numbers, such as 1.18.4"))
}

fn span(text: &str) -> Result<std::time::Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err(format!("\"{text}\" is not a span of time: write one such as 15s or 1m")),
    }
}

/// A pool is taken as it is typed, host bits and all: what the operator makes of it is what one may want to see.
fn pool(text: &str) -> Result<String, String> {
    match text.parse::<ipnet::Ipv4Net>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("not an IPv4 range: write one such as 10.0.0.0/8".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let error = || format!("\"{text}\" is not a speed: write a number from 0.1 to 1000, such as 10");
    let value: f64 = text.parse().map_err(|_| error())?;
    if (0.1..=1000.0).contains(&value) { Ok(value) } else { Err(error()) }
}

pub(crate) fn scale(text: &str) -> Result<f64, String> {
    let error = || format!("\"{text}\" is not a factor: write a number above 0 and up to 100, such as 2 or 1.5");
    let value: f64 = text.parse().map_err(|_| error())?;
    if value > 0.0 && value <= 100.0 { Ok(value) } else { Err(error()) }
}
