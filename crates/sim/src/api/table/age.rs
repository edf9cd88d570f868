//! Durations as `kubectl` users read them.

use jiff::Timestamp;
use serde_json::Value;

/// `5m30s`, `47h`, `8d`: Kubernetes' `HumanDuration`.
pub(super) fn human(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |big: i64, unit: &str, small: i64, next: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{next}") }
    };
    if seconds < -1 {
        return "<invalid>".into();
    }
    match () {
        () if seconds < 0 => "0s".into(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 24 * 8 => two(hours / 24, "d", hours % 24, "h"),
        () if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        () if hours < 24 * 365 * 8 => two(hours / 24 / 365, "y", (hours / 24) % 365, "d"),
        () => format!("{}y", hours / 24 / 365),
    }
}

/// How long ago a timestamp is; `<unknown>` where there is none.
pub(super) fn since(timestamp: &Value, now: Timestamp) -> String {
    match timestamp.as_str().and_then(|t| t.parse::<Timestamp>().ok()) {
        // Whole seconds, cut toward zero, as Go cuts them.
        Some(then) => human(now.duration_since(then).as_secs()),
        None => "<unknown>".into(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0s")]
    #[case(119, "119s")]
    #[case(120, "2m")]
    #[case(330, "5m30s")]
    #[case(3600, "60m")]
    #[case(3 * 3600, "3h")]
    #[case(3 * 3600 + 300, "3h5m")]
    #[case(47 * 3600, "47h")]
    #[case(49 * 3600, "2d1h")]
    #[case(20 * 86400, "20d")]
    #[case(-5, "<invalid>")]
    fn durations_read_as_kubectl_prints_them(#[case] seconds: i64, #[case] text: &str) {
        assert_eq!(human(seconds), text);
    }
}
