//! What is known of the machine, and what is wanted of it.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use ipnet::IpNet;
use semver::Version;

use crate::tools::Tool;

/// What a run will need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Pod and service subnets: what they are for, and the range. They must not collide with Docker's networks.
    pub subnets: Vec<(String, IpNet)>,
    /// Pools that Cilium carves node CIDRs from. Collisions are worth a warning.
    pub pools: Vec<(String, IpNet)>,
    /// Images that nodes will need.
    pub images: Vec<String>,
    /// Cilium's version, without `v`.
    pub cilium: Option<String>,
    /// Nodes of the biggest cluster.
    pub nodes: u32,
}

/// What is known of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolFact {
    /// It has this version.
    Version(Version),
    /// It is there and says nothing that can be read as a version.
    Unreadable,
    /// It is not there, or does not run.
    Missing {
        /// Why.
        why: String,
        /// What to do.
        fix: String,
    },
}

/// What `docker info` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// The server's version.
    pub version: Option<Version>,
    /// `overlay2`, `overlayfs`, ...
    pub driver: String,
    /// `Debian GNU/Linux 13`, `Docker Desktop`, ...
    pub operating_system: String,
    /// Of the machine that containers run on.
    pub kernel: String,
    /// 1 or 2.
    pub cgroup: String,
    /// Bytes.
    pub memory: u64,
    /// Where it keeps its data.
    pub root: Utf8PathBuf,
    /// `name=rootless`, ...
    pub security: Vec<String>,
}

/// The node image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeImageFact {
    /// kind's own choice.
    Default,
    /// Docker has it.
    Present(String),
    /// Docker must pull it.
    Absent(String),
}

/// The chart of the version that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartFact {
    /// No version is wanted.
    NotAsked,
    /// In the chart folder.
    File(Utf8PathBuf),
    /// Not in the chart folder, so it is asked for here.
    Repository {
        /// The file that was looked for, if there is a folder.
        looked_for: Option<Utf8PathBuf>,
        /// The repository.
        repo: String,
    },
}

/// What is known of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Each program.
    pub tools: BTreeMap<Tool, ToolFact>,
    /// The engine, or why it does not answer.
    pub engine: Result<EngineFacts, String>,
    /// Docker's networks with their ranges.
    pub networks: Vec<(String, IpNet)>,
    /// Free bytes where Docker keeps its data, if that is on this machine.
    pub disk_free: Option<u64>,
    /// `fs.inotify.max_user_watches`.
    pub watches: Option<u64>,
    /// `fs.inotify.max_user_instances`.
    pub instances: Option<u64>,
    /// Whether the kernel lists modules, where that can be seen.
    pub modules: Option<bool>,
    /// The node image.
    pub node_image: NodeImageFact,
    /// The chart.
    pub chart: ChartFact,
    /// Images that Docker lacks.
    pub missing_images: Vec<String>,
    /// Why the ledger's folder cannot be written, if so.
    pub ledger: Result<(), String>,
}
