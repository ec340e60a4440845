//! Prompts from a template and a table of items: demonstrations in front of each item, in every condition that is asked for.
//!
//! A template is Jinja with `[[role: text]]` for segments ([`markup`]). For each item [`demonstrations`] draws others that
//! stand in front of it; a condition is a number of them, and what else is varied: their labels, their order, the format.
//! The same settings and tables give the same bytes everywhere.

mod demonstrations;
mod markup;
mod render;
mod settings;
#[cfg(test)]
mod tests;

use std::path::Path;

use hypercolumn_schemas::{CHOICE_PREFIX, Prompt};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::error::{IngestError, Problem};
use crate::read::{ColumnMap, ITEMS, Item, ItemTable, Reading};
use crate::settings::{
    SettingMap, check_n_prompts, list_names, name_condition, parse_settings, with_accepted,
};
use demonstrations::Pool;
use render::{ANSWER, DEMONSTRATIONS, Template};
use settings::{ACCEPTED, Labels, NAME, Settings, TableSetting};

/// Number of problems that a refusal lists; the rest are counted.
const MAX_LISTED: usize = 5;

/// Params that the design gives to prompts.
const LABELS: &str = "labels";
const ORDER: &str = "order_number";
const FORMAT: &str = "format";
const REPLICATE: &str = "replicate";

/// A template with its settings and its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateTask {
    settings: Settings,
    items: ItemTable,
    demonstrations: Option<ItemTable>,
    map: ColumnMap,
}

impl TemplateTask {
    /// The settings of a task with a template.
    pub fn setting_names() -> impl Iterator<Item = &'static str> {
        ACCEPTED.iter().map(|(key, _)| *key)
    }

    /// What the settings may be, as a JSON Schema.
    pub fn settings_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = with_accepted(Settings::json_schema(generator), &ACCEPTED);
        let required = ["template", "items"];
        if let Some(keys) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            // The default of what must be given is only what the reader begins with.
            for key in required {
                keys[key].as_object_mut().and_then(|setting| setting.shift_remove("default"));
            }
        }
        schema.insert("required".to_owned(), json!(required));
        schema
    }

    /// A task by its settings; paths are relative to `directory`. `map` names the columns of its tables.
    ///
    /// # Errors
    /// [`IngestError`]: an unknown or impossible setting, a template that is no Jinja or whose segments do not end, a file
    /// that is missing or of an unknown format.
    pub fn from_settings(
        settings: &SettingMap,
        directory: &Path,
        map: ColumnMap,
    ) -> Result<Self, IngestError> {
        let settings: Settings = parse_settings(NAME, &ACCEPTED, settings)?;
        settings.check()?;
        if let Some(field) = map.fields().find(|field| !["item_id", "expected", "choices"].contains(field)) {
            let problem =
                format!("`{field}` is no field of an item; the fields are item_id, expected, choices");
            return Err(IngestError::ColumnMap { problem });
        }
        let table = |setting: &TableSetting, name| match setting {
            TableSetting::Path(path) => ItemTable::File(directory.join(path)),
            TableSetting::Rows(rows) => ItemTable::Rows { name, rows: rows.clone() },
        };
        let items = table(&settings.items, "items");
        let demonstrations = settings.demonstrations.as_ref().map(|setting| table(setting, DEMONSTRATIONS));
        for (key, table) in [("items", Some(&items)), (DEMONSTRATIONS, demonstrations.as_ref())] {
            let Some(table) = table else { continue };
            if !table.path().exists() && matches!(table, ItemTable::File(_)) {
                let problem = format!("there is no file `{}`", table.path().display());
                return Err(IngestError::Template { key, problem });
            }
            table.check()?;
        }
        let task = Self { settings, items, demonstrations, map };
        task.compile()?;
        Ok(task)
    }

    /// What decides the prompts, for an ingest's key: settings and content, but no path.
    ///
    /// # Errors
    /// [`IngestError`] where a file cannot be opened or read.
    pub(crate) fn describe(&self) -> Result<Value, IngestError> {
        let mut description = serde_json::to_value(&self.settings).expect("settings are JSON");
        description["items"] = self.items.describe()?;
        if let Some(table) = &self.demonstrations {
            description[DEMONSTRATIONS] = table.describe()?;
        }
        if !self.map.is_empty() {
            description["map"] = serde_json::to_value(&self.map).expect("names are JSON");
        }
        Ok(description)
    }

    /// The prompts: item by item, within an item replicate by replicate, and within that condition by condition.
    ///
    /// # Errors
    /// [`IngestError`]: tables that cannot be read, names that the items lack, items that the template refuses, too few
    /// demonstrations.
    pub(crate) fn generate(&self) -> Result<Reading, IngestError> {
        let compiled = self.compile()?;
        let (mut items, mut messages) = self.items.read(&self.map)?;
        let own_pool = self.demonstrations.as_ref().map(|table| table.read(&self.map)).transpose()?;
        let mut pool = own_pool.map_or_else(
            || items.clone(),
            |(pool, pool_messages)| {
                let own = pool_messages.into_iter().map(|message| format!("{DEMONSTRATIONS}: {message}"));
                messages.extend(own);
                pool
            },
        );
        self.check_names(&compiled, &items, &pool)?;
        compiled.fill(&mut items).map_err(|problems| self.refuse_items(&self.items, problems))?;
        let pool_table = self.demonstrations.as_ref().unwrap_or(&self.items);
        compiled.fill(&mut pool).map_err(|problems| self.refuse_items(pool_table, problems))?;
        let prompts = self.write(&compiled, &items, &pool)?;
        Ok(Reading { prompts, messages })
    }

    fn compile(&self) -> Result<Compiled, IngestError> {
        let compile = |key, source: &str| {
            Template::new(source).map_err(|problem| IngestError::Template { key, problem })
        };
        let mut formats = Vec::new();
        for (name, source) in self.settings.template.by_format() {
            let template = Template::new(source).map_err(|problem| {
                let of = name.map(|name| format!("{name}: ")).unwrap_or_default();
                IngestError::Template { key: "template", problem: format!("{of}{problem}") }
            })?;
            formats.push((name.map(str::to_owned), template));
        }
        let expected =
            self.settings.expected.as_deref().map(|source| compile("expected", source)).transpose()?;
        let choices = self
            .settings
            .choices
            .iter()
            .map(|source| compile("choices", source))
            .collect::<Result<_, _>>()?;
        let compiled = Compiled { formats, expected, choices };
        self.check_demonstrations(&compiled)?;
        Ok(compiled)
    }

    /// Refuses demonstrations that are asked for and not shown, and the reverse.
    fn check_demonstrations(&self, compiled: &Compiled) -> Result<(), IngestError> {
        let asked = self.settings.max_examples() > 0;
        for (name, template) in &compiled.formats {
            let shown = template.names.contains(DEMONSTRATIONS);
            let of = name.as_ref().map(|name| format!("the format `{name}` of ")).unwrap_or_default();
            if asked && !shown {
                let problem = format!(
                    "{of}the template shows no demonstrations: {{% for d in demonstrations %}}…{{{{ d.answer }}}}…{{% endfor %}}"
                );
                return Err(IngestError::Template { key: "examples", problem });
            }
            if shown && self.settings.examples.is_none() {
                let problem =
                    format!("{of}the template shows demonstrations; `examples = [0, 1, 4]` says how many");
                return Err(IngestError::Template { key: "template", problem });
            }
        }
        Ok(())
    }

    /// Refuses names in templates that no item has, and columns that are named as what the design adds.
    fn check_names(&self, compiled: &Compiled, items: &[Item], pool: &[Item]) -> Result<(), IngestError> {
        let mut columns: Vec<&str> = Vec::new();
        for name in items.iter().flat_map(|item| item.variables.keys()) {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
        let own = [DEMONSTRATIONS, LABELS, ORDER, FORMAT, REPLICATE];
        let taken = items
            .iter()
            .chain(pool)
            .flat_map(|item| item.variables.keys())
            .find(|n| own.contains(&n.as_str()));
        if let Some(name) = taken {
            let problem =
                format!("a column is called `{name}`, which the design gives to prompts; rename it");
            return Err(IngestError::Template { key: "items", problem });
        }
        let templates = compiled.formats.iter().map(|(_, template)| ("template", template));
        let templates = templates
            .chain(compiled.expected.iter().map(|template| ("expected", template)))
            .chain(compiled.choices.iter().map(|template| ("choices", template)));
        for (key, template) in templates {
            let unknown =
                template.names.iter().find(|n| *n != DEMONSTRATIONS && !columns.contains(&n.as_str()));
            if let Some(name) = unknown {
                let problem = match name.as_str() {
                    ANSWER => "`answer` is known of a demonstration alone, as `d.answer`".to_owned(),
                    _ => format!("no item has `{name}`; there are {}", list_names(&columns)),
                };
                return Err(IngestError::Template { key, problem });
            }
        }
        if let Some(column) = self.settings.apart.iter().find(|column| !columns.contains(&column.as_str())) {
            let problem = format!("no item has `{column}`; there are {}", list_names(&columns));
            return Err(IngestError::Template { key: "apart", problem });
        }
        Ok(())
    }

    fn write(&self, compiled: &Compiled, items: &[Item], pool: &[Item]) -> Result<Vec<Prompt>, IngestError> {
        let settings = &self.settings;
        let n_conditions = compiled.formats.len()
            * settings.examples().len()
            * settings.labels.len()
            * settings.orders as usize
            * settings.replicates as usize;
        check_n_prompts(NAME, "items", items.len() as u64, n_conditions)?;
        let answers = self.answers(pool)?;
        let pool = Pool {
            items: pool,
            draw: settings.draw,
            apart: &settings.apart,
            answers: &answers,
            seed: settings.seed,
        };
        self.check_labels(compiled, &pool, items)?;
        let mut prompts = Vec::new();
        let mut problems = Vec::new();
        for (number, item) in (0_u64..).zip(items) {
            for replicate in 0..settings.replicates {
                let index = number * u64::from(settings.replicates) + u64::from(replicate);
                let drawing = Drawing { pool: &pool, item, index, replicate };
                match self.write_item(compiled, &drawing) {
                    Ok(written) => prompts.extend(written),
                    Err(message) => problems.push(Problem { location: item.location, field: None, message }),
                }
            }
        }
        if !problems.is_empty() {
            return Err(self.refuse_items(&self.items, problems));
        }
        Ok(prompts)
    }

    /// Refuses labels that no prompt would show: the template then writes answers from the items' own columns.
    fn check_labels(&self, compiled: &Compiled, pool: &Pool<'_>, items: &[Item]) -> Result<(), IngestError> {
        let n = self.settings.max_examples();
        let not_gold = self.settings.labels.iter().filter(|labels| **labels != Labels::Gold && n > 0);
        for &labels in not_gold {
            for (_, template) in &compiled.formats {
                let shows = (0_u64..).zip(items).any(|(index, item)| {
                    // What cannot be drawn or rendered is refused with its item when prompts are written.
                    let Ok(drawn) = pool.draw(item, index, n) else { return true };
                    let render = |labels| {
                        let answers = pool.label(&drawn, labels, index);
                        template.render(item, &drawn.iter().copied().zip(answers).collect::<Vec<_>>())
                    };
                    match (render(Labels::Gold), render(labels)) {
                        (Ok(gold), Ok(other)) => gold != other,
                        _ => true,
                    }
                });
                if !shows {
                    let problem = format!(
                        "prompts with {} labels would be those with gold labels; a demonstration shows its label as \
                         {{{{ d.answer }}}}",
                        labels.name()
                    );
                    return Err(IngestError::Template { key: "labels", problem });
                }
            }
        }
        Ok(())
    }

    /// Every answer that random labels may be: the candidates, or the answers of the table.
    fn answers(&self, pool: &[Item]) -> Result<Vec<String>, IngestError> {
        let mut answers: Vec<String> = Vec::new();
        let choices = &self.settings.choices;
        let is_fixed = !choices.is_empty() && choices.iter().all(|choice| !choice.contains('{'));
        let source: Vec<&String> = match is_fixed {
            true => choices.iter().collect(),
            false => pool.iter().filter_map(|item| item.expected.as_ref()).collect(),
        };
        for answer in source {
            if !answers.contains(answer) {
                answers.push(answer.clone());
            }
        }
        if answers.len() < 2 && self.settings.labels != [Labels::Gold] {
            let problem = format!(
                "labels that are not gold are drawn among the answers, and there are {}; expected two or more",
                answers.len()
            );
            return Err(IngestError::Template { key: "labels", problem });
        }
        Ok(answers)
    }

    /// The prompts of an item under one draw of demonstrations.
    fn write_item(&self, compiled: &Compiled, drawing: &Drawing<'_>) -> Result<Vec<Prompt>, String> {
        let settings = &self.settings;
        let Drawing { pool, item, index, replicate } = drawing;
        let drawn = match settings.max_examples() {
            0 => Vec::new(),
            n => pool.draw(item, *index, n)?,
        };
        let mut prompts = Vec::new();
        for (format, template) in &compiled.formats {
            for &k in settings.examples() {
                let shown = &drawn[..k as usize];
                // Without demonstrations there are no labels and no order to vary.
                let all_labels = if k == 0 { &[Labels::Gold][..] } else { &settings.labels };
                for &labels in all_labels {
                    let answers = pool.label(shown, labels, *index);
                    let orders = pool.orders(shown.len(), settings.orders as usize, *index);
                    for (number, order) in (1..).zip(&orders) {
                        let in_order: Vec<(&Item, Option<&str>)> =
                            order.iter().map(|&at| (shown[at], answers[at])).collect();
                        let (text, segments) = template.render(item, &in_order)?;
                        if text.is_empty() {
                            return Err("the template gives an empty text".to_owned());
                        }
                        let condition = Condition { k, labels, order: number, format: format.as_deref() };
                        let name = condition.name();
                        let mut params = item.params.clone();
                        condition.describe(settings, &in_order, &mut params);
                        let mut prompt_id = format!("{}-{name}", item.item_id);
                        if settings.replicates > 1 {
                            params.insert(REPLICATE.to_owned(), Value::from(replicate + 1));
                            prompt_id.push_str(&format!("-r{}", replicate + 1));
                        }
                        prompts.push(Prompt {
                            prompt_id,
                            item_id: item.item_id.clone(),
                            condition: name,
                            n_examples: i32::try_from(k).expect("few demonstrations"),
                            text,
                            expected: item.expected.clone(),
                            params,
                            segments,
                        });
                    }
                }
            }
        }
        Ok(prompts)
    }

    fn refuse_items(&self, table: &ItemTable, mut problems: Vec<Problem>) -> IngestError {
        let n_problems = problems.len() as u64;
        problems.truncate(MAX_LISTED);
        IngestError::Refused { path: table.path().to_owned(), kind: ITEMS, n_problems, problems }
    }
}

/// The templates of a task.
struct Compiled {
    /// By the name of the format, where there are names.
    formats: Vec<(Option<String>, Template)>,
    expected: Option<Template>,
    choices: Vec<Template>,
}

impl Compiled {
    /// Gives items the expected answers and the candidates that templates make.
    fn fill(&self, items: &mut [Item]) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for item in items {
            let location = item.location;
            let mut fill = || -> Result<(), (&str, String)> {
                if let Some(template) = &self.expected {
                    let (text, _) = template.render(item, &[]).map_err(|message| ("expected", message))?;
                    item.expected = Some(text).filter(|text| !text.is_empty());
                }
                if !self.choices.is_empty() {
                    item.params.retain(|name, _| !name.starts_with(CHOICE_PREFIX));
                }
                for (number, template) in (1..).zip(&self.choices) {
                    let (text, _) = template.render(item, &[]).map_err(|message| ("choices", message))?;
                    item.params.insert(format!("{CHOICE_PREFIX}{number}"), json!(text));
                }
                Ok(())
            };
            if let Err((key, message)) = fill() {
                problems.push(Problem { location, field: None, message: format!("`{key}`: {message}") });
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// One draw of demonstrations for one item.
struct Drawing<'a> {
    pool: &'a Pool<'a>,
    item: &'a Item,
    /// The number of the draw among all of the task.
    index: u64,
    /// The number of the draw among those of the item, from 0.
    replicate: u32,
}

/// How an item is presented.
struct Condition<'a> {
    k: u32,
    labels: Labels,
    /// From 1, the order as drawn.
    order: u32,
    format: Option<&'a str>,
}

impl Condition<'_> {
    fn name(&self) -> String {
        let mut name = name_condition(self.k);
        if self.labels != Labels::Gold {
            name.push_str(&format!("-{}", self.labels.name()));
        }
        if self.order > 1 {
            name.push_str(&format!("-order_{}", self.order));
        }
        if let Some(format) = self.format {
            name.push_str(&format!("-{format}"));
        }
        name
    }

    /// Puts what is varied into params.
    fn describe(
        &self,
        settings: &Settings,
        shown: &[(&Item, Option<&str>)],
        params: &mut Map<String, Value>,
    ) {
        if let Some(format) = self.format {
            params.insert(FORMAT.to_owned(), Value::from(format));
        }
        if shown.is_empty() {
            return;
        }
        if settings.labels != [Labels::Gold] {
            params.insert(LABELS.to_owned(), Value::from(self.labels.name()));
        }
        if settings.orders > 1 {
            params.insert(ORDER.to_owned(), Value::from(self.order));
        }
        let ids: Vec<&str> = shown.iter().map(|(item, _)| item.item_id.as_str()).collect();
        params.insert(DEMONSTRATIONS.to_owned(), Value::from(ids.join(" ")));
    }
}
