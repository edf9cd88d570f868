//! The server's time and its unique ids: both given from outside, so that a run can be repeated.

use std::sync::{Arc, Mutex, PoisonError};

use ecow::EcoString;
use jiff::{Timestamp, Unit};

/// Tells the time.
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The last second that was written down: thousands of objects bear the same one, and share its text.
    written: Arc<Mutex<(i64, EcoString)>>,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl Clock {
    /// Any source.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock { source: Arc::new(now), written: Arc::default() }
    }

    /// `base`, and on from there as tokio's clock goes: virtual where that is paused.
    pub fn tokio(base: Timestamp) -> Clock {
        let began = tokio::time::Instant::now();
        Clock::new(move || base.checked_add(began.elapsed()).unwrap_or(Timestamp::MAX))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.source)()
    }

    /// Now, as [`seconds`] writes it.
    pub(crate) fn stamp(&self) -> EcoString {
        let now = self.now();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.0 != now.as_second() || written.1.is_empty() {
            *written = (now.as_second(), seconds(now).into());
        }
        written.1.clone()
    }
}

/// `2026-01-02T03:04:05Z`, as `metav1.Time` is written.
pub fn seconds(time: Timestamp) -> String {
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    whole.to_string()
}

/// `2026-01-02T03:04:05.000006Z`, as `metav1.MicroTime` is written.
pub fn micros(time: Timestamp) -> String {
    let micros = time.round(Unit::Microsecond).unwrap_or(time);
    format!("{micros:.6}")
}

/// A seeded source of ids (splitmix64).
#[derive(Debug, Clone)]
pub struct Ids(u64);

impl Ids {
    /// The same seed gives the same ids.
    pub fn new(seed: u64) -> Ids {
        Ids(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A version 4 UUID.
    pub fn uid(&mut self) -> String {
        let (a, b) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | (b >> 48) & 0x3fff,
            b & 0xffff_ffff_ffff
        )
    }

    /// Five characters of Kubernetes' name alphabet, for `generateName`.
    pub fn suffix(&mut self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut bits = self.bits();
        let mut out = String::with_capacity(5);
        for _ in 0..5 {
            out.push(char::from(ALPHABET[(bits % ALPHABET.len() as u64) as usize]));
            bits /= ALPHABET.len() as u64;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_kubernetes_writes_them() {
        let time: Timestamp = "2026-01-02T03:04:05.678901234Z".parse().unwrap();
        assert_eq!(seconds(time), "2026-01-02T03:04:05Z");
        assert_eq!(micros(time), "2026-01-02T03:04:05.678901Z");
        let whole: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(micros(whole), "2026-01-02T03:04:05.000000Z");
    }

    #[test]
    fn ids_follow_the_seed() {
        let (mut one, mut same, mut other) = (Ids::new(7), Ids::new(7), Ids::new(8));
        let uid = one.uid();
        assert_eq!(uid, same.uid());
        assert_ne!(uid, other.uid());
        assert_eq!((uid.len(), &uid[14..15]), (36, "4"));
        assert_eq!(one.suffix().len(), 5);
    }
}
