//! Reports as text, JSON and SARIF.

mod sarif;
mod text;

pub use sarif::sarif;
pub use text::{Colour, finding_text, report_text};

/// `24,577`.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (16_777_216, "16,777,216")] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
