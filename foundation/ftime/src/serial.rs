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

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use crate::Epoch;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stored {
        #[serde(with = "crate::as_millis")]
        millis: Epoch,
        #[serde(with = "crate::as_rfc3339")]
        text: Epoch,
    }

    #[test]
    fn both_forms_go_round() {
        for (millis, text) in
            [(1_369_353_600_500, "2013-05-24T00:00:00.500Z"), (-1000, "1969-12-31T23:59:59Z")]
        {
            let epoch = Epoch::from_millis(millis);
            let stored = Stored { millis: epoch, text: epoch };
            let json = format!(r#"{{"millis":{millis},"text":"{text}"}}"#);
            assert_eq!(serde_json::to_string(&stored).unwrap(), json);
            assert_eq!(serde_json::from_str::<Stored>(&json).unwrap(), stored);
        }
    }

    #[test]
    fn anything_else_is_an_error_that_says_what_was_expected() {
        for (json, reason) in [
            (r#"{"millis":1.5,"text":"1970-01-01T00:00:00Z"}"#, "i64"),
            (r#"{"millis":"0","text":"1970-01-01T00:00:00Z"}"#, "i64"),
            (
                r#"{"millis":9223372036854775807,"text":"1970-01-01T00:00:00Z"}"#,
                "years 0000 to 9999",
            ),
            (r#"{"millis":0,"text":"yesterday"}"#, "RFC 3339"),
            (r#"{"millis":0,"text":0}"#, "string"),
        ] {
            let error = serde_json::from_str::<Stored>(json).unwrap_err().to_string();
            assert!(error.contains(reason), "{json}: {error} does not say {reason:?}");
        }
    }
}
