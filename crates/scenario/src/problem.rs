//! Problems as they are found, before they get a path and an excerpt.

use std::cell::RefCell;

use crate::codes::Code;
use crate::tree::Span;

/// One problem of one file.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: &'static Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) related: Vec<(Span, String)>,
    /// Nothing sensible can be built from the file, so `allow` does not help.
    pub(crate) fatal: bool,
    /// For an unknown field: the map that it is in, and the field that is probably meant, which is then not missing.
    pub(crate) meant: Option<(Span, &'static str)>,
}

impl Problem {
    pub(crate) fn new(code: &'static Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), help: None, related: Vec::new(), fatal: false, meant: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related.push((span, message.into()));
        self
    }

    pub(crate) fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }
}

/// Where problems are put.
#[derive(Debug, Default)]
pub(crate) struct Sink(RefCell<Vec<Problem>>);

impl Sink {
    pub(crate) fn push(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    /// Whether one of `names` is probably meant by a field of the map at `owner` that does not exist.
    pub(crate) fn is_meant(&self, owner: Span, names: &[&str]) -> bool {
        self.0
            .borrow()
            .iter()
            .any(|problem| problem.meant.is_some_and(|(map, name)| map == owner && names.contains(&name)))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// The known word nearest to what is written, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(lower.chars().count()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`, in code quotes.
pub(crate) fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// `did you mean ...?`, or the list of what is known.
pub(crate) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let list = quoted(known.clone());
    match nearest(word, known) {
        Some(near) => format!("write `{near}`; known: {list}"),
        None if list.is_empty() => "there are none".to_owned(),
        None => format!("known: {list}"),
    }
}
