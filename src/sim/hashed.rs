//! Takes whatever can be serialized into a digest, without making a text of it: each number, text and name, and where
//! sequences, maps and structs begin and end.

use std::fmt::{self, Write as _};

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::trace::Digest;

/// What a value without a length of its own begins with.
const BEGIN: u64 = 0xB1;
/// And ends with.
const END: u64 = 0xE1;

impl Digest {
    /// Takes a value in, to its last field.
    pub fn value_of(&mut self, value: &impl Serialize) {
        value
            .serialize(Hashed(self))
            .expect("a digest takes everything, and no part of a kernel refuses to be serialized");
    }

    /// Takes a text in while it is written.
    pub fn text_of(&mut self, text: fmt::Arguments<'_>) {
        Hashed(self).write_fmt(text).expect("a digest takes every text");
    }
}

/// A digest that is written to.
struct Hashed<'a>(&'a mut Digest);

impl Hashed<'_> {
    /// With what a value of several parts begins with.
    const fn begun(self, word: u64) -> Self {
        self.0.word(word);
        self
    }
}

impl fmt::Write for Hashed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.bytes(text.as_bytes());
        Ok(())
    }
}

type Done = Result<(), fmt::Error>;

/// The numbers that fit into a word.
macro_rules! words {
    ($($name:ident $kind:ty),*) => {
        $(fn $name(self, value: $kind) -> Done {
            self.0.word(u64::from(value));
            Ok(())
        })*
    };
}

/// The signed ones: their bits, as those of 64.
macro_rules! signed_words {
    ($($name:ident $kind:ty),*) => {
        $(fn $name(self, value: $kind) -> Done {
            self.0.word(i64::from(value).cast_unsigned());
            Ok(())
        })*
    };
}

impl Serializer for Hashed<'_> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    words!(serialize_bool bool, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64);
    words!(serialize_char char);
    fn serialize_i128(self, value: i128) -> Done {
        self.serialize_bytes(&value.to_le_bytes())
    }

    signed_words!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64);

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_u32(value.to_bits())
    }

    fn serialize_f64(self, value: f64) -> Done {
        self.serialize_u64(value.to_bits())
    }

    fn serialize_str(self, value: &str) -> Done {
        self.serialize_bytes(value.as_bytes())
    }

    fn collect_str<T: ?Sized + fmt::Display>(self, value: &T) -> Done {
        self.0.text_of(format_args!("{value}"));
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.0.bytes(value);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_u64(0)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Done {
        self.0.word(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.serialize_u64(BEGIN)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, index: u32, _: &'static str) -> Done {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Done {
        self.0.word(u64::from(index));
        value.serialize(self)
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self.begun(BEGIN))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _len: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, fmt::Error> {
        Ok(self.begun(index.into()))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self.begun(BEGIN))
    }

    fn serialize_struct(self, _: &'static str, _len: usize) -> Result<Self, fmt::Error> {
        Ok(self.begun(BEGIN))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, fmt::Error> {
        self.serialize_tuple_variant(name, index, variant, len)
    }

    /// As postcard does: what has a form for people and one for programs takes the second.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a value whose length its type or an end tells.
macro_rules! parts {
    ($($kind:ident $part:ident $end:expr),*) => {
        $(impl $kind for Hashed<'_> {
            type Ok = ();
            type Error = fmt::Error;

            fn $part<T: ?Sized + Serialize>(&mut self, value: &T) -> Done {
                value.serialize(Hashed(self.0))
            }

            fn end(self) -> Done {
                if let Some(end) = $end {
                    self.0.word(end);
                }
                Ok(())
            }
        })*
    };
}

parts!(
    SerializeSeq serialize_element Some(END),
    SerializeTuple serialize_element None::<u64>,
    SerializeTupleStruct serialize_field None::<u64>,
    SerializeTupleVariant serialize_field None::<u64>
);

impl SerializeMap for Hashed<'_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Done {
        key.serialize(Hashed(self.0))
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Done {
        value.serialize(Hashed(self.0))
    }

    fn end(self) -> Done {
        self.0.word(END);
        Ok(())
    }
}

/// Fields go in with their names, because some are left out when they hold nothing.
macro_rules! fields {
    ($($kind:ident),*) => {
        $(impl $kind for Hashed<'_> {
            type Ok = ();
            type Error = fmt::Error;

            fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Done {
                self.0.bytes(key.as_bytes());
                value.serialize(Hashed(self.0))
            }

            fn end(self) -> Done {
                self.0.word(END);
                Ok(())
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::Digest;

    fn of(value: &impl Serialize) -> u64 {
        let mut digest = Digest::default();
        digest.value_of(value);
        digest.value()
    }

    #[derive(Serialize)]
    struct Both {
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        right: Option<u8>,
    }

    #[derive(Serialize)]
    enum Kind {
        Bare,
        One(u8),
        Two(u8, u8),
        Named { one: u8 },
    }

    fn all_differ<T: Serialize>(values: &[T]) {
        let mut seen: Vec<u64> = values.iter().map(of).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), values.len());
    }

    #[test]
    fn values_of_one_kind_that_differ_have_different_digests() {
        all_differ(&[0_i64, 1, -1, i64::MIN]);
        all_differ(&[7_i128, 7 << 64]);
        all_differ(&["", "one", "eno", "longer than a word"]);
        all_differ(&['o', 'e']);
        all_differ(&[None, Some(0_u8), Some(1)]);
        all_differ(&[vec![vec![1_u8, 2], vec![3]], vec![vec![1], vec![2, 3]], vec![vec![1, 2, 3]]]);
        all_differ::<Vec<Vec<Vec<u8>>>>(&[vec![vec![vec![]]], vec![vec![], vec![]]]);
        all_differ(&[(1_u8, 2_u8), (2, 1)]);
        all_differ(&[BTreeMap::from([(1_u8, 2_u8)]), BTreeMap::from([(2, 1)]), BTreeMap::new()]);
        all_differ(&[
            Both { left: Some(1), right: None },
            Both { left: None, right: Some(1) },
            Both { left: None, right: None },
        ]);
        all_differ(&[Kind::Bare, Kind::One(1), Kind::Two(1, 2), Kind::Named { one: 1 }]);
    }

    #[test]
    fn equal_values_have_equal_digests() {
        assert_eq!(of(&vec![1_u8, 2]), of(&[1_u8, 2].as_slice()));
        assert_eq!(of(&"a text".to_owned()), of(&"a text"));
        assert_ne!(Digest::default().value(), of(&""), "even nothing is something");
    }
}
