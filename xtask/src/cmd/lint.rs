//! `lint`: everything that is wrong with scenario files, at once, without a cluster.

use anyhow::Result;
use events::ClusterKind;
use scenario::{Diagnostic, Severity};

use crate::cli::Lint;
use crate::outcome::BadInput;
use crate::select;

pub(crate) fn run(args: &Lint) -> Result<u8> {
    let read = select::read(&args.selection)?;
    // What only shows in a plan: expressions that do not compile.
    let version = semver::Version::new(1, 18, 4);
    let plans: Vec<_> = read
        .scenarios
        .iter()
        .filter_map(|scenario| engine::plan(scenario, &version, ClusterKind::Kind, 1.0).err())
        .collect();
    let errors = read.problems.iter().filter(|p| p.severity == Severity::Error).count() + plans.len();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&read.problems)?);
    } else {
        complain(&read.problems);
        for error in &plans {
            eprintln!("error: {error}");
        }
        let warnings = read.problems.len() + plans.len() - errors;
        say!("{} files, {errors} errors, {warnings} warnings", read.files);
    }
    Ok(if errors > 0 { events::exit::BAD_INPUT } else { events::exit::PASSED })
}

/// Prints problems as a person reads them.
pub(crate) fn complain(problems: &[Diagnostic]) {
    for problem in problems {
        eprintln!("{}", problem.render());
    }
}

/// The same; files with errors are bad input for whatever was to be done with them.
pub(crate) fn refuse(problems: &[Diagnostic]) -> Result<()> {
    complain(problems);
    match problems.iter().filter(|problem| problem.severity == Severity::Error).count() {
        0 => Ok(()),
        errors => Err(BadInput(format!("{errors} errors in scenario files; no cluster was touched")).into()),
    }
}
