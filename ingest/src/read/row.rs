//! What the rows of a source become: prompts, or the items that a template makes prompts of.

use serde_json::{Map, Value};

use crate::error::Location;
use crate::read::column_map::ColumnMap;
use crate::read::forms::Usage;
use crate::read::values::Finding;

/// A checked row.
pub(super) trait Row: Sized {
    /// What the rows are called in messages, in the plural.
    const KIND: &'static str;
    /// The names of the fields; of `choices` beside them, and of columns that stand for a field, [`crate::read::forms`] knows.
    const FIELDS: &'static [&'static str];
    /// The field that no two rows may share.
    const ID: &'static str;

    /// Checks a row; `None` where there are findings.
    fn check(
        row: Map<String, Value>,
        location: Location,
        map: &ColumnMap,
        usage: &mut Usage,
        findings: &mut Vec<Finding>,
    ) -> Option<Self>;

    /// The value of [`Self::ID`].
    fn id(&self) -> &str;
}
