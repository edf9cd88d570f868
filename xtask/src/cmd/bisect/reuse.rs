//! Whether the runs of a search hand their clusters on.

use std::sync::Arc;

use anyhow::Result;
use bisect::Verdict;
use camino::Utf8Path;
use events::ClusterKind;
use scenario::Scenario;
use scenario::model::{Action, PodSet};

use super::keep::Kept;
use super::trial;
use crate::cli::Sources;
use crate::cmd::e2e::Host;

/// What keeps clusters between runs, or in words why each run makes its own.
pub(super) fn host(
    kept: &Kept,
    fresh: bool,
    scenario: &Arc<Scenario>,
    sources: &Sources,
    dir: &Utf8Path,
) -> Result<Result<Host, String>> {
    if let Err(why) = allowed(kept, fresh, scenario) {
        return Ok(Err(why));
    }
    let args = trial::args(kept, &kept.search.candidates[0], sources, dir)?;
    let versions = match kept.cluster {
        ClusterKind::Sim | ClusterKind::Existing => Vec::new(),
        ClusterKind::Kind => images(kept, scenario, sources),
    };
    Host::new(&args, dir.join("clusters"), versions).map(Ok)
}

/// The images of every candidate. One whose images are gone says so when it is its turn.
fn images(kept: &Kept, scenario: &Arc<Scenario>, sources: &Sources) -> Vec<(String, Vec<String>)> {
    let of = |candidate: &bisect::Candidate| {
        let scenario = trial::with_images(scenario, candidate, sources).ok()?;
        Some((candidate.version.to_string(), engine::recipe::images(&scenario, &candidate.version)))
    };
    kept.search.candidates.iter().filter_map(of).collect()
}

fn allowed(kept: &Kept, fresh: bool, scenario: &Scenario) -> Result<(), String> {
    if kept.fresh || fresh {
        return Err("--fresh".to_owned());
    }
    match kept.cluster {
        ClusterKind::Existing => Err("there is only one cluster".to_owned()),
        // They strike at a time in a cluster's life, and so would strike the first run alone.
        ClusterKind::Sim if !kept.faults.is_empty() => Err("--fault is for the life of one cluster".to_owned()),
        ClusterKind::Sim | ClusterKind::Kind => lasting(scenario).map_or(Ok(()), Err),
    }
}

/// The first step of a scenario that does what cannot be taken back, if there is one.
fn lasting(scenario: &Scenario) -> Option<String> {
    scenario.steps.iter().enumerate().find_map(|(index, step)| {
        let what = match &step.action {
            Action::RemoveNode(_) | Action::AddNode { .. } => "changes the machines",
            Action::Inject(_) => "lets something go wrong",
            // Cilium's own objects go with Cilium, and its ConfigMap has a step of its own.
            Action::Patch(patch) if !of_cilium(&patch.object.api_version) => "changes what is not Cilium's",
            Action::Exec(exec) if !matches!(exec.pods, PodSet::Workload(_)) => {
                "runs a command in pods that are not the scenario's"
            }
            Action::Deploy { .. }
            | Action::Scale { .. }
            | Action::Delete { .. }
            | Action::Configure(_)
            | Action::Upgrade(_)
            | Action::Reinstall(_)
            | Action::Backup
            | Action::Restore
            | Action::Restart(_)
            | Action::DeleteCiliumNode(_)
            | Action::Cordon(_)
            | Action::Uncordon(_)
            | Action::Patch(_)
            | Action::Exec(_)
            | Action::Wait(_)
            | Action::Expect(_)
            | Action::Model => return None,
        };
        Some(format!("step {} {what}", index + 1))
    })
}

fn of_cilium(api_version: &str) -> bool {
    api_version.split_once('/').is_some_and(|(group, _)| group == "cilium.io" || group.ends_with(".cilium.io"))
}

/// Whether the cluster of a run that came to this is good for another. What got in the way of one would get in the way of the next.
pub(super) fn is_sound(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Good | Verdict::Bad { .. } => true,
        Verdict::Infrastructure { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn scenario(steps: &str) -> Scenario {
        let text = format!(
            "name: a\nsummary: What is asked.\ncluster: {{workers: 2}}\ncilium:\n  ipam: {{mode: cluster-pool, \
             clusterPoolIPv4PodCIDRList: [10.42.0.0/16], clusterPoolIPv4MaskSize: 24}}\nworkloads:\n  alpine: {{replicas: 1}}\n\
             steps:\n{steps}"
        );
        let (scenarios, problems) = scenario::parse_all(&[("a.yaml".into(), text.into_bytes())]);
        crate::cmd::lint::refuse(&problems).unwrap();
        scenarios.into_iter().next().unwrap()
    }

    #[rstest]
    #[case::ciliums("  - patch: {kind: CiliumNode, name: worker, merge: {spec: {ipam: {podCIDRs: []}}}}\n", None)]
    #[case::restarts("  - restart: [cilium-agent]\n  - deleteCiliumNode: worker\n", None)]
    #[case::workloads("  - deploy: alpine\n  - exec: {of: alpine, command: [ls]}\n", None)]
    #[case::nodes("  - cordon: worker\n  - removeNode: worker\n", Some("step 2 changes the machines"))]
    #[case::others(
        "  - patch: {apiVersion: v1, kind: Node, name: worker, merge: {metadata: {labels: {a: b}}}}\n",
        Some("step 1 changes what is not Cilium's")
    )]
    #[case::not_its_pods(
        "  - exec: {of: coredns, command: [ls]}\n",
        Some("step 1 runs a command in pods that are not the scenario's")
    )]
    fn what_cannot_be_taken_back(#[case] steps: &str, #[case] why: Option<&str>) {
        assert_eq!(lasting(&scenario(steps)).as_deref(), why);
    }

    #[test]
    fn what_got_in_the_way_once_is_not_tried_again() {
        assert!(is_sound(&Verdict::Good) && is_sound(&Verdict::Bad { what: "podCIDRs".to_owned() }));
        assert!(!is_sound(&Verdict::Infrastructure { why: "no image".to_owned() }));
    }
}
