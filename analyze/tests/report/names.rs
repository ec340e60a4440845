//! The texts of a planted lake that a user would have chosen.

/// Names of tasks and hypotheses: ordinary ones, or hostile ones.
#[derive(Clone)]
pub struct Names {
    pub line_task: String,
    pub scene_task: String,
    pub same_line: String,
    pub conditions: [String; 4],
    /// Begins every item's id, which the matrices' rows are named by.
    pub item_prefix: String,
    /// The text of every prompt.
    pub prompt: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            line_task: "linear_regression".into(),
            scene_task: "reading_comprehension".into(),
            same_line: "same line".into(),
            conditions: ["icl_0", "icl_1", "icl_2", "icl_4"].map(str::to_owned),
            item_prefix: String::new(),
            prompt: "Here are points: (0.5,3); (0.2,".into(),
        }
    }
}
