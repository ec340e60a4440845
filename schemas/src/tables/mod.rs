//! The tables, one file each.

mod associations;
mod attention;
mod attention_ratios;
mod behavior;
mod choices;
mod claims;
mod contrasts;
mod hidden_states;
mod measures;
mod predictions;
mod probes;
mod prompts;
mod responses;
mod rsa;
mod segments;
mod tokens;

pub use associations::{ASSOCIATIONS, AssociationRow};
pub use attention::{ATTENTION, AttentionRow};
pub use attention_ratios::{ATTENTION_RATIOS, AttentionRatioRow};
pub use behavior::{BEHAVIOR, BehaviorRow, SAMPLED};
pub use choices::{CHOICES, ChoiceRow};
pub use claims::{CLAIMS, ClaimRow};
pub use contrasts::{CONTRASTS, ContrastRow};
pub use hidden_states::{HIDDEN_STATES, HiddenStateColumns, HiddenStateRow};
pub use measures::{MEASURES, MeasureRow};
pub use predictions::{PREDICTIONS, PredictionRow};
pub use probes::{PROBES, ProbeRow};
pub use prompts::{PROMPTS, PromptRow};
pub use responses::{RESPONSES, ResponseRow};
pub use rsa::{RSA, RsaRow};
pub use segments::{SEGMENTS, SegmentRow};
pub use tokens::{TOKENS, TokenColumns, TokenRow};

use crate::table::Table;

/// Every table, in the order in which data flows.
pub static ALL: [&Table; 16] = [
    &PROMPTS,
    &SEGMENTS,
    &TOKENS,
    &RESPONSES,
    &CHOICES,
    &HIDDEN_STATES,
    &ATTENTION,
    &BEHAVIOR,
    &RSA,
    &PROBES,
    &PREDICTIONS,
    &ATTENTION_RATIOS,
    &MEASURES,
    &ASSOCIATIONS,
    &CONTRASTS,
    &CLAIMS,
];

/// The table of this name.
pub fn by_name(name: &str) -> Option<&'static Table> {
    ALL.into_iter().find(|t| t.name == name)
}
