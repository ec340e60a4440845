//! Presets: published analyses as study files that the program carries. A further one is a file in `data/studies` and a line here.

/// A published analysis.
#[derive(Debug)]
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// The study's text.
    pub text: &'static str,
}

/// All presets.
pub static PRESETS: [Preset; 1] =
    [Preset { name: "yousefi2024", text: include_str!("../../../data/studies/yousefi2024.toml") }];

/// The names of all presets.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}
