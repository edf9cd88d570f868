//! Taints and tolerations.

use serde::Deserialize;

use crate::world::or_default;

/// A taint of a Node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(crate) struct Taint {
    pub(crate) key: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) value: String,
    pub(crate) effect: String,
}

/// A toleration of a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(crate) struct Toleration {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) key: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) operator: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) value: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) effect: String,
    #[serde(rename = "tolerationSeconds")]
    pub(crate) seconds: Option<i64>,
}

impl Toleration {
    pub(crate) fn tolerates(&self, taint: &Taint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect)
            && (self.key.is_empty() && self.operator == "Exists" || self.key == taint.key)
            && (self.operator == "Exists" || self.value == taint.value)
    }
}

/// The first taint that keeps a new pod away.
pub(crate) fn repelled<'a>(taints: &'a [Taint], tolerations: &[Toleration]) -> Option<&'a Taint> {
    taints
        .iter()
        .filter(|taint| taint.effect != "PreferNoSchedule")
        .find(|taint| !tolerations.iter().any(|toleration| toleration.tolerates(taint)))
}

/// Seconds that a running pod may stay with these taints: none for ever, 0 for not at all.
pub(crate) fn may_stay(taints: &[Taint], tolerations: &[Toleration]) -> Option<i64> {
    let mut least = None;
    for taint in taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let mut seconds = Some(0);
        for toleration in tolerations.iter().filter(|toleration| toleration.tolerates(taint)) {
            seconds = toleration.seconds.map(|s| s.max(0));
            if seconds.is_none() {
                break;
            }
        }
        least = match (least, seconds) {
            (Some(a), Some(b)) => Some(i64::min(a, b)),
            (a, b) => a.or(b),
        };
    }
    least
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn taint(key: &str, effect: &str) -> Taint {
        Taint { key: key.to_owned(), value: String::new(), effect: effect.to_owned() }
    }

    fn toleration(key: &str, operator: &str, effect: &str, seconds: Option<i64>) -> Toleration {
        Toleration {
            key: key.to_owned(),
            operator: operator.to_owned(),
            value: String::new(),
            effect: effect.to_owned(),
            seconds,
        }
    }

    #[rstest]
    #[case::all(toleration("", "Exists", "", None), true)]
    #[case::by_key(toleration("a", "Exists", "", None), true)]
    #[case::by_equality(toleration("a", "", "NoSchedule", None), true)]
    #[case::other_effect(toleration("a", "Exists", "NoExecute", None), false)]
    #[case::other_key(toleration("b", "Exists", "", None), false)]
    fn tolerates(#[case] toleration: Toleration, #[case] expected: bool) {
        let taints = [taint("a", "NoSchedule")];
        assert_eq!(repelled(&taints, &[toleration]).is_none(), expected);
    }

    #[rstest]
    #[case::nothing_to_flee(&[], &[], None)]
    #[case::at_once(&[taint("a", "NoExecute")], &[], Some(0))]
    #[case::for_a_while(&[taint("a", "NoExecute")], &[toleration("a", "Exists", "NoExecute", Some(300))], Some(300))]
    #[case::for_ever(&[taint("a", "NoExecute")], &[toleration("", "Exists", "", None)], None)]
    #[case::no_schedule_evicts_nobody(&[taint("a", "NoSchedule")], &[], None)]
    fn stays(#[case] taints: &[Taint], #[case] tolerations: &[Toleration], #[case] expected: Option<i64>) {
        assert_eq!(may_stay(taints, tolerations), expected);
    }
}
