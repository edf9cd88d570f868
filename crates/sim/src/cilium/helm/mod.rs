//! Helm on the simulated cluster, for release `cilium` alone.

mod manifests;
mod merge;
mod release;

use std::collections::BTreeMap;

use ipam::Release;
use semver::Version;
use serde_json::{Map, Value};

use crate::store::{DeleteOptions, Part, Propagation, Resource, WriteOptions};
use crate::world::{Context, Key};
use manifests::Manifest;

/// The installed release, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Helm {
    installed: Option<Installed>,
    /// Counts on for as long as the release's records are there.
    revision: u32,
}

#[derive(Debug)]
struct Installed {
    version: Version,
    manifests: BTreeMap<(Resource, Key), Value>,
}

impl Helm {
    /// The version that is, or was last, installed.
    pub(crate) fn version(&self) -> String {
        self.installed.as_ref().map_or_else(|| "unknown".to_owned(), |installed| installed.version.to_string())
    }

    /// `helm upgrade --install` with complete values.
    pub(crate) fn apply(
        &mut self,
        cx: &Context,
        version: &Version,
        release: Release,
        values: &Map<String, Value>,
    ) -> Result<(), String> {
        let upgrade = self.installed.is_some();
        let fail = |text: &str| {
            if upgrade { format!("Error: UPGRADE FAILED: {text}") } else { format!("Error: {text}") }
        };
        let config = cilium::values::configmap_for(values, version).map_err(|error| fail(&error.to_string()))?;
        let old = self.installed.take().map(|installed| installed.manifests).unwrap_or_default();
        let mut new = BTreeMap::new();
        for Manifest { resource, key, mut value } in manifests::render(version, release, values, config) {
            release::own(&mut value);
            let before = old.get(&(resource, key.clone()));
            put(cx, resource, &key, before, &value).map_err(|error| fail(&error))?;
            new.insert((resource, key), value);
        }
        for (resource, key) in old.keys().filter(|id| !new.contains_key(*id)) {
            delete(cx, *resource, key);
        }
        self.revision += 1;
        release::record(cx, self.revision, version, values);
        self.installed = Some(Installed { version: version.clone(), manifests: new });
        Ok(())
    }

    /// `helm uninstall`.
    pub(crate) fn uninstall(&mut self, cx: &Context) -> Result<(), String> {
        let Some(installed) = self.installed.take() else {
            return Err("Error: uninstall: Release not loaded: cilium: release: not found".to_owned());
        };
        for (resource, key) in installed.manifests.keys() {
            delete(cx, *resource, key);
        }
        release::forget(cx, self.revision);
        self.revision = 0;
        Ok(())
    }
}

/// Creates an object, or brings what is there into agreement with the chart.
fn put(cx: &Context, resource: Resource, key: &Key, before: Option<&Value>, value: &Value) -> Result<(), String> {
    let Some(live) = cx.store.find(resource, &key.namespace, &key.name) else {
        return cx
            .store
            .create(resource, &key.namespace, value.clone(), &WriteOptions::default())
            .map(drop)
            .map_err(|status| status.to_string());
    };
    let empty = Value::Object(Map::new());
    let mut object = live.value();
    merge::three_way(before.unwrap_or(&empty), value, &mut object);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    let options = WriteOptions { part: Part::Main, dry_run: false };
    cx.store
        .update(resource, &key.namespace, &key.name, object, &options)
        .map(drop)
        .map_err(|status| status.to_string())
}

fn delete(cx: &Context, resource: Resource, key: &Key) {
    // Somebody else may have deleted it already.
    let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    let _ = cx.store.delete(resource, &key.namespace, &key.name, &options);
}
