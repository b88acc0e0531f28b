//! The model's info: texts with names, of which CatBoost reads those with its own names as JSON.

use super::Refused;
use super::flat::{Buffer, Schema, Table, Text};
use super::json::{JSON, check, items, member, members, plain_text};

/// Each raw value, and each class without one, is a column of the predictions.
const MOST_CLASSES: u64 = 10_000;

const KEY_VALUE: Schema = Schema {
    name: "TKeyValue",
    fields: &[4, 4],
    shared: false,
};

/// The texts that CatBoost reads as JSON (sorted).
const READ: &[&str] = &[
    "class_params",
    "loss_function",
    "multiclass_params",
    "output_options",
    "params",
    "training",
];

const CLASSES: &str = "class_params is not that of the model's dimensions";

/// Reads `InfoMap`. Gives the name of the loss.
pub(super) fn read<'a>(
    buffer: &mut Buffer<'a>,
    core: &Table,
    dimension: u32,
) -> Result<Option<&'a str>, Refused> {
    let mut info: Vec<(&str, Text<'_>)> = Vec::new();
    for table in buffer.tables(core, 2, &KEY_VALUE)? {
        let (Some(key), Some(value)) = (buffer.text(&table, 0)?, buffer.text(&table, 1)?) else {
            let what = "a text of the model's info has no key or no value";
            return Err(buffer.malformed(table.at(), what));
        };
        info.push((key.text, value));
    }
    info.sort_by_key(|pair| pair.0);
    let same = |pair: &[(&str, Text<'_>)]| pair.first().map(|a| a.0) == pair.last().map(|b| b.0);
    if info.windows(2).any(same) {
        let what = "two texts of the model's info have the same key";
        return Err(buffer.unverified(core.at(), what));
    }
    let find = |key: &str| {
        let found = info.binary_search_by_key(&key, |pair| pair.0).ok();
        found.and_then(|at| info.get(at)).map(|pair| pair.1)
    };
    for text in READ.iter().filter_map(|key| find(key)) {
        check(text.text, 0).map_err(|_| buffer.unverified(text.at, JSON))?;
    }
    let params = match find("params") {
        None => Vec::new(),
        Some(text) => members(text.text).ok_or_else(|| buffer.unverified(text.at, JSON))?,
    };
    let at = find("params").map_or(core.at(), |text| text.at);
    let classes = match find("class_params").or_else(|| find("multiclass_params")) {
        Some(text) => {
            let refused = || buffer.unverified(text.at, CLASSES);
            let classes = class_params(text.text, dimension).ok_or_else(refused)?;
            if classes > MOST_CLASSES {
                let what = "classes of a CatBoost model";
                return Err(buffer.limit(text.at, what, classes, MOST_CLASSES));
            }
            true
        }
        None => false,
    };
    if !classes {
        labels(&params, dimension).ok_or_else(|| buffer.unverified(at, CLASSES))?;
    }
    threads(&params).map_err(|found| {
        let what = "threads of a CatBoost model";
        buffer.limit(at, what, found, MOST_THREADS)
    })?;
    let loss = match (member(&params, "loss_function"), find("loss_function")) {
        (Some(loss), _) => Some(loss),
        (None, Some(text)) => Some(text.text),
        (None, None) => None,
    };
    let Some(loss) = loss else {
        return Ok(None);
    };
    let name = members(loss).and_then(|loss| plain_text(member(&loss, "type")?));
    let Some(name) = name else {
        return Err(buffer.unverified(at, "the loss has no name"));
    };
    if name == "RMSEWithUncertainty" && dimension != 2 {
        let what = "the loss does not have the dimensions of the model";
        return Err(buffer.unverified(at, what));
    }
    Ok(Some(name))
}

/// Names of classes and how raw values are theirs: gives how many columns the predictions have; `None` where a raw value
/// would be written to a column that is not there, or a prediction is a class without a name.
fn class_params(text: &str, dimension: u32) -> Option<u64> {
    let params = members(text)?;
    let known = |key: &str| {
        matches!(
            key,
            "class_label_type" | "class_names" | "class_to_label" | "classes_count"
        )
    };
    if !params.iter().all(|param| known(param.0)) {
        return None;
    }
    let count = match member(&params, "classes_count") {
        None => 0,
        Some(count) => u64::from(count.parse::<u32>().ok()?),
    };
    let list = |key| member(&params, key).map_or(Some(Vec::new()), items);
    let names = u64::try_from(list("class_names")?.len()).ok()?;
    let labels = list("class_to_label")?;
    let raw_values = u64::from(if dimension == 1 { 2 } else { dimension });
    if count != 0 && names != 0 && count != names {
        return None;
    }
    let columns = if names == 0 && count == 0 {
        u64::try_from(labels.len()).ok()?
    } else {
        let columns = count.max(names);
        for label in &labels {
            let label: f64 = label.parse().ok()?;
            if !(0.0..f64_of(columns)).contains(&label) || label.fract() != 0.0 {
                return None;
            }
        }
        columns
    };
    let fits = u64::try_from(labels.len()).ok()? >= raw_values && columns >= raw_values;
    (fits && (dimension > 1 || columns == 2)).then_some(columns)
}

fn f64_of(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Without `class_params` names of classes are one for each raw value, two where there is one.
fn labels(params: &[(&str, &str)], dimension: u32) -> Option<()> {
    let Some(options) = member(params, "data_processing_options") else {
        return Some(());
    };
    let names = match member(&members(options)?, "class_names") {
        None => 0,
        Some(names) => items(names)?.len(),
    };
    let raw_values = usize::try_from(if dimension == 1 { 2 } else { dimension }).ok()?;
    (names == 0 || names == raw_values).then_some(())
}

/// The most threads that a model may ask for where it is trained again.
const MOST_THREADS: u64 = 1024;

/// `Err` with a number of threads that is too large.
fn threads(params: &[(&str, &str)]) -> Result<(), u64> {
    let options = member(params, "system_options").and_then(members);
    let count = options.and_then(|options| member(&options, "thread_count"));
    match count.map(str::parse::<i64>) {
        None => Ok(()),
        Some(Ok(count)) if count <= 1024 => Ok(()),
        Some(Ok(count)) => Err(u64::try_from(count).unwrap_or(u64::MAX)),
        Some(Err(_)) => Err(u64::MAX),
    }
}
