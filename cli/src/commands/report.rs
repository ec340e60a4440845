//! `report`: the page of results, written again.

use super::{open, print};
use crate::args::AnalyzeArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::invocation::shown_arguments;
use crate::progress::Reporter;
use crate::resolve::{ModelNeed, ResolvedStudy, resolve_study};
use hypercolumn_analyze::report::{Fact, ModelRdmText, ReportRequest, TaskCluster, TaskReference};
use hypercolumn_analyze::{Hypothesis, TaskDesign, report_is_current, write_report};
use hypercolumn_schemas::Lake;
use std::path::Path;

pub fn run(args: &AnalyzeArgs, _reporter: &Reporter) -> Result<Exit, Failure> {
    let study = resolve_study(&args.study, &args.model, ModelNeed::Name)?;
    let lake = open(&args.lake.lake)?;
    let path = args.report.clone().unwrap_or_else(|| lake.report_path(&study.name));
    write(&lake, &study, &path)?;
    print(&format!("report: {}\n", path.display()))?;
    Ok(Exit::Success)
}

/// Writes the report of a study's results to `path`.
pub fn write(lake: &Lake, study: &ResolvedStudy, path: &Path) -> Result<(), Failure> {
    write_report(lake, &request(lake, study), path).map_err(could_not("write report", path.display()))?;
    Ok(())
}

/// Whether the file at `path` is the page that [`write()`] would make.
pub fn is_current(lake: &Lake, study: &ResolvedStudy, path: &Path) -> Result<bool, Failure> {
    report_is_current(lake, &request(lake, study), path).map_err(could_not("compose report", path.display()))
}

fn request(lake: &Lake, study: &ResolvedStudy) -> ReportRequest {
    let model_rdms = study.questions.entries.typed::<Hypothesis>().map(|entry| ModelRdmText {
        task: entry.task.clone(),
        name: entry.hypothesis.clone(),
        sql: entry.sql.clone(),
        is_control: entry.control,
    });
    let clusters = study.questions.designs.iter();
    let clusters = clusters
        .filter_map(|(task, design)| Some(TaskCluster { task: task.clone(), sql: design.cluster.clone()? }));
    let reference = |(task, design): (&String, &TaskDesign)| {
        Some(TaskReference { task: task.clone(), condition: design.reference.clone()? })
    };
    let root = lake.root().display().to_string();
    ReportRequest {
        study: study.name.clone(),
        tasks: study.tasks.iter().map(|task| task.name.clone()).collect(),
        model: study.model.name.clone(),
        model_rdms: model_rdms.collect(),
        clusters: clusters.collect(),
        references: study.questions.designs.iter().filter_map(reference).collect(),
        study_text: Some(study.text.clone()),
        facts: vec![
            Fact { name: "study".into(), value: study.label.clone() },
            Fact { name: "model source".into(), value: study.model.source.to_string() },
        ],
        lake_argument: (root != "lake").then_some(root),
        study_arguments: shown_arguments(),
    }
}
