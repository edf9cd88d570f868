//! `lint`: everything that is wrong with scenarios, values, a ConfigMap or a running cluster, at once, without changing anything.

mod settings;
mod source;

pub(crate) use source::file;

use anyhow::{Context as _, Result};
use events::ClusterKind;
use report::text::count;
use scenario::{Diagnostic, Severity};

use crate::cli::{Lint, LintFormat, LintWhat};
use crate::outcome::BadInput;
use crate::select;
use crate::versions::versions;

pub(crate) fn run(args: &Lint) -> Result<u8> {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    match &args.what {
        Some(LintWhat::Values(args)) => settings::values(args),
        Some(LintWhat::Configmap(args)) => settings::config_map(args),
        Some(LintWhat::Cluster(args)) => settings::cluster(args),
        None => scenarios(args),
    }
}

fn scenarios(args: &Lint) -> Result<u8> {
    let mut read = select::read(&args.selection)?;
    for scenario in &read.scenarios {
        let values = predict::installation(scenario);
        let found = lint::scenario(scenario, &values, &versions().cilium.proven).context("apply the domain rules")?;
        read.problems.extend(found.into_iter().map(|finding| as_diagnostic(finding, &scenario.source.text)));
    }
    // What only shows in a plan: expressions that do not compile.
    let version = semver::Version::new(1, 18, 4);
    let plans: Vec<_> = read
        .scenarios
        .iter()
        .filter_map(|scenario| engine::plan(scenario, &version, ClusterKind::Kind, 1.0).err())
        .collect();
    let errors = read.problems.iter().filter(|p| p.severity == Severity::Error).count() + plans.len();
    let warnings = read.problems.len() + plans.len() - errors;
    match args.format {
        _ if args.json => say!("{}", serde_json::to_string_pretty(&read.problems)?),
        LintFormat::Json => {
            let plans: Vec<String> = plans.iter().map(ToString::to_string).collect();
            let all = serde_json::json!({
                "files": read.files, "errors": errors, "warnings": warnings, "findings": read.problems, "plans": plans,
            });
            say!("{}", serde_json::to_string_pretty(&all)?);
        }
        LintFormat::Sarif => {
            let findings: Vec<lint::Finding> = read.problems.iter().map(as_finding).collect();
            say!("{}", sarif(&findings)?);
        }
        LintFormat::Text => {
            complain(&read.problems);
            say!("{} files, {errors} errors, {warnings} warnings", read.files);
        }
    }
    if !args.json && args.format != LintFormat::Json {
        for error in &plans {
            eprintln!("error: {error}");
        }
    }
    Ok(if errors > 0 { events::exit::BAD_INPUT } else { events::exit::PASSED })
}

fn sarif(findings: &[lint::Finding]) -> Result<String> {
    let extra: Vec<(&str, &str)> = scenario::codes::ALL.iter().map(|code| (code.name, code.meaning)).collect();
    Ok(serde_json::to_string_pretty(&lint::output::sarif(findings, &extra, env!("CARGO_PKG_VERSION")))?)
}

/// A finding of the domain rules in the form of those of the scenario format.
fn as_diagnostic(finding: lint::Finding, text: &str) -> Diagnostic {
    let place = finding.place;
    let line = place.line.checked_sub(1).and_then(|line| text.lines().nth(line));
    let start = place.column.saturating_sub(1);
    Diagnostic {
        code: finding.code,
        severity: if finding.severity == lint::Severity::Error { Severity::Error } else { Severity::Warning },
        path: place.file.unwrap_or_default().into(),
        line: place.line,
        column: place.column,
        excerpt: line.filter(|line| start < line.chars().count()).map(|line| scenario::Excerpt {
            text: line.to_owned(),
            start,
            length: 1,
        }),
        message: finding.message,
        help: finding.help,
        related: finding
            .related
            .into_iter()
            .map(|related| scenario::Related {
                path: related.place.file.unwrap_or_default().into(),
                line: related.place.line,
                column: related.place.column,
                message: related.message,
            })
            .collect(),
    }
}

fn as_finding(problem: &Diagnostic) -> lint::Finding {
    let place = |path: &camino::Utf8Path, line, column| lint::Place {
        file: Some(path.to_string()),
        line,
        column,
        path: String::new(),
    };
    lint::Finding {
        code: problem.code,
        severity: match problem.severity {
            Severity::Error => lint::Severity::Error,
            Severity::Warning => lint::Severity::Warning,
        },
        message: problem.message.clone(),
        help: problem.help.clone(),
        place: place(&problem.path, problem.line, problem.column),
        related: problem
            .related
            .iter()
            .map(|related| lint::Related {
                place: place(&related.path, related.line, related.column),
                message: related.message.clone(),
            })
            .collect(),
        node: None,
    }
}

/// The page of a code, or all codes.
fn explain(code: &str) -> Result<u8> {
    if code.is_empty() {
        say!("Settings (values, ConfigMap, cluster, scenarios):");
        let domain = lint::ALL.iter().map(|rule| (rule.code, rule.severity.as_str(), rule.meaning));
        let width = lint::ALL.iter().map(|rule| rule.code.len()).max().unwrap_or(0);
        for (code, severity, meaning) in domain {
            say!("  {code:width$}  {severity:7}  {meaning}");
        }
        say!("\nScenario files:");
        for code in scenario::codes::ALL {
            say!("  {:width$}  {:7}  {}", code.name, code.severity.as_str(), code.meaning);
        }
        return Ok(events::exit::PASSED);
    }
    let Some(page) = lint::explain(code) else {
        let known = lint::ALL.iter().map(|rule| rule.code).chain(scenario::codes::ALL.iter().map(|code| code.name));
        let near = known.min_by_key(|known| strsim::damerau_levenshtein(known, code)).unwrap_or_default();
        let message =
            format!("there is no code `{code}`; did you mean {near}? `cargo xtask lint --explain` lists them all");
        return Err(BadInput(message).into());
    };
    put!("{page}");
    Ok(events::exit::PASSED)
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
        errors => {
            let what = count(errors, "error");
            Err(BadInput(format!("{what} in scenario files; no cluster was touched")).into())
        }
    }
}
