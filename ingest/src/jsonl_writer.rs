//! Writes prompts as JSON Lines, which [`PromptsFile`](crate::PromptsFile) reads back.

use hypercolumn_schemas::Prompt;
use std::io::{self, Write};

/// Writes prompts in the prompts format, one JSON object a line.
///
/// # Errors
///
/// Whatever the writer refuses.
pub fn write_jsonl<W: Write>(prompts: &[Prompt], mut writer: W) -> io::Result<()> {
    for prompt in prompts {
        serde_json::to_writer(&mut writer, prompt)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}
