//! Decisions about facts. Nothing here looks at the machine.

use ipnet::IpNet;
use semver::Version;

use super::{ChartFact, EngineFacts, Facts, NodeImageFact, Request, ToolFact};
use crate::tools::Tool;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// A run may fail, or be slow, because of it.
    Warn,
    /// A run will fail because of it.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What is the case.
    pub what: String,
    /// What to do about it. Empty if nothing.
    pub fix: String,
}

const GIB: u64 = 1 << 30;
/// Free disk below which a cluster does not fit, or may not (a node takes about 1.5 GiB with images streamed to it).
const DISK: (u64, u64) = (4 * GIB, 12 * GIB);
/// Memory likewise, for three nodes with Cilium.
const MEMORY: (u64, u64) = (2 * GIB, 4 * GIB);
/// inotify limits below which nodes begin to fail, and the ones that kind recommends
/// (kind.sigs.k8s.io/docs/user/known-issues, "Pod errors due to too many open files").
const WATCHES: (u64, u64) = (65_536, 524_288);
const INSTANCES: (u64, u64) = (128, 512);

/// All findings, good ones too, in a fixed order.
pub fn judge(facts: &Facts, request: &Request) -> Vec<Finding> {
    let mut findings = Vec::new();
    for tool in Tool::ALL {
        findings.extend(facts.tools.get(&tool).map(|fact| program(tool, fact)));
    }
    match &facts.engine {
        // A client that is not there has been said already.
        Err(_) if matches!(facts.tools.get(&Tool::Docker), Some(ToolFact::Missing { .. })) => {}
        Err(why) => findings.push(error(
            format!("the Docker engine does not answer: {why}"),
            "start Docker, let your user use it, or set DOCKER_HOST",
        )),
        Ok(engine) => {
            engine_findings(engine, request, &mut findings);
            findings.extend(kernel(engine, facts.modules, request));
        }
    }
    findings.extend(disk(facts.disk_free));
    findings.extend(inotify("fs.inotify.max_user_watches", facts.watches, WATCHES));
    findings.extend(inotify("fs.inotify.max_user_instances", facts.instances, INSTANCES));
    findings.extend(subnets(facts, request));
    findings.push(node_image(&facts.node_image));
    findings.extend(chart(&facts.chart));
    if !request.images.is_empty() {
        findings.push(images(&facts.missing_images, request.images.len()));
    }
    if let Err(why) = &facts.ledger {
        findings.push(error(
            format!("the ledger cannot be written: {why}"),
            "name a folder of yours by IPAM_E2E_LEDGER_DIR",
        ));
    }
    findings
}

fn ok(what: impl Into<String>) -> Finding {
    Finding { level: Level::Ok, what: what.into(), fix: String::new() }
}

fn warn(what: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { level: Level::Warn, what: what.into(), fix: fix.into() }
}

fn error(what: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { level: Level::Error, what: what.into(), fix: fix.into() }
}

fn program(tool: Tool, fact: &ToolFact) -> Finding {
    // Nothing that this tool does needs kubectl; the commands that it prints do.
    let bad = if tool == Tool::Kubectl { Level::Warn } else { Level::Error };
    match fact {
        ToolFact::Version(version) if *version >= tool.minimum() => ok(format!("{tool} {version}")),
        ToolFact::Version(version) => Finding {
            level: bad,
            what: format!("{tool} {version} is too old: at least {} is needed", tool.minimum()),
            fix: tool.install().to_owned(),
        },
        ToolFact::Unreadable => {
            warn(format!("{tool} does not say its version"), format!("let {} name the program itself", tool.env()))
        }
        ToolFact::Missing { why, fix } => Finding { level: bad, what: why.clone(), fix: fix.clone() },
    }
}

fn engine_findings(engine: &EngineFacts, request: &Request, findings: &mut Vec<Finding>) {
    match &engine.version {
        Some(version) if *version < Tool::Docker.minimum() => findings.push(error(
            format!("Docker engine {version} is too old: at least {} is needed", Tool::Docker.minimum()),
            Tool::Docker.install(),
        )),
        Some(version) => {
            findings.push(ok(format!("Docker engine {version} ({}, {})", engine.operating_system, engine.driver)))
        }
        None => findings.push(ok(format!("Docker engine ({}, {})", engine.operating_system, engine.driver))),
    }
    if engine.driver != "overlay2" && !request.images.is_empty() {
        let what =
            format!("Docker keeps images with {}: they are copied to every node, which takes longer", engine.driver);
        findings.push(warn(what, "nothing must be done; the storage driver overlay2 lets nodes share Docker's layers"));
    }
    if engine.cgroup == "1" {
        findings.push(warn(
            "cgroup v1: kubelet 1.35 and newer, and future kind releases, refuse it",
            "boot with cgroup v2, or stay with older nodes",
        ));
    }
    let memory = format!("{:.1} GiB of memory for containers", gib(engine.memory));
    findings.push(match engine.memory {
        m if m < MEMORY.0 => error(memory, format!("give Docker at least {} GiB", MEMORY.1 / GIB)),
        m if m < MEMORY.1 => warn(memory, format!("give Docker {} GiB for clusters of three nodes", MEMORY.1 / GIB)),
        _ => ok(memory),
    });
}

/// Oldest kernels (docs.cilium.io, "System Requirements"), and modules: agents before 1.18 read `/proc/modules` and do not start
/// without it.
fn kernel(engine: &EngineFacts, modules: Option<bool>, request: &Request) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(cilium) = request.cilium.as_deref().and_then(|text| Version::parse(text).ok()) else { return findings };
    let old = cilium < Version::new(1, 18, 0);
    let minimum = if old { Version::new(5, 4, 0) } else { Version::new(5, 10, 0) };
    match Tool::parse_version(&engine.kernel) {
        Some(kernel) if kernel < minimum => findings.push(error(
            format!("kernel {}: Cilium {cilium} needs {}.{}", engine.kernel, minimum.major, minimum.minor),
            "run Docker on a newer kernel, or take an older Cilium",
        )),
        Some(_) => findings.push(ok(format!("kernel {}", engine.kernel))),
        None => {}
    }
    if old && modules == Some(false) {
        findings.push(error(
            format!("the kernel has no /proc/modules: agents of Cilium {cilium} do not start"),
            "take Cilium 1.18 or newer, or a kernel with loadable modules",
        ));
    }
    findings
}

fn gib(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let value = bytes as f64 / GIB as f64;
    value
}

fn disk(free: Option<u64>) -> Option<Finding> {
    let free = free?;
    let what = format!("{:.1} GiB free where Docker keeps its data", gib(free));
    let fix = "free some: `docker system df` shows what takes it, `docker system prune` removes what nothing uses";
    Some(match free {
        f if f < DISK.0 => error(what, fix),
        f if f < DISK.1 => warn(what, fix),
        _ => ok(what),
    })
}

fn inotify(name: &str, value: Option<u64>, (least, wanted): (u64, u64)) -> Option<Finding> {
    let value = value?;
    let what = format!("{name} = {value}");
    let fix = format!("sudo sysctl {name}={wanted}");
    Some(match value {
        v if v < least => error(what, fix),
        v if v < wanted => warn(format!("{what}: several clusters at once may fail with `too many open files`"), fix),
        _ => ok(what),
    })
}

fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

fn subnets(facts: &Facts, request: &Request) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (what, range) in &request.subnets {
        for (network, taken) in facts.networks.iter().filter(|(_, taken)| overlaps(range, taken)) {
            findings.push(error(
                format!("{what} {range} collides with {taken} of Docker's network {network}"),
                format!("choose another {what} in the scenario, or `docker network rm {network}` if nothing needs it"),
            ));
        }
    }
    for (what, range) in &request.pools {
        for (network, taken) in facts.networks.iter().filter(|(_, taken)| overlaps(range, taken)) {
            findings.push(warn(
                format!("{what} {range} contains {taken} of Docker's network {network}: pods cannot reach it"),
                "nothing must be done unless pods are to reach that network",
            ));
        }
    }
    if findings.is_empty() && !(request.subnets.is_empty() && request.pools.is_empty()) {
        findings.push(ok("no subnet collides with Docker's networks"));
    }
    findings
}

fn node_image(fact: &NodeImageFact) -> Finding {
    match fact {
        NodeImageFact::Default => ok("node image: kind's own default (IPAM_E2E_NODE_IMAGE names another)"),
        NodeImageFact::Present(name) => ok(format!("node image {name} is in Docker")),
        NodeImageFact::Absent(name) => warn(
            format!("node image {name} is not in Docker: kind will pull it"),
            format!("docker pull {name}, or let IPAM_E2E_NODE_IMAGE name one that is there"),
        ),
    }
}

fn chart(fact: &ChartFact) -> Option<Finding> {
    match fact {
        ChartFact::NotAsked => None,
        ChartFact::File(path) => Some(ok(format!("chart {path}"))),
        ChartFact::Repository { looked_for: None, repo } => Some(ok(format!("the chart comes from {repo}"))),
        ChartFact::Repository { looked_for: Some(path), repo } => Some(warn(
            format!("{path} is not there: the chart will be asked for at {repo}"),
            format!("helm pull cilium --repo {repo} --version VERSION, into that folder"),
        )),
    }
}

fn images(missing: &[String], wanted: usize) -> Finding {
    if missing.is_empty() {
        return ok(format!("all {wanted} images are in Docker"));
    }
    let commands: Vec<String> = missing.iter().map(|image| format!("docker pull {image}")).collect();
    warn(format!("not in Docker, so every node pulls them itself: {}", missing.join(", ")), commands.join("; "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    fn good() -> Facts {
        Facts {
            tools: Tool::ALL.into_iter().map(|tool| (tool, ToolFact::Version(tool.minimum()))).collect(),
            engine: Ok(EngineFacts {
                version: Some(Version::new(28, 0, 0)),
                driver: "overlay2".into(),
                operating_system: "Debian".into(),
                kernel: "6.1.0-13-amd64".into(),
                cgroup: "2".into(),
                memory: 16 * GIB,
                root: "/var/lib/docker".into(),
                security: vec![],
            }),
            networks: vec![("bridge".into(), "172.17.0.0/16".parse().unwrap())],
            disk_free: Some(100 * GIB),
            watches: Some(524_288),
            instances: Some(512),
            modules: Some(true),
            node_image: NodeImageFact::Default,
            chart: ChartFact::NotAsked,
            missing_images: vec![],
            ledger: Ok(()),
        }
    }

    fn request() -> Request {
        Request {
            subnets: vec![("podSubnet".into(), "10.224.0.0/16".parse().unwrap())],
            pools: vec![("pool".into(), "10.0.0.0/8".parse().unwrap())],
            images: vec!["alpine:3.22".into()],
            cilium: Some("1.18.4".into()),
            nodes: 3,
        }
    }

    fn engine(change: impl FnOnce(&mut EngineFacts)) -> Facts {
        let mut facts = good();
        if let Ok(engine) = &mut facts.engine {
            change(engine);
        }
        facts
    }

    #[test]
    fn a_good_machine_has_nothing_to_fix() {
        let findings = judge(&good(), &request());
        assert!(findings.len() > 10, "{findings:#?}");
        assert!(findings.iter().all(|f| f.level == Level::Ok && f.fix.is_empty()), "{findings:#?}");
    }

    #[rstest]
    #[case::disk(Facts { disk_free: Some(GIB), ..good() }, Level::Error, "1.0 GiB free", "docker system df")]
    #[case::some_disk(Facts { disk_free: Some(8 * GIB), ..good() }, Level::Warn, "8.0 GiB free", "docker system df")]
    #[case::watches(Facts { watches: Some(8192), ..good() }, Level::Error, "max_user_watches = 8192", "sudo sysctl fs.inotify.max_user_watches=524288")]
    #[case::instances(Facts { instances: Some(128), ..good() }, Level::Warn, "max_user_instances = 128", "sudo sysctl fs.inotify.max_user_instances=512")]
    #[case::subnet(
        Facts { networks: vec![("vpn".into(), "10.224.8.0/24".parse().unwrap())], ..good() },
        Level::Error, "podSubnet 10.224.0.0/16 collides with 10.224.8.0/24 of Docker's network vpn", "docker network rm vpn"
    )]
    #[case::pool(
        Facts { networks: vec![("vpn".into(), "10.9.0.0/16".parse().unwrap())], ..good() },
        Level::Warn, "pool 10.0.0.0/8 contains 10.9.0.0/16", "unless pods"
    )]
    #[case::no_engine(Facts { engine: Err("Cannot connect".into()), ..good() }, Level::Error, "does not answer: Cannot connect", "start Docker")]
    #[case::old_engine(engine(|e| e.version = Some(Version::new(19, 3, 0))), Level::Error, "engine 19.3.0 is too old", "install Docker")]
    #[case::store(engine(|e| e.driver = "overlayfs".into()), Level::Warn, "keeps images with overlayfs", "overlay2")]
    #[case::cgroup(engine(|e| e.cgroup = "1".into()), Level::Warn, "cgroup v1", "cgroup v2")]
    #[case::memory(engine(|e| e.memory = GIB), Level::Error, "1.0 GiB of memory", "at least 4 GiB")]
    #[case::kernel(engine(|e| e.kernel = "4.19.0-amd64".into()), Level::Error, "kernel 4.19.0-amd64: Cilium 1.18.4 needs 5.10", "newer kernel")]
    #[case::image(Facts { node_image: NodeImageFact::Absent("n:1".into()), ..good() }, Level::Warn, "n:1 is not in Docker", "docker pull n:1")]
    #[case::images(Facts { missing_images: vec!["alpine:3.22".into()], ..good() }, Level::Warn, "pulls them itself: alpine:3.22", "docker pull alpine:3.22")]
    #[case::chart(
        Facts { chart: ChartFact::Repository { looked_for: Some("/c/x.tgz".into()), repo: "r".into() }, ..good() },
        Level::Warn, "/c/x.tgz is not there", "helm pull"
    )]
    #[case::ledger(Facts { ledger: Err("read-only".into()), ..good() }, Level::Error, "cannot be written: read-only", "IPAM_E2E_LEDGER_DIR")]
    fn what_is_wrong_comes_with_its_fix(
        #[case] facts: Facts,
        #[case] level: Level,
        #[case] what: &str,
        #[case] fix: &str,
    ) {
        let bad: Vec<Finding> = judge(&facts, &request()).into_iter().filter(|f| f.level != Level::Ok).collect();
        assert!(bad.iter().any(|f| f.level == level && f.what.contains(what) && f.fix.contains(fix)), "{bad:#?}");
    }

    #[rstest]
    #[case(Tool::Kind, ToolFact::Version(Version::new(0, 20, 0)), Level::Error, "kind 0.20.0 is too old")]
    #[case(Tool::Kubectl, ToolFact::Version(Version::new(1, 20, 0)), Level::Warn, "kubectl 1.20.0 is too old")]
    #[case(Tool::Helm, ToolFact::Unreadable, Level::Warn, "helm does not say its version")]
    #[case(Tool::Helm, ToolFact::Missing { why: "find helm".into(), fix: "install".into() }, Level::Error, "find helm")]
    #[case(Tool::Kubectl, ToolFact::Missing { why: "find kubectl".into(), fix: "install".into() }, Level::Warn, "find kubectl")]
    fn programs(#[case] tool: Tool, #[case] fact: ToolFact, #[case] level: Level, #[case] what: &str) {
        let facts = Facts { tools: BTreeMap::from([(tool, fact)]), ..good() };
        let findings = judge(&facts, &request());
        assert!(
            findings.iter().any(|f| f.level == level && f.what.contains(what) && !f.fix.is_empty()),
            "{findings:#?}"
        );
    }

    #[rstest]
    #[case("1.17.0", Some(false), true)]
    #[case("1.17.0", Some(true), false)]
    #[case("1.17.0", None, false)]
    #[case("1.18.4", Some(false), false)]
    fn old_agents_need_modules(#[case] cilium: &str, #[case] modules: Option<bool>, #[case] bad: bool) {
        let facts = Facts { modules, ..good() };
        let findings = judge(&facts, &Request { cilium: Some(cilium.into()), ..request() });
        assert_eq!(findings.iter().any(|f| f.what.contains("/proc/modules")), bad, "{findings:#?}");
    }

    #[test]
    fn a_missing_client_is_said_once() {
        let missing = ToolFact::Missing { why: "find docker".into(), fix: "install".into() };
        let facts =
            Facts { tools: BTreeMap::from([(Tool::Docker, missing)]), engine: Err("find docker".into()), ..good() };
        let count = judge(&facts, &request()).iter().filter(|f| f.what.contains("find docker")).count();
        assert_eq!(count, 1);
    }
}
