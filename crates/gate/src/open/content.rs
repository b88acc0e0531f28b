//! What stands in a model: its format, by name, `MLmodel` and content, and the values of a booster.

use std::fs::File;
use std::path::Path;

use nopickle_formats::archive::{self, Archive, Folder, Source};
use nopickle_formats::mlflow::{MLMODEL, Payload};
use nopickle_formats::skops::{self, ArrayPlan};
use nopickle_formats::{
    Error as ModelError, FORMATS, Format, Graph, Limits, Location, catboost, lightgbm, xgboost,
};

use super::names::Refusal;
use crate::error::Error;
use crate::policy::Policy;

/// What stands in a model, after the decision.
pub enum Content<'a> {
    /// A skops file: every name was decided; the values are verified when the arrays are read.
    Skops(Box<(Archive<'a>, ArrayPlan<'a>)>),
    /// A text of LightGBM, verified and written again.
    Booster(String),
    /// A model's own file of CatBoost or XGBoost, every byte of which was read and verified.
    Bytes(Vec<u8>),
    /// A pickle, which the policy allows: the file, open.
    Pickle(File),
}

/// Formats that Python's unpickler reads.
pub(super) const PICKLED: &[&str] = &["cloudpickle", "pickle"];

/// Endings of names that pickles have.
pub(super) const PICKLES: &[&str] = &["joblib", "pickle", "pkl"];

pub(super) fn skops_content<'a>(source: Source<'a>, policy: &Policy) -> Result<Content<'a>, Error> {
    let (archive, plan) = skops_plan(source, policy, |_| {})?;
    Ok(Content::Skops(Box::new((archive, plan))))
}

/// A skops file whose names were decided; `see` gets the graph before the decision.
pub(super) fn skops_plan<'a>(
    source: Source<'a>,
    policy: &Policy,
    see: impl FnOnce(&Graph),
) -> Result<(Archive<'a>, ArrayPlan<'a>), Error> {
    let mut limits = policy.limits().clone();
    let mut archive = archive::open(source, &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    see(&graph);
    let trusted = match graph.trust(&policy.to_names()) {
        Ok(trusted) => trusted,
        Err(untrusted) => {
            // The decision used the graph up: what is told about it is read again.
            let graph = skops::read(&mut archive, &mut policy.limits().clone())?;
            return Err(Refusal::new(&graph, untrusted, policy).into());
        }
    };
    let plan = trusted.plan(&mut archive, &mut limits)?;
    Ok((archive, plan))
}

/// The data of a model folder, before anything of it is decided.
pub(super) struct Data {
    /// Its path in the folder.
    pub(super) entry: String,
    /// Its format: one that is read here.
    pub(super) format: String,
    /// Open at its start.
    pub(super) file: File,
}

/// Opens what a flavor names: what the flavor says, the name and the content are of one format.
pub(super) fn data_of(folder: &Folder, payload: &Payload) -> Result<Data, Error> {
    let entry = payload
        .entry
        .clone()
        .ok_or_else(|| malformed(MLMODEL, "a flavor does not say where its model is"))?;
    // MLflow before 2.0 wrote no format, and pickles.
    let format = payload
        .format
        .clone()
        .unwrap_or_else(|| "pickle".to_owned());
    readable(&entry, &format)?;
    let mut file = folder.file(&entry)?;
    agree(&entry, &format, &mut file)?;
    Ok(Data {
        entry,
        format,
        file,
    })
}

/// What stands in the data of a model folder, the values of a booster verified.
pub(super) fn content_of(
    file: File,
    format: &str,
    entry: &str,
    path: &Path,
    policy: &Policy,
    limits: &Limits,
) -> Result<Content<'static>, Error> {
    Ok(match format {
        "skops" => skops_content(Source::File(file), policy)?,
        "lightgbm" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a booster's text")?;
            Content::Booster(lightgbm::read(&bytes, entry, limits)?.write())
        }
        "catboost" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a CatBoost model")?;
            catboost::read(&bytes, entry, limits)?;
            Content::Bytes(bytes.into_owned())
        }
        "xgboost" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a booster")?;
            xgboost::read(&bytes, entry, limits)?;
            Content::Bytes(bytes.into_owned())
        }
        other if !PICKLED.contains(&other) => {
            return Err(unsupported(entry, other));
        }
        _ => {
            if let Some(why) = policy.pickle_refused_by() {
                return Err(Error::Refused {
                    what: format!(
                        "'{}' is a pickle, and {why}: loading it can run any code that its author wrote. Log the model \
                         again with serialization_format='skops', or allow pickles if you trust its author",
                        path.join(entry).display()
                    ),
                });
            }
            Content::Pickle(file)
        }
    })
}

fn malformed(entry: &str, what: &'static str) -> Error {
    Error::Model(ModelError::Malformed {
        format: "mlmodel",
        at: Location::entry(entry),
        what,
    })
}

/// Refuses a format that nothing here reads.
fn readable(entry: &str, format: &str) -> Result<(), Error> {
    if PICKLED.contains(&format) || FORMATS.iter().any(|row| row.name == format) {
        return Ok(());
    }
    Err(unsupported(entry, format))
}

fn unsupported(entry: &str, format: &str) -> Error {
    Error::Model(ModelError::Unsupported {
        at: Location::entry(entry),
        what: "format of a model",
        name: format.to_owned(),
    })
}

/// Refuses a file whose name, or whose content, is of another format than the one that `MLmodel` says.
fn agree(entry: &str, format: &str, file: &mut File) -> Result<(), Error> {
    let is_pickle = PICKLED.contains(&format);
    let ending = Path::new(entry)
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or("");
    let named = match Format::of_ending(ending) {
        Some(named) => named.name == format,
        None => {
            is_pickle
                || !PICKLES
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(ending))
        }
    };
    if !named {
        return Err(malformed(
            entry,
            "a model's name ends like one of another format",
        ));
    }
    if Format::of_file(file)?.is_some_and(|found| found.name != format) {
        return Err(malformed(entry, "a model's content is of another format"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::Content;
    use crate::open::fixture::{GRANT, Model, policy, said, skops_file};
    use crate::policy::Policy;

    #[test]
    fn name_mlmodel_and_content_say_the_same() {
        for (file, format, data, words) in [
            (
                "model.pkl",
                "pickle",
                skops_file(),
                "a model's content is of another format",
            ),
            (
                "model.skops",
                "pickle",
                b"\x80\x04N.".to_vec(),
                "a model's name ends like one of another format",
            ),
            (
                "model.lgb",
                "skops",
                skops_file(),
                "a model's name ends like one of another format",
            ),
            (
                "model.PKL",
                "skops",
                skops_file(),
                "a model's name ends like one of another format",
            ),
            (
                "model.skops",
                "skops",
                b"tree\nversion=v4\n".to_vec(),
                "a model's content is of another format",
            ),
            (
                "model.skops",
                "skops",
                b"\x80\x04N.".to_vec(),
                "malformed zip",
            ),
        ] {
            let found = said(Model::new(file, format, &data).open(policy(GRANT)));
            assert!(found.contains(words), "{file} {format}: {found}");
        }
        assert!(
            Model::new("data", "skops", &skops_file())
                .open(policy(GRANT))
                .is_ok()
        );
    }

    #[test]
    fn a_pickle_is_handed_out_only_where_it_is_allowed() {
        let model = Model::new("model.pkl", "cloudpickle", b"\x80\x04N.");
        let opened = model.open(Policy::default()).unwrap();
        let Content::Pickle(mut file) = opened.content else {
            panic!("a pickle is a pickle");
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"\x80\x04N.", "from its start");
        let off = said(model.open(Policy::default().with_switch(false)));
        assert!(
            off.contains("is a pickle, and MLFLOW_ALLOW_PICKLE_DESERIALIZATION is false"),
            "{off}"
        );
        let denied = said(model.open(policy("pickle = \"deny\"")));
        assert!(
            denied.contains("policy.toml says pickle = \"deny\""),
            "{denied}"
        );
    }
}
