//! Results as files: what is written at the end, and read again.

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use matrix::{Cell, CellResult, Changes, FORMAT, MatrixPlan, MatrixResult, render};

use crate::outcome::BadInput;
use crate::project;

/// The result, for programs.
const RESULT: &str = "matrix.json";
/// What is to be run, written before the first cell.
const PLAN: &str = "plan.json";

/// Where a result goes.
pub(crate) fn dir(asked: Option<&Utf8Path>) -> Result<Utf8PathBuf> {
    let default = || project::short_root().join("target/e2e").join(format!("matrix-{}", project::run_id()));
    let dir = asked.map_or_else(default, ToOwned::to_owned);
    crate::cmd::e2e::private_dir(&dir)?;
    Ok(dir)
}

/// A result, from its folder or its file.
pub(crate) fn read(path: &Utf8Path) -> Result<MatrixResult> {
    let file = if path.is_dir() { path.join(RESULT) } else { path.to_owned() };
    let text = fs_err::read_to_string(&file)
        .map_err(|error| BadInput(format!("{path} is not the folder of a matrix: {error}")))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| BadInput(format!("{file} is no result of a matrix: {error}")))?;
    let format = value["format"].as_u64().unwrap_or_default();
    if format > u64::from(FORMAT) {
        let tool = value["tool"].as_str().unwrap_or("unknown");
        return Err(BadInput(format!(
            "{file} has format {format} (tool version {tool}), this version reads up to {FORMAT}: use a newer version"
        ))
        .into());
    }
    serde_json::from_value(value).map_err(|error| BadInput(format!("{file} is no result of a matrix: {error}")).into())
}

/// Begins a folder: writes the plan, or, going on, refuses the folder of another one.
pub(super) fn begin(dir: &Utf8Path, plan: &MatrixPlan, resumed: bool) -> Result<()> {
    let path = dir.join(PLAN);
    if !resumed {
        return write(&path, &serde_json::to_string_pretty(plan)?);
    }
    let text = fs_err::read_to_string(&path)
        .map_err(|error| BadInput(format!("{dir} is not the folder of a matrix: {error}")))?;
    let before: MatrixPlan =
        serde_json::from_str(&text).map_err(|error| BadInput(format!("{path} is no plan of a matrix: {error}")))?;
    if before != *plan {
        return Err(BadInput(format!(
            "--resume {dir}: it is of another plan ({} cells, this one has {}): give the same scenarios, versions and options",
            before.cells.len(),
            plan.cells.len()
        ))
        .into());
    }
    Ok(())
}

fn cell_path(dir: &Utf8Path, cell: &Cell) -> Utf8PathBuf {
    dir.join("cells").join(format!("{}.json", cell.key()))
}

/// What a cell came to in an earlier run of the same folder, if it has a verdict.
pub(super) fn finished(dir: &Utf8Path, cell: &Cell) -> Option<CellResult> {
    let text = fs_err::read_to_string(cell_path(dir, cell)).ok()?;
    let result: CellResult = serde_json::from_str(&text).ok()?;
    (result.status.is_verdict() && !result.attempts.is_empty()).then_some(result)
}

/// Keeps what a cell came to.
pub(super) fn keep(dir: &Utf8Path, cell: &Cell, result: &CellResult) -> Result<()> {
    write(&cell_path(dir, cell), &serde_json::to_string(result)?)
}

/// A file is there in whole or not at all.
fn write(path: &Utf8Path, text: &str) -> Result<()> {
    let part = path.with_extension("part");
    fs_err::write(&part, format!("{text}\n")).with_context(|| format!("write {path}"))?;
    fs_err::rename(&part, path).with_context(|| format!("write {path}"))
}

/// Writes every report, prints the table, says where it is; answers the exit code.
pub(crate) fn tell(dir: &Utf8Path, result: &MatrixResult, changes: Option<&Changes>) -> Result<u8> {
    write(&dir.join(RESULT), &serde_json::to_string_pretty(result)?)?;
    write(&dir.join(report::Format::Junit.file_name()), &render::junit(result).context("write JUnit")?)?;
    write(&dir.join(report::Format::Markdown.file_name()), &render::markdown(result, changes))?;
    if let Some(changes) = changes {
        write(&dir.join("changes.json"), &serde_json::to_string_pretty(changes)?)?;
    }
    issues(&dir.join("issues"), result)?;
    put!("\n{}\n{}", render::table(result), render::troubles(result, changes));
    put!("{}", render::closing(result));
    say!("reports: {dir}");
    Ok(result.exit_code())
}

/// One file for each fingerprint: the title in the first line, then the text. What an earlier run of the folder left is removed.
fn issues(dir: &Utf8Path, result: &MatrixResult) -> Result<()> {
    if dir.is_dir() {
        fs_err::remove_dir_all(dir).with_context(|| format!("remove folder {dir}"))?;
    }
    for issue in render::issues(result) {
        fs_err::create_dir_all(dir).with_context(|| format!("create folder {dir}"))?;
        write(
            &dir.join(format!("{}.md", issue.fingerprint)),
            &format!("{}\n\n{}", issue.title, issue.body.trim_end()),
        )?;
    }
    Ok(())
}
