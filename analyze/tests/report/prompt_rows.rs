//! The planted tasks' prompts, their segments, and what the model answers.

use crate::lake::World;
use crate::table_rows::{Cell, Rows, t};
use hypercolumn_schemas::{Partition, tables};

impl World<'_> {
    pub(crate) fn prompts(&self) -> Rows {
        let mut rows = Rows::new(&tables::PROMPTS, Partition::of_task(self.task));
        for (c, condition, item) in self.each() {
            let params = serde_json::json!({"line": item.group, "slope": item.slope, "x": item.id.len()});
            rows.push(vec![
                t(&format!("{}-{c}", item.id)),
                t(&item.id),
                t(condition),
                Cell::I([0, 1, 2, 4][c]),
                t(&self.names.prompt),
                t("12.5"),
                t(&params.to_string()),
            ]);
        }
        rows
    }

    /// The points of each prompt, and the first of them, which lies within.
    pub(crate) fn segments(&self) -> Rows {
        let mut rows = Rows::new(&tables::SEGMENTS, Partition::of_task(self.task));
        let text: Vec<char> = self.names.prompt.chars().collect();
        for (c, _, item) in self.each() {
            for (number, role, start, end) in [(1, "points", 17, 32), (2, "example", 17, 24)] {
                let end = text.len().min(end);
                let spanned: String = text[start.min(end)..end].iter().collect();
                rows.push(vec![
                    t(&format!("{}-{c}", item.id)),
                    Cell::I(number),
                    t(role),
                    Cell::I(start as i64),
                    Cell::I(end as i64),
                    t(&spanned),
                ]);
            }
        }
        rows
    }

    /// The same response everywhere, but that those of the first line are empty under one condition.
    pub(crate) fn responses(&self) -> Rows {
        let mut rows = Rows::new(&tables::RESPONSES, self.of_model());
        for (c, _, item) in self.each() {
            let (response, n_tokens) =
                if self.is_lines && c == 2 && item.group == 0 { ("\u{a0}\n", 1) } else { (" 12.5", 3) };
            let id = t(&format!("{}-{c}", item.id));
            rows.push(vec![id, Cell::I(0), t(response), Cell::I(n_tokens), Cell::F(-2.0), t("12")]);
        }
        rows
    }

    pub(crate) fn choices(&self) -> Rows {
        let mut rows = Rows::new(&tables::CHOICES, self.of_model());
        for (c, _, item) in self.each().filter(|_| !self.is_lines) {
            for choice in 1..=3 {
                let prompt = format!("{}-{c}", item.id);
                let name = format!("choice_{choice}");
                rows.push(vec![
                    t(&prompt),
                    t(&name),
                    t("x"),
                    t(" x"),
                    Cell::I(2),
                    Cell::F(-3.0),
                    Cell::B(choice == 1),
                ]);
            }
        }
        rows
    }
}
