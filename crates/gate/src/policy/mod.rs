//! Policy files: what whoever loads has decided, in TOML; and the switch.
//!
//! The rules are those of `docs/concepts/policy.md`.

mod date;
mod file;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use nopickle_formats::{Limits, Location, Policy as Names, Role};

pub use date::Date;
pub use file::{Code, Digest, Entry, Name};

use crate::error::Error;

/// The variable that says whether pickles are loaded: MLflow's.
pub const SWITCH: &str = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION";
/// The variable that names the policy file.
pub const POLICY: &str = "NOPICKLE_POLICY";
/// The variable with names that are trusted, between commas.
pub const TRUSTED: &str = "NOPICKLE_TRUSTED";

/// What a value of the switch says; unset is true.
///
/// # Errors
/// [`Error::Switch`] for what is neither true, 1, yes nor false, 0, no, in any case.
pub fn switch(value: Option<&str>) -> Result<bool, Error> {
    let Some(value) = value else {
        return Ok(true);
    };
    match value.trim().to_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(Error::Switch {
            value: value.to_owned(),
        }),
    }
}

/// What the switch says in this process.
///
/// # Errors
/// Those of [`switch`].
pub fn switch_of_environment() -> Result<bool, Error> {
    let value = std::env::var_os(SWITCH);
    switch(
        value
            .map(|value| value.to_string_lossy().into_owned())
            .as_deref(),
    )
}

/// By which rule a name is granted, or why it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The list that ships with nopickle.
    Default,
    /// An entry of a policy file: `FILE:LINE`.
    Entry(String),
    /// An argument of the call or of the command.
    Argument,
    /// The variable [`TRUSTED`].
    Environment,
    /// The model asks for it, and the switch is on.
    Request,
    /// The model asks for it, and a key of the policy has signed it: `FILE:LINE` of the key.
    Key(String),
    /// Not granted: the entry `FILE:LINE` held until that day.
    Expired(String, Date),
    /// Not granted: the entry `FILE:LINE` grants less than what is asked for.
    Less(String),
    /// Not granted: an argument or the environment names it, and the policy `FILE` does not say `extend = true`.
    NotExtended(String),
    /// Not granted: nothing names it.
    Nothing,
}

impl Rule {
    /// Whether the name is granted.
    pub fn grants(&self) -> bool {
        match self {
            Self::Default
            | Self::Entry(_)
            | Self::Argument
            | Self::Environment
            | Self::Request
            | Self::Key(_) => true,
            Self::Expired(..) | Self::Less(_) | Self::NotExtended(_) | Self::Nothing => false,
        }
    }

    /// One word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Entry(_) => "policy",
            Self::Argument => "argument",
            Self::Environment => "environment",
            Self::Request => "request",
            Self::Key(_) => "key",
            Self::Expired(..) => "expired",
            Self::Less(_) => "less",
            Self::NotExtended(_) => "not extended",
            Self::Nothing => "nothing",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("on the default list"),
            Self::Entry(place) => write!(f, "by {place}"),
            Self::Argument => f.write_str("by an argument"),
            Self::Environment => write!(f, "by {TRUSTED}"),
            Self::Request => f.write_str("the model asks for it, and the switch is on"),
            Self::Key(place) => {
                write!(f, "the model asks for it, and the key of {place} signed it")
            }
            Self::Expired(place, until) => write!(f, "the entry at {place} expired after {until}"),
            Self::Less(place) => write!(f, "the entry at {place} grants less than that"),
            Self::NotExtended(file) => {
                write!(f, "it was passed, and {file} does not say extend = true")
            }
            Self::Nothing => f.write_str("nothing grants it"),
        }
    }
}

/// What may be loaded: the defaults, a policy file, and what arguments and the environment add to them.
#[derive(Debug, Clone)]
pub struct Policy {
    files: Vec<PathBuf>,
    pickle: bool,
    switch: bool,
    code: Code,
    extend: bool,
    names: Vec<Entry<Name>>,
    keys: Vec<Entry<String>>,
    digests: Vec<Entry<Digest>>,
    limits: Limits,
    arguments: BTreeSet<String>,
    environment: BTreeSet<String>,
    requests: BTreeSet<String>,
    signed: Option<String>,
    today: Date,
}

impl Default for Policy {
    /// What holds without a file, an argument and a variable of the environment.
    fn default() -> Self {
        Self {
            files: Vec::new(),
            pickle: true,
            switch: true,
            code: Code::Allow,
            extend: true,
            names: Vec::new(),
            keys: Vec::new(),
            digests: Vec::new(),
            limits: Limits::default(),
            arguments: BTreeSet::new(),
            environment: BTreeSet::new(),
            requests: BTreeSet::new(),
            signed: None,
            today: Date::today(),
        }
    }
}

impl Policy {
    /// What this process has decided: the file that [`POLICY`] names, the switch, the names of [`TRUSTED`].
    ///
    /// # Errors
    /// [`Error::Policy`] where the file can't be used, [`Error::Switch`].
    pub fn from_environment() -> Result<Self, Error> {
        Self::of_process(None)
    }

    /// As [`Policy::from_environment`], with a file that the caller names. Where [`POLICY`] names another one,
    /// that one must say `extend = true`; then what both grant is granted, and the stricter `pickle` and `code`
    /// and the lower limits hold.
    ///
    /// # Errors
    /// Those of [`Policy::from_environment`]; [`Error::Policy`] where the file of [`POLICY`] is not to be extended.
    pub fn of_process(file: Option<&Path>) -> Result<Self, Error> {
        let own = std::env::var_os(POLICY).filter(|path| !path.is_empty());
        let own = own.map(PathBuf::from);
        let mut policy = match (own.as_deref(), file) {
            (None, None) => Self::default(),
            (Some(path), None) | (None, Some(path)) => Self::read(path)?,
            (Some(own), Some(file)) if same_file(own, file) => Self::read(own)?,
            (Some(own), Some(file)) => Self::read(own)?.joined(Self::read(file)?)?,
        };
        policy.switch = switch_of_environment()?;
        if let Some(names) = std::env::var_os(TRUSTED) {
            let names = names.to_string_lossy().into_owned();
            let names = names
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty());
            policy.environment.extend(names.map(str::to_owned));
        }
        Ok(policy)
    }

    /// What a policy file says, with the switch on and nothing else.
    ///
    /// # Errors
    /// [`Error::Policy`] where the file can't be read or breaks a rule.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Self::of_file(file::read(path)?, path))
    }

    /// What the text of a policy says; `path` stands in errors.
    ///
    /// # Errors
    /// [`Error::Policy`] where it breaks a rule.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        Ok(Self::of_file(file::parse(text, path)?, path))
    }

    fn of_file(read: file::Read, path: &Path) -> Self {
        let mut policy = Self {
            files: vec![path.to_owned()],
            pickle: read.pickle,
            code: read.code,
            extend: read.extend,
            names: read.names,
            keys: read.keys,
            digests: read.digests,
            ..Self::default()
        };
        read.limits.apply(&mut policy.limits);
        policy
    }

    /// This policy of the process and another file together.
    fn joined(mut self, other: Self) -> Result<Self, Error> {
        if !self.extend {
            let at = |path: Option<&PathBuf>| path.map(|path| path.display().to_string());
            let what = format!(
                "{POLICY} names it and it does not say extend = true, so {} can't be used beside it",
                at(other.files.first()).unwrap_or_default()
            );
            return Err(Error::policy(
                Location::entry(&at(self.files.first()).unwrap_or_default()),
                what,
            ));
        }
        self.files.extend(other.files);
        self.pickle &= other.pickle;
        self.code = self.code.max(other.code);
        self.extend &= other.extend;
        self.names.extend(other.names);
        self.keys.extend(other.keys);
        self.digests.extend(other.digests);
        let (own, other) = (&mut self.limits, other.limits);
        for (own, other) in [
            (&mut own.array_bytes, other.array_bytes),
            (&mut own.booster_bytes, other.booster_bytes),
            (&mut own.depth, other.depth),
            (&mut own.entries, other.entries),
            (&mut own.inflated_bytes, other.inflated_bytes),
            (&mut own.nodes, other.nodes),
            (&mut own.reread_bytes, other.reread_bytes),
            (&mut own.schema_bytes, other.schema_bytes),
            (&mut own.text_bytes, other.text_bytes),
        ] {
            *own = (*own).min(other);
        }
        Ok(self)
    }

    /// The policy files, that of [`POLICY`] first.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether pickles are loaded: the switch is on and no policy says `pickle = "deny"`.
    pub fn pickle(&self) -> bool {
        self.pickle && self.switch
    }

    /// Why pickles are refused, where they are: the switch, or the file.
    pub fn pickle_refused_by(&self) -> Option<String> {
        if !self.switch {
            return Some(format!("{SWITCH} is false"));
        }
        let files: Vec<String> = self
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        (!self.pickle).then(|| format!("{} says pickle = \"deny\"", files.join(" or ")))
    }

    /// Turns the switch.
    #[must_use]
    pub fn with_switch(mut self, on: bool) -> Self {
        self.switch = on;
        self
    }

    /// What happens to code that a model brings.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether arguments and the environment add to it.
    pub fn extends(&self) -> bool {
        self.extend
    }

    /// What one load may cost.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What one load may cost, to be changed.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// The names of the policy files, expired ones too.
    pub fn names(&self) -> &[Entry<Name>] {
        &self.names
    }

    /// The public keys that hold today, as PEM.
    pub fn keys(&self) -> impl Iterator<Item = &Entry<String>> {
        self.keys.iter().filter(|key| !key.expired(self.today))
    }

    /// The keys of the policy files, expired ones too.
    pub fn all_keys(&self) -> &[Entry<String>] {
        &self.keys
    }

    /// The digests that hold today.
    pub fn digests(&self) -> impl Iterator<Item = &Entry<Digest>> {
        self.digests
            .iter()
            .filter(|digest| !digest.expired(self.today))
    }

    /// The digests of the policy files, expired ones too.
    pub fn all_digests(&self) -> &[Entry<Digest>] {
        &self.digests
    }

    /// The day for which `until` is asked.
    pub fn today(&self) -> Date {
        self.today
    }

    /// What stands in the files and may not be meant: the place, and what.
    pub fn doubts(&self) -> Vec<(String, String)> {
        fn of<T>(entry: &Entry<T>, today: Date, found: &mut Vec<(String, String)>) {
            if entry
                .reason
                .as_ref()
                .is_none_or(|reason| reason.trim().is_empty())
            {
                found.push((entry.place(), "there is no reason".to_owned()));
            }
            if let Some(until) = entry.until.filter(|_| entry.expired(today)) {
                found.push((
                    entry.place(),
                    format!("it expired after {until} and grants nothing"),
                ));
            }
        }
        let mut found = Vec::new();
        for entry in &self.names {
            of(entry, self.today, &mut found);
            let name = &entry.what.name;
            let role = entry.what.role.unwrap_or(Role::Value);
            if Names::default().grants(name, role) {
                found.push((entry.place(), format!("{name} is on the default list")));
            } else if !Names::default().request(name) {
                let what = format!(
                    "{name} is of a package of which the default list is all that is harmless: a file may do with it \
                     whatever it can do"
                );
                found.push((entry.place(), what));
            }
        }
        for entry in &self.keys {
            of(entry, self.today, &mut found);
        }
        for entry in &self.digests {
            of(entry, self.today, &mut found);
        }
        found
    }

    /// Adds names that the caller trusts. They count where the policy is to be extended; [`Policy::rule`] says so
    /// where not.
    pub fn add(&mut self, names: impl IntoIterator<Item = String>) {
        self.arguments.extend(names);
    }

    /// Takes the names that the model asks for. They are granted to classes while the switch is on and the policy is
    /// to be extended, or where `key`, the place of a policy's key, has signed the model.
    ///
    /// Returns those that are granted.
    pub fn request(&mut self, names: &[String], key: Option<String>) -> Vec<String> {
        if key.is_none() && !(self.pickle() && self.extend) {
            return Vec::new();
        }
        self.signed = key;
        let mut known = Names::default();
        let taken = names.iter().filter(|name| known.request(name)).cloned();
        let taken: BTreeSet<String> = taken.collect();
        self.requests.extend(taken.iter().cloned());
        taken.into_iter().collect()
    }

    /// What `nopickle-formats` decides with.
    pub fn to_names(&self) -> Names {
        let mut names = Names::default();
        for entry in self.names.iter().filter(|entry| !entry.expired(self.today)) {
            match entry.what.role {
                Some(role) => names.trust_type(&entry.what.name, role),
                None => names.trust_function(&entry.what.name),
            }
        }
        if self.extend {
            for name in self.arguments.iter().chain(&self.environment) {
                names.trust(name);
            }
        }
        for name in &self.requests {
            names.request(name);
        }
        names
    }

    /// Whether a name is granted for a role.
    pub fn grants(&self, name: &str, role: Role) -> bool {
        self.rule(name, role).grants()
    }

    /// By which rule a name is granted for a role, or why it is not. A request counts for the roles `value` and
    /// `instance`, and only for classes, which the graph knows.
    pub fn rule(&self, name: &str, role: Role) -> Rule {
        if Names::default().grants(name, role) {
            return Rule::Default;
        }
        let mut refused = Rule::Nothing;
        for entry in self.names.iter().filter(|entry| entry.what.name == name) {
            let enough = match entry.what.role {
                Some(granted) => granted >= role,
                None => role != Role::Instance,
            };
            match (entry.until, enough) {
                (Some(until), _) if entry.expired(self.today) => {
                    refused = Rule::Expired(entry.place(), until);
                }
                (_, false) => refused = Rule::Less(entry.place()),
                (_, true) => return Rule::Entry(entry.place()),
            }
        }
        for (names, rule) in [
            (&self.arguments, Rule::Argument),
            (&self.environment, Rule::Environment),
        ] {
            if names.contains(name) {
                if self.extend {
                    return rule;
                }
                if refused == Rule::Nothing {
                    let file = self.files.first().map(|path| path.display().to_string());
                    refused = Rule::NotExtended(file.unwrap_or_default());
                }
            }
        }
        if role != Role::Call && self.requests.contains(name) {
            return match &self.signed {
                Some(place) => Rule::Key(place.clone()),
                None => Rule::Request,
            };
        }
        refused
    }
}

/// Whether two paths are of one file.
fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The lines of a policy that grant a name: a class for a role, or a function where `None`.
pub fn entry_lines(name: &str, role: Option<Role>) -> String {
    let name = toml_text(name);
    match role {
        None => format!("[[functions]]\nname = {name}\n"),
        Some(role) => format!("[[types]]\nname = {name}\nrole = \"{}\"\n", role.word()),
    }
}

/// The lines of a policy that pin a file of a model.
pub fn digest_lines(path: &str, sha256: &str) -> String {
    format!(
        "\n[[digests]]\nsha256 = \"{sha256}\"\npath = {}\n",
        toml_text(path)
    )
}

/// A text of TOML.
fn toml_text(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter.is_ascii() && !letter.is_ascii_control() => out.push(letter),
            letter => {
                let _ = write!(out, "\\U{:08X}", u32::from(letter));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        let mut policy = Policy::parse(text, Path::new("policy.toml")).unwrap();
        policy.today = Date {
            year: 2027,
            month: 1,
            day: 31,
        };
        policy
    }

    fn refusal(text: &str) -> String {
        Policy::parse(text, Path::new("policy.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_switch_has_six_words_in_any_case() {
        for word in ["true", "TRUE", "1", "yes", "Yes", " true "] {
            assert!(switch(Some(word)).unwrap(), "{word}");
        }
        for word in ["false", "False", "0", "no", "NO"] {
            assert!(!switch(Some(word)).unwrap(), "{word}");
        }
        assert!(switch(None).unwrap());
        for word in ["", "on", "off", "2", "t", "y", "falsee"] {
            let error = switch(Some(word)).unwrap_err().to_string();
            assert!(
                error.contains("it can be true, 1, yes, false, 0 or no"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_stricter_of_the_switch_and_the_policy_wins() {
        for (text, switch, allowed) in [
            ("", true, true),
            ("", false, false),
            ("pickle = \"allow\"", true, true),
            ("pickle = \"allow\"", false, false),
            ("pickle = \"deny\"", true, false),
            ("pickle = \"deny\"", false, false),
        ] {
            assert_eq!(
                policy(text).with_switch(switch).pickle(),
                allowed,
                "{text} {switch}"
            );
        }
    }

    #[test]
    fn an_entry_grants_its_role_until_its_last_day() {
        let policy = policy(
            "[[types]]\nname = \"a.All\"\n\
             [[types]]\nname = \"a.Made\"\nrole = \"instance\"\nuntil = 2027-01-31\n\
             [[types]]\nname = \"a.Old\"\nuntil = 2027-01-30\n\
             [[functions]]\nname = \"a.function\"\n",
        );
        let rule = |name, role| policy.rule(name, role);
        assert_eq!(
            rule("a.All", Role::Call),
            Rule::Entry("policy.toml:2".into())
        );
        assert_eq!(
            rule("a.Made", Role::Instance),
            Rule::Entry("policy.toml:4".into())
        );
        assert_eq!(
            rule("a.Made", Role::Call),
            Rule::Less("policy.toml:4".into())
        );
        assert_eq!(
            rule("a.function", Role::Call),
            Rule::Entry("policy.toml:11".into())
        );
        assert_eq!(
            rule("a.function", Role::Instance),
            Rule::Less("policy.toml:11".into())
        );
        assert_eq!(rule("a.Other", Role::Value), Rule::Nothing);
        assert_eq!(rule("numpy.ndarray", Role::Value), Rule::Default);
        let Rule::Expired(place, until) = rule("a.Old", Role::Value) else {
            panic!("{:?}", rule("a.Old", Role::Value));
        };
        assert_eq!(
            (place.as_str(), until.to_string().as_str()),
            ("policy.toml:8", "2027-01-30")
        );
        let names = policy.to_names();
        for (name, role, granted) in [
            ("a.All", Role::Call, true),
            ("a.Made", Role::Instance, true),
            ("a.Made", Role::Call, false),
            ("a.Old", Role::Value, false),
            ("a.function", Role::Call, true),
            ("a.function", Role::Instance, false),
        ] {
            assert_eq!(names.grants(name, role), granted, "{name} {role:?}");
            assert_eq!(policy.grants(name, role), granted, "{name} {role:?}");
        }
    }

    #[test]
    fn arguments_add_to_a_file_only_where_it_says_so() {
        let name = || ["mine.Scaler".to_owned()];
        for (text, granted) in [
            ("", false),
            ("extend = false", false),
            ("extend = true", true),
        ] {
            let mut policy = policy(text);
            policy.add(name());
            assert_eq!(policy.grants("mine.Scaler", Role::Call), granted, "{text}");
            assert_eq!(
                policy.to_names().grants("mine.Scaler", Role::Call),
                granted,
                "{text}"
            );
        }
        let mut policy = Policy::default();
        policy.add(name());
        assert_eq!(
            policy.rule("mine.Scaler", Role::Call),
            Rule::Argument,
            "no file: the defaults"
        );
    }

    #[test]
    fn a_request_is_granted_by_the_switch_or_by_a_key() {
        let asked = ["mine.Scaler".to_owned(), "subprocess.Popen".to_owned()];
        let request = |policy: Policy, key: Option<&str>| {
            let mut policy = policy;
            let taken = policy.request(&asked, key.map(str::to_owned));
            assert_eq!(
                taken.iter().any(|name| name == "mine.Scaler"),
                policy.grants("mine.Scaler", Role::Instance)
            );
            assert!(!policy.grants("subprocess.Popen", Role::Value));
            assert!(!policy.grants("mine.Scaler", Role::Call));
            policy.rule("mine.Scaler", Role::Instance)
        };
        let off = || Policy::default().with_switch(false);
        assert_eq!(request(Policy::default(), None), Rule::Request);
        assert_eq!(request(off(), None), Rule::Nothing);
        assert_eq!(
            request(policy("pickle = \"deny\"\nextend = true"), None),
            Rule::Nothing
        );
        assert_eq!(
            request(policy(""), None),
            Rule::Nothing,
            "a file is not extended by a model"
        );
        assert_eq!(request(policy("extend = true"), None), Rule::Request);
        assert_eq!(
            request(off(), Some("policy.toml:3")),
            Rule::Key("policy.toml:3".into())
        );
    }

    #[test]
    fn two_files_join_only_where_that_of_the_process_says_so() {
        let other = || {
            policy(
                "pickle = \"deny\"\ncode = \"pinned\"\n[limits]\nnodes = 5\n[[types]]\nname = \"b.B\"\n",
            )
        };
        assert!(policy("").joined(other()).is_err());
        let joined = policy("extend = true\n[[types]]\nname = \"a.A\"\n")
            .joined(other())
            .unwrap();
        assert!(joined.grants("a.A", Role::Call) && joined.grants("b.B", Role::Call));
        assert!(!joined.pickle() && joined.code() == Code::Pinned && !joined.extends());
        assert_eq!(joined.limits().nodes, 5);
        assert_eq!(joined.limits().entries, Limits::default().entries);
    }

    #[test]
    fn the_lines_of_a_refusal_grant_the_name() {
        for name in ["mine.Scaler", "mine.Caf\u{e9}\"\\x", "mine.\u{1}b"] {
            let text = entry_lines(name, Some(Role::Instance)) + &entry_lines("mine.f", None);
            if name.contains('\u{1}') {
                assert!(refusal(&text).contains("a name is a module"));
                continue;
            }
            assert!(policy(&text).grants(name, Role::Instance), "{text}");
            assert!(policy(&text).grants("mine.f", Role::Call), "{text}");
        }
    }

    #[test]
    fn an_error_says_where_it_stands() {
        assert!(refusal("\n\n  colour = 1").starts_with("policy.toml:3:3: malformed policy: "));
        assert!(
            refusal("pickle = \"convert\"")
                .starts_with("policy.toml:1:10: malformed policy: pickle")
        );
    }
}
