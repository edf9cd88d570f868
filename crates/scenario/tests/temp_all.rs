//! Damaged files: whatever is wrong, there is a scenario or an error that says what to write, and never a panic.

use camino::Utf8Path;
use scenario::{Severity, codes, parse};

const EVERY_FORM: &str = include_str!("samples/every-form.yaml");

#[track_caller]
fn sound(text: &str) {
    let (scenario, diagnostics) = parse(Utf8Path::new("scenarios/every-form.yaml"), text.as_bytes());
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    if scenario.is_some() != (errors == 0) {
        println!("BAD lost {text}");
    }
    for diagnostic in &diagnostics {
        let rendered = diagnostic.render();
        if !(diagnostic.help.is_some() && diagnostic.excerpt.is_some()) {
            println!("BAD {rendered}");
        }
        assert!(diagnostic.line >= 1 && diagnostic.line <= text.lines().count() + 1, "{rendered}\n{text}");
        assert_eq!(codes::find(diagnostic.code).map(|code| code.severity), Some(diagnostic.severity));
    }
}

/// The words of a text that stand for a key or a value, as byte ranges.
fn words(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut words = Vec::new();
    let mut begin = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (begin, c.is_alphanumeric() || "./-".contains(c)) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                words.push(from..at);
                begin = None;
            }
            _ => {}
        }
    }
    words
}

#[test]
fn a_line_is_missing() {
    let lines: Vec<&str> = EVERY_FORM.lines().collect();
    for missing in 0..lines.len() {
        let rest: Vec<&str> =
            lines.iter().enumerate().filter(|(index, _)| *index != missing).map(|(_, l)| *l).collect();
        sound(&rest.join("\n"));
    }
}

#[test]
fn the_file_ends_early() {
    for word in words(EVERY_FORM).iter().step_by(9) {
        sound(&EVERY_FORM[..word.end]);
    }
}

#[test]
fn a_word_is_another() {
    // Every third word, with a replacement that depends on where it is: enough to reach each field, in a second or two.
    let others = ["zz", "5", "[]", "{}", "null", "''", "-1", "true", "[a, {b: c}]"];
    for (index, word) in words(EVERY_FORM).into_iter().enumerate() {
        for other in others {
            let _ = index;
            sound(&format!("{}{other}{}", &EVERY_FORM[..word.start], &EVERY_FORM[word.end..]));
        }
    }
}
