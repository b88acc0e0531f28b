//! What was found in models, for each form that an answer has: text, JSON, SARIF, HTML.

pub(crate) mod html;
pub(crate) mod rules;
pub(crate) mod sarif;
mod sink;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nopickle_formats::Error;

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
    /// Why it would not load; none where it would.
    pub(crate) error: Option<Error>,
    /// Whether it was trusted by name, and not verified, since that was asked for.
    pub(crate) left_unverified: bool,
}

impl Answered {
    pub(crate) fn new(file: PathBuf, answer: Result<(), Error>) -> Self {
        Self {
            file,
            error: answer.err(),
            left_unverified: false,
        }
    }

    /// The exit status of this model alone.
    pub(crate) fn code(&self) -> u8 {
        match &self.error {
            Some(error) => exit::tell(error).code,
            None if self.left_unverified => exit::UNANSWERED,
            None => exit::FINE,
        }
    }

    /// What to do next; `FILE` stands for the file.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match &self.error {
            Some(error) => Some(exit::tell(error).hint),
            None if self.left_unverified => Some(exit::LEFT_UNVERIFIED),
            None => None,
        }
    }

    /// Everything that keeps the model from being loaded: each name that is not trusted by itself.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let hint = self.hint().unwrap_or_default();
        let Some(error) = &self.error else {
            return self.unverified(hint);
        };
        let rule = rules::of(error);
        if let Error::Untrusted(untrusted) = error {
            let names = untrusted.names.iter();
            return names
                .map(|name| Finding {
                    rule,
                    message: format!("{} is not trusted", clean_name(&name.name)),
                    entry: untrusted.entry.clone(),
                    offset: Some(name.offset),
                    line: None,
                    subject: name.name.clone(),
                    hint,
                })
                .collect();
        }
        let at = exit::tell(error).at.cloned().unwrap_or_default();
        let subject = match error {
            Error::Malformed { what, .. } | Error::Limit { what, .. } => (*what).to_owned(),
            Error::Unsupported { what, name, .. } => format!("{what}: {name}"),
            Error::Unverified { class, what, .. } => format!("{class}: {what}"),
            Error::Untrusted(_) | Error::Io(_) => String::new(),
        };
        // A file without entries is named after itself.
        let own = self.file.file_name() == Some(OsStr::new(&at.entry));
        vec![Finding {
            rule,
            message: clean_name(&error.to_string()).into_owned(),
            entry: if own { String::new() } else { at.entry },
            offset: at.offset,
            line: at.line,
            subject,
            hint,
        }]
    }

    fn unverified(&self, hint: &'static str) -> Vec<Finding> {
        if !self.left_unverified {
            return Vec::new();
        }
        vec![Finding {
            rule: rules::left_unverified(),
            message: "the values were not verified, as --no-arrays asks".to_owned(),
            entry: String::new(),
            offset: None,
            line: None,
            subject: String::new(),
            hint,
        }]
    }
}

/// One reason why a model would not load.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) rule: &'static Rule,
    /// In words, without letters that act on a terminal or look like others.
    pub(crate) message: String,
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
    /// rule, the entry and the subject.
    pub(crate) fn fingerprint(&self) -> u64 {
        let parts = [self.rule.id, &self.entry, &self.subject];
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

    fn untrusted(offset: u64) -> Answered {
        let name = |name: &str, offset| Refused {
            name: name.to_owned(),
            offset,
        };
        let untrusted = Untrusted {
            entry: "schema.json".to_owned(),
            names: vec![name("os.system", offset), name("posix.system", 9)],
        };
        Answered::new("a.skops".into(), Err(untrusted.into()))
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
        let error = Error::Unverified {
            at: Location::byte("model.lgb", 7),
            class: "lightgbm.basic.Booster".to_owned(),
            what: "a rule",
        };
        let findings = Answered::new("below/model.lgb".into(), Err(error)).findings();
        assert_eq!(findings[0].entry, "");
        assert_eq!(findings[0].offset, Some(7));
        assert_eq!(findings[0].title(), "lightgbm.basic.Booster: a rule");
    }

    #[test]
    fn a_place_is_kept() {
        let error = Error::Malformed {
            format: "mlmodel",
            at: Location::line("MLmodel", 3, 5),
            what: "a mapping has a key twice",
        };
        let findings = Answered::new("folder".into(), Err(error)).findings();
        assert_eq!(findings[0].line, Some((3, 5)));
        assert_eq!(findings[0].entry, "MLmodel");
        assert_eq!(findings[0].rule.id, "NP1004");
    }
}
