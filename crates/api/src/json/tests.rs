use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;

fn written<T: Serialize + ?Sized>(value: &T) -> String {
    let mut output = Vec::new();
    write(&mut output, value).unwrap();
    String::from_utf8(output).unwrap()
}

fn assert_same(value: &impl Serialize) {
    assert_eq!(written(value), serde_json::to_string(value).unwrap());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z\"\\\\\u{0}-\u{20}\u{7f}é]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_written_as_serde_json_writes_it(value in any_json()) {
        prop_assert_eq!(written(&value), value.to_string());
    }
}

/// Each byte at each place of texts of all lengths around those that are looked at together.
#[test]
fn a_special_byte_is_escaped_wherever_it_stands() {
    for length in 1..=20 {
        for place in 0..length {
            for byte in 0..=0x7f_u8 {
                let mut text = vec![b'a'; length];
                text[place] = byte;
                let text = String::from_utf8(text).unwrap();
                assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
            }
        }
        assert_same(&"é".repeat(length));
        assert_same(&"\u{10ffff}".repeat(length));
    }
}

#[derive(Serialize)]
struct Everything<'a> {
    text: &'a str,
    character: char,
    #[serde(rename = "a name, renamed")]
    small: (i8, u8, i16, u16, i32, u32),
    large: (i64, u64, i128, u128),
    float: (f32, f64, f64),
    nothing: Option<()>,
    something: Option<bool>,
    unit: Unit,
    wrapped: Wrapped,
    pair: Pair,
    variants: Vec<Variant>,
    empty: Empty,
    bytes: &'a [u8],
    map: BTreeMap<&'a str, Vec<u8>>,
    none: BTreeMap<String, u8>,
    #[serde(flatten)]
    flat: Flat,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<u8>,
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct Wrapped(&'static str);
#[derive(Serialize)]
struct Pair(u8, &'static str);
#[derive(Serialize)]
struct Empty {}
#[derive(Serialize)]
struct Flat {
    first: u8,
    second: Option<Pair>,
}
#[derive(Serialize)]
enum Variant {
    Plain,
    Wrapping(Option<u8>),
    Tuple(u8, u8),
    Struct { one: u8, two: &'static str },
}

#[test]
fn every_kind_of_value_is_written_as_serde_json_writes_it() {
    let everything = Everything {
        text: "Müller & Söhne \"GmbH\"\n",
        character: '"',
        small: (i8::MIN, u8::MAX, i16::MIN, u16::MAX, i32::MIN, u32::MAX),
        large: (i64::MIN, u64::MAX, i128::MIN, u128::MAX),
        float: (1.5, -0.0, f64::NAN),
        nothing: None,
        something: Some(false),
        unit: Unit,
        wrapped: Wrapped("w"),
        pair: Pair(1, "p"),
        variants: vec![
            Variant::Plain,
            Variant::Wrapping(None),
            Variant::Tuple(1, 2),
            Variant::Struct { one: 1, two: "2" },
        ],
        empty: Empty {},
        bytes: &[0, 255],
        map: BTreeMap::from([("a\\b", vec![]), ("c", vec![1])]),
        none: BTreeMap::new(),
        flat: Flat {
            first: 0,
            second: Some(Pair(2, "q")),
        },
        skipped: None,
    };
    assert_same(&everything);
    assert_same(&[&everything, &everything]);
}

#[test]
fn what_was_there_before_stays() {
    let mut output = b"before ".to_vec();
    write(&mut output, &json!({"a": [1]})).unwrap();
    assert_eq!(output, b"before {\"a\":[1]}");
}

#[test]
fn a_map_whose_keys_are_no_texts_is_refused() {
    let map = BTreeMap::from([(1, 2)]);
    assert!(write(&mut Vec::new(), &map).is_err());
}
