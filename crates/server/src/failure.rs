//! Why a command ends without success: one sentence, and the exit code that goes with it.

use std::fmt;
use std::process::ExitCode;

/// A command's failure.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    /// The configuration or the surroundings are wrong, and the operator can mend them: exit code 2.
    pub(crate) fn configuration(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }

    /// Anything else: exit code 1.
    pub(crate) fn other(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<gatehouse_control::error::Error> for Failure {
    fn from(error: gatehouse_control::error::Error) -> Self {
        Self::other(error.to_string())
    }
}

impl From<gatehouse_store::Error> for Failure {
    fn from(error: gatehouse_store::Error) -> Self {
        match &error {
            gatehouse_store::Error::Conflict => Self::other("another process changed the same thing: try again"),
            gatehouse_store::Error::Unavailable(_)
            | gatehouse_store::Error::Newer { .. }
            | gatehouse_store::Error::MigrationChanged { .. }
            | gatehouse_store::Error::Settings(_)
            | gatehouse_store::Error::Locked(_) => Self::configuration(error.to_string()),
            _ => Self::other(error.to_string()),
        }
    }
}
