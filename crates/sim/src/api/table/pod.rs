//! The row of a pod.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::since;

/// A completed pod's row says so.
pub(super) fn row_conditions(pod: &Value) -> Option<Value> {
    let (reason, message) = match pod["status"]["phase"].as_str()? {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = Summary::of(pod);
    let mut restarts = summary.restarts.to_string();
    if summary.restarts != 0 && summary.last_restart.is_string() {
        restarts = format!("{restarts} ({} ago)", since(&summary.last_restart, now));
    }
    let or_none = |value: &Value| match value.as_str() {
        Some(text) if !text.is_empty() => Value::from(text),
        _ => Value::from("<none>"),
    };
    vec![
        pod["metadata"]["name"].clone(),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        restarts.into(),
        since(&pod["metadata"]["creationTimestamp"], now).into(),
        or_none(&pod["status"]["podIPs"][0]["ip"]),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&pod["status"]["nominatedNodeName"]),
        gates(pod).into(),
    ]
}

fn gates(pod: &Value) -> String {
    let gates = pod["spec"]["readinessGates"].as_array().map(Vec::as_slice).unwrap_or_default();
    if gates.is_empty() {
        return "<none>".into();
    }
    let open = gates.iter().filter(|g| condition(pod, g["conditionType"].as_str().unwrap_or_default())).count();
    format!("{open}/{}", gates.len())
}

fn condition(pod: &Value, kind: &str) -> bool {
    let list = pod["status"]["conditions"].as_array().into_iter().flatten();
    list.into_iter().any(|c| c["type"] == kind && c["status"] == "True")
}

#[derive(Default)]
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: Value,
}

impl Summary {
    fn of(pod: &Value) -> Summary {
        let (spec, status) = (&pod["spec"], &pod["status"]);
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let inits = list(&spec["initContainers"]);
        let sidecar = |name: &Value| inits.iter().any(|c| c["name"] == *name && c["restartPolicy"] == "Always");
        let mut out = Summary {
            reason: text(&status["reason"]).or(text(&status["phase"])).unwrap_or_default(),
            total: list(&spec["containers"]).len() + inits.iter().filter(|c| c["restartPolicy"] == "Always").count(),
            ..Summary::default()
        };
        let gated = list(&status["conditions"]);
        if gated.iter().any(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated") {
            out.reason = "SchedulingGated".into();
        }
        let mut sidecars = Summary::default();
        let mut initializing = false;
        for (at, container) in list(&status["initContainerStatuses"]).iter().enumerate() {
            out.restarted(container);
            let ended = &container["state"]["terminated"];
            let waiting = text(&container["state"]["waiting"]["reason"]);
            let stays = sidecar(&container["name"]);
            if stays {
                sidecars.restarted(container);
            }
            if ended.is_object() && ended["exitCode"].as_i64().unwrap_or_default() == 0 {
                continue;
            }
            if stays && container["started"] == true {
                out.ready += usize::from(container["ready"] == true);
                continue;
            }
            out.reason = if ended.is_object() {
                format!("Init:{}", text(&ended["reason"]).unwrap_or_else(|| exit(ended)))
            } else if let Some(reason) = waiting.filter(|r| r != "PodInitializing") {
                format!("Init:{reason}")
            } else {
                format!("Init:{at}/{}", inits.len())
            };
            initializing = true;
            break;
        }
        if !initializing || condition(pod, "Initialized") {
            out.containers(pod, sidecars);
        }
        if pod["metadata"]["deletionTimestamp"].is_string() {
            let ended = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
            if status["reason"] == "NodeLost" {
                out.reason = "Unknown".into();
            } else if !ended {
                out.reason = "Terminating".into();
            }
        }
        out
    }

    fn containers(&mut self, pod: &Value, sidecars: Summary) {
        self.restarts = sidecars.restarts;
        self.last_restart = sidecars.last_restart;
        let mut running = false;
        for container in pod["status"]["containerStatuses"].as_array().into_iter().flatten().rev() {
            self.restarted(container);
            let state = &container["state"];
            let ended = &state["terminated"];
            if let Some(reason) = text(&state["waiting"]["reason"]) {
                self.reason = reason;
            } else if ended.is_object() {
                self.reason = text(&ended["reason"]).unwrap_or_else(|| exit(ended));
            } else if container["ready"] == true && state["running"].is_object() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            self.reason = if condition(pod, "Ready") { "Running".into() } else { "NotReady".into() };
        }
    }

    fn restarted(&mut self, container: &Value) {
        self.restarts += container["restartCount"].as_i64().unwrap_or_default();
        let at = &container["lastState"]["terminated"]["finishedAt"];
        if at.is_string() && (self.last_restart.is_null() || self.last_restart.as_str() < at.as_str()) {
            self.last_restart = at.clone();
        }
    }
}

fn exit(ended: &Value) -> String {
    match ended["signal"].as_i64().filter(|s| *s != 0) {
        Some(signal) => format!("Signal:{signal}"),
        None => format!("ExitCode:{}", ended["exitCode"].as_i64().unwrap_or_default()),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: Value, expected: [&str; 3]) {
        let pod = json!({
            "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]},
            "status": status,
        });
        let cells = cells(&pod, "2026-01-01T00:05:30Z".parse().unwrap());
        assert_eq!([&cells[1], &cells[2], &cells[3]], expected);
        assert_eq!(cells[4], "5m30s");
    }

    #[test]
    fn pods_show_what_they_wait_for() {
        check(json!({"phase": "Pending"}), ["0/1", "Pending", "0"]);
        check(
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"waiting": {"reason": "PodInitializing"}}}]}),
            ["0/1", "Init:0/1", "0"],
        );
        check(
            json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": true, "restartCount": 0, "state": {"running": {}}}]}),
            ["1/1", "Running", "0"],
        );
        check(
            json!({"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"finishedAt": "2026-01-01T00:04:30Z"}}}]}),
            ["0/1", "CrashLoopBackOff", "3 (60s ago)"],
        );
    }
}
