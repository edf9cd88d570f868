//! One context of a kubeconfig, and nothing else of it.

use camino::{Utf8Path, Utf8PathBuf};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::error::Fault;

/// A context that the user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// The file that has it; none for `KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<Utf8PathBuf>,
}

impl Context {
    /// What the user named, for errors.
    pub(super) fn object(&self) -> String {
        format!("context {}", self.name)
    }

    /// The options that name it on our command line.
    pub(super) fn flags(&self) -> String {
        match &self.kubeconfig {
            None => format!("--context {}", self.name),
            Some(file) => format!("--context {} --kubeconfig {file}", self.name),
        }
    }

    /// A kubeconfig with this context alone.
    pub(super) fn load(&self) -> Result<Kubeconfig, Fault> {
        let read = match &self.kubeconfig {
            Some(file) => Kubeconfig::read_from(file),
            None => Kubeconfig::read(),
        };
        let whole = read.map_err(|error| Fault::new("read", error.to_string()))?;
        minify(whole, &self.name).map_err(|cause| Fault::new("read", cause))
    }
}

/// Keeps one context with its cluster and its user, which becomes the current one.
fn minify(mut whole: Kubeconfig, name: &str) -> Result<Kubeconfig, String> {
    let known = || whole.contexts.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
    let Some(context) = whole.contexts.iter().find(|c| c.name == name).and_then(|c| c.context.clone()) else {
        return Err(format!("there is no context `{name}`; there are: {}", known()));
    };
    whole.contexts.retain(|c| c.name == name);
    whole.clusters.retain(|c| c.name == context.cluster);
    whole.auth_infos.retain(|u| Some(&u.name) == context.user.as_ref());
    whole.current_context = Some(name.to_owned());
    Ok(whole)
}

/// A client for a kubeconfig's current context.
pub(super) async fn client(kubeconfig: Kubeconfig) -> Result<Client, Fault> {
    let fault = |error: String| Fault::new("connect to", error);
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| fault(error.to_string()))?;
    Client::try_from(config).map_err(|error| fault(error.to_string()))
}

/// The kubeconfig that an earlier run wrote for itself, if it is there and has this context.
pub(super) fn saved(dir: &Utf8Path, name: &str) -> Option<Kubeconfig> {
    minify(Kubeconfig::read_from(dir.join("kubeconfig")).ok()?, name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r"apiVersion: v1
kind: Config
current-context: production
clusters:
- {name: a, cluster: {server: 'https://a.example'}}
- {name: b, cluster: {server: 'https://b.example'}}
users:
- {name: ua, user: {token: ta}}
- {name: ub, user: {token: tb}}
contexts:
- {name: production, context: {cluster: a, user: ua}}
- {name: throwaway, context: {cluster: b, user: ub}}
";

    #[test]
    fn only_the_named_context_is_left() {
        let got = minify(Kubeconfig::from_yaml(FILE).unwrap(), "throwaway").unwrap();
        let text = serde_json::to_string(&got).unwrap();
        assert_eq!(got.current_context.as_deref(), Some("throwaway"));
        assert!(text.contains("b.example") && text.contains("tb"), "{text}");
        assert!(!text.contains("a.example") && !text.contains("\"ta\"") && !text.contains("production"), "{text}");
    }

    #[test]
    fn the_current_context_is_never_a_default() {
        let error = minify(Kubeconfig::from_yaml(FILE).unwrap(), "").unwrap_err();
        assert_eq!(error, "there is no context ``; there are: production, throwaway");
    }

    #[test]
    fn flags_name_it_again() {
        let context = Context { name: "x".into(), kubeconfig: Some("/k".into()) };
        assert_eq!(context.flags(), "--context x --kubeconfig /k");
    }
}
