//! Reading fields that may be absent or null: to Kubernetes they are the same.

use serde::{Deserialize, Deserializer};

/// The value, or its type's default for null. For `#[serde(default, deserialize_with = "or_default")]`.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
