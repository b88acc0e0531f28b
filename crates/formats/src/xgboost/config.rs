//! A snapshot: `Config`, what the booster was trained with, and `Model`.
//!
//! XGBoost takes `Config` only from its own version; its updaters and metrics are made by name.

use super::model::{self, name};
use super::parameters::{self, parameters, text};
use super::tokens::{Items, Object, Tokens};
use super::{Kind, Model, Refused};

/// XGBoost makes an object of each.
const MOST_UPDATERS: u64 = 16;

const UPDATERS: &[&str] = &[
    "grow_colmaker",
    "grow_gpu_approx",
    "grow_gpu_hist",
    "grow_histmaker",
    "grow_local_histmaker",
    "grow_quantile_histmaker",
    "prune",
    "refresh",
    "sync",
];

const METRICS: &[&str] = &[
    "aft-nloglik",
    "ams",
    "auc",
    "aucpr",
    "cox-nloglik",
    "error",
    "gamma-deviance",
    "gamma-nloglik",
    "interval-regression-accuracy",
    "logloss",
    "mae",
    "map",
    "mape",
    "merror",
    "mlogloss",
    "mphe",
    "ndcg",
    "poisson-nloglik",
    "pre",
    "quantile",
    "rmse",
    "rmsle",
    "tweedie-nloglik",
];

/// Objects of parameters of updaters and metrics.
const OWN: &[&str] = &[
    "aft_loss_param",
    "colmaker_train_param",
    "coordinate_param",
    "cpu_hist_train_param",
    "gpu_hist_train_param",
    "hist_param",
    "hist_train_param",
    "lambdarank_param",
    "linear_train_param",
    "pseduo_huber_param",
    "pseudo_huber_param",
    "quantile_loss_param",
    "train_param",
];

/// What `Config` says of its model.
struct Config<'a> {
    kind: Kind,
    objective: &'a str,
    num_class: u64,
}

/// The object of a snapshot.
pub(super) fn snapshot<'a>(tokens: &mut impl Tokens<'a>) -> Result<Model<'a>, Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "Config")?;
    let at = tokens.at();
    let config = config(tokens)?;
    object.key(tokens, "Model")?;
    let model = model::read(tokens)?;
    object.close(tokens)?;
    let same = config.kind == model.kind
        && config.objective == model.objective
        && config.num_class == model.num_class;
    if !same {
        return Err(Refused::unverified(at, "Config is not that of the model"));
    }
    Ok(model)
}

fn config<'a>(tokens: &mut impl Tokens<'a>) -> Result<Config<'a>, Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "learner")?;
    let mut learner = Object::open(tokens)?;
    learner.key(tokens, "generic_param")?;
    parameters(tokens)?;
    learner.key(tokens, "gradient_booster")?;
    let kind = gradient_booster(tokens)?;
    learner.key(tokens, "learner_model_param")?;
    let num_class = model::model_param(tokens)?.num_class;
    learner.key(tokens, "learner_train_param")?;
    train_param(tokens)?;
    learner.key(tokens, "metrics")?;
    metrics(tokens)?;
    learner.key(tokens, "objective")?;
    let objective = parameters::objective(tokens, num_class)?;
    learner.close(tokens)?;
    object.key(tokens, "version")?;
    model::version(tokens)?;
    object.close(tokens)?;
    Ok(Config {
        kind,
        objective,
        num_class,
    })
}

/// XGBoost makes the booster and the objective of these names; a custom one is a known one here.
fn train_param<'a>(tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
    parameters(tokens)
}

fn gradient_booster<'a>(tokens: &mut impl Tokens<'a>) -> Result<Kind, Refused> {
    let mut object = Object::open(tokens)?;
    if object.optional(tokens, "dart_train_param")? {
        parameters(tokens)?;
        object.key(tokens, "gbtree")?;
        let gbtree = Object::open(tokens)?;
        self::gbtree(tokens, gbtree)?;
        object.key(tokens, "name")?;
        name(tokens, "dart")?;
        object.close(tokens)?;
        return Ok(Kind::Dart);
    }
    if object.optional(tokens, "gblinear_train_param")? {
        parameters(tokens)?;
        object.key(tokens, "name")?;
        name(tokens, "gblinear")?;
        object.key(tokens, "updater")?;
        own(tokens)?;
        object.close(tokens)?;
        return Ok(Kind::Gblinear);
    }
    gbtree(tokens, object)?;
    Ok(Kind::Gbtree)
}

fn gbtree<'a>(tokens: &mut impl Tokens<'a>, mut object: Object<'a>) -> Result<(), Refused> {
    object.key(tokens, "gbtree_model_param")?;
    model::trees_param(tokens)?;
    object.key(tokens, "gbtree_train_param")?;
    gbtree_train_param(tokens)?;
    object.key(tokens, "name")?;
    name(tokens, "gbtree")?;
    object.key(tokens, "specified_updater")?;
    tokens.boolean()?;
    if object.optional(tokens, "tree_train_param")? {
        parameters(tokens)?;
    }
    object.key(tokens, "updater")?;
    updaters(tokens)?;
    object.close(tokens)
}

fn gbtree_train_param<'a>(tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
    let mut object = Object::open(tokens)?;
    while let Some(key) = object.any(tokens)? {
        let at = tokens.at();
        let value = text(tokens, key)?;
        if matches!(key, "updater" | "updater_seq") && !value.is_empty() {
            for name in value.split(',') {
                is_updater(at, name)?;
            }
        }
    }
    Ok(())
}

fn is_updater(at: usize, name: &str) -> Result<(), Refused> {
    if UPDATERS.contains(&name) {
        return Ok(());
    }
    Err(Refused::unsupported(at, "updater of XGBoost", name))
}

/// Before 2.0 an object, then a list.
fn updaters<'a>(tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
    let start = tokens.at();
    let mut count = 0_u64;
    if tokens.is_object() {
        let mut object = Object::open(tokens)?;
        while let Some(name) = object.any(tokens)? {
            is_updater(tokens.at(), name)?;
            own(tokens)?;
        }
        return Ok(());
    }
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        let at = tokens.at();
        let name = named(tokens)?;
        is_updater(at, name)?;
        count = items.taken();
        if count > MOST_UPDATERS {
            break;
        }
    }
    if count > MOST_UPDATERS {
        let what = "updaters of a booster";
        return Err(Refused::limit(start, what, count, MOST_UPDATERS));
    }
    Ok(())
}

fn metrics<'a>(tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
    let mut items = Items::open(tokens)?;
    while items.more(tokens)? {
        let at = tokens.at();
        let name = named(tokens)?;
        // `ndcg@3-`: what is behind the sign is a parameter.
        let (word, parameter) = name.split_once('@').unwrap_or((name, "0"));
        let is_number = parameter
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".-eE+".contains(&byte));
        let word = word.strip_suffix('-').unwrap_or(word);
        if !METRICS.contains(&word) || !is_number || parameter.len() > 32 {
            return Err(Refused::unsupported(at, "metric of XGBoost", name));
        }
    }
    Ok(())
}

/// A name with objects of parameters.
fn named<'a>(tokens: &mut impl Tokens<'a>) -> Result<&'a str, Refused> {
    let mut name = None;
    let mut object = Object::open(tokens)?;
    while let Some(key) = object.any(tokens)? {
        if key == "name" {
            name = Some(tokens.text()?);
        } else {
            one_of_own(tokens, key)?;
        }
    }
    name.ok_or_else(|| Object::unknown(tokens))
}

/// Objects of parameters without a name.
fn own<'a>(tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
    let mut object = Object::open(tokens)?;
    while let Some(key) = object.any(tokens)? {
        one_of_own(tokens, key)?;
    }
    Ok(())
}

fn one_of_own<'a>(tokens: &mut impl Tokens<'a>, key: &str) -> Result<(), Refused> {
    if OWN.contains(&key) {
        parameters(tokens)
    } else {
        Err(Object::unknown(tokens))
    }
}
