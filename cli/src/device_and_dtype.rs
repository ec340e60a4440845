//! `--device` and `--dtype`. There is one device, the CPU, and one type, f32: any other is refused.

use clap::Arg;

/// The options `--device` and `--dtype`.
pub fn options() -> [Arg; 2] {
    let option = |name: &'static str, value, help| Arg::new(name).long(name).value_name(value).help(help);
    [
        option("device", "DEVICE", "What computes: `cpu`, the only device. Another is refused, not replaced")
            .value_parser(check_device),
        option("dtype", "TYPE", "What is computed in: `f32`, or `auto`, which is f32 for every checkpoint")
            .value_parser(check_dtype),
    ]
}

fn check_device(text: &str) -> Result<(), String> {
    match text.split(':').next().unwrap_or_default() {
        "cpu" if text == "cpu" => Ok(()),
        "cuda" | "metal" => {
            Err("models are computed on the CPU, with no other backend; say `cpu`, or leave it out"
                .to_owned())
        }
        _ => Err("accepted: `cpu`".to_owned()),
    }
}

fn check_dtype(text: &str) -> Result<(), String> {
    match text {
        "f32" | "auto" => Ok(()),
        "bf16" | "f16" => {
            let hint = "weights of either type lose nothing in it; say `f32`, or leave it out";
            Err(format!("everything is computed and written in f32: {hint}"))
        }
        _ => Err("accepted: `f32`, `auto`".to_owned()),
    }
}
