//! What is missing for a matrix, said before its first cluster.

use std::collections::BTreeSet;

use anyhow::Result;
use cluster::doctor::{ChartFact, NodeImageFact, gather, judge};
use engine::Plan;

use super::cells::Ready;
use crate::cmd::doctor;
use crate::outcome::BadInput;

/// Looks for what each column needs; refuses all of them if one lacks something.
pub(super) async fn refuse(columns: &[Ready], plans: &[(&Ready, &Plan)], pull: bool) -> Result<()> {
    let mut missing: Vec<String> = Vec::new();
    let mut said = BTreeSet::new();
    for ready in columns {
        let mine: Vec<&Plan> = plans
            .iter()
            .filter(|(of, plan)| of.column == ready.column && plan.skip.is_none())
            .map(|(_, plan)| *plan)
            .collect();
        if mine.is_empty() {
            continue;
        }
        let request = doctor::request(&ready.column.cilium, mine);
        let facts = gather(ready.chosen.settings(), &request).await;
        if !pull {
            missing.extend(lacking(&ready.column.to_string(), &facts.node_image, &facts.chart, &facts.missing_images));
        }
        let findings: Vec<_> =
            judge(&facts, &request).into_iter().filter(|finding| said.insert(finding.what.clone())).collect();
        doctor::refuse(&findings)?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let text = "load them into Docker, leave the version out, or let --pull fetch them";
    Err(BadInput(format!("not everything is here, so nothing was made:\n  {}\n  help: {text}", missing.join("\n  ")))
        .into())
}

fn lacking(column: &str, node_image: &NodeImageFact, chart: &ChartFact, images: &[String]) -> Vec<String> {
    let mut missing: Vec<String> =
        images.iter().map(|image| format!("{column}: Docker does not have {image}")).collect();
    if let NodeImageFact::Absent(image) = node_image {
        missing.push(format!("{column}: Docker does not have the node image {image}"));
    }
    if let ChartFact::Repository { looked_for, repo } = chart {
        missing.push(match looked_for {
            Some(file) => format!("{column}: there is no chart {file}"),
            None => format!("{column}: no chart folder is named (--chart-dir), and {repo} is not asked without --pull"),
        });
    }
    missing
}
