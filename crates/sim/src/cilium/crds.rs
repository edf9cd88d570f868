//! The CustomResourceDefinitions that an operator registers when it begins to lead.

use cilium::group::{CILIUM_NODE, SCHEMA_VERSION_LABEL, schema_version};
use ipam::Release;
use ipam::version::Behaviour;
use serde_json::Value;

use crate::api::cilium_crds;
use crate::store::{Resource, WriteOptions};
use crate::tree::ToTree as _;
use crate::world::{Context, Key};

/// Creates what is missing and brings schemas of other releases up to date.
pub(super) fn register(cx: &Context, release: Release) {
    for crd in cilium_crds() {
        let crd = of_release(crd, release);
        let name = crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if cx.store.find(Resource::CustomResourceDefinition, "", &name).is_some() {
            cx.change(Resource::CustomResourceDefinition, &Key::new("", &name), |old| {
                old["spec"]["versions"] = crd["spec"]["versions"].to_tree();
                old["metadata"]["labels"] = crd["metadata"]["labels"].to_tree();
            });
        } else {
            // It was looked for just now.
            let _ = cx.store.create(Resource::CustomResourceDefinition, "", crd, &WriteOptions::default());
        }
    }
}

/// The definitions differ in what matters here by one thing: from 1.20 on a podCIDR has to be a CIDR.
fn of_release(mut crd: Value, release: Release) -> Value {
    if let Some(version) = schema_version(release.minor()) {
        crd["metadata"]["labels"][SCHEMA_VERSION_LABEL] = version.into();
    }
    if crd["spec"]["names"]["kind"] == CILIUM_NODE
        && let Some(items) = crd.pointer_mut(
            "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/ipam/properties/podCIDRs/items",
        )
        && let Some(items) = items.as_object_mut()
    {
        if release.has(Behaviour::ValidatesPodCidrs) {
            items.insert("format".to_owned(), "cidr".into());
        } else {
            items.remove("format");
        }
    }
    crd
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.19.1", None, "1.32.6")]
    #[case("1.20.2", Some("cidr"), "1.33.12")]
    fn a_pod_cidr_must_be_one_from_1_20_on(#[case] version: &str, #[case] format: Option<&str>, #[case] label: &str) {
        let crds = cilium_crds().into_iter().map(|crd| of_release(crd, version.parse().unwrap()));
        let crd = crds.into_iter().find(|crd| crd["spec"]["names"]["kind"] == CILIUM_NODE).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let items = &schema["properties"]["spec"]["properties"]["ipam"]["properties"]["podCIDRs"]["items"];
        assert_eq!(items["type"], "string");
        assert_eq!(items["format"].as_str(), format);
        assert_eq!(crd["metadata"]["labels"][SCHEMA_VERSION_LABEL], label);
    }
}
