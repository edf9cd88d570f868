//! `cilium-config` as processes have read it. Thousands of agents share a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::world::or_default;

use crate::store::{Resource, Store};

/// The data of the ConfigMap.
pub(crate) type Data = Arc<BTreeMap<String, String>>;

/// The newest version that somebody has read.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    newest: Option<(u64, Data)>,
}

impl Configs {
    /// The data now; none if there is no such ConfigMap.
    pub(crate) fn read(&mut self, store: &Store) -> Option<Data> {
        #[derive(Deserialize)]
        struct View {
            #[serde(default, deserialize_with = "or_default")]
            data: BTreeMap<String, String>,
        }
        let object = store.find(Resource::ConfigMap, cilium::components::NAMESPACE, cilium::config::CONFIG_MAP)?;
        let version = object.meta.resource_version;
        if let Some((known, data)) = &self.newest
            && *known == version
        {
            return Some(data.clone());
        }
        let data = Arc::new(object.read::<View>().map(|view| view.data).unwrap_or_default());
        self.newest = Some((version, Data::clone(&data)));
        Some(data)
    }
}
