//! What was found in models, for each form that an answer has: text, JSON, SARIF, HTML.

pub(crate) mod html;
pub(crate) mod rules;
pub(crate) mod sarif;
mod sink;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nopickle_formats::Error as ModelError;
use nopickle_gate::{Error, Looked};

use crate::exit;
use crate::output::{self, clean_name, counted};
use rules::Rule;
pub(crate) use sink::Sink;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Sarif,
    Html,
}

/// A model that was looked at, and its answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) file: PathBuf,
    /// Why a file would not load; none where it would.
    pub(crate) error: Option<Error>,
    /// Whether it was trusted by name, and not verified, since that was asked for.
    pub(crate) left_unverified: bool,
    /// Of a model folder: its files, and all that is wrong with them.
    pub(crate) folder: Option<Box<Looked>>,
}

impl Answered {
    pub(crate) fn new(file: PathBuf, answer: Result<(), Error>) -> Self {
        Self {
            file,
            error: answer.err(),
            left_unverified: false,
            folder: None,
        }
    }

    /// The answer about a model folder.
    pub(crate) fn of_folder(file: PathBuf, looked: Looked) -> Self {
        Self {
            folder: Some(Box::new(looked)),
            ..Self::new(file, Ok(()))
        }
    }

    /// Why the model would not load; of a folder, the first of what weighs most.
    pub(crate) fn error(&self) -> Option<&Error> {
        let Some(looked) = &self.folder else {
            return self.error.as_ref();
        };
        let codes = looked.errors().map(exit::gate_code);
        let worst = codes.max()?;
        looked
            .errors()
            .find(|error| exit::gate_code(error) == worst)
    }

    /// The exit status of this model alone.
    pub(crate) fn code(&self) -> u8 {
        match self.error() {
            Some(error) => exit::gate_code(error),
            None if self.left_unverified => exit::UNANSWERED,
            None => exit::FINE,
        }
    }

    /// What to do next; `FILE` stands for the file.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.error() {
            Some(error) => Some(exit::tell_gate(error).hint),
            None if self.left_unverified => Some(exit::LEFT_UNVERIFIED),
            None => None,
        }
    }

    /// Everything that keeps the model from being loaded: each name that is not trusted by itself, each file of a folder.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        if let Some(looked) = &self.folder {
            let whole = looked.error.iter().map(|error| ("", error));
            let files = looked
                .files
                .iter()
                .filter_map(|file| Some((file.path.as_str(), file.error.as_ref()?)));
            return whole
                .chain(files)
                .flat_map(|(file, error)| findings_of(error, file))
                .collect();
        }
        let Some(error) = &self.error else {
            return self.unverified(exit::LEFT_UNVERIFIED);
        };
        let mut found = findings_of(error, "");
        for finding in &mut found {
            // A file without entries is named after itself.
            if self.file.file_name() == Some(OsStr::new(&finding.entry)) {
                finding.entry.clear();
            }
        }
        found
    }

    fn unverified(&self, hint: &'static str) -> Vec<Finding> {
        if !self.left_unverified {
            return Vec::new();
        }
        vec![Finding {
            rule: rules::left_unverified(),
            message: "the values were not verified, as --no-arrays asks".to_owned(),
            file: String::new(),
            entry: String::new(),
            offset: None,
            line: None,
            subject: String::new(),
            hint,
        }]
    }
}

/// What one error says: a finding, or one for each name or file that it is about. `file` is that of a folder.
fn findings_of(error: &Error, file: &str) -> Vec<Finding> {
    let told = exit::tell_gate(error);
    let at = told.at.cloned().unwrap_or_default();
    let plain = Finding {
        rule: rules::of(error),
        message: clean_name(&output::message(error)).into_owned(),
        file: file.to_owned(),
        // A file of a folder is named after itself.
        entry: if at.entry == file {
            String::new()
        } else {
            at.entry
        },
        offset: at.offset,
        line: at.line,
        subject: String::new(),
        hint: told.hint,
    };
    let untrusted = match error {
        Error::Model(ModelError::Untrusted(untrusted)) => Some(untrusted),
        Error::Untrusted(refusal) => Some(&refusal.untrusted),
        _ => None,
    };
    if let Some(untrusted) = untrusted {
        let names = untrusted.names.iter();
        return names
            .map(|name| Finding {
                message: format!("{} is not trusted", clean_name(&name.name)),
                entry: untrusted.entry.clone(),
                offset: Some(name.offset),
                subject: name.name.clone(),
                ..plain.clone()
            })
            .collect();
    }
    if let Error::Signature { refused, .. } = error {
        let reasons = refused.reasons.iter();
        return reasons
            .map(|reason| Finding {
                message: clean_name(&format!("{}: {}", reason.file, reason.why)).into_owned(),
                file: reason.file.clone(),
                subject: reason.why.to_string(),
                ..plain.clone()
            })
            .collect();
    }
    let subject = match error {
        Error::Model(ModelError::Malformed { what, .. } | ModelError::Limit { what, .. }) => {
            (*what).to_owned()
        }
        Error::Model(ModelError::Unsupported { what, name, .. }) => format!("{what}: {name}"),
        Error::Model(ModelError::Unverified { class, what, .. }) => format!("{class}: {what}"),
        Error::Unclean { why, .. } => why.to_string(),
        Error::Policy { .. }
        | Error::Switch { .. }
        | Error::Refused { .. }
        | Error::Signature { .. }
        | Error::Untrusted(_)
        | Error::Model(ModelError::Untrusted(_) | ModelError::Io(_)) => String::new(),
    };
    vec![Finding { subject, ..plain }]
}

/// One reason why a model would not load.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) rule: &'static Rule,
    /// In words, without letters that act on a terminal or look like others.
    pub(crate) message: String,
    /// The file of a folder; empty for the folder or the file itself.
    pub(crate) file: String,
    /// The entry of the archive; empty for the file itself.
    pub(crate) entry: String,
    /// The byte of the entry, after inflating.
    pub(crate) offset: Option<u64>,
    /// Line and column of a text, both from 1 on.
    pub(crate) line: Option<(u64, u64)>,
    /// What the rule is about, whatever the place: the name, the class and its rule.
    pub(crate) subject: String,
    /// What to do next; `FILE` stands for the file.
    pub(crate) hint: &'static str,
}

impl Finding {
    /// The same number for the same finding in the same place of a file, wherever the file lies: FNV-1a of the
    /// rule, the entry, the subject, and of a folder the file.
    pub(crate) fn fingerprint(&self) -> u64 {
        let parts = [self.rule.id, &self.entry, &self.subject, &self.file];
        let parts = if self.file.is_empty() {
            parts.get(..3).unwrap_or_default()
        } else {
            &parts
        };
        let bytes = parts
            .iter()
            .flat_map(|part| part.bytes().chain(std::iter::once(0)));
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// In words, without the place.
    pub(crate) fn title(&self) -> Cow<'_, str> {
        if self.subject.is_empty() || self.rule.is_told_whole() {
            return self.message.as_str().into();
        }
        clean_name(&self.subject)
    }

    /// What to do next with the file.
    pub(crate) fn next_step(&self, file: &Path) -> String {
        output::hint_words(self.hint, file)
    }
}

/// How many files got which answer.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Summary {
    pub(crate) files: usize,
    pub(crate) trusted: usize,
    pub(crate) refused: usize,
    pub(crate) unanswered: usize,
    pub(crate) skipped: usize,
}

impl Summary {
    pub(crate) fn count(&mut self, code: u8) {
        self.files += 1;
        match code {
            exit::FINE => self.trusted += 1,
            exit::REFUSED => self.refused += 1,
            _ => self.unanswered += 1,
        }
    }

    /// The exit status: that of the worst answer, and no model is no answer.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self { files: 0, .. }
            | Self {
                unanswered: 1.., ..
            } => exit::UNANSWERED,
            Self { refused: 1.., .. } => exit::REFUSED,
            Self { .. } => exit::FINE,
        }
    }

    pub(crate) fn words(&self) -> String {
        let skipped = match self.skipped {
            0 => String::new(),
            number => format!("; {} skipped", counted(number, "other file", "other files")),
        };
        format!(
            "{}: {} trusted and verified, {} refused, {} could not be answered{skipped}",
            counted(self.files, "model", "models"),
            output::count(self.trusted as u64),
            output::count(self.refused as u64),
            output::count(self.unanswered as u64),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nopickle_formats::{Location, Refused, Untrusted};
    use nopickle_gate::{LookedFile, Unclean};

    fn untrusted(offset: u64) -> Answered {
        let name = |name: &str, offset| Refused {
            name: name.to_owned(),
            offset,
        };
        let untrusted = Untrusted {
            entry: "schema.json".to_owned(),
            names: vec![name("os.system", offset), name("posix.system", 9)],
        };
        Answered::new("a.skops".into(), Err(ModelError::from(untrusted).into()))
    }

    #[test]
    fn each_untrusted_name_is_a_finding() {
        let findings = untrusted(4).findings();
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].message, "os.system is not trusted");
        assert_eq!(findings[0].offset, Some(4));
        assert_ne!(findings[0].fingerprint(), findings[1].fingerprint());
    }

    #[test]
    fn a_finding_that_moves_keeps_its_fingerprint() {
        assert_eq!(
            untrusted(4).findings()[0].fingerprint(),
            untrusted(5).findings()[0].fingerprint()
        );
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        let finding = |entry: &str, subject: &str| Finding {
            rule: rules::left_unverified(),
            message: String::new(),
            file: String::new(),
            entry: entry.to_owned(),
            offset: None,
            line: None,
            subject: subject.to_owned(),
            hint: "",
        };
        assert_ne!(
            finding("ab", "c").fingerprint(),
            finding("a", "bc").fingerprint()
        );
    }

    #[test]
    fn a_model_without_an_error_has_no_finding_unless_its_values_were_left_out() {
        let mut answered = Answered::new("a.skops".into(), Ok(()));
        assert!(answered.findings().is_empty());
        assert_eq!(answered.code(), exit::FINE);
        answered.left_unverified = true;
        assert_eq!(answered.findings().len(), 1);
        assert_eq!(answered.code(), exit::UNANSWERED);
    }

    #[test]
    fn the_status_is_that_of_the_worst_answer() {
        let code = |codes: &[u8]| {
            let mut summary = Summary::default();
            for &code in codes {
                summary.count(code);
            }
            summary.code()
        };
        assert_eq!(code(&[]), exit::UNANSWERED);
        assert_eq!(code(&[exit::FINE]), exit::FINE);
        assert_eq!(code(&[exit::FINE, exit::REFUSED]), exit::REFUSED);
        assert_eq!(
            code(&[exit::REFUSED, exit::UNANSWERED, exit::FINE]),
            exit::UNANSWERED
        );
    }

    #[test]
    fn a_file_without_entries_is_no_entry_of_itself() {
        let error = ModelError::Unverified {
            at: Location::byte("model.lgb", 7),
            class: "lightgbm.basic.Booster".to_owned(),
            what: "a rule",
        };
        let findings = Answered::new("below/model.lgb".into(), Err(error.into())).findings();
        assert_eq!(findings[0].entry, "");
        assert_eq!(findings[0].offset, Some(7));
        assert_eq!(findings[0].title(), "lightgbm.basic.Booster: a rule");
    }

    #[test]
    fn a_place_is_kept() {
        let error = ModelError::Malformed {
            format: "mlmodel",
            at: Location::line("MLmodel", 3, 5),
            what: "a mapping has a key twice",
        };
        let findings = Answered::new("folder".into(), Err(error.into())).findings();
        assert_eq!(findings[0].line, Some((3, 5)));
        assert_eq!(findings[0].entry, "MLmodel");
        assert_eq!(findings[0].rule.id, "NP1004");
    }

    #[test]
    fn a_folder_answers_with_what_weighs_most_and_each_file_is_found() {
        let file = |path: &str, error: Option<Error>| LookedFile {
            path: path.to_owned(),
            is: "unknown",
            bytes: 1,
            sha256: None,
            error,
            by: None,
        };
        let unclean = Error::Unclean {
            at: Location::entry("a.pkl"),
            why: Unclean::Pickle(vec![String::new()]),
        };
        let malformed = |entry: &str| {
            Error::Model(ModelError::Malformed {
                format: "zip",
                at: Location::entry(entry),
                what: "a rule",
            })
        };
        let looked = Looked {
            files: vec![
                file("MLmodel", None),
                file("a.pkl", Some(unclean)),
                file("b.skops", Some(malformed("schema.json"))),
                file("c.skops", Some(malformed("c.skops"))),
            ],
            ..Looked::default()
        };
        let answered = Answered::of_folder("model".into(), looked);
        assert_eq!(answered.code(), exit::UNANSWERED);
        let error = answered.error().unwrap().to_string();
        assert_eq!(error, "schema.json: malformed zip: a rule");
        let findings = answered.findings();
        let places: Vec<(&str, &str, &str)> = findings
            .iter()
            .map(|found| (found.rule.id, found.file.as_str(), found.entry.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                ("NP4002", "a.pkl", ""),
                ("NP1001", "b.skops", "schema.json"),
                ("NP1001", "c.skops", "")
            ]
        );
        assert_ne!(findings[1].fingerprint(), findings[2].fingerprint());
    }
}
