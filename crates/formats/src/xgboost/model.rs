//! A model: `learner` and `version`, in the order of their keys.

use super::parameters::{self, count};
use super::tokens::{Items, Object, Tokens};
use super::tree::{self, Scratch};
use super::{Kind, MOST_CLASSES, MOST_FEATURES, Model, Refused, cats, json};

/// A forest of one iteration is made at once, and counted in 32 bits together with the classes.
const MOST_PARALLEL_TREES: u64 = 100_000;

const GROUPS: &str = "tree_info has a class or target that is not there";
const ITERATIONS: &str = "iteration_indptr does not rise from 0 to num_trees";

/// What the trees of a model ask of its parameters, which stand behind them.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The largest number of a feature, and where.
    feature: Option<(u32, usize)>,
    /// The largest number of a class or target, and where.
    group: Option<(i64, usize)>,
    /// Outputs of each tree.
    outputs: Option<(u64, usize)>,
    /// Columns with categories, and where.
    columns: Option<(u64, usize)>,
    /// Weights of a linear model, and where.
    weights: Option<(u64, usize)>,
    num_trees: u64,
}

impl Asked {
    pub(super) fn feature(&mut self, feature: u32, at: usize) {
        if self.feature.is_none_or(|(most, _)| most < feature) {
            self.feature = Some((feature, at));
        }
    }
}

/// The object of a file, or `Model` of a snapshot.
pub(super) fn read<'a>(tokens: &mut impl Tokens<'a>) -> Result<Model<'a>, Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "learner")?;
    let mut model = learner(tokens)?;
    object.key(tokens, "version")?;
    model.version = version(tokens)?;
    object.close(tokens)?;
    Ok(model)
}

/// Three numbers. Before 1.6 files were laid out in another way.
pub(super) fn version<'a>(tokens: &mut impl Tokens<'a>) -> Result<[u32; 3], Refused> {
    const PARTS: &str = "version is not three numbers";
    let at = tokens.at();
    let mut parts = [0; 3];
    let mut items = Items::open(tokens)?;
    for part in &mut parts {
        if !items.more(tokens)? {
            return Err(tokens.malformed(PARTS));
        }
        *part = u32::try_from(tokens.integer()?).map_err(|_| tokens.malformed(PARTS))?;
    }
    if items.more(tokens)? {
        return Err(tokens.malformed(PARTS));
    }
    let [major, minor, patch] = parts;
    if (major, minor) < (1, 6) || major > 3 {
        let name = format!("{major}.{minor}.{patch}");
        return Err(Refused::unsupported(at, "version of XGBoost", &name));
    }
    Ok(parts)
}

fn learner<'a>(tokens: &mut impl Tokens<'a>) -> Result<Model<'a>, Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "attributes")?;
    attributes(tokens)?;
    let lists_at = tokens.at();
    let feature_names = if object.optional(tokens, "feature_names")? {
        names(tokens)?
    } else {
        Vec::new()
    };
    let types = if object.optional(tokens, "feature_types")? {
        feature_types(tokens)?
    } else {
        0
    };
    object.key(tokens, "gradient_booster")?;
    let (kind, asked) = gradient_booster(tokens)?;
    object.key(tokens, "learner_model_param")?;
    let here = tokens.at();
    let param = model_param(tokens)?;
    if param.num_feature > MOST_FEATURES && feature_names.is_empty() && kind != Kind::Gblinear {
        let what = "features of a booster without their names";
        return Err(Refused::limit(here, what, param.num_feature, MOST_FEATURES));
    }
    let named = u64::try_from(feature_names.len()).unwrap_or(u64::MAX);
    if [named, types]
        .iter()
        .any(|&count| count != 0 && count != param.num_feature)
    {
        let what = "feature_names or feature_types is not one for each feature";
        return Err(Refused::unverified(lists_at, what));
    }
    object.key(tokens, "objective")?;
    let objective = parameters::objective(tokens, param.num_class)?;
    object.close(tokens)?;
    answer(&asked, &param)?;
    Ok(Model {
        version: [0; 3],
        kind,
        num_feature: param.num_feature,
        groups: param.groups,
        num_class: param.num_class,
        objective,
        num_trees: asked.num_trees,
        feature_names,
    })
}

/// Whether the parameters have what the trees ask for.
fn answer(asked: &Asked, param: &ModelParam) -> Result<(), Refused> {
    if let Some((feature, at)) = asked.feature
        && u64::from(feature) >= param.num_feature
    {
        let what = "a split is on a feature that is not there";
        return Err(Refused::unverified(at, what));
    }
    if let Some((group, at)) = asked.group
        && u64::try_from(group).is_ok_and(|group| group >= param.groups)
    {
        return Err(Refused::unverified(at, GROUPS));
    }
    if let Some((outputs, at)) = asked.outputs
        && outputs > 1
        && outputs != param.groups
    {
        let what = "size_leaf_vector is not the number of classes or targets";
        return Err(Refused::unverified(at, what));
    }
    if let Some((columns, at)) = asked.columns
        && columns != param.num_feature
    {
        let what = "cats does not have one column for each feature";
        return Err(Refused::unverified(at, what));
    }
    if let Some((weights, at)) = asked.weights {
        let expected = param
            .num_feature
            .saturating_add(1)
            .saturating_mul(param.groups);
        if weights != expected {
            let what = "weights is not one for each feature and class, and one for the bias";
            return Err(Refused::unverified(at, what));
        }
    }
    Ok(())
}

/// Texts under names of the user's own.
fn attributes<'a>(tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
    let mut object = Object::open(tokens)?;
    while object.any(tokens)?.is_some() {
        tokens.text()?;
    }
    Ok(())
}

fn names<'a>(tokens: &mut impl Tokens<'a>) -> Result<Vec<&'a str>, Refused> {
    let mut names = Vec::new();
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        names.push(tokens.text()?);
    }
    Ok(names)
}

fn feature_types<'a>(tokens: &mut impl Tokens<'a>) -> Result<u64, Refused> {
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        let at = tokens.at();
        let name = tokens.text()?;
        if !matches!(name, "c" | "float" | "i" | "int" | "q") {
            return Err(Refused::unsupported(at, "type of a feature", name));
        }
    }
    Ok(items.taken())
}

fn gradient_booster<'a>(tokens: &mut impl Tokens<'a>) -> Result<(Kind, Asked), Refused> {
    let mut object = Object::open(tokens)?;
    if !object.optional(tokens, "gbtree")? {
        object.key(tokens, "model")?;
        let (kind, asked) = additive(tokens)?;
        object.key(tokens, "name")?;
        name(
            tokens,
            if kind == Kind::Gblinear {
                "gblinear"
            } else {
                "gbtree"
            },
        )?;
        object.close(tokens)?;
        return Ok((kind, asked));
    }
    let mut gbtree = Object::open(tokens)?;
    gbtree.key(tokens, "model")?;
    let at = tokens.at();
    let (kind, asked) = additive(tokens)?;
    if kind != Kind::Gbtree || asked.outputs.is_some_and(|(outputs, _)| outputs > 1) {
        let what = "the trees of dart are not trees of one output";
        return Err(Refused::unverified(at, what));
    }
    gbtree.key(tokens, "name")?;
    name(tokens, "gbtree")?;
    gbtree.close(tokens)?;
    object.key(tokens, "name")?;
    name(tokens, "dart")?;
    object.key(tokens, "weight_drop")?;
    let at = tokens.at();
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        tokens.float()?;
    }
    if items.taken() != asked.num_trees {
        return Err(Refused::unverified(
            at,
            "weight_drop is not one for each tree",
        ));
    }
    object.close(tokens)?;
    Ok((Kind::Dart, asked))
}

/// A text that has to be this one.
pub(super) fn name<'a>(tokens: &mut impl Tokens<'a>, expected: &str) -> Result<(), Refused> {
    let at = tokens.at();
    if tokens.text()? == expected {
        return Ok(());
    }
    let what = "the name of a booster is not that of its content";
    Err(Refused::malformed(at, what))
}

/// `model`: trees, or the weights of a linear model.
fn additive<'a>(tokens: &mut impl Tokens<'a>) -> Result<(Kind, Asked), Refused> {
    let mut asked = Asked::default();
    let mut object = Object::open(tokens)?;
    if matches!(object.peek(tokens)?, Some("boosted_rounds" | "weights")) {
        if object.optional(tokens, "boosted_rounds")? {
            let rounds = tokens.integer()?;
            if i32::try_from(rounds).map_or(true, i32::is_negative) {
                return Err(tokens.unverified("boosted_rounds is not a count of 32 bits"));
            }
        }
        object.key(tokens, "weights")?;
        let at = tokens.at();
        asked.weights = Some((tokens.floats(false)?, at));
        object.close(tokens)?;
        return Ok((Kind::Gblinear, asked));
    }
    if object.optional(tokens, "cats")? {
        let at = tokens.at();
        asked.columns = cats::read(tokens)?.map(|columns| (columns, at));
    }
    object.key(tokens, "gbtree_model_param")?;
    let (num_trees, parallel) = trees_param(tokens)?;
    asked.num_trees = num_trees;
    let here = tokens.at();
    let iterations = object.optional(tokens, "iteration_indptr")?;
    if iterations {
        iteration_indptr(tokens, num_trees)?;
    }
    object.key(tokens, "tree_info")?;
    tree_info(tokens, &mut asked)?;
    if !iterations {
        // Before 2.0 each iteration has as many trees as the largest class says.
        let groups = asked
            .group
            .and_then(|(group, _)| u64::try_from(group).ok()?.checked_add(1));
        let of_one = groups.and_then(|groups| groups.checked_mul(parallel));
        let rest = of_one.and_then(|of_one| num_trees.checked_rem(of_one));
        if rest != Some(0) {
            let what =
                "num_trees is not a number of whole iterations, and iteration_indptr is not there";
            return Err(Refused::unverified(here, what));
        }
    }
    object.key(tokens, "trees")?;
    trees(tokens, &mut asked)?;
    object.close(tokens)?;
    Ok((Kind::Gbtree, asked))
}

fn iteration_indptr<'a>(tokens: &mut impl Tokens<'a>, num_trees: u64) -> Result<(), Refused> {
    let at = tokens.at();
    let mut last = None;
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        let next = u64::try_from(tokens.integer()?).map_err(|_| tokens.unverified(ITERATIONS))?;
        let rises = match last {
            None => next == 0,
            Some(last) => next >= last,
        };
        if !rises {
            return Err(tokens.unverified(ITERATIONS));
        }
        last = Some(next);
    }
    if last == Some(num_trees) {
        Ok(())
    } else {
        Err(Refused::unverified(at, ITERATIONS))
    }
}

fn tree_info<'a>(tokens: &mut impl Tokens<'a>, asked: &mut Asked) -> Result<(), Refused> {
    let start = tokens.at();
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        let at = tokens.at();
        let group = tokens.integer()?;
        if group < 0 {
            return Err(Refused::unverified(at, GROUPS));
        }
        if asked.group.is_none_or(|(most, _)| most < group) {
            asked.group = Some((group, at));
        }
    }
    if items.taken() != asked.num_trees {
        let what = "tree_info is not one number for each tree";
        return Err(Refused::unverified(start, what));
    }
    Ok(())
}

fn trees<'a>(tokens: &mut impl Tokens<'a>, asked: &mut Asked) -> Result<(), Refused> {
    let start = tokens.at();
    let mut scratch = Scratch::default();
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        let at = tokens.at();
        let index = items.taken().saturating_sub(1);
        let outputs = tree::read(tokens, index, asked, &mut scratch)?;
        match asked.outputs {
            None => asked.outputs = Some((outputs, at)),
            Some((others, _)) if others != outputs => {
                let what = "the trees of a booster do not have the same number of outputs";
                return Err(Refused::unverified(at, what));
            }
            Some(_) => {}
        }
    }
    if items.taken() != asked.num_trees {
        let what = "num_trees is not the number of trees";
        return Err(Refused::unverified(start, what));
    }
    Ok(())
}

/// `gbtree_model_param`: trees, and trees of one class in one iteration.
pub(super) fn trees_param<'a>(tokens: &mut impl Tokens<'a>) -> Result<(u64, u64), Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "num_parallel_tree")?;
    let at = tokens.at();
    let parallel = count(tokens)?;
    if parallel == 0 || parallel > MOST_PARALLEL_TREES {
        let what = "num_parallel_tree is not from 1 to 100,000";
        return Err(Refused::unverified(at, what));
    }
    object.key(tokens, "num_trees")?;
    let at = tokens.at();
    let num_trees = count(tokens)?;
    if i32::try_from(num_trees).is_err() {
        return Err(Refused::unverified(at, "num_trees does not fit 32 bits"));
    }
    if object.optional(tokens, "size_leaf_vector")? {
        count(tokens)?;
    }
    object.close(tokens)?;
    Ok((num_trees, parallel))
}

/// What `learner_model_param` says.
#[derive(Debug)]
pub(super) struct ModelParam {
    num_feature: u64,
    pub(super) num_class: u64,
    /// Classes or targets, at least one.
    groups: u64,
}

pub(super) fn model_param<'a>(tokens: &mut impl Tokens<'a>) -> Result<ModelParam, Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "base_score")?;
    let score_at = tokens.at();
    let scores = json::floats(tokens.text()?)
        .ok_or_else(|| Refused::unverified(score_at, "base_score is not finite numbers"))?;
    if object.optional(tokens, "boost_from_average")? {
        parameters::text(tokens, "boost_from_average")?;
    }
    object.key(tokens, "num_class")?;
    let at = tokens.at();
    let num_class = count(tokens)?;
    object.key(tokens, "num_feature")?;
    let feature_at = tokens.at();
    let num_feature = count(tokens)?;
    let num_target = if object.optional(tokens, "num_target")? {
        count(tokens)?
    } else {
        1
    };
    object.close(tokens)?;
    let groups = num_class.max(num_target).max(1);
    if groups > MOST_CLASSES {
        let what = "classes or targets of a booster";
        return Err(Refused::limit(at, what, groups, MOST_CLASSES));
    }
    if num_target == 0 || (num_class > 1 && num_target > 1) {
        let what = "num_target is 0, or there are several classes and targets";
        return Err(Refused::unverified(at, what));
    }
    if num_feature == 0 || i32::try_from(num_feature).is_err() {
        let what = "num_feature is not from 1 to 2147483647";
        return Err(Refused::unverified(feature_at, what));
    }
    if scores != 1 && scores != groups {
        let what = "base_score is not one number, or one for each class or target";
        return Err(Refused::unverified(score_at, what));
    }
    Ok(ModelParam {
        num_feature,
        num_class,
        groups,
    })
}
