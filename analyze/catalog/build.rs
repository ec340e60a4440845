//! Puts the prebuilt DuckDB library where this workspace's binaries look for it.
//!
//! Binaries carry a relative rpath (`.cargo/config.toml`): their own directory and the one above. So a
//! link in the profile's directory (`target/release`) serves the program, and the tests below it in
//! `deps`, without any environment variable. Every crate that links DuckDB depends on this one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo:rerun-if-changed=build.rs");
    // A DuckDB that is compiled in, or found by the system's linker, needs no copy.
    let Some(directory) = env::var_os("DUCKDB_LIB_DIR").map(PathBuf::from) else { return };
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    let name = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => "libduckdb.dylib",
        _ => "libduckdb.so",
    };
    let library = directory.join(name);
    println!("cargo:rerun-if-changed={}", library.display());
    if !library.is_file() {
        let found = ["libduckdb.a", "libduckdb_static.a"].iter().any(|n| directory.join(n).is_file());
        assert!(
            found,
            "there is no {name} in {}: run `make setup` to fetch it, point DUCKDB_LIB_DIR to it, \
             or build with `--features bundled` to compile DuckDB",
            directory.display()
        );
        return;
    }
    if let Some(profile) = profile_directory() {
        place(&library, &profile.join(name));
    }
}

/// `target/PROFILE`, three levels above this script's own output.
fn profile_directory() -> Option<PathBuf> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    out.ancestors().nth(3).map(Path::to_owned)
}

/// A hard link where the file system allows it, else a copy; renamed, so that no build sees half of it.
fn place(library: &Path, destination: &Path) {
    let staging = destination.with_extension(format!("staging-{}", std::process::id()));
    let _ = fs::remove_file(&staging);
    let placed = fs::hard_link(library, &staging)
        .or_else(|_| fs::copy(library, &staging).map(|_| ()))
        .and_then(|()| fs::rename(&staging, destination));
    // Renaming one hard link of a file onto another of its links leaves both.
    let _ = fs::remove_file(&staging);
    if let Err(e) = placed {
        panic!("could not copy {} to {}: {e}", library.display(), destination.display());
    }
}
