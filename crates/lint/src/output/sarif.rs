//! SARIF 2.1.0, for code-scanning services.

use serde_json::{Value, json};

use crate::{ALL, Finding, Place};

/// The identifier of the schema.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Findings as a log of one run. `extra` are rules that are not this crate's: code and meaning.
pub fn sarif(findings: &[Finding], extra: &[(&str, &str)], tool_version: &str) -> Value {
    let mut ids: Vec<&str> = ALL.iter().map(|rule| rule.code).collect();
    let mut rules: Vec<Value> = ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "shortDescription": {"text": rule.meaning},
                "fullDescription": {"text": paragraph(rule.page)},
                "help": {"text": rule.page, "markdown": rule.page},
                "defaultConfiguration": {"level": rule.severity.as_str()},
            })
        })
        .collect();
    for (code, meaning) in extra {
        if !ids.contains(code) {
            ids.push(code);
            rules.push(json!({"id": code, "shortDescription": {"text": meaning}}));
        }
    }
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &ids)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "cilium-ipam-e2e", "semanticVersion": tool_version, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A page's first paragraph, on one line.
fn paragraph(page: &str) -> String {
    let body = page.split("\n\n").nth(1).unwrap_or_default();
    body.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn result(finding: &Finding, ids: &[&str]) -> Value {
    let text = match &finding.help {
        Some(help) => format!("{} ({help})", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({
        "ruleId": finding.code,
        "level": finding.severity.as_str(),
        "message": {"text": text},
        "locations": [location(&finding.place)],
    });
    if let Some(index) = ids.iter().position(|id| *id == finding.code) {
        result["ruleIndex"] = json!(index);
    }
    if !finding.related.is_empty() {
        let related = finding.related.iter().enumerate().map(|(index, related)| {
            let mut location = location(&related.place);
            location["id"] = json!(index);
            location["message"] = json!({"text": related.message});
            location
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn location(place: &Place) -> Value {
    let mut location = json!({});
    if let Some(file) = &place.file {
        let mut physical = json!({"artifactLocation": {"uri": uri(file)}});
        if place.line > 0 {
            physical["region"] = json!({"startLine": place.line, "startColumn": place.column.max(1)});
        }
        location["physicalLocation"] = physical;
    }
    if !place.path.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": place.path}]);
    }
    location
}

/// A path as a reference: relative ones stay relative.
fn uri(file: &str) -> String {
    let mut out = String::new();
    for byte in file.strip_prefix("./").unwrap_or(file).bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    if out.starts_with('/') { format!("file://{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Severity, rules};

    #[test]
    fn every_result_names_its_rule_and_its_place() {
        let file =
            Place { file: Some("./my values.yaml".to_owned()), line: 3, column: 9, path: "ipam.mode".to_owned() };
        let findings = [
            Finding::new(&rules::UNKNOWN_MODE, file.clone(), "no such mode").help("write another"),
            Finding::new(&rules::PODCIDR_OVERLAP, Place::object("CiliumNode/n2: spec"), "twice")
                .severity(Severity::Warning)
                .related(file, "here"),
        ];
        let log = sarif(&findings, &[("tab", "a tab"), ("unknown-mode", "again")], "0.1.0");
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), ALL.len() + 1);
        for result in run["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
        }
        assert_eq!(
            run["results"][0]["locations"][0]["physicalLocation"],
            json!({"artifactLocation": {"uri": "my%20values.yaml"}, "region": {"startLine": 3, "startColumn": 9}})
        );
        assert_eq!(run["results"][0]["level"], "error");
        assert_eq!(run["results"][1]["level"], "warning");
        assert_eq!(
            run["results"][1]["locations"][0],
            json!({"logicalLocations": [{"fullyQualifiedName": "CiliumNode/n2: spec"}]})
        );
        assert_eq!(run["results"][1]["relatedLocations"][0]["message"]["text"], "here");
    }
}
