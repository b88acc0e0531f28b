//! What a model asks for and what a policy decides, told and not loaded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use nopickle_formats::archive::{self, Folder, Source};
use nopickle_formats::mlflow::{FLAVORS, MlModel, Payload};
use nopickle_formats::{Error as ModelError, Format, Limits, skops};
use sha2::{Digest as _, Sha256};

use super::code::{CodeRule, code_rule};
use super::content::{Data, PICKLED, content_of, data_of};
use super::copy::hex;
use super::names::{Asked, asked};
use super::signed::{has_signature, signed_by};
use crate::error::Error;
use crate::policy::{Policy, Rule};

/// What a model asks for, and the decision on each, whether it would load or not.
#[derive(Debug)]
pub struct Explained {
    /// The format of the model's data.
    pub format: String,
    /// The path of the model's data, in a folder.
    pub entry: Option<String>,
    /// The entry that holds the graph.
    pub graph: String,
    /// Every name, sorted.
    pub asked: Vec<Asked>,
    /// Why it is refused as a pickle, where it is.
    pub pickle: Option<String>,
    /// The code that it brings: its folder.
    pub code: Option<(String, CodeRule)>,
    /// Each file of that code with its SHA-256.
    pub code_digests: BTreeMap<String, String>,
}

impl Explained {
    /// Whether every name is granted, the format may be loaded and the code be used.
    pub fn granted(&self) -> bool {
        self.pickle.is_none()
            && self.asked.iter().all(|one| one.rule.grants())
            && !matches!(self.code, Some((_, CodeRule::Refused(_))))
    }
}

/// Says what a file or a model folder asks for, and what a policy decides. Values are not verified.
///
/// # Errors
/// Those of the format.
pub fn explain(path: &Path, policy: &Policy) -> Result<Explained, Error> {
    let mut policy = policy.clone();
    let mut limits = policy.limits().clone();
    let mut explained = Explained {
        format: "skops".to_owned(),
        entry: None,
        graph: String::new(),
        asked: Vec::new(),
        pickle: None,
        code: None,
        code_digests: BTreeMap::new(),
    };
    let file = if path.is_dir() {
        let folder = Folder::open(path)?;
        let signed = if has_signature(&folder, &policy)? {
            signed_by(path, path, &policy)?
        } else {
            None
        };
        let Named { payload, data, .. } = named(&folder, &mut limits)?;
        explained.format = data.format;
        if let Some(code) = &payload.code {
            for file in folder.files(code, &mut limits)? {
                let source = Source::File(folder.file(&file.name)?);
                let bytes = source.read(limits.text_bytes, "bytes of a file of code")?;
                explained
                    .code_digests
                    .insert(file.name, hex(&Sha256::digest(&bytes)));
            }
            let signed_files = signed.as_ref().map(|signed| &signed.files);
            let rule = code_rule(&folder, &payload, &policy, signed_files, &mut limits)?;
            explained.code = Some((code.clone(), rule));
        }
        policy.request(&payload.trusted_types, signed.map(|signed| signed.place));
        explained.entry = Some(data.entry);
        data.file
    } else {
        if !path.metadata()?.is_file() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(ModelError::from(error).into());
        }
        let mut file = File::open(path)?;
        if let Some(found) = Format::of_file(&mut file)? {
            found.name.clone_into(&mut explained.format);
        }
        file
    };
    match explained.format.as_str() {
        "skops" => {
            let mut archive = archive::open(Source::File(file), &mut limits)?;
            let graph = skops::read(&mut archive, &mut limits)?;
            graph.entry().clone_into(&mut explained.graph);
            explained.asked = asked(&graph, &policy);
        }
        pickled if PICKLED.contains(&pickled) => explained.pickle = policy.pickle_refused_by(),
        format => {
            let entry = explained.entry.as_deref().unwrap_or("");
            content_of(file, format, entry, path, &policy, &limits)?;
        }
    }
    Ok(explained)
}

/// The text of a policy with the entries that a model would need, each with a `reason` to fill in.
pub fn entries_for(explained: &Explained) -> String {
    let mut out = String::from(
        "# Entries are grants: fill in each reason once you have read the code that it names.\n",
    );
    for one in explained
        .asked
        .iter()
        .filter(|one| !one.rule.grants() || one.rule == Rule::Request)
    {
        out.push('\n');
        out.push_str(&one.entry_lines());
        out.push_str("reason = \"\"\n");
    }
    if explained.code.is_some() {
        for (path, digest) in &explained.code_digests {
            out.push_str(&crate::policy::digest_lines(path, digest));
            out.push_str("reason = \"\"\n");
        }
    }
    out
}

/// What an `MLmodel` names, for the flavor of it that says most.
pub(super) struct Named {
    /// Every flavor that it has.
    pub(super) flavors: Vec<String>,
    pub(super) payload: Payload,
    pub(super) data: Data,
}

/// Reads the `MLmodel` of a folder, and opens what it names: the name, the content and the flavor say one format.
pub(super) fn named(folder: &Folder, limits: &mut Limits) -> Result<Named, Error> {
    let model = MlModel::open(folder, limits)?;
    let flavor = flavor_of(&model).unwrap_or("python_function");
    let payload = model.payload(folder, flavor, limits)?;
    let data = data_of(folder, &payload)?;
    Ok(Named {
        flavors: model.flavors().map(|(name, _)| name.to_owned()).collect(),
        payload,
        data,
    })
}

/// The flavor of an `MLmodel` that says most: one of a library before `python_function`.
fn flavor_of(model: &MlModel) -> Option<&'static str> {
    let known = FLAVORS
        .iter()
        .map(|row| row.0)
        .filter(|name| model.flavor(name).is_some());
    known.max_by_key(|name| *name != "python_function")
}

#[cfg(test)]
mod tests {
    use super::{entries_for, explain};
    use crate::open::CodeRule;
    use crate::open::fixture::{Model, policy, skops_file};

    #[test]
    fn the_policy_of_init_lets_the_model_load_and_check_asks_for_reasons() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let closed = policy("code = \"pinned\"");
        let explained = explain(model.0.path(), &closed).unwrap();
        assert!(!explained.granted());
        let text = format!("code = \"pinned\"\n{}", entries_for(&explained));
        let written = policy(&text);
        assert!(
            explain(model.0.path(), &written).unwrap().granted(),
            "{text}"
        );
        assert!(matches!(
            model.open(written.clone()).unwrap().code,
            CodeRule::Used(_)
        ));
        assert_eq!(written.doubts().len(), 2, "{:?}", written.doubts());
        assert!(
            written
                .doubts()
                .iter()
                .all(|(_, what)| what == "there is no reason")
        );
    }
}
