use std::collections::BTreeMap;
use std::sync::Arc;

use ::cilium::values::{IpamValues, with_ipam};
use ::cluster::{ClusterSpec, HelmAction, Progress, Provider};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams};
use rstest::rstest;

use super::{SimOptions, SimProvider, runtime};

struct Quiet;

impl Progress for Quiet {
    fn now(&self, _what: &str) {}
    fn warn(&self, _what: &str) {}
}

fn spec(cilium: &str) -> ClusterSpec {
    ClusterSpec {
        run: "r".to_owned(),
        scenario: "s".to_owned(),
        dir: "/nonexistent".into(),
        workers: 2,
        ip_family: "ipv4".to_owned(),
        pod_subnet: "10.224.0.0/16".to_owned(),
        service_subnet: "10.96.0.0/16".to_owned(),
        controller_manager: BTreeMap::new(),
        cilium: cilium.to_owned(),
        images: Vec::new(),
        later: Vec::new(),
        timeout_scale: 1.0,
    }
}

#[test]
fn serves_the_interface_of_every_cluster() {
    runtime(true).unwrap().block_on(async {
        let provider = SimProvider::new(SimOptions::default());
        let cluster = provider.create(&spec("1.19.1"), Arc::new(Quiet)).await.unwrap();
        cluster.ready().await.unwrap();
        let nodes: Api<Node> = Api::all(cluster.client());
        let names: Vec<String> = nodes
            .list(&ListParams::default())
            .await
            .unwrap()
            .into_iter()
            .filter_map(|node| node.metadata.name)
            .collect();
        assert_eq!(names, ["sim-control-plane", "sim-worker", "sim-worker2"]);
        let apply = |values| HelmAction::Apply { version: "1.19.1".to_owned(), values };
        cluster.helm(&apply(with_ipam(&IpamValues::default()))).await.unwrap();
        let pods: Api<Pod> = Api::namespaced(cluster.client(), "kube-system");
        let agents = ListParams::default().labels("k8s-app=cilium");
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        let agent = loop {
            let list = pods.list(&agents).await.unwrap().items;
            let ready = |pod: &&Pod| {
                let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
                conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
            };
            if list.iter().filter(ready).count() == 3 {
                break list[0].metadata.name.clone().unwrap();
            }
            assert!(tokio::time::Instant::now() < deadline);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        };
        let command = ::cilium::status::COMMAND.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let limit = std::time::Duration::from_secs(5);
        let answer = cluster.exec("kube-system", &agent, None, &command, limit).await.unwrap();
        assert!(::cilium::status::parse(&answer.stdout).unwrap().ipv4.is_some());
        let log = pods.logs(&agent, &kube::api::LogParams::default()).await.unwrap();
        assert!(log.contains("Initializing IPAM"), "{log}");
        let error = cluster.exec("kube-system", "nobody", None, &command, limit).await.unwrap_err();
        assert_eq!(error.to_string(), "exec in pod kube-system/nobody: pods \"nobody\" not found");
        cluster.helm(&HelmAction::Uninstall).await.unwrap();
        cluster.helm(&HelmAction::Uninstall).await.unwrap();
        cluster.destroy().await.unwrap();
        cluster.destroy().await.unwrap();
    });
}

#[test]
fn the_chart_refuses_in_its_own_words() {
    runtime(true).unwrap().block_on(async {
        let provider = SimProvider::new(SimOptions::default());
        let cluster = provider.create(&spec("1.18.4"), Arc::new(Quiet)).await.unwrap();
        let mut values = with_ipam(&IpamValues::default());
        values["ipam"]["operator"]["clusterPoolIPv4PodCIDR"] = "10.1.0.0/16".into();
        let action = HelmAction::Apply { version: "1.18.4".to_owned(), values };
        let error = cluster.helm(&action).await.unwrap_err();
        assert!(error.cause.contains("Value ipam.operator.clusterPoolIPv4PodCIDR removed"), "{error}");
    });
}

#[rstest]
#[case::version(ClusterSpec { cilium: "1.99.0".to_owned(), ..spec("") }, "unknown Cilium version \"1.99.0\" (known: ")]
#[case::subnet(ClusterSpec { pod_subnet: "nonsense".to_owned(), ..spec("1.19.1") }, "pod subnet \"nonsense\" is not a CIDR")]
#[case::services(ClusterSpec { service_subnet: "nonsense".to_owned(), ..spec("1.19.1") }, "service subnet \"nonsense\" is not a CIDR")]
#[case::mask(
    ClusterSpec { controller_manager: BTreeMap::from([("node-cidr-mask-size".to_owned(), "8".to_owned())]), ..spec("1.19.1") },
    "kube-controller-manager: controller-manager flag node-cidr-mask-size"
)]
fn refuses_what_cannot_be(#[case] spec: ClusterSpec, #[case] expected: &str) {
    runtime(true).unwrap().block_on(async {
        let provider = SimProvider::new(SimOptions::default());
        let error = provider.create(&spec, Arc::new(Quiet)).await.err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    });
}
