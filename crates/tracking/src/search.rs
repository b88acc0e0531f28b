//! Filters and orders of searches, in the words of MLflow (`mlflow/utils/search_utils.py` of 3.17), as SQL.
//!
//! A filter is a list of comparisons joined by `AND`: `metrics.loss < 0.1 AND params.depth = '3'`. There is no `OR`
//! and there are no parentheses but those of `IN`. A text reaches SQLite as a bound value only.

use rusqlite::types::Value as Sql;

use crate::error::{Error, Result};

/// What can be asked about one kind of thing.
pub(crate) struct Target {
    /// The kind of thing.
    pub(crate) what: &'static str,
    /// Attributes: name, SQL, whether it is a number.
    pub(crate) attributes: &'static [(&'static str, &'static str, bool)],
    /// The rows of its metrics as `FROM ... WHERE ...`; `value`, `is_nan` and `key` are columns.
    pub(crate) metrics: Option<&'static str>,
    /// The rows of its parameters.
    pub(crate) params: Option<&'static str>,
    /// The rows of its tags.
    pub(crate) tags: Option<&'static str>,
    /// What orders things that are otherwise equal.
    pub(crate) default_order: &'static str,
}

pub(crate) const RUNS: Target = Target {
    what: "run",
    attributes: &[
        ("run_id", "t.run_id", false),
        ("run_name", "t.run_name", false),
        ("Run Name", "t.run_name", false),
        ("Run name", "t.run_name", false),
        ("run name", "t.run_name", false),
        ("status", "t.status", false),
        ("user_id", "t.user_id", false),
        ("experiment_id", "CAST(t.experiment_id AS TEXT)", false),
        ("start_time", "t.start_time", true),
        ("created", "t.start_time", true),
        ("Created", "t.start_time", true),
        ("end_time", "t.end_time", true),
    ],
    metrics: Some("FROM latest_metrics x WHERE x.run_id = t.run_id"),
    params: Some("FROM params x WHERE x.run_id = t.run_id"),
    tags: Some("FROM tags x WHERE x.run_id = t.run_id"),
    default_order: "t.start_time DESC, t.run_id",
};

pub(crate) const EXPERIMENTS: Target = Target {
    what: "experiment",
    attributes: &[
        ("name", "t.name", false),
        ("experiment_id", "CAST(t.experiment_id AS TEXT)", false),
        ("creation_time", "t.creation_time", true),
        ("last_update_time", "t.last_update_time", true),
    ],
    metrics: None,
    params: None,
    tags: Some("FROM experiment_tags x WHERE x.experiment_id = t.experiment_id"),
    default_order: "t.creation_time DESC, t.experiment_id",
};

pub(crate) const LOGGED_MODELS: Target = Target {
    what: "logged model",
    attributes: &[
        ("name", "t.name", false),
        ("model_id", "t.model_id", false),
        ("model_type", "t.model_type", false),
        ("status", "t.status", false),
        ("source_run_id", "t.source_run_id", false),
        ("experiment_id", "CAST(t.experiment_id AS TEXT)", false),
        ("creation_timestamp", "t.creation_time", true),
        ("creation_time", "t.creation_time", true),
        ("last_updated_timestamp", "t.last_update_time", true),
        ("last_updated_time", "t.last_update_time", true),
    ],
    metrics: Some("FROM model_metrics x WHERE x.model_id = t.model_id"),
    params: Some("FROM logged_model_params x WHERE x.model_id = t.model_id"),
    tags: Some("FROM logged_model_tags x WHERE x.model_id = t.model_id"),
    default_order: "t.creation_time DESC, t.model_id",
};

pub(crate) const REGISTERED_MODELS: Target = Target {
    what: "registered model",
    attributes: &[
        ("name", "t.name", false),
        ("creation_timestamp", "t.creation_time", true),
        ("timestamp", "t.last_update_time", true),
        ("last_updated_timestamp", "t.last_update_time", true),
    ],
    metrics: None,
    params: None,
    tags: Some("FROM registered_model_tags x WHERE x.name = t.name"),
    default_order: "t.name",
};

pub(crate) const MODEL_VERSIONS: Target = Target {
    what: "model version",
    attributes: &[
        ("name", "t.name", false),
        ("run_id", "t.run_id", false),
        ("source_path", "t.source", false),
        ("model_id", "t.model_id", false),
        ("version_number", "t.version", true),
        ("creation_timestamp", "t.creation_time", true),
        ("last_updated_timestamp", "t.last_update_time", true),
    ],
    metrics: None,
    params: None,
    tags: Some("FROM model_version_tags x WHERE x.name = t.name AND x.version = t.version"),
    default_order: "t.last_update_time DESC, t.name, t.version DESC",
};

/// A condition and an order, with the values that they bind.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// ` AND ...` for each comparison.
    pub(crate) conditions: String,
    /// What stands after `ORDER BY`.
    pub(crate) order: String,
    /// The values of the conditions, then those of the order.
    pub(crate) values: Vec<Sql>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Operator(&'static str),
    Open,
    Close,
    Comma,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(text) | Self::Number(text) => f.write_str(text),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Operator(text) => f.write_str(text),
            Self::Open => f.write_str("("),
            Self::Close => f.write_str(")"),
            Self::Comma => f.write_str(","),
        }
    }
}

const SYMBOLS: [&str; 7] = [">=", "<=", "!=", "<>", "=", "<", ">"];

fn tokens(filter: &str) -> Result<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = filter.trim_start();
    while let Some(first) = rest.chars().next() {
        let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
        let used = if let Some(symbol) = symbol {
            found.push(Token::Operator(if *symbol == "<>" { "!=" } else { symbol }));
            symbol.len()
        } else if matches!(first, '(' | ')' | ',') {
            found.push(match first {
                '(' => Token::Open,
                ')' => Token::Close,
                _ => Token::Comma,
            });
            1
        } else if matches!(first, '\'' | '"') {
            let (text, used) = quoted(rest, first)?;
            found.push(Token::Text(text));
            used
        } else {
            let (word, used) = word(rest)?;
            found.push(
                if word.parse::<f64>().is_ok() && !word.starts_with(char::is_alphabetic) {
                    Token::Number(word)
                } else {
                    Token::Name(word)
                },
            );
            used
        };
        rest = rest.get(used..).unwrap_or_default().trim_start();
    }
    Ok(found)
}

/// What stands between two quotes at the start of `text`, and its length with them; a doubled quote is one.
fn quoted(text: &str, quote: char) -> Result<(String, usize)> {
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != quote {
            value.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == quote) && quote == '\'' {
            value.push(quote);
            letters.next();
        } else {
            return Ok((value, at + quote.len_utf8()));
        }
    }
    Err(Error::invalid(format!(
        "invalid filter: the quote {text:?} has no end"
    )))
}

/// A name such as ``metrics.`val loss` `` with its quotes, and its length.
fn word(text: &str) -> Result<(String, usize)> {
    let mut open: Option<char> = None;
    for (at, letter) in text.char_indices() {
        match open {
            Some(quote) if letter == quote => open = None,
            None if matches!(letter, '`' | '"' | '\'') => open = Some(letter),
            None if letter.is_whitespace() || "=<>!(),".contains(letter) => {
                let used = if at == 0 { letter.len_utf8() } else { at };
                return Ok((text.get(..used).unwrap_or_default().to_owned(), used));
            }
            _ => {}
        }
    }
    if open.is_some() {
        return Err(Error::invalid(format!(
            "invalid filter: the quote in {text:?} has no end"
        )));
    }
    Ok((text.to_owned(), text.len()))
}

enum Field {
    Metric(&'static str, String),
    Pair(&'static str, String),
    Attribute(&'static str, bool),
}

fn field(name: &str, target: &Target) -> Result<Field> {
    let unquoted = |key: &str| {
        ['`', '"', '\'']
            .iter()
            .find_map(|quote| key.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(key)
            .to_owned()
    };
    let (entity, key) = match name.split_once('.') {
        Some((entity, key)) if !name.starts_with(['`', '"', '\'']) => (entity, unquoted(key)),
        _ => ("attribute", unquoted(name)),
    };
    let missing = |what: &str| {
        Error::invalid(format!(
            "a search for a {} can't ask for {what}: {name}",
            target.what
        ))
    };
    match entity {
        "metric" | "metrics" => Ok(Field::Metric(
            target.metrics.ok_or_else(|| missing("metrics"))?,
            key,
        )),
        "param" | "params" | "parameter" | "parameters" => Ok(Field::Pair(
            target.params.ok_or_else(|| missing("params"))?,
            key,
        )),
        "tag" | "tags" => Ok(Field::Pair(
            target.tags.ok_or_else(|| missing("tags"))?,
            key,
        )),
        "attribute" | "attributes" | "attr" | "run" => target
            .attributes
            .iter()
            .find(|(attribute, _, _)| *attribute == key)
            .map(|(_, column, number)| Field::Attribute(column, *number))
            .ok_or_else(|| {
                let known: Vec<&str> = target
                    .attributes
                    .iter()
                    .map(|(attribute, _, _)| *attribute)
                    .collect();
                Error::invalid(format!(
                    "invalid attribute {key:?} of a {}; there are: {}",
                    target.what,
                    known.join(", ")
                ))
            }),
        "dataset" | "datasets" => Err(missing("data sets")),
        _ => Err(Error::invalid(format!(
            "invalid entity type {entity:?} in {name:?}; there are: attributes, metrics, params, tags"
        ))),
    }
}

const NUMERIC: [&str; 6] = [">", ">=", "!=", "=", "<", "<="];

fn comparator(tokens: &mut std::vec::IntoIter<Token>) -> Result<&'static str> {
    let broken =
        |token: &str| Error::invalid(format!("invalid comparison in the filter, at {token:?}"));
    match tokens.next() {
        Some(Token::Operator(symbol)) => Ok(symbol),
        Some(Token::Name(word)) => match word.to_ascii_uppercase().as_str() {
            "LIKE" => Ok("LIKE"),
            "ILIKE" => Ok("ILIKE"),
            "IN" => Ok("IN"),
            "NOT" => match tokens.next() {
                Some(Token::Name(next)) if next.eq_ignore_ascii_case("in") => Ok("NOT IN"),
                _ => Err(broken(&word)),
            },
            "IS" => match tokens.next() {
                Some(Token::Name(next)) if next.eq_ignore_ascii_case("null") => Ok("IS NULL"),
                Some(Token::Name(next)) if next.eq_ignore_ascii_case("not") => {
                    match tokens.next() {
                        Some(Token::Name(last)) if last.eq_ignore_ascii_case("null") => {
                            Ok("IS NOT NULL")
                        }
                        _ => Err(broken(&word)),
                    }
                }
                _ => Err(broken(&word)),
            },
            _ => Err(broken(&word)),
        },
        Some(token) => Err(broken(&token.to_string())),
        None => Err(Error::invalid("the filter ends within a comparison")),
    }
}

impl Query {
    /// A filter and an order of a search; both may be empty.
    pub(crate) fn new(filter: &str, order_by: &[String], target: &Target) -> Result<Self> {
        let mut query = Self::default();
        let mut tokens = tokens(filter)?.into_iter();
        while let Some(token) = tokens.next() {
            let Token::Name(name) = token else {
                return Err(Error::invalid(format!(
                    "invalid filter {filter:?}: a comparison starts with a name such as metrics.loss, found {token}"
                )));
            };
            let field = field(&name, target)?;
            let comparator = comparator(&mut tokens)?;
            query.condition(&name, field, comparator, &mut tokens)?;
            match tokens.next() {
                None => break,
                Some(Token::Name(word)) if word.eq_ignore_ascii_case("and") => {
                    if tokens.as_slice().is_empty() {
                        return Err(Error::invalid(format!(
                            "the filter {filter:?} ends with AND"
                        )));
                    }
                }
                Some(other) => {
                    return Err(Error::invalid(format!(
                        "invalid filter {filter:?}: comparisons are joined by AND, found {other}"
                    )));
                }
            }
        }
        query.order_by(order_by, target)?;
        Ok(query)
    }

    fn condition(
        &mut self,
        name: &str,
        field: Field,
        comparator: &'static str,
        tokens: &mut std::vec::IntoIter<Token>,
    ) -> Result<()> {
        use std::fmt::Write as _;
        let refuse = |allowed: &str| {
            Err(Error::invalid(format!(
                "{name} can't be compared with {comparator}; there are: {allowed}"
            )))
        };
        let out = &mut self.conditions;
        match field {
            Field::Metric(rows, key) => {
                if !NUMERIC.contains(&comparator) {
                    return refuse("> >= != = < <=");
                }
                let value = number(name, tokens.next())?;
                let nan = if comparator == "!=" {
                    "x.is_nan = 1 OR"
                } else {
                    "x.is_nan = 0 AND"
                };
                let _ = write!(
                    out,
                    " AND EXISTS (SELECT 1 {rows} AND x.key = ? AND ({nan} x.value {comparator} ?))"
                );
                self.values.extend([Sql::Text(key), value]);
            }
            Field::Pair(rows, key) => match comparator {
                "IS NULL" | "IS NOT NULL" => {
                    let not = if comparator == "IS NULL" { "NOT " } else { "" };
                    let _ = write!(out, " AND {not}EXISTS (SELECT 1 {rows} AND x.key = ?)");
                    self.values.push(Sql::Text(key));
                }
                "=" | "!=" | "LIKE" | "ILIKE" => {
                    let value = text(name, tokens.next())?;
                    let _ = write!(
                        out,
                        " AND EXISTS (SELECT 1 {rows} AND x.key = ? AND {})",
                        text_comparison("x.value", comparator)
                    );
                    self.values.extend([Sql::Text(key), Sql::Text(value)]);
                }
                _ => return refuse("= != LIKE ILIKE, IS NULL, IS NOT NULL"),
            },
            Field::Attribute(column, true) => {
                if !NUMERIC.contains(&comparator) {
                    return refuse("> >= != = < <=");
                }
                let value = number(name, tokens.next())?;
                let _ = write!(out, " AND {column} {comparator} ?");
                self.values.push(value);
            }
            Field::Attribute(column, false) => match comparator {
                "IN" | "NOT IN" => {
                    let values = list(name, tokens)?;
                    let marks = vec!["?"; values.len()].join(", ");
                    let _ = write!(out, " AND {column} {comparator} ({marks})");
                    self.values.extend(values.into_iter().map(Sql::Text));
                }
                "=" | "!=" | "LIKE" | "ILIKE" => {
                    let value = text(name, tokens.next())?;
                    let _ = write!(out, " AND {}", text_comparison(column, comparator));
                    self.values.push(Sql::Text(value));
                }
                _ => return refuse("= != LIKE ILIKE IN, NOT IN"),
            },
        }
        Ok(())
    }

    fn order_by(&mut self, order_by: &[String], target: &Target) -> Result<()> {
        use std::fmt::Write as _;
        for clause in order_by {
            let clause = clause.trim();
            let (name, direction) = match clause.rsplit_once(char::is_whitespace) {
                Some((name, word)) if word.eq_ignore_ascii_case("asc") => (name.trim_end(), "ASC"),
                Some((name, word)) if word.eq_ignore_ascii_case("desc") => {
                    (name.trim_end(), "DESC")
                }
                _ => (clause, "ASC"),
            };
            let (one, used) = if name.is_empty() {
                (String::new(), 0)
            } else {
                word(name)?
            };
            let known = target
                .attributes
                .iter()
                .any(|(attribute, _, _)| *attribute == name);
            if (used != name.len() || one.is_empty()) && !known {
                return Err(Error::invalid(format!(
                    "invalid order_by {clause:?}: it is a name such as metrics.loss, and ASC or DESC"
                )));
            }
            let out = &mut self.order;
            match field(name, target)? {
                Field::Metric(rows, key) => {
                    // What is not a number comes last, then what has no such metric.
                    let _ = write!(
                        out,
                        "COALESCE((SELECT x.is_nan {rows} AND x.key = ?), 2), \
                         (SELECT x.value {rows} AND x.key = ?) {direction}, "
                    );
                    self.values.extend([Sql::Text(key.clone()), Sql::Text(key)]);
                }
                Field::Pair(rows, key) => {
                    let _ = write!(
                        out,
                        "(SELECT x.value {rows} AND x.key = ?) {direction} NULLS LAST, "
                    );
                    self.values.push(Sql::Text(key));
                }
                Field::Attribute(column, _) => {
                    let _ = write!(out, "{column} {direction} NULLS LAST, ");
                }
            }
        }
        self.order.push_str(target.default_order);
        Ok(())
    }
}

fn text_comparison(column: &str, comparator: &str) -> String {
    match comparator {
        "ILIKE" => format!("lower({column}) LIKE lower(?)"),
        _ => format!("{column} {comparator} ?"),
    }
}

fn number(name: &str, token: Option<Token>) -> Result<Sql> {
    match token {
        Some(Token::Number(text)) => match text.parse::<i64>() {
            Ok(whole) => Ok(Sql::Integer(whole)),
            Err(_) => text
                .parse()
                .map(Sql::Real)
                .map_err(|_| Error::invalid(format!("not a number: {text}"))),
        },
        Some(other) => Err(Error::invalid(format!(
            "{name} is compared with a number, found {other}"
        ))),
        None => Err(Error::invalid("the filter ends within a comparison")),
    }
}

fn text(name: &str, token: Option<Token>) -> Result<String> {
    match token {
        Some(Token::Text(text)) => Ok(text),
        Some(other) => Err(Error::invalid(format!(
            "{name} is compared with a text in quotes, such as 'value', found {other}"
        ))),
        None => Err(Error::invalid("the filter ends within a comparison")),
    }
}

fn list(name: &str, tokens: &mut std::vec::IntoIter<Token>) -> Result<Vec<String>> {
    let broken = || {
        Error::invalid(format!(
            "{name} IN is followed by texts in quotes, such as ('a', 'b')"
        ))
    };
    if tokens.next() != Some(Token::Open) {
        return Err(broken());
    }
    let mut values = Vec::new();
    loop {
        match tokens.next() {
            Some(Token::Text(text)) => values.push(text),
            _ => return Err(broken()),
        }
        match tokens.next() {
            Some(Token::Comma) => {}
            Some(Token::Close) => return Ok(values),
            _ => return Err(broken()),
        }
    }
}

/// What asks for the page that starts at `offset`.
pub(crate) fn page_token(offset: usize) -> String {
    format!("from-{offset}")
}

/// Where the page of a token starts.
pub(crate) fn page_offset(token: Option<&str>) -> Result<usize> {
    match token.filter(|token| !token.is_empty()) {
        None => Ok(0),
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| Error::invalid(format!("invalid page token {token:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(filter: &str) -> Result<(String, usize)> {
        Query::new(filter, &[], &RUNS).map(|query| (query.conditions, query.values.len()))
    }

    #[test]
    fn comparisons_bind_what_they_compare_with() {
        let (sql, values) = conditions(
            "metrics.loss < 0.5 AND params.\"a b\" = 'x; DROP TABLE runs' and tags.`k` ILIKE '%A%'",
        )
        .unwrap();
        assert_eq!(values, 6);
        assert!(!sql.contains("DROP"), "{sql}");
        assert!(sql.contains("lower(x.value) LIKE lower(?)"), "{sql}");
        let (sql, values) =
            conditions("run_id IN ('a', 'b') AND attributes.start_time >= 17").unwrap();
        assert!(
            sql.contains("t.run_id IN (?, ?)") && sql.contains("t.start_time >= ?"),
            "{sql}"
        );
        assert_eq!(values, 3);
        assert!(
            conditions("params.depth IS NOT NULL")
                .unwrap()
                .0
                .contains(" AND EXISTS")
        );
        assert_eq!(conditions("  ").unwrap(), (String::new(), 0));
    }

    #[test]
    fn a_filter_that_is_none_is_refused_with_its_reason() {
        for (filter, words) in [
            ("metrics.loss = 'a'", "compared with a number"),
            ("params.depth = 3", "compared with a text in quotes"),
            ("metrics.loss LIKE 'a'", "can't be compared with LIKE"),
            ("metrics.loss < 1 OR metrics.loss > 2", "joined by AND"),
            ("metrics.loss < 1 AND", "ends with AND"),
            ("metrics.loss", "ends within a comparison"),
            ("colour.a = 'b'", "invalid entity type"),
            ("attributes.colour = 'b'", "invalid attribute"),
            ("params.a = 'b", "has no end"),
            ("run_id IN ('a' 'b')", "IN is followed by"),
            ("datasets.name = 'a'", "can't ask for data sets"),
            ("('a')", "starts with a name"),
        ] {
            let error = conditions(filter).unwrap_err().to_string();
            assert!(error.contains(words), "{filter}: {error}");
        }
        assert!(Query::new("", &["metrics.loss sideways".into()], &RUNS).is_err());
        assert!(
            Query::new(
                "",
                &["metrics.loss desc".into(), "start_time".into()],
                &RUNS
            )
            .is_ok()
        );
        assert!(page_offset(Some("x")).is_err());
        assert_eq!(page_offset(Some(&page_token(40))).unwrap(), 40);
    }
}
