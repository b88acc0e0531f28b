//! The code that a model brings, and whether it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use nopickle_formats::Limits;
use nopickle_formats::archive::{EntryKind, Folder};
use nopickle_formats::mlflow::Payload;

use crate::error::Error;
use crate::policy::{Code, Policy};

/// Whether code that a model brings is in reach of imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeRule {
    /// The model brings none.
    None,
    /// It is, from this folder.
    Reach(PathBuf),
    /// It is not: why.
    Refused(String),
}

/// By what the files of a folder are pinned.
pub(super) enum Pins<'d> {
    /// By nothing.
    None,
    /// By digests of the policy, where they are those of the files.
    Digests(&'d BTreeMap<String, String>),
    /// By the signature of a key of the policy, which covers these files.
    Signed(&'d BTreeSet<String>),
}

/// Whether the code of a model is used.
pub(super) fn code_rule(
    folder: &Folder,
    payload: &Payload,
    policy: &Policy,
    pins: &Pins<'_>,
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
    if policy.code() == Code::Allow && policy.pickle() {
        return Ok(CodeRule::Reach(folder.path().join(code)));
    }
    let nothing = BTreeMap::new();
    let digests = match pins {
        Pins::Digests(digests) => digests,
        Pins::Signed(_) | Pins::None => &nothing,
    };
    for file in folder.files(code, limits)? {
        let digest = digests.get(&file.name);
        let is_signed = matches!(pins, Pins::Signed(files) if files.contains(&file.name));
        let pinned = is_signed
            || policy.digests().any(|known| {
                Some(&known.what.sha256) == digest
                    && known
                        .what
                        .path
                        .as_ref()
                        .is_none_or(|path| *path == file.name)
            });
        if !pinned {
            let why = match policy.pickle_refused_by() {
                Some(why) if policy.code() == Code::Allow => why,
                _ => "the policy says code = \"pinned\"".to_owned(),
            };
            return refused(format!(
                "{why}, and neither a digest nor a key of the policy pins {}",
                file.name
            ));
        }
    }
    Ok(CodeRule::Reach(folder.path().join(code)))
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
            let reached = matches!(opened.code, CodeRule::Reach(_));
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
