//! A position in a text, and the numerals that begin there.

/// A position in a text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// Bytes before the position.
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(' ').len();
    }

    pub(super) fn take_if(&mut self, is_wanted: fn(char) -> bool) -> Option<char> {
        let c = self.rest().chars().next().filter(|c| is_wanted(*c))?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes the first of these texts that stands here.
    pub(super) fn take_any(&mut self, texts: &[&str]) -> Option<()> {
        let found = texts.iter().find(|text| self.rest().starts_with(**text))?;
        self.at += found.len();
        Some(())
    }

    /// Takes what `read` takes, or nothing.
    pub(super) fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut ahead = *self;
        let value = read(&mut ahead)?;
        *self = ahead;
        Some(value)
    }

    pub(super) fn take_digits(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let n = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.at += n;
        (n > 0).then(|| &rest[..n])
    }

    pub(super) fn is_digit_behind(&self, n_bytes: usize) -> bool {
        self.rest()[n_bytes..].starts_with(|c: char| c.is_ascii_digit())
    }

    /// A numeral without its sign, in characters that Rust reads: digits, groups, decimals, exponent.
    pub(super) fn take_unsigned(&mut self) -> Option<String> {
        let mut plain = match self.take_digits() {
            Some(first) => self.take_groups(first),
            None => String::new(),
        };
        if self.rest().starts_with('.') && self.is_digit_behind(1) {
            self.at += 1;
            plain.push('.');
            plain.push_str(self.take_digits()?);
        }
        if plain.is_empty() {
            return None;
        }
        let exponent = self.attempt(Self::take_exponent).or_else(|| self.attempt(Self::take_power_of_ten));
        plain.extend(exponent.map(|exponent| format!("e{exponent}")));
        Some(plain)
    }

    /// `first` with the groups of three digits that follow it, without their separators.
    fn take_groups(&mut self, first: &str) -> String {
        let mut digits = first.to_owned();
        let separator = self.rest().chars().next().filter(|c| is_separator(*c));
        let Some(separator) = separator.filter(|_| first.len() <= 3) else { return digits };
        let start = self.at;
        while let Some(group) = group_behind(self.rest(), separator) {
            digits.push_str(group);
            self.at += separator.len_utf8() + group.len();
        }
        if self.rest().starts_with(separator) && self.is_digit_behind(separator.len_utf8()) {
            // Groups of other sizes: a list, or what can be read in two ways.
            self.at = start;
            digits.truncate(first.len());
        }
        digits
    }

    /// `e-3`, if no further letter or digit joins it; without the `e`.
    fn take_exponent(&mut self) -> Option<String> {
        self.take_if(|c| matches!(c, 'e' | 'E'))?;
        let exponent = self.take_integer()?;
        (!self.rest().starts_with(char::is_alphanumeric)).then_some(exponent)
    }

    /// ` × 10^23`, `\times 10^{23}`, `×10²³`; the exponent.
    fn take_power_of_ten(&mut self) -> Option<String> {
        self.skip_spaces();
        self.take_any(&["×", "x", "X", "*", "·", "⋅", "\\times", "\\cdot"])?;
        self.skip_spaces();
        self.take_any(&["10"])?;
        if self.take_any(&["^{"]).is_some() {
            let exponent = self.take_integer()?;
            return self.take_any(&["}"]).map(|()| exponent);
        }
        if self.take_any(&["^", "**"]).is_some() {
            return self.take_integer();
        }
        self.take_superscript()
    }

    fn take_integer(&mut self) -> Option<String> {
        let sign = self.take_if(is_sign);
        let digits = self.take_digits()?;
        Some(format!("{}{digits}", minus(sign)))
    }

    fn take_superscript(&mut self) -> Option<String> {
        const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
        let mut exponent = String::new();
        if let Some(sign) = self.take_if(|c| matches!(c, '⁻' | '⁺')) {
            exponent.push_str(if sign == '⁻' { "-" } else { "" });
        }
        let n_sign = exponent.len();
        while let Some(c) = self.take_if(|c| DIGITS.contains(&c)) {
            exponent.extend(DIGITS.iter().position(|d| *d == c).map(|n| n.to_string()));
        }
        (exponent.len() > n_sign).then_some(exponent)
    }
}

/// Three digits behind a separator at the beginning of a text, and no fourth.
fn group_behind(text: &str, separator: char) -> Option<&str> {
    let group = text.strip_prefix(separator)?;
    let n = group.len() - group.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (n == 3).then(|| &group[..n])
}

/// What separates groups of three digits: commas, apostrophes, and no-break, figure, thin and narrow spaces.
fn is_separator(c: char) -> bool {
    matches!(c, ',' | '\'' | '’' | '\u{A0}' | '\u{2007}' | '\u{2009}' | '\u{202F}')
}

/// Plus and minus, and the hyphens and the dash that stand for a minus before a digit.
pub(super) fn is_sign(c: char) -> bool {
    matches!(c, '+' | '-' | '\u{2212}' | '\u{2010}' | '\u{2011}' | '\u{2013}' | '\u{FE63}' | '\u{FF0D}')
}

/// A sign in plain characters.
pub(super) fn minus(sign: Option<char>) -> &'static str {
    if sign.is_some_and(|sign| sign != '+') { "-" } else { "" }
}
