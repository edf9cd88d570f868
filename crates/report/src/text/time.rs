//! Times of a run's clock.

/// How long something took: `412ms`, `41.2s`, `1m 08s`, `1h 02m`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{seconds}.{}s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// When something happened since the run began: `0:41.2`, `12:03.4`, `1:02:03.4`.
pub fn at(ms: u64) -> String {
    let (tenths, seconds) = (ms % 1000 / 100, ms / 1000);
    let (minutes, hours) = (seconds / 60 % 60, seconds / 3600);
    let seconds = seconds % 60;
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{tenths}")
    } else {
        format!("{minutes}:{seconds:02}.{tenths}")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0ms", "0:00.0")]
    #[case(999, "999ms", "0:00.9")]
    #[case(1_000, "1.0s", "0:01.0")]
    #[case(59_999, "59.9s", "0:59.9")]
    #[case(60_000, "1m 00s", "1:00.0")]
    #[case(3_599_999, "59m 59s", "59:59.9")]
    #[case(3_723_400, "1h 02m", "1:02:03.4")]
    fn are_cut_not_rounded(#[case] ms: u64, #[case] took: &str, #[case] since_start: &str) {
        assert_eq!(duration(ms), took);
        assert_eq!(at(ms), since_start);
    }
}
