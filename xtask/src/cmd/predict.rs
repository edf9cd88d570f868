//! `predict`: the model's timeline of a scenario, or of an installation with a values file.

use anyhow::Result;
use predict::{Plan, PlanError};

use crate::cli::{Predict, Selection};
use crate::outcome::BadInput;
use crate::select;

pub(crate) fn run(args: &Predict) -> Result<u8> {
    let plan = match (&args.scenario, &args.values) {
        (Some(name), _) => scenario(name, args)?,
        (None, Some(file)) => values(file, args)?,
        (None, None) => return Err(BadInput("name a scenario, or a file with --values".to_owned()).into()),
    };
    let prediction = predict::predict(&plan)
        .map_err(|error| BadInput(format!("{} (Cilium {}): {error}", plan.name, plan.version)))?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&prediction)?);
    } else {
        put!("{}", predict::timeline(&prediction));
    }
    Ok(events::exit::PASSED)
}

fn refuse(error: &PlanError) -> anyhow::Error {
    BadInput(error.to_string()).into()
}

fn scenario(name: &str, args: &Predict) -> Result<Plan> {
    let read = select::read(&Selection { scenarios: vec![name.to_owned()], tag: Vec::new() })?;
    super::lint::refuse(&read.problems)?;
    let [scenario] = read.scenarios.as_slice() else {
        let names: Vec<&str> = read.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        return Err(
            BadInput(format!("\"{name}\" means {} scenarios; name one of: {}", names.len(), names.join(", "))).into()
        );
    };
    let mut scenario = (**scenario).clone();
    if let Some(nodes) = args.nodes {
        scenario.cluster.workers = nodes - 1;
    }
    predict::plan(&scenario, &args.cilium).map_err(|error| refuse(&error))
}

fn values(file: &camino::Utf8Path, args: &Predict) -> Result<Plan> {
    let bytes = super::lint::file(file)?;
    let read = lint::values(file.as_str(), &bytes, &args.cilium).map_err(|error| BadInput(error.to_string()))?;
    let (settings, _) = read;
    let lint::Origin::Values { values, .. } = &settings.origin else {
        return Err(BadInput(format!("{file} is no values file")).into());
    };
    predict::of_values(file.as_str(), values, &args.cilium, args.nodes.unwrap_or(3), &args.pod_cidr)
        .map_err(|error| refuse(&error))
}
