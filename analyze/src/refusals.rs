//! What is wrong with a study's questions, collected so that all of it is named at once.

use crate::error::AnalyzeError;

/// Refusals of a user's input, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Refusals(Vec<AnalyzeError>);

impl Refusals {
    /// Keeps the refusal of bad input, so that checks continue; the result's value if there is one.
    ///
    /// # Errors
    /// Any other error: a fault of the machine or of this program.
    pub(crate) fn note<T>(&mut self, result: Result<T, AnalyzeError>) -> Result<Option<T>, AnalyzeError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_bad_input() => {
                self.0.push(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// All of them.
    pub(crate) fn into_errors(self) -> Vec<AnalyzeError> {
        self.0
    }
}
