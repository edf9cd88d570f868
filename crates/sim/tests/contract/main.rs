//! The contract between the simulated API and a real kube-apiserver: the same requests, the same answers.
//!
//! `cases/*.yaml` hold the requests, `golden/*.json` what a real server answered. A golden transcript is never edited by hand:
//! where the two differ, the simulation is wrong.
//!
//! This is a contract of servers, not of controllers. The real server is prepared by `real-server`: a kind cluster whose Cilium has
//! registered its CustomResourceDefinitions, without a scheduler and with only those controllers that the store has, too (garbage
//! collection, namespaces and what is put into them).

#![allow(clippy::unwrap_used, reason = "as in tests")]

mod case;
mod normal;
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use case::Case;
use futures::{StreamExt, stream};
use serde_json::Value;
use sim::api::{Api, cilium_crds, router};
use sim::store::{Clock, Resource, Store, StoreConfig, WriteOptions};

/// Names the kubeconfig of a real server with Cilium's CustomResourceDefinitions.
const KUBECONFIG: &str = "IPAM_E2E_CONTRACT_KUBECONFIG";

/// Cases that a real server is asked at the same time.
const AT_ONCE: usize = 6;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract").join(name)
}

/// Every file of cases: its name and what is in it.
fn files() -> Vec<(String, Vec<Case>)> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let cases = serde_yaml::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), cases)
        })
        .collect()
}

fn simulated() -> kube::Client {
    let clock = Clock::tokio("2026-01-02T03:04:05Z".parse().unwrap());
    let store = Store::new(StoreConfig::new(1, clock));
    let create = |resource, object| {
        store.create(resource, "", object, &WriteOptions::default()).unwrap();
    };
    create(Resource::Namespace, serde_json::json!({"metadata": {"name": "default"}}));
    for crd in cilium_crds() {
        create(Resource::CustomResourceDefinition, crd);
    }
    // The oldest revisions of a real server are forgotten as well.
    store.compact(Resource::CiliumNode);
    kube::Client::new(router(Api::new(store)), "default")
}

async fn real() -> kube::Client {
    let path = std::env::var(KUBECONFIG).unwrap_or_else(|_| panic!("{KUBECONFIG} names no kubeconfig"));
    let config = kube::config::Kubeconfig::read_from(path).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default()).await.unwrap();
    // A 504 is an answer here, not a reason to ask again.
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

/// Runs every case of a file, some of them at a time: each has a namespace of its own. The transcripts by name of case.
async fn transcripts(client: &kube::Client, run: &str, cases: &[Case], at_once: usize) -> BTreeMap<String, Value> {
    let all = cases.iter().map(async |case| (case.name.clone(), run::transcript(client, run, case).await));
    let all: Vec<_> = stream::iter(all).buffered(at_once).collect().await;
    let count = all.len();
    let out: BTreeMap<_, _> = all.into_iter().collect();
    assert_eq!(out.len(), count, "two cases have the same name");
    out
}

/// Differences between two sets of transcripts, step by step.
fn differences(
    file: &str,
    cases: &[Case],
    expected: &BTreeMap<String, Value>,
    found: &BTreeMap<String, Value>,
) -> Vec<String> {
    let mut out = Vec::new();
    for case in cases {
        let (expected, found) = (&expected.get(&case.name), &found[&case.name]);
        let Some(expected) = expected else {
            out.push(format!("{file}/{}: no golden transcript; record one", case.name));
            continue;
        };
        for (at, step) in case.steps.iter().enumerate() {
            if expected[at] != found[at] {
                let show = |v: &Value| serde_json::to_string_pretty(v).unwrap();
                out.push(format!(
                    "{file}/{} step {}: {}\n--- real\n{}\n--- simulated\n{}",
                    case.name,
                    at + 1,
                    step.describe(),
                    show(&expected[at]),
                    show(&found[at])
                ));
            }
        }
        if expected.as_array().map(Vec::len) != Some(case.steps.len()) {
            out.push(format!("{file}/{}: the golden transcript is of other steps; record it anew", case.name));
        }
    }
    out
}

fn golden(file: &str) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(folder("golden").join(format!("{file}.json"))).unwrap_or_else(|_| "{}".into());
    serde_json::from_str(&text).unwrap()
}

fn report(differences: Vec<String>) {
    let count = differences.len();
    assert!(differences.is_empty(), "{}\n\n{count} differences", differences.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn the_simulation_answers_as_the_real_server_did() {
    let mut all = Vec::new();
    for (file, cases) in files() {
        let found = transcripts(&simulated(), "sim", &cases, 1).await;
        all.extend(differences(&file, &cases, &golden(&file), &found));
    }
    report(all);
}

#[test]
fn the_suite_is_not_small() {
    let count: usize = files().iter().map(|(_, cases)| cases.len()).sum();
    assert!(count >= 60, "{count} cases");
}

#[tokio::test]
#[ignore = "needs a real API server: IPAM_E2E_CONTRACT_KUBECONFIG"]
async fn a_real_server_still_answers_so() {
    let client = real().await;
    let mut all = Vec::new();
    for (file, cases) in files() {
        let found = transcripts(&client, &run::unique(), &cases, AT_ONCE).await;
        all.extend(differences(&file, &cases, &golden(&file), &found));
    }
    report(all);
}

#[tokio::test]
#[ignore = "needs a real API server: IPAM_E2E_CONTRACT_KUBECONFIG; writes the golden transcripts"]
async fn record() {
    let client = real().await;
    for (file, cases) in files() {
        let found = transcripts(&client, &run::unique(), &cases, AT_ONCE).await;
        let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
        std::fs::write(folder("golden").join(format!("{file}.json")), text).unwrap();
    }
}
