//! What a real cluster did when its IPAM mode and pool were changed, step by step (recorded on kind with Cilium 1.18.4, 1.19.1 and
//! 1.20.2).

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;

use super::lab::{Lab, virtually};

/// Steps 1 to 9: to mode kubernetes, back, and to another pool.
#[rstest]
fn there_and_back(#[values("1.18.4", "1.19.1")] version: &str, #[values(1, 2)] seed: u64) {
    virtually(async {
        let lab = Lab::with_pool(version, 2, seed, &["10.0.0.0/8"], 24).await;
        lab.deploy("alpine", 3);
        lab.until("alpine is ready", 60, |lab| lab.ready("app", "alpine", 3)).await;
        lab.pass(5).await;

        let first = lab.ipam();
        let cidrs: BTreeSet<String> = first.values().map(|(cidrs, _)| cidrs.join(",")).collect();
        assert_eq!(cidrs, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"].map(str::to_owned).into());
        assert!(first.values().all(|(_, error)| error.is_none()));
        assert!(lab.cilium_nodes().values().all(|node| node.operator_status_present));
        assert!(lab.every_address("alpine", 3, |node| lab.cidr(node)));
        let pods = lab.addresses("app", "alpine");

        lab.configure(&[("ipam", "kubernetes")]);
        lab.pass(10).await;
        assert_eq!(lab.ipam(), first);

        lab.agents_replaced().await;
        let expected: BTreeMap<String, (Vec<String>, Option<String>)> = first
            .iter()
            .map(|(node, (old, _))| {
                let own = lab.node_cidr(node);
                let error =
                    format!("node has CIDRs allocated ([{}]) that conflict with requested CIDRs [{own}]", old[0]);
                (node.clone(), (vec![own], Some(error)))
            })
            .collect();
        assert_eq!(lab.ipam(), expected);
        assert_eq!(lab.addresses("app", "alpine"), pods);
        // The pods run on, known to nobody.
        for pod in lab.pods("app", "alpine") {
            assert!(lab.store.find(crate::store::Resource::CiliumEndpoint, "alpine", &pod.meta.name).is_none());
            let other =
                pods.values().find(|(_, ip)| pod.meta.field("status.podIP") != ip.map(|ip| ip.to_string()).as_deref());
            let (code, _) = lab.exec(&pod, &format!("ping -c1 -W1 {}", other.unwrap().1.unwrap()));
            assert_eq!(code, 1);
        }

        lab.workload_rolled("alpine", 3).await;
        assert!(lab.every_address("alpine", 3, |node| lab.node_cidr(node)));
        let pods = lab.addresses("app", "alpine");
        let all = lab.pods("app", "alpine");
        let other =
            pods.values().find(|(_, ip)| all[0].meta.field("status.podIP") != ip.map(|ip| ip.to_string()).as_deref());
        assert_eq!(lab.exec(&all[0], &format!("ping -c1 -W1 {}", other.unwrap().1.unwrap())).0, 0);

        lab.operator_replaced().await;
        assert_eq!(lab.ipam(), expected, "nobody clears the error");

        lab.configure(&[("ipam", "cluster-pool")]);
        lab.agents_replaced().await;
        assert_eq!(lab.ipam(), expected);
        assert_eq!(lab.addresses("app", "alpine"), pods);

        lab.operator_replaced().await;
        let kept: BTreeMap<_, _> =
            expected.iter().map(|(node, (own, _))| (node.clone(), (own.clone(), None))).collect();
        assert_eq!(lab.ipam(), kept);

        lab.configure(&[("cluster-pool-ipv4-cidr", "192.168.0.0/16")]);
        lab.operator_replaced().await;
        let refused: BTreeMap<_, _> = kept
            .iter()
            .map(|(node, (own, _))| {
                let error = format!("allocator not configured for the requested CIDR {}", own[0]);
                (node.clone(), (own.clone(), Some(error)))
            })
            .collect();
        assert_eq!(lab.ipam(), refused);

        lab.agents_replaced().await;
        lab.workload_rolled("alpine", 3).await;
        assert_eq!(lab.ipam(), refused);
        assert!(lab.every_address("alpine", 3, |node| lab.node_cidr(node)));
    });
}

/// 1.20 writes its own CIDRs back, with the error for a second.
#[rstest]
fn one_twenty_takes_the_spec_back(#[values(1, 2)] seed: u64) {
    virtually(async {
        let lab = Lab::with_pool("1.20.2", 2, seed, &["10.0.0.0/8"], 24).await;
        lab.deploy("alpine", 3);
        lab.until("alpine is ready", 60, |lab| lab.ready("app", "alpine", 3)).await;
        let first = lab.ipam();
        lab.configure(&[("ipam", "kubernetes")]);
        let mut changes = lab.store.list_and_watch(crate::store::Resource::CiliumNode, None).2;
        lab.agents_replaced().await;
        assert_eq!(lab.ipam(), first);
        let mut flashed = BTreeSet::new();
        while let Some(change) = changes.try_next() {
            let node = ::cilium::CiliumNode::from_value(&change.object.value()).unwrap();
            if let Some(error) = node.error {
                let (old, own) = (&first[&node.name].0[0], lab.node_cidr(&node.name));
                assert_eq!(
                    error,
                    format!("node has CIDRs allocated ([{old}]) that conflict with requested CIDRs [{own}]")
                );
                flashed.insert(node.name);
            }
        }
        assert_eq!(flashed.len(), 3);
        // The agents do not look at their objects: they serve from the Node's range.
        lab.workload_rolled("alpine", 3).await;
        assert!(lab.every_address("alpine", 3, |node| lab.node_cidr(node)));
    });
}
