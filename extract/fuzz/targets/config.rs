//! A `config.json`, as every family reads it.

#![no_main]

use hypercolumn_extract::model::describe_config;
use hypercolumn_extract_fuzz::check_architecture;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| match describe_config(Path::new("config.json"), bytes) {
    Ok(architecture) => check_architecture(&architecture),
    Err(error) => assert!(!error.to_string().is_empty()),
});
