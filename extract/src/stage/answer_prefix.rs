//! What stands between a prompt and an answer whose probability is asked for.
//!
//! A setting says it, or a prompt's own params do; otherwise the prompt's own text does: the same cue further up, then the same mark
//! further up, then the script. docs/prompts.md has the rule in words.

use hypercolumn_schemas::is_unspaced;

/// Opening marks, and marks that join: nothing stands between them and what follows.
const OPENING: &str = "([{<«“‘„‚¿¡\"'`/\\-–—_#$€£@&~^|";

/// Marks with which no answer that is a word begins: they follow a word without a space.
const CLOSING: &str = ".,;:!?)]}»”’%";

/// The prefix of `answer` after `prompt`: a space, nothing, or the white space that follows the prompt's last line where
/// that line stands in the prompt before.
pub(super) fn answer_prefix(prompt: &str, answer: &str) -> String {
    let (Some(last), Some(first)) = (prompt.chars().next_back(), answer.chars().next()) else {
        return String::new();
    };
    if last.is_whitespace() || first.is_whitespace() || is_unspaced(last) || is_unspaced(first) {
        return String::new();
    }
    if let Some(space) = after_same_cue(prompt) {
        return space.to_owned();
    }
    let is_mark = !last.is_alphanumeric();
    let space = is_mark.then(|| is_space_after(prompt, last)).flatten();
    let space = space.unwrap_or_else(|| is_space_by_default(prompt, last, first));
    if space { " ".to_owned() } else { String::new() }
}

/// The white space behind the latest earlier line that begins with the prompt's last line, e.g. `Answer:` of a
/// demonstration.
fn after_same_cue(prompt: &str) -> Option<&str> {
    let start = prompt.rfind('\n')? + 1;
    let cue = prompt[start..].trim_start();
    let before = &prompt[..start];
    let (at, _) = before
        .rmatch_indices(cue)
        .find(|(at, _)| before[..*at].chars().next_back().is_none_or(|c| c == '\n') && !cue.is_empty())?;
    let rest = &before[at + cue.len()..];
    let answer = rest.trim_start();
    // A cue that nothing follows is no demonstration.
    (!answer.is_empty()).then(|| &rest[..rest.len() - answer.len()])
}

/// Whether white space follows the latest earlier occurrence of the mark that ends the prompt; `None` if there is none
/// within a line.
fn is_space_after(prompt: &str, mark: char) -> Option<bool> {
    let before = &prompt[..prompt.len() - mark.len_utf8()];
    let next = |(at, _): (usize, &str)| before[at + mark.len_utf8()..].chars().next();
    let within_line = before.rmatch_indices(mark).filter_map(next).find(|c| *c != '\n')?;
    Some(within_line.is_whitespace())
}

fn is_space_by_default(prompt: &str, last: char, first: char) -> bool {
    let before_last = prompt[..prompt.len() - last.len_utf8()].chars().next_back();
    match last {
        _ if CLOSING.contains(first) => false,
        // An arrow, not a closing tag.
        '>' => matches!(before_last, Some('-' | '=')),
        ',' => !(before_last.is_some_and(char::is_numeric) && is_number_start(first)),
        _ => !OPENING.contains(last),
    }
}

fn is_number_start(c: char) -> bool {
    c.is_numeric() || matches!(c, '-' | '+' | '.' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_stands_where_the_text_would_have_one() {
        let cases = [
            ("Target:", "watering", " "),
            ("Target: ", "watering", ""),
            ("Target:", " watering", ""),
            ("The capital of France is", "Paris", " "),
            ("The capital of France is", ".", ""),
            ("She said (", "yes", ""),
            ("She said \"", "yes", ""),
            ("apple ->", "pomme", " "),
            ("<|assistant|>", "Yes", ""),
            ("[/INST]", "Yes", " "),
            ("(0.63,", "17.9", ""),
            ("(0.63,", "-17.9", ""),
            ("Paris, London,", "Rome", " "),
            ("In 1990,", "Kim", " "),
            ("4 + 4 =", "8", " "),
            ("法国的首都是", "巴黎", ""),
            ("请问法国的首都是什么地方？答：", "巴黎", ""),
            ("France in Chinese is", "法国", ""),
            ("日本の首都は", "Tokyo", ""),
            ("เมืองหลวงของไทยคือ", "กรุงเทพ", ""),
            ("프랑스의 수도는", "파리", " "),
            ("Столица Франции", "Париж", " "),
        ];
        for (prompt, answer, prefix) in cases {
            assert_eq!(answer_prefix(prompt, answer), prefix, "{prompt:?} {answer:?}");
        }
    }

    #[test]
    fn a_prompt_shows_how_it_spaces() {
        let cases = [
            ("1 + 1 =2\n4 + 4 =", "8", ""),
            ("1+1=2, 4+4=", "8", ""),
            ("1 + 1 = 2, 4 + 4 =", "8", " "),
            ("Q: a?\nA: x\nQ: b?\nA:", "y", " "),
            ("Q: a?\nA:x\nQ: b?\nA:", "y", ""),
            ("Q: a?\nAnswer:\nx\n\nQ: b?\nAnswer:", "y", "\n"),
            ("Fruits -> apple\nTools ->", "saw", " "),
            // No demonstration: a heading of its own line says nothing of the answer.
            ("Facts:\nAnna sings.\nAnswer:", "Anna", " "),
            ("(0.44,13.8); (0.63,", "Kim", ""),
        ];
        for (prompt, answer, prefix) in cases {
            assert_eq!(answer_prefix(prompt, answer), prefix, "{prompt:?} {answer:?}");
        }
    }
}
