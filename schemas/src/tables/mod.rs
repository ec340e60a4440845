//! The tables, one file each.

mod associations;
mod attention;
mod attention_ratios;
mod behavior;
mod choices;
mod hidden_states;
mod measures;
mod probes;
mod prompts;
mod responses;
mod rsa;
mod segments;
mod tokens;

pub use associations::ASSOCIATIONS;
pub use attention::ATTENTION;
pub use attention_ratios::ATTENTION_RATIOS;
pub use behavior::BEHAVIOR;
pub use choices::CHOICES;
pub use hidden_states::HIDDEN_STATES;
pub use measures::MEASURES;
pub use probes::PROBES;
pub use prompts::PROMPTS;
pub use responses::RESPONSES;
pub use rsa::RSA;
pub use segments::SEGMENTS;
pub use tokens::TOKENS;

use crate::table::Table;

/// Every table, in the order in which data flows.
pub static ALL: [&Table; 13] = [
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
    &ATTENTION_RATIOS,
    &MEASURES,
    &ASSOCIATIONS,
];

/// The table of this name.
pub fn by_name(name: &str) -> Option<&'static Table> {
    ALL.into_iter().find(|t| t.name == name)
}
