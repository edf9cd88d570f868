//! `list`.

use anyhow::Result;
use serde_json::json;

use crate::cli::List;
use crate::select;

pub(crate) fn run(args: &List) -> Result<u8> {
    let read = select::read(&args.selection)?;
    if args.json {
        let scenarios: Vec<_> = read
            .scenarios
            .iter()
            .map(|s| {
                json!({
                    "name": s.name, "folder": select::folder(s), "summary": s.summary, "file": s.source.path, "tags": s.tags,
                    "references": s.references, "versions": s.cilium.versions.text,
                    "clusters": s.clusters, "steps": s.steps.len(),
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&scenarios)?);
    } else {
        let width = read.scenarios.iter().map(|s| s.name.len()).max().unwrap_or(0);
        for (folder, scenarios) in select::by_folder(&read.scenarios) {
            say!("{folder}/");
            for scenario in scenarios {
                say!("  {:width$}  {}", scenario.name, scenario.summary);
            }
        }
    }
    super::lint::complain(&read.problems);
    Ok(if read.scenarios.is_empty() { events::exit::NOTHING_SELECTED } else { events::exit::PASSED })
}
