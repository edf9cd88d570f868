//! Helm's release `cilium` in namespace `kube-system`.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use serde_json::{Map, Value};

use crate::error::Fault;
use crate::kind::write_private;
use crate::tools::{Door, Input, Invocation, Tool};
use crate::{HelmAction, Settings};

/// The release and the chart.
pub(crate) const RELEASE: &str = "cilium";
/// Where it is installed.
pub(crate) const NAMESPACE: &str = "kube-system";

/// Where Helm is to act: never the ambient cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) door: &'a Door,
    /// For the values file.
    pub(crate) dir: &'a Utf8Path,
    pub(crate) kubeconfig: &'a Utf8Path,
    pub(crate) context: &'a str,
    pub(crate) scale: f64,
}

/// Carries the action out, without waiting for what it starts; what is taken away is waited for, since a namespace that is on its way
/// out refuses what comes after.
pub(crate) async fn run(target: Target<'_>, action: &HelmAction) -> Result<(), Fault> {
    let (purpose, mut args) = match action {
        HelmAction::Apply { version, values } => {
            let file = target.dir.join("values.json");
            let text = serde_json::to_vec_pretty(values).map_err(|e| Fault::new("helm upgrade", e.to_string()))?;
            write_private(&file, &text)?;
            let mut args = upgrade(target.door.settings(), version);
            args.extend(["--values".to_owned(), file.into_string()]);
            ("helm upgrade", args)
        }
        HelmAction::Uninstall => ("helm uninstall", ["uninstall", RELEASE, "--wait"].map(str::to_owned).into()),
    };
    args.extend(
        ["--namespace", NAMESPACE, "--kubeconfig", target.kubeconfig.as_str(), "--kube-context", target.context]
            .map(str::to_owned),
    );
    let run = Invocation::new(Tool::Helm, purpose, Duration::from_secs(180).mul_f64(target.scale)).args(args);
    match target.door.run(run).await {
        Err(error) if *action == HelmAction::Uninstall && error.says("release: not found") => Ok(()),
        Err(error) => Err(with_chart_hint(Fault::tool(purpose, &error), target.door.settings())),
        Ok(_) => Ok(()),
    }
}

/// The chart's own values, as it ships them.
///
/// # Errors
/// Why Helm does not say, in a line: the chart is not there, or Helm is not.
pub async fn chart_values(settings: Arc<Settings>, version: &str) -> Result<String, String> {
    let mut args = vec!["show".to_owned(), "values".to_owned()];
    args.extend(chart(&settings, version));
    ask(settings, "helm show values", args, None).await
}

/// What one template of the chart becomes with these values.
///
/// # Errors
/// As [`chart_values`].
pub async fn render(
    settings: Arc<Settings>,
    version: &str,
    template: &str,
    kubernetes: &str,
    values: &Map<String, Value>,
) -> Result<String, String> {
    let mut args = vec!["template".to_owned(), RELEASE.to_owned()];
    args.extend(chart(&settings, version));
    args.extend(["--namespace", NAMESPACE, "--show-only", template, "--kube-version", kubernetes].map(str::to_owned));
    args.extend(["--values", "-"].map(str::to_owned));
    let values = serde_json::to_vec(values).map_err(|error| error.to_string())?;
    ask(settings, "helm template", args, Some(values)).await
}

/// Whether the chart of a version can be had.
///
/// # Errors
/// Why not, in a line.
pub async fn chart_there(settings: Arc<Settings>, version: &str) -> Result<(), String> {
    if settings.chart_file(version).is_some_and(|file| file.is_file()) {
        return Ok(());
    }
    let mut args = vec!["show".to_owned(), "chart".to_owned()];
    args.extend(chart(&settings, version));
    ask(settings, "helm show chart", args, None).await.map(drop)
}

/// Helm without a cluster, with caches of its own.
async fn ask(
    settings: Arc<Settings>,
    purpose: &'static str,
    args: Vec<String>,
    input: Option<Vec<u8>>,
) -> Result<String, String> {
    let home = tempfile::tempdir().map_err(|error| format!("{purpose}: {error}"))?;
    let dir = Utf8Path::from_path(home.path()).ok_or_else(|| format!("{purpose}: temporary folder is not UTF-8"))?;
    let door = Door::for_cluster(settings, dir, "none");
    let mut run = Invocation::new(Tool::Helm, purpose, Duration::from_secs(30)).args(args);
    if let Some(bytes) = input {
        run = run.input(Input::Bytes(bytes));
    }
    door.run(run).await.map(|out| out.stdout).map_err(|error| error.cause())
}

/// `helm upgrade --install` with the chart from the folder if it has the version, otherwise from the repository. `--reset-values`,
/// since values are complete: what an earlier call set and this one does not is gone.
fn upgrade(settings: &Settings, version: &str) -> Vec<String> {
    let mut args: Vec<String> = ["upgrade", "--install", RELEASE].map(str::to_owned).into();
    args.extend(chart(settings, version));
    args.extend(["--reset-values", "--history-max", "5"].map(str::to_owned));
    args
}

/// How Helm is told which chart.
fn chart(settings: &Settings, version: &str) -> Vec<String> {
    let file = settings.chart_file(version).filter(|file| file.is_file());
    match (file, &settings.chart_repo) {
        (Some(file), _) => vec![file.into_string()],
        (None, repo) if repo.starts_with("oci://") => {
            vec![format!("{}/{RELEASE}", repo.trim_end_matches('/')), "--version".to_owned(), version.to_owned()]
        }
        (None, repo) => [RELEASE, "--repo", repo, "--version", version].map(str::to_owned).into(),
    }
}

fn with_chart_hint(fault: Fault, settings: &Settings) -> Fault {
    let unreachable = ["looks like", "not a valid chart repository", "failed to fetch", "dial tcp", "no such host"];
    if fault.hint.is_none() && unreachable.iter().any(|text| fault.cause.contains(text)) {
        let dir = settings.chart_dir.as_ref().map_or_else(|| "not set".to_owned(), ToString::to_string);
        return fault.hint(format!(
            "put cilium-VERSION.tgz into a folder and name it by IPAM_E2E_CHART_DIR (now {dir}), or set IPAM_E2E_CHART_REPO"
        ));
    }
    fault
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::from_env(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())).unwrap()
    }

    #[rstest]
    #[case(&[], "cilium --repo https://helm.cilium.io/ --version 1.18.4")]
    #[case(&[("IPAM_E2E_CHART_REPO", "https://charts.example")], "cilium --repo https://charts.example --version 1.18.4")]
    #[case(&[("IPAM_E2E_CHART_REPO", "oci://charts.example/x/")], "oci://charts.example/x/cilium --version 1.18.4")]
    #[case(&[("IPAM_E2E_CHART_DIR", "/nonexistent")], "cilium --repo https://helm.cilium.io/ --version 1.18.4")]
    fn where_the_chart_comes_from(#[case] env: &[(&str, &str)], #[case] expected: &str) {
        let got = upgrade(&settings(env), "1.18.4").join(" ");
        assert_eq!(got, format!("upgrade --install cilium {expected} --reset-values --history-max 5"));
    }

    #[test]
    fn the_folder_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        fs_err::write(dir.path().join("cilium-1.18.4.tgz"), "").unwrap();
        let settings = settings(&[("IPAM_E2E_CHART_DIR", path)]);
        assert_eq!(upgrade(&settings, "1.18.4")[3], format!("{path}/cilium-1.18.4.tgz"));
        assert_eq!(upgrade(&settings, "1.18.5")[3], "cilium");
    }
}
