//! The cluster's kubeconfig, from the one that kubeadm writes inside the control-plane node.

use std::collections::BTreeMap;

use kube::config::{Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

/// kubeadm's administrator kubeconfig, made to reach the API server from this machine: `server` in place of the node's own name,
/// and kind's names (`kind-NAME`) for context, cluster and user.
///
/// # Errors
/// When the text is no kubeconfig with a cluster and a user (also while it is being written), as a reason.
pub(super) fn rewrite(admin: &str, name: &str, server: &str) -> Result<Kubeconfig, String> {
    let read = Kubeconfig::from_yaml(admin).map_err(|error| error.to_string())?;
    let context_name = context(name);
    let mut cluster = read.clusters.into_iter().find_map(|c| c.cluster).ok_or("no cluster in it")?;
    let user = read.auth_infos.into_iter().find_map(|u| u.auth_info).ok_or("no user in it")?;
    if user.client_certificate_data.is_none() || user.client_key_data.is_none() {
        return Err("its user has no certificate".to_owned());
    }
    cluster.server = Some(server.to_owned());
    let inner =
        kube::config::Context { cluster: context_name.clone(), user: Some(context_name.clone()), ..Default::default() };
    Ok(Kubeconfig {
        kind: Some("Config".to_owned()),
        api_version: Some("v1".to_owned()),
        current_context: Some(context_name.clone()),
        clusters: vec![NamedCluster { name: context_name.clone(), cluster: Some(cluster), other: BTreeMap::new() }],
        auth_infos: vec![NamedAuthInfo { name: context_name.clone(), auth_info: Some(user), other: BTreeMap::new() }],
        contexts: vec![NamedContext { name: context_name, context: Some(inner), other: BTreeMap::new() }],
        ..Kubeconfig::default()
    })
}

/// Name of the context, as kind gives it.
pub(super) fn context(name: &str) -> String {
    format!("kind-{name}")
}

/// The address at which the API server is published, from `docker inspect`'s port map or Docker Desktop's label.
pub(super) fn server(inspect: &serde_json::Value) -> Option<String> {
    let first = inspect.get(0)?;
    if let Some(address) = first["Config"]["Labels"]["desktop.docker.io/ports/6443/tcp"].as_str() {
        return Some(format!("https://{address}"));
    }
    let binding = first["NetworkSettings"]["Ports"]["6443/tcp"].get(0)?;
    let (host, port) = (binding["HostIp"].as_str()?, binding["HostPort"].as_str()?);
    match host {
        "" | "0.0.0.0" => Some(format!("https://127.0.0.1:{port}")),
        "::" => Some(format!("https://[::1]:{port}")),
        host if host.contains(':') => Some(format!("https://[{host}]:{port}")),
        host => Some(format!("https://{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const ADMIN: &str = r"apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Y2E=
    server: https://c-control-plane:6443
  name: c
contexts:
- context: {cluster: c, user: kubernetes-admin}
  name: kubernetes-admin@c
current-context: kubernetes-admin@c
kind: Config
preferences: {}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: Y2VydA==
    client-key-data: a2V5
";

    #[test]
    fn server_and_names_are_replaced_and_credentials_stay() {
        let got = rewrite(ADMIN, "ipam-e2e-r-1", "https://127.0.0.1:4711").unwrap();
        let got = serde_json::to_value(&got).unwrap();
        assert_eq!(got["current-context"], "kind-ipam-e2e-r-1");
        assert_eq!(got["clusters"][0]["cluster"]["server"], "https://127.0.0.1:4711");
        assert_eq!(got["clusters"][0]["cluster"]["certificate-authority-data"], "Y2E=");
        assert_eq!(got["users"][0]["user"]["client-key-data"], "a2V5");
        assert_eq!(got["contexts"][0]["context"]["user"], got["users"][0]["name"]);
        assert_eq!(got["contexts"][0]["context"]["cluster"], got["clusters"][0]["name"]);
    }

    #[test]
    fn a_half_written_file_is_an_error() {
        let whole = ADMIN.len();
        let cuts = (0..whole).filter(|at| rewrite(&ADMIN[..*at], "c", "https://h").is_ok()).collect::<Vec<_>>();
        // Only a cut inside the last value can go unseen; the API server then refuses the key, and it is read again.
        assert!(cuts.iter().all(|at| *at > whole - 8), "{cuts:?}");
    }

    #[rstest]
    #[case("127.0.0.1", "40123", "https://127.0.0.1:40123")]
    #[case("0.0.0.0", "1", "https://127.0.0.1:1")]
    #[case("", "1", "https://127.0.0.1:1")]
    #[case("::1", "2", "https://[::1]:2")]
    #[case("::", "2", "https://[::1]:2")]
    #[case("10.1.2.3", "3", "https://10.1.2.3:3")]
    fn published_addresses(#[case] host: &str, #[case] port: &str, #[case] expected: &str) {
        let inspect = json!([{"NetworkSettings": {"Ports": {"6443/tcp": [{"HostIp": host, "HostPort": port}]}}}]);
        assert_eq!(server(&inspect).as_deref(), Some(expected));
    }

    #[rstest]
    #[case(json!([]))]
    #[case(json!([{"NetworkSettings": {"Ports": {}}}]))]
    #[case(json!([{"NetworkSettings": {"Ports": {"6443/tcp": null}}}]))]
    fn not_published_yet(#[case] inspect: Value) {
        assert_eq!(server(&inspect), None);
    }

    #[test]
    fn docker_desktop_says_it_in_a_label() {
        let inspect = json!([{"Config": {"Labels": {"desktop.docker.io/ports/6443/tcp": "10.0.1.7:6443"}}}]);
        assert_eq!(server(&inspect).as_deref(), Some("https://10.0.1.7:6443"));
    }
}
