//! The text of a policy: TOML, every key of which is known.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nopickle_formats::archive::relative;
use nopickle_formats::{Error as ModelError, Limits, Location, Role};
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::date::Date;
use crate::error::Error;

/// Bytes that a policy, or a key that it names, may have.
const MOST: u64 = 1 << 20;

/// What happens to a model that is a pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PickleRule {
    Allow,
    Deny,
    Convert,
}

/// What happens to code that a model brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Code {
    /// It is in reach of imports, while the switch is on.
    Allow,
    /// It is in reach of imports where the policy has its digest, or a key of the policy has signed it.
    Pinned,
    /// It is never in reach.
    Deny,
}

impl Code {
    /// The word of the policy.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Pinned => "pinned",
            Self::Deny => "deny",
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleWord {
    Value,
    Instance,
    Call,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    pickle: Option<Spanned<PickleRule>>,
    code: Option<Code>,
    #[serde(default)]
    extend: bool,
    #[serde(default)]
    types: Vec<TypeEntry>,
    #[serde(default)]
    functions: Vec<FunctionEntry>,
    #[serde(default)]
    keys: Vec<Spanned<KeyEntry>>,
    #[serde(default)]
    digests: Vec<DigestEntry>,
    #[serde(default)]
    limits: LimitEntries,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeEntry {
    name: Spanned<String>,
    role: Option<RoleWord>,
    reason: Option<String>,
    until: Option<Spanned<Datetime>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionEntry {
    name: Spanned<String>,
    reason: Option<String>,
    until: Option<Spanned<Datetime>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    path: Option<Spanned<String>>,
    pem: Option<Spanned<String>>,
    reason: Option<String>,
    until: Option<Spanned<Datetime>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestEntry {
    sha256: Spanned<String>,
    path: Option<Spanned<String>>,
    reason: Option<String>,
    until: Option<Spanned<Datetime>>,
}

/// The limits that a policy sets; the others stay as they are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitEntries {
    array_bytes: Option<u64>,
    booster_bytes: Option<u64>,
    depth: Option<u64>,
    entries: Option<u64>,
    inflated_bytes: Option<u64>,
    nodes: Option<u64>,
    reread_bytes: Option<u64>,
    schema_bytes: Option<u64>,
    text_bytes: Option<u64>,
}

impl LimitEntries {
    /// Puts what is set in the place of what is there.
    pub(super) fn apply(&self, limits: &mut Limits) {
        for (found, limit) in [
            (self.array_bytes, &mut limits.array_bytes),
            (self.booster_bytes, &mut limits.booster_bytes),
            (self.depth, &mut limits.depth),
            (self.entries, &mut limits.entries),
            (self.inflated_bytes, &mut limits.inflated_bytes),
            (self.nodes, &mut limits.nodes),
            (self.reread_bytes, &mut limits.reread_bytes),
            (self.schema_bytes, &mut limits.schema_bytes),
            (self.text_bytes, &mut limits.text_bytes),
        ] {
            if let Some(found) = found {
                *limit = found;
            }
        }
    }
}

/// What an entry of a policy grants, where it stands, why, and until when.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// What is granted.
    pub what: T,
    /// The policy file.
    pub file: Arc<Path>,
    /// The line in it, from 1 on.
    pub line: u64,
    /// Why, in the words of whoever wrote it; `None` where there is no `reason`.
    pub reason: Option<String>,
    /// The last day on which it holds.
    pub until: Option<Date>,
}

impl<T> Entry<T> {
    /// Whether its last day is over.
    pub fn expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    /// `FILE:LINE`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// A name, and what may be done with it: `None` for a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// `module.qualname`.
    pub name: String,
    /// The role of a class; `None` for a function.
    pub role: Option<Role>,
}

/// A digest that somebody has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256, in lower case.
    pub sha256: String,
    /// The one path in a model that may have it, and must have it.
    pub path: Option<String>,
}

/// A policy file as it stands.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) pickle: bool,
    pub(super) code: Code,
    pub(super) extend: bool,
    pub(super) names: Vec<Entry<Name>>,
    /// PEM texts of public keys.
    pub(super) keys: Vec<Entry<String>>,
    pub(super) digests: Vec<Entry<Digest>>,
    pub(super) limits: LimitEntries,
}

/// Where in the text an error stands.
struct Text<'t> {
    file: Arc<Path>,
    text: &'t str,
}

impl Text<'_> {
    fn line(&self, span: &Range<usize>) -> u64 {
        self.place(span).0
    }

    fn place(&self, span: &Range<usize>) -> (u64, u64) {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or("")
            .chars()
            .count()
            .saturating_add(1);
        let number = |found: usize| u64::try_from(found).unwrap_or(u64::MAX);
        (number(line), number(column))
    }

    fn wrong(&self, span: &Range<usize>, what: impl Into<String>) -> Error {
        let (line, column) = self.place(span);
        Error::policy(
            Location::line(&self.file.display().to_string(), line, column),
            what,
        )
    }

    fn entry<T>(
        &self,
        what: T,
        span: &Range<usize>,
        reason: Option<String>,
        until: Option<Spanned<Datetime>>,
    ) -> Result<Entry<T>, Error> {
        let until = match until {
            None => None,
            Some(until) => match (until.get_ref().date, until.get_ref().time) {
                (Some(date), None) => Some(Date {
                    year: date.year,
                    month: date.month,
                    day: date.day,
                }),
                _ => {
                    return Err(self.wrong(&until.span(), "until is not a date such as 2027-12-31"));
                }
            },
        };
        Ok(Entry {
            what,
            file: Arc::clone(&self.file),
            line: self.line(span),
            reason,
            until,
        })
    }

    fn name(&self, name: &Spanned<String>, seen: &mut HashSet<String>) -> Result<String, Error> {
        let text = name.get_ref();
        if text.contains(['*', '?', '[']) {
            let what = "a name has no wildcard: each class and function has an entry of its own";
            return Err(self.wrong(&name.span(), what));
        }
        if !is_name(text) {
            let what =
                "a name is a module and a class or function, such as mypackage.features.Encoder";
            return Err(self.wrong(&name.span(), what));
        }
        if !seen.insert(text.clone()) {
            return Err(self.wrong(&name.span(), "a name stands twice"));
        }
        Ok(text.clone())
    }
}

/// Whether a text is `module.qualname`.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    };
    text.contains('.') && text.split('.').all(plain)
}

/// The bytes of a small regular file.
fn small_file(path: &Path) -> std::io::Result<Result<String, &'static str>> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Ok(Err("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST {
        return Ok(Err("it is over the limit: more than 1048576 bytes"));
    }
    Ok(String::from_utf8(bytes).map_err(|_| "it is not UTF-8"))
}

/// Reads a policy file, and the keys that it names.
pub(super) fn read(path: &Path) -> Result<Read, Error> {
    let at = || Location::entry(&path.display().to_string());
    match small_file(path) {
        Ok(Ok(text)) => parse(&text, path),
        Ok(Err(what)) => Err(Error::policy(at(), what)),
        Err(error) => Err(Error::policy(at(), format!("it can't be read: {error}"))),
    }
}

/// Reads the text of a policy; `path` stands in errors, and paths of keys start at its folder.
pub(super) fn parse(text: &str, path: &Path) -> Result<Read, Error> {
    let file: Arc<Path> = path.into();
    let here = Text {
        file: Arc::clone(&file),
        text,
    };
    let document: Document = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        here.wrong(&span, error.message().replace('\n', " "))
    })?;
    let pickle = match &document.pickle {
        None => true,
        Some(rule) => match rule.get_ref() {
            PickleRule::Allow => true,
            PickleRule::Deny => false,
            PickleRule::Convert => {
                let what = "pickle = \"convert\" is not supported by this version; it can be allow or deny";
                return Err(here.wrong(&rule.span(), what));
            }
        },
    };
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for entry in document.types {
        let name = here.name(&entry.name, &mut seen)?;
        let role = match entry.role {
            Some(RoleWord::Value) => Role::Value,
            Some(RoleWord::Instance) => Role::Instance,
            None | Some(RoleWord::Call) => Role::Call,
        };
        let name = Name {
            name,
            role: Some(role),
        };
        names.push(here.entry(name, &entry.name.span(), entry.reason, entry.until)?);
    }
    seen.clear();
    for entry in document.functions {
        let name = here.name(&entry.name, &mut seen)?;
        let name = Name { name, role: None };
        names.push(here.entry(name, &entry.name.span(), entry.reason, entry.until)?);
    }
    let mut keys = Vec::new();
    for entry in document.keys {
        let span = entry.span();
        keys.push(key(&here, path, entry.into_inner(), span)?);
    }
    let mut digests = Vec::new();
    for entry in document.digests {
        let sha256 = entry.sha256.get_ref().to_ascii_lowercase();
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let what = "sha256 is not 64 hexadecimal digits";
            return Err(here.wrong(&entry.sha256.span(), what));
        }
        if let Some(path) = &entry.path
            && let Err(error) = relative(path.get_ref())
        {
            let what = match error {
                ModelError::Malformed { what, .. } => what,
                _ => "a path is not one of a model",
            };
            return Err(here.wrong(&path.span(), what));
        }
        let digest = Digest {
            sha256,
            path: entry.path.map(Spanned::into_inner),
        };
        digests.push(here.entry(digest, &entry.sha256.span(), entry.reason, entry.until)?);
    }
    Ok(Read {
        pickle,
        code: document.code.unwrap_or(Code::Allow),
        extend: document.extend,
        names,
        keys,
        digests,
        limits: document.limits,
    })
}

/// A public key: in the policy, or in a file that it names.
fn key(
    here: &Text<'_>,
    policy: &Path,
    entry: KeyEntry,
    span: Range<usize>,
) -> Result<Entry<String>, Error> {
    let (pem, span) = match (entry.path, entry.pem) {
        (Some(path), None) => {
            let file: PathBuf = policy
                .parent()
                .unwrap_or(Path::new(""))
                .join(path.get_ref());
            let text = match small_file(&file) {
                Ok(Ok(text)) => text,
                Ok(Err(what)) => {
                    return Err(here.wrong(&path.span(), format!("a key can't be read: {what}")));
                }
                Err(error) => {
                    return Err(here.wrong(&path.span(), format!("a key can't be read: {error}")));
                }
            };
            (text, path.span())
        }
        (None, Some(pem)) => {
            let span = pem.span();
            (pem.into_inner(), span)
        }
        _ => return Err(here.wrong(&span, "a key has one of path and pem")),
    };
    if pem.contains("PRIVATE KEY-----") {
        let what = "a key is a private one, which belongs to whoever signs: give its public half";
        return Err(here.wrong(&span, what));
    }
    if !pem.contains("-----BEGIN PUBLIC KEY-----") {
        return Err(here.wrong(&span, "a key is not a public key in PEM"));
    }
    here.entry(pem, &span, entry.reason, entry.until)
}
