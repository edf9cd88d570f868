//! `configure`, `backup`, `restore`: the ConfigMap `cilium-config`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Done, object};
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::Session;

/// Merge-patches the data; `None` removes a key.
pub(super) async fn configure(
    session: &mut Session,
    deadline: Instant,
    keys: &BTreeMap<String, Option<String>>,
) -> Result<Done, StepError> {
    let changed: Vec<String> = keys
        .iter()
        .map(|(key, value)| {
            let show = |value: Option<&str>| value.map_or_else(|| "-".to_owned(), |v| format!("\"{v}\""));
            format!("{key}: {} -> {}", show(session.world.config_value(key)), show(value.as_deref()))
        })
        .collect();
    let data: Map<String, Value> = keys.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    patch(session, deadline, data).await?;
    Ok(Done::new(changed.join(", ")))
}

async fn patch(session: &mut Session, deadline: Instant, data: Map<String, Value>) -> Result<(), StepError> {
    let kind = KindName::new("v1", "ConfigMap");
    let namespace = Some(cilium::components::NAMESPACE);
    let patch = json!({"data": data});
    object::merge(session, deadline, &kind, namespace, cilium::config::CONFIG_MAP, None, &patch).await?;
    Ok(())
}

/// Keeps the data as it is now.
pub(super) fn backup(session: &mut Session) -> Result<Done, StepError> {
    session.drain()?;
    let config = (*session.world.config).clone();
    if config.is_empty() {
        let message = "cilium-config is not there: nothing to back up".to_owned();
        return Err(StepError::Mismatch { message, mismatches: Vec::new() });
    }
    let keys = config.len();
    session.backup = Some(config);
    Ok(Done::new(format!("{keys} keys of cilium-config kept")))
}

/// Puts the kept data back: what was added since is removed again.
pub(super) async fn restore(session: &mut Session, deadline: Instant) -> Result<Done, StepError> {
    let Some(backup) = session.backup.clone() else {
        return Err(StepError::Input { message: "there is no backup of cilium-config to restore".to_owned() });
    };
    session.drain()?;
    let mut data: Map<String, Value> = Map::new();
    for (key, value) in &backup {
        if session.world.config_value(key) != Some(value) {
            data.insert(key.clone(), json!(value));
        }
    }
    for key in session.world.config.keys().filter(|key| !backup.contains_key(*key)) {
        data.insert(key.clone(), Value::Null);
    }
    let keys: Vec<String> = data.keys().cloned().collect();
    if keys.is_empty() {
        return Ok(Done::new("nothing differs from the backup"));
    }
    patch(session, deadline, data).await?;
    Ok(Done::new(format!("put back: {}", keys.join(", "))))
}
