//! Stands for jq conditions in a program that has none, so that a rule with one is refused and not ignored.

/// There is no such program.
pub(super) enum Program {}

impl Program {
    /// Refuses.
    pub(super) fn compile(_: &str) -> Result<Self, String> {
        Err("this program was built without jq".to_owned())
    }

    /// Never called.
    pub(super) fn is_met(&self, _: &[u8]) -> bool {
        match *self {}
    }
}
