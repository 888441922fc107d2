//! Recognizing a configuration that was seen before, without keeping or even decoding it: a list of ten thousand
//! sessions carries ten thousand configurations, and none of them has changed.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Secret and new in every process, so that nobody can make two configurations that are taken for the same.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Equal for equal configurations that WAHA writes in the same order. Means something in this process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfigDigest(u64);

impl<'de> Deserialize<'de> for ConfigDigest {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let mut hasher = KEYS.build_hasher();
        Part(&mut hasher).deserialize(json)?;
        Ok(Self(hasher.finish()))
    }
}

/// A value that is added to the digest, with its kind and its end, so that no two values look alike.
struct Part<'a, H>(&'a mut H);

impl<'de, H: Hasher> DeserializeSeed<'de> for Part<'_, H> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<H: Hasher> Part<'_, H> {
    fn add(self, kind: u8, bytes: &[u8]) {
        self.0.write_u8(kind);
        self.0.write_usize(bytes.len());
        self.0.write(bytes);
    }
}

impl<'de, H: Hasher> Visitor<'de> for Part<'_, H> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.add(b'n', &[]);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.add(b'b', &[u8::from(value)]);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.add(b'i', &value.to_le_bytes());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.add(b'u', &value.to_le_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.add(b'f', &value.to_le_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.add(b's', value.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.write_u8(b'[');
        while list.next_element_seed(Part(&mut *self.0))?.is_some() {}
        self.0.write_u8(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.write_u8(b'{');
        while map.next_key_seed(Part(&mut *self.0))?.is_some() {
            map.next_value_seed(Part(&mut *self.0))?;
        }
        self.0.write_u8(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(json: &str) -> ConfigDigest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn equal_configurations_have_equal_digests_and_others_have_not() {
        let configuration = r#"{"debug":false,"noweb":{"store":{"enabled":true}},"webhooks":[{"url":"a"}]}"#;
        assert_eq!(digest(configuration), digest(&configuration.replace(':', " : ")));
        let mut all = vec![digest(configuration)];
        for other in [
            "{}",
            "[]",
            "\"\"",
            "0",
            r#"{"debug":true,"noweb":{"store":{"enabled":true}},"webhooks":[{"url":"a"}]}"#,
            r#"{"debug":false,"noweb":{"store":{"enabled":"true"}},"webhooks":[{"url":"a"}]}"#,
            r#"{"debug":false,"noweb":{"store":{"enabled":true}},"webhooks":[{"url":"a"},{}]}"#,
            r#"{"debug":false,"noweb":{"store":{"enabled":true},"webhooks":[{"url":"a"}]}}"#,
            r#"{"debug":null,"noweb":{"store":{"enabled":true}},"webhooks":[{"url":"a"}]}"#,
        ] {
            let other = digest(other);
            assert!(!all.contains(&other));
            all.push(other);
        }
    }
}
