//! The prompts of one task, numbered, with their params as columns that a study's SQL can use.

use crate::answer::ask;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::expression::Expression;
use crate::frames::refused;
use crate::params::{param_columns, prompt_params_query};
use crate::quote::{literal, quoted};
use polars::prelude::{Column, DataFrame};
use std::collections::HashMap;
use std::sync::Arc;

/// Column that numbers the prompts of a task from 0, in order of prompt_id.
pub const INDEX: &str = "__index";

/// The prompts of one task.
pub struct TaskPrompts {
    /// The task.
    pub task: String,
    /// DuckDB's temporary table of them: [`INDEX`], the columns of `prompts`, the params.
    pub table: String,
    /// Ids, in order.
    pub ids: Vec<Arc<str>>,
    /// Item of each prompt.
    pub items: Vec<Arc<str>>,
    /// Condition of each prompt, as a number into `conditions`.
    pub condition_of: Vec<usize>,
    /// The conditions: fewest examples first, then those with answers, then as they appear.
    pub conditions: Vec<Arc<str>>,
    /// Names of the params as columns.
    params: Vec<String>,
    number_of: HashMap<Arc<str>, usize>,
}

impl TaskPrompts {
    /// Reads the prompts of `task` into the temporary table `table`.
    pub fn load(catalog: &Catalog, task: &str, table: String) -> Result<Self, CatalogError> {
        let connection = catalog.connection();
        let columns = param_columns(connection, Some(task))?;
        let sql = format!(
            "CREATE TEMP TABLE {table} AS
             SELECT row_number() OVER (ORDER BY prompt_id) - 1 AS {INDEX}, *
             FROM ({} WHERE task = {}) ORDER BY prompt_id",
            prompt_params_query(&columns),
            literal(task)
        );
        connection.execute_batch(&sql).map_err(CatalogError::engine("unpack the prompts"))?;
        let sql = format!("SELECT prompt_id, item_id, condition FROM {table} ORDER BY {INDEX}");
        let answer = ask(connection, &sql, &[], "read the prompts")?;
        let sql = include_str!("../queries/conditions.sql");
        let conditions =
            ask(connection, sql, &[&task], "read the conditions")?.column::<String>("condition")?;
        let conditions: Vec<Arc<str>> = conditions.into_iter().map(Into::into).collect();
        let place = |name: &String| conditions.iter().position(|c| **c == **name).unwrap_or(0);
        let condition_of = answer.column::<String>("condition")?.iter().map(place).collect();
        let ids: Vec<Arc<str>> = answer.column::<String>("prompt_id")?.into_iter().map(Into::into).collect();
        let items = intern(answer.column("item_id")?);
        let number_of = ids.iter().enumerate().map(|(i, id)| (Arc::clone(id), i)).collect();
        let params = columns.into_iter().map(|c| c.name).collect();
        Ok(Self { task: task.to_owned(), table, ids, items, condition_of, conditions, params, number_of })
    }

    /// All columns of the table under the alias `p`, but no param with one of these names.
    pub fn columns_except(&self, names: &[&str]) -> String {
        let is_excepted = |param: &&String| names.iter().any(|name| name.eq_ignore_ascii_case(param));
        let excepted: Vec<String> = self.params.iter().filter(is_excepted).map(|p| quoted(p)).collect();
        match excepted.is_empty() {
            true => "p.*".to_owned(),
            false => format!("p.* EXCLUDE ({})", excepted.join(", ")),
        }
    }

    /// The params that some SQL names, as SQL names them.
    pub fn params_in(&self, sql: &str) -> Vec<String> {
        let words: Vec<&str> = sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let is_named = |param: &&String| words.iter().any(|word| word.eq_ignore_ascii_case(param));
        self.params.iter().filter(is_named).map(|param| quoted(param)).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of prompts.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number of the prompt with this id.
    pub fn number(&self, id: &str) -> Option<usize> {
        self.number_of.get(id).copied()
    }

    /// The prompts' ids with their numbers: columns `prompt_id` and `number`.
    ///
    /// # Errors
    /// [`CatalogError::Frame`] where polars refuses.
    pub fn numbers_of_ids(&self) -> Result<DataFrame, CatalogError> {
        let ids: Vec<&str> = self.ids.iter().map(|id| &**id).collect();
        let numbers: Vec<u32> = (0..self.len() as u32).collect();
        let columns = vec![Column::new("prompt_id".into(), ids), Column::new("number".into(), numbers)];
        DataFrame::new(self.len(), columns).map_err(refused)
    }

    /// Which prompts satisfy a condition in SQL; all of them without one.
    pub fn select(
        &self,
        catalog: &Catalog,
        condition: Option<Expression<'_>>,
    ) -> Result<Vec<bool>, CatalogError> {
        let Some(condition) = condition else { return Ok(vec![true; self.len()]) };
        condition.check_condition(catalog, INDEX, &self.table)?;
        let sql = format!("SELECT {INDEX} FROM {} WHERE {}", self.table, condition.parenthesized());
        let mut selected = vec![false; self.len()];
        for index in condition.ask(catalog, &sql)?.column::<i64>(INDEX)? {
            selected[index as usize] = true;
        }
        Ok(selected)
    }

    /// The value of an expression for each prompt, as text.
    pub fn texts(
        &self,
        catalog: &Catalog,
        expression: Expression<'_>,
    ) -> Result<Vec<Option<String>>, CatalogError> {
        expression.check(catalog, INDEX, &self.table)?;
        expression.ask(catalog, &self.values_sql(expression, "VARCHAR"))?.column("value")
    }

    /// The value of an expression for each prompt, as a number.
    pub fn numbers(
        &self,
        catalog: &Catalog,
        expression: Expression<'_>,
    ) -> Result<Vec<Option<f64>>, CatalogError> {
        expression.check(catalog, INDEX, &self.table)?;
        let values = expression
            .ask(catalog, &self.values_sql(expression, "DOUBLE"))?
            .column::<Option<f64>>("value")?;
        match values.iter().position(|v| v.is_some_and(|v| !v.is_finite())) {
            None => Ok(values),
            Some(i) => Err(expression.refuse(format!("it is not finite for prompt `{}`", self.ids[i]))),
        }
    }

    fn values_sql(&self, expression: Expression<'_>, kind: &str) -> String {
        let value = expression.parenthesized();
        format!("SELECT CAST({value} AS {kind}) AS value FROM {} ORDER BY {INDEX}", self.table)
    }
}

/// Equal texts as one allocation.
fn intern(texts: Vec<String>) -> Vec<Arc<str>> {
    let mut known: HashMap<String, Arc<str>> = HashMap::new();
    let share = |text: String| Arc::clone(known.entry(text.clone()).or_insert_with(|| text.into()));
    texts.into_iter().map(share).collect()
}
