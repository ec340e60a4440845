//! `verify`: everything that a lake recorded, compared with what is there.

use crate::check::compare;
use crate::damage::LogProblem;
use crate::error::LakeError;
use crate::lake::{Finding, Lake, finding};
use crate::log::{Depth, replay};
use crate::replaced::Reader;
use crate::snapshot::Snapshot;

impl Lake {
    /// Compares the log's every entry with its checksum, and every listed file with what its commit recorded: present, size,
    /// BLAKE3.
    ///
    /// # Errors
    /// When the log cannot be read; differences are findings, not errors.
    pub fn verify(&self) -> Result<Vec<Finding>, LakeError> {
        let _reader = Reader::enter(self.root());
        let snapshot = replay(&self.log(), Depth::Whole, &mut |_| {})?;
        let of_log = |p: &LogProblem| Finding { path: p.path.clone(), problem: p.problem.clone() };
        let mut findings: Vec<Finding> = snapshot.problems().iter().map(of_log).collect();
        findings.extend(self.damaged(&snapshot));
        Ok(findings)
    }

    /// Listed files that are not in place or not what their commits recorded.
    pub(crate) fn damaged(&self, snapshot: &Snapshot) -> Vec<Finding> {
        let files = snapshot.listed().flat_map(|commit| &commit.files);
        let compared =
            |file| Some(finding(file, self.locate(file).and_then(|path| compare(&path, file)).err()?));
        files.filter_map(compared).collect()
    }
}
