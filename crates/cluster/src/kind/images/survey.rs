//! Which images Docker has, and whether their layers can be shared.

use futures::future::join_all;
use serde::Deserialize;

use super::Shared;
use crate::ImageMode;
use crate::error::Fault;
use crate::kind::containers::ASK;
use crate::tools::Door;

/// An image that Docker has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::kind) struct Image {
    /// As asked for.
    #[serde(skip)]
    pub(super) name: String,
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(default)]
    pub(super) variant: Option<String>,
    #[serde(default)]
    pub(super) created: Option<String>,
    #[serde(default)]
    pub(super) size: u64,
    /// The image's own configuration, handed on as it is.
    #[serde(default)]
    pub(super) config: serde_json::Value,
    #[serde(rename = "RootFS")]
    pub(super) root: Root,
    #[serde(default)]
    pub(super) graph_driver: Option<GraphDriver>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Root {
    #[serde(default)]
    pub(super) layers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GraphDriver {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) data: Option<GraphData>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GraphData {
    #[serde(default)]
    pub(super) lower_dir: String,
    #[serde(default)]
    pub(super) upper_dir: String,
}

/// What `docker info` says about how it keeps images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Engine {
    pub(super) driver: String,
    pub(super) operating_system: String,
    pub(super) security_options: Vec<String>,
}

/// What was found.
#[derive(Debug)]
pub(in crate::kind) struct Survey {
    pub(in crate::kind) present: Vec<Image>,
    pub(in crate::kind) missing: Vec<String>,
    pub(in crate::kind) shared: Option<Shared>,
    /// Why layers are not shared, if they are not.
    pub(in crate::kind) streamed_because: Option<String>,
}

impl Survey {
    pub(super) fn names(&self) -> Vec<String> {
        self.present.iter().map(|image| image.name.clone()).collect()
    }
}

/// Asks Docker about all images at once.
pub(in crate::kind) async fn survey(door: &Door, wanted: &[String], mode: ImageMode) -> Result<Survey, Fault> {
    let fault = |error| Fault::tool("look for images of", &error);
    let mut names: Vec<&String> = Vec::new();
    for name in wanted {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let info = async {
        let out = door.docker("read Docker's set-up", ASK, ["info", "--format", "{{json .}}"]).await?;
        Ok(serde_json::from_str::<Engine>(&out.stdout).unwrap_or_default())
    };
    let looks = names.iter().map(|name| async move {
        match door.docker("look for image", ASK, ["image", "inspect", name.as_str()]).await {
            Ok(out) => Ok(Some(out.stdout)),
            Err(error) if error.says("no such image") || error.says("no such object") => Ok(None),
            Err(error) => Err(error),
        }
    });
    let (engine, found) = tokio::join!(info, join_all(looks));
    let engine = engine.map_err(fault)?;
    let (mut present, mut missing) = (Vec::new(), Vec::new());
    for (name, text) in names.into_iter().zip(found) {
        let Some(text) = text.map_err(fault)? else {
            missing.push(name.clone());
            continue;
        };
        let [mut image]: [Image; 1] = serde_json::from_str(&text)
            .map_err(|error| Fault::new("look for images of", format!("docker image inspect {name}: {error}")))?;
        image.name.clone_from(name);
        present.push(image);
    }
    let plan = match mode {
        ImageMode::Stream => Err("IPAM_E2E_IMAGES=stream".to_owned()),
        ImageMode::Auto => Shared::plan(&present, &engine),
    };
    let (shared, streamed_because) = match plan {
        Ok(shared) => (Some(shared), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Survey { present, missing, shared, streamed_because })
}
