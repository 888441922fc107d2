//! Writing JSON.
//!
//! A list of sessions is some thousand small values and as many names of fields, and `serde_json` spent a
//! third of such a request on them: it looks through every name for what must be escaped, byte by byte, as
//! through every text. This writes the same bytes, but takes the names of Rust fields as they are, and
//! looks at many bytes of a text at once.

mod compound;
mod text;

use serde::{Serialize, Serializer, ser};

use compound::{Elements, Entries};

/// Why a value cannot be written: an error of its own making, or a map's key that is no text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct JsonError(String);

impl ser::Error for JsonError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Appends a value to `output`, in the bytes that `serde_json::to_vec` gives for it.
pub(crate) fn write<T: Serialize + ?Sized>(output: &mut Vec<u8>, value: &T) -> Result<(), JsonError> {
    value.serialize(Json { output })
}

/// The place of one value.
struct Json<'a> {
    output: &'a mut Vec<u8>,
}

impl<'a> Json<'a> {
    /// Opens an object that has one entry, whose name is a Rust identifier.
    fn open_variant(self, name: &'static str) -> &'a mut Vec<u8> {
        self.output.extend_from_slice(b"{\"");
        self.output.extend_from_slice(name.as_bytes());
        self.output.extend_from_slice(b"\":");
        self.output
    }

    fn integer(self, number: impl itoa::Integer) {
        let mut digits = itoa::Buffer::new();
        self.output.extend_from_slice(digits.format(number).as_bytes());
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty;)+) => {$(
        #[inline]
        fn $method(self, number: $type) -> Result<(), JsonError> {
            self.integer(number);
            Ok(())
        }
    )+};
}

impl<'a> Serializer for Json<'a> {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Elements<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Entries<'a>;
    type SerializeStructVariant = Entries<'a>;

    integers! {
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), JsonError> {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.output.extend_from_slice(word);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), JsonError> {
        Ok(serde_json::to_writer(self.output, &number)?)
    }

    fn serialize_f64(self, number: f64) -> Result<(), JsonError> {
        Ok(serde_json::to_writer(self.output, &number)?)
    }

    fn serialize_char(self, c: char) -> Result<(), JsonError> {
        self.serialize_str(c.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), JsonError> {
        text::write(self.output, text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), JsonError> {
        self.collect_seq(bytes)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), JsonError> {
        self.output.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), JsonError> {
        self.serialize_str(name)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        let output = self.open_variant(name);
        value.serialize(Json { output: &mut *output })?;
        output.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, JsonError> {
        Ok(Elements::open(self.output, "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a>, JsonError> {
        Ok(Elements::open(self.output, "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, JsonError> {
        Ok(Elements::open(self.output, "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Elements<'a>, JsonError> {
        Ok(Elements::open(self.open_variant(name), "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, JsonError> {
        Ok(Entries::open(self.output, "}"))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries<'a>, JsonError> {
        Ok(Entries::open(self.output, "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Entries<'a>, JsonError> {
        Ok(Entries::open(self.open_variant(name), "}}"))
    }
}

#[cfg(test)]
mod tests;
