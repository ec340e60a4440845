//! Linear regression: points of a line y = a·x + b, then a query x whose y the model writes.
//!
//! # Design
//!
//! An item is one line and one query x. Lines are slopes crossed with intercepts (4 × 4 by default),
//! so that lines share slopes, slope and intercept are uncorrelated, and the same line can be told
//! from the same slope. The same query xs are asked of every line, so that the same query x occurs
//! across lines. Each item draws its own example xs, free of its query x and without repeats: a
//! copied y is never right, and two items of one line share no more points than chance gives. The
//! examples of condition `icl_k` are the first k of the item's list, whatever other conditions there
//! are. With `icl_0` no point is shown, and the answer cannot be known.
//!
//! Slopes and intercepts are whole numbers and x has `x_decimals` decimals, so y is exact: every
//! number is formatted once, in its shortest form, and nothing is rounded.
//!
//! # Params
//!
//! `line` (0-based), `slope`, `intercept`: whole numbers; `x` (the query x), `y` (its answer):
//! numbers. Segments: `instruction`, an `example` for each point, `query`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Task;
use crate::decimal::Decimal;
use crate::draft::Draft;
use crate::error::IngestError;
use crate::random_stream::RandomStream;
use crate::settings::{Accepted, check_examples, check_n_prompts, name_condition, refuse};
use hypercolumn_schemas::Prompt;

/// The task's name.
const NAME: &str = "linear_regression";

const INSTRUCTION: &str = "Here are a set of point coordinates that all fall on the same line:";

/// Bounds of slopes and intercepts: far from any overflow, far beyond any use.
const MAX_COEFFICIENT: i64 = 1_000_000;

const ACCEPTED: [(&str, &str); 8] = [
    ("lines", "a whole number from 1"),
    ("prompts_per_line", "a whole number from 1"),
    ("examples", "a list of different whole numbers from 0"),
    ("seed", "a whole number from 0"),
    ("slopes", "a whole number from 1 to the number of lines"),
    ("slope_range", "two whole numbers, the smaller first"),
    ("intercept_range", "two whole numbers, the smaller first"),
    ("x_decimals", "a whole number from 1 to 4"),
];

/// The settings of the task. Each default is a choice of this software, not of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Number of lines.
    pub lines: u32,
    /// Number of query xs, asked of every line.
    pub prompts_per_line: u32,
    /// Numbers of points shown, one condition each.
    pub examples: Vec<u32>,
    /// Seed of every random number.
    pub seed: u64,
    /// Number of different slopes; intercepts are as many as the lines then need. If absent, the
    /// square root of `lines`, rounded up, so that 16 lines are 4 slopes × 4 intercepts.
    pub slopes: Option<u32>,
    /// Smallest and greatest slope; 0 is left out, since a flat line repeats its y.
    pub slope_range: [i64; 2],
    /// Smallest and greatest intercept; the default keeps y above 0 with the default slopes.
    pub intercept_range: [i64; 2],
    /// Decimals of x: x is drawn from between 0 and 1, both left out.
    pub x_decimals: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lines: 16,
            prompts_per_line: 16,
            examples: vec![1, 2, 4, 8],
            seed: 7,
            slopes: None,
            slope_range: [-20, 20],
            intercept_range: [20, 40],
            x_decimals: 2,
        }
    }
}

impl Task for Settings {
    const NAME: &'static str = NAME;
    const ACCEPTED: &'static Accepted = &ACCEPTED;
    const CLUSTER: &'static str = "line";

    fn check(&self) -> Result<(), IngestError> {
        if self.lines == 0 {
            return Err(refuse(NAME, "lines", 0, "a whole number from 1"));
        }
        if !(1..=4).contains(&self.x_decimals) {
            return Err(refuse(NAME, "x_decimals", self.x_decimals, "a whole number from 1 to 4"));
        }
        let n_x = self.n_x();
        if !(1..=n_x).contains(&u64::from(self.prompts_per_line)) {
            let accepted = format!("a whole number from 1 to {n_x}, the number of different xs");
            return Err(refuse(NAME, "prompts_per_line", self.prompts_per_line, accepted));
        }
        // One x is the query's own.
        check_examples(NAME, &self.examples, n_x - 1)?;
        self.check_coefficients()?;
        let items = u64::from(self.lines) * u64::from(self.prompts_per_line);
        check_n_prompts(NAME, "lines", items, self.examples.len())
    }

    fn generate(&self) -> Result<Vec<Prompt>, IngestError> {
        generate(self)
    }
}

impl Settings {
    fn check_coefficients(&self) -> Result<(), IngestError> {
        let n_slopes = self.n_slopes();
        if !(1..=self.lines).contains(&n_slopes) {
            let accepted = format!("a whole number from 1 to {}, the number of lines", self.lines);
            return Err(refuse(NAME, "slopes", n_slopes, accepted));
        }
        let slopes = Coefficients { range: self.slope_range, zero: Zero::LeftOut };
        slopes.check("slope_range", u64::from(n_slopes))?;
        let intercepts = Coefficients { range: self.intercept_range, zero: Zero::Kept };
        intercepts.check("intercept_range", self.n_intercepts())
    }

    /// Number of different xs: 1 to 10^x_decimals − 1 in units of the last decimal.
    fn n_x(&self) -> u64 {
        10_u64.pow(self.x_decimals) - 1
    }

    fn n_slopes(&self) -> u32 {
        let rounded_up = || (1..).find(|&n: &u32| n.saturating_mul(n) >= self.lines).unwrap_or(1);
        self.slopes.unwrap_or_else(rounded_up)
    }

    fn n_intercepts(&self) -> u64 {
        u64::from(self.lines.div_ceil(self.n_slopes()))
    }
}

/// The whole numbers from which slopes or intercepts are drawn.
struct Coefficients {
    range: [i64; 2],
    zero: Zero,
}

/// Whether 0 is one of the coefficients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zero {
    Kept,
    LeftOut,
}

impl Coefficients {
    fn check(&self, key: &str, needed: u64) -> Result<(), IngestError> {
        let [low, high] = self.range;
        let in_bounds = |value: i64| (-MAX_COEFFICIENT..=MAX_COEFFICIENT).contains(&value);
        if in_bounds(low) && in_bounds(high) && low <= high && self.count() >= needed {
            return Ok(());
        }
        let zero = if self.zero == Zero::LeftOut { " (0 is not counted)" } else { "" };
        let accepted = format!(
            "two whole numbers from -{MAX_COEFFICIENT} to {MAX_COEFFICIENT}, the smaller first, \
             with at least {needed} between them{zero}"
        );
        Err(refuse(NAME, key, format!("[{low}, {high}]"), accepted))
    }

    fn skips_zero(&self) -> bool {
        let [low, high] = self.range;
        self.zero == Zero::LeftOut && low <= 0 && high >= 0
    }

    fn count(&self) -> u64 {
        let [low, high] = self.range;
        high.abs_diff(low) + 1 - u64::from(self.skips_zero())
    }

    /// `n` of the numbers, spread over the range, in random order.
    fn sample(&self, n: u64, stream: &mut RandomStream) -> Vec<i64> {
        let drawn = stream.stratified(n, self.count());
        let mut values: Vec<i64> = drawn.into_iter().map(|index| self.nth(index)).collect();
        stream.shuffle(&mut values);
        values
    }

    fn nth(&self, index: u64) -> i64 {
        let value = self.range[0] + i64::try_from(index).expect("an index within the bounds");
        value + i64::from(self.skips_zero() && value >= 0)
    }
}

/// A line y = slope · x + intercept.
struct Line {
    slope: i64,
    intercept: i64,
}

impl Line {
    fn y(&self, x: Decimal) -> Decimal {
        let scale = 10_i64.pow(x.decimals);
        Decimal { units: self.slope * x.units + self.intercept * scale, decimals: x.decimals }
    }
}

/// One line and one query x, with the points shown before it.
struct Item<'a> {
    number: u64,
    line_number: u64,
    line: &'a Line,
    x: Decimal,
    examples: Vec<Decimal>,
}

/// The prompts of the task, item by item.
///
/// # Errors
///
/// [`IngestError::Setting`] where the settings are impossible.
fn generate(settings: &Settings) -> Result<Vec<Prompt>, IngestError> {
    settings.check()?;
    let lines = draw_lines(settings);
    let queries = draw_queries(settings);
    let max_examples = settings.examples.iter().copied().max().unwrap_or(0);
    let mut prompts = Vec::new();
    let mut number = 0;
    for (line_number, line) in (0..).zip(&lines) {
        for &x in &queries {
            let examples = draw_examples(settings, number, x, max_examples);
            let item = Item { number, line_number, line, x, examples };
            prompts.extend(settings.examples.iter().map(|&k| write_prompt(&item, k)));
            number += 1;
        }
    }
    Ok(prompts)
}

/// Slopes crossed with intercepts; with a remainder, the last intercept has fewer lines.
fn draw_lines(settings: &Settings) -> Vec<Line> {
    let slopes = Coefficients { range: settings.slope_range, zero: Zero::LeftOut }
        .sample(u64::from(settings.n_slopes()), &mut RandomStream::new(settings.seed, "lr slopes", 0));
    let intercepts = Coefficients { range: settings.intercept_range, zero: Zero::Kept }
        .sample(settings.n_intercepts(), &mut RandomStream::new(settings.seed, "lr intercepts", 0));
    let crossed =
        intercepts.iter().flat_map(|&intercept| slopes.iter().map(move |&slope| Line { slope, intercept }));
    crossed.take(settings.lines as usize).collect()
}

/// The query xs, spread over their range and asked of every line.
fn draw_queries(settings: &Settings) -> Vec<Decimal> {
    let mut stream = RandomStream::new(settings.seed, "lr queries", 0);
    let drawn = stream.stratified(u64::from(settings.prompts_per_line), settings.n_x());
    drawn.into_iter().map(|index| x_at(index, settings.x_decimals)).collect()
}

/// The xs of an item's examples: without repeats, none of them the query's. They are drawn one
/// after the other from the item's own stream, so that a longer list begins with the shorter one.
fn draw_examples(settings: &Settings, item: u64, query: Decimal, n: u32) -> Vec<Decimal> {
    let mut stream = RandomStream::new(settings.seed, "lr examples", item);
    let free = (0..settings.n_x()).map(|index| x_at(index, settings.x_decimals));
    let mut free: Vec<Decimal> = free.filter(|&x| x != query).collect();
    (0..n as usize)
        .map(|i| {
            let drawn = i + stream.index(free.len() - i);
            free.swap(i, drawn);
            free[i]
        })
        .collect()
}

fn x_at(index: u64, decimals: u32) -> Decimal {
    Decimal { units: i64::try_from(index).expect("fewer than 10^4 xs") + 1, decimals }
}

fn write_prompt(item: &Item, k: u32) -> Prompt {
    let mut draft = Draft::default();
    draft.push_segment("instruction", INSTRUCTION);
    draft.push(" ");
    for &x in &item.examples[..k as usize] {
        draft.push_segment("example", &format!("({x},{});", item.line.y(x)));
        draft.push(" ");
    }
    draft.push_segment("query", &format!("({},", item.x));
    let (text, segments) = draft.finish();
    let y = item.line.y(item.x);
    let item_id = format!("lr-{:04}", item.number);
    Prompt {
        prompt_id: format!("{item_id}-{k}"),
        item_id,
        condition: name_condition(k),
        n_examples: i32::try_from(k).expect("fewer than 10^4 examples"),
        text,
        expected: Some(y.to_string()),
        params: Map::from_iter([
            ("line".to_owned(), Value::from(item.line_number)),
            ("slope".to_owned(), Value::from(item.line.slope)),
            ("intercept".to_owned(), Value::from(item.line.intercept)),
            ("x".to_owned(), Value::from(item.x.to_f64())),
            ("y".to_owned(), Value::from(y.to_f64())),
        ]),
        segments,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    type Change = fn(&mut Settings);

    fn default_prompts() -> Vec<Prompt> {
        generate(&Settings::default()).expect("the defaults are possible")
    }

    fn int(prompt: &Prompt, key: &str) -> i64 {
        prompt.params[key].as_i64().expect("a whole number")
    }

    /// The points of a prompt as written: (x, y) texts, and the query's x.
    fn points(prompt: &Prompt) -> (Vec<(&str, &str)>, &str) {
        let text = prompt.text.strip_prefix(INSTRUCTION).expect("the instruction");
        let (shown, query) = text.rsplit_once('(').expect("a query");
        let shown = shown.split(';').map(str::trim).filter(|point| !point.is_empty());
        let pairs = shown.map(|point| {
            let point = point.strip_prefix('(').and_then(|p| p.strip_suffix(')')).expect("(x,y)");
            point.split_once(',').expect("x,y")
        });
        (pairs.collect(), query.strip_suffix(',').expect("x,"))
    }

    #[test]
    fn counts_are_those_of_the_settings() {
        let prompts = default_prompts();
        assert_eq!(prompts.len(), 16 * 16 * 4);
        let ids: BTreeSet<_> = prompts.iter().map(|p| &p.prompt_id).collect();
        assert_eq!(ids.len(), prompts.len());
        assert_eq!(prompts.iter().map(|p| &p.item_id).collect::<BTreeSet<_>>().len(), 256);
    }

    #[test]
    fn slopes_and_intercepts_are_crossed_and_lines_distinct() {
        let mut lines: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for prompt in default_prompts() {
            let line = (int(&prompt, "slope"), int(&prompt, "intercept"));
            assert_eq!(*lines.entry(int(&prompt, "line")).or_insert(line), line);
            assert_ne!(line.0, 0);
        }
        let pairs: BTreeSet<_> = lines.values().collect();
        assert_eq!((lines.len(), pairs.len()), (16, 16));
        assert_eq!(pairs.iter().map(|p| p.0).collect::<BTreeSet<_>>().len(), 4);
        assert_eq!(pairs.iter().map(|p| p.1).collect::<BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn every_line_is_asked_the_same_query_xs() {
        let mut by_line: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for prompt in default_prompts() {
            by_line.entry(int(&prompt, "line")).or_default().insert(prompt.params["x"].to_string());
        }
        let first = &by_line[&0];
        assert_eq!(first.len(), 16);
        assert!(by_line.values().all(|xs| xs == first));
    }

    #[test]
    fn every_number_lies_exactly_on_the_line_and_no_x_repeats() {
        for prompt in default_prompts() {
            let (shown, query) = points(&prompt);
            assert_eq!(shown.len(), prompt.n_examples as usize);
            let mut xs: BTreeSet<&str> = shown.iter().map(|point| point.0).collect();
            xs.insert(query);
            assert_eq!(xs.len(), shown.len() + 1, "{}", prompt.text);
            let expected = prompt.expected.as_deref().expect("an answer");
            for (x, y) in shown.iter().copied().chain([(query, expected)]) {
                let hundredths = |text: &str| (text.parse::<f64>().unwrap() * 100.0).round() as i64;
                let on_line = int(&prompt, "slope") * hundredths(x) + 100 * int(&prompt, "intercept");
                assert_eq!(hundredths(y), on_line, "{}", prompt.text);
                assert_eq!(y, y.parse::<f64>().unwrap().to_string(), "shortest form");
            }
            assert_eq!(query, prompt.params["x"].as_f64().unwrap().to_string());
            assert_eq!(expected, prompt.params["y"].as_f64().unwrap().to_string());
        }
    }

    #[test]
    fn conditions_of_an_item_show_the_first_points_of_one_list() {
        for item in default_prompts().chunks(4) {
            let all = points(&item[3]).0;
            for prompt in item {
                assert_eq!(points(prompt).0, all[..prompt.n_examples as usize]);
                assert_eq!(prompt.item_id, item[0].item_id);
            }
        }
    }

    #[test]
    fn another_condition_leaves_the_others_as_they_were() {
        let settings = Settings { examples: vec![1, 2, 4, 8, 16], ..Settings::default() };
        let more = generate(&settings).expect("possible");
        let kept: Vec<_> = more.into_iter().filter(|p| p.n_examples < 16).collect();
        assert_eq!(kept, default_prompts());
    }

    #[test]
    fn segments_cover_what_they_name() {
        let prompts = default_prompts();
        let prompt = &prompts[1];
        assert_eq!(prompt.condition, "icl_2");
        let covered: Vec<_> = prompt
            .segments
            .iter()
            .map(|s| (s.role.as_str(), s.slice(&prompt.text).expect("in the text")))
            .collect();
        assert_eq!(covered[0], ("instruction", INSTRUCTION));
        assert!(covered[1].0 == "example" && covered[1].1.starts_with('('));
        assert!(covered[2].0 == "example" && covered[2].1.ends_with(");"));
        assert!(covered[3].0 == "query" && prompt.text.ends_with(covered[3].1));
    }

    #[test]
    fn edges_of_the_settings_are_possible() {
        let one = Settings { lines: 1, prompts_per_line: 1, examples: vec![0], ..Settings::default() };
        assert_eq!(generate(&one).expect("one prompt").len(), 1);
        let all = Settings {
            lines: 7,
            prompts_per_line: 9,
            examples: vec![8, 0],
            x_decimals: 1,
            slope_range: [-1, 2],
            slopes: Some(3),
            intercept_range: [-1, 1],
            ..Settings::default()
        };
        let prompts = generate(&all).expect("every x is used");
        assert_eq!(prompts.len(), 7 * 9 * 2);
        let slopes: BTreeSet<_> = prompts.iter().map(|p| int(p, "slope")).collect();
        assert_eq!(slopes, BTreeSet::from([-1, 1, 2]));
    }

    #[test]
    fn impossible_settings_are_refused_by_key() {
        let refused = |change: Change| {
            let mut settings = Settings::default();
            change(&mut settings);
            generate(&settings).expect_err("refused").to_string()
        };
        let cases: [(Change, &str, &str); 10] = [
            (|s| s.lines = 0, "`lines`", "from 1"),
            (|s| s.lines = u32::MAX, "`slope_range`", "at least 65536"),
            (|s| s.prompts_per_line = 100, "`prompts_per_line`", "from 1 to 99"),
            (|s| s.prompts_per_line = 0, "`prompts_per_line`", "from 1 to 99"),
            (|s| s.examples = vec![99], "`examples`", "from 0 to 98"),
            (|s| s.examples = vec![], "`examples`", "one or more"),
            (|s| s.x_decimals = 5, "`x_decimals`", "from 1 to 4"),
            (|s| s.slopes = Some(17), "`slopes`", "from 1 to 16"),
            (|s| s.slope_range = [-1, 1], "`slope_range`", "at least 4"),
            (|s| s.intercept_range = [3, 2], "`intercept_range`", "the smaller first"),
        ];
        for (change, key, accepted) in cases {
            let message = refused(change);
            assert!(message.contains(key) && message.contains(accepted), "{message}");
        }
    }
}
