//! What was made of what the lake holds no more.

use crate::commit::Commit;
use crate::slot::Slot;
use crate::snapshot::Snapshot;
use std::collections::HashSet;

/// A slot whose content does not follow from what the lake holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The slot.
    pub slot: Slot,
    /// The reason, as a clause.
    pub reason: String,
}

impl Snapshot {
    /// Extractions of prompts that are others now, and results of files that were replaced or that are stale themselves.
    pub fn stale(&self) -> Vec<Stale> {
        let mut stale: Vec<Stale> =
            self.commits().filter_map(|commit| self.stale_extraction(commit)).collect();
        let slots: HashSet<&Slot> = stale.iter().map(|s| &s.slot).collect();
        let of_stale = self.commits().filter(|commit| slots.contains(&commit.slot));
        let outdated: HashSet<&str> = of_stale.flat_map(|c| &c.files).map(|f| f.path.as_str()).collect();
        let listed = self.paths();
        let results = self.commits().filter_map(|commit| {
            let reason = match &commit.slot {
                Slot::Analyze { .. } if commit.reads.iter().any(|path| !listed.contains(path.as_str())) => {
                    "what it was computed from has been replaced"
                }
                Slot::Analyze { .. } if commit.reads.iter().any(|path| outdated.contains(path.as_str())) => {
                    "it was computed from an extraction of other prompts"
                }
                _ => return None,
            };
            Some(Stale { slot: commit.slot.clone(), reason: reason.to_owned() })
        });
        let results: Vec<Stale> = results.collect();
        stale.extend(results);
        stale
    }

    fn stale_extraction(&self, commit: &Commit) -> Option<Stale> {
        let record = commit.details.as_extract()?;
        let ingested = self.slot(&Slot::Ingest { task: commit.slot.task().to_owned() });
        let reason = match ingested.and_then(|c| c.details.as_ingest()) {
            None => "its prompts are not in the lake",
            Some(ingested) if ingested.prompts_digest != record.prompts_digest => {
                "the prompts have changed since the model read them"
            }
            Some(_) => return None,
        };
        Some(Stale { slot: commit.slot.clone(), reason: reason.to_owned() })
    }
}
