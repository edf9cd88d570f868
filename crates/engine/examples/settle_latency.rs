//! How long a check takes to settle: real time from a watch event leaving the API server, over a real connection, to the check that
//! waits for it being settled. `cargo run -p engine --example settle_latency`.
//!
//! Each round is a whole run of one scenario with one `expect` that waits for an operator-status; once it waits, the server sends that
//! one event. Other events of the same kind keep coming meanwhile, as on a real cluster.

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use engine::{Emitter, Keep, RunOptions, Stop};
use events::{ClusterKind, Event, EventKind};
use serde_json::json;
use tokio::time::Instant;

use support::api::{Api, serve_on};
use support::cluster::{Lab, Script};
use support::objects::{NODES, cilium_node};

const ROUNDS: usize = 40;
/// What the check may take at the median (the project's own bar).
const BAR: Duration = Duration::from_millis(50);

const SCENARIO: &str = "\
name: t
summary: One status that comes late.
steps:
  - expect: {operatorStatus: {some: {error: allocator full}}, within: 20s}
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        took.push(round().await?);
    }
    took.sort_unstable();
    let (median, worst) = (took[ROUNDS / 2], took[ROUNDS - 1]);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    #[expect(clippy::print_stdout, reason = "its result")]
    {
        println!("{build}: {ROUNDS} rounds, median {median:?}, least {:?}, most {worst:?}", took[0]);
    }
    if median > BAR { Err(format!("the median is above {BAR:?}").into()) } else { Ok(()) }
}

async fn round() -> Result<Duration, Box<dyn std::error::Error>> {
    let api = Api::default();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?).parse()?;
    let server = tokio::spawn(serve_on(api.clone(), listener));
    let client = kube::Client::try_from(kube::Config::new(url))?;
    let lab = Lab::with_client(Script::default(), api, client);

    let dir = tempfile::tempdir()?;
    let version = semver::Version::new(1, 19, 1);
    let (scenario, _) = scenario::parse(Utf8Path::new("t.yaml"), SCENARIO.as_bytes());
    let scenario = Arc::new(scenario.ok_or("the scenario is valid")?);
    let plan = engine::plan(&scenario, &version, ClusterKind::Kind, 1.0)?;
    let options = RunOptions {
        run: "r1".to_owned(),
        dir: Utf8PathBuf::from_path_buf(dir.path().to_owned()).map_err(|_| "a path that is text")?,
        keep: Keep::Never,
        fail_fast: false,
        timeout_scale: 1.0,
        tool: "settle_latency".to_owned(),
        why: "a measurement".to_owned(),
        cilium: version,
        seed: None,
        notice: None,
        settle: false,
    };

    let sent = Arc::new(Mutex::new(None));
    let settled = Arc::new(Mutex::new(None));
    let (sent_in_sink, settled_in_sink, lab_in_sink) = (sent.clone(), settled.clone(), lab.clone());
    let emitter = Emitter::new(Box::new(move |event: &Event| match &event.kind {
        EventKind::StepStarted { .. } => {
            let (sent, api) = (sent_in_sink.clone(), lab_in_sink.api.clone());
            tokio::spawn(async move {
                for beat in 0..20 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    api.edit("CiliumNode", "", NODES[0], |node| node["spec"]["bootid"] = json!(beat.to_string()));
                }
                *sent.lock().expect("one thread") = Some(Instant::now());
                api.put(cilium_node(NODES[1], &["10.0.1.0/24"], Some("allocator full")));
            });
        }
        EventKind::StepEnded { .. } => *settled_in_sink.lock().expect("one thread") = Some(Instant::now()),
        _ => {}
    }));
    let code = engine::run(&[plan], &lab, &options, &emitter, &Stop::default(), events::exit::code).await;
    server.abort();
    if code != 0 {
        return Err(format!("the scenario ended with {code}").into());
    }
    let (sent, settled) = (*sent.lock().expect("one thread"), *settled.lock().expect("one thread"));
    Ok(settled.ok_or("the step ended")? - sent.ok_or("the event was sent")?)
}
