//! `nopickle runs`: the runs of a store.

use std::collections::BTreeMap;
use std::io::{self, Write};

use nopickle_tracking::artifacts::Place;
use nopickle_tracking::entities::{FileInfo, Pair, Run, RunStatus, ViewType};
use nopickle_tracking::store::Search;
use nopickle_tracking::uri::Uri;
use nopickle_tracking::{Result, Store};
use serde::Serialize;

use crate::args::{Runs, RunsCommand, RunsList, Show, StoreArg};
use crate::exit;
use crate::output::{Line, Paint, Style, bytes, clean, complain_of_store, counted, table, time};

/// The store that the arguments or the variables name; none is made.
pub(crate) fn open(store: &StoreArg) -> Result<Box<dyn Store>> {
    let uri = store
        .uri
        .clone()
        .unwrap_or_else(nopickle_tracking::default_uri);
    nopickle_tracking::open(&uri, false)
}

/// How a status is painted.
fn paint(status: RunStatus) -> Paint {
    match status {
        RunStatus::Finished => Paint::Good,
        RunStatus::Failed | RunStatus::Killed => Paint::Bad,
        RunStatus::Running | RunStatus::Scheduled => Paint::Doubt,
    }
}

/// How long a run took, in a unit that fits.
fn took(run: &Run) -> String {
    let Some(end) = run.info.end_time else {
        return "-".to_owned();
    };
    let milliseconds = end.saturating_sub(run.info.start_time).max(0);
    match milliseconds {
        ..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds / 100 % 10),
        60_000..3_600_000 => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds / 1000 % 60
        ),
        _ => format!(
            "{} h {} min",
            milliseconds / 3_600_000,
            milliseconds / 60_000 % 60
        ),
    }
}

pub(crate) fn run(args: &Runs) -> io::Result<u8> {
    let answer = match &args.command {
        Some(RunsCommand::Show(args)) => show(args),
        Some(RunsCommand::List(args)) => list(args),
        None => list(&args.list),
    };
    answer.unwrap_or_else(|error| complain_of_store(&error))
}

#[derive(Serialize)]
struct ListJson<'r> {
    schema: u32,
    store: String,
    runs: &'r [Run],
}

/// The ids and names of all active experiments.
pub(crate) fn experiments(store: &dyn Store) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut search = Search {
        view: ViewType::All,
        max_results: Some(1000),
        ..Search::default()
    };
    loop {
        let page = store.search_experiments(&search)?;
        found.extend(
            page.items
                .into_iter()
                .map(|one| (one.experiment_id, one.name)),
        );
        search.page_token = page.token;
        if search.page_token.is_none() {
            return Ok(found);
        }
    }
}

fn list(args: &RunsList) -> Result<io::Result<u8>> {
    let store = open(&args.store)?;
    let names = experiments(store.as_ref())?;
    let mut ids: Vec<String> = names.keys().cloned().collect();
    if !args.experiments.is_empty() {
        ids.clear();
        for name in &args.experiments {
            let found =
                store
                    .experiment_by_name(name)?
                    .ok_or(nopickle_tracking::Error::NotFound {
                        what: "experiment",
                        name: name.clone(),
                        hint: String::new(),
                    })?;
            ids.push(found.experiment_id);
        }
    }
    let search = Search {
        filter: args.filter.clone(),
        order_by: args.order_by.clone(),
        max_results: usize::try_from(args.max).ok(),
        experiment_ids: ids,
        ..Search::default()
    };
    let found = store.search_runs(&search)?;
    Ok(write_list(
        args,
        store.as_ref(),
        &names,
        &found.items,
        found.token.is_some(),
    ))
}

fn write_list(
    args: &RunsList,
    store: &dyn Store,
    names: &BTreeMap<String, String>,
    runs: &[Run],
    more: bool,
) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let answer = ListJson {
            schema: 1,
            store: store.uri(),
            runs,
        };
        serde_json::to_writer(&mut *out, &answer)?;
        out.write_all(b"\n")?;
        return Ok(exit::FINE);
    }
    let rows: Vec<Vec<(Paint, String)>> = runs
        .iter()
        .map(|run| {
            let metrics: Vec<String> = run
                .data
                .metrics
                .iter()
                .map(|metric| format!("{}={}", clean(&metric.key), metric.value))
                .collect();
            let experiment = names.get(&run.info.experiment_id);
            let experiment = experiment.unwrap_or(&run.info.experiment_id);
            vec![
                (Paint::Strong, run.info.run_id.clone()),
                (Paint::Plain, clean(&run.info.run_name).into_owned()),
                (Paint::Plain, clean(experiment).into_owned()),
                (paint(run.info.status), run.info.status.as_str().to_owned()),
                (Paint::Plain, time(run.info.start_time)),
                (Paint::Plain, took(run)),
                (Paint::Plain, metrics.join(" ")),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = [
            "run",
            "name",
            "experiment",
            "status",
            "started (UTC)",
            "took",
            "metrics",
        ];
        table(out, Style::of_stdout(&args.colour), &head, &rows)?;
    }
    out.flush()?;
    let shown = counted(rows.len(), "run", "runs");
    let more = if more { "; there are more: --max" } else { "" };
    writeln!(io::stderr(), "{shown}{more}")?;
    Ok(exit::FINE)
}

#[derive(Serialize)]
struct ShowJson<'r> {
    schema: u32,
    store: String,
    run: &'r Run,
    artifacts: &'r [FileInfo],
}

fn show(args: &Show) -> Result<io::Result<u8>> {
    let store = open(&args.store)?;
    let run = store.run(&args.id)?;
    let artifacts = Place::open(&Uri::parse(&run.info.artifact_uri)?, store.as_ref())?.list()?;
    let experiment = store.experiment(&run.info.experiment_id)?.name;
    Ok(write_run(
        args,
        store.as_ref(),
        &run,
        &experiment,
        &artifacts,
    ))
}

/// `label    value` in the columns of a run or a model.
pub(crate) fn field(
    out: &mut impl Write,
    style: Style,
    label: &str,
    value: &str,
) -> io::Result<()> {
    let mut line = Line::default();
    line.push(Paint::Faint, format!("{label:<12}"));
    line.push(Paint::Plain, clean(value));
    line.write(out, style)
}

/// A heading, and a line for each pair.
pub(crate) fn pairs(
    out: &mut impl Write,
    style: Style,
    label: &str,
    pairs: &[Pair],
) -> io::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut line = Line::default();
    line.push(Paint::Strong, label);
    line.write(out, style)?;
    for pair in pairs {
        let mut line = Line::default();
        line.push(
            Paint::Plain,
            format!("  {} = {}", clean(&pair.key), clean(&pair.value)),
        );
        line.write(out, style)?;
    }
    Ok(())
}

/// A heading, and a line for each file.
pub(crate) fn files(
    out: &mut impl Write,
    style: Style,
    label: &str,
    files: &[FileInfo],
) -> io::Result<()> {
    let values: Vec<Pair> = files
        .iter()
        .map(|file| {
            let size = match file.file_size {
                Some(size) => bytes(size),
                None => "folder".to_owned(),
            };
            Pair::new(&file.path, size)
        })
        .collect();
    pairs(out, style, label, &values)
}

fn write_run(
    args: &Show,
    store: &dyn Store,
    run: &Run,
    experiment: &str,
    artifacts: &[FileInfo],
) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let answer = ShowJson {
            schema: 1,
            store: store.uri(),
            run,
            artifacts,
        };
        serde_json::to_writer(&mut *out, &answer)?;
        out.write_all(b"\n")?;
        return Ok(exit::FINE);
    }
    let style = Style::of_stdout(&args.colour);
    let info = &run.info;
    let mut line = Line::default();
    line.push(Paint::Strong, clean(&info.run_name));
    line.push(Paint::Plain, "  ");
    line.push(paint(info.status), info.status.as_str());
    if info.lifecycle_stage.as_str() == "deleted" {
        line.push(Paint::Bad, "  deleted");
    }
    line.write(out, style)?;
    field(out, style, "run", &info.run_id)?;
    field(
        out,
        style,
        "experiment",
        &format!("{experiment} ({})", info.experiment_id),
    )?;
    field(out, style, "user", &info.user_id)?;
    field(
        out,
        style,
        "started",
        &format!("{} UTC", time(info.start_time)),
    )?;
    field(out, style, "took", &took(run))?;
    field(out, style, "artifacts", &info.artifact_uri)?;
    pairs(out, style, "params", &run.data.params)?;
    let metrics: Vec<Pair> = run
        .data
        .metrics
        .iter()
        .map(|metric| {
            Pair::new(
                &metric.key,
                format!("{} (step {})", metric.value, metric.step),
            )
        })
        .collect();
    pairs(out, style, "metrics", &metrics)?;
    pairs(out, style, "tags", &run.data.tags)?;
    let models: Vec<Pair> = run
        .outputs
        .model_outputs
        .iter()
        .map(|model| Pair::new(&model.model_id, format!("step {}", model.step)))
        .collect();
    pairs(out, style, "models", &models)?;
    files(out, style, "files", artifacts)?;
    Ok(exit::FINE)
}
