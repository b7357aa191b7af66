//! Faults of hqcc itself, which nothing that a user writes should cause.

/// What a pass found although an earlier one should have made it impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "pass `{pass}`, node `{node}`: expected {expected}; this is a fault of hqcc, please report it"
)]
pub struct Fault {
    /// The pass that found it.
    pub pass: &'static str,
    /// The node.
    pub node: String,
    /// What should have been there.
    pub expected: String,
}

impl Fault {
    /// A fault at a node.
    pub fn new(pass: &'static str, node: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            pass,
            node: node.into(),
            expected: expected.into(),
        }
    }
}
