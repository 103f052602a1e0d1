//! Tests of `json`.

use std::fmt::Debug;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Object, Read, array, object, parse, value};

fn document() -> Value {
    json!({
        "text": "a", "yes": true, "small": -7, "large": u64::MAX, "half": 0.5, "nothing": null,
        "list": ["a", "b"], "mixed": ["a", 7], "inner": {"list": [{"deep": 1}, {}]},
    })
}

/// Returns the field at `path` of [`document`], read as `T`, or the error's text.
fn get<T: for<'a> Read<'a>>(path: &[&'static str]) -> Result<T, String> {
    let document = document();
    let (name, outer) = path.split_last().expect("a path of one name at least");
    let mut object = Object::new(&document).unwrap();
    for name in outer {
        object = object.get(name).unwrap();
    }
    object.get(name).map_err(|mismatch| mismatch.to_string())
}

fn check<T: for<'a> Read<'a> + Debug + PartialEq>(
    path: &[&'static str],
    expected: Result<T, &str>,
) {
    assert_eq!(get(path), expected.map_err(str::to_owned), "{}", path.join("."));
}

#[test]
fn fields_are_read_by_type() {
    check(&["text"], Ok("a".to_owned()));
    check(&["text"], Ok(PathBuf::from("a")));
    check(&["yes"], Ok(true));
    check(&["small"], Ok(-7_i64));
    check(&["large"], Ok(u64::MAX));
    check(&["nothing"], Ok(None::<String>));
    check(&["text"], Ok(Some("a".to_owned())));
    check(&["list"], Ok(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn an_error_says_where_and_what_was_expected() {
    check::<String>(&["absent"], Err("missing field `absent`"));
    check::<u64>(&["inner", "absent"], Err("inner: missing field `absent`"));
    check::<String>(&["yes"], Err("yes: expected a string, found true"));
    check::<String>(&["nothing"], Err("nothing: expected a string, found null"));
    check::<bool>(&["text"], Err("text: expected true or false, found a string"));
    check::<u64>(&["small"], Err("small: expected a whole number from 0, found -7"));
    check::<u64>(&["half"], Err("half: expected a whole number from 0, found 0.5"));
    check::<i64>(&["large"], Err("large: expected a whole number, found 18446744073709551615"));
    check::<Option<String>>(&["small"], Err("small: expected a string, found -7"));
    check::<Vec<String>>(&["text"], Err("text: expected an array, found a string"));
    check::<Vec<String>>(&["mixed"], Err("mixed[1]: expected a string, found 7"));
    check::<Vec<String>>(
        &["inner", "list"],
        Err("inner.list[0]: expected a string, found an object"),
    );
}

#[test]
fn a_field_that_is_not_known_is_named_with_the_known_ones() {
    let document = json!({"list": [{"known": 1}, {"known": 1, "knwon\n": 2}]});
    let objects: Vec<Object> = Object::new(&document).unwrap().get("list").unwrap();
    let results: Vec<_> = objects
        .into_iter()
        .map(|mut object| {
            object.get::<u64>("known")?;
            object.find::<u64>("other")?;
            object.end()
        })
        .map(|result| result.map_err(|mismatch| mismatch.to_string()))
        .collect();
    let expected = r"list[1]: unknown field `knwon\n`: the fields are known, other";
    assert_eq!(results, [Ok(()), Err(expected.to_owned())]);
    assert_eq!(
        Object::new(&json!([])).unwrap_err().to_string(),
        "expected an object, found an array"
    );
}

#[test]
fn a_document_is_parsed_as_serde_json_does_but_for_a_name_that_stands_twice() {
    let text = document().to_string();
    assert_eq!(parse(text.as_bytes()), Ok(document()));
    for (text, reason) in [
        (r#"{"a": 1, "b": {"c": 1, "d": 2, "c": 1}}"#, "field `c` twice"),
        (r#"{"a": [{"b": ":{}\""}, {"\u0062": 1, "b": 2}]}"#, "field `b` twice"),
        (r#"{"a": 1"#, "EOF"),
        (r#"{"a": 1} x"#, "trailing characters"),
        (r#"{"a": 1e999}"#, "number out of range"),
        ("", "EOF"),
        (&"[".repeat(100_000), "recursion limit"),
    ] {
        let error = parse(text.as_bytes()).expect_err(reason).to_string();
        assert!(error.contains(reason), "{text:.40}: expected {reason:?} in {error:?}");
    }
}

#[test]
fn an_object_is_written_as_serde_json_prints_it_in_the_order_of_its_fields() {
    let inner = json!({"list": ["a\n  b", {"c": "\"}\n"}], "none": []});
    let written = object([
        ("z", value(7)),
        ("inner", value(inner.clone())),
        ("empty", array([])),
        ("items", array([object([]), value("x")])),
    ]);
    assert_eq!(
        parse(written.as_bytes()).unwrap(),
        json!({
            "z": 7, "inner": inner, "empty": [], "items": [{}, "x"],
        })
    );
    assert!(written.starts_with("{\n  \"z\": 7,\n  \"inner\": {\n    \"list\": [\n"), "{written}");
    assert!(
        written.ends_with("  \"empty\": [],\n  \"items\": [\n    {},\n    \"x\"\n  ]\n}"),
        "{written}"
    );
}
