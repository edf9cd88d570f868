//! Removal of a cluster, also of one that is half made, by us or by a run that was killed.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{containers, network};
use crate::error::Fault;
use crate::tools::{Door, MARK, ToolError};

/// Label of the empty containers that find out whether a name is taken.
const PROBE: &str = "ipam-e2e.cilium.io/probe";

/// How hard to look for what may still be in the making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// kind has ended: what exists can be listed.
    Settled,
    /// kind was cut off: it may still run, and the engine may still make a container that it was asked for.
    CutOff,
}

/// Removes containers with their volumes, then the network. Nothing there is no error.
pub(crate) async fn remove(
    door: &Door,
    cluster: &str,
    nodes: &[String],
    thoroughness: Thoroughness,
    scale: f64,
) -> Result<(), Fault> {
    let fault = |error: &ToolError| Fault::tool("remove", error);
    let bound = Duration::from_secs(180).mul_f64(scale);
    if thoroughness == Thoroughness::CutOff {
        stop_marked(cluster).await;
    }
    remove_containers(door, cluster, bound).await.map_err(|error| fault(&error))?;
    if thoroughness == Thoroughness::CutOff {
        for node in nodes {
            settle(door, cluster, node, bound).await?;
        }
    }
    network::remove(door, cluster).await.map_err(|error| fault(&error))
}

/// `docker rm` with all of them at once, as `kind delete cluster` does; the kubeconfig that it would edit besides is ours.
async fn remove_containers(door: &Door, cluster: &str, bound: Duration) -> Result<(), ToolError> {
    let names = containers::list(door, cluster).await?;
    if names.is_empty() {
        return Ok(());
    }
    let args = ["rm", "--force", "--volumes"].map(str::to_owned).into_iter().chain(names);
    match door.docker("remove node containers", bound, args).await {
        // Somebody else was faster.
        Err(error) if error.says("no such container") || error.says("already in progress") => Ok(()),
        other => other.map(drop),
    }
}

/// Waits until the engine makes no container of this name any more, and removes the one it made.
///
/// The engine goes on with a request whose client was killed, and does not list the container until it is made, but its name is
/// taken from the start. So a container of the same name is made: where that works, there is none.
async fn settle(door: &Door, cluster: &str, node: &str, bound: Duration) -> Result<(), Fault> {
    let fault = |error: &ToolError| Fault::tool("remove", error);
    let images = door.docker("list images", containers::ASK, ["image", "ls", "--quiet"]).await;
    let images = images.map_err(|error| fault(&error))?.stdout;
    // Without any image no container can be in the making.
    let Some(image) = images.split_whitespace().next() else { return Ok(()) };
    let label = format!("{PROBE}={cluster}");
    let end = Instant::now() + bound;
    loop {
        let probe = ["create", "--name", node, "--label", &label, "--network", "none", image, "/nothing"];
        match door.docker("ask for a container name", containers::ASK, probe).await {
            Ok(_) => {
                let rm = ["rm", "--force", "--volumes", node];
                return match door.docker("remove probe", containers::ASK, rm).await {
                    Err(error) if !error.says("no such container") => Err(fault(&error)),
                    _ => Ok(()),
                };
            }
            Err(error) if error.says("is already in use") => {
                if Instant::now() > end {
                    let cause = format!("container name {node} is still taken after {} s", bound.as_secs());
                    return Err(Fault::new("remove", cause));
                }
                sleep(Duration::from_millis(100)).await;
                remove_containers(door, cluster, bound).await.map_err(|error| fault(&error))?;
                remove_probe(door, node, &label).await;
            }
            Err(error) => return Err(fault(&error)),
        }
    }
}

/// A probe that a killed run left.
async fn remove_probe(door: &Door, node: &str, label: &str) {
    let name = format!("name=^{node}$");
    let filter = format!("label={label}");
    let found =
        door.docker("list probes", containers::ASK, ["ps", "-aq", "--filter", &name, "--filter", &filter]).await;
    if let Ok(found) = found
        && let Some(id) = found.stdout.split_whitespace().next()
    {
        door.docker("remove probe", containers::ASK, ["rm", "--force", "--volumes", id]).await.ok();
    }
}

/// Kills programs that were started for this cluster by a process that is no more. They are known by [`MARK`] in their environment.
/// Where there is no `/proc`, none is found; what they make is then found by [`settle`], unless they live on.
async fn stop_marked(cluster: &str) {
    let mark = format!("{MARK}={cluster}");
    let ours = nix::unistd::getpid().as_raw();
    for _ in 0..20 {
        let mut any = false;
        for pid in processes().into_iter().filter(|pid| *pid != ours) {
            let Ok(environ) = fs_err::read(format!("/proc/{pid}/environ")) else { continue };
            if environ.split(|b| *b == 0).any(|variable| variable == mark.as_bytes()) {
                any = true;
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).ok();
            }
        }
        if !any {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn processes() -> Vec<i32> {
    let Ok(items) = fs_err::read_dir("/proc") else { return Vec::new() };
    items.filter_map(Result::ok).filter_map(|item| item.file_name().to_str()?.parse().ok()).collect()
}
