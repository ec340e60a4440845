//! Splits CSV text into records, strictly (RFC 4180): a quote that is out of place is refused with its line.
//!
//! General CSV readers guess here. A quote that is escaped with a backslash then ends its value early, and one that
//! is never closed swallows the records after it.

/// Which character separates cells, and what a quote inside an unquoted cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The separator, an ASCII character.
    pub(super) delimiter: u8,
    /// The meaning of a quote in a cell that does not begin with one.
    pub(super) inner_quotes: InnerQuotes,
}

/// The meaning of a quote in a cell that does not begin with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InnerQuotes {
    /// An error: writers of CSV enclose such a cell in quotes.
    Refused,
    /// A character of the cell: many tab-separated files are written without any quoting.
    Literal,
}

/// A record and the line on which it begins, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CsvRecord {
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

/// A quote that is out of place, and the line on which its cell begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QuoteError {
    pub(super) line: u64,
    pub(super) message: String,
}

/// Splits a text into records. Lines end with LF, CRLF or CR; records without any content are left out.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    dialect: Dialect,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self { text, at: 0, line: 1, dialect }
    }

    /// The next record; `None` at the end of the text.
    pub(super) fn next_record(&mut self) -> Result<Option<CsvRecord>, QuoteError> {
        while self.at < self.text.len() {
            let line = self.line;
            let mut cells = Vec::new();
            loop {
                cells.push(self.read_cell()?);
                if self.peek() != Some(self.dialect.delimiter) {
                    break;
                }
                self.at += 1;
            }
            self.pass_line_end();
            if cells.iter().any(|cell| !cell.is_empty()) {
                return Ok(Some(CsvRecord { line, cells }));
            }
        }
        Ok(None)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn pass_line_end(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += if rest.starts_with(b"\r\n") { 2 } else { usize::from(!rest.is_empty()) };
        self.line += 1;
    }

    fn read_cell(&mut self) -> Result<String, QuoteError> {
        if self.peek() == Some(b'"') {
            return self.read_quoted();
        }
        let rest = &self.text[self.at..];
        let ends = |byte: &u8| *byte == self.dialect.delimiter || matches!(byte, b'\n' | b'\r');
        let cell = &rest[..rest.as_bytes().iter().position(ends).unwrap_or(rest.len())];
        if self.dialect.inner_quotes == InnerQuotes::Refused && cell.contains('"') {
            let shown: String = cell.chars().take(40).collect();
            let message = format!(
                "a quote stands inside {shown:?}, which does not begin with one; expected the whole value in quotes, \
                 with each quote inside it written twice (\"\")"
            );
            return Err(QuoteError { line: self.line, message });
        }
        self.at += cell.len();
        Ok(cell.to_owned())
    }

    fn read_quoted(&mut self) -> Result<String, QuoteError> {
        let opened = self.line;
        let mut cell = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(length) = rest.find('"') else {
                return Err(QuoteError {
                    line: opened,
                    message: "a value begins with a quote that is never closed".to_owned(),
                });
            };
            let part = &rest[..length];
            cell.push_str(part);
            self.line += count_line_ends(part);
            self.at += length + 1;
            match self.peek() {
                Some(b'"') => {
                    cell.push('"');
                    self.at += 1;
                }
                Some(byte) if byte != self.dialect.delimiter && !matches!(byte, b'\n' | b'\r') => {
                    return Err(QuoteError { line: opened, message: self.describe_early_end(&cell) });
                }
                _ => return Ok(cell),
            }
        }
    }

    /// Why text cannot follow the quote that ends `cell`.
    fn describe_early_end(&self, cell: &str) -> String {
        let twice = "a quote inside a value is written twice (\"\")";
        let after: String = self.text[self.at..].chars().take_while(|c| *c != '\n').take(20).collect();
        match cell.ends_with('\\') {
            true => format!("a quote is escaped with a backslash; in CSV {twice}"),
            false => {
                let line = self.line;
                format!(
                    "a value begins with a quote, and {after:?} follows its closing quote in line {line}; {twice}, \
                     and each value is closed"
                )
            }
        }
    }
}

/// LF, CRLF and CR each end a line.
fn count_line_ends(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = |i: usize| bytes[i] == b'\n' || (bytes[i] == b'\r' && bytes.get(i + 1) != Some(&b'\n'));
    (0..bytes.len()).filter(|&i| ends(i)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Dialect = Dialect { delimiter: b',', inner_quotes: InnerQuotes::Refused };
    const TSV: Dialect = Dialect { delimiter: b'\t', inner_quotes: InnerQuotes::Literal };

    fn scan(text: &str, dialect: Dialect) -> Result<Vec<(u64, Vec<String>)>, QuoteError> {
        let mut scanner = Scanner::new(text, dialect);
        let mut records = Vec::new();
        while let Some(CsvRecord { line, cells }) = scanner.next_record()? {
            records.push((line, cells));
        }
        Ok(records)
    }

    #[test]
    fn cells_and_lines_are_those_of_the_text_whatever_ends_a_line() {
        let expected = [
            (1, vec!["a".to_owned(), "b \"c\", d".to_owned()]),
            (2, vec!["two\nlines".to_owned(), String::new()]),
            (5, vec!["é".to_owned(), "x".to_owned()]),
        ];
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("a,\"b \"\"c\"\", d\"{end}\"two{end}lines\",{end},{end}é,\"x\"{end}");
            let mut records = scan(&text, CSV).expect("good CSV");
            records[1].1[0] = records[1].1[0].replace(end, "\n");
            assert_eq!(records, expected, "{end:?}");
        }
        assert_eq!(scan("", CSV), Ok(vec![]));
        assert_eq!(scan("a", CSV), Ok(vec![(1, vec!["a".to_owned()])]));
        assert_eq!(scan("5\" pipe\tb", TSV).expect("literal")[0].1, ["5\" pipe", "b"]);
    }

    #[test]
    fn quotes_out_of_place_are_refused_with_the_line_where_their_cell_begins() {
        let refusal = |text: &str| scan(text, CSV).expect_err(text);
        let backslash = refusal("a,b\nc,\"She said \\\"stop\\\" twice\"\n");
        assert_eq!(backslash.line, 2);
        assert!(backslash.message.contains("backslash"), "{}", backslash.message);
        let unclosed = refusal("a,b\r\n\"c,d\r\ne,f\r\n");
        assert_eq!(unclosed.line, 2);
        assert!(unclosed.message.contains("never closed"), "{}", unclosed.message);
        // The quote of line 2 is closed by the one that opens a value in line 4.
        let swallowed = refusal("a,b\n\"c,d\ne,f\ng,\"h\"\n");
        assert_eq!(swallowed.line, 2);
        assert!(swallowed.message.contains("line 4"), "{}", swallowed.message);
        assert!(refusal("a,say \"b\"\n").message.contains("inside"));
        assert!(refusal("a, \"b\"\n").message.contains("inside"));
        assert_eq!(scan("a\t\"b\" c", TSV).expect_err("text after a quote").line, 1);
    }
}
