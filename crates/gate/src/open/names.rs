//! The names of code that a model asks for: the decision on each, and what would grant those that are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use nopickle_formats::{Graph, Node, Role, Untrusted};

use crate::policy::{Policy, Rule, entry_lines};

/// A name of code that a model asks for, and the decision on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `module.qualname`.
    pub name: String,
    /// The most that it is used for.
    pub role: Role,
    /// Whether it stands as a function.
    pub function: bool,
    /// How often it is used.
    pub uses: usize,
    /// The byte of the first use in the entry that holds the graph.
    pub offset: u64,
    /// By which rule it is granted, or why it is not.
    pub rule: Rule,
}

impl Asked {
    /// The lines of a policy that grant it.
    pub fn entry_lines(&self) -> String {
        entry_lines(&self.name, (!self.function).then_some(self.role))
    }
}

/// Every name of code in a graph, sorted, each with the decision of a policy.
pub fn asked(graph: &Graph, policy: &Policy) -> Vec<Asked> {
    let mut found = BTreeMap::<&str, Asked>::new();
    for reference in graph.references() {
        let (name, offset) = (graph.name(reference.global), graph.place(reference.node));
        let one = found.entry(name).or_insert_with(|| Asked {
            name: name.to_owned(),
            role: reference.role,
            function: false,
            uses: 0,
            offset,
            rule: Rule::Nothing,
        });
        one.uses = one.uses.saturating_add(1);
        one.role = one.role.max(reference.role);
        one.function |= matches!(
            graph.node(reference.node),
            Node::Function(_) | Node::Partial(..)
        );
        one.offset = one.offset.min(offset);
    }
    // What the graph refuses is refused, whatever a rule says that knows the name alone.
    let refused = graph.untrusted(&policy.to_names());
    let mut found: Vec<Asked> = found.into_values().collect();
    for one in &mut found {
        let rule = policy.rule(&one.name, one.role);
        let is_refused = refused
            .binary_search_by(|known| known.name.cmp(&one.name))
            .is_ok();
        one.rule = match (is_refused, rule.grants()) {
            (true, true) => match rule {
                Rule::Entry(place) => Rule::Less(place),
                _ => Rule::Nothing,
            },
            _ => rule,
        };
    }
    found
}

/// Names that a policy refuses: why, and what would grant them.
#[derive(Debug)]
pub struct Refusal {
    /// The names and their places.
    pub untrusted: Untrusted,
    /// The same names, with what they are used for.
    pub asked: Vec<Asked>,
    /// The policy file, where there is one that arguments do not add to.
    pub closed: Option<PathBuf>,
}

impl Refusal {
    pub(super) fn new(graph: &Graph, untrusted: Untrusted, policy: &Policy) -> Self {
        let names: BTreeSet<&str> = untrusted
            .names
            .iter()
            .map(|refused| refused.name.as_str())
            .collect();
        let mut asked = asked(graph, policy);
        asked.retain(|one| names.contains(one.name.as_str()));
        let closed = (!policy.extends()).then(|| policy.files().first().cloned());
        Self {
            asked,
            closed: closed.flatten(),
            untrusted,
        }
    }

    /// The lines of a policy that grant all of them.
    pub fn entry_lines(&self) -> String {
        let lines: Vec<String> = self.asked.iter().map(Asked::entry_lines).collect();
        lines.join("\n")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.untrusted)?;
        for one in self.asked.iter().filter(|one| one.rule != Rule::Nothing) {
            write!(f, "; {}: {}", one.name.escape_debug(), one.rule)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::open::CodeRule;
    use crate::open::fixture::{GRANT, Model, policy, said, skops_file};
    use crate::policy::{Policy, Rule};

    #[test]
    fn a_request_is_granted_by_the_defaults_and_by_nothing_else() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let opened = model.open(Policy::default()).unwrap();
        assert_eq!(opened.granted, ["mine.Thing"]);
        assert_eq!(opened.asked().first().unwrap().rule, Rule::Request);
        assert!(matches!(
            opened.code,
            CodeRule::Used(code) if code.folder == model.0.path().join("code")
        ));
        for policy in [
            Policy::default().with_switch(false),
            policy(""),
            policy("pickle = \"deny\""),
        ] {
            let error = model.open(policy).map(|_| ()).unwrap_err();
            let Error::Untrusted(refusal) = error else {
                panic!("{error}");
            };
            assert_eq!(refusal.entry_lines(), GRANT);
        }
        assert!(model.open(policy(GRANT)).is_ok());
        let call = GRANT.replace("instance", "value");
        assert!(said(model.open(policy(&call))).contains("grants less than that"));
    }
}
