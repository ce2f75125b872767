//! What the operations of event configurations share: how a switch travels.

use serde::{Deserialize, Serialize};

/// A switch.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Switch {
    pub(super) enabled: Option<bool>,
}
