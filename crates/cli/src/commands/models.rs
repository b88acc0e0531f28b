//! `nopickle models`: the logged and registered models of a store.

use std::io::{self, Write};

use nopickle_tracking::artifacts::Place;
use nopickle_tracking::entities::{
    FileInfo, LoggedModel, ModelStatus, ModelVersion, Pair, RegisteredModel,
};
use nopickle_tracking::store::Search;
use nopickle_tracking::uri::Uri;
use nopickle_tracking::{Result, Store};
use serde::Serialize;

use super::runs::{experiments, field, files, open, pairs};
use crate::args::{Models, ModelsCommand, ModelsList, Show};
use crate::exit;
use crate::output::{Line, Paint, Style, clean, complain_of_store, counted, table, time};

fn paint(status: ModelStatus) -> Paint {
    match status {
        ModelStatus::Ready => Paint::Good,
        ModelStatus::Failed => Paint::Bad,
        ModelStatus::Pending | ModelStatus::Unspecified => Paint::Doubt,
    }
}

pub(crate) fn run(args: &Models) -> io::Result<u8> {
    let answer = match &args.command {
        Some(ModelsCommand::Show(args)) => show(args),
        Some(ModelsCommand::List(args)) => list(args),
        None => list(&args.list),
    };
    answer.unwrap_or_else(|error| complain_of_store(&error))
}

#[derive(Serialize)]
struct ListJson<'m> {
    schema: u32,
    store: String,
    registered: &'m [RegisteredModel],
    versions: &'m [ModelVersion],
    logged: &'m [LoggedModel],
}

fn list(args: &ModelsList) -> Result<io::Result<u8>> {
    let store = open(&args.store)?;
    let search = Search {
        max_results: usize::try_from(args.max).ok(),
        ..Search::default()
    };
    let registered = store.search_registered_models(&search)?.items;
    let versions = store.search_model_versions(&search)?.items;
    let search = Search {
        experiment_ids: experiments(store.as_ref())?.into_keys().collect(),
        // MLflow's server gives no longer page.
        max_results: usize::try_from(args.max.min(100)).ok(),
        ..search
    };
    let logged = store.search_logged_models(&search)?.items;
    Ok(write_list(
        args,
        store.as_ref(),
        &registered,
        &versions,
        &logged,
    ))
}

fn write_list(
    args: &ModelsList,
    store: &dyn Store,
    registered: &[RegisteredModel],
    versions: &[ModelVersion],
    logged: &[LoggedModel],
) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let answer = ListJson {
            schema: 1,
            store: store.uri(),
            registered,
            versions,
            logged,
        };
        serde_json::to_writer(&mut *out, &answer)?;
        out.write_all(b"\n")?;
        return Ok(exit::FINE);
    }
    let style = Style::of_stdout(&args.colour);
    let rows: Vec<Vec<(Paint, String)>> = versions
        .iter()
        .map(|version| {
            vec![
                (Paint::Strong, clean(&version.name).into_owned()),
                (Paint::Plain, version.version.clone()),
                (Paint::Plain, version.current_stage.clone()),
                (Paint::Good, clean(&version.aliases.join(" ")).into_owned()),
                (Paint::Plain, time(version.creation_timestamp)),
                (Paint::Plain, clean(&version.source).into_owned()),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = [
            "registered",
            "version",
            "stage",
            "aliases",
            "made (UTC)",
            "source",
        ];
        table(out, style, &head, &rows)?;
    }
    let models: Vec<Vec<(Paint, String)>> = logged
        .iter()
        .map(|model| {
            let info = &model.info;
            vec![
                (Paint::Strong, info.model_id.clone()),
                (Paint::Plain, clean(&info.name).into_owned()),
                (paint(info.status), info.status.as_str().to_owned()),
                (Paint::Plain, time(info.creation_timestamp_ms)),
                (
                    Paint::Plain,
                    clean(info.source_run_id.as_deref().unwrap_or("-")).into_owned(),
                ),
            ]
        })
        .collect();
    if !models.is_empty() {
        if !rows.is_empty() {
            out.write_all(b"\n")?;
        }
        table(
            out,
            style,
            &["logged", "name", "status", "made (UTC)", "run"],
            &models,
        )?;
    }
    out.flush()?;
    writeln!(
        io::stderr(),
        "{}, {}, {}",
        counted(registered.len(), "registered model", "registered models"),
        counted(versions.len(), "version", "versions"),
        counted(logged.len(), "logged model", "logged models")
    )?;
    Ok(exit::FINE)
}

#[derive(Serialize)]
struct LoggedJson<'m> {
    schema: u32,
    store: String,
    logged: &'m LoggedModel,
    files: &'m [FileInfo],
}

#[derive(Serialize)]
struct RegisteredJson<'m> {
    schema: u32,
    store: String,
    registered: &'m RegisteredModel,
    versions: &'m [ModelVersion],
}

fn show(args: &Show) -> Result<io::Result<u8>> {
    let store = open(&args.store)?;
    if args.id.starts_with("m-") && args.id.len() == 34 {
        let model = store.logged_model(&args.id)?;
        let place = Place::open(&Uri::parse(&model.info.artifact_uri)?, store.as_ref())?;
        let found = place.list()?;
        return Ok(write_logged(args, store.as_ref(), &model, &found));
    }
    let model = store.registered_model(&args.id)?;
    let search = Search {
        filter: format!("name = '{}'", args.id.replace('\'', "''")),
        order_by: vec!["version_number DESC".to_owned()],
        max_results: Some(1000),
        ..Search::default()
    };
    let versions = store.search_model_versions(&search)?.items;
    Ok(write_registered(args, store.as_ref(), &model, &versions))
}

fn write_json(out: &mut impl Write, answer: &impl Serialize) -> io::Result<u8> {
    serde_json::to_writer(&mut *out, answer)?;
    out.write_all(b"\n")?;
    Ok(exit::FINE)
}

fn write_logged(
    args: &Show,
    store: &dyn Store,
    model: &LoggedModel,
    found: &[FileInfo],
) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let answer = LoggedJson {
            schema: 1,
            store: store.uri(),
            logged: model,
            files: found,
        };
        return write_json(out, &answer);
    }
    let style = Style::of_stdout(&args.colour);
    let info = &model.info;
    let mut line = Line::default();
    line.push(Paint::Strong, clean(&info.name));
    line.push(Paint::Plain, "  ");
    line.push(paint(info.status), info.status.as_str());
    line.write(out, style)?;
    field(out, style, "model", &info.model_id)?;
    field(out, style, "experiment", &info.experiment_id)?;
    field(
        out,
        style,
        "run",
        info.source_run_id.as_deref().unwrap_or("-"),
    )?;
    field(
        out,
        style,
        "type",
        info.model_type.as_deref().unwrap_or("-"),
    )?;
    field(
        out,
        style,
        "made",
        &format!("{} UTC", time(info.creation_timestamp_ms)),
    )?;
    field(out, style, "files in", &info.artifact_uri)?;
    pairs(out, style, "params", &model.data.params)?;
    let metrics: Vec<Pair> = model
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
    pairs(out, style, "tags", &info.tags)?;
    files(out, style, "files", found)?;
    Ok(exit::FINE)
}

fn write_registered(
    args: &Show,
    store: &dyn Store,
    model: &RegisteredModel,
    versions: &[ModelVersion],
) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let answer = RegisteredJson {
            schema: 1,
            store: store.uri(),
            registered: model,
            versions,
        };
        return write_json(out, &answer);
    }
    let style = Style::of_stdout(&args.colour);
    let mut line = Line::default();
    line.push(Paint::Strong, clean(&model.name));
    line.write(out, style)?;
    field(
        out,
        style,
        "description",
        model.description.as_deref().unwrap_or("-"),
    )?;
    field(
        out,
        style,
        "made",
        &format!("{} UTC", time(model.creation_timestamp)),
    )?;
    pairs(out, style, "tags", &model.tags)?;
    let aliases: Vec<Pair> = model
        .aliases
        .iter()
        .map(|alias| Pair::new(&alias.alias, format!("version {}", alias.version)))
        .collect();
    pairs(out, style, "aliases", &aliases)?;
    let versions: Vec<Pair> = versions
        .iter()
        .map(|version| {
            let words = format!(
                "{}, {} UTC, {}",
                version.current_stage,
                time(version.creation_timestamp),
                version.source
            );
            Pair::new(format!("version {}", version.version), words)
        })
        .collect();
    pairs(out, style, "versions", &versions)?;
    Ok(exit::FINE)
}
