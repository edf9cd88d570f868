//! Files to scenarios.

use std::borrow::Cow;
use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::codes::{self, Severity};
use crate::diagnostic::{Diagnostic, Related};
use crate::located::Entries;
use crate::model::Scenario;
use crate::problem::{Problem, Sink, suggest};
use crate::raw::RawScenario;
use crate::tree::{Node, Shape, Span};
use crate::{check, reader, yaml};

/// A larger file is refused unread.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Reads one file. The scenario is there if and only if no diagnostic is an error; diagnostics are in the file's order.
pub fn parse(path: &Utf8Path, bytes: &[u8]) -> (Option<Scenario>, Vec<Diagnostic>) {
    let (scenario, mut problems, text) = match text(bytes) {
        Ok(text) => {
            let (scenario, problems) = parse_text(path, text);
            (scenario, problems, Cow::Borrowed(text))
        }
        Err(Refused { problem, excerpt_of }) => (None, vec![problem], excerpt_of),
    };
    problems.sort_by_key(|problem| (problem.span.line, problem.span.column));
    let diagnostics: Vec<Diagnostic> =
        problems.into_iter().map(|problem| Diagnostic::new(problem, path, &text)).collect();
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    (scenario.filter(|_| !failed), diagnostics)
}

/// Reads all files, and checks them against each other. Diagnostics are in the order of the files.
pub fn parse_all(files: &[(Utf8PathBuf, Vec<u8>)]) -> (Vec<Scenario>, Vec<Diagnostic>) {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut diagnostics = Vec::new();
    let mut first: BTreeMap<String, Related> = BTreeMap::new();
    for (path, bytes) in files {
        let (scenario, found) = parse(path, bytes);
        diagnostics.extend(found);
        // The name of a file that is wrong elsewhere counts as well.
        let Some((name, place)) = declared_name(bytes) else {
            scenarios.extend(scenario);
            continue;
        };
        match first.get(&name) {
            None => {
                let message = "the other one".to_owned();
                first.insert(name, Related { path: path.clone(), line: place.line, column: place.column, message });
                scenarios.extend(scenario);
            }
            Some(other) => {
                let problem = Problem::new(
                    &codes::DUPLICATE_NAME,
                    place,
                    format!("a scenario with the name `{name}` is there already"),
                )
                .help("give each scenario a name of its own: that of its file");
                let mut diagnostic = Diagnostic::new(problem, path, text(bytes).unwrap_or_default());
                diagnostic.related.push(other.clone());
                diagnostics.push(diagnostic);
            }
        }
    }
    (scenarios, diagnostics)
}

fn declared_name(bytes: &[u8]) -> Option<(String, Span)> {
    let documents = yaml::read(text(bytes).ok()?).ok()?;
    let name = documents.first()?.get("name")?;
    match &name.value {
        Shape::Text(text) => Some((text.clone(), name.span)),
        _ => None,
    }
}

/// Where a problem of the file as a whole is shown.
const TOP: Span = Span { line: 1, column: 1, start: 0, end: 0 };

/// A file that is not read.
struct Refused<'a> {
    problem: Problem,
    /// The text to show: what can be read of it.
    excerpt_of: Cow<'a, str>,
}

/// The text of a file, or why it has none.
#[expect(clippy::result_large_err, reason = "made at most once per file")]
fn text(bytes: &[u8]) -> Result<&str, Refused<'_>> {
    if bytes.len() > MAX_BYTES {
        let (size, most) = (bytes.len().div_ceil(1024), MAX_BYTES / 1024);
        let message = format!("the file has {size} KiB; a scenario has at most {most} KiB");
        let problem = Problem::new(&codes::TOO_LARGE, TOP, message).help("check that this is a scenario file");
        return Err(Refused { problem, excerpt_of: Cow::Borrowed("") });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| (error.valid_up_to(), "is not UTF-8"));
    let text = text.and_then(|text| match text.find('\0') {
        Some(at) => Err((at, "is a NUL")),
        None => Ok(text),
    });
    text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|(at, what)| {
        // Up to the place in question the text is sound, so offsets are the same.
        let excerpt_of = String::from_utf8_lossy(bytes);
        let before = &excerpt_of[..at];
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        let span = Span {
            line: before.matches('\n').count() + 1,
            column: before[line..].chars().count() + 1,
            start: at,
            end: at,
        };
        let problem = Problem::new(&codes::NOT_TEXT, span, format!("the file is not text: byte {at} {what}"))
            .help("save the file as UTF-8 text, or check that this is a scenario file");
        Refused { problem, excerpt_of }
    })
}

fn parse_text(path: &Utf8Path, text: &str) -> (Option<Scenario>, Vec<Problem>) {
    let sink = Sink::default();
    let documents = match yaml::read(text) {
        Ok(documents) => documents,
        Err(error) => return (None, syntax(text, error)),
    };
    let Some(document) = documents.first() else {
        let problem = Problem::new(&codes::EMPTY_FILE, TOP, "the file holds no scenario")
            .help("write at least `name`, `summary` and `steps`");
        return (None, vec![problem]);
    };
    if let Some(second) = documents.get(1) {
        sink.push(
            Problem::new(
                &codes::MANY_DOCUMENTS,
                second.span,
                "a second document begins here; a file holds one scenario",
            )
            .help("put each scenario into a file of its own, and remove the line `---`"),
        );
    }
    document.walk(&mut |node| repeated(node, &sink));
    let raw = reader::read::<RawScenario>(document, &sink);
    let allow = raw.as_ref().and_then(|raw| raw.allow.value()).map(allow_entries).unwrap_or_default();
    let scenario = raw.and_then(|raw| check::scenario(path, text, document, raw, &sink));
    (scenario, apply_allow(sink.into_inner(), &allow))
}

fn repeated(node: &Node, sink: &Sink) {
    let Shape::Map(table) = &node.value else { return };
    for repeated in &table.repeated {
        sink.push(
            Problem::new(&codes::DUPLICATE_KEY, repeated.span, format!("`{}` is there twice", repeated.key))
                .related(repeated.first, "the first one")
                .help("remove one of them")
                .fatal(),
        );
    }
}

/// A text that is no YAML: for the commonest cause, tabs, every line with one.
fn syntax(text: &str, error: yaml::YamlError) -> Vec<Problem> {
    let mut start = 0;
    let mut tabs = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(at) = indent.find('\t').filter(|_| !line.trim().is_empty()) {
            let span = Span { line: index + 1, column: at + 1, start: start + at, end: start + at + 1 };
            let problem = Problem::new(&codes::TAB, span, "a tab is used for indentation, which YAML does not allow");
            tabs.push(problem.help("write spaces instead"));
        }
        start += line.len();
    }
    if tabs.is_empty() {
        let mut problem = Problem::new(&codes::YAML_SYNTAX, error.span, error.message);
        problem.help = error.help.map(str::to_owned);
        return vec![problem];
    }
    tabs
}

/// An entry of `allow`: the code, its place, the reason and its place.
type Allow = (String, Span, String, Span);

fn allow_entries(entries: &Entries<String>) -> Vec<Allow> {
    entries
        .iter()
        .map(|(code, code_span, reason_span, reason)| (code.to_owned(), code_span, reason.clone(), reason_span))
        .collect()
}

/// Leaves out what is allowed, and reports what `allow` gets wrong.
fn apply_allow(problems: Vec<Problem>, allow: &[Allow]) -> Vec<Problem> {
    // A structural problem can hide what an entry is for.
    let complete = !problems.iter().any(|problem| problem.fatal || !problem.code.allowable);
    let mut found = Vec::new();
    for (code, span, reason, reason_span) in allow {
        let allowable = codes::ALL.iter().filter(|code| code.allowable).map(|code| code.name);
        let allowable = allowable.chain(codes::DOMAIN.iter().copied());
        match codes::find(code) {
            _ if codes::DOMAIN.contains(&code.as_str()) => {}
            None => found.push(
                Problem::new(&codes::UNKNOWN_CODE, *span, format!("there is no diagnostic `{code}`"))
                    .help(suggest(code, allowable)),
            ),
            Some(known) if !known.allowable => found.push(
                Problem::new(&codes::UNKNOWN_CODE, *span, format!("`{code}` cannot be allowed: {}", known.meaning))
                    .help(suggest(code, allowable)),
            ),
            Some(_) if complete && !problems.iter().any(|problem| problem.code.name == code) => found.push(
                Problem::new(
                    &codes::STALE_ALLOW,
                    *span,
                    format!("nothing in this file is `{code}`, so it need not be allowed"),
                )
                .help("remove this line"),
            ),
            Some(_) => {}
        }
        if reason.trim().is_empty() {
            found.push(
                Problem::new(&codes::EMPTY_VALUE, *reason_span, format!("`{code}` is allowed without a reason"))
                    .help(format!("write `{code}: \"why it is meant\"`")),
            );
        }
    }
    let is_allowed = |problem: &Problem| {
        !problem.fatal && problem.code.allowable && allow.iter().any(|(code, ..)| problem.code.name == code)
    };
    problems.into_iter().filter(|problem| !is_allowed(problem)).chain(found).collect()
}
