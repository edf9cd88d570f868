//! Takes back what a run brought to a cluster of somebody else.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::config::Kubeconfig;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::context::{client, saved};
use super::mark::{USED_BY, definitions};
use super::{Context, RUN_LABEL};
use crate::error::Fault;
use crate::helm::{self, NAMESPACE};
use crate::kind::write_private;
use crate::tools::Door;
use crate::{HelmAction, Settings};

/// As the ledger has it: for a run that is no more.
pub(crate) async fn remove(
    settings: Arc<Settings>,
    dir: &Utf8Path,
    name: &str,
    kubeconfig: Option<&Utf8Path>,
    run: &str,
) -> Result<(), Fault> {
    let context = Context { name: name.to_owned(), kubeconfig: kubeconfig.map(Utf8Path::to_owned) };
    let config: Kubeconfig = match saved(dir, name) {
        Some(config) => config,
        None => context.load()?,
    };
    let home = tempfile::tempdir().map_err(|error| Fault::new("clean", error.to_string()))?;
    let home = Utf8Path::from_path(home.path()).ok_or_else(|| Fault::new("clean", "temporary folder is not UTF-8"))?;
    let file = home.join("kubeconfig");
    let text = serde_json::to_vec(&config).map_err(|error| Fault::new("clean", error.to_string()))?;
    write_private(&file, &text)?;
    let door = Door::for_cluster(settings, home, run);
    let target = helm::Target { door: &door, dir: home, kubeconfig: &file, context: name, scale: 1.0 };
    take_back(&client(config).await?, target, run).await
}

/// The release, then namespaces of the run, then Cilium's definitions with their objects, then the claim. Only what bears the
/// run's claim is touched, so a cluster that was never claimed, or was cleaned already, is left alone.
pub(super) async fn take_back(client: &Client, target: helm::Target<'_>, run: &str) -> Result<(), Fault> {
    let api = |error: kube::Error| Fault::new("clean", error.to_string());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = namespaces.get(NAMESPACE).await.map_err(api)?;
    if system.annotations().get(USED_BY).map(String::as_str) != Some(run) {
        return Ok(());
    }
    let ours = ListParams::default().labels(&format!("{RUN_LABEL}={run}"));
    namespaces.delete_collection(&DeleteParams::default(), &ours).await.map(drop).or_else(|error| match error {
        // API servers do not offer this for namespaces.
        kube::Error::Api(status) if status.code == 405 => Ok(()),
        other => Err(api(other)),
    })?;
    for namespace in namespaces.list_metadata(&ours).await.map_err(api)? {
        namespaces
            .delete(&namespace.name_any(), &DeleteParams::default())
            .await
            .map(drop)
            .or_else(absent)
            .map_err(api)?;
    }
    helm::run(target, &HelmAction::Uninstall).await?;

    // An operator that still runs would make the definitions anew.
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let bound = Duration::from_secs(120).mul_f64(target.scale);
    let parts = ListParams::default().labels("app.kubernetes.io/part-of=cilium");
    until_none(bound, "pods of Cilium", || async {
        Ok(pods.list_metadata(&parts).await.map_err(api)?.iter().map(|p| p.name_any()).collect())
    })
    .await?;
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in definitions(client).await.map_err(api)? {
        crds.delete(&name, &DeleteParams::default()).await.map(drop).or_else(absent).map_err(api)?;
    }
    until_none(bound, "Cilium's custom resource definitions", || async { definitions(client).await.map_err(api) })
        .await?;
    until_none(bound, "namespaces of the run", || async {
        Ok(namespaces.list_metadata(&ours).await.map_err(api)?.iter().map(|n| n.name_any()).collect())
    })
    .await?;
    let patch = json!({"metadata": {"annotations": {USED_BY: null}}});
    namespaces.patch(NAMESPACE, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(api)?;
    Ok(())
}

fn absent(error: kube::Error) -> Result<(), kube::Error> {
    match error {
        kube::Error::Api(status) if status.code == 404 => Ok(()),
        other => Err(other),
    }
}

/// Asks until there is none left.
async fn until_none<F>(bound: Duration, what: &str, mut list: impl FnMut() -> F) -> Result<(), Fault>
where
    F: Future<Output = Result<Vec<String>, Fault>>,
{
    let end = Instant::now() + bound;
    loop {
        let left = list().await?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            let cause = format!("{what} did not go within {} s: {}", bound.as_secs(), left.join(", "));
            return Err(Fault::new("clean", cause));
        }
        sleep(Duration::from_millis(250)).await;
    }
}
