//! What a check of a study's questions finds: everything that is wrong with them, and the attention that they read.

use crate::error::AnalyzeError;

/// What a check of questions against their prompts finds.
#[derive(Debug, Default)]
pub struct CheckedQuestions {
    /// Refusals of the user's input, in the order in which they were found.
    pub problems: Vec<AnalyzeError>,
    /// The attention that entries read.
    pub attention: Vec<AttentionAsked>,
}

/// Segments whose attention an entry reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionAsked {
    /// The entry's name in messages.
    pub entry: String,
    /// The entry's key: `query` for segments that attend, any other for segments that are attended to.
    pub key: &'static str,
    /// The roles of the segments that satisfy it, in some prompt.
    pub roles: Vec<String>,
}

impl CheckedQuestions {
    /// Keeps the refusal of bad input, so that checks continue; the result's value if there is one.
    ///
    /// # Errors
    /// Any other error: a fault of the machine or of this program.
    pub(crate) fn note<T, E: Into<AnalyzeError>>(
        &mut self,
        result: Result<T, E>,
    ) -> Result<Option<T>, AnalyzeError> {
        match result.map_err(E::into) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_bad_input() => {
                self.problems.push(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
