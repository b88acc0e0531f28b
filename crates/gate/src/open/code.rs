//! The code that a model brings, and whether it is used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nopickle_formats::Limits;
use nopickle_formats::archive::{EntryKind, Folder, Source};
use nopickle_formats::mlflow::Payload;
use sha2::{Digest as _, Sha256};

use super::copy::{each_piece, hex};
use crate::error::Error;
use crate::policy::{Code, Entry, Policy};

/// Whether code that a model brings is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeRule {
    /// The model brings none.
    None,
    /// It is: this code.
    Used(ModelCode),
    /// It is not: why.
    Refused(String),
}

/// The code that a model brings, as it was read: what was hashed is what is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCode {
    /// The folder that it stands in: that of the private copy, where there is one.
    pub folder: PathBuf,
    /// The source of each module, by its path in that folder.
    pub sources: BTreeMap<String, Vec<u8>>,
    /// The SHA-256 of each file of it, by its path in the model.
    pub digests: BTreeMap<String, String>,
}

impl ModelCode {
    /// A digest that names it: that of its files' names and content, and of its folder where other files than sources
    /// stand in it, which modules may read there. Nothing reads compiled code (`__pycache__`).
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut others = false;
        for (name, digest) in &self.digests {
            if name.contains("/__pycache__/") {
                continue;
            }
            others |= !is_source(name);
            hash.update(name.len().to_le_bytes());
            hash.update(name);
            hash.update(digest);
        }
        if others {
            hash.update(self.folder.as_os_str().as_encoded_bytes());
        }
        hex(&hash.finalize())
    }

    /// Reads every file at or below a path.
    fn read(folder: &Folder, code: &str, limits: &mut Limits) -> Result<Self, Error> {
        let mut found = Self {
            folder: folder.path().join(code),
            sources: BTreeMap::new(),
            digests: BTreeMap::new(),
        };
        let mut left = limits.text_bytes;
        for entry in folder.files(code, limits)? {
            let mut file = folder.open_entry(&entry)?;
            let below = entry.name.get(code.len()..).unwrap_or_default();
            let digest = if is_source(below) {
                let file = Source::File(file);
                let source = file.read(left, "bytes of a model's code")?;
                let length = u64::try_from(source.len()).unwrap_or(u64::MAX);
                left = left.saturating_sub(length);
                let digest = Sha256::digest(&source);
                let name = below.trim_start_matches('/').to_owned();
                found.sources.insert(name, source.into_owned());
                digest
            } else {
                let mut hash = Sha256::new();
                each_piece(&mut file, |piece| {
                    hash.update(piece);
                    Ok(())
                })?;
                hash.finalize()
            };
            found.digests.insert(entry.name, hex(&digest));
        }
        Ok(found)
    }
}

/// Whether a file is the source of a module, by its name.
fn is_source(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending == "py")
}

/// The place of the entry of a policy that pins a file by its digest.
pub(super) fn pinned_by(policy: &Policy, path: &str, digest: &str) -> Option<String> {
    let mut known = policy.digests().filter(|known| {
        let of_path = known.what.path.as_deref().is_none_or(|of| of == path);
        of_path && known.what.sha256 == digest
    });
    known.next().map(Entry::place)
}

/// Whether the code of a model is used. `signed` are the digests of the files that a key of the policy signed.
pub(super) fn code_rule(
    folder: &Folder,
    payload: &Payload,
    policy: &Policy,
    signed: Option<&BTreeMap<String, String>>,
    limits: &mut Limits,
) -> Result<CodeRule, Error> {
    let Some(code) = &payload.code else {
        return Ok(CodeRule::None);
    };
    let refused = |why: String| Ok(CodeRule::Refused(why));
    if policy.code() == Code::Deny {
        return refused("the policy says code = \"deny\"".to_owned());
    }
    if folder.kind(code)? != Some(EntryKind::Folder) {
        return refused("there is no such folder".to_owned());
    }
    let found = ModelCode::read(folder, code, limits)?;
    if policy.code() == Code::Allow && policy.pickle() {
        return Ok(CodeRule::Used(found));
    }
    for (name, digest) in &found.digests {
        let is_signed = signed.and_then(|files| files.get(name)) == Some(digest);
        let pinned = is_signed || pinned_by(policy, name, digest).is_some();
        if !pinned {
            let why = match policy.pickle_refused_by() {
                Some(why) if policy.code() == Code::Allow => why,
                _ => "the policy says code = \"pinned\"".to_owned(),
            };
            return refused(format!(
                "{why}, and neither a digest nor a key of the policy pins {name}"
            ));
        }
    }
    Ok(CodeRule::Used(found))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::CodeRule;
    use crate::open::fixture::{GRANT, Model, policy, skops_file};

    #[test]
    fn code_is_used_as_the_policy_says() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let pin = format!(
            "{GRANT}[[digests]]\nsha256 = \"{}\"\n",
            model.digest("code/mine.py")
        );
        let elsewhere = pin.clone() + "path = \"code/other.py\"\n";
        let other = format!("{GRANT}[[digests]]\nsha256 = \"{}\"\n", "0".repeat(64));
        for (code, entries, switch, used) in [
            ("allow", GRANT, true, true),
            ("allow", GRANT, false, false),
            ("allow", &pin, false, true),
            ("pinned", GRANT, true, false),
            ("pinned", &pin, true, true),
            ("pinned", &pin, false, true),
            ("pinned", &elsewhere, true, false),
            ("pinned", &other, true, false),
            ("deny", &pin, true, false),
        ] {
            let policy = policy(&format!("code = \"{code}\"\n{entries}")).with_switch(switch);
            let opened = model.open(policy).unwrap();
            let reached = matches!(opened.code, CodeRule::Used(_));
            assert_eq!(
                reached, used,
                "{code} {switch} {entries}: {:?}",
                opened.code
            );
        }
        // One file more is one that nobody looked at.
        fs::write(model.0.path().join("code/more.py"), "").unwrap();
        let opened = model
            .open(policy(&format!("code = \"pinned\"\n{pin}")))
            .unwrap();
        let CodeRule::Refused(why) = &opened.code else {
            panic!("{:?}", opened.code);
        };
        assert!(why.contains("code/more.py"), "{why}");
    }
}
