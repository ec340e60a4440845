//! The report's sections: each reads the tables of one analysis, which calls it in its `sections`.

mod alignment;
mod associations;
mod attention;
mod behavior;
mod claims;
mod matrices;
mod probes;

pub(crate) use alignment::alignment_section;
pub(crate) use associations::associations_section;
pub(crate) use attention::attention_section;
pub(crate) use behavior::behavior_section;
pub(crate) use claims::claims_section;
pub(crate) use matrices::matrices_section;
pub(crate) use probes::probes_section;

use super::conditions::Conditions;
use super::request::ReportRequest;
use crate::catalog::Catalog;

/// What a section is made from.
#[derive(Clone, Copy)]
pub struct SectionInputs<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) request: &'a ReportRequest,
    /// Tasks with their conditions, tasks by name.
    pub(super) tasks: &'a [Conditions],
}
