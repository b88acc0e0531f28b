//! Every file of a model folder: what it is by its content, and whether it is clean.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;

use nopickle_formats::archive::{Folder, FolderEntry, Source};
use nopickle_formats::mlflow::{Beside, MLMODEL};
use nopickle_formats::scan::{self, Content, is_text};
use nopickle_formats::{Error as ModelError, FORMATS, Format, Limits, Location, Read as Reader};
use sha2::{Digest as _, Sha256};

use super::code::pinned_by;
use super::content::{PICKLED, skops_plan};
use super::copy::{held, hex};
use super::explain::{Named, named};
use super::names::{Asked, asked};
use super::signed::{Signed, has_signature, signed_by};
use crate::error::{Error, Unclean};
use crate::policy::{Code, Policy};
use crate::signing::{self, SIGNATURE};
use crate::threads::Threads;

/// What a model folder holds, and the decision on each file.
#[derive(Debug, Default)]
pub struct Looked {
    /// The flavors of its `MLmodel`, in its order.
    pub flavors: Vec<String>,
    /// The format of the model's data.
    pub format: Option<String>,
    /// The path of the model's data.
    pub entry: Option<String>,
    /// The id of the policy's key that signed the folder.
    pub signed_by: Option<String>,
    /// The entry of the model's data that holds the graph.
    pub graph: String,
    /// Every name of code that the model's data asks for, sorted, with its decision.
    pub asked: Vec<Asked>,
    /// What is wrong with the folder as a whole.
    pub error: Option<Error>,
    /// Every file, sorted by path; none where the folder could not be listed.
    pub files: Vec<LookedFile>,
}

/// A file of a model folder.
#[derive(Debug)]
pub struct LookedFile {
    /// Its path in the folder.
    pub path: String,
    /// What it is, in words.
    pub is: &'static str,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes; none where they could not be read.
    pub sha256: Option<String>,
    /// Why it is not clean; none where it is.
    pub error: Option<Error>,
    /// Who vouches for it, where its content alone does not make it clean.
    pub by: Option<String>,
}

impl Looked {
    /// All that is wrong, that of the folder first.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        let of_files = self.files.iter().filter_map(|file| file.error.as_ref());
        self.error.iter().chain(of_files)
    }
}

/// Looks at every file of a model folder. Nothing is granted because the model asks for it, and no pickle is clean: the
/// folder is looked at as with the switch off. Writes nothing.
pub fn look(path: &Path, policy: &Policy) -> Looked {
    let mut looked = Looked::default();
    let mut policy = policy.clone().with_switch(false);
    let folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(error) => {
            looked.error = Some(error.into());
            return looked;
        }
    };
    let signed = signature(&folder, path, &policy);
    let names = named(&folder, &mut policy.limits().clone());
    if let Ok(Named {
        flavors,
        payload,
        data,
    }) = &names
    {
        flavors.clone_into(&mut looked.flavors);
        looked.entry = Some(data.entry.clone());
        looked.format = Some(data.format.clone());
        let key = signed.as_ref().ok().and_then(Option::as_ref);
        policy.request(
            &payload.trusted_types,
            key.map(|signed| signed.place.clone()),
        );
    }
    let listed = folder.files("", &mut policy.limits().clone());
    let (signed, mut broken) = match signed {
        Ok(signed) => (signed, None),
        Err(error) => (None, Some(error)),
    };
    looked.signed_by = signed.as_ref().map(|signed| signed.key.clone());
    // What stops a load comes first, then what stops the list.
    let mut wrong = None;
    let names = match names {
        Ok(names) => Some(names),
        Err(error) => {
            wrong = Some(error);
            None
        }
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            looked.error = broken.or(wrong).or(Some(error.into()));
            return looked;
        }
    };
    let looking = Looking {
        folder: &folder,
        policy: &policy,
        signed: signed.as_ref(),
        names: names.as_ref(),
        path,
    };
    for entry in &listed {
        let file = looking.file(entry, &mut looked);
        looked.files.push(file);
    }
    if let Some(error) = wrong {
        let place = place(&error).to_owned();
        let of = |file: &&mut LookedFile| {
            let inside = place
                .strip_prefix(MLMODEL)
                .is_some_and(|rest| rest.starts_with('/'));
            file.path == place || (inside && file.path == MLMODEL)
        };
        match looked.files.iter_mut().find(of) {
            Some(file) => file.error = Some(error),
            None => broken = broken.or(Some(error)),
        }
    }
    looked.error = broken;
    looked
}

/// By which key of the policy the folder is signed.
fn signature(folder: &Folder, path: &Path, policy: &Policy) -> Result<Option<Signed>, Error> {
    if !has_signature(folder, policy)? {
        return Ok(None);
    }
    signed_by(path, path, policy)
}

/// The entry that an error is about; empty where it is about none.
fn place(error: &Error) -> &str {
    match error {
        Error::Model(
            ModelError::Malformed { at, .. }
            | ModelError::Unsupported { at, .. }
            | ModelError::Unverified { at, .. },
        ) => &at.entry,
        _ => "",
    }
}

/// What is known while the files are looked at.
struct Looking<'a> {
    folder: &'a Folder,
    policy: &'a Policy,
    signed: Option<&'a Signed>,
    names: Option<&'a Named>,
    path: &'a Path,
}

/// Names of texts that nothing loads, without their ending, in small letters.
const TEXTS: &[&str] = &["copying", "license", "notice", "readme"];

impl Looking<'_> {
    fn file(&self, entry: &FolderEntry, looked: &mut Looked) -> LookedFile {
        let mut file = LookedFile {
            path: entry.name.clone(),
            is: "unknown",
            bytes: entry.size,
            sha256: None,
            error: None,
            by: None,
        };
        if let Err(error) = self.judge(entry, &mut file, looked) {
            file.error = Some(error);
        }
        file
    }

    fn judge(
        &self,
        entry: &FolderEntry,
        file: &mut LookedFile,
        looked: &mut Looked,
    ) -> Result<(), Error> {
        let path = entry.name.as_str();
        let mut open = self.folder.open_entry(entry)?;
        let digest = digest(&mut open)?;
        file.sha256 = Some(digest.clone());
        held(self.policy, path, &digest)?;
        let is_model = self.names.is_some_and(|names| names.data.entry == path);
        if let Some(signed) = self.signed
            && (path == MLMODEL || is_model)
        {
            signed.holds(self.path, path, Some(&digest))?;
        }
        let mut limits = self.policy.limits().clone();
        if path == MLMODEL {
            file.is = "MLmodel";
            // It was read before.
            return Ok(());
        }
        if is_model && let Some(names) = self.names {
            if PICKLED.contains(&names.data.format.as_str()) {
                return unclean(file, Unclean::Pickle(vec![String::new()]));
            }
            if let Some(format) = FORMATS.iter().find(|row| row.name == names.data.format) {
                return self.model(open, format, file, Some(looked));
            }
        }
        let found = scan::scan(Source::File(open.try_clone()?), &mut limits)?;
        if matches!(found.content, Content::Pickle) {
            return unclean(file, Unclean::Pickle(found.pickles));
        }
        if path == SIGNATURE {
            file.is = "signature";
            return self.signature(&open, file, &mut limits);
        }
        let environments = self.names.map(|names| names.payload.environment.as_slice());
        if let Some(beside) = Beside::of(path, environments.unwrap_or_default()) {
            file.is = beside.is;
            let bytes = text(&open, &limits)?;
            return Ok(beside.check(&bytes, path, &mut limits)?);
        }
        let code = self.names.and_then(|names| names.payload.code.as_deref());
        let below = |code: &str| {
            path == code
                || path
                    .strip_prefix(code)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let pinned = pinned_by(self.policy, path, &digest);
        match found.content {
            Content::Model(format) => self.model(open, format, file, None),
            Content::Arrays => {
                file.is = "arrays of numpy";
                Ok(())
            }
            Content::Empty | Content::Text if code.is_some_and(below) || is_code(path, &open)? => {
                self.code(file, &digest, pinned)
            }
            Content::Empty => {
                file.is = "empty";
                Ok(())
            }
            Content::Text if is_prose(path) && is_text(&text(&open, &limits)?) => {
                file.is = "text that nothing loads";
                Ok(())
            }
            Content::Text => vouched(file, pinned, "a text"),
            Content::Packed(word) => vouched(file, pinned, packed(word)),
            Content::Other | Content::Pickle => vouched(file, pinned, "a file of another format"),
        }
    }

    /// Decides on a model: its names, then its values. The names of the folder's own model are kept in `looked`.
    fn model(
        &self,
        open: File,
        format: &Format,
        file: &mut LookedFile,
        looked: Option<&mut Looked>,
    ) -> Result<(), Error> {
        file.is = format.name;
        let source = Source::File(open);
        let limits = self.policy.limits();
        match format.read {
            Reader::Graph(_) => {
                let (mut archive, plan) = skops_plan(source, self.policy, |graph| {
                    if let Some(looked) = looked {
                        looked.asked = asked(graph, self.policy);
                        graph.entry().clone_into(&mut looked.graph);
                    }
                })?;
                plan.verify_in_memory(&mut archive, &Threads)?;
            }
            Reader::Booster(read) => {
                let bytes = source.read(limits.booster_bytes, "bytes of a booster")?;
                read(&bytes, &file.path, limits)?;
            }
        }
        Ok(())
    }

    fn signature(
        &self,
        open: &File,
        file: &mut LookedFile,
        limits: &mut Limits,
    ) -> Result<(), Error> {
        match signing::parse(&text(open, limits)?, limits) {
            Ok(()) | Err(signing::Error::Key { .. } | signing::Error::Refused(_)) => {}
            Err(signing::Error::Read(error)) => return Err(error.into()),
        }
        file.by = Some(match self.signed {
            Some(signed) => format!("the key of {}", signed.place),
            None if self.policy.keys().next().is_none() => {
                "not verified: the policy has no key".to_owned()
            }
            None => "not verified: no key of the policy made it".to_owned(),
        });
        Ok(())
    }

    /// Code: clean where a digest or a key of the policy pins it.
    fn code(
        &self,
        file: &mut LookedFile,
        digest: &String,
        pinned: Option<String>,
    ) -> Result<(), Error> {
        file.is = "code";
        if self.policy.code() == Code::Deny {
            return unclean_as(file, Unclean::Code("the policy says code = \"deny\""));
        }
        let signed = self
            .signed
            .filter(|signed| signed.files.get(&file.path) == Some(digest));
        let signed = signed.map(|signed| format!("the key of {}", signed.place));
        file.by = pinned
            .map(|place| format!("the digest of {place}"))
            .or(signed);
        if file.by.is_some() {
            return Ok(());
        }
        let why = "neither a digest nor a key of the policy pins it";
        unclean_as(file, Unclean::Code(why))
    }
}

/// What nothing here reads, and is clean only where the policy has its digest.
fn vouched(file: &mut LookedFile, pinned: Option<String>, is: &'static str) -> Result<(), Error> {
    file.is = "unknown";
    match pinned {
        Some(place) => {
            file.by = Some(format!("the digest of {place}"));
            Ok(())
        }
        None => unclean_as(file, Unclean::Unknown(is)),
    }
}

fn unclean(file: &mut LookedFile, why: Unclean) -> Result<(), Error> {
    file.is = "pickle";
    unclean_as(file, why)
}

fn unclean_as(file: &LookedFile, why: Unclean) -> Result<(), Error> {
    Err(Error::Unclean {
        at: Location::entry(&file.path.escape_debug().to_string()),
        why,
    })
}

fn packed(word: &str) -> &'static str {
    match word {
        "zip" => "a zip",
        _ => "a compressed file",
    }
}

/// Whether a text is code for an interpreter that is installed beside models: by its ending, or by its first line.
fn is_code(path: &str, open: &File) -> Result<bool, Error> {
    const ENDINGS: &[&str] = &["bash", "ipynb", "js", "pth", "py", "pyi", "pyx", "r", "sh"];
    let ending = ending(path);
    if ENDINGS.contains(&ending.as_str()) {
        return Ok(true);
    }
    let mut start = [0; 2];
    let mut open = open;
    open.rewind()?;
    let length = open.read(&mut start)?;
    Ok(start.get(..length) == Some(b"#!"))
}

/// Whether a path is that of a text which only people read.
fn is_prose(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let stem = name.split('.').next().unwrap_or(&name);
    TEXTS.contains(&stem) || matches!(ending(path).as_str(), "md" | "rst")
}

/// The ending of a path in small letters.
fn ending(path: &str) -> String {
    let ending = Path::new(path)
        .extension()
        .and_then(|ending| ending.to_str());
    ending.unwrap_or_default().to_lowercase()
}

/// The bytes of a text.
fn text(open: &File, limits: &Limits) -> Result<Vec<u8>, Error> {
    let source = Source::File(open.try_clone()?);
    Ok(source
        .read(limits.text_bytes, "bytes of a text")?
        .into_owned())
}

/// The SHA-256 of a file that is open at its start, which it is set back to.
fn digest(open: &mut File) -> Result<String, Error> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = open.read(&mut buffer)?;
        match buffer.get(..length) {
            Some(bytes) if !bytes.is_empty() => hash.update(bytes),
            _ => break,
        }
    }
    open.rewind()?;
    Ok(hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::open::fixture::{GRANT, Model, policy, skops_file};

    /// Each file, what it is, and what is wrong with it or who vouches for it.
    fn rows(model: &Model, policy: &Policy) -> Vec<(String, &'static str, String)> {
        let looked = look(model.0.path(), policy);
        assert!(looked.error.is_none(), "{:?}", looked.error);
        looked
            .files
            .into_iter()
            .map(|file| {
                assert_eq!(file.sha256.unwrap(), model.digest(&file.path));
                let said = file.error.map(|error| error.to_string());
                (file.path, file.is, said.or(file.by).unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn nothing_is_granted_for_the_asking_and_code_is_pinned_or_refused() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let found = rows(&model, &Policy::default());
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], ("MLmodel".to_owned(), "MLmodel", String::new()));
        let why = "code/mine.py: code that comes with the model, and neither a digest nor a key of the policy pins it";
        assert_eq!(
            found[1],
            ("code/mine.py".to_owned(), "code", why.to_owned())
        );
        assert!(
            found[2].2.starts_with("untrusted names: mine.Thing"),
            "{}",
            found[2].2
        );
        let pin = format!(
            "{GRANT}[[digests]]\nsha256 = \"{}\"\npath = \"code/mine.py\"\n",
            model.digest("code/mine.py")
        );
        let found = rows(&model, &policy(&pin));
        assert_eq!(found[1].2, "the digest of policy.toml:5");
        assert_eq!(found[2], ("model.skops".to_owned(), "skops", String::new()));
        let found = rows(&model, &policy(&format!("code = \"deny\"\n{pin}")));
        assert!(
            found[1].2.ends_with("the policy says code = \"deny\""),
            "{}",
            found[1].2
        );
    }

    #[test]
    fn what_is_asked_for_is_told_with_its_rule() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let looked = look(model.0.path(), &Policy::default());
        assert_eq!(
            (looked.asked.len(), looked.graph.as_str()),
            (1, "schema.json")
        );
        assert!(!looked.asked[0].rule.grants());
        assert_eq!(looked.flavors, ["python_function", "sklearn"]);
        assert_eq!(looked.entry.as_deref(), Some("model.skops"));
        assert_eq!(looked.errors().count(), 2);
    }

    #[test]
    fn no_pickle_is_clean_wherever_it_stands() {
        const PICKLE: &[u8] = b"\x80\x04N.";
        let model = Model::new("model.pkl", "cloudpickle", PICKLE);
        for path in [
            "README.md",
            "code/x.py",
            "conda.yaml",
            "extra.bin",
            "input_example.json",
        ] {
            fs::write(model.0.path().join(path), PICKLE).unwrap();
        }
        // The policy's own word does not make one clean.
        let pins: String = ["model.pkl", "extra.bin"]
            .map(|path| crate::policy::digest_lines(path, &model.digest(path)))
            .concat();
        let found = rows(&model, &policy(&format!("pickle = \"allow\"\n{pins}")));
        let pickles = found.iter().filter(|row| row.1 == "pickle");
        assert!(
            pickles
                .clone()
                .all(|row| row.2.contains("can run any code"))
        );
        assert_eq!(pickles.count(), 6);
    }

    #[test]
    fn what_is_not_known_is_not_clean_unless_the_policy_has_its_digest() {
        let model = Model::new("model.skops", "skops", &skops_file());
        fs::remove_dir_all(model.0.path().join("code")).unwrap();
        let text = fs::read_to_string(model.0.path().join(MLMODEL)).unwrap();
        fs::write(
            model.0.path().join(MLMODEL),
            text.replace("    code: code\n", ""),
        )
        .unwrap();
        for (path, bytes, is, says) in [
            (
                "weights.bin",
                b"\x01\x02".as_slice(),
                "unknown",
                "a file of another format",
            ),
            ("notes.txt", b"some text", "unknown", "a text"),
            ("all.gz", b"\x1f\x8b\x08\0", "unknown", "a compressed file"),
            (
                "setup.py",
                b"import os\n",
                "code",
                "code that comes with the model",
            ),
            (
                "run",
                b"#!/bin/sh\n",
                "code",
                "code that comes with the model",
            ),
            ("README.md", b"A model.\n", "text that nothing loads", ""),
            ("LICENSE", b"Anybody may.\n", "text that nothing loads", ""),
            (
                "README.md",
                b"A\0model.\n",
                "unknown",
                "a file of another format",
            ),
            (".gitkeep", b"", "empty", ""),
            ("requirements.txt", b"numpy==2.4.6\n", "requirements", ""),
            (
                "requirements.txt",
                b"-r /etc/x\n",
                "requirements",
                "option in a requirements file",
            ),
            (
                "conda.yaml",
                b"dependencies: [x @ https://y]\n",
                "environment",
                "address in a requirements file",
            ),
            (
                "input_example.json",
                b"{\"a\": 1, \"a\": 2}",
                "input example",
                "an example has a key twice",
            ),
            ("model.sig", b"{}", "signature", "malformed model_sig"),
            ("old.skops", b"PK", "unknown", "malformed zip"),
            (
                "old.lgb",
                b"tree\nversion=v4\n",
                "lightgbm",
                "malformed lightgbm",
            ),
        ] {
            fs::write(model.0.path().join(path), bytes).unwrap();
            let found = rows(&model, &policy(GRANT));
            let row = found.iter().find(|row| row.0 == path).unwrap();
            assert_eq!(row.1, is, "{path}");
            assert_eq!(
                row.2.contains(says),
                !says.is_empty() || row.2.is_empty(),
                "{row:?}"
            );
            if is == "unknown" && path != "old.skops" {
                let pin = crate::policy::digest_lines(path, &model.digest(path));
                let found = rows(&model, &policy(&format!("{GRANT}{pin}")));
                let row = found.iter().find(|row| row.0 == path).unwrap();
                assert!(row.2.starts_with("the digest of policy.toml:"), "{row:?}");
            }
            fs::remove_file(model.0.path().join(path)).unwrap();
        }
    }

    #[test]
    fn what_stops_a_load_stands_at_its_file() {
        let model = Model::new("model.skops", "pickle", b"\x80\x04N.");
        let looked = look(model.0.path(), &Policy::default());
        assert!(looked.error.is_none());
        let of = |path: &str| looked.files.iter().find(|file| file.path == path).unwrap();
        let error = of("model.skops").error.as_ref().unwrap().to_string();
        assert!(
            error.contains("name ends like one of another format"),
            "{error}"
        );
        fs::write(model.0.path().join(MLMODEL), "flavors: {}\nrun_id: [a]\n").unwrap();
        let looked = look(model.0.path(), &Policy::default());
        let of = |path: &str| looked.files.iter().find(|file| file.path == path).unwrap();
        let error = of(MLMODEL).error.as_ref().unwrap().to_string();
        assert_eq!(
            error,
            "MLmodel/run_id: malformed mlmodel: a key holds what is not a text"
        );
        assert_eq!(of("model.skops").is, "pickle");
        fs::remove_file(model.0.path().join(MLMODEL)).unwrap();
        let looked = look(model.0.path(), &Policy::default());
        assert!(
            looked
                .error
                .unwrap()
                .to_string()
                .contains("MLmodel is not in the folder")
        );
    }
}
