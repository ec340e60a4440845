//! Progress and messages on standard error: a bar with rate and time left on a terminal, plain lines
//! otherwise, nothing when asked to be quiet.

use crate::visible::visible;
use hypercolumn_schemas::Progress;
use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(15);

/// The unit that is shown with a prefix.
const BYTES: &str = "bytes";

/// Shows progress and messages.
pub struct Reporter {
    manner: Manner,
    work: Mutex<Option<Work>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Bar,
    Lines,
    Quiet,
}

/// The piece of work in progress.
enum Work {
    Bar(ProgressBar),
    Lines(Lines),
}

/// Progress as plain lines: units done, the start, and the time of the last line.
struct Lines {
    label: String,
    unit: &'static str,
    total: u64,
    done: u64,
    started: Instant,
    last_line: Instant,
}

impl Reporter {
    /// A reporter for this process's standard error: a bar on a terminal, plain lines otherwise.
    pub fn new() -> Self {
        let manner = if io::stderr().is_terminal() { Manner::Bar } else { Manner::Lines };
        Self { manner, work: Mutex::new(None) }
    }

    /// A reporter that shows warnings only.
    pub fn quiet() -> Self {
        Self { manner: Manner::Quiet, work: Mutex::new(None) }
    }

    /// One line for the user.
    pub fn say(&self, line: &str) {
        if self.manner != Manner::Quiet {
            say(line);
        }
    }

    /// One line about the result that is shown even when quiet.
    pub fn warn(&self, line: &str) {
        say(&format!("warning: {line}"));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Work>> {
        // A panic elsewhere does not make the count wrong.
        self.work.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Reporter {
    fn start(&self, label: &str, total: u64, unit: &'static str) {
        self.finish();
        let work = match self.manner {
            Manner::Quiet => return,
            Manner::Bar => Work::Bar(bar(label, total, unit)),
            Manner::Lines => {
                let now = Instant::now();
                say(&format!("{label}: {}", amount(total, unit)));
                Work::Lines(Lines {
                    label: label.to_owned(),
                    unit,
                    total,
                    done: 0,
                    started: now,
                    last_line: now,
                })
            }
        };
        *self.lock() = Some(work);
    }

    fn advance(&self, n: u64) {
        match &mut *self.lock() {
            Some(Work::Bar(bar)) => bar.inc(n),
            Some(Work::Lines(lines)) => lines.advance(n),
            None => {}
        }
    }

    fn finish(&self) {
        match self.lock().take() {
            Some(Work::Bar(bar)) => {
                bar.finish_and_clear();
                let label = bar.message();
                let elapsed = bar.elapsed();
                let unit = bar.prefix();
                say(&format!("{label}: {} in {}", amount(bar.position(), &unit), duration(elapsed)));
            }
            Some(Work::Lines(lines)) => {
                let elapsed = duration(lines.started.elapsed());
                say(&format!("{}: {} in {elapsed}", lines.label, amount(lines.done, lines.unit)));
            }
            None => {}
        }
    }

    /// A warning is shown even where progress is not: a result must not be trusted without it.
    fn warn(&self, message: &str) {
        let line = format!("warning: {message}");
        match &*self.lock() {
            Some(Work::Bar(bar)) => bar.suspend(|| say(&line)),
            _ => say(&line),
        }
    }
}

impl Drop for Reporter {
    /// An error in mid-work must not leave a bar on the error's line.
    fn drop(&mut self) {
        if let Some(Work::Bar(bar)) = self.lock().take() {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn advance(&mut self, n: u64) {
        self.done += n;
        if self.last_line.elapsed() < LINE_INTERVAL {
            return;
        }
        self.last_line = Instant::now();
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64();
        let left = Duration::from_secs_f64(self.total.saturating_sub(self.done) as f64 / rate.max(1e-9));
        let speed = match self.unit {
            BYTES => bytes(rate as u64),
            unit => format!("{rate:.1} {unit}"),
        };
        say(&format!(
            "{}: {} of {} ({:.0} %), {speed}/s, {} left",
            self.label,
            amount(self.done, self.unit),
            amount(self.total, self.unit),
            100.0 * self.done as f64 / self.total.max(1) as f64,
            duration(left)
        ));
    }
}

/// A duration for people: `0.4 s`, `12 s`, `3 minutes`.
pub fn duration(elapsed: Duration) -> String {
    match elapsed.as_secs_f64() {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        _ => HumanDuration(elapsed).to_string(),
    }
}

/// A number of bytes for people: `98.36 MB`.
pub fn bytes(n: u64) -> String {
    DecimalBytes(n).to_string()
}

fn amount(n: u64, unit: &str) -> String {
    if unit == BYTES { bytes(n) } else { format!("{n} {unit}") }
}

fn bar(label: &str, total: u64, unit: &'static str) -> ProgressBar {
    let template = match unit {
        BYTES => "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left",
        _ => "{msg} {wide_bar} {human_pos}/{human_len} {prefix} {per_sec} {eta} left",
    };
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    let bar = ProgressBar::new(total).with_style(style).with_message(label.to_owned()).with_prefix(unit);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn say(line: &str) {
    // A closed standard error has no reader.
    let _ = writeln!(io::stderr(), "{}", visible(line));
}
