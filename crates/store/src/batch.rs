//! What one operation writes, collected until it is committed.

use std::borrow::Cow;

use gatehouse_domain::event::Event;

use crate::engine::{Expect, Statement, Value};

/// The writes and announcements of one operation. They are committed together or not at all.
#[derive(Debug, Default)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    pub(crate) statements: Vec<Statement>,
    pub(crate) events: Vec<Event>,
}

impl Batch {
    /// Nothing to write yet.
    pub const fn new() -> Self {
        Self { statements: Vec::new(), events: Vec::new() }
    }

    /// Whether committing it would do nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.events.is_empty()
    }

    /// Adds an entry to the change log; listeners hear of it after the commit.
    pub fn announce(&mut self, event: Event) {
        self.events.push(event);
    }

    /// A statement that must touch exactly `rows` rows.
    pub(crate) fn write(&mut self, rows: u64, sql: impl Into<Cow<'static, str>>, params: impl Into<Vec<Value>>) {
        self.statements.push(Statement { sql: sql.into(), params: params.into(), expect: Expect::Exactly(rows) });
    }

    /// A statement that may touch any number of rows.
    pub(crate) fn write_any(&mut self, sql: impl Into<Cow<'static, str>>, params: impl Into<Vec<Value>>) {
        self.statements.push(Statement { sql: sql.into(), params: params.into(), expect: Expect::Any });
    }
}
