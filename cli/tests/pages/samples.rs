//! Samples of a page: its blocks of code and its commands between backticks.

/// The blocks of a page that are indented by four spaces, the indentation taken away.
pub fn blocks(page: &str) -> Vec<String> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let (mut is_inside, mut is_fenced) = (false, false);
    for line in page.lines() {
        is_fenced ^= line.starts_with("```");
        match line.strip_prefix("    ") {
            Some(code) if !is_fenced => {
                if !is_inside {
                    blocks.push(Vec::new());
                }
                blocks.last_mut().expect("pushed").push(code);
                is_inside = true;
            }
            _ if line.trim().is_empty() && is_inside => blocks.last_mut().expect("a block").push(""),
            _ => is_inside = false,
        }
    }
    let text = |lines: Vec<&str>| format!("{}\n", lines.join("\n").trim_end());
    blocks.into_iter().map(text).collect()
}

/// The only block that begins so.
pub fn block(page: &str, beginning: &str) -> String {
    let mut found: Vec<String> =
        blocks(page).into_iter().filter(|block| block.starts_with(beginning)).collect();
    assert_eq!(found.len(), 1, "blocks that begin with `{beginning}`");
    found.remove(0)
}

/// The blocks of commands, as scripts.
pub fn scripts(page: &str) -> Vec<String> {
    let is_command = |line: &str| ["hypercolumn ", "make "].iter().any(|program| line.starts_with(program));
    blocks(page).into_iter().filter(|block| is_command(block)).collect()
}

/// Every command of the page, between backticks or in a block: `hypercolumn` and its arguments up to a pipe, a redirection or a
/// comment.
pub fn commands(page: &str) -> Vec<Vec<String>> {
    let inline = page.split('`').skip(1).step_by(2).map(str::to_owned);
    let lines: Vec<String> = blocks(page).iter().flat_map(|block| block.lines().map(str::to_owned)).collect();
    let commands = inline.chain(lines).filter(|text| text.starts_with("hypercolumn "));
    let words = |command: String| {
        let words = command.split_whitespace().map(str::to_owned);
        words.take_while(|word| !["|", ">", "#"].contains(&word.as_str())).skip(1).collect()
    };
    commands.map(words).collect()
}

#[test]
fn blocks_and_commands_are_found() {
    let page = "Text `hypercolumn plan --check` and `x`.\n\n    hypercolumn sql \"\n      A\"\n\n    B > c  # d\n\n- text\n  more\n";
    assert_eq!(blocks(page), ["hypercolumn sql \"\n  A\"\n\nB > c  # d\n"]);
    assert_eq!(scripts(page).len(), 1);
    assert_eq!(commands(page), [vec!["plan", "--check"], vec!["sql", "\""]]);
}
