//! Values on their way into the database, and rows on their way out.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::name::{CertificateProviderName, PolicyName, ProvisioningTemplateName, RoleAliasName, ThingName};
use gatehouse_domain::registration_task::TaskId;
use gatehouse_domain::scope::{AccountId, Region};
use gatehouse_domain::session::{MessageKey, SessionId};
use gatehouse_domain::time::Timestamp;

use crate::Error;

/// A value of a column. Truth values are 0 and 1, points in time are milliseconds, ids are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// The values of a statement, in the order of its placeholders.
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($crate::engine::Value::from($value)),*] };
}
pub(crate) use params;

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        })*
    };
}

from! {
    i64 => |value| Self::Int(value);
    u32 => |value| Self::Int(i64::from(value));
    // No count or length of ours comes near the end.
    u64 => |value| Self::Int(i64::try_from(value).unwrap_or(i64::MAX));
    u16 => |value| Self::Int(i64::from(value));
    bool => |value| Self::Int(i64::from(value));
    &str => |value| Self::Text(value.to_owned());
    String => |value| Self::Text(value);
    &String => |value| Self::Text(value.clone());
    &[u8] => |value| Self::Blob(value.to_vec());
    Vec<u8> => |value| Self::Blob(value);
    &[u8; 32] => |value| Self::Blob(value.to_vec());
    Timestamp => |value| Self::Int(value.as_millis());
    AccountId => |value| Self::Text(value.as_str().to_owned());
    Region => |value| Self::Text(value.as_str().to_owned());
    CertificateId => |value| Self::Blob(value.as_bytes().to_vec());
    SessionId => |value| Self::Blob(value.as_bytes().to_vec());
    MessageKey => |value| Self::Blob(value.as_bytes().to_vec());
    &PolicyName => |value| Self::Text(value.as_str().to_owned());
    &ThingName => |value| Self::Text(value.as_str().to_owned());
    &RoleAliasName => |value| Self::Text(value.as_str().to_owned());
    &CertificateProviderName => |value| Self::Text(value.as_str().to_owned());
    &ProvisioningTemplateName => |value| Self::Text(value.as_str().to_owned());
    &TaskId => |value| Self::Text(value.as_str().to_owned());
}

impl<T> From<Option<T>> for Value
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

/// Free text from outside in a form that every engine stores: PostgreSQL has no NUL in text.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A row of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    /// Takes the row apart, column by column from the left. `table` is named when a value cannot be read.
    pub(crate) fn of(self, table: &'static str) -> Columns {
        Columns { table, values: self.0.into_iter() }
    }
}

/// The columns of a row that have not been taken yet.
pub(crate) struct Columns {
    table: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Columns {
    /// The columns that follow belong to another table.
    pub(crate) fn next_table(self, table: &'static str) -> Self {
        Self { table, ..self }
    }

    pub(crate) const fn corrupt(&self, column: &'static str) -> Error {
        Error::Corrupt { table: self.table, column }
    }

    pub(crate) fn int(&mut self, column: &'static str) -> Result<i64, Error> {
        match self.values.next() {
            Some(Value::Int(value)) => Ok(value),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn text(&mut self, column: &'static str) -> Result<String, Error> {
        self.optional_text(column)?.ok_or_else(|| self.corrupt(column))
    }

    pub(crate) fn optional_text(&mut self, column: &'static str) -> Result<Option<String>, Error> {
        match self.values.next() {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn blob(&mut self, column: &'static str) -> Result<Vec<u8>, Error> {
        self.optional_blob(column)?.ok_or_else(|| self.corrupt(column))
    }

    pub(crate) fn optional_blob(&mut self, column: &'static str) -> Result<Option<Vec<u8>>, Error> {
        match self.values.next() {
            Some(Value::Blob(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn count(&mut self, column: &'static str) -> Result<u32, Error> {
        u32::try_from(self.int(column)?).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn size(&mut self, column: &'static str) -> Result<u64, Error> {
        u64::try_from(self.int(column)?).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn port(&mut self, column: &'static str) -> Result<u16, Error> {
        u16::try_from(self.int(column)?).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn flag(&mut self, column: &'static str) -> Result<bool, Error> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn optional_flag(&mut self, column: &'static str) -> Result<Option<bool>, Error> {
        match self.values.next() {
            Some(Value::Null) => Ok(None),
            Some(Value::Int(0)) => Ok(Some(false)),
            Some(Value::Int(1)) => Ok(Some(true)),
            _ => Err(self.corrupt(column)),
        }
    }

    /// A quality of service: 0 or 1.
    pub(crate) fn qos(&mut self, column: &'static str) -> Result<u8, Error> {
        self.flag(column).map(u8::from)
    }

    /// Sixteen bytes.
    pub(crate) fn bytes16(&mut self, column: &'static str) -> Result<[u8; 16], Error> {
        self.blob(column)?.try_into().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn time(&mut self, column: &'static str) -> Result<Timestamp, Error> {
        self.int(column).map(Timestamp::from_millis)
    }

    pub(crate) fn optional_size(&mut self, column: &'static str) -> Result<Option<u64>, Error> {
        match self.values.next() {
            Some(Value::Int(value)) => u64::try_from(value).map(Some).map_err(|_| self.corrupt(column)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn optional_time(&mut self, column: &'static str) -> Result<Option<Timestamp>, Error> {
        match self.values.next() {
            Some(Value::Int(value)) => Ok(Some(Timestamp::from_millis(value))),
            Some(Value::Null) => Ok(None),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn digest(&mut self, column: &'static str) -> Result<[u8; 32], Error> {
        self.optional_digest(column)?.ok_or_else(|| self.corrupt(column))
    }

    pub(crate) fn optional_digest(&mut self, column: &'static str) -> Result<Option<[u8; 32]>, Error> {
        let bytes = self.optional_blob(column)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| self.corrupt(column))).transpose()
    }

    pub(crate) fn certificate_id(&mut self, column: &'static str) -> Result<CertificateId, Error> {
        self.digest(column).map(CertificateId::from_bytes)
    }

    /// Text that `T` can be read from.
    pub(crate) fn parsed<T: FromStr>(&mut self, column: &'static str) -> Result<T, Error> {
        self.text(column)?.parse().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn optional_parsed<T: FromStr>(&mut self, column: &'static str) -> Result<Option<T>, Error> {
        let text = self.optional_text(column)?;
        text.map(|text| text.parse().map_err(|_| self.corrupt(column))).transpose()
    }

    /// A JSON object of strings.
    pub(crate) fn map(&mut self, column: &'static str) -> Result<BTreeMap<String, String>, Error> {
        serde_json::from_str(&self.text(column)?).map_err(|_| self.corrupt(column))
    }

    /// A JSON array of strings.
    pub(crate) fn set(&mut self, column: &'static str) -> Result<BTreeSet<String>, Error> {
        serde_json::from_str(&self.text(column)?).map_err(|_| self.corrupt(column))
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::certificate::CertificateStatus;

    use super::*;

    #[test]
    fn a_value_that_cannot_be_read_names_its_table_and_column() {
        let corrupt = Error::Corrupt { table: "t", column: "c" };
        let row = |value: Value| Row(vec![value]).of("t");
        assert_eq!(row(Value::Null).int("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Int(1)).text("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Null).text("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Int(-1)).count("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Int(2)).flag("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Blob(vec![0; 31])).certificate_id("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Text("ON".into())).parsed::<CertificateStatus>("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Text("[]".into())).map("c").unwrap_err(), corrupt);
        assert_eq!(row(Value::Text("{}".into())).set("c").unwrap_err(), corrupt);
        assert_eq!(Row(Vec::new()).of("t").int("c").unwrap_err(), corrupt);
    }
}
