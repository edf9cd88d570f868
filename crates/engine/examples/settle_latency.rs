//! How long after an object's change a check that waits for it has settled: over a real socket, in real time, against the API of
//! this crate's tests. `cargo run --release -p engine --example settle_latency` prints the figures.

#![allow(dead_code, reason = "it uses a part of the tests' support")]
#![allow(clippy::print_stdout, reason = "it prints the figures that it takes")]
#![allow(clippy::unwrap_used, reason = "as in tests")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use engine::{Emitter, Keep, RunOptions, Stop};
use events::{ClusterKind, Event, EventKind, Outcome};
use serde_json::json;
use support::api::{Api, serve_on};
use support::cluster::{Lab, Script};
use tokio::time::Instant;

/// How many changes are waited for.
const ROUNDS: usize = 200;

#[derive(Default)]
struct Taken {
    changed: Option<Instant>,
    requests: usize,
    latencies: Vec<Duration>,
    requests_while_waiting: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut text = "name: t\nsummary: Errors that come one after another.\nsteps:\n".to_owned();
    for round in 0..ROUNDS {
        writeln!(text, "  - expect: {{operatorStatus: {{some: {{error: e{round}}}}}, within: 60s}}").unwrap();
    }
    let (parsed, problems) = scenario::parse(Utf8Path::new("t.yaml"), text.as_bytes());
    let scenario = Arc::new(parsed.unwrap_or_else(|| panic!("{problems:?}")));
    let version = semver::Version::new(1, 18, 4);
    let plan = engine::plan(&scenario, &version, ClusterKind::Kind, 1.0).unwrap();

    let api = Api::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve_on(api.clone(), listener));
    let client = kube::Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
    let lab = Lab::with_client(Script::default(), api.clone(), client);

    let taken = Arc::new(Mutex::new(Taken::default()));
    let (in_sink, api_in_sink) = (taken.clone(), api.clone());
    let emitter = Emitter::new(Box::new(move |event: &Event| match &event.kind {
        EventKind::StepStarted { index } => {
            let (api, taken, index) = (api_in_sink.clone(), in_sink.clone(), *index);
            tokio::spawn(async move {
                // Not in step with anything.
                tokio::time::sleep(Duration::from_millis(20 + (index as u64 * 7) % 31)).await;
                let node = api.all("CiliumNode")[0]["metadata"]["name"].as_str().unwrap().to_owned();
                {
                    let mut taken = taken.lock().unwrap();
                    taken.requests = api.requests().len();
                    taken.changed = Some(Instant::now());
                }
                api.edit("CiliumNode", "", &node, |object| {
                    object["status"]["ipam"]["operator-status"] = json!({"error": format!("e{index}")});
                });
            });
        }
        EventKind::StepEnded { .. } => {
            let mut taken = in_sink.lock().unwrap();
            let changed = taken.changed.take().unwrap();
            taken.latencies.push(changed.elapsed());
            taken.requests_while_waiting += api_in_sink.requests().len() - taken.requests;
        }
        EventKind::ScenarioEnded { outcome, .. } => assert_eq!(*outcome, Outcome::Passed),
        _ => {}
    }));
    let dir = tempfile::tempdir().unwrap();
    let options = RunOptions {
        run: "r1".to_owned(),
        dir: Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap(),
        keep: Keep::Never,
        fail_fast: false,
        timeout_scale: 1.0,
        tool: "measure".to_owned(),
        why: "a measurement".to_owned(),
        cilium: version,
        seed: None,
        notice: None,
        settle: false,
        defer_xpass: false,
        record: false,
        model: false,
    };
    engine::run(&[plan], &lab, &options, &emitter, &Stop::default(), events::exit::code).await;

    let mut taken = taken.lock().unwrap();
    taken.latencies.sort_unstable();
    let at = |share: f64| taken.latencies[((ROUNDS - 1) as f64 * share) as usize];
    println!(
        "{ROUNDS} changes: settled after {:.2} ms (median), {:.2} ms (95 %), {:.2} ms (most); requests while waiting: {}",
        at(0.5).as_secs_f64() * 1e3,
        at(0.95).as_secs_f64() * 1e3,
        at(1.0).as_secs_f64() * 1e3,
        taken.requests_while_waiting
    );
}
