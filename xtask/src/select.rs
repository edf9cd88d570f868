//! Finding and reading scenario files.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use scenario::{Diagnostic, Scenario, Severity};

use crate::cli::Selection;
use crate::outcome::{BadInput, NothingSelected};
use crate::project;
use crate::versions::versions;

/// What was read.
pub(crate) struct Read {
    /// Scenarios without an error that the selection takes, in order of name.
    pub(crate) scenarios: Vec<Arc<Scenario>>,
    /// All problems of all files.
    pub(crate) problems: Vec<Diagnostic>,
    /// How many files were read.
    pub(crate) files: usize,
}

/// Reads every file of `scenarios/`, and those that the selection names by path; takes what the selection asks for.
pub(crate) fn read(selection: &Selection) -> Result<Read> {
    let (paths, names): (Vec<&String>, Vec<&String>) = selection.scenarios.iter().partition(|one| is_path(one));
    let names: Vec<&str> = names.into_iter().map(|name| in_catalogue(name)).collect();
    let mut files = Vec::new();
    if paths.is_empty() || !names.is_empty() {
        files.extend(catalogue()?);
    }
    for path in &paths {
        let path = Utf8PathBuf::from(path);
        if !path.is_file() {
            return Err(BadInput(format!("{path}: there is no such file")).into());
        }
        if !files.contains(&path) {
            files.push(path);
        }
    }
    let bytes = files
        .iter()
        .map(|path| Ok((path.clone(), fs_err::read(path).with_context(|| format!("read {path}"))?)))
        .collect::<Result<Vec<_>>>()?;
    let (mut scenarios, mut problems) = scenario::parse_all(&bytes);
    let known: Vec<_> = versions().with_clusters().collect();
    problems.extend(scenarios.iter().flat_map(|one| scenario::unreached(one, &known)));
    let count = files.len();

    let patterns = names
        .iter()
        .map(|name| {
            glob::Pattern::new(name).map_err(|error| BadInput(format!("\"{name}\" is not a glob: {error}")).into())
        })
        .collect::<Result<Vec<_>>>()?;
    let broken = |name: &str| files.iter().any(|path| path.file_stem() == Some(name));
    for (name, pattern) in names.iter().zip(&patterns) {
        if !scenarios.iter().any(|one| takes(pattern, one)) && !broken(name) {
            let known = scenarios.iter().flat_map(|one| [one.name.clone(), folder(one)]);
            let near = known.min_by_key(|one| strsim::damerau_levenshtein(one, name));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(NothingSelected(format!(
                "no scenario matches \"{name}\"{hint} `cargo xtask list` shows them all"
            ))
            .into());
        }
    }
    let by_path = |scenario: &Scenario| paths.iter().any(|path| Utf8Path::new(path) == scenario.source.path);
    scenarios.retain(|scenario| {
        let named = selection.scenarios.is_empty() || by_path(scenario) || patterns.iter().any(|p| takes(p, scenario));
        let tagged = selection.tag.is_empty() || scenario.tags.iter().any(|tag| selection.tag.contains(tag));
        named && tagged
    });
    if scenarios.is_empty() && problems.iter().all(|problem| problem.severity != Severity::Error) {
        let tags = selection.tag.join(", ");
        return Err(
            NothingSelected(format!("no scenario has the tag {tags}; `cargo xtask list` shows them all")).into()
        );
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Read { scenarios: scenarios.into_iter().map(Arc::new).collect(), problems, files: count })
}

fn is_path(text: &str) -> bool {
    text.ends_with(".yaml") || text.ends_with(".yml")
}

/// A folder as a shell completes it, `scenarios/regressions/`, is that of the catalogue.
fn in_catalogue(text: &str) -> &str {
    text.strip_prefix("./").unwrap_or(text).trim_start_matches("scenarios/").trim_end_matches('/')
}

/// Whether a pattern means a scenario: by its name, by its folder, or by both (`regressions/*`).
fn takes(pattern: &glob::Pattern, scenario: &Scenario) -> bool {
    let folder = folder(scenario);
    pattern.matches(&scenario.name)
        || pattern.matches(&folder)
        || pattern.matches(&format!("{folder}/{}", scenario.name))
}

/// The folder that a scenario's file is in.
pub(crate) fn folder(scenario: &Scenario) -> String {
    scenario.source.path.parent().and_then(Utf8Path::file_name).unwrap_or(".").to_owned()
}

/// Scenarios by folder, both in order of name.
pub(crate) fn by_folder(scenarios: &[Arc<Scenario>]) -> BTreeMap<String, Vec<&Scenario>> {
    let mut folders: BTreeMap<String, Vec<&Scenario>> = BTreeMap::new();
    for scenario in scenarios {
        folders.entry(folder(scenario)).or_default().push(scenario);
    }
    folders
}

/// Every scenario file of the project.
fn catalogue() -> Result<Vec<Utf8PathBuf>> {
    let dir = project::short_root().join("scenarios");
    let pattern = dir.join("**/*.yaml");
    let mut files = Vec::new();
    for path in glob::glob(pattern.as_str()).context("list scenarios")? {
        let path = path.context("list scenarios")?;
        files.push(
            Utf8PathBuf::from_path_buf(path).map_err(|path| BadInput(format!("{} is not UTF-8", path.display())))?,
        );
    }
    files.sort();
    if files.is_empty() {
        return Err(NothingSelected(format!("there are no scenario files in {dir}")).into());
    }
    Ok(files)
}
