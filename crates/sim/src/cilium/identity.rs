//! CiliumIdentities: one number for each set of labels.

use std::collections::BTreeMap;

use crate::store::{Resource, Store, Stored, WriteOptions};
use crate::tree::{Tree, tree};

/// The numbers that are given.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    numbers: BTreeMap<BTreeMap<String, String>, i64>,
}

/// Labels that say nothing about identity (pkg/labelsfilter, the defaults that matter here).
const IGNORED: [&str; 4] =
    ["pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name"];

impl Identities {
    /// The number of a pod's labels, and the labels as Cilium lists them. The CiliumIdentity is made if there is none.
    pub(crate) fn of(&mut self, store: &Store, pod: &Stored, cluster: &str, account: &str) -> (i64, Vec<String>) {
        let mut labels: BTreeMap<String, String> = pod
            .meta
            .labels
            .iter()
            .filter(|(key, _)| {
                !IGNORED.contains(&&**key) && !key.starts_with("k8s.io") && !key.starts_with("annotation.")
            })
            .map(|(key, value)| (format!("k8s:{key}"), value.to_string()))
            .collect();
        let namespace = &pod.meta.namespace;
        labels.insert("k8s:io.cilium.k8s.policy.cluster".to_owned(), cluster.to_owned());
        labels.insert("k8s:io.cilium.k8s.policy.serviceaccount".to_owned(), account.to_owned());
        labels.insert("k8s:io.kubernetes.pod.namespace".to_owned(), namespace.to_string());
        labels
            .insert("k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name".to_owned(), namespace.to_string());
        // Spread over the range that Cilium draws from (256 to 65535), the same for the same labels.
        let next = 256 + i64::try_from(self.numbers.len()).unwrap_or_default() * 7919 % 65_000;
        let number = *self.numbers.entry(labels.clone()).or_insert(next);
        if store.find(Resource::CiliumIdentity, "", &number.to_string()).is_none() {
            let security: Tree = labels.iter().map(|(key, value)| (key.clone(), tree!(value))).collect();
            let identity = tree!({
                "metadata": {
                    "name": number.to_string(),
                    "labels": {
                        "io.cilium.k8s.policy.cluster": cluster,
                        "io.cilium.k8s.policy.serviceaccount": account,
                        "io.kubernetes.pod.namespace": namespace,
                    },
                },
                "security-labels": security,
            });
            // Another agent was first: then it is there, which is all that counts.
            let _ = store.create(Resource::CiliumIdentity, "", identity, &WriteOptions::default());
        }
        (number, labels.iter().map(|(key, value)| format!("{key}={value}")).collect())
    }
}
