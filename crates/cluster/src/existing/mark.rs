//! The mark that lets us write to a cluster, and what must not be there.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use super::Context;
use super::context::client;
use crate::error::Fault;
use crate::helm::{NAMESPACE, RELEASE};
use crate::{ClusterError, Leftovers};

/// Label of the `kube-system` namespace of a cluster that may be changed and broken by us.
pub const MARK_LABEL: &str = "ipam-e2e.cilium.io/disposable";

/// Annotation beside it: the run that uses the cluster. What it says is installed by us.
pub(super) const USED_BY: &str = "ipam-e2e.cilium.io/used-by";

/// What adoption came to, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The cluster's address.
    pub server: String,
    /// Its nodes.
    pub nodes: Vec<String>,
    /// Namespaces with pods, besides Kubernetes' own: what may break.
    pub in_use: Vec<String>,
    /// Whether the mark was there already.
    pub already: bool,
}

/// Marks a cluster as disposable. Without `consent` nothing is written, and the error says what it would mean.
///
/// # Errors
/// When the context is not there, the cluster does not answer, or consent is missing.
pub async fn adopt(context: &Context, consent: bool) -> Result<Adoption, ClusterError> {
    let work = async {
        let kubeconfig = context.load()?;
        let server = kubeconfig.clusters.iter().find_map(|c| c.cluster.as_ref()?.server.clone()).unwrap_or_default();
        let client = client(kubeconfig).await?;
        let api = |error: kube::Error| Fault::new("adopt", error.to_string());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let system = namespaces.get(NAMESPACE).await.map_err(api)?;
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.map_err(api)?;
        let pods = Api::<Pod>::all(client).list(&ListParams::default()).await.map_err(api)?;
        let mut in_use: Vec<String> = pods.into_iter().filter_map(|pod| pod.namespace()).collect();
        in_use.retain(|name| !name.starts_with("kube-") && name != "local-path-storage");
        in_use.sort();
        in_use.dedup();
        let adoption = Adoption {
            server,
            nodes: nodes.iter().map(|node| node.name_any()).collect(),
            in_use,
            already: is_marked(&system),
        };
        if adoption.already {
            return Ok(adoption);
        }
        if !consent {
            let busy = if adoption.in_use.is_empty() { "no".to_owned() } else { adoption.in_use.join(", ") };
            let cause = format!(
                "this lets runs install Cilium, change its configuration and break the network of {} nodes at {} \
                 (namespaces with pods of their own: {busy})",
                adoption.nodes.len(),
                adoption.server
            );
            return Err(Fault::new("adopt", cause).hint(format!("cargo xtask adopt {} --yes", context.flags())));
        }
        let patch = json!({"metadata": {"labels": {MARK_LABEL: "true"}}});
        namespaces.patch(NAMESPACE, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(api)?;
        Ok(adoption)
    };
    work.await.map_err(|fault: Fault| fault.on(context.object(), Leftovers::Clear))
}

fn is_marked(system: &Namespace) -> bool {
    system.labels().get(MARK_LABEL).is_some_and(|value| value == "true")
}

/// What was found on a cluster, before anything is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    marked: bool,
    used_by: Option<String>,
    release: bool,
    agents: bool,
    definitions: Vec<String>,
}

/// Why a run must not begin there, with the command to type.
fn refuse(found: &Found, flags: &str) -> Result<(), Fault> {
    if !found.marked {
        let cause = format!("refused: its namespace {NAMESPACE} does not bear the label {MARK_LABEL}=true");
        return Err(Fault::new("use", cause).hint(format!("cargo xtask adopt {flags}")));
    }
    if let Some(run) = &found.used_by {
        let cause = format!("refused: run {run} uses it, or was cut off before it had cleaned up");
        return Err(Fault::new("use", cause).hint("if that run is over: cargo xtask clean"));
    }
    if found.release || found.agents {
        let cause =
            format!("refused: Cilium is installed there already, in namespace {NAMESPACE}, and not by this tool");
        return Err(Fault::new("use", cause)
            .hint(format!("helm uninstall {RELEASE} --namespace {NAMESPACE}, if you mean to lose it")));
    }
    if !found.definitions.is_empty() {
        let cause =
            format!("refused: it has custom resource definitions of a former Cilium: {}", found.definitions.join(", "));
        return Err(Fault::new("use", cause).hint(format!("kubectl delete crd {}", found.definitions.join(" "))));
    }
    Ok(())
}

/// Checks that the cluster may be used, and says so on it. The claim is one write that fails if another run was faster.
pub(super) async fn claim(client: &Client, context: &Context, run: &str) -> Result<(), Fault> {
    let api = |error: kube::Error| Fault::new("use", error.to_string());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = namespaces.get(NAMESPACE).await.map_err(api)?;
    let found =
        Found { marked: is_marked(&system), used_by: system.annotations().get(USED_BY).cloned(), ..Found::default() };
    refuse(&found, &context.flags())?;
    let found = look(client, found).await.map_err(api)?;
    refuse(&found, &context.flags())?;
    let patch = json!({"metadata": {
        "resourceVersion": system.resource_version(),
        "annotations": {USED_BY: run},
    }});
    namespaces.patch(NAMESPACE, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(api)?;
    Ok(())
}

async fn look(client: &Client, found: Found) -> Result<Found, kube::Error> {
    let releases = ListParams::default().labels(&format!("owner=helm,name={RELEASE}")).limit(1);
    let release =
        !Api::<Secret>::namespaced(client.clone(), NAMESPACE).list_metadata(&releases).await?.items.is_empty();
    let agents = Api::<DaemonSet>::namespaced(client.clone(), NAMESPACE).get_opt("cilium").await?.is_some();
    let definitions = definitions(client).await?;
    Ok(Found { release, agents, definitions, ..found })
}

/// Names of Cilium's custom resource definitions.
pub(crate) async fn definitions(client: &Client) -> Result<Vec<String>, kube::Error> {
    let all = Api::<CustomResourceDefinition>::all(client.clone()).list_metadata(&ListParams::default()).await?;
    let mut names: Vec<String> =
        all.iter().map(|item| item.name_any()).filter(|name| name.ends_with(".cilium.io")).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn marked() -> Found {
        Found { marked: true, ..Found::default() }
    }

    #[rstest]
    #[case(Found::default(), "does not bear the label", "cargo xtask adopt --context c")]
    #[case(Found { used_by: Some("k3f9".into()), ..marked() }, "run k3f9 uses it", "cargo xtask clean")]
    #[case(Found { release: true, ..marked() }, "installed there already", "helm uninstall cilium")]
    #[case(Found { agents: true, ..marked() }, "installed there already", "helm uninstall cilium")]
    #[case(
        Found { definitions: vec!["ciliumnodes.cilium.io".into()], ..marked() },
        "of a former Cilium: ciliumnodes.cilium.io",
        "kubectl delete crd ciliumnodes.cilium.io"
    )]
    fn refusals_come_with_the_command_to_type(#[case] found: Found, #[case] cause: &str, #[case] hint: &str) {
        let fault = refuse(&found, "--context c").unwrap_err();
        assert!(fault.cause.contains(cause), "{fault:?}");
        assert!(fault.hint.as_deref().is_some_and(|h| h.contains(hint)), "{fault:?}");
    }

    #[test]
    fn a_marked_and_empty_cluster_may_be_used() {
        assert_eq!(refuse(&marked(), "--context c"), Ok(()));
    }
}
