//! One watch and all that can happen to it, on a clock that tests turn.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Message, ObjectChange, spawn};
use crate::observe::{History, KindName, Seen, standard};
use crate::support::api::{Api, Trouble, Which};
use crate::support::objects::{NODES, cilium_node};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// A watch on CiliumNodes, and everything that it told.
struct Watching {
    api: Api,
    told: Vec<String>,
    world: World,
    history: History,
    from: mpsc::UnboundedReceiver<Message>,
    task: JoinHandle<()>,
}

impl Watching {
    /// Of three CiliumNodes, up and quiet.
    async fn new() -> Self {
        let api = Api::default();
        for node in NODES {
            api.put(cilium_node(node, &["10.0.0.0/24"], None));
        }
        let mut watching = Self::begin(api);
        assert_eq!(watching.after(SECOND).await, ["listed 3"]);
        watching
    }

    fn begin(api: Api) -> Self {
        let watched = standard().into_iter().find(|watched| watched.kind == kind()).expect("it is watched");
        let (to, from) = mpsc::unbounded_channel();
        let task = spawn(api.client(), watched, to);
        Self { api, told: Vec::new(), world: World::default(), history: History::default(), from, task }
    }

    /// What it told in the time from the last call until so much later.
    async fn after(&mut self, span: Duration) -> Vec<String> {
        tokio::time::sleep(span).await;
        let mut told = Vec::new();
        while let Ok(Message::Observed(observation)) = self.from.try_recv() {
            let name = |object: &serde_json::Value| object["metadata"]["name"].as_str().unwrap_or("").to_owned();
            told.push(match &observation.change {
                ObjectChange::Listed { objects, gap: None } => format!("listed {}", objects.len()),
                ObjectChange::Listed { objects, gap: Some(gap) } => {
                    format!("listed {} after a gap: {gap}", objects.len())
                }
                ObjectChange::Applied(object) => {
                    format!("{} {}", name(object), object["status"]["ipam"]["operator-status"]["error"])
                }
                ObjectChange::Deleted(object) => format!("{} deleted", name(object)),
                ObjectChange::Lost { cause } => format!("lost: {cause}"),
                ObjectChange::Resumed => "resumed".to_owned(),
                ObjectChange::Undefined => "undefined".to_owned(),
            });
            self.world.apply(observation, &mut self.history);
        }
        self.told.extend(told.clone());
        told
    }

    fn error(&self, node: &str, error: &str) -> u64 {
        self.api.put(cilium_node(node, &["10.0.0.0/24"], Some(error)))
    }

    /// What the history has of a node's operator-status, and how it was seen.
    fn errors(&self, node: &str) -> Vec<(String, Seen)> {
        let versions = self.history.of(&kind(), "", node).iter();
        versions.map(|v| (v.object["status"]["ipam"]["operator-status"]["error"].to_string(), v.seen)).collect()
    }

    fn lists(&self) -> usize {
        self.api.counts("ciliumnodes").0
    }

    fn watches(&self) -> usize {
        self.api.counts("ciliumnodes").1
    }
}

fn kind() -> KindName {
    KindName::new("cilium.io/v2", "CiliumNode")
}

fn gap_flagged(watching: &Watching) -> bool {
    NODES.iter().any(|node| watching.errors(node).iter().any(|(_, seen)| *seen == Seen::AfterGap))
}

#[tokio::test(start_paused = true)]
async fn tells_every_version_in_order() {
    let mut watching = Watching::new().await;
    watching.error(NODES[1], "boom");
    watching.api.put(cilium_node(NODES[1], &["10.0.0.0/24"], None));
    watching.api.delete("CiliumNode", "", NODES[2]);
    assert_eq!(watching.after(SECOND).await, ["t-worker \"boom\"", "t-worker null", "t-worker2 deleted"]);
    assert_eq!((watching.lists(), watching.watches()), (1, 1));
    assert_eq!(watching.world.cilium_nodes.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn items_of_a_list_say_what_they_are() {
    let watching = Watching::new().await;
    for object in watching.world.objects[&kind()].values() {
        assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("CiliumNode"), &json!("cilium.io/v2")));
    }
}

#[tokio::test(start_paused = true)]
async fn managed_fields_are_not_kept() {
    let mut watching = Watching::new().await;
    let mut node = cilium_node(NODES[0], &[], None);
    node["metadata"]["managedFields"] = json!([{"manager": "cilium-agent"}]);
    watching.api.put(node);
    watching.after(SECOND).await;
    let object = &watching.history.of(&kind(), "", NODES[0]).last().expect("it was seen").object;
    assert!(object["metadata"].get("managedFields").is_none());
}

#[rstest]
#[case::closed_in_order(false)]
#[case::broken_in_the_middle(true)]
#[tokio::test(start_paused = true)]
async fn goes_on_where_it_ended(#[case] broken: bool) {
    let mut watching = Watching::new().await;
    let seen = watching.error(NODES[0], "first");
    watching.after(SECOND).await;
    if broken {
        watching.api.break_watches(None);
    } else {
        watching.api.close_watches(None);
    }
    // Written and erased while there is no watch.
    watching.error(NODES[1], "short");
    watching.api.put(cilium_node(NODES[1], &["10.0.0.0/24"], None));
    let told = watching.after(SECOND).await;
    let missed = ["t-worker \"short\"", "t-worker null"];
    if broken {
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].starts_with("lost: ") && told[0].contains("connection reset by peer"), "{told:?}");
        assert_eq!(told[1..], [missed[0], missed[1], "resumed"], "it is back when all of it was told");
    } else {
        assert_eq!(told, missed);
    }
    assert_eq!(watching.lists(), 1);
    assert!(!gap_flagged(&watching));
    let begins = watching.api.requests().iter().rev().find_map(|asked| asked.begins_at().map(str::to_owned));
    assert_eq!(begins, Some(seen.to_string()));
}

#[rstest]
#[case::by_status(false)]
#[case::in_the_stream(true)]
#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_makes_a_flagged_gap(#[case] in_stream: bool) {
    let mut watching = Watching::new().await;
    watching.api.close_watches(None);
    watching.error(NODES[1], "boom");
    watching.api.delete("CiliumNode", "", NODES[2]);
    watching.api.compact(in_stream);
    let told = watching.after(SECOND).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("listed 2 after a gap: ") && told[0].contains("too old resource version"), "{told:?}");
    assert_eq!(watching.errors(NODES[0]), [("null".to_owned(), Seen::Applied)], "what did not change has no gap");
    assert_eq!(watching.errors(NODES[1]).last(), Some(&("\"boom\"".to_owned(), Seen::AfterGap)));
    assert_eq!(watching.errors(NODES[2]).last().map(|(_, seen)| *seen), Some(Seen::Deleted));
    watching.error(NODES[0], "later");
    assert_eq!(watching.after(SECOND).await, ["t-control-plane \"later\""], "it goes on");
}

#[tokio::test(start_paused = true)]
async fn an_open_watch_that_is_told_it_is_too_old_lists_anew() {
    let mut watching = Watching::new().await;
    watching.api.end_watches_with(None, 410);
    assert_eq!(watching.after(SECOND).await, ["listed 3 after a gap: too old resource version"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_for_20_seconds_is_waited_for() {
    let mut watching = Watching::new().await;
    watching.api.away(20 * SECOND);
    let told = watching.after(10 * SECOND).await;
    assert_eq!(told.len(), 1, "told once: {told:?}");
    assert!(told[0].starts_with("lost: ") && watching.world.stale(&[kind()]).is_some());
    watching.error(NODES[1], "meanwhile");
    watching.api.put(cilium_node(NODES[1], &["10.0.0.0/24"], None));
    let told = watching.after(15 * SECOND).await;
    assert_eq!(told, ["t-worker \"meanwhile\"", "t-worker null", "resumed"]);
    assert_eq!(watching.lists(), 1);
    assert!(!gap_flagged(&watching) && watching.world.stale(&[kind()]).is_none());
    assert!(watching.watches() < 20, "{} tries in 20 s", watching.watches());
}

#[rstest]
#[case(500, "InternalError")]
#[case(503, "ServiceUnavailable")]
#[case(429, "TooManyRequests")]
#[tokio::test(start_paused = true)]
async fn errors_for_a_while_are_survived_without_a_gap(#[case] code: u16, #[case] reason: &'static str) {
    let mut watching = Watching::new().await;
    watching.api.fail_for(Which::any(), Trouble::Status(code, reason, "not now"), 8 * SECOND);
    watching.api.close_watches(None);
    watching.error(NODES[1], "boom");
    let told = watching.after(12 * SECOND).await;
    assert_eq!(told, [format!("lost: {code} {reason}: not now"), "t-worker \"boom\"".to_owned(), "resumed".to_owned()]);
    assert_eq!(watching.lists(), 1);
}

#[rstest]
#[case::errors(
    Trouble::Status(500, "InternalError", "etcdserver: request timed out"),
    "lost: 500 InternalError: etcdserver: request timed out"
)]
#[case::refused(
    Trouble::Status(403, "Forbidden", "ciliumnodes.cilium.io is forbidden"),
    "lost: 403 Forbidden: ciliumnodes.cilium.io is forbidden"
)]
#[case::hangs(Trouble::Hang, "lost: no answer in 30s")]
#[tokio::test(start_paused = true)]
async fn a_first_list_that_does_not_come_is_told(#[case] trouble: Trouble, #[case] lost: &str) {
    let api = Api::default();
    api.fail_for(Which::lists("ciliumnodes"), trouble, 25 * SECOND);
    let mut watching = Watching::begin(api);
    assert!(watching.world.stale(&[kind()]).is_some(), "nothing is known before the first list");
    let told = watching.after(40 * SECOND).await;
    assert_eq!(told, [lost, "listed 0", "resumed"], "the first list is no gap");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_only_slow() {
    let api = Api::default();
    api.fail_for(Which::any(), Trouble::Slow(10 * SECOND), 100 * SECOND);
    let mut watching = Watching::begin(api);
    assert_eq!(watching.after(15 * SECOND).await, ["listed 0"]);
    watching.error(NODES[1], "boom");
    assert_eq!(watching.after(15 * SECOND).await, ["t-worker \"boom\""]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_never_opened_is_lost() {
    let api = Api::default();
    api.fail_for(Which::watches("ciliumnodes"), Trouble::Hang, 40 * SECOND);
    let mut watching = Watching::begin(api);
    assert_eq!(watching.after(35 * SECOND).await, ["listed 0", "lost: no answer in 30s"]);
    assert_eq!(watching.after(60 * SECOND).await, ["resumed"]);
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_moves_the_version_along() {
    let mut watching = Watching::new().await;
    // Other kinds have changed a lot, and the past of all is forgotten.
    for serial in 0..50 {
        watching.api.put(crate::support::objects::lease(&serial.to_string(), "1"));
    }
    let version = watching.api.bookmark("ciliumnodes");
    assert!(watching.after(SECOND).await.is_empty(), "a bookmark is no news");
    watching.api.close_watches(None);
    assert!(watching.after(SECOND).await.is_empty());
    let begins = watching.api.requests().iter().rev().find_map(|asked| asked.begins_at().map(str::to_owned));
    assert_eq!((begins, watching.lists()), (Some(version.to_string()), 1));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_does_not_go_away_ends_in_a_list() {
    let mut watching = Watching::new().await;
    watching.api.fail(Which::watches("ciliumnodes"), Trouble::InStream(500), 2);
    watching.api.close_watches(None);
    watching.error(NODES[1], "boom");
    let told = watching.after(10 * SECOND).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0], "lost: it ended with 500 etcdserver: no leader");
    assert!(told[1].starts_with("listed 3 after a gap: "), "{told:?}");
    assert_eq!(told[2], "resumed");
}

#[tokio::test(start_paused = true)]
async fn one_such_error_does_not() {
    let mut watching = Watching::new().await;
    watching.api.fail(Which::watches("ciliumnodes"), Trouble::InStream(500), 1);
    watching.api.close_watches(None);
    watching.error(NODES[1], "boom");
    let told = watching.after(10 * SECOND).await;
    assert_eq!(told, ["lost: it ended with 500 etcdserver: no leader", "t-worker \"boom\"", "resumed"]);
    assert!(!gap_flagged(&watching));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_at_once_is_not_stormed() {
    let mut watching = Watching::new().await;
    watching.api.fail_for(Which::watches("ciliumnodes"), Trouble::Closed, 60 * SECOND);
    watching.api.close_watches(None);
    let told = watching.after(60 * SECOND).await;
    assert_eq!(told, ["lost: the server closes it as soon as it is open"]);
    assert!(watching.watches() < 45, "{} watches in a minute", watching.watches());
    watching.error(NODES[1], "boom");
    assert_eq!(watching.after(5 * SECOND).await, ["t-worker \"boom\"", "resumed"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_opened_anew_in_the_end() {
    let mut watching = Watching::new().await;
    watching.api.mute("ciliumnodes");
    watching.error(NODES[1], "unheard");
    assert!(watching.after(300 * SECOND).await.is_empty());
    let told = watching.after(30 * SECOND).await;
    assert_eq!(told, ["lost: the server neither sent anything nor closed it", "t-worker \"unheard\"", "resumed"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_without_a_definition_is_told_once_and_waited_for() {
    let api = Api::default();
    api.define("ciliumnodes", false);
    let mut watching = Watching::begin(api);
    assert_eq!(watching.after(60 * SECOND).await, ["undefined"]);
    watching.api.define("ciliumnodes", true);
    watching.api.put(cilium_node(NODES[0], &[], None));
    assert_eq!(watching.after(Duration::from_millis(200)).await, ["listed 1"], "soon after it is there");
    // Where it never comes, asking grows rare.
    let api = Api::default();
    api.define("ciliumnodes", false);
    let mut watching = Watching::begin(api);
    watching.after(130 * SECOND).await;
    let before = watching.lists();
    watching.after(60 * SECOND).await;
    assert!(watching.lists() - before <= 31, "{}", watching.lists() - before);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_listener() {
    let mut watching = Watching::new().await;
    watching.from.close();
    tokio::time::sleep(SECOND).await;
    assert!(watching.task.is_finished());
    assert!((&mut watching.task).await.is_ok());
    // Also while there is nothing to listen to.
    let api = Api::default();
    api.away(3600 * SECOND);
    let mut watching = Watching::begin(api);
    watching.after(SECOND).await;
    watching.from.close();
    tokio::time::sleep(5 * SECOND).await;
    assert!(watching.task.is_finished());
}
