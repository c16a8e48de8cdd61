//! How a JSON object becomes a struct of borrowed fields, and how the field at fault is known by name when it does
//! not.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::row_error::{Code, Fault};

/// Characters of an unknown field's name that are repeated in an answer.
const UNKNOWN_NAME_CHARS_MAX: usize = 64;

/// Where in a row the reading is; serde's errors do not say.
#[derive(Default)]
pub(super) struct Trail {
    /// The field that holds the object that is read, and its place in a list.
    outer: Cell<Option<(&'static str, Option<usize>)>>,
    field: Cell<&'static str>,
    expected: Cell<Option<&'static str>>,
    /// Why we, and not serde, gave up.
    fault: Cell<Option<Fault>>,
}

impl Trail {
    pub(super) fn path_of(&self, field: &str) -> String {
        match self.outer.get() {
            None => field.to_owned(),
            Some((outer, None)) => format!("{outer}.{field}"),
            Some((outer, Some(place))) => format!("{outer}[{place}].{field}"),
        }
    }

    /// The present field, or the field that holds the object when none of its own was read yet.
    fn path(&self) -> String {
        match (self.outer.get(), self.field.get()) {
            (Some((outer, None)), "") => outer.to_owned(),
            (Some((outer, Some(place))), "") => format!("{outer}[{place}]"),
            (_, field) => self.path_of(field),
        }
    }

    fn fail<E: de::Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    /// What went wrong, in our words: serde's own may repeat a value, and a value may be anything.
    fn explain(&self, error: &serde_json::Error) -> Fault {
        if let Some(fault) = self.fault.take() {
            return fault;
        }
        let at = error.column();
        match (error.classify(), self.expected.get()) {
            (serde_json::error::Category::Data, Some(expected)) => {
                Fault::new(self.path(), Code::WrongType, format!("must be {expected}"))
            }
            (serde_json::error::Category::Data, None) => {
                Fault::new(self.path(), Code::WrongType, "must be a JSON object")
            }
            (serde_json::error::Category::Eof, _) => {
                Fault::new(self.path(), Code::InvalidJson, "the JSON ends in the middle")
            }
            _ => Fault::new(self.path(), Code::InvalidJson, format!("not JSON at character {at}")),
        }
    }
}

/// A struct whose fields are read one by one out of a JSON object.
pub(super) trait Object<'de>: Default {
    /// Reads the value of the field called `name` into place; false when there is no such field.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, trail: &Trail) -> Result<bool, A::Error>;
}

/// A value of one field. `null` is the same as no field.
pub(super) trait Field<'de>: Sized {
    /// Completes "must be …".
    const EXPECTED: &'static str;

    fn read<A: MapAccess<'de>>(map: &mut A, trail: &Trail) -> Result<Option<Self>, A::Error>;
}

/// Makes a struct of optional fields with the names of the wire.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident<$life:lifetime> { $($field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(in crate::intake) struct $name<$life> { $(pub(in crate::intake) $field: Option<$kind>),+ }

        impl<$life> $crate::intake::api::wire::Object<$life> for $name<$life> {
            #[inline]
            fn take<A: serde::de::MapAccess<$life>>(
                &mut self,
                name: &str,
                map: &mut A,
                trail: &$crate::intake::api::wire::Trail,
            ) -> Result<bool, A::Error> {
                match name {
                    $(stringify!($field) => trail.read(stringify!($field), &mut self.$field, map)?,)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}
pub(super) use object;

impl Trail {
    #[inline]
    pub(super) fn read<'de, F: Field<'de>, A: MapAccess<'de>>(
        &self,
        name: &'static str,
        place: &mut Option<F>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.field.set(name);
        self.expected.set(Some(F::EXPECTED));
        if place.is_some() {
            return Err(self.fail(Fault::new(self.path(), Code::DuplicateField, "is there twice")));
        }
        *place = F::read(map, self)?;
        Ok(())
    }
}

/// Reads one row.
pub(super) fn read_object<'de, T: Object<'de>>(json: &'de str) -> Result<T, Fault> {
    let trail = Trail::default();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let mut object = T::default();
    let read = ObjectSeed { trail: &trail, object: &mut object }.deserialize(&mut deserializer);
    match read.and_then(|()| deserializer.end()) {
        Ok(()) => Ok(object),
        Err(error) => Err(trail.explain(&error)),
    }
}

/// Reads an object into its place: a row is a kilobyte of fields, which would be moved again and again.
struct ObjectSeed<'t, T> {
    trail: &'t Trail,
    object: &'t mut T,
}

impl<'de, T: Object<'de>> DeserializeSeed<'de> for ObjectSeed<'_, T> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for ObjectSeed<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if !self.object.take(&name, &mut map, self.trail)? {
                return Err(self.trail.fail(unknown_field(self.trail, &name)));
            }
        }
        Ok(())
    }
}

fn unknown_field(trail: &Trail, name: &str) -> Fault {
    if crate::intake::names_card_secret(name) || crate::intake::holds_card_number(name) {
        let message = "card numbers, security codes and PINs may not be sent here";
        return Fault::new(trail.path_of("(hidden)"), Code::PanSuspected, message);
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).take(UNKNOWN_NAME_CHARS_MAX).collect();
    Fault::new(trail.path_of(&shown), Code::UnknownField, "is not a field of this record")
}

/// An object inside a row, or `None` for `null`.
pub(super) struct Nested<T>(pub(super) T);

impl<'de, T: Object<'de>> Field<'de> for Nested<T> {
    const EXPECTED: &'static str = "a JSON object";

    fn read<A: MapAccess<'de>>(map: &mut A, trail: &Trail) -> Result<Option<Self>, A::Error> {
        let outer = trail.field.replace("");
        trail.outer.set(Some((outer, None)));
        let mut object = T::default();
        let read = map.next_value_seed(OptionSeed(ObjectSeed { trail, object: &mut object }))?;
        trail.outer.set(None);
        Ok(read.map(|()| Self(object)))
    }
}

struct OptionSeed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for OptionSeed<S> {
    type Value = Option<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for OptionSeed<S> {
    type Value = Option<S::Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }
    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// A list of objects of at most `MAX`.
pub(in crate::intake) struct Objects<T, const MAX: usize>(pub(in crate::intake) Vec<T>);

impl<'de, T: Object<'de>, const MAX: usize> Field<'de> for Objects<T, MAX> {
    const EXPECTED: &'static str = "a list of JSON objects";

    fn read<A: MapAccess<'de>>(map: &mut A, trail: &Trail) -> Result<Option<Self>, A::Error> {
        let seed = ObjectsSeed::<T, MAX> { trail, object: PhantomData };
        let read = map.next_value_seed(OptionSeed(seed))?;
        trail.outer.set(None);
        Ok(read.map(Self))
    }
}

struct ObjectsSeed<'t, T, const MAX: usize> {
    trail: &'t Trail,
    object: PhantomData<T>,
}

impl<'de, T: Object<'de>, const MAX: usize> DeserializeSeed<'de> for ObjectsSeed<'_, T, MAX> {
    type Value = Vec<T>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Object<'de>, const MAX: usize> Visitor<'de> for ObjectsSeed<'_, T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let name = self.trail.field.get();
        let mut objects = Vec::new();
        loop {
            self.trail.outer.set(Some((name, Some(objects.len()))));
            self.trail.field.set("");
            self.trail.expected.set(Some("a JSON object"));
            let mut object = T::default();
            let seed = ObjectSeed { trail: self.trail, object: &mut object };
            if list.next_element_seed(seed)?.is_none() {
                return Ok(objects);
            }
            if objects.len() == MAX {
                let message = format!("holds more than {MAX} entries");
                return Err(self.trail.fail(Fault::new(name.to_owned(), Code::TooMany, message)));
            }
            objects.push(object);
        }
    }
}

/// A string, borrowed from the body where it has no escapes.
#[derive(Clone, Debug)]
pub(in crate::intake) struct Text<'a>(pub(in crate::intake) Cow<'a, str>);

impl<'de> de::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Pairs of strings, at most one more than may be there.
pub(in crate::intake) struct Pairs<'a, const MAX: usize>(pub(in crate::intake) Vec<(Text<'a>, Text<'a>)>);

impl<'de, const MAX: usize> de::Deserialize<'de> for Pairs<'de, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<const MAX: usize>;
        impl<'de, const MAX: usize> Visitor<'de> for PairsVisitor<MAX> {
            type Value = Pairs<'de, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    if pairs.len() == MAX {
                        return Err(de::Error::custom("too many"));
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor::<MAX>)
    }
}

/// Makes a field of something that reads itself.
macro_rules! plain_fields {
    ($($kind:ty: $expected:literal),+ $(,)?) => {
        $(impl<'de> Field<'de> for $kind {
            const EXPECTED: &'static str = $expected;
            #[inline]
            fn read<A: MapAccess<'de>>(map: &mut A, _: &Trail) -> Result<Option<Self>, A::Error> {
                map.next_value()
            }
        })+
    };
}

plain_fields! {
    Text<'de>: "a string",
    i64: "a whole number (no quotes, no decimal point)",
    bool: "true or false",
    &'de RawValue: "a number or a string",
    Vec<Text<'de>>: "a list of strings",
}

impl<'de, const MAX: usize> Field<'de> for Pairs<'de, MAX> {
    const EXPECTED: &'static str = "an object of at most 32 strings";
    fn read<A: MapAccess<'de>>(map: &mut A, _: &Trail) -> Result<Option<Self>, A::Error> {
        map.next_value()
    }
}
