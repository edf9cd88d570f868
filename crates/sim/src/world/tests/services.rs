//! Endpoints and EndpointSlices follow the pods of their Services.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lab::{Lab, virtually};
use crate::store::{Resource, WriteOptions};

/// What the Endpoints of a Service say, and what its slices say.
fn both(lab: &Lab, namespace: &str, service: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let old = lab.store.find(Resource::Endpoints, namespace, service).map(|one| one.value()).unwrap_or_default();
    let subsets = old["subsets"].as_array().cloned().unwrap_or_default();
    let old = subsets.iter().flat_map(|one| one["addresses"].as_array().unwrap()).map(|one| text(&one["ip"])).collect();
    let slices = lab.all(Resource::EndpointSlice).into_iter();
    let own = slices.filter(|one| one.meta.label("kubernetes.io/service-name") == Some(service));
    let ready = own.flat_map(|one| one.value()["endpoints"].as_array().cloned().unwrap_or_default());
    let ready = ready.filter(|one| one["conditions"]["ready"] == true).map(|one| text(&one["addresses"][0])).collect();
    (old, ready)
}

fn addresses(lab: &Lab, name: &str) -> BTreeSet<String> {
    lab.pods("app", name).iter().map(|pod| pod.value()["status"]["podIP"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn they_hold_the_addresses_of_ready_pods() {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 2, 3, &["10.0.0.0/8"], 24).await;
        let service = json!({
            "metadata": {"name": "alpine"},
            "spec": {"selector": {"app": "alpine"}, "ports": [{"name": "web", "port": 80, "targetPort": 8080}]},
        });
        lab.deploy("alpine", 3);
        lab.store.create(Resource::Service, "alpine", service, &WriteOptions::default()).unwrap();
        lab.until("three addresses", 60, |lab| both(lab, "alpine", "alpine").1.len() == 3).await;
        let (old, new) = both(&lab, "alpine", "alpine");
        assert_eq!((&old, &new), (&addresses(&lab, "alpine"), &addresses(&lab, "alpine")));
        let slices = || lab.all(Resource::EndpointSlice).into_iter().filter(|one| &*one.meta.namespace == "alpine");
        let slice = slices().next().unwrap();
        assert_eq!(slice.value()["ports"], json!([{"name": "web", "port": 8080, "protocol": "TCP"}]));
        // Scaled down to nothing, the slice stays, empty; and one pod comes back into the same.
        let scale = |replicas: u32| {
            lab.store.mutate(Resource::Deployment, "alpine", "alpine", |one| one["spec"]["replicas"] = replicas.into())
        };
        scale(0).unwrap();
        let nobody = |lab: &Lab| lab.pods("app", "alpine").is_empty() && both(lab, "alpine", "alpine").0.is_empty();
        lab.until("nobody is left", 60, nobody).await;
        lab.pass(60).await;
        let left = slices().next().unwrap();
        assert_eq!((&left.meta.name, &left.value()["endpoints"]), (&slice.meta.name, &Value::Null));
        scale(1).unwrap();
        lab.until("one address", 60, |lab| both(lab, "alpine", "alpine").1.len() == 1).await;
        assert_eq!(
            slices().map(|one| one.meta.name.clone()).collect::<Vec<_>>(),
            std::slice::from_ref(&slice.meta.name)
        );
        lab.delete(Resource::Service, "alpine", "alpine");
        lab.until("no endpoints are left", 10, |lab| {
            slices().count() == 0 && lab.store.find(Resource::Endpoints, "alpine", "alpine").is_none()
        })
        .await;
    });
}

#[test]
fn a_large_service_has_slices_of_a_hundred() {
    virtually(async {
        let lab = Lab::with_pool("1.19.1", 3, 3, &["10.0.0.0/8"], 24).await;
        lab.deploy("alpine", 230);
        let service =
            json!({"metadata": {"name": "alpine"}, "spec": {"selector": {"app": "alpine"}, "ports": [{"port": 80}]}});
        lab.store.create(Resource::Service, "alpine", service, &WriteOptions::default()).unwrap();
        lab.until("all addresses", 120, |lab| both(lab, "alpine", "alpine").1.len() == 230).await;
        let slices = lab.all(Resource::EndpointSlice).into_iter().filter(|one| &*one.meta.namespace == "alpine");
        let mut sizes: Vec<usize> = slices.map(|one| one.value()["endpoints"].as_array().unwrap().len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes.iter().sum::<usize>(), 230);
        assert!(sizes.iter().all(|size| *size <= 100) && sizes.len() <= 4, "{sizes:?}");
    });
}

#[test]
fn the_cluster_s_own_services_have_theirs() {
    virtually(async {
        let lab = Lab::with_pool("1.20.2", 2, 3, &["10.0.0.0/8"], 24).await;
        lab.until("CoreDNS has both", 60, |lab| both(lab, "kube-system", "kube-dns").0.len() == 2).await;
        assert_eq!(both(&lab, "default", "kubernetes").0, BTreeSet::from(["172.18.0.2".to_owned()]));
        assert_eq!(both(&lab, "default", "kubernetes").1.len(), 1);
        // hubble-peer selects the agents, which have their nodes' addresses.
        assert_eq!(both(&lab, "kube-system", "hubble-peer").0.len(), 3);
    });
}
