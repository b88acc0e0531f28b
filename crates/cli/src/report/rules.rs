//! The rules that findings are filed under, with numbers that stay: `docs/guides/ci.md` lists them.

use nopickle_formats::Error;

use crate::exit;

/// A group of rules of `docs/formats`.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Never given to another rule.
    pub(crate) id: &'static str,
    /// One word for machines.
    pub(crate) name: &'static str,
    /// The kind of error, as [`exit::tell`] names it.
    kind: &'static str,
    /// The formats of malformed files, or how the classes of unverified ones start; empty for all others.
    of: &'static [&'static str],
    /// In one sentence.
    pub(crate) says: &'static str,
    /// Where the rules stand.
    pub(crate) page: &'static str,
}

impl Rule {
    /// Whether the message of a finding holds no place, and more than what the finding is about.
    pub(crate) fn is_told_whole(&self) -> bool {
        matches!(self.kind, "limit" | "untrusted" | "io")
    }
}

/// Sorted by number; of a kind, the one for all others is the last.
#[rustfmt::skip]
pub(crate) const RULES: &[Rule] = &[
    Rule { id: "NP1001", name: "MalformedZip", kind: "malformed", of: &["zip"], says: "The archive is damaged, or two readers could see two different archives in it", page: "docs/formats/zip.md" },
    Rule { id: "NP1002", name: "MalformedNpy", kind: "malformed", of: &["npy"], says: "An array's header is damaged, or does not fit its bytes", page: "docs/formats/npy.md" },
    Rule { id: "NP1003", name: "MalformedSkops", kind: "malformed", of: &["skops"], says: "The objects are not written as skops writes them", page: "docs/formats/skops.md" },
    Rule { id: "NP1004", name: "MalformedMLmodel", kind: "malformed", of: &["mlmodel"], says: "The MLmodel file breaks a rule", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP1005", name: "MalformedRequirements", kind: "malformed", of: &["requirements"], says: "A requirements or environment file holds more than names and versions", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP1006", name: "MalformedFolder", kind: "malformed", of: &["folder"], says: "A path of a model folder leaves it, or is a link", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP1007", name: "MalformedLightGBM", kind: "malformed", of: &["lightgbm"], says: "A booster's text is damaged", page: "docs/formats/lightgbm.md" },
    Rule { id: "NP1009", name: "MalformedXGBoost", kind: "malformed", of: &["xgboost"], says: "A model of XGBoost is damaged", page: "docs/formats/xgboost.md" },
    Rule { id: "NP1999", name: "Malformed", kind: "malformed", of: &[], says: "The bytes break the rules of their format", page: "docs/concepts/security.md" },
    Rule { id: "NP2001", name: "Unsupported", kind: "unsupported", of: &[], says: "The file holds something that nopickle does not read", page: "docs/guides/cli.md" },
    Rule { id: "NP3001", name: "OverLimit", kind: "limit", of: &[], says: "The file is larger or more deeply nested than a load may be", page: "docs/guides/cli.md" },
    Rule { id: "NP4001", name: "UntrustedName", kind: "untrusted", of: &[], says: "The file asks for a class or function that nobody has trusted", page: "docs/concepts/trust.md" },
    Rule { id: "NP5001", name: "UnverifiedTree", kind: "unverified", of: &["sklearn.tree.", "sklearn.ensemble.", "quantile_forest."], says: "The nodes of a tree would lead compiled code outside its memory, or around in circles", page: "docs/formats/verified_trees.md" },
    Rule { id: "NP5002", name: "UnverifiedNeighbors", kind: "unverified", of: &["sklearn.neighbors.", "sklearn.metrics.", "sklearn.svm."], says: "The values of neighbours or support vectors do not fit each other", page: "docs/formats/verified_neighbors_svm.md" },
    Rule { id: "NP5003", name: "UnverifiedBooster", kind: "unverified", of: &["lightgbm."], says: "The trees of a booster would lead compiled code outside its memory, or around in circles", page: "docs/formats/lightgbm.md" },
    Rule { id: "NP5004", name: "UnverifiedSparse", kind: "unverified", of: &["scipy."], says: "The indices of a sparse matrix or a spline point outside it", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5006", name: "UnverifiedXGBoost", kind: "unverified", of: &["xgboost."], says: "The trees or categories of a model of XGBoost would lead compiled code outside its memory, or around in circles", page: "docs/formats/xgboost.md" },
    Rule { id: "NP5999", name: "Unverified", kind: "unverified", of: &[], says: "A trusted class holds values that its compiled code must not see", page: "docs/formats/verified_values.md" },
    Rule { id: "NP6001", name: "NotReadable", kind: "io", of: &[], says: "The file cannot be read", page: "docs/guides/cli.md" },
    Rule { id: "NP7001", name: "NotVerified", kind: "not verified", of: &[], says: "The values were left out, as the caller asked", page: "docs/guides/cli.md" },
];

/// The rule that an error is filed under.
pub(crate) fn of(error: &Error) -> &'static Rule {
    let kind = exit::tell(error).kind;
    let about = match error {
        Error::Malformed { format, .. } => format,
        Error::Unverified { class, .. } => class.as_str(),
        _ => "",
    };
    let exact = matches!(error, Error::Malformed { .. });
    rule(kind, |start| {
        if exact {
            about == start
        } else {
            about.starts_with(start)
        }
    })
}

/// The rule for values that were left out.
pub(crate) fn left_unverified() -> &'static Rule {
    rule("not verified", |_| false)
}

fn rule(kind: &str, fits: impl Fn(&str) -> bool) -> &'static Rule {
    let mut rules = RULES.iter().filter(|rule| rule.kind == kind);
    let found = rules.find(|rule| rule.of.is_empty() || rule.of.iter().any(|start| fits(start)));
    // Each kind has a last rule without conditions; a test holds that.
    found.unwrap_or(&RULES[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use nopickle_formats::{Location, Untrusted};

    fn one_of_each_kind() -> Vec<Error> {
        let at = Location::default;
        vec![
            Error::Malformed {
                format: "new",
                at: at(),
                what: "",
            },
            Error::Unsupported {
                at: at(),
                what: "",
                name: String::new(),
            },
            Error::Limit {
                what: "",
                found: 2,
                limit: 1,
            },
            Error::Untrusted(Untrusted {
                entry: String::new(),
                names: Vec::new(),
            }),
            Error::Unverified {
                at: at(),
                class: "new.Class".to_owned(),
                what: "",
            },
            Error::Io(std::io::Error::other("")),
        ]
    }

    #[test]
    fn rules_are_sorted_and_each_number_and_name_stands_once() {
        assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
        let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn each_kind_of_error_has_a_rule_for_all_others() {
        for error in one_of_each_kind() {
            let rule = of(&error);
            assert_eq!(rule.kind, exit::tell(&error).kind);
            assert!(rule.of.is_empty(), "{}", rule.id);
        }
        assert_eq!(left_unverified().kind, "not verified");
    }

    #[test]
    fn a_rule_is_found_by_format_or_class() {
        let malformed = |format| Error::Malformed {
            format,
            at: Location::default(),
            what: "",
        };
        assert_eq!(of(&malformed("zip")).id, "NP1001");
        assert_eq!(of(&malformed("zipped")).id, "NP1999");
        let unverified = |class: &str| Error::Unverified {
            at: Location::default(),
            class: class.to_owned(),
            what: "",
        };
        assert_eq!(of(&unverified("sklearn.tree._tree.Tree")).id, "NP5001");
        assert_eq!(of(&unverified("sklearn.treehouse.Tree")).id, "NP5999");
    }

    #[test]
    fn pages_are_there() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for rule in RULES {
            assert!(root.join(rule.page).is_file(), "{}", rule.page);
        }
    }

    #[test]
    fn the_guide_lists_each_rule() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let guide = std::fs::read_to_string(root.join("docs/guides/ci.md")).unwrap();
        for rule in RULES {
            let row = format!("| {} | `{}` | {} |", rule.id, rule.name, rule.says);
            assert!(guide.contains(&row), "{row}");
        }
    }
}
