//! The report's sections: each reads the tables of one analysis, which calls it in its `sections`.

mod alignment;
mod associations;
mod attention;
mod behavior;
mod claims;
mod matrices;
mod probes;

pub use alignment::alignment_section;
pub use associations::associations_section;
pub use attention::attention_section;
pub use behavior::behavior_section;
pub use claims::claims_section;
pub use matrices::matrices_section;
pub use probes::probes_section;

use super::conditions::Conditions;
use super::request::ReportRequest;
use hypercolumn_catalog::catalog::Catalog;

/// What a section is made from.
#[derive(Clone, Copy)]
pub struct SectionInputs<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) request: &'a ReportRequest,
    /// Tasks with their conditions, tasks by name.
    pub(super) tasks: &'a [Conditions],
}
