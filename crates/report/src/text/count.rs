//! Numbers of things.

/// `1 scenario`, `2 scenarios`.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
