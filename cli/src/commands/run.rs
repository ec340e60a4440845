//! `run`: a study from its prompts to its report, or some of its steps.

use super::create;
use super::steps::{Choice, Graph, Place, Work, carry_out, choose, plan, write_stamp};
use crate::args::RunArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model_argument;
use crate::progress::{Reporter, duration};
use crate::resolve::{CheckedStudy, ModelNeed, check_study};
use crate::select_options::Stage;
use hypercolumn_analyze::OnFailure;
use hypercolumn_schemas::Recompute;
use std::time::Instant;

pub fn run(args: &RunArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let started = Instant::now();
    let CheckedStudy { study, rows } = check_study(&args.study, &args.model, ModelNeed::Files)?;
    let study = study.with_template(&args.chat);
    let resources = args.resources.resources();
    let place = Place { lake: &args.lake.lake, report: args.report.as_deref(), resources: &resources };
    let graph = Graph::of(&study)?;
    let choice = match args.select.leaves_out() {
        true => choose(&graph, &plan(&place, &study, &rows, &graph, Recompute::Changed)?, &args.select)?,
        false => Choice::all(&graph),
    };
    drop(rows);
    if choice.numbers().next().is_none() {
        reporter.say("nothing is selected");
        return Ok(Exit::Success);
    }
    let needs_model = choice.numbers().any(|number| graph.steps[number].stage == Stage::Extract);
    let model = match needs_model {
        true => Some(study.model.named(model_argument::fetch(&study.model.source, reporter)?)),
        false => None,
    };
    let lake = create(&args.lake.lake)?;
    let work = Work {
        lake: &lake,
        study: &study,
        graph: &graph,
        choice: &choice,
        model: model.as_ref(),
        resources: &resources,
        recompute: args.select.recompute(),
        on_failure: if args.select.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop },
        report: &place.report_path(&lake, &study.name),
    };
    let exit = carry_out(&work, reporter)?;
    if let (Exit::Success, Some(path)) = (exit, &args.stamp) {
        write_stamp(&lake, &graph, &choice, path)?;
    }
    reporter.say(&format!("done in {}", duration(started.elapsed())));
    Ok(exit)
}
