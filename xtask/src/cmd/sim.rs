//! `sim up`: a simulated cluster to play with.

use anyhow::{Context, Result};
use camino::Utf8PathBuf;
use cilium::values::{IpamValues, with_ipam};
use cluster::{Cluster as _, ClusterSpec, HelmAction};
use engine::{Stop, StopLevel};
use ipam::operator::{Operator, OperatorConfig, PoolConfig, Timing};
use sim::{SimCluster, SimOptions};

use crate::cli::{SimCommand, SimUp};
use crate::outcome::BadInput;
use crate::project;

pub(crate) fn run(command: SimCommand) -> Result<u8> {
    match command {
        SimCommand::Up(args) => {
            let runtime = sim::runtime(false).context("start the runtime")?;
            runtime.block_on(up(&args))
        }
    }
}

async fn up(args: &SimUp) -> Result<u8> {
    let release: ipam::Release =
        args.cilium.to_string().parse().map_err(|error: ipam::UnknownRelease| BadInput(error.to_string()))?;
    if !args.bare {
        refuse_pools(args, release)?;
    }
    let token = token()?;
    let options = SimOptions {
        seed: args.seed,
        speed: args.speed,
        epoch: jiff::Timestamp::now(),
        token: Some(token.clone()),
        ..SimOptions::default()
    };
    let spec = ClusterSpec {
        run: "sim".to_owned(),
        scenario: "sim up".to_owned(),
        dir: Utf8PathBuf::new(),
        workers: args.nodes - 1,
        ip_family: "ipv4".to_owned(),
        // Room for as many Nodes as may be asked for.
        pod_subnet: if args.nodes > 200 { "10.128.0.0/9" } else { "10.244.0.0/16" }.to_owned(),
        service_subnet: if args.nodes > 200 { "192.168.0.0/16" } else { "10.96.0.0/16" }.to_owned(),
        controller_manager: std::collections::BTreeMap::new(),
        cilium: args.cilium.to_string(),
        images: Vec::new(),
        later: Vec::new(),
        timeout_scale: 1.0,
    };
    let cluster = SimCluster::boot(&spec, &options)?;
    let served = cluster.serve(args.port).await?;
    let file = kubeconfig(&served.url(), &token)?;
    say!(
        "Cilium {} as of {release}, {} nodes, {}x as fast as a quick real cluster ({})",
        args.cilium,
        args.nodes,
        args.speed,
        sim::NOTICE
    );
    let stop = Stop::default();
    crate::signals::listen_quietly(&stop).context("listen for signals")?;
    let life = async {
        cluster.ready().await?;
        if !args.bare {
            let values = with_ipam(&IpamValues { ipv4_pools: args.pool.clone(), ..IpamValues::default() });
            cluster.helm(&HelmAction::Apply { version: args.cilium.to_string(), values }).await?;
            cluster.nodes_ready(args.nodes as usize).await;
        }
        say!("export KUBECONFIG={}", file.path);
        say!("Ctrl-C ends it");
        // The world goes on by itself.
        std::future::pending::<Result<u8>>().await
    };
    let code = tokio::select! {
        ended = life => ended?,
        () = stop.at_least(StopLevel::Stop) => events::exit::PASSED,
    };
    served.stop().await;
    Ok(code)
}

/// With pools that the operator does not start with, no node would ever be ready.
fn refuse_pools(args: &SimUp, release: ipam::Release) -> Result<()> {
    let chart = IpamValues::default();
    let config = OperatorConfig {
        ipv4: true,
        ipv6: false,
        v4: PoolConfig { cidrs: args.pool.clone(), mask: chart.ipv4_mask.into() },
        v6: PoolConfig { cidrs: Vec::new(), mask: chart.ipv6_mask.into() },
    };
    match Operator::start(&config, release, Timing::default()) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(BadInput(format!("--pool {}: the operator ends with `{error}`", args.pool.join(" --pool "))).into())
        }
    }
}

/// A kubeconfig that goes when this is dropped.
struct Kubeconfig {
    path: Utf8PathBuf,
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        let removed = fs_err::remove_file(&self.path);
        if let Err(error) = removed {
            eprintln!("warning: {error}");
        }
    }
}

/// Writes a kubeconfig that only its owner can read.
fn kubeconfig(url: &str, token: &str) -> Result<Kubeconfig> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let dir = project::state_dir();
    fs_err::create_dir_all(&dir).context("create a folder for the kubeconfig")?;
    let path = dir.join(format!("sim-{}.kubeconfig", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("write {path}"))?;
    file.write_all(sim::kubeconfig("sim", url, Some(token)).as_bytes()).with_context(|| format!("write {path}"))?;
    Ok(Kubeconfig { path: path.canonicalize_utf8().unwrap_or(path) })
}

/// A bearer token that nobody can guess: other users of the machine can reach the port too.
fn token() -> Result<String> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 16];
    let mut source = fs_err::File::open("/dev/urandom").context("draw a token")?;
    source.read_exact(&mut bytes).context("draw a token")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
