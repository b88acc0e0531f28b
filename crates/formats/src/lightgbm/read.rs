//! The lines of a model text, in the order in which LightGBM writes them.

use super::cursor::Cursor;
use super::tree::{self, Scratch};
use super::{Booster, Header, MOST_CLASSES, Refused, Tree, pandas};

/// Lines that LightGBM looks for up to the first tree, and so in a whole text without trees.
const HEADER: &[&str] = &[
    "average_output",
    "feature_infos",
    "feature_names",
    "label_index",
    "max_feature_idx",
    "monotone_constraints",
    "num_class",
    "num_tree_per_iteration",
    "objective",
    "tree_sizes",
];

const NAMES: &str = "feature_names is not one name for each feature";
const INFOS: &str = "feature_infos is not one range for each feature";
const SIZES: &str = "tree_sizes is not a list of whole numbers";

pub(super) fn booster(text: &str) -> Result<Booster<'_>, Refused> {
    let mut cursor = Cursor::new(text);
    let cursor = &mut cursor;
    let header = header(cursor)?;
    let trees = trees(cursor, &header)?;
    let names = header.feature_names;
    let (importances_title, importances) = importances(cursor, names, trees.is_empty())?;
    let parameters = parameters(cursor)?;
    if cursor.starts_with(b"\nparser:\n") {
        let what = "section of a booster";
        return Err(Refused::unsupported(cursor.at(), what, "parser"));
    }
    let mut pandas_columns = None;
    let pandas_categorical = if cursor.take(b"\npandas_categorical:") {
        let start = cursor.at();
        pandas_columns = pandas::columns(cursor)?;
        let line = cursor.since(start);
        cursor.end_of_line("the text goes on after pandas_categorical")?;
        Some(line)
    } else {
        None
    };
    if !cursor.is_at_end() {
        return Err(cursor.malformed("the text goes on after its last section"));
    }
    Ok(Booster {
        header,
        trees,
        importances_title,
        importances,
        parameters,
        pandas_categorical,
        pandas_columns,
        length: text.len(),
    })
}

/// The features and the classes that the header says.
pub(super) fn dimensions(text: &str) -> Result<(u32, u32), Refused> {
    let header = header(&mut Cursor::new(text))?;
    Ok((header.num_features, header.num_class))
}

fn header<'a>(cursor: &mut Cursor<'a>) -> Result<Header<'a>, Refused> {
    cursor.expect(b"tree\n", "the text does not start with tree")?;
    let version = version(cursor)?;
    let what = "the line num_class is not here";
    let classes = header_number(cursor, b"num_class=", what)?;
    let here = *cursor;
    let what = "the line num_tree_per_iteration is not here";
    let per_iteration = header_number(cursor, b"num_tree_per_iteration=", what)?;
    let num_class = u32::try_from(classes).unwrap_or_default();
    if num_class == 0 || per_iteration != classes {
        return Err(here.unverified("num_tree_per_iteration is not num_class, which is at least 1"));
    }
    if num_class > MOST_CLASSES {
        let (found, limit) = (num_class.into(), MOST_CLASSES.into());
        let what = "classes of a booster";
        return Err(Refused::limit(here.at(), what, found, limit));
    }
    let what = "the line label_index is not here";
    let label_index = header_number(cursor, b"label_index=", what)?;
    let num_features = num_features(cursor, num_class)?;
    let objective = if cursor.take(b"objective=") {
        let here = *cursor;
        let line = cursor.line()?;
        objective(line, num_class).map_err(|what| here.unverified(what))?;
        Some(line)
    } else {
        None
    };
    let average_output = cursor.take(b"average_output\n");
    let feature_names = names(cursor, num_features)?;
    let monotone_constraints = if cursor.take(b"monotone_constraints=") {
        let what = "monotone_constraints is not one of -1, 0, 1 for each feature";
        Some(cursor.ints(num_features, what, |value| match value {
            -1..=1 => Ok(()),
            _ => Err(what),
        })?)
    } else {
        None
    };
    Ok(Header {
        version,
        num_class,
        label_index,
        num_features,
        objective,
        average_output,
        feature_names,
        monotone_constraints,
        feature_infos: infos(cursor, num_features)?,
    })
}

fn num_features(cursor: &mut Cursor<'_>, num_class: u32) -> Result<u32, Refused> {
    let here = *cursor;
    let what = "the line max_feature_idx is not here";
    let last = header_number(cursor, b"max_feature_idx=", what)?;
    let count = last
        .checked_add(1)
        .and_then(|count| u32::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or_else(|| here.unverified("max_feature_idx is not the number of a feature"))?;
    // SHAP values of a row are counted in 32 bits: for each class one for each feature, and one more.
    let for_a_class = u64::from(count).saturating_add(1);
    if i32::try_from(u64::from(num_class).saturating_mul(for_a_class)).is_err() {
        return Err(here.unverified("num_class times the features does not fit 32 bits"));
    }
    Ok(count)
}

/// `tree_sizes`, an empty line, and the trees with the line behind them.
fn trees<'a>(cursor: &mut Cursor<'a>, header: &Header<'a>) -> Result<Vec<Tree<'a>>, Refused> {
    let here = *cursor;
    let sizes = tree_sizes(cursor)?;
    let count = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
    if count.checked_rem(header.num_class) != Some(0) {
        return Err(here.unverified("the number of trees is not a multiple of num_class"));
    }
    cursor.end_of_line("the header does not end with an empty line")?;
    let mut trees = Vec::with_capacity(sizes.len());
    let mut scratch = Scratch::default();
    for (index, size) in sizes.into_iter().enumerate() {
        let start = *cursor;
        let tree = tree::read(cursor, index, header.num_features, &mut scratch)?;
        if u64::try_from(tree.length).ok() != Some(size) {
            return Err(start.unverified("a tree is not as long as tree_sizes says"));
        }
        trees.push(tree);
    }
    cursor.expect(b"end of trees\n\n", "the line end of trees is not here")?;
    Ok(trees)
}

fn version<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Refused> {
    cursor.expect(b"version=", "the line version is not here")?;
    let here = *cursor;
    let version = cursor.line()?;
    if !matches!(version, "v2" | "v3" | "v4") {
        let what = "version of a booster's text";
        return Err(Refused::unsupported(here.at(), what, version));
    }
    Ok(version)
}

fn header_number(cursor: &mut Cursor<'_>, key: &[u8], what: &'static str) -> Result<i32, Refused> {
    cursor.expect(key, what)?;
    let value = cursor.int()?;
    cursor.end_of_line("a line goes on after its number")?;
    Ok(value)
}

/// The objective's name and parameters, as its constructor reads them back.
fn objective(line: &str, num_class: u32) -> Result<(), &'static str> {
    const UNKNOWN: &str = "the objective is not one of LightGBM's with its own parameters";
    const CLASSES: &str = "num_class of the objective is not that of the booster";
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    let expected: &[&str] = match name {
        "binary" => &["sigmoid"],
        "multiclass" => &["num_class"],
        "multiclassova" => &["num_class", "sigmoid"],
        "cross_entropy"
        | "cross_entropy_lambda"
        | "custom"
        | "lambdarank"
        | "rank_xendcg"
        | "xentlambda"
        | "xentropy" => &[],
        "fair" | "gamma" | "huber" | "mape" | "poisson" | "quantile" | "regression"
        | "regression_l1" | "regression_l2" | "tweedie" => {
            if words.clone().eq(["sqrt"]) {
                words.next();
            }
            &[]
        }
        _ => return Err(UNKNOWN),
    };
    for &key in expected {
        let value = words
            .next()
            .and_then(|word| word.strip_prefix(key)?.strip_prefix(':'));
        match (key, value) {
            ("num_class", Some(value)) if value.parse() == Ok(num_class) => {}
            ("num_class", Some(_)) => return Err(CLASSES),
            ("sigmoid", Some(value)) => {
                let mut cursor = Cursor::new(value);
                let finite = cursor.number().is_ok() && cursor.is_at_end();
                if !finite || !value.parse().is_ok_and(|value: f64| value > 0.0) {
                    return Err("sigmoid of the objective is not a number above zero");
                }
            }
            _ => return Err(UNKNOWN),
        }
    }
    if words.next().is_some() {
        return Err(UNKNOWN);
    }
    // One score for each row: room for one is all that the others write to.
    let several = matches!(name, "multiclass" | "multiclassova" | "custom");
    if !several && num_class != 1 {
        return Err("num_class of an objective of one score is not 1");
    }
    Ok(())
}

/// As many words between single spaces as there are features.
fn names<'a>(cursor: &mut Cursor<'a>, count: u32) -> Result<&'a str, Refused> {
    cursor.expect(b"feature_names=", "the line feature_names is not here")?;
    let start = cursor.at();
    for index in 0..count {
        if (index > 0 && !cursor.take(b" ")) || cursor.word().is_empty() {
            return Err(cursor.unverified(NAMES));
        }
    }
    let names = cursor.since(start);
    cursor.end_of_line(NAMES)?;
    Ok(names)
}

/// For each feature `none`, `[least:largest]` or the categories `1:2:3`.
fn infos<'a>(cursor: &mut Cursor<'a>, count: u32) -> Result<&'a str, Refused> {
    cursor.expect(b"feature_infos=", "the line feature_infos is not here")?;
    let start = cursor.at();
    for index in 0..count {
        if index > 0 && !cursor.take(b" ") {
            return Err(cursor.unverified(INFOS));
        }
        if cursor.take(b"none") {
        } else if cursor.take(b"[") {
            cursor.number()?;
            cursor.expect(b":", INFOS)?;
            cursor.number()?;
            cursor.expect(b"]", INFOS)?;
        } else {
            cursor.int()?;
            while cursor.take(b":") {
                cursor.int()?;
            }
        }
    }
    let infos = cursor.since(start);
    cursor.end_of_line(INFOS)?;
    Ok(infos)
}

fn tree_sizes(cursor: &mut Cursor<'_>) -> Result<Vec<u64>, Refused> {
    cursor.expect(b"tree_sizes=", "the line tree_sizes is not here")?;
    let mut sizes = Vec::new();
    if cursor.take(b"\n") {
        return Ok(sizes);
    }
    loop {
        let here = *cursor;
        let size = u64::try_from(cursor.integer()?).map_err(|_| here.malformed(SIZES))?;
        sizes.push(size);
        if !cursor.take(b" ") {
            break;
        }
    }
    cursor.end_of_line(SIZES)?;
    Ok(sizes)
}

/// The title and the lines `name=count`.
fn importances<'a>(
    cursor: &mut Cursor<'a>,
    names: &str,
    without_trees: bool,
) -> Result<(&'a str, &'a str), Refused> {
    let start = cursor.at();
    if !cursor.take(b"feature_importances:\n") {
        cursor.expect(
            b"feature importances:\n",
            "the line feature_importances is not here",
        )?;
    }
    let title = cursor.since(start);
    let start = cursor.at();
    let mut known: Option<Vec<&str>> = None;
    while !cursor.is_at_end() && !cursor.starts_with(b"\n") {
        let here = *cursor;
        let line = cursor.line()?;
        let first = line.split('=').find(|word| !word.is_empty());
        if without_trees && first.is_some_and(|word| HEADER.contains(&word)) {
            let what = "a feature importance has the name of a line of the header";
            return Err(here.unverified(what));
        }
        let known = known.get_or_insert_with(|| {
            let mut names: Vec<&str> = names.split(' ').collect();
            names.sort_unstable();
            names
        });
        let split = line.rsplit_once('=').filter(|(name, count)| {
            let mut count = Cursor::new(count);
            known.binary_search(name).is_ok() && count.count().is_ok() && count.is_at_end()
        });
        if split.is_none() {
            return Err(here.malformed("a feature importance is not a feature and a whole number"));
        }
    }
    Ok((title, cursor.since(start)))
}

/// The lines `[name: value]` between `parameters:` and `end of parameters`.
fn parameters<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, Refused> {
    if !cursor.take(b"\nparameters:\n") {
        return Ok(None);
    }
    let start = cursor.at();
    while !cursor.starts_with(b"\n") {
        let here = *cursor;
        let pair = cursor
            .line()?
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
            .and_then(|line| line.split_once(": "));
        let is_name = |name: &str| {
            let mut letters = name.bytes();
            !name.is_empty()
                && letters.all(|letter| letter == b'_' || letter.is_ascii_alphanumeric())
        };
        if !pair.is_some_and(|(name, _)| is_name(name)) {
            return Err(here.malformed("a parameter is not a name and a value in brackets"));
        }
    }
    let lines = cursor.since(start);
    cursor.expect(
        b"\nend of parameters\n",
        "the line end of parameters is not here",
    )?;
    Ok(Some(lines))
}
