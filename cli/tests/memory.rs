//! The memory forecast is an upper bound of what an extraction takes, and not a loose one.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support;

use support::{Bench, default_model};

const STUDY: &str = "name = \"s\"\n[[task]]\nname = \"linear_regression\"\nlines = 8\nprompts_per_line = 4\nexamples = [2]\n\
    [task.extract]\nmax_new_tokens = 8\n";

/// With every weight in memory, and read layer by layer with more and with less to spare.
const LIMITS: [&str; 3] = ["16GB", "850MB", "640MB"];

/// Peak resident bytes of a run of the program, which must succeed.
fn peak_bytes(bench: &Bench, arguments: &[&str]) -> u64 {
    #[expect(clippy::zombie_processes, reason = "wait4 waits for it")]
    let child = bench.command(arguments).spawn().expect("started");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: the process is this one's child and nobody else waits for it; both pointers are to live values.
    let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, usage.as_mut_ptr()) };
    assert_eq!((waited, status), (child.id() as libc::pid_t, 0), "{arguments:?} failed");
    // SAFETY: zeroed is a value of this struct of integers, and wait4 has filled it in.
    unsafe { usage.assume_init() }.ru_maxrss as u64 * 1024
}

/// Bytes in the column `memory` of a dry run, e.g. `1.05 GB`.
fn forecast_bytes(bench: &Bench, arguments: &[&str]) -> f64 {
    let text = bench.run(&[arguments, &["--dry-run"]].concat()).succeeds().text();
    let cells = |line: &str| line.split(['│', '┆']).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let head = text.lines().map(cells).find(|cells| cells.iter().any(|c| c == "memory")).expect("a head");
    let row =
        text.lines().map(cells).find(|cells| cells.iter().any(|c| c == "linear_regression")).expect("a row");
    let memory = &row[head.iter().position(|c| c == "memory").expect("a column")];
    let (number, unit) = memory.split_once(' ').expect("a number and its unit");
    let factor = match unit {
        "GB" => 1e9,
        "MB" => 1e6,
        other => panic!("unknown unit {other}"),
    };
    number.parse::<f64>().expect("a number") * factor
}

#[test]
fn the_forecast_bounds_what_an_extraction_takes() {
    let bench = Bench::new();
    bench.write("s.toml", STUDY);
    let Some(model) = default_model() else { return };
    let model = model.to_str().expect("UTF-8");
    let mut forecasts = Vec::new();
    for limit in LIMITS {
        bench.run(&["ingest", "s.toml", "--lake", limit]).succeeds();
        let extract = ["extract", "s.toml", "--model", model, "--memory", limit, "--lake", limit, "--quiet"];
        let forecast = forecast_bytes(&bench, &extract);
        let peak = peak_bytes(&bench, &extract) as f64;
        assert!(peak <= forecast, "{limit}: {peak} bytes were taken, {forecast} forecast");
        assert!(forecast <= 1.5 * peak, "{limit}: {forecast} bytes were forecast, {peak} taken");
        forecasts.push(forecast);
    }
    assert!(forecasts[0] > forecasts[1], "the smaller limit is honoured: {forecasts:?}");
}
