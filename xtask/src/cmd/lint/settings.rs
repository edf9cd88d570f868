//! `lint values`, `lint configmap`, `lint cluster`.

use anyhow::Result;
use lint::{Objects, Report, Settings, Severity};

use super::source;
use crate::cli::{Around, LintCluster, LintConfigMap, LintFormat, LintValues};
use crate::outcome::BadInput;
use crate::versions::versions;

pub(super) fn values(args: &LintValues) -> Result<u8> {
    let bytes = source::file(&args.file)?;
    let read = lint::values(args.file.as_str(), &bytes, &args.chart);
    let (mut settings, refused) = read.map_err(|error| BadInput(error.to_string()))?;
    let not_checked = surround(&mut settings, &args.around)?;
    let mut report = lint::lint(&settings, refused.as_ref(), Vec::new());
    report.not_checked.extend(not_checked);
    write(&report, &bytes, args.format)
}

pub(super) fn config_map(args: &LintConfigMap) -> Result<u8> {
    let bytes = source::file(&args.file)?;
    let read = lint::config_map(args.file.as_str(), &bytes, &args.cilium);
    let (mut settings, found) = read.map_err(|error| BadInput(error.to_string()))?;
    let not_checked = surround(&mut settings, &args.around)?;
    let mut report = lint::lint(&settings, None, found);
    report.not_checked.extend(not_checked);
    write(&report, &bytes, args.format)
}

pub(super) fn cluster(args: &LintCluster) -> Result<u8> {
    let (objects, mut not_checked) = source::live(&args.context, &args.reach)?;
    let version = args.cilium.clone().or_else(|| objects.version.clone()).unwrap_or_else(|| {
        let version = versions().cilium.default.clone();
        not_checked
            .push(format!("Cilium's version, which the agents' image does not tell: taken for {version} (`--cilium`)"));
        version
    });
    let name = format!("context {}", args.context);
    let settings = lint::live(&name, &objects, &version).map_err(|error| BadInput(error.to_string()))?;
    let mut report = lint::lint(&settings, None, Vec::new());
    report.not_checked.extend(not_checked);
    write(&report, &[], args.format)
}

/// Adds what is around the pools: a cluster's own account first, then what the command line says.
fn surround(settings: &mut Settings, around: &Around) -> Result<Vec<String>> {
    let mut not_checked = Vec::new();
    let objects: Option<(String, Objects)> = match (&around.against, &around.context) {
        (Some(file), _) => {
            let bytes = source::file(file)?;
            let objects = lint::dump(file.as_str(), &bytes).map_err(|error| BadInput(error.to_string()))?;
            Some((file.to_string(), objects))
        }
        (None, Some(context)) => {
            let (objects, missing) = source::live(context, &around.reach)?;
            not_checked = missing;
            Some((format!("context {context}"), objects))
        }
        (None, None) => None,
    };
    if let Some((name, objects)) = objects {
        settings.around = objects.surroundings();
        settings.live = Some(objects.live(&name));
    }
    let mine = &mut settings.around;
    mine.node_count = around.nodes.or(mine.node_count);
    mine.services.extend(&around.service_cidr);
    mine.pod_subnets.extend(&around.pod_cidr);
    mine.node_networks.extend(&around.node_cidr);
    Ok(not_checked)
}

fn write(report: &Report, source: &[u8], format: LintFormat) -> Result<u8> {
    match format {
        LintFormat::Json => say!("{}", serde_json::to_string_pretty(report)?),
        LintFormat::Sarif => say!("{}", super::sarif(&report.findings)?),
        LintFormat::Text => {
            let text = std::str::from_utf8(source).ok().filter(|text| !text.is_empty());
            put!("{}", lint::output::report_text(report, text, colour()));
        }
    }
    Ok(if report.count(Severity::Error) > 0 { events::exit::BAD_INPUT } else { events::exit::PASSED })
}

/// Colours for a terminal, unless NO_COLOR says otherwise.
fn colour() -> lint::output::Colour {
    use std::io::IsTerminal as _;
    let off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if !off && std::io::stdout().is_terminal() { lint::output::Colour::On } else { lint::output::Colour::Off }
}
