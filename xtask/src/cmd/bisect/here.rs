//! Whether a candidate can be tried on this machine: its chart and its images.

use std::collections::BTreeSet;

use bisect::Candidate;
use cluster::{doctor, helm};
use serde_json::{Map, Value};

use super::Settings;
use crate::versions::versions;

/// What this machine has.
pub(super) struct Here {
    settings: Settings,
    /// Images in Docker, or why that is not known.
    docker: Result<BTreeSet<String>, String>,
}

impl Here {
    pub(super) async fn look(settings: Settings) -> Self {
        let docker = doctor::images_in_docker(settings.clone()).await;
        Self { settings, docker }
    }

    fn has_image(&self, image: &str) -> bool {
        self.docker.as_ref().is_ok_and(|images| images.contains(image))
    }

    /// Whether nothing needs to be fetched for it.
    pub(super) fn has(&self, candidate: &Candidate) -> bool {
        let chart = self.settings.chart_file(&candidate.version.to_string()).is_some_and(|file| file.is_file());
        chart && candidate.images(versions()).iter().all(|image| self.has_image(image))
    }

    /// Values that make the chart take a candidate's own images.
    pub(super) fn values(&self, candidate: &Candidate) -> Map<String, Value> {
        if candidate.tag.is_none() {
            return Map::new();
        }
        cilium::values::with_images(&candidate.images(versions()), |image| self.has_image(image))
    }

    async fn one(&self, candidate: &Candidate) -> Result<(), String> {
        let version = candidate.version.to_string();
        helm::chart_there(self.settings.clone(), &version).await.map_err(|why| format!("chart: {why}"))?;
        let docker = self.docker.as_ref().map_err(|why| format!("images: {why}"))?;
        let mut wanted = versions().images(&format!("v{version}"));
        if candidate.tag.is_some() {
            let own = candidate.images(versions());
            let (there, absent): (Vec<_>, Vec<_>) = own.iter().zip(&wanted).partition(|(own, _)| docker.contains(*own));
            if there.is_empty() {
                return Err(format!("images: Docker has none of {}", own.join(", ")));
            }
            wanted = absent.into_iter().map(|(_, released)| released.clone()).collect();
        }
        for image in wanted.iter().filter(|image| !docker.contains(*image)) {
            let had = doctor::image_to_be_had(self.settings.clone(), image).await;
            had.map_err(|why| format!("image {image} is not in Docker, and its registry does not give it: {why}"))?;
        }
        Ok(())
    }
}

/// Whether each can be had, and why not.
pub(super) async fn to_be_had(here: &Here, candidates: &[Candidate]) -> Vec<Result<(), String>> {
    // A task for each would need what is here to be shared for ever; one after the other is a second where nothing must be fetched.
    let mut all = Vec::new();
    for candidate in candidates {
        all.push(here.one(candidate).await);
    }
    all
}
