//! Output of a program, bounded: the beginning of what is parsed, the end of what is shown.

use std::collections::VecDeque;

/// Keeps the last bytes of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    limit: usize,
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: VecDeque::new(), dropped: 0 }
    }

    /// Adds what was read.
    pub fn push(&mut self, chunk: &[u8]) {
        let skip = chunk.len().saturating_sub(self.limit);
        let over = (self.bytes.len() + chunk.len() - skip).saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.bytes.extend(&chunk[skip..]);
        self.dropped += (skip + over) as u64;
    }

    /// Bytes that did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was kept, as text; a first line that was cut is left out.
    pub fn text(&self) -> String {
        let (a, b) = self.bytes.as_slices();
        let text = String::from_utf8_lossy(&[a, b].concat()).into_owned();
        match (self.dropped, text.find('\n')) {
            (1.., Some(at)) => text[at + 1..].to_owned(),
            _ => text,
        }
    }

    /// The last `count` lines that are not blank.
    pub fn lines(&self, count: usize) -> String {
        let text = self.text();
        let mut lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.trim().is_empty()).collect();
        lines.drain(..lines.len().saturating_sub(count));
        lines.join("\n")
    }
}

/// What a program that ended well printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Standard output, whole (a program that prints more than the bound is an error).
    pub stdout: String,
    /// The end of standard error.
    pub stderr: String,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(10, &["abc", "def"], "abcdef", 0)]
    #[case(4, &["abc", "def"], "cdef", 2)]
    #[case(4, &["abcdefgh"], "efgh", 4)]
    #[case(4, &["ab", "c\nde"], "de", 2)]
    #[case(6, &["one\n", "two\n", "six\n"], "six\n", 6)]
    #[case(0, &["abc"], "", 3)]
    fn keeps_the_end(#[case] limit: usize, #[case] chunks: &[&str], #[case] text: &str, #[case] dropped: u64) {
        let mut tail = Tail::new(limit);
        for chunk in chunks {
            tail.push(chunk.as_bytes());
        }
        assert_eq!((tail.text().as_str(), tail.dropped()), (text, dropped));
    }

    #[test]
    fn last_lines_leave_out_blank_ones() {
        let mut tail = Tail::new(100);
        tail.push(b"one\n\ntwo  \n \nthree\n");
        assert_eq!(tail.lines(2), "two\nthree");
    }
}
