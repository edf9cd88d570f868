//! The rows of services and their endpoints.

use jiff::Timestamp;
use serde_json::Value;

use super::age::since;
use super::cells::{labels, number, text};

pub(super) fn cells(service: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &service["spec"];
    let internal = spec["clusterIPs"][0].as_str().unwrap_or("<none>");
    let ports: Vec<String> = list(&spec["ports"])
        .iter()
        .map(|p| {
            let protocol = p["protocol"].as_str().unwrap_or_default();
            match number(&p["nodePort"]) {
                0 => format!("{}/{protocol}", number(&p["port"])),
                node => format!("{}:{node}/{protocol}", number(&p["port"])),
            }
        })
        .collect();
    let ports = if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") };
    vec![
        service["metadata"]["name"].clone(),
        text(&spec["type"]),
        internal.into(),
        external(service).into(),
        ports.into(),
        since(&service["metadata"]["creationTimestamp"], now).into(),
        labels(&spec["selector"]).into(),
    ]
}

fn external(service: &Value) -> String {
    let spec = &service["spec"];
    let given: Vec<&str> = list(&spec["externalIPs"]).iter().filter_map(Value::as_str).collect();
    match spec["type"].as_str().unwrap_or_default() {
        "ClusterIP" | "NodePort" if given.is_empty() => "<none>".into(),
        "ClusterIP" | "NodePort" => given.join(","),
        "LoadBalancer" => {
            let ingress = list(&service["status"]["loadBalancer"]["ingress"]);
            let mut all: Vec<&str> =
                ingress.iter().filter_map(|i| i["ip"].as_str().or(i["hostname"].as_str())).collect();
            all.extend(given);
            if all.is_empty() { "<pending>".into() } else { all.join(",") }
        }
        "ExternalName" => spec["externalName"].as_str().unwrap_or_default().to_owned(),
        _ => "<unknown>".into(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The first three, and how many more.
fn first_three(all: &[String], empty: &str) -> String {
    match all.len() {
        0 => empty.to_owned(),
        1..=3 => all.join(","),
        many => format!("{} + {} more...", all[..3].join(","), many - 3),
    }
}

pub(super) fn endpoints(endpoints: &Value) -> String {
    let mut all = Vec::new();
    for subset in list(&endpoints["subsets"]) {
        let ips: Vec<&str> = list(&subset["addresses"]).iter().filter_map(|a| a["ip"].as_str()).collect();
        let ports = list(&subset["ports"]);
        if ports.is_empty() {
            all.extend(ips.iter().map(|ip| (*ip).to_owned()));
        }
        for port in ports {
            let number = number(&port["port"]);
            all.extend(
                ips.iter().map(
                    |ip| {
                        if ip.contains(':') { format!("[{ip}]:{number}") } else { format!("{ip}:{number}") }
                    },
                ),
            );
        }
    }
    if list(&endpoints["subsets"]).is_empty() { "<none>".into() } else { first_three(&all, "") }
}

pub(super) fn slice_ports(slice: &Value) -> Value {
    let ports: Vec<String> = list(&slice["ports"])
        .iter()
        .map(|p| match p["port"].as_i64() {
            Some(number) => number.to_string(),
            None => p["name"].as_str().unwrap_or("*").to_owned(),
        })
        .collect();
    first_three(&ports, "<unset>").into()
}

pub(super) fn slice_endpoints(slice: &Value) -> Value {
    let addresses = list(&slice["endpoints"]).iter().flat_map(|e| list(&e["addresses"]));
    let all: Vec<String> = addresses.filter_map(Value::as_str).map(str::to_owned).collect();
    first_three(&all, "<unset>").into()
}
