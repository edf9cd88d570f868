//! How the console looks where it is.

use std::io::IsTerminal;

/// What is known of the place that the console writes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// It is a terminal.
    pub terminal: bool,
    /// The variable `TERM`.
    pub term: Option<String>,
    /// The variable `NO_COLOR` (<https://no-color.org>).
    pub no_color: Option<String>,
    /// The variable `CI`, which CI systems set.
    pub ci: Option<String>,
}

impl Surroundings {
    /// Those of standard output.
    pub fn of_stdout() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            terminal: std::io::stdout().is_terminal(),
            term: variable("TERM"),
            no_color: variable("NO_COLOR"),
            ci: variable("CI"),
        }
    }
}

/// How the console looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// With progress lines that are drawn over; else every line stays and there are no control codes.
    pub live: bool,
    /// With colours.
    pub colour: bool,
}

impl Look {
    /// What suits a place: progress and colours on a terminal that a person sees, nothing but text anywhere else.
    pub fn suiting(place: &Surroundings) -> Self {
        let set = |variable: &Option<String>| variable.as_deref().is_some_and(|value| !value.is_empty());
        let ci = set(&place.ci) && place.ci.as_deref() != Some("false");
        let dumb = place.term.as_deref() == Some("dumb");
        let live = place.terminal && !dumb && !ci;
        Self { live, colour: live && !set(&place.no_color) }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::terminal(true, "xterm", "", "", true, true)]
    #[case::pipe(false, "xterm", "", "", false, false)]
    #[case::dumb(true, "dumb", "", "", false, false)]
    #[case::no_colour(true, "xterm", "1", "", true, false)]
    #[case::ci_with_a_terminal(true, "xterm", "", "true", false, false)]
    #[case::not_ci(true, "xterm", "", "false", true, true)]
    fn suits_the_place(
        #[case] terminal: bool,
        #[case] term: &str,
        #[case] no_color: &str,
        #[case] ci: &str,
        #[case] live: bool,
        #[case] colour: bool,
    ) {
        let place = Surroundings {
            terminal,
            term: Some(term.to_owned()),
            no_color: Some(no_color.to_owned()),
            ci: Some(ci.to_owned()),
        };
        assert_eq!(Look::suiting(&place), Look { live, colour });
    }
}
