//! Against real Docker, kind and Helm. `cargo test -p cluster --test lab -- --ignored --nocapture --test-threads 1`
//!
//! Settings come from the environment, as for a run. `IPAM_E2E_LAB_CILIUM` names the version (1.18.4).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that shows what it measures")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use cluster::existing::{Context, adopt};
use cluster::ledger::Ledger;
use cluster::{
    ClusterSpec, ExistingProvider, HelmAction, KindProvider, Leftovers, Progress, Provider, Settings, Sweep, clean,
};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

struct Print(Instant);

impl Progress for Print {
    fn now(&self, what: &str) {
        println!("{:7.2}  {what}", self.0.elapsed().as_secs_f64());
    }

    fn warn(&self, what: &str) {
        println!("{:7.2}  warning: {what}", self.0.elapsed().as_secs_f64());
    }
}

fn version() -> String {
    std::env::var("IPAM_E2E_LAB_CILIUM").unwrap_or_else(|_| "1.18.4".to_owned())
}

fn settings(ledger: &Utf8Path, extra: &[(&str, &str)]) -> Arc<Settings> {
    let settings = Settings::from_env(|name| match name {
        "IPAM_E2E_LEDGER_DIR" => Some(ledger.to_string()),
        name => {
            extra.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()).or_else(|| std::env::var(name).ok())
        }
    });
    Arc::new(settings.unwrap())
}

fn spec(dir: &Utf8Path, run: &str) -> ClusterSpec {
    let v = version();
    ClusterSpec {
        run: run.to_owned(),
        scenario: "lab".to_owned(),
        dir: dir.to_owned(),
        workers: 2,
        ip_family: "ipv4".to_owned(),
        pod_subnet: "10.224.0.0/16".to_owned(),
        service_subnet: "10.96.0.0/16".to_owned(),
        controller_manager: BTreeMap::new(),
        later: Vec::new(),
        images: vec![
            format!("quay.io/cilium/cilium:v{v}"),
            format!("quay.io/cilium/operator-generic:v{v}"),
            format!("quay.io/cilium/hubble-relay:v{v}"),
            "alpine:3.22".to_owned(),
        ],
        cilium: v,
        timeout_scale: 1.0,
    }
}

fn values() -> serde_json::Map<String, Value> {
    let image = json!({"useDigest": false, "pullPolicy": "IfNotPresent"});
    let values = json!({
        "image": image, "operator": {"replicas": 1, "image": image}, "envoy": {"enabled": false}, "l7Proxy": false,
        "hubble": {"relay": {"enabled": true, "image": image}, "tls": {"auto": {"method": "helm"}}},
        "ipam": {"mode": "cluster-pool"},
    });
    values.as_object().cloned().unwrap()
}

async fn docker_left(word: &str) -> Vec<String> {
    let door = cluster::tools::Door::new(settings(Utf8Path::new("/nonexistent"), &[]));
    let mut left = Vec::new();
    for args in [["ps", "-a", "--format", "{{.Names}}"], ["network", "ls", "--format", "{{.Name}}"]] {
        let out = door.docker("look", Duration::from_secs(20), args).await.unwrap().stdout;
        left.extend(out.lines().filter(|line| line.contains(word)).map(str::to_owned));
    }
    left
}

/// Creation, Cilium, removal, with the seconds of each.
async fn through(run: &str, extra: &[(&str, &str)]) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(temporary.path()).unwrap();
    let began = Instant::now();
    let print = Arc::new(Print(began));
    let provider = KindProvider::new(settings(&dir.join("ledger"), extra));
    let cluster = provider.create(&spec(&dir.join("c"), run), print.clone()).await.unwrap();
    print.now("API answers");
    let install = async {
        cluster.helm(&HelmAction::Apply { version: version(), values: values() }).await.unwrap();
        print.now("helm has applied");
    };
    let ready = async {
        cluster.ready().await.unwrap();
        print.now("ready");
    };
    tokio::join!(install, ready);
    let pods: Api<Pod> = Api::namespaced(cluster.client(), "kube-system");
    let is_ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
        conditions.is_some_and(|c| c.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    };
    for (label, count) in [("k8s-app=cilium", 3), ("k8s-app=hubble-relay", 1), ("k8s-app=kube-dns", 2)] {
        let end = Instant::now() + Duration::from_secs(180);
        loop {
            let list = pods.list(&ListParams::default().labels(label)).await.unwrap();
            if list.items.iter().filter(|pod| is_ready(pod)).count() == count {
                break;
            }
            let states: Vec<_> = list
                .items
                .iter()
                .map(|p| format!("{} {:?}", p.name_any(), p.status.as_ref().and_then(|s| s.phase.clone())))
                .collect();
            assert!(Instant::now() < end, "{label}: {states:?}");
            sleep(Duration::from_millis(200)).await;
        }
        print.now(&format!("{label} ready"));
    }
    let nodes = Api::<Node>::all(cluster.client()).list(&ListParams::default()).await.unwrap();
    assert_eq!(nodes.items.len(), 3);
    let agent = pods.list(&ListParams::default().labels("k8s-app=cilium")).await.unwrap().items[0].name_any();
    let command = ["sh", "-c", "echo out; echo err >&2; exit 3"].map(str::to_owned);
    let out =
        cluster.exec("kube-system", &agent, Some("cilium-agent"), &command, Duration::from_secs(20)).await.unwrap();
    assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (3, "out\n", "err\n"));
    let sleepy = ["sleep", "60"].map(str::to_owned);
    let error =
        cluster.exec("kube-system", &agent, Some("cilium-agent"), &sleepy, Duration::from_secs(1)).await.unwrap_err();
    assert!(error.cause.contains("did not end within 1 s"), "{error}");
    print.now("exec");
    let (files, missing) = cluster.evidence(&dir.join("evidence")).await;
    print.now(&format!("evidence: {} files, missing {missing:?}", files.len()));
    assert_eq!(files.len(), 15);
    let begin_removal = Instant::now();
    cluster.destroy().await.unwrap();
    cluster.destroy().await.unwrap();
    print.now(&format!("removed in {:.2} s", begin_removal.elapsed().as_secs_f64()));
    assert_eq!(cluster.leftovers(), Leftovers::Clear);
    assert_eq!(docker_left(run).await, Vec::<String>::new());
    println!("{}", fs_err::read_to_string(dir.join("c/commands.log")).unwrap());
}

#[tokio::test]
#[ignore = "needs docker, kind and helm"]
async fn shared_layers() {
    through("lab-shared", &[("IPAM_E2E_IMAGES", "auto")]).await;
}

#[tokio::test]
#[ignore = "needs docker, kind and helm"]
async fn streamed_images() {
    through("lab-streamed", &[("IPAM_E2E_IMAGES", "stream")]).await;
}

#[tokio::test]
#[ignore = "needs docker and kind"]
async fn removed_while_being_made() {
    for (n, after) in [100, 1500, 3000, 6000, 12000].into_iter().enumerate() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(temporary.path()).unwrap();
        let run = format!("lab-cut{n}");
        let settings = settings(&dir.join("ledger"), &[]);
        let provider = KindProvider::new(settings.clone());
        let print = Arc::new(Print(Instant::now()));
        let spec = spec(&dir.join("c"), &run);
        let making = provider.create(&spec, print.clone()).await_for(Duration::from_millis(after));
        assert!(making.await.is_none());
        print.now("given up");
        // Removal goes on by itself; `clean` leaves alone what a live process owns, which is this one.
        let end = Instant::now() + Duration::from_secs(120);
        while !docker_left(&run).await.is_empty()
            || !cluster::ledger::Ledger::new(&settings.ledger_dir).list().unwrap().0.is_empty()
        {
            assert!(Instant::now() < end, "{:?}", docker_left(&run).await);
            sleep(Duration::from_millis(200)).await;
        }
        print.now("nothing left");
        let report = clean(settings, Sweep::KeptToo).await.unwrap();
        assert_eq!((report.removed, report.failed), (vec![], vec![]));
    }
}

/// What [`killed_runs_are_cleaned`] kills: makes a cluster, removes it, and so on, in the folder it is given.
#[tokio::test]
#[ignore = "needs docker and kind; run by killed_runs_are_cleaned"]
async fn made_and_removed_until_killed() {
    let Ok(dir) = std::env::var("IPAM_E2E_LAB_DIR") else { return };
    let dir = Utf8Path::new(&dir);
    let run = std::env::var("IPAM_E2E_LAB_RUN").unwrap();
    let provider = KindProvider::new(settings(&dir.join("ledger"), &[]));
    let print = Arc::new(Print(Instant::now()));
    let cluster = provider.create(&spec(&dir.join("c"), &run), print.clone()).await.unwrap();
    cluster.ready().await.unwrap();
    fs_err::write(dir.join("ready"), "").unwrap();
    cluster.destroy().await.unwrap();
    std::future::pending::<()>().await;
}

/// Killed at these moments after the start (milliseconds; `None`: in the middle of the removal).
#[tokio::test]
#[ignore = "needs docker and kind"]
async fn killed_runs_are_cleaned() {
    for (n, after) in [Some(150), Some(900), Some(2500), Some(5000), Some(12_000), None].into_iter().enumerate() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(temporary.path()).unwrap();
        let run = format!("lab-kill{n}");
        #[expect(clippy::disallowed_methods, reason = "a process to be killed")]
        let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "made_and_removed_until_killed"])
            .env("IPAM_E2E_LAB_DIR", dir)
            .env("IPAM_E2E_LAB_RUN", &run)
            .spawn()
            .unwrap();
        match after {
            Some(after) => sleep(Duration::from_millis(after)).await,
            None => {
                while !dir.join("ready").exists() {
                    sleep(Duration::from_millis(20)).await;
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
        child.kill().await.unwrap();
        let left = docker_left(&run).await;
        let settings = settings(&dir.join("ledger"), &[]);
        let began = Instant::now();
        let report = clean(settings.clone(), Sweep::Remnants).await.unwrap();
        println!("killed after {after:?} ms with {left:?}: {report:?} in {:.2} s", began.elapsed().as_secs_f64());
        assert_eq!(report.failed, vec![]);
        assert_eq!(docker_left(&run).await, Vec::<String>::new());
        // Nothing goes on behind our back.
        sleep(Duration::from_secs(5)).await;
        assert_eq!(docker_left(&run).await, Vec::<String>::new());
        assert_eq!(clean(settings, Sweep::KeptToo).await.unwrap().removed, Vec::<String>::new());
    }
}

/// A lost ledger is made up for by the labels of the network.
#[tokio::test]
#[ignore = "needs docker and kind"]
async fn a_run_whose_ledger_is_lost_is_cleaned_too() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(temporary.path()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a process to be killed")]
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "made_and_removed_until_killed"])
        .env("IPAM_E2E_LAB_DIR", dir)
        .env("IPAM_E2E_LAB_RUN", "lab-lost")
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while docker_left("ipam-e2e-lab-lost-1-worker2").await.is_empty() {
        assert!(Instant::now() < end);
        sleep(Duration::from_millis(100)).await;
    }
    child.kill().await.unwrap();
    fs_err::remove_dir_all(dir.join("ledger")).unwrap();
    let report = clean(settings(&dir.join("ledger"), &[]), Sweep::Remnants).await.unwrap();
    assert_eq!((report.removed, report.failed), (vec!["ipam-e2e-lab-lost-1".to_owned()], vec![]));
    assert_eq!(docker_left("lab-lost").await, Vec::<String>::new());
}

/// A kind cluster in the part of somebody's cluster.
#[tokio::test]
#[ignore = "needs docker, kind and helm"]
async fn an_existing_cluster_is_used_only_with_a_mark_and_given_back() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(temporary.path()).unwrap();
    let print = Arc::new(Print(Instant::now()));
    let settings = settings(&dir.join("ledger"), &[]);
    let host =
        KindProvider::new(settings.clone()).create(&spec(&dir.join("c"), "lab-host"), print.clone()).await.unwrap();
    host.ready().await.unwrap();
    let context =
        Context { name: format!("kind-{}", host.name()), kubeconfig: Some(host.kubeconfig().unwrap().to_owned()) };
    let provider = ExistingProvider::new(settings.clone(), context.clone());
    let begin = |run: &'static str| {
        let (provider, print, spec) = (&provider, print.clone(), spec(&dir.join(run), run));
        async move { provider.create(&spec, print).await }
    };
    let system = || async {
        let namespaces: Api<Namespace> = Api::all(host.client());
        serde_json::to_value(namespaces.get("kube-system").await.unwrap().metadata).unwrap()
    };
    let untouched = system().await;

    let error = begin("one").await.err().unwrap();
    assert!(error.cause.contains("does not bear the label"), "{error}");
    assert!(error.hint.as_deref().is_some_and(|h| h.starts_with("cargo xtask adopt --context kind-")), "{error:?}");
    let error = adopt(&context, false).await.unwrap_err();
    assert!(error.cause.contains("break the network of 3 nodes"), "{error}");
    assert_eq!(system().await, untouched, "nothing was written before the mark");
    let adoption = adopt(&context, true).await.unwrap();
    assert_eq!((adoption.nodes.len(), adoption.already), (3, false));
    assert!(adopt(&context, false).await.unwrap().already);

    let cluster = begin("two").await.unwrap();
    let error = begin("three").await.err().unwrap();
    assert!(error.cause.contains("run two uses it"), "{error}");
    cluster.ready().await.unwrap();
    cluster.helm(&HelmAction::Apply { version: version(), values: values() }).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(host.client(), "kube-system");
    let agents = ListParams::default().labels("k8s-app=cilium");
    let end = Instant::now() + Duration::from_secs(240);
    while definitions(&host.client()).await == 0 || pods.list(&agents).await.unwrap().items.len() < 3 {
        assert!(Instant::now() < end);
        sleep(Duration::from_millis(300)).await;
    }
    let error = cluster.stop_node("x").await.unwrap_err();
    assert!(error.cause.contains("did not make the machine"), "{error}");
    cluster.destroy().await.unwrap();
    cluster.destroy().await.unwrap();
    assert_eq!(cluster.leftovers(), Leftovers::Clear);
    assert_eq!(definitions(&host.client()).await, 0);
    assert_eq!(pods.list(&agents).await.unwrap().items.len(), 0);
    assert!(!system().await.to_string().contains("used-by"));
    print.now("given back");

    // A run that dies: its entry is all that is left of it.
    let cluster = begin("four").await.unwrap();
    cluster.helm(&HelmAction::Apply { version: version(), values: values() }).await.unwrap();
    let ledger = Ledger::new(&settings.ledger_dir);
    let (entries, _) = ledger.list().unwrap();
    let mut entry = entries.into_iter().find(|entry| entry.run == "four").unwrap();
    entry.owner.start = Some(1);
    ledger.write(&entry).unwrap();
    let report = clean(settings.clone(), Sweep::Remnants).await.unwrap();
    assert_eq!((report.removed, report.failed), (vec![entry.name], vec![]));
    assert!(!system().await.to_string().contains("used-by"));
    print.now("cleaned");
    host.destroy().await.unwrap();
    assert_eq!(docker_left("lab-host").await, Vec::<String>::new());
}

async fn definitions(client: &kube::Client) -> usize {
    let all: Api<CustomResourceDefinition> = Api::all(client.clone());
    let list = all.list_metadata(&ListParams::default()).await.unwrap();
    list.iter().filter(|item| item.name_any().ends_with(".cilium.io")).count()
}

/// A node that is taken out and comes back is the same machine with a new Node.
#[tokio::test]
#[ignore = "needs docker and kind"]
async fn a_node_is_stopped_deleted_and_started() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(temporary.path()).unwrap();
    let print = Arc::new(Print(Instant::now()));
    let settings = settings(&dir.join("ledger"), &[]);
    let cluster = KindProvider::new(settings).create(&spec(&dir.join("c"), "lab-node"), print.clone()).await.unwrap();
    cluster.ready().await.unwrap();
    let nodes: Api<Node> = Api::all(cluster.client());
    let name = format!("{}-worker2", cluster.name());
    let before = nodes.get(&name).await.unwrap();
    let error = cluster.stop_node("kind-worker").await.unwrap_err();
    assert!(error.cause.contains("it has no node kind-worker; its nodes are"), "{error}");
    cluster.stop_node(&name).await.unwrap();
    print.now("stopped");
    nodes.delete(&name, &Default::default()).await.unwrap();
    cluster.start_node(&name).await.unwrap();
    print.now("started");
    let end = Instant::now() + Duration::from_secs(60);
    let after = loop {
        if let Some(node) = nodes.get_opt(&name).await.unwrap() {
            break node;
        }
        assert!(Instant::now() < end);
        sleep(Duration::from_millis(100)).await;
    };
    print.now("registered");
    assert_ne!(before.uid(), after.uid());
    cluster.destroy().await.unwrap();
    assert_eq!(docker_left("lab-node").await, Vec::<String>::new());
}

/// A future that is dropped when it takes too long.
trait AwaitFor: Future + Sized {
    async fn await_for(self, time: Duration) -> Option<Self::Output> {
        tokio::time::timeout(time, self).await.ok()
    }
}

impl<F: Future> AwaitFor for F {}
