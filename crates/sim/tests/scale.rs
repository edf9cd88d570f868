//! Thousands of nodes: up, ten pods each, and a switch of the IPAM mode, in virtual time.
//!
//! `cargo test --release -p sim --test scale -- --ignored --nocapture --test-threads 1` prints seconds and memory for several sizes;
//! with `--exact size::case_4` behind it, for 5,000 nodes alone, whose memory is then that of nothing else.

#![allow(clippy::print_stdout, reason = "it prints the figures that it takes")]

use std::collections::BTreeMap;
use std::time::Duration;

use ::cluster::{Cluster, ClusterSpec, HelmAction};
use cilium::values::{IpamValues, with_ipam};
use rstest::rstest;
use serde_json::json;
use sim::store::{DeleteOptions, Resource, Selection, Store, WriteOptions};
use sim::{SimCluster, SimOptions, runtime};

fn spec(workers: u32) -> ClusterSpec {
    ClusterSpec {
        run: "scale".to_owned(),
        scenario: "scale".to_owned(),
        dir: "/nonexistent".into(),
        workers,
        ip_family: "ipv4".to_owned(),
        pod_subnet: "10.128.0.0/9".to_owned(),
        service_subnet: "192.168.0.0/16".to_owned(),
        controller_manager: BTreeMap::new(),
        cilium: "1.19.1".to_owned(),
        images: Vec::new(),
        later: Vec::new(),
        timeout_scale: 1.0,
    }
}

/// Waits in virtual time until so many of these pods are ready and no others are there.
async fn ready(store: &Store, labels: &str, count: usize) {
    let selection = Selection::parse(Resource::Pod, labels, "").expect("a selector");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(1800);
    loop {
        let pods = store.list(Resource::Pod, None, &selection).0;
        let is_ready = |pod: &sim::store::Stored| {
            let mut conditions = pod.tree()["status"]["conditions"].as_array().into_iter().flatten();
            conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
        };
        let good = pods.iter().filter(|pod| !pod.meta.deleting && is_ready(pod)).count();
        if good == count && pods.len() == count {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{labels}: {good} of {} are ready, {count} are wanted",
            pods.len()
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// What the process has used, all threads together.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    // utime and stime, in hundredths of a second on Linux (proc(5)).
    (ticks(11) + ticks(12)) / 100.0
}

/// Nodes up with Cilium, ten pods for each worker; then agents on their Nodes' own ranges.
fn carry_out(workers: u32) {
    let began = std::time::SystemTime::now();
    let spent = cpu_seconds();
    let lap = |what: &str| {
        let seconds = began.elapsed().unwrap_or_default().as_secs_f64();
        let cpu = cpu_seconds() - spent;
        println!("{workers} workers: {what}: {seconds:.2} s, {cpu:.2} s of CPU, {} MiB", resident_mib());
    };
    runtime(true).expect("a runtime").block_on(async {
        let cluster = SimCluster::boot(&spec(workers), &SimOptions::default()).expect("a cluster");
        cluster.ready().await.expect("nodes");
        lap("joined");
        let values = with_ipam(&IpamValues { ipv4_pools: vec!["10.0.0.0/9".to_owned()], ..IpamValues::default() });
        cluster.helm(&HelmAction::Apply { version: "1.19.1".to_owned(), values }).await.expect("Cilium");
        let store = cluster.world().store();
        let nodes = usize::try_from(workers).expect("small") + 1;
        ready(store, "k8s-app=cilium", nodes).await;
        lap("agents ready");
        let namespace = json!({"metadata": {"name": "load"}});
        store.create(Resource::Namespace, "", namespace, &WriteOptions::default()).expect("a namespace");
        let deployment = json!({
            "metadata": {"name": "load"},
            "spec": {
                "replicas": workers * 10,
                "selector": {"matchLabels": {"app": "load"}},
                "template": {
                    "metadata": {"labels": {"app": "load"}},
                    "spec": {"containers": [{"name": "load", "image": "alpine:3.22", "command": ["sh", "-c", "sleep infinity & wait"]}]},
                },
            },
        });
        store.create(Resource::Deployment, "load", deployment, &WriteOptions::default()).expect("a Deployment");
        ready(store, "app=load", (nodes - 1) * 10).await;
        lap("pods ready");
        store
            .mutate(Resource::ConfigMap, "kube-system", "cilium-config", |map| map["data"]["ipam"] = "kubernetes".into())
            .expect("cilium-config");
        let selection = Selection::parse(Resource::Pod, "k8s-app=cilium", "").expect("a selector");
        for agent in store.list(Resource::Pod, None, &selection).0 {
            store.delete(Resource::Pod, "kube-system", &agent.meta.name, &DeleteOptions::default()).expect("an agent");
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        ready(store, "k8s-app=cilium", nodes).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let switched = store.list(Resource::CiliumNode, None, &Selection::all()).0;
        let switched = switched.iter().filter(|node| {
            let error = &node.tree()["status"]["ipam"]["operator-status"]["error"];
            error.as_str().is_some_and(|error| error.contains("conflict with requested CIDRs"))
        });
        assert_eq!(switched.count(), nodes);
        lap("mode switched");
    });
}

#[test]
fn thirty_nodes() {
    carry_out(30);
}

#[rstest]
#[case(500)]
#[case(1000)]
#[case(2000)]
#[case(5000)]
#[ignore = "needs a release build"]
fn size(#[case] workers: u32) {
    carry_out(workers);
}
