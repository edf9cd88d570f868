//! Runs commands and keeps what they print.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use cluster::{Cluster as _, ClusterSpec, HelmAction};
use serde::{Deserialize, Serialize};
use sim::{SimCluster, SimOptions};

use super::chapter::{Chapter, Command};
use super::normal::Normal;

/// How long a command may take, and how often one is repeated that waits for something, half a second apart.
const DEADLINE: Duration = Duration::from_secs(120);
const TRIES: u32 = 120;
/// How many times faster than a quick real cluster the simulated one is.
const SPEED: f64 = 4.0;

/// What a command came to, made comparable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Printed {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) code: i32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) stdout: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) stderr: String,
}

/// A command and what it printed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) run: String,
    #[serde(flatten)]
    pub(crate) printed: Printed,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(code: &i32) -> bool {
    *code == 0
}

impl Printed {
    /// Both sides, line by line: what only the real cluster printed, and what only this one did.
    pub(crate) fn against(&self, real: &Self) -> String {
        let mut out = Vec::new();
        if self.code != real.code {
            out.push(format!("exit code: real {}, here {}", real.code, self.code));
        }
        for (name, real, here) in [("stdout", &real.stdout, &self.stdout), ("stderr", &real.stderr, &self.stderr)] {
            if real != here {
                out.push(format!("{name} (- real, + here):"));
                out.extend(diff(real, here));
            }
        }
        out.join("\n")
    }
}

/// A difference in lines, by their longest common subsequence; equal lines far from any difference are left out.
fn diff(real: &str, here: &str) -> Vec<String> {
    const AROUND: usize = 2;
    let (a, b): (Vec<&str>, Vec<&str>) = (real.lines().collect(), here.lines().collect());
    let mut longest = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] =
                if a[i] == b[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            all.push((' ', a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            all.push(('-', a[i]));
            i += 1;
        } else {
            all.push(('+', b[j]));
            j += 1;
        }
    }
    let near = |at: usize| {
        let from = at.saturating_sub(AROUND);
        all[from..(at + AROUND + 1).min(all.len())].iter().any(|(sign, _)| *sign != ' ')
    };
    (0..all.len()).filter(|at| near(*at)).map(|at| format!("{} {}", all[at].0, all[at].1)).collect()
}

/// What the commands are run against.
pub(crate) struct Target {
    kubeconfig: PathBuf,
    /// Goes with this.
    _sim: Option<(SimCluster, sim::api::Served, Folder)>,
}

/// A folder that goes when this is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A real cluster, by the variable that names its kubeconfig.
pub(crate) fn real(variable: &str) -> Target {
    let path = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no kubeconfig"));
    Target { kubeconfig: path.into(), _sim: None }
}

/// A simulated cluster of the shape that `real-cluster` makes.
pub(crate) async fn simulated(version: &str) -> Target {
    let options = SimOptions { speed: SPEED, epoch: jiff::Timestamp::now(), ..SimOptions::default() };
    let spec = ClusterSpec {
        run: "kubectl".to_owned(),
        scenario: "kubectl".to_owned(),
        dir: camino::Utf8PathBuf::new(),
        workers: 2,
        ip_family: "ipv4".to_owned(),
        pod_subnet: "10.224.0.0/16".to_owned(),
        service_subnet: "10.96.0.0/16".to_owned(),
        controller_manager: std::collections::BTreeMap::new(),
        cilium: version.to_owned(),
        images: Vec::new(),
        later: Vec::new(),
        timeout_scale: 1.0,
    };
    let cluster = SimCluster::boot(&spec, &options).unwrap();
    let served = cluster.serve(0).await.unwrap();
    cluster.ready().await.unwrap();
    let pools = vec!["10.42.0.0/16".to_owned()];
    let values = cilium::values::with_ipam(&cilium::values::IpamValues { ipv4_pools: pools, ..Default::default() });
    cluster.helm(&HelmAction::Apply { version: version.to_owned(), values }).await.unwrap();
    cluster.nodes_ready(3).await;
    let folder = std::env::temp_dir().join(format!("ipam-e2e-kubectl-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, sim::kubeconfig("sim", &served.url(), None)).unwrap();
    Target { kubeconfig, _sim: Some((cluster, served, Folder(folder))) }
}

/// Runs a chapter: what each of its compared commands printed.
pub(crate) async fn chapter(target: &Target, chapter: &Chapter, normal: &Normal) -> Vec<Recorded> {
    let mut out = Vec::new();
    for command in &chapter.commands {
        let printed = settled(target, command).await;
        if !command.unseen {
            out.push(Recorded { run: command.run.clone(), printed: normal.printed(&printed, &command.free) });
        }
    }
    out
}

/// What it prints, once that is what it waits for.
async fn settled(target: &Target, command: &Command) -> Printed {
    let wanted = command.until.as_ref().map(|text| regex::Regex::new(text).unwrap_or_else(|why| panic!("{why}")));
    let mut printed = once(target, &command.run).await;
    let Some(wanted) = wanted else { return printed };
    for _ in 0..TRIES {
        if wanted.is_match(&printed.stdout) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        printed = once(target, &command.run).await;
    }
    printed
}

#[expect(clippy::disallowed_methods, reason = "a test types commands as people do")]
async fn once(target: &Target, line: &str) -> Printed {
    let mut command = tokio::process::Command::new("bash");
    command.args(["-c", line]).current_dir(super::folder("manifests")).stdin(Stdio::null()).kill_on_drop(true);
    command.env("KUBECONFIG", &target.kubeconfig).env("TZ", "UTC").env_remove("KUBERNETES_SERVICE_HOST");
    // Discovery is cached by server, and every run has servers of its own.
    command.env("KUBECACHEDIR", target.kubeconfig.with_extension("cache"));
    let output = tokio::time::timeout(DEADLINE, command.output())
        .await
        .unwrap_or_else(|_| panic!("{line}: no end after {DEADLINE:?}"))
        .unwrap_or_else(|why| panic!("{line}: {why}"));
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
