//! Kubeconfigs for clusters on a loopback port.

use serde_json::json;

/// A kubeconfig as JSON, which every reader of YAML takes.
///
/// `kubectl` sends no credentials where there is no TLS, so the token is the first part of the path as well.
pub fn kubeconfig(name: &str, url: &str, token: Option<&str>) -> String {
    let server = token.map_or_else(|| url.to_owned(), |token| format!("{url}/{token}"));
    let user = token.map_or_else(|| json!({}), |token| json!({"token": token}));
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    });
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_server_and_token() {
        let config: serde_json::Value =
            serde_json::from_str(&kubeconfig("sim", "http://127.0.0.1:8001", Some("secret"))).unwrap();
        assert_eq!(config["clusters"][0]["cluster"]["server"], "http://127.0.0.1:8001/secret");
        assert_eq!(config["users"][0]["user"]["token"], "secret");
        assert_eq!(config["current-context"], config["contexts"][0]["name"]);
    }
}
