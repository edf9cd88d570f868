//! Takes from what is printed what differs from one real cluster to the next, by the rules of `normal.yaml`.

use std::path::Path;

use regex::Regex;
use serde::Deserialize;

use super::run::Printed;

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Commands ask for it by this name (`free`); without one it is for all.
    name: Option<String>,
    /// Why the two clusters are free to differ here.
    why: String,
    /// A regular expression, line by line.
    #[serde(rename = "match")]
    pattern: String,
    /// What to put in its place. Without it, the lines that match are left out.
    with: Option<String>,
    /// Of a line that matches, only the part up to its colon stays, and nothing of the lines below it that are more indented.
    #[serde(default)]
    block: bool,
}

struct Rule {
    name: Option<String>,
    pattern: Regex,
    with: Option<String>,
    block: bool,
}

/// All rules.
pub(crate) struct Normal {
    rules: Vec<Rule>,
}

impl Normal {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let written: Vec<Written> =
            serde_yaml::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let rule = |one: Written| {
            assert!(one.why.ends_with('.'), "{}: say why in a sentence", one.pattern);
            let pattern = Regex::new(&format!("(?m){}", one.pattern)).unwrap_or_else(|why| panic!("{why}"));
            Rule { name: one.name, pattern, with: one.with, block: one.block }
        };
        Self { rules: written.into_iter().map(rule).collect() }
    }

    pub(crate) fn printed(&self, printed: &Printed, free: &[String]) -> Printed {
        for name in free {
            let known = self.rules.iter().any(|rule| rule.name.as_ref() == Some(name));
            assert!(known || name == "rows", "no rule is called {name}");
        }
        let text = |text: &str| self.text(text, free);
        Printed { code: printed.code, stdout: text(&printed.stdout), stderr: text(&printed.stderr) }
    }

    fn text(&self, text: &str, free: &[String]) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for rule in &self.rules {
            if rule.name.as_ref().is_some_and(|name| !free.contains(name)) {
                continue;
            }
            match &rule.with {
                None if rule.block => lines = without_blocks(lines, &rule.pattern),
                None => lines.retain(|line| !rule.pattern.is_match(line)),
                Some(with) => {
                    for line in &mut lines {
                        *line = rule.pattern.replace_all(line, with.as_str()).into_owned();
                    }
                }
            }
        }
        let mut lines: Vec<String> = lines.iter().map(|line| columns(line)).collect();
        if free.iter().any(|name| name == "rows") {
            lines.sort();
        } else {
            lines.split_mut(|line| line.is_empty()).for_each(rows);
        }
        let mut out = lines.join("\n");
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }
}

fn without_blocks(lines: Vec<String>, head: &Regex) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut inside: Option<usize> = None;
    let mut out = Vec::new();
    for line in lines {
        // What belongs to a key is a list at its own indent, too.
        let below = |at: usize| indent(&line) > at || (indent(&line) == at && line.trim_start().starts_with("- "));
        if inside.is_some_and(|at| below(at) && !line.trim().is_empty()) {
            continue;
        }
        inside = head.is_match(&line).then(|| indent(&line));
        out.push(match (inside, line.split_once(':')) {
            (Some(_), Some((key, _))) => format!("{key}: <free>"),
            _ => line,
        });
    }
    out
}

/// How wide a column is depends on the longest name in it.
fn columns(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let (indent, rest) = line.split_at(indent);
    let cells: Vec<&str> = rest.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let rest = cells.join("  ");
    format!("{}{rest}", if rest.is_empty() { "" } else { indent })
}

/// A table's rows are ordered by names with random ends.
fn rows(block: &mut [String]) {
    let is_header = |line: &str| line.starts_with("NAME") || line.starts_with("LAST SEEN");
    let Some(header) = block.first() else { return };
    if is_header(header) {
        block[1..].sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal() -> Normal {
        Normal::read(&super::super::folder("normal.yaml"))
    }

    #[track_caller]
    fn check(text: &str, free: &[&str], expected: &str) {
        let free: Vec<String> = free.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(normal().text(text, &free), expected);
    }

    #[test]
    fn random_ends_ages_and_addresses_go() {
        check(
            "NAME                      READY   AGE    IP\nweb-54ff7c58b8-zzzzz   1/1   3m20s   10.42.1.7\nweb-54ff7c58b8-2bftp   1/1   4m   10.42.2.9\n",
            &[],
            "NAME  READY  AGE  IP\nweb-<hash>-<id>  1/1  <age>  <pod IP>\nweb-<hash>-<id>  1/1  <age>  <pod IP>\n",
        );
    }

    #[test]
    fn versions_of_software_stay() {
        check("image: alpine:3.22 v1.34.4\n", &[], "image: alpine:3.22 v1.34.4\n");
    }

    #[test]
    fn indents_stay_and_widths_go() {
        check("  a:    1\n\n  b\n", &[], "  a:  1\n\n  b\n");
    }
}
