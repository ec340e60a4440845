//! Ctrl-C and SIGTERM: the process ends at once. Its own staged files are removed, what was committed stays, and the command
//! that resumes the work is printed. A closed terminal (SIGHUP) is left to the system, so that `nohup` works.

use crate::args::Command;
use crate::exit::INTERRUPTED;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Time between two looks at whether an interrupt has come.
const INTERVAL: Duration = Duration::from_millis(20);

static HAS_COME: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Answers interrupts from here on. A shell answers its own: Ctrl-C ends a query there, not the process.
pub fn listen(command: &Command) {
    if matches!(command, Command::Sql(args) if args.is_shell()) {
        return;
    }
    let text = match command.resumes() {
        true => {
            format!("interrupted; what was committed is kept, and `{}` resumes from there", this_command())
        }
        false => "interrupted".to_owned(),
    };
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&HAS_COME))
            .expect("a signal that a process may answer");
    }
    std::thread::spawn(move || {
        while !HAS_COME.load(Ordering::SeqCst) {
            std::thread::sleep(INTERVAL);
        }
        end(&text);
    });
}

fn end(text: &str) -> ! {
    hypercolumn_schemas::discard_staged();
    // The terminal may have gone.
    let _ = writeln!(io::stderr(), "\n{text}");
    std::process::exit(INTERRUPTED.into());
}

/// Waits for the end if an interrupt is being answered: what failed meanwhile failed because of it.
pub fn yield_to_it() {
    while HAS_COME.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// The command line of this process, to be pasted into a shell.
fn this_command() -> String {
    let arguments: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_else(|_| arguments.join(" "))
}
