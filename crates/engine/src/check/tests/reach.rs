//! Reachability by pings.

use serde_json::json;

use super::check;
use super::scene::Scene;
use crate::check::Ping;

const ALL: &str = "reachability: {from: alpine, to: alpine, every: reachable}";
const NONE: &str = "reachability: {from: alpine, to: alpine, every: unreachable}";

#[test]
fn an_answer_decides() {
    let mut scene = Scene::full();
    check(&scene, ALL, true, &[]);
    scene.ping_all(&Ping::Unanswered);
    check(&scene, NONE, true, &[]);
    check(
        &scene,
        ALL,
        false,
        &["Pod/alpine/alpine-1 | ping 10.0.2.10 (alpine-2) on t-worker2 | answered | no answer, from t-worker"],
    );
}

#[test]
fn what_was_not_tried_is_neither() {
    let mut scene = Scene::full();
    scene.pings.clear();
    check(&scene, ALL, false, &["not tried yet"]);
    check(&scene, NONE, false, &["not tried yet"]);
    scene.ping_all(&Ping::Untried("no such container".to_owned()));
    check(&scene, ALL, false, &["could not be tried: no such container"]);
    check(&scene, NONE, false, &["could not be tried"]);
    check(&scene, "reachability: {from: alpine, to: alpine, none: reachable}", false, &["could not be tried"]);
}

#[test]
fn a_pod_that_cannot_take_part_is_not_passed_over() {
    let mut scene = Scene::full();
    scene.edit("Pod", "alpine-1", |pod| pod["status"] = json!({"phase": "Pending"}));
    check(
        &scene,
        ALL,
        false,
        &[
            "cannot be tried: alpine-1 is Pending, not Running",
            "ping alpine-1 on t-worker | answered | cannot be tried: alpine-1 has no address",
        ],
    );
}

#[test]
fn one_pod_alone_reaches_nobody() {
    let mut scene = Scene::full();
    scene.delete("Pod", "alpine-1");
    scene.delete("Pod", "alpine-2");
    check(&scene, ALL, false, &["pairs of pods from alpine to alpine | objects to look at"]);
}
