//! `versions`: what is known, and what is here of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use cluster::Settings;
use semver::Version;
use serde_json::{Value, json};
use versions::Catalogue;

use crate::cli::Versions;
use crate::outcome::BadInput;
use crate::provider;
use crate::versions::{all, versions};

pub(crate) fn run(args: &Versions) -> Result<u8> {
    if args.check {
        return check(args.json);
    }
    let known = versions();
    let settings = provider::settings(&args.sources)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let docker = runtime.block_on(cluster::doctor::images_in_docker(settings.clone()));
    let asked = all(&args.only);
    let listed = if asked.is_empty() { known.with_clusters().collect() } else { asked };
    let here = Here { known, settings: &settings, docker: docker.as_ref().ok() };
    if args.json {
        let cilium: Vec<Value> = listed.iter().map(|version| here.as_json(version)).collect();
        let kubernetes: Vec<Value> = here.node_images_as_json();
        let docker = docker.as_ref().err();
        say!("{:#}", json!({"cilium": cilium, "kubernetes": kubernetes, "dockerSays": docker}));
    } else {
        put!("{}", here.as_text(&listed));
        if let Err(why) = &docker {
            say!("Docker does not say which images it has: {why}");
        }
    }
    Ok(events::exit::PASSED)
}

fn check(as_json: bool) -> Result<u8> {
    let mut problems = versions::check(versions());
    // A model is no part of the file, but what it does not know cannot be simulated.
    for version in versions().all() {
        if let Err(error) = version.to_string().parse::<ipam::Release>() {
            problems.push(format!("cilium.releases: {error}"));
        }
    }
    if as_json {
        say!("{:#}", json!({"file": versions::FILE, "problems": problems}));
    }
    if !problems.is_empty() {
        let problems = problems.join("\n  ");
        return Err(BadInput(format!("{} is not in order\n  {problems}", versions::FILE)).into());
    }
    if !as_json {
        let (count, images) = (versions().all().count(), versions().kubernetes.node_images.len());
        say!("{}: {count} versions of Cilium, {images} of Kubernetes, in order", versions::FILE);
    }
    Ok(events::exit::PASSED)
}

/// What can be seen of versions on this machine.
struct Here<'a> {
    known: &'a Catalogue,
    settings: &'a Settings,
    /// Images that Docker has, where it says.
    docker: Option<&'a BTreeSet<String>>,
}

impl Here<'_> {
    fn has(&self, image: &str) -> Option<bool> {
        self.docker.map(|images| images.contains(image))
    }

    fn marks(&self, version: &Version) -> Vec<&'static str> {
        let cilium = &self.known.cilium;
        let marks = [(*version == cilium.default, "default"), (cilium.proven.contains(version), "proven")];
        marks.into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect()
    }

    /// The archive in the chart folder, if it is there.
    fn chart(&self, version: &Version) -> Option<camino::Utf8PathBuf> {
        self.settings.chart_file(&version.to_string()).filter(|file| file.is_file())
    }

    fn as_json(&self, version: &Version) -> Value {
        let release = self.known.release(version);
        let kubernetes: Vec<String> =
            release.into_iter().flat_map(|release| &release.kubernetes).map(ToString::to_string).collect();
        let images = self.known.images(&format!("v{version}"));
        let images: Vec<Value> = images.iter().map(|image| json!({"image": image, "here": self.has(image)})).collect();
        json!({
            "version": version.to_string(),
            "default": *version == self.known.cilium.default,
            "proven": self.known.cilium.proven.contains(version),
            "kubernetes": kubernetes,
            "why": release.and_then(|release| release.why.as_deref()),
            "chart": {"file": self.chart(version), "repository": self.settings.chart_repo},
            "images": images,
        })
    }

    fn node_images_as_json(&self) -> Vec<Value> {
        let kubernetes = &self.known.kubernetes;
        let one = |(version, image): (&Version, &String)| {
            json!({
                "version": version.to_string(), "default": *version == kubernetes.default,
                "nodeImage": image, "here": self.has(image),
            })
        };
        kubernetes.node_images.iter().map(one).collect()
    }

    fn as_text(&self, listed: &[Version]) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{:9}{:17}{:12}{:33}images", "Cilium", "", "Kubernetes", "chart");
        for version in listed {
            let release = self.known.release(version);
            let kubernetes = match release.map(|release| release.kubernetes.as_slice()) {
                Some([first, .., last]) => format!("{first}-{last}"),
                Some([one]) => one.to_string(),
                _ => "none".to_owned(),
            };
            let chart = match self.chart(version) {
                Some(_) => "in the folder".to_owned(),
                None => format!("at {}", self.settings.chart_repo),
            };
            let wanted = self.known.images(&format!("v{version}"));
            let images = match self.docker {
                None => "not known".to_owned(),
                Some(docker) => {
                    let there = wanted.iter().filter(|image| docker.contains(*image)).count();
                    format!("{there} of {} in Docker", wanted.len())
                }
            };
            let marks = self.marks(version).join(", ");
            let _ = writeln!(text, "{:9}{marks:17}{kubernetes:12}{chart:32} {images}", version.to_string());
        }
        for release in &self.known.cilium.releases {
            let shown = release.versions().any(|version| listed.contains(&version));
            if let (true, Some(why)) = (shown, &release.why) {
                let _ = writeln!(text, "{}: {why}", release.minor);
            }
        }
        let kubernetes = &self.known.kubernetes;
        let _ = writeln!(text, "\nKubernetes        node image");
        for (version, image) in &kubernetes.node_images {
            let mark = if *version == kubernetes.default { "default" } else { "" };
            let here = match self.has(image) {
                None => "not known",
                Some(true) => "in Docker",
                Some(false) => "not in Docker",
            };
            let _ = writeln!(text, "{:9}{mark:9}{image:32} {here}", version.to_string());
        }
        text
    }
}
