//! What is trusted, and the type that proves that it was asked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use crate::error::{Refused, Untrusted};
use crate::graph::{Graph, Node, Reference, Role};

/// The default list: one name and its role per line, sorted by name.
const DEFAULT: &str = include_str!("default.txt");

/// Packages whose names a model cannot ask for, one per line, sorted.
const REFUSED: &str = include_str!("refused.txt");

/// The default list as rows, sorted by name: name and role.
///
/// Rows come from `trust/default.txt`; `docs/concepts/trust.md` gives the reasons.
pub fn default_names() -> &'static [(&'static str, Role)] {
    static ROWS: OnceLock<Vec<(&'static str, Role)>> = OnceLock::new();
    ROWS.get_or_init(|| {
        DEFAULT
            .lines()
            .filter_map(|line| {
                let (name, role) = line.split_once(' ')?;
                let role = match role {
                    "call" => Role::Call,
                    "instance" => Role::Instance,
                    _ => Role::Value,
                };
                Some((name, role))
            })
            .collect()
    })
}

/// Which names may be used: the default list, and what whoever loads adds to it.
///
/// ```
/// use nopickle_formats::{Policy, Role};
/// let mut policy = Policy::default();
/// assert!(!policy.grants("my_package.Scaler", Role::Instance));
/// policy.trust("my_package.Scaler");
/// assert!(policy.grants("my_package.Scaler", Role::Instance));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Policy {
    types: HashMap<String, Role>,
    functions: HashSet<String>,
    requested: HashSet<String>,
}

impl Policy {
    /// Trusts a name for every role, as a class and as a function.
    pub fn trust(&mut self, name: &str) {
        self.trust_type(name, Role::Call);
        self.trust_function(name);
    }

    /// Trusts a class for a role, and the ones before it.
    pub fn trust_type(&mut self, name: &str, role: Role) {
        let granted = self.types.entry(name.to_owned()).or_insert(role);
        *granted = (*granted).max(role);
    }

    /// Trusts a function: as a value, and to be called. No object is made of it without a call.
    pub fn trust_function(&mut self, name: &str) {
        self.functions.insert(name.to_owned());
    }

    /// Grants a class that the model itself asks for, unless it is of a package that the default list
    /// covers: of Python's own library and of scikit-learn, numpy and the like, the list is all that is
    /// granted. Neither a function nor a call of the class with what stands in the file is granted so.
    ///
    /// Returns whether the request was taken; a refused one changes nothing.
    ///
    /// ```
    /// use nopickle_formats::Policy;
    /// let mut policy = Policy::default();
    /// assert!(policy.request("my_package.Scaler"));
    /// assert!(!policy.request("subprocess.Popen"));
    /// ```
    pub fn request(&mut self, name: &str) -> bool {
        let package = name.split('.').next().unwrap_or(name);
        let refused = refused_packages().binary_search(&package).is_ok();
        if !refused {
            self.requested.insert(name.to_owned());
        }
        !refused
    }

    /// Whether a class is granted because the model asked for it.
    pub fn grants_request(&self, name: &str) -> bool {
        self.requested.contains(name)
    }

    /// Whether a name may be used in a role. Each role includes the ones before it.
    pub fn grants(&self, name: &str, role: Role) -> bool {
        self.grants_as(name, role, None)
    }

    /// Whether a name may be used in a role: as a function, as a class, or as either where `None`.
    fn grants_as(&self, name: &str, role: Role, function: Option<bool>) -> bool {
        let class = || self.types.get(name).is_some_and(|&granted| granted >= role);
        let called = || role != Role::Instance && self.functions.contains(name);
        default_role(name).is_some_and(|granted| granted >= role)
            || match function {
                Some(true) => called(),
                Some(false) => class(),
                None => class() || called(),
            }
    }

    /// Why a name is granted: `default`, `added`, `requested` (for a class), or `None` where it is not.
    pub fn reason(&self, name: &str, role: Role) -> Option<&'static str> {
        if default_role(name).is_some_and(|granted| granted >= role) {
            return Some("default");
        }
        if self.grants(name, role) {
            return Some("added");
        }
        self.requested.contains(name).then_some("requested")
    }
}

/// Packages whose names a model cannot ask for: Python's own library, and the libraries of the default list.
pub fn refused_packages() -> &'static [&'static str] {
    static ROWS: OnceLock<Vec<&'static str>> = OnceLock::new();
    ROWS.get_or_init(|| REFUSED.lines().collect())
}

/// The role that the default list grants a name.
fn default_role(name: &str) -> Option<Role> {
    let rows = default_names();
    let row = rows.binary_search_by(|row| row.0.cmp(name)).ok()?;
    rows.get(row).map(|row| row.1)
}

/// A graph whose every name was decided.
#[derive(Debug)]
pub struct TrustedGraph(Graph);

impl TrustedGraph {
    /// The graph; its arrays are not read yet.
    pub fn graph(&self) -> &Graph {
        &self.0
    }

    pub(crate) fn into_graph(self) -> Graph {
        self.0
    }
}

impl Graph {
    /// Every name that the policy refuses, sorted, each with the first place that asks for it.
    pub fn untrusted(&self, policy: &Policy) -> Vec<Refused> {
        // Few names stand behind many references: decide each name once per role.
        let mut decided: Vec<[Option<bool>; 4]> = vec![[None; 4]; self.global_count()];
        let mut refused = BTreeMap::<&str, u64>::new();
        for reference in self.references() {
            let (slot, function) = match (reference.role, self.node(reference.node)) {
                (Role::Value, Node::Function(_)) => (0, Some(true)),
                // A node for classes may hold a function that is built in, and both can be called.
                (Role::Value, _) => (1, None),
                (Role::Instance, _) => (2, Some(false)),
                (Role::Call, _) => (3, None),
            };
            let name = self.name(reference.global);
            let Some(known) = decided
                .get_mut(reference.global.index())
                .and_then(|roles| roles.get_mut(slot))
            else {
                continue;
            };
            let granted =
                *known.get_or_insert_with(|| policy.grants_as(name, reference.role, function));
            let asked = || policy.grants_request(name) && self.is_class_reference(reference);
            if !granted && !asked() {
                let place = self.place(reference.node);
                let first = refused.entry(name).or_insert(place);
                *first = (*first).min(place);
            }
        }
        refused
            .into_iter()
            .map(|(name, offset)| Refused {
                name: name.to_owned(),
                offset,
            })
            .collect()
    }

    /// Whether a name is used as a class that loading does not call: one of which an instance is made
    /// without its constructor, or a type that stands as a value. A function, a method, what
    /// `functools.partial` calls and a constructor that gets arguments of the file are not.
    fn is_class_reference(&self, reference: &Reference) -> bool {
        match reference.role {
            Role::Instance => true,
            Role::Value => matches!(self.node(reference.node), Node::Global(_)),
            Role::Call => false,
        }
    }

    /// Decides on every name in the graph.
    ///
    /// # Errors
    /// [`Untrusted`] with all names that the policy refuses.
    pub fn trust(self, policy: &Policy) -> Result<TrustedGraph, Untrusted> {
        let names = self.untrusted(policy);
        if names.is_empty() {
            return Ok(TrustedGraph(self));
        }
        Err(Untrusted {
            entry: self.entry().to_owned(),
            names,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_list_is_sorted_and_every_line_has_a_role() {
        assert_eq!(default_names().len(), DEFAULT.lines().count());
        assert!(default_names().windows(2).all(|pair| pair[0].0 < pair[1].0));
        for line in DEFAULT.lines() {
            let (_, role) = line.split_once(' ').unwrap();
            assert!(matches!(role, "call" | "instance" | "value"), "{line}");
        }
    }

    #[test]
    fn the_refused_packages_are_sorted_and_cover_the_default_list() {
        let packages = refused_packages();
        assert!(packages.windows(2).all(|pair| pair[0] < pair[1]));
        for (name, _) in default_names() {
            let package = name.split('.').next().unwrap();
            assert!(packages.contains(&package), "{package}");
        }
    }

    #[test]
    fn a_request_grants_a_class_and_no_function_and_nothing_of_a_covered_package() {
        let mut policy = Policy::default();
        assert!(policy.request("mine.Scaler"));
        for name in [
            "os.system",
            "builtins.eval",
            "sklearn.tree._splitter.BestSplitter",
            "nt.system",
        ] {
            assert!(!policy.request(name), "{name}");
        }
        let graph = |node: fn(crate::graph::GlobalId) -> Node, role| {
            let mut graph = Graph::new("schema.json");
            let class = graph.global("mine", "Scaler").unwrap();
            let node = graph.push(node(class), 0).unwrap();
            graph.refer(class, role, node);
            graph
        };
        assert!(
            graph(Node::Global, Role::Value)
                .untrusted(&policy)
                .is_empty()
        );
        assert!(
            !graph(Node::Function, Role::Value)
                .untrusted(&policy)
                .is_empty()
        );
        assert!(
            !graph(Node::Global, Role::Call)
                .untrusted(&policy)
                .is_empty()
        );
        assert!(
            !policy.grants("mine.Scaler", Role::Instance),
            "only where the node is looked at"
        );
    }

    #[test]
    fn a_class_grants_no_function_and_a_function_no_object() {
        type Make = fn(crate::graph::GlobalId) -> Node;
        let graph = |node: fn(crate::graph::GlobalId) -> Node, role| {
            let mut graph = Graph::new("schema.json");
            let class = graph.global("mine", "Name").unwrap();
            let node = graph.push(node(class), 0).unwrap();
            graph.refer(class, role, node);
            graph
        };
        let (mut class, mut function) = (Policy::default(), Policy::default());
        class.trust_type("mine.Name", Role::Instance);
        function.trust_function("mine.Name");
        let rows: [(Make, Role, bool, bool); 4] = [
            (Node::Function, Role::Value, false, true),
            (Node::Global, Role::Value, true, true),
            (Node::Global, Role::Instance, true, false),
            (Node::Global, Role::Call, false, true),
        ];
        for (node, role, by_class, by_function) in rows {
            let granted = |policy| graph(node, role).untrusted(policy).is_empty();
            assert_eq!(granted(&class), by_class, "{role:?}");
            assert_eq!(granted(&function), by_function, "{role:?}");
        }
        class.trust_type("mine.Name", Role::Value);
        assert!(
            class.grants("mine.Name", Role::Instance),
            "the larger role stays"
        );
    }

    #[test]
    fn a_role_includes_the_smaller_ones_only() {
        let policy = Policy::default();
        assert!(policy.grants("builtins.list", Role::Value));
        assert!(policy.grants("numpy.add", Role::Value));
        assert!(!policy.grants("numpy.add", Role::Call));
        assert!(!policy.grants("builtins.eval", Role::Value));
    }

    #[test]
    fn every_refused_name_is_reported_once_with_its_first_place() {
        let mut graph = Graph::new("schema.json");
        let class = graph.global("evil", "Name").unwrap();
        for place in [30, 10, 20] {
            let node = graph
                .push(crate::graph::Node::Global(class), place)
                .unwrap();
            graph.refer(class, Role::Value, node);
        }
        let untrusted = graph.trust(&Policy::default()).unwrap_err();
        assert_eq!(
            untrusted.to_string(),
            "untrusted names: evil.Name (schema.json@10)"
        );
    }
}
