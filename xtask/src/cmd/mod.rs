//! One file per command.

mod adopt;
mod bisect;
mod catalogue;
mod clean;
mod completions;
pub(crate) mod doctor;
pub(crate) mod e2e;
mod fidelity;
pub(crate) mod lint;
mod list;
pub(crate) mod matrix;
mod model;
mod new;
mod predict;
mod regress;
mod report;
mod repro;
mod schema;
mod sim;
mod versions;

use anyhow::Result;

use crate::cli::{Cli, Command};

/// Carries out a command; answers the exit code.
pub(crate) fn dispatch(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::E2e(args) => e2e::run(args),
        Command::List(args) => list::run(&args),
        Command::Catalogue(args) => catalogue::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Matrix(args) => matrix::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::New(args) => new::run(&args),
        Command::Regress(args) => regress::run(&args),
        Command::Repro(args) => repro::run(*args),
        Command::Schema(args) => schema::run(&args),
        Command::Bisect(args) => bisect::run(&args),
        Command::Versions(args) => versions::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Clean(args) => clean::run(&args),
        Command::Adopt(args) => adopt::run(&args),
        Command::Sim(args) => sim::run(args.command),
        Command::Fidelity(args) => fidelity::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
