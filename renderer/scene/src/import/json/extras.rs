//! Application data: what lies under `tessera`, as text; the rest has no meaning to read.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Bytes of JSON that one object may say to us.
const BYTES_MAX: usize = 1 << 16;

/// The `extras` of one object.
#[derive(Default)]
pub struct Extras(Option<Box<RawValue>>);

impl Extras {
    /// What lies under `tessera`.
    pub fn tessera(&self) -> Option<&str> {
        self.0.as_deref().map(RawValue::get)
    }
}

impl<'de> Deserialize<'de> for Extras {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Extras;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "application data")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extras, A::Error> {
                let mut extras = Extras::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name != "tessera" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let text: Box<RawValue> = map.next_value()?;
                    if text.get().len() > BYTES_MAX {
                        let message =
                            format_args!("extras.tessera has more than {BYTES_MAX} bytes");
                        return Err(A::Error::custom(message));
                    }
                    extras.0 = Some(text);
                }
                Ok(extras)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Extras, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Extras::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Extras, E> {
                Ok(Extras::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Extras, E> {
                Ok(Extras::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Extras, E> {
                Ok(Extras::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Extras, E> {
                Ok(Extras::default())
            }

            fn visit_str<E>(self, _: &str) -> Result<Extras, E> {
                Ok(Extras::default())
            }

            fn visit_unit<E>(self) -> Result<Extras, E> {
                Ok(Extras::default())
            }
        }
        deserializer.deserialize_any(Anything)
    }
}
