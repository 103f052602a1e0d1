//! Two serde forms, chosen by the field: `#[serde(with = "ftime::as_millis")]` and `#[serde(with = "ftime::as_rfc3339")]`.
//!
//! [`Epoch`] itself has none, so that a format never depends on what someone forgot to say.

/// An [`Epoch`](crate::Epoch) as an integer: milliseconds since 1970.
pub mod as_millis {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Epoch;

    /// Writes the integer.
    pub fn serialize<S: Serializer>(epoch: &Epoch, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(epoch.millis())
    }

    /// Reads the integer; one outside [`Epoch::MIN`] to [`Epoch::MAX`] is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Epoch, D::Error> {
        let millis = i64::deserialize(deserializer)?;
        Epoch::within_range(millis).ok_or_else(|| {
            D::Error::custom(format!(
                "{millis} is not a time in milliseconds since 1970 within the years 0000 to 9999"
            ))
        })
    }
}

/// An [`Epoch`](crate::Epoch) as a string in RFC 3339.
pub mod as_rfc3339 {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Epoch;

    /// Writes the string.
    pub fn serialize<S: Serializer>(epoch: &Epoch, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(epoch)
    }

    /// Reads the string.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Epoch, D::Error> {
        let text = String::deserialize(deserializer)?;
        Epoch::parse_rfc3339(&text).map_err(D::Error::custom)
    }
}
