//! Lists and objects.

use serde::{Serialize, ser};

use super::{Json, JsonError};

/// What stands around a name, and a small value.
const ROOM_FOR_SMALL: usize = 16;

/// A list that is being written.
pub(super) struct Elements<'a> {
    output: &'a mut Vec<u8>,
    is_empty: bool,
    /// What ends it.
    end: &'static str,
}

/// An object that is being written.
pub(super) struct Entries<'a> {
    output: &'a mut Vec<u8>,
    is_empty: bool,
    /// What ends it.
    end: &'static str,
}

impl<'a> Elements<'a> {
    #[inline]
    pub(super) fn open(output: &'a mut Vec<u8>, end: &'static str) -> Self {
        output.push(b'[');
        Self {
            output,
            is_empty: true,
            end,
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        if !self.is_empty {
            self.output.push(b',');
        }
        self.is_empty = false;
        value.serialize(Json { output: self.output })
    }

    fn close(self) {
        self.output.extend_from_slice(self.end.as_bytes());
    }
}

impl<'a> Entries<'a> {
    #[inline]
    pub(super) const fn open(output: &'a mut Vec<u8>, end: &'static str) -> Self {
        Self {
            output,
            is_empty: true,
            end,
        }
    }

    /// The name of a Rust field, which has nothing in it that must be escaped.
    fn name(&mut self, name: &'static str) {
        debug_assert!(
            !name.contains(|c: char| c.is_ascii_control() || c == '"' || c == '\\'),
            "{name} must be escaped"
        );
        self.output.reserve(name.len() + ROOM_FOR_SMALL);
        let start = if self.is_empty { b"{\"" } else { b",\"" };
        self.is_empty = false;
        self.output.extend_from_slice(start);
        self.output.extend_from_slice(name.as_bytes());
        self.output.extend_from_slice(b"\":");
    }

    #[inline]
    fn close(self) {
        if self.is_empty {
            self.output.push(b'{');
        }
        self.output.extend_from_slice(self.end.as_bytes());
    }
}

macro_rules! lists {
    ($($of:ident: $method:ident;)+) => {$(
        impl ser::$of for Elements<'_> {
            type Ok = ();
            type Error = JsonError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), JsonError> {
                self.close();
                Ok(())
            }
        }
    )+};
}

lists! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! objects {
    ($($of:ident),+) => {$(
        impl ser::$of for Entries<'_> {
            type Ok = ();
            type Error = JsonError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), JsonError> {
                self.name(name);
                value.serialize(Json {
                    output: self.output,
                })
            }

            #[inline]
            fn end(self) -> Result<(), JsonError> {
                self.close();
                Ok(())
            }
        }
    )+};
}

objects!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JsonError> {
        self.output.push(if self.is_empty { b'{' } else { b',' });
        self.is_empty = false;
        let start = self.output.len();
        key.serialize(Json { output: self.output })?;
        if self.output.get(start) == Some(&b'"') {
            Ok(())
        } else {
            Err(ser::Error::custom("the key of a map is no text"))
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.output.push(b':');
        value.serialize(Json { output: self.output })
    }

    fn end(self) -> Result<(), JsonError> {
        self.close();
        Ok(())
    }
}
