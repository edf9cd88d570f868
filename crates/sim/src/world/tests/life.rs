//! Life on a simulated cluster.

use rstest::rstest;

use super::lab::{Lab, shape, virtually};
use crate::store::Resource;
use crate::world::Fault;

#[rstest]
fn a_cluster_comes_up(#[values("1.18.4", "1.19.1", "1.20.2")] version: &str) {
    virtually(async {
        let lab = Lab::boot(version, shape(version, 2, 1)).await;
        lab.pass(20).await;
        let holds = |condition: &serde_json::Value| condition["type"] == "Ready" && condition["status"] == "True";
        let is_ready = |node: serde_json::Value| node["status"]["conditions"].as_array().unwrap().iter().any(holds);
        let ready = |lab: &Lab| lab.all(Resource::Node).iter().filter(|node| is_ready(node.value())).count();
        assert_eq!(ready(&lab), 0, "no CNI plugin, no ready node");
        assert!(lab.ready("k8s-app", "kube-proxy", 3));
        lab.install(&::cilium::values::IpamValues::default());
        lab.until("Cilium is up", 60, Lab::is_up).await;
        assert_eq!(ready(&lab), 3);
        for agent in lab.pods("app.kubernetes.io/name", "cilium-agent") {
            let (code, text) = lab.exec(&agent, "cilium-dbg status -o json");
            assert_eq!(code, 0);
            let status = ::cilium::status::parse(&text).unwrap();
            let node = agent.value()["spec"]["nodeName"].as_str().unwrap().to_owned();
            assert_eq!(status.ipv4.unwrap().range.to_string(), lab.cidr(&node));
            let (_, text) = lab.exec(&agent, "cilium-dbg config --read-only -o json");
            assert_eq!(::cilium::status::ipam_mode(&text).unwrap(), "cluster-pool");
        }
        // What is done stays done: nothing is left that keeps a virtual clock busy.
        lab.pass(30).await;
        let revision = lab.store.revision();
        lab.pass(3600).await;
        assert_eq!(lab.store.revision(), revision);
    });
}

#[test]
fn the_same_seed_gives_the_same_cluster() {
    let run = |seed| {
        virtually(async move {
            let lab = Lab::with_pool("1.19.1", 3, seed, &["10.0.0.0/8"], 24).await;
            lab.deploy("alpine", 5);
            lab.until("alpine is ready", 60, |lab| lab.ready("app", "alpine", 5)).await;
            let objects = Resource::all().flat_map(|resource| lab.all(resource));
            objects.map(|object| object.value().to_string()).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[rstest]
#[case::overlap("10.0.0.0/16 10.0.0.0/8", "collides with clusterCIDR: 10.0.0.0/16, nodeMask: 24")]
#[case::syntax("10.0.0.0", "10.0.0.0")]
fn a_refused_pool_makes_the_operator_crash(
    #[case] pool: &str,
    #[case] words: &str,
    #[values("1.18.4", "1.20.2")] version: &str,
) {
    virtually(async {
        let lab = Lab::with_pool(version, 1, 1, &["10.0.0.0/16"], 24).await;
        let before = lab.ipam();
        lab.configure(&[("cluster-pool-ipv4-cidr", pool)]);
        let old = lab.pods("app.kubernetes.io/name", "cilium-operator");
        lab.delete(Resource::Pod, "kube-system", &old[0].meta.name);
        lab.until("CrashLoopBackOff", 120, |lab| {
            lab.pods("app.kubernetes.io/name", "cilium-operator").iter().any(|pod| {
                let status = &pod.value()["status"]["containerStatuses"][0];
                status["state"]["waiting"]["reason"] == "CrashLoopBackOff" && status["restartCount"].as_u64() > Some(0)
            })
        })
        .await;
        let operator = lab.pods("app.kubernetes.io/name", "cilium-operator").remove(0);
        let last = &operator.value()["status"]["containerStatuses"][0]["lastState"]["terminated"];
        assert_eq!(last["exitCode"], 1);
        assert!(last["message"].as_str().unwrap().contains(words), "{last}");
        assert!(lab.log(&operator).contains(words));
        assert_eq!(lab.ipam(), before);
        // Mended, the pod that is there recovers by itself once its volume is up to date.
        lab.configure(&[("cluster-pool-ipv4-cidr", "10.0.0.0/16")]);
        lab.until("the operator runs", 900, |lab| {
            lab.ready("app.kubernetes.io/name", "cilium-operator", 1)
                && lab
                    .log(&lab.pods("app.kubernetes.io/name", "cilium-operator")[0])
                    .contains("Initialization complete")
        })
        .await;
    });
}

#[test]
fn an_unknown_mode_makes_agents_crash() {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 1, 1, &["10.0.0.0/16"], 24).await;
        lab.configure(&[("ipam", "cluster-role")]);
        for agent in lab.pods("app.kubernetes.io/name", "cilium-agent") {
            lab.delete(Resource::Pod, "kube-system", &agent.meta.name);
        }
        lab.until("CrashLoopBackOff", 120, |lab| {
            let agents = lab.pods("app.kubernetes.io/name", "cilium-agent");
            agents.len() == 2
                && agents.iter().all(|pod| {
                    pod.value()["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
                })
        })
        .await;
        let agent = lab.pods("app.kubernetes.io/name", "cilium-agent").remove(0);
        assert!(lab.log(&agent).contains("Unknown IPAM backend cluster-role"));
        // New pods are kept away.
        lab.deploy("alpine", 1);
        lab.pass(30).await;
        let pod = lab.pods("app", "alpine").remove(0);
        let message = pod.value()["status"]["conditions"][0]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("node(s) had untolerated taint {node.cilium.io/agent-not-ready: }"), "{message}");
    });
}

#[test]
fn a_full_pool_leaves_a_node_without() {
    virtually(async {
        let lab = Lab::boot("1.18.4", shape("1.18.4", 2, 3)).await;
        lab.install(&::cilium::values::IpamValues {
            ipv4_pools: vec!["10.0.0.0/23".to_owned()],
            ..::cilium::values::IpamValues::default()
        });
        lab.until("two have their range, one is refused", 60, |lab| {
            let ipam = lab.ipam();
            ipam.len() == 3
                && ipam.values().filter(|(cidrs, error)| cidrs.len() == 1 && error.is_none()).count() == 2
                && ipam
                    .values()
                    .filter(|(cidrs, error)| cidrs.is_empty() && error.as_deref() == Some("allocator full"))
                    .count()
                    == 1
        })
        .await;
        let starving = lab.ipam().into_iter().find(|(_, (cidrs, _))| cidrs.is_empty()).unwrap().0;
        let agents = lab.pods("app.kubernetes.io/name", "cilium-agent");
        let agent = agents.iter().find(|pod| pod.meta.field("spec.nodeName") == Some(&starving)).unwrap();
        assert!(!Lab::is_ready(agent));
        assert!(lab.log(agent).contains("required IPv4 PodCIDR not available"));
    });
}

#[test]
fn a_node_gets_a_new_range_when_its_object_is_deleted() {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 2, 5, &["10.0.0.0/16"], 24).await;
        lab.delete(Resource::CiliumNode, "", "sim-worker");
        lab.pass(2).await;
        let agents = lab.pods("app.kubernetes.io/name", "cilium-agent");
        let agent = agents.iter().find(|pod| pod.meta.field("spec.nodeName") == Some("sim-worker")).unwrap();
        lab.delete(Resource::Pod, "kube-system", &agent.meta.name);
        lab.until("it is back", 60, |lab| {
            lab.ready("app.kubernetes.io/name", "cilium-agent", 3) && lab.ipam().len() == 3
        })
        .await;
        assert_eq!(lab.cidr("sim-worker"), "10.0.3.0/24", "next-fit: not its old one");
    });
}

#[test]
fn core_dns_heals_itself() {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 2, 9, &["10.77.0.0/16"], 24).await;
        let old: Vec<_> = lab.pods("k8s-app", "kube-dns").iter().map(|pod| pod.meta.uid.clone()).collect();
        lab.configure(&[("ipam", "kubernetes")]);
        lab.agents_replaced().await;
        lab.until("CoreDNS is replaced", 150, |lab| {
            lab.ready("k8s-app", "kube-dns", 2)
                && lab.pods("k8s-app", "kube-dns").iter().all(|pod| !old.contains(&pod.meta.uid))
        })
        .await;
        for pod in lab.pods("k8s-app", "kube-dns") {
            let node = pod.meta.field("spec.nodeName").unwrap().to_owned();
            let net: ipnet::IpNet = lab.node_cidr(&node).parse().unwrap();
            assert!(net.contains(&pod.meta.field("status.podIP").unwrap().parse::<std::net::IpAddr>().unwrap()));
        }
    });
}

#[rstest]
#[case::agent(Fault::AgentCrash { node: "sim-worker".to_owned() })]
#[case::operator(Fault::OperatorCrash)]
#[case::leader(Fault::LostLeader)]
fn a_crash_changes_nothing_for_good(#[case] fault: Fault) {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 2, 4, &["10.0.0.0/16"], 24).await;
        lab.deploy("alpine", 3);
        lab.until("alpine is ready", 60, |lab| lab.ready("app", "alpine", 3)).await;
        lab.pass(5).await;
        let (ipam, pods, routers) = (lab.ipam(), lab.addresses("app", "alpine"), lab.cilium_nodes());
        lab.world.inflict(&fault).unwrap();
        lab.pass(60).await;
        assert!(lab.is_up());
        assert_eq!(lab.ipam(), ipam);
        assert_eq!(lab.addresses("app", "alpine"), pods);
        for (name, node) in lab.cilium_nodes() {
            assert_eq!(node.router_ips, routers[&name].router_ips);
        }
    });
}

#[test]
fn a_lost_node_comes_back() {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 2, 4, &["10.0.0.0/16"], 24).await;
        lab.deploy("alpine", 4);
        lab.until("alpine is ready", 60, |lab| lab.ready("app", "alpine", 4)).await;
        lab.world.stop_node("sim-worker2").unwrap();
        lab.pass(60).await;
        let node = lab.store.get(Resource::Node, "", "sim-worker2").unwrap().value();
        let taints = node["spec"]["taints"].as_array().unwrap();
        assert!(taints.iter().any(|taint| taint["key"] == "node.kubernetes.io/unreachable"), "{taints:?}");
        // Deleted, its CiliumNode and its pods go too.
        lab.delete(Resource::Node, "", "sim-worker2");
        assert!(lab.store.find(Resource::CiliumNode, "", "sim-worker2").is_none());
        lab.until("alpine is elsewhere", 120, |lab| {
            lab.ready("app", "alpine", 4)
                && lab.addresses("app", "alpine").values().all(|(node, _)| node != "sim-worker2")
        })
        .await;
        let cidr = lab.ipam()["sim-worker"].0.clone();
        lab.world.start_node("sim-worker2").unwrap();
        lab.until("it is back", 120, |lab| lab.ipam().len() == 3 && lab.is_up()).await;
        assert_eq!(lab.ipam()["sim-worker"].0, cidr);
        assert_eq!(lab.ipam()["sim-worker2"].0.len(), 1);
        assert!(lab.world.start_node("sim-worker2").is_err());
        assert!(lab.world.stop_node("nobody").is_err());
    });
}

#[test]
fn deployments_roll_scale_and_undo() {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 2, 6, &["10.0.0.0/16"], 24).await;
        lab.deploy("alpine", 3);
        lab.until("alpine is ready", 60, |lab| lab.ready("app", "alpine", 3)).await;
        let nodes: std::collections::BTreeSet<String> =
            lab.addresses("app", "alpine").into_values().map(|(node, _)| node).collect();
        assert_eq!(nodes.len(), 2, "spread over the workers");
        let status =
            |lab: &Lab| lab.store.get(Resource::Deployment, "alpine", "alpine").unwrap().value()["status"].clone();
        lab.until("complete", 10, |lab| {
            let status = status(lab);
            status["availableReplicas"] == 3 && status["observedGeneration"] == 1
        })
        .await;
        assert_eq!(status(&lab)["conditions"][1]["reason"], "NewReplicaSetAvailable", "{}", status(&lab));
        lab.workload_rolled("alpine", 3).await;
        lab.until("two revisions", 10, |lab| {
            lab.store.list(Resource::ReplicaSet, Some("alpine"), &crate::store::Selection::all()).0.len() == 2
        })
        .await;
        lab.store.mutate(Resource::Deployment, "alpine", "alpine", |one| one["spec"]["replicas"] = 5.into()).unwrap();
        lab.until("five", 30, |lab| lab.ready("app", "alpine", 5)).await;
        lab.store.mutate(Resource::Deployment, "alpine", "alpine", |one| one["spec"]["replicas"] = 0.into()).unwrap();
        lab.until("none", 30, |lab| lab.pods("app", "alpine").is_empty() && status(lab).get("replicas").is_none())
            .await;
        lab.delete(Resource::Namespace, "", "alpine");
        lab.until("the namespace is gone", 60, |lab| lab.store.find(Resource::Namespace, "", "alpine").is_none()).await;
    });
}
