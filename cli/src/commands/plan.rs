//! `plan`: the steps of a study, which of them `run` would carry out, and why.

use super::steps::{Action, Graph, Place, Planned, choose, plan};
use super::{print, print_json};
use crate::args::PlanArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::draw;
use crate::progress::Reporter;
use crate::resolve::{CheckedStudy, ModelNeed, check_study};
use hypercolumn_schemas::Recompute;
use serde::Serialize;

/// One step of a study, as it is shown.
#[derive(Debug, Serialize)]
struct Line {
    stage: &'static str,
    subject: String,
    action: Action,
    reason: String,
    /// Tokens that an extraction would run the model over; shared beginnings count once a shard.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_unique_tokens: Option<usize>,
    /// Tokens of all prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_tokens: Option<usize>,
}

pub fn run(args: &PlanArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let CheckedStudy { study, rows } = check_study(&args.study, &args.model, ModelNeed::Files)?;
    let study = study.with_template(&args.chat);
    let resources = args.resources.resources();
    let place = Place { lake: &args.lake.lake, report: args.report.as_deref(), resources: &resources };
    let graph = Graph::of(&study)?;
    let mut planned = plan(&place, &study, &rows, &graph, Recompute::Changed)?;
    let choice = choose(&graph, &planned, &args.select)?;
    if args.select.force {
        planned = plan(&place, &study, &rows, &graph, Recompute::Always)?;
    }
    let lines: Vec<Line> = choice.numbers().map(|number| line(&graph, number, &planned[number])).collect();
    let n_run = lines.iter().filter(|line| line.action == Action::Run).count();
    let left_stale: Vec<String> = choice.left_stale.iter().map(|number| graph.name(*number)).collect();
    if args.json {
        print_json(&serde_json::json!({
            "study": study.name, "model": study.model.name, "steps": lines, "left_stale": left_stale,
        }))?;
    } else {
        print(&describe(&lines))?;
        reporter.say(&format!("{n_run} of {} steps would run by model `{}`", lines.len(), study.model.name));
        choice.say_left_stale(&graph, reporter);
    }
    Ok(if args.check && n_run > 0 { Exit::Pending } else { Exit::Success })
}

fn line(graph: &Graph, number: usize, planned: &Planned) -> Line {
    let Planned { action, reason, n_unique_tokens, n_tokens } = planned.clone();
    let (stage, subject) = (graph.steps[number].stage.name(), graph.subject(number));
    Line { stage, subject, action, reason, n_unique_tokens, n_tokens }
}

fn describe(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let action = if line.action == Action::Run { "run" } else { "reuse" };
        vec![line.stage.to_owned(), line.subject.clone(), action.to_owned(), line.reason.clone()]
    };
    draw(&["stage", "what", "action", "why"], &lines.iter().map(row).collect::<Vec<_>>(), &[])
}
