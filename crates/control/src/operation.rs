//! What an operation is: one file under `operations/`, carrying its AWS name, method, path, types and story.

use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::error::Error;

/// An operation of the API.
///
/// `run` loads, decides, saves and announces; it has no effect besides one commit, and may be run again from the start
/// when that commit loses a race. Issuing records before that what will be signed; run again, it leaves the record behind,
/// or asks a certificate provider's function again.
pub trait Operation: 'static {
    /// The AWS name, e.g. `UpdateCertificate`.
    const NAME: &'static str;
    /// The HTTP method.
    const METHOD: &'static str;
    /// The path with `{labels}`.
    const PATH: &'static str;
    /// The members it takes, wherever they travel; already checked against the model when `run` sees them.
    type Input: DeserializeOwned + Send + Sync;
    /// The members it answers.
    type Output: Serialize + Send;

    /// The ARN that the caller's policy must allow the operation on; `*` for operations without a resource.
    fn resource(_call: &Call, _input: &Self::Input) -> String {
        "*".to_owned()
    }

    /// The story.
    fn run(call: &Call, input: &Self::Input) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

/// An operation with its types forgotten, as the door holds it.
#[derive(Clone, Copy)]
pub struct Handler {
    /// See [`Operation::NAME`].
    pub name: &'static str,
    /// See [`Operation::METHOD`].
    pub method: &'static str,
    /// See [`Operation::PATH`].
    pub path: &'static str,
    pub(crate) resource: fn(&Call, &Value) -> Result<String, Error>,
    pub(crate) run: for<'a> fn(&'a Call, &'a Value) -> Running<'a>,
    /// The names of the input members that the operation's own type knows.
    pub input_members: fn() -> Vec<&'static str>,
}

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send + 'a>>;

impl Handler {
    /// Forgets the types of `O`.
    #[must_use]
    pub fn of<O: Operation>() -> Self {
        Self {
            name: O::NAME,
            method: O::METHOD,
            path: O::PATH,
            resource: |call, input| Ok(O::resource(call, &read::<O>(input)?)),
            run: |call, input| {
                Box::pin(async move {
                    let input = read::<O>(input)?;
                    let output = O::run(call, &input).await?;
                    serde_json::to_value(output).map_err(|error| Error::Internal(error.to_string()))
                })
            },
            input_members: members::members_of::<O::Input>,
        }
    }
}

fn read<O: Operation>(input: &Value) -> Result<O::Input, Error> {
    O::Input::deserialize(input).map_err(|error| Error::invalid(error.to_string()))
}

/// Asks a type's own `Deserialize` for the names of its members, so that a machine can hold them against the model.
mod members {
    use serde::de::value::Error;
    use serde::de::{self, Deserializer, Visitor};
    use serde::forward_to_deserialize_any;

    /// The member names of a struct; empty for anything else.
    pub(super) fn members_of<T: de::DeserializeOwned>() -> Vec<&'static str> {
        let mut found = Vec::new();
        // The probe never yields a value: it ends the reading once it has seen the names.
        let _never = T::deserialize(Probe(&mut found));
        found
    }

    struct Probe<'a>(&'a mut Vec<&'static str>);

    impl<'de> Deserializer<'de> for Probe<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(de::Error::custom("only the names are wanted"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Error> {
            self.0.extend_from_slice(fields);
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
}
