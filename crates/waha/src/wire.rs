//! Reading of fields whose type depends on WAHA's engine and version. What cannot be understood is `None`;
//! only text that is not JSON is an error.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// A text or an id: a string, a number, or an object of whatsapp-web.js such as
/// `{"user": "…", "server": "c.us", "_serialized": "…@c.us"}`. An empty text is `None`.
pub(crate) fn text<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    json.deserialize_any(Text)
}

/// Unix seconds: a number of seconds or milliseconds, the same as a string, a 64-bit number in two halves as
/// protobuf.js writes it (`{"low": …, "high": …}`), or a date of RFC 3339 as Go writes it.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(json: D) -> Result<Option<i64>, D::Error> {
    Ok(json.deserialize_any(Number { dates: true })?.and_then(as_seconds))
}

/// A whole number, given as one or as a string.
pub(crate) fn number<'de, D: Deserializer<'de>>(json: D) -> Result<Option<i64>, D::Error> {
    json.deserialize_any(Number { dates: false })
}

/// A yes or no that may be missing.
pub(crate) fn flag<'de, D: Deserializer<'de>>(json: D) -> Result<bool, D::Error> {
    Ok(matches!(text(json)?.as_deref(), Some("true" | "1")))
}

/// An object of a known shape; `None` for anything that is not an object.
pub(crate) fn object<'de, D, T>(json: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    json.deserialize_any(Object(PhantomData))
}

/// How many elements a list has; `None` for anything that is not a list.
pub(crate) fn length<'de, D: Deserializer<'de>>(json: D) -> Result<Option<u64>, D::Error> {
    json.deserialize_any(Length)
}

/// Whether there is anything but `null`, nothing or an empty list.
pub(crate) fn present<'de, D: Deserializer<'de>>(json: D) -> Result<bool, D::Error> {
    json.deserialize_any(Present)
}

/// Beyond this a number of seconds (the year 5138) is one of milliseconds (since 1973).
const LARGEST_SECONDS: i64 = 100_000_000_000;

/// No message, chat or group is from before 1970: zero and Go's zero time mean that no time is known.
fn as_seconds(number: i64) -> Option<i64> {
    let seconds = if number > LARGEST_SECONDS {
        number / 1000
    } else {
        number
    };
    (seconds > 0).then_some(seconds)
}

/// The methods that every visitor here answers in the same way: `null` and values it has no use for.
macro_rules! nothing_from {
    ($nothing:expr; $($method:ident($type:ty)),*) => {
        $(fn $method<E: Error>(self, _value: $type) -> Result<Self::Value, E> { Ok($nothing) })*

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
            json.deserialize_any(self)
        }
    };
}

fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<u64, A::Error> {
    let mut length = 0;
    while list.next_element::<IgnoredAny>()?.is_some() {
        length += 1;
    }
    Ok(length)
}

fn skip_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<(), A::Error> {
    while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an id")
    }

    nothing_from!(None; visit_f64(f64));

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok((!value.is_empty()).then(|| value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Self::Value, E> {
        Ok((!value.is_empty()).then_some(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        skip_list(list).map(|_length| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut whole, mut user, mut server) = (None, None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "_serialized" => whole = map.next_value_seed(Text)?,
                "user" => user = map.next_value_seed(Text)?,
                "server" => server = map.next_value_seed(Text)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(whole.or_else(|| Some(format!("{}@{}", user?, server?))))
    }
}

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        text(json)
    }
}

struct Number {
    dates: bool,
}

impl<'de> Visitor<'de> for Number {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    nothing_from!(None; visit_bool(bool));

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).ok())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(whole_number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        let number = value
            .parse()
            .ok()
            .or_else(|| value.parse().ok().and_then(whole_number));
        let date = || {
            chrono::DateTime::parse_from_rfc3339(value)
                .ok()
                .map(|date| date.timestamp())
        };
        Ok(if self.dates { number.or_else(date) } else { number })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        skip_list(list).map(|_length| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let halves = Halves::deserialize(MapAccessDeserializer::new(map))?;
        // protobuf.js writes both halves as signed 32-bit numbers.
        let (Some(low), Some(high)) = (halves.low, halves.high.or(Some(0))) else {
            return Ok(None);
        };
        Ok(Some((high << 32) | (low & 0xffff_ffff)))
    }
}

#[derive(serde::Deserialize)]
struct Halves {
    #[serde(default, deserialize_with = "number")]
    low: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    high: Option<i64>,
}

/// The whole part of a number that a double holds exactly.
fn whole_number(value: f64) -> Option<i64> {
    const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked, and the fraction is to be cut off"
    )]
    (value.abs() <= LARGEST_EXACT).then_some(value as i64)
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    nothing_from!(None; visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        skip_list(list).map(|_length| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

struct Length;

impl<'de> Visitor<'de> for Length {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    nothing_from!(None; visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        skip_list(list).map(Some)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        skip_object(map).map(|()| None)
    }
}

struct Present;

impl<'de> Visitor<'de> for Present {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    nothing_from!(false; visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(!value.is_empty())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        skip_list(list).map(|length| length > 0)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        skip_object(map).map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Fields {
        #[serde(default, deserialize_with = "text")]
        text: Option<String>,
        #[serde(default, deserialize_with = "seconds")]
        time: Option<i64>,
        #[serde(default, deserialize_with = "flag")]
        flag: bool,
    }

    fn read(json: &str) -> Fields {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn texts_are_strings_numbers_or_serialized_objects() {
        for (json, expected) in [
            (r#"{"text":"a"}"#, Some("a")),
            (r#"{"text":""}"#, None),
            (r#"{"text":7}"#, Some("7")),
            (r#"{"text":null}"#, None),
            (r#"{"text":["a"]}"#, None),
            (
                r#"{"text":{"fromMe":true,"remote":{"user":"1"},"_serialized":"true_1@c.us_A"}}"#,
                Some("true_1@c.us_A"),
            ),
            (r#"{"text":{"server":"c.us","user":"1"}}"#, Some("1@c.us")),
            (r#"{"text":{"user":"1"}}"#, None),
            ("{}", None),
        ] {
            assert_eq!(read(json).text.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn times_become_seconds_whatever_their_form() {
        for (json, expected) in [
            (r#"{"time":1795412435}"#, Some(1_795_412_435)),
            (r#"{"time":1795412435.9}"#, Some(1_795_412_435)),
            (r#"{"time":"1795412435"}"#, Some(1_795_412_435)),
            (r#"{"time":1795412435704}"#, Some(1_795_412_435)),
            (
                r#"{"time":{"low":1795412435,"high":0,"unsigned":true}}"#,
                Some(1_795_412_435),
            ),
            (r#"{"time":{"low":-1794967296,"high":0}}"#, Some(2_500_000_000)),
            (r#"{"time":"2026-11-23T05:40:35+00:00"}"#, Some(1_795_412_435)),
            (r#"{"time":"0001-01-01T00:00:00Z"}"#, None),
            (r#"{"time":0}"#, None),
            (r#"{"time":null}"#, None),
            (r#"{"time":"soon"}"#, None),
            (r#"{"time":{}}"#, None),
        ] {
            assert_eq!(read(json).time, expected, "{json}");
        }
    }

    #[test]
    fn flags_are_false_unless_they_clearly_say_yes() {
        for (json, expected) in [
            (r#"{"flag":true}"#, true),
            (r#"{"flag":1}"#, true),
            (r#"{"flag":false}"#, false),
            (r#"{"flag":null}"#, false),
            (r#"{"flag":{"a":1}}"#, false),
            ("{}", false),
        ] {
            assert_eq!(read(json).flag, expected, "{json}");
        }
    }
}
