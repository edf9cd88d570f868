//! Gathering of facts: everything at once, nothing created.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use futures::future::join_all;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::{ChartFact, EngineFacts, Facts, NodeImageFact, Request, ToolFact};
use crate::Settings;
use crate::tools::{Door, Invocation, Tool, ToolError};

/// For each question.
const ASK: Duration = Duration::from_secs(15);

/// Looks at the machine.
pub async fn gather(settings: Arc<Settings>, request: &Request) -> Facts {
    let door = Door::new(settings.clone());
    let door = &door;
    let tools = join_all(Tool::ALL.map(|tool| async move { (tool, tool_fact(door, tool).await) }));
    let images = join_all(request.images.iter().map(|image| async move { (image, has_image(door, image).await) }));
    let node_image = async {
        match &settings.node_image {
            None => NodeImageFact::Default,
            Some(name) if has_image(door, name).await => NodeImageFact::Present(name.clone()),
            Some(name) => NodeImageFact::Absent(name.clone()),
        }
    };
    let (tools, engine, networks, images, node_image) =
        tokio::join!(tools, engine(door), networks(door), images, node_image);
    let disk_free = engine.as_ref().ok().and_then(|engine| free(&engine.root));
    let number = |path: &str| fs_err::read_to_string(path).ok()?.trim().parse().ok();
    Facts {
        tools: tools.into_iter().collect::<BTreeMap<_, _>>(),
        missing_images: match &engine {
            Ok(_) => images.into_iter().filter(|(_, there)| !there).map(|(name, _)| name.clone()).collect(),
            Err(_) => Vec::new(),
        },
        engine,
        networks,
        disk_free,
        watches: number("/proc/sys/fs/inotify/max_user_watches"),
        instances: number("/proc/sys/fs/inotify/max_user_instances"),
        modules: Utf8Path::new("/proc/self").exists().then(|| Utf8Path::new("/proc/modules").exists()),
        node_image,
        chart: chart(&settings, request),
        ledger: writable(&settings.ledger_dir),
    }
}

/// Whether kind clusters can be made here, in less than a second; the reason if not, for one line.
///
/// # Errors
/// When a program is missing or too old, or the engine does not answer in time.
pub async fn kind_available(settings: Arc<Settings>) -> Result<(), String> {
    const QUICK: Duration = Duration::from_millis(900);
    let door = Door::new(settings);
    let door = &door;
    for tool in [Tool::Docker, Tool::Kind, Tool::Helm] {
        door.locate(tool).map_err(|error| error.to_string())?;
    }
    let server = async {
        let out = door.docker("ask the engine", QUICK, ["version", "--format", "{{.Server.Version}}"]).await;
        match out {
            Ok(out) => Ok(Tool::parse_version(&out.stdout)),
            Err(ToolError::Deadline { .. }) => Err("the Docker engine does not answer within a second".to_owned()),
            Err(error) => {
                Err(format!("the Docker engine does not answer: {}", error.output().unwrap_or_default().trim()))
            }
        }
    };
    let version = |tool: Tool| async move {
        let run = Invocation::new(tool, "read version", QUICK).args(tool.version_args().iter().copied());
        match door.run(run).await {
            Ok(out) => Ok(Tool::parse_version(&out.stdout)),
            Err(error) => Err(error.cause()),
        }
    };
    let (server, kind, helm) = tokio::join!(server, version(Tool::Kind), version(Tool::Helm));
    for (tool, found) in [(Tool::Docker, server?), (Tool::Kind, kind?), (Tool::Helm, helm?)] {
        if let Some(found) = found.filter(|found| *found < tool.minimum()) {
            return Err(format!("{tool} {found} is older than {}", tool.minimum()));
        }
    }
    Ok(())
}

async fn tool_fact(door: &Door, tool: Tool) -> ToolFact {
    match door.version(tool).await {
        Ok(Some(version)) => ToolFact::Version(version),
        Ok(None) => ToolFact::Unreadable,
        Err(ToolError::Lookup(error)) => ToolFact::Missing { why: error.to_string(), fix: error.fix() },
        Err(error) => ToolFact::Missing { why: error.cause(), fix: tool.install().to_owned() },
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    server_version: String,
    driver: String,
    operating_system: String,
    kernel_version: String,
    cgroup_version: String,
    mem_total: u64,
    docker_root_dir: String,
    security_options: Vec<String>,
    server_errors: Vec<String>,
}

async fn engine(door: &Door) -> Result<EngineFacts, String> {
    let out = door.docker("ask the engine", ASK, ["info", "--format", "{{json .}}"]).await.map_err(|e| e.cause())?;
    read_info(&out.stdout)
}

/// `docker info` ends well also when only the client could say something.
fn read_info(text: &str) -> Result<EngineFacts, String> {
    let info: Info = serde_json::from_str(text).map_err(|error| format!("docker info: {error}"))?;
    if let Some(error) = info.server_errors.first() {
        return Err(error.clone());
    }
    Ok(EngineFacts {
        version: Tool::parse_version(&info.server_version),
        driver: info.driver,
        operating_system: info.operating_system,
        kernel: info.kernel_version,
        cgroup: info.cgroup_version,
        memory: info.mem_total,
        root: info.docker_root_dir.into(),
        security: info.security_options,
    })
}

async fn networks(door: &Door) -> Vec<(String, IpNet)> {
    let Ok(ids) = door.docker("list networks", ASK, ["network", "ls", "--quiet"]).await else { return Vec::new() };
    let ids: Vec<String> = ids.stdout.split_whitespace().map(str::to_owned).collect();
    // One by one: one that goes meanwhile must not hide the others.
    let all = join_all(ids.into_iter().map(|id| async move {
        let out = door.docker("inspect network", ASK, ["network", "inspect", id.as_str()]).await;
        out.map(|out| read_networks(&out.stdout)).unwrap_or_default()
    }));
    let mut networks: Vec<_> = all.await.into_iter().flatten().collect();
    networks.sort();
    networks
}

fn read_networks(text: &str) -> Vec<(String, IpNet)> {
    let Ok(Value::Array(networks)) = serde_json::from_str(text) else { return Vec::new() };
    let mut found = Vec::new();
    for network in &networks {
        let name = network["Name"].as_str().unwrap_or_default();
        for config in network["IPAM"]["Config"].as_array().into_iter().flatten() {
            if let Some(range) = config["Subnet"].as_str().and_then(|text| text.parse().ok()) {
                found.push((name.to_owned(), range));
            }
        }
    }
    found
}

/// Every image that Docker has, as `name:tag`.
///
/// # Errors
/// Why Docker does not say, in a line.
pub async fn images_in_docker(settings: Arc<Settings>) -> Result<BTreeSet<String>, String> {
    let door = Door::new(settings);
    door.locate(Tool::Docker).map_err(|error| error.to_string())?;
    let out = door.docker("list images", ASK, ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await;
    match out {
        Ok(out) => Ok(out.stdout.split_whitespace().map(str::to_owned).collect()),
        Err(error) => {
            let output = error.output().unwrap_or_default().trim().lines().next().unwrap_or_default().to_owned();
            Err(if output.is_empty() { error.cause() } else { output })
        }
    }
}

/// Whether nodes could pull an image that Docker does not have: asks its registry.
///
/// # Errors
/// Why not, in a line.
pub async fn image_to_be_had(settings: Arc<Settings>, image: &str) -> Result<(), String> {
    // Nodes ask the mirror, and Docker does not: what it says would be about another registry.
    if settings.registry_mirror.is_some() {
        return Ok(());
    }
    let out = Door::new(settings).docker("ask the registry", ASK, ["manifest", "inspect", image]).await;
    out.map(drop).map_err(|error| error.cause())
}

async fn has_image(door: &Door, name: &str) -> bool {
    door.docker("look for image", ASK, ["image", "inspect", "--format", "{{.Id}}", name]).await.is_ok()
}

fn chart(settings: &Settings, request: &Request) -> ChartFact {
    let Some(version) = &request.cilium else { return ChartFact::NotAsked };
    match settings.chart_file(version) {
        Some(file) if file.is_file() => ChartFact::File(file),
        looked_for => ChartFact::Repository { looked_for, repo: settings.chart_repo.clone() },
    }
}

/// Free bytes for an ordinary user, if the folder is on this machine.
fn free(path: &Utf8Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(path.as_std_path()).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// Whether the nearest folder above that exists can be written; nothing is made.
fn writable(dir: &Utf8Path) -> Result<(), String> {
    let dir = camino::absolute_utf8(dir).map_err(|error| error.to_string())?;
    let existing = dir.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&dir);
    nix::unistd::access(existing.as_std_path(), nix::unistd::AccessFlags::W_OK)
        .map_err(|errno| format!("{existing}: {errno}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_info_is_read() {
        let text = r#"{"ServerVersion":"20.10.24+dfsg1","Driver":"overlay2","OperatingSystem":"Debian","KernelVersion":"6.1.0",
            "CgroupVersion":"1","MemTotal":25276510208,"DockerRootDir":"/var/lib/docker","SecurityOptions":["name=seccomp"],"Else":1}"#;
        let engine = read_info(text).unwrap();
        assert_eq!(engine.version, Some(semver::Version::new(20, 10, 24)));
        assert_eq!((engine.cgroup.as_str(), engine.memory), ("1", 25_276_510_208));
    }

    #[test]
    fn a_client_without_an_engine_is_an_error() {
        let text = r#"{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]}"#;
        assert!(read_info(text).unwrap_err().starts_with("Cannot connect"));
        assert!(read_info("").unwrap_err().starts_with("docker info: "));
    }

    #[test]
    fn networks_of_both_families_are_read() {
        let text = r#"[{"Name":"k","IPAM":{"Config":[{"Subnet":"172.18.0.0/16"},{"Subnet":"fc00::/64"},{"Gateway":"x"}]}},
            {"Name":"host","IPAM":{"Config":null}}]"#;
        let names: Vec<String> = read_networks(text).iter().map(|(n, r)| format!("{n} {r}")).collect();
        assert_eq!(names, ["k 172.18.0.0/16", "k fc00::/64"]);
    }

    #[test]
    fn the_ledger_may_be_made_below_a_folder_that_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(writable(&path.join("a/b/c")), Ok(()));
    }

    #[tokio::test]
    async fn without_docker_kind_is_not_available_and_says_why() {
        let settings = Settings::from_env(|_| None).unwrap();
        assert_eq!(
            kind_available(Arc::new(settings)).await,
            Err("find docker: not on PATH (IPAM_E2E_DOCKER may name it)".to_owned())
        );
    }
}
