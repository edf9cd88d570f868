//! `report merge`: one result out of those of all shards.

use anyhow::Result;

use super::matrix::{Merge, Report, ReportWhat, files};
use crate::outcome::BadInput;

pub(crate) fn run(args: &Report) -> Result<u8> {
    match &args.what {
        ReportWhat::Merge(args) => merge(args),
    }
}

fn merge(args: &Merge) -> Result<u8> {
    let baseline = args.baseline.as_deref().map(files::read).transpose()?;
    let shards = args.dirs.iter().map(|dir| Ok((dir.to_string(), files::read(dir)?))).collect::<Result<Vec<_>>>()?;
    let result = matrix::merge(shards).map_err(|error| BadInput(error.to_string()))?;
    let changes = baseline.map(|before| matrix::changes(&before, &result, args.slower));
    let dir = files::dir(args.report_dir.as_deref())?;
    files::tell(&dir, &result, changes.as_ref())
}
