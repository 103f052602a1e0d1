//! Percent-encodes object keys and queries; the signature and the request use the same encoding.
//!
//! Bytes are percent-encoded once, with upper-case digits; `A-Z a-z 0-9 - . _ ~` stay, and in an
//! object key `/` too. Nothing is normalised: `..`, `//` and a leading `/` are ordinary parts of an
//! object key. (AWS, "Signature Calculations for the Authorization Header", `UriEncode`.)

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Encodes an object key for a path.
pub fn object_key(key: &str) -> String {
    percent(key, |byte| byte == b'/')
}

/// Encodes a name or a value of a query.
pub fn component(text: &str) -> String {
    percent(text, |_| false)
}

/// Encodes a query: names and values encoded, sorted by encoded name and then value, `name=` when the value
/// is empty. `SigV4` calls this the canonical query string.
pub fn query(parameters: &[(String, String)]) -> String {
    let mut encoded: Vec<_> =
        parameters.iter().map(|(name, value)| (component(name), component(value))).collect();
    encoded.sort();
    let pairs: Vec<_> = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn percent(text: &str, stays_too: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || stays_too(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX_DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{component, object_key, query};

    #[test]
    fn object_keys_are_encoded_once_and_never_normalised() {
        for (key, expected) in [
            ("releases/releases_abc123.tar.gz", "releases/releases_abc123.tar.gz"),
            ("AZaz09-._~", "AZaz09-._~"),
            ("a b+c", "a%20b%2Bc"),
            ("test$file.text", "test%24file.text"),
            ("a=b&c?d#e", "a%3Db%26c%3Fd%23e"),
            ("100%", "100%25"),
            ("%2F", "%252F"),
            ("/evil.example/x", "/evil.example/x"),
            ("//evil.example/x", "//evil.example/x"),
            ("../../other/./k", "../../other/./k"),
            ("français/été", "fran%C3%A7ais/%C3%A9t%C3%A9"),
            ("\u{0}\n\u{7f}", "%00%0A%7F"),
            ("a\\b\"c", "a%5Cb%22c"),
            ("", ""),
        ] {
            assert_eq!(object_key(key), expected, "object key {key:?}");
        }
    }

    #[test]
    fn a_component_encodes_the_slash_too() {
        assert_eq!(component("AKIA/20130524/us-east-1"), "AKIA%2F20130524%2Fus-east-1");
    }

    /// Checks the query that `parameters` give, which are `name=value` before encoding.
    fn check(parameters: &[&str], expected: &str) {
        let parameters: Vec<(String, String)> = parameters
            .iter()
            .map(|text| text.split_once('=').expect("name=value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(query(&parameters), expected, "{parameters:?}");
    }

    #[test]
    fn a_query_is_sorted_by_encoded_name_and_then_value() {
        check(&[], "");
        check(&["lifecycle="], "lifecycle=");
        check(&["prefix=J", "max-keys=2"], "max-keys=2&prefix=J");
        check(&["a=2", "a=1", "A=3"], "A=3&a=1&a=2");
        check(&["token=a+b c/d="], "token=a%2Bb%20c%2Fd%3D");
        // Sorted as it is sent: `é` is above `z` as a letter, but `%C3` is below it.
        check(&["z=1", "é=2"], "%C3%A9=2&z=1");
        // By name first: as one text, `a-=` would stand before `a=`.
        check(&["a-=1", "a=2"], "a=2&a-=1");
    }
}
