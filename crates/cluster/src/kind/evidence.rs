//! What only Docker and the nodes' own services can tell, after a scenario that did not pass.

use std::time::Duration;

use camino::Utf8Path;
use futures::future::join_all;
use serde_json::Value;

use super::containers;
use super::create::{private_dir, write_private};
use crate::tools::{Door, Invocation, Tool};

/// The end of each output that is kept.
const LIMIT: usize = 1 << 20;

/// What is asked of each node: file name, shell command. Programs that a node image may lack have a substitute.
const NODE: &[(&str, &str)] = &[
    ("kubelet.log", "journalctl --no-pager --lines 2000 --unit kubelet"),
    ("containerd.log", "journalctl --no-pager --lines 1000 --unit containerd"),
    (
        "containers.txt",
        "if command -v crictl > /dev/null; then crictl ps --all; crictl images; else ctr -n k8s.io tasks ls; ctr -n k8s.io images ls; fi",
    ),
    ("machine.txt", "df -h / /var; free -m; uptime; ip -brief address; ip route"),
];

/// Writes everything into `dir`; gives the files, and what could not be had, with the reason.
pub(super) async fn collect(door: &Door, nodes: &[String], dir: &Utf8Path, scale: f64) -> (Vec<String>, Vec<String>) {
    let bound = Duration::from_secs(15).mul_f64(scale);
    let dir = match private_dir(dir) {
        Ok(dir) => dir,
        Err(fault) => return (Vec::new(), vec![fault.cause]),
    };
    let dir = &dir;
    let inspects = nodes.iter().map(|node| async move {
        let text = containers::inspect(door, node).await.map(|value| format!("{:#}\n", without_secrets(value)));
        save(dir, &format!("{node}.inspect.json"), text.map_err(|fault| fault.cause))
    });
    let logs = nodes.iter().flat_map(|node| NODE.iter().map(move |(file, command)| (node, file, command)));
    let logs = logs.map(|(node, file, command)| async move {
        let run = Invocation::new(Tool::Docker, "collect evidence", bound)
            .args(["exec", node, "sh", "-c", command])
            .stdout_limit(LIMIT);
        let text = door.run(run).await.map(|out| out.stdout).map_err(|error| error.cause());
        save(dir, &format!("{node}.{file}"), text)
    });
    let (a, b) = tokio::join!(join_all(inspects), join_all(logs));
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    for result in a.into_iter().chain(b) {
        match result {
            Ok(file) => files.push(file),
            Err(why) => missing.push(why),
        }
    }
    files.sort();
    missing.sort();
    (files, missing)
}

fn save(dir: &Utf8Path, file: &str, text: Result<String, String>) -> Result<String, String> {
    let text = text.map_err(|why| format!("{file}: {why}"))?;
    write_private(&dir.join(file), text.as_bytes()).map_err(|fault| fault.cause)?;
    Ok(file.to_owned())
}

/// Without environments, which may hold a proxy's password.
fn without_secrets(mut inspect: Value) -> Value {
    for container in inspect.as_array_mut().into_iter().flatten() {
        if let Some(config) = container.get_mut("Config").and_then(Value::as_object_mut) {
            config.remove("Env");
        }
    }
    inspect
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn environments_are_left_out() {
        let got = without_secrets(json!([{"Name": "n", "Config": {"Env": ["HTTP_PROXY=http://u:p@h"], "Image": "i"}}]));
        assert_eq!(got, json!([{"Name": "n", "Config": {"Image": "i"}}]));
    }
}
