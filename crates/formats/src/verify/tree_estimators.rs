//! What ties an estimator to its trees: the columns of the input that reach them, and the columns of
//! the output that they add to.
//!
//! Forests, `IsolationForest`, `RandomTreesEmbedding`, bagging and `AdaBoost` need no rule of their own.
//! They call `apply`, `decision_path`, `predict` or `predict_proba` of tree estimators, and
//! `BaseDecisionTree._validate_X_predict` (scikit-learn 1.4 to 1.9, `tree/_classes.py`) compares the
//! columns with `n_features_in_` even under `check_input=False`; what they do with the answers goes
//! through numpy's own checks.

use super::attributes::refuse_names;
use super::{Refusal, Value, tree};

/// Methods of a tree estimator that stand between the caller's input and the tree.
const TREE_METHODS: &[&str] = &[
    "__sklearn_tags__",
    "_check_n_features",
    "_validate_X_predict",
    "_validate_data",
];

/// A decision tree whose `tree_` asks for no column that its input lacks.
///
/// `BaseDecisionTree._validate_X_predict` (scikit-learn 1.9.1, `tree/_classes.py`) lets an input pass
/// that has `n_features_in_` columns, and any input where that attribute is missing; then the tree
/// reads the columns that its nodes name.
///
/// - The attributes stand in a dict under their names, and none hides a method that checks the input.
/// - Where `tree_` is set, it is a `Tree`, and `n_features_in_` is its number of features.
pub(super) fn decision_tree(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_names(estimator, TREE_METHODS)?;
    let Some(held) = estimator.get("tree_") else {
        return Ok(());
    };
    let Some(n_features) = tree::n_features(held) else {
        return Err(estimator.refuse("tree_ is not a Tree"));
    };
    if estimator.get("n_features_in_").and_then(Value::int) != Some(n_features) {
        return Err(estimator.refuse("n_features_in_ is not the number of features of tree_"));
    }
    Ok(())
}

/// The class of the trees of gradient boosting.
const REGRESSOR: &str = "sklearn.tree._classes.DecisionTreeRegressor";

/// What decides on the shape of the raw predictions before the first tree.
const BOOSTING_METHODS: &[&str] = &[
    "__sklearn_tags__",
    "_estimator_type",
    "_get_tags",
    "_more_tags",
    "_raw_predict",
    "_raw_predict_init",
    "_staged_raw_predict",
];

/// Gradient boosting whose trees stay inside the input and inside the raw predictions.
///
/// `_raw_predict` (scikit-learn 1.9.1, `ensemble/_gb.py`; 1.4 to 1.8 do the same) has
/// `estimators_[0, 0]` check the columns of the input and `init_` make the raw predictions, then calls
/// `predict_stages` (`ensemble/_gradient_boosting.pyx`), which takes the node pointers of every
/// `estimators_[i, k].tree_` (also of `None`), reads the columns that the nodes name, and writes to
/// column `k` of one row of raw predictions for each row of input, all without a look.
///
/// - `estimators_` has two dimensions, and each item is a `DecisionTreeRegressor` with a `Tree` that
///   asks for no more features than `n_features_in_` of the first.
/// - `init_` gives one row per row of input, and a column for each column of `estimators_`: it is
///   "zero" with `n_trees_per_iteration_` columns, a dummy estimator, a tree, a forest or a linear
///   model whose attributes say so.
/// - Except after "zero", `_loss` is a loss of scikit-learn with one of its links, which keep that
///   shape.
pub(super) fn gradient_boosting(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_names(estimator, BOOSTING_METHODS)?;
    let Some(held) = estimator.get("estimators_") else {
        return Ok(());
    };
    let two = |shape: Vec<i64>| <[i64; 2]>::try_from(shape).ok();
    let Some([stages, columns]) = held.object_shape().and_then(two) else {
        return Err(estimator.refuse("estimators_ is not an array of two dimensions"));
    };
    let trees = held.items().unwrap_or_default();
    let Some(&first) = trees.first() else {
        return Err(estimator.refuse("estimators_ is empty"));
    };
    if i64::try_from(trees.len()).ok() != stages.checked_mul(columns) {
        return Err(estimator.refuse("estimators_ has not the shape that it says"));
    }
    let checked = first
        .get("n_features_in_")
        .and_then(Value::int)
        .unwrap_or(0);
    for item in trees {
        let n_features = item.get("tree_").and_then(tree::n_features);
        if item.class() != Some(REGRESSOR) {
            return Err(item.refuse("an item of estimators_ is not a DecisionTreeRegressor"));
        }
        if n_features.is_none_or(|n_features| n_features > checked) {
            return Err(
                item.refuse("a tree has more features than the first, which checks the input")
            );
        }
    }
    raw_predictions(estimator, columns)
}

/// Whether the raw predictions have `columns` columns.
fn raw_predictions(estimator: Value<'_>, columns: i64) -> Result<(), Refusal> {
    let Some(init) = estimator.get("init_") else {
        return Err(estimator.refuse("init_ is missing"));
    };
    if init.text() == Some("zero") {
        let zeros = estimator.get("n_trees_per_iteration_").and_then(Value::int);
        return if zeros.is_some_and(|zeros| zeros >= columns) {
            Ok(())
        } else {
            Err(estimator.refuse("n_trees_per_iteration_ is less than the columns of estimators_"))
        };
    }
    let multiclass = keeps_shape(estimator)?;
    let Some(class) = init.class() else {
        return Err(estimator.refuse("init_ is neither an estimator nor zero"));
    };
    refuse_names(init, INIT_METHODS)?;
    let made = if estimator.class() == Some("sklearn.ensemble._gb.GradientBoostingClassifier") {
        // For two classes, numpy takes column 1 of the probabilities.
        probability_columns(init, class).map(|made| if multiclass { made } else { 1 })
    } else {
        prediction_columns(init, class)
    };
    match made {
        Some(made) if made >= columns => Ok(()),
        Some(_) => Err(init.refuse("init_ gives fewer columns than estimators_ has")),
        None => Err(init.refuse("init_ is an estimator whose output is not known before it runs")),
    }
}

/// Whether `_loss` tells more than two classes apart; refused where `_loss.link.link` may be anything but a
/// function of each row.
fn keeps_shape(estimator: Value<'_>) -> Result<bool, Refusal> {
    let loss = estimator.get("_loss");
    let class = loss
        .and_then(Value::class)
        .and_then(|class| class.strip_prefix("sklearn._loss.loss."));
    let (Some(loss), Some(class)) = (loss, class) else {
        return Err(estimator.refuse("_loss is not a loss of scikit-learn"));
    };
    refuse_names(loss, &["is_multiclass"])?;
    let link = loss.get("link");
    let (Some(link), Some(name)) = (link, link.and_then(Value::class)) else {
        return Err(loss.refuse("the link of the loss is not one of scikit-learn"));
    };
    let name = name.strip_prefix("sklearn._loss.link.").unwrap_or_default();
    if !matches!(
        name,
        "HalfLogitLink" | "IdentityLink" | "LogLink" | "LogitLink" | "MultinomialLogit"
    ) {
        return Err(loss.refuse("the link of the loss is not one of scikit-learn"));
    }
    refuse_names(link, &["link"])?;
    Ok(class == "HalfMultinomialLoss")
}

/// Methods that make the output of an estimator that may stand as `init_`.
const INIT_METHODS: &[&str] = &[
    "_decision_function",
    "_predict_proba_lr",
    "decision_function",
    "predict",
    "predict_proba",
];

/// The fewest columns of `predict(X)`, which has as many rows as `X`; one of one dimension counts as one.
fn prediction_columns(init: Value<'_>, class: &str) -> Option<i64> {
    match class {
        // `np.full((rows, n_outputs_), constant_)`.
        "sklearn.dummy.DummyRegressor" => init.get("n_outputs_")?.int(),
        // `tree_.predict(X)[:, 0]`; a vector of zeros that each tree adds to.
        "sklearn.ensemble._forest.ExtraTreesRegressor"
        | "sklearn.ensemble._forest.RandomForestRegressor"
        | "sklearn.tree._classes.DecisionTreeRegressor"
        | "sklearn.tree._classes.ExtraTreeRegressor" => {
            (init.get("n_outputs_")?.int()? == 1).then_some(1)
        }
        // `X @ coef_ + intercept_`.
        "sklearn.linear_model._base.LinearRegression"
        | "sklearn.linear_model._coordinate_descent.ElasticNet"
        | "sklearn.linear_model._coordinate_descent.ElasticNetCV"
        | "sklearn.linear_model._coordinate_descent.Lasso"
        | "sklearn.linear_model._coordinate_descent.LassoCV"
        | "sklearn.linear_model._huber.HuberRegressor"
        | "sklearn.linear_model._ridge.Ridge"
        | "sklearn.linear_model._ridge.RidgeCV" => {
            let vector = init.get("coef_")?.array()?.shape().len() == 1;
            (vector && init.get("intercept_")?.float().is_some()).then_some(1)
        }
        _ => None,
    }
}

/// The fewest columns of `predict_proba(X)`, which has as many rows as `X`.
fn probability_columns(init: Value<'_>, class: &str) -> Option<i64> {
    match class {
        // Zeros or ones of `(rows, n_classes_)`, or one `class_prior_` per row.
        "sklearn.dummy.DummyClassifier" => {
            let n_classes = init.get("n_classes_")?.int()?;
            let prior = init.get("class_prior_")?.array()?;
            let one = init.get("n_outputs_")?.int()? == 1;
            (one && prior.shape().len() == 1 && i64::try_from(prior.len()) == Ok(n_classes))
                .then_some(n_classes)
        }
        // Zeros of `(rows, n_classes_)` that each tree adds to.
        "sklearn.ensemble._forest.ExtraTreesClassifier"
        | "sklearn.ensemble._forest.RandomForestClassifier" => init.get("n_classes_")?.int(),
        // The first `n_classes_` columns of `tree_.predict(X)`.
        "sklearn.tree._classes.DecisionTreeClassifier"
        | "sklearn.tree._classes.ExtraTreeClassifier" => {
            let n_classes = init.get("n_classes_")?.int()?;
            let widest = i64::try_from(tree::max_n_classes(init.get("tree_")?)?).ok()?;
            (init.get("n_outputs_")?.int()? == 1 && n_classes >= 1).then_some(n_classes.min(widest))
        }
        // One column per row of `coef_`, or two where it has one.
        "sklearn.linear_model._logistic.LogisticRegression"
        | "sklearn.linear_model._logistic.LogisticRegressionCV" => {
            let coef = init.get("coef_")?.array()?;
            let [rows, _] = *coef.shape() else {
                return None;
            };
            let matches = init.get("intercept_")?.array()?.shape() == [rows];
            matches.then(|| i64::try_from(rows).ok())?
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::super::tree::tests::{tree, tree_of};
    use super::*;

    fn object(class: &'static str, attributes: Vec<(&'static str, Given)>) -> Given {
        Given::Object(class, Box::new(Given::Dict(attributes)))
    }

    fn regressor(n_features: i64) -> Given {
        let tree = ("tree_", tree_of(n_features));
        object(
            REGRESSOR,
            vec![("n_features_in_", Given::Int(n_features)), tree],
        )
    }

    #[test]
    fn each_rule_of_a_decision_tree_is_held() {
        const FEATURES: &str = "n_features_in_ is not the number of features of tree_";
        assert_eq!(regressor(3).refusal(decision_tree), None);
        assert_eq!(object(REGRESSOR, vec![]).refusal(decision_tree), None);
        for (name, value, what) in [
            ("n_features_in_", Given::Int(2), FEATURES),
            ("n_features_in_", Given::Float(3.0), FEATURES),
            ("tree_", Given::None, "tree_ is not a Tree"),
            (
                "tree_",
                object("sklearn.dummy.DummyRegressor", vec![]),
                "tree_ is not a Tree",
            ),
            (
                "_validate_X_predict",
                Given::Global("numpy.maximum"),
                "an attribute has the name of a method or constant of its class",
            ),
        ] {
            let mut changed = regressor(3);
            changed.set(name, value);
            assert_eq!(changed.refusal(decision_tree), Some(what), "{name}");
        }
        let mut changed = regressor(3);
        changed.remove("n_features_in_");
        assert_eq!(changed.refusal(decision_tree), Some(FEATURES));
    }

    fn loss(class: &'static str, link: &'static str) -> Given {
        object(
            class,
            vec![("link", Given::Object(link, Box::new(Given::None)))],
        )
    }

    fn dummy(n_classes: usize) -> Given {
        object(
            "sklearn.dummy.DummyClassifier",
            vec![
                ("n_outputs_", Given::Int(1)),
                ("n_classes_", Given::Int(i64::try_from(n_classes).unwrap())),
                ("class_prior_", Given::zeros(&[n_classes])),
            ],
        )
    }

    /// Two stages of three classes.
    fn classifier() -> Given {
        let stage = || [regressor(3), regressor(2), regressor(3)];
        object(
            "sklearn.ensemble._gb.GradientBoostingClassifier",
            vec![
                (
                    "estimators_",
                    Given::Objects(vec![2, 3], [stage(), stage()].concat()),
                ),
                ("n_trees_per_iteration_", Given::Int(3)),
                ("init_", dummy(3)),
                (
                    "_loss",
                    loss(
                        "sklearn._loss.loss.HalfMultinomialLoss",
                        "sklearn._loss.link.MultinomialLogit",
                    ),
                ),
            ],
        )
    }

    #[test]
    fn each_rule_of_a_boosted_classifier_is_held() {
        const SHAPE: &str = "estimators_ has not the shape that it says";
        const LINK: &str = "the link of the loss is not one of scikit-learn";
        const FEW: &str = "init_ gives fewer columns than estimators_ has";
        assert_eq!(classifier().refusal(gradient_boosting), None);
        let multinomial = "sklearn._loss.loss.HalfMultinomialLoss";
        let mut shadowed = loss(multinomial, "sklearn._loss.link.MultinomialLogit");
        shadowed.set("is_multiclass", Given::Bool(false));
        for (name, value, what) in [
            (
                "estimators_",
                Given::Objects(vec![6], vec![]),
                "estimators_ is not an array of two dimensions",
            ),
            (
                "estimators_",
                Given::Objects(vec![0, 0], vec![]),
                "estimators_ is empty",
            ),
            (
                "estimators_",
                Given::Objects(vec![2, 1], vec![regressor(3)]),
                SHAPE,
            ),
            (
                "estimators_",
                Given::Objects(vec![1, 1], vec![regressor(3), regressor(3)]),
                SHAPE,
            ),
            (
                "estimators_",
                Given::Objects(vec![1, 2], vec![regressor(2), regressor(3)]),
                "a tree has more features than the first, which checks the input",
            ),
            (
                "estimators_",
                Given::Objects(vec![1, 1], vec![object(REGRESSOR, vec![("tree_", tree())])]),
                "a tree has more features than the first, which checks the input",
            ),
            (
                "estimators_",
                Given::Objects(
                    vec![1, 1],
                    vec![object("sklearn.utils._bunch.Bunch", vec![])],
                ),
                "an item of estimators_ is not a DecisionTreeRegressor",
            ),
            ("init_", dummy(2), FEW),
            (
                "init_",
                Given::None,
                "init_ is neither an estimator nor zero",
            ),
            (
                "init_",
                object("sklearn.pipeline.Pipeline", vec![]),
                "init_ is an estimator whose output is not known before it runs",
            ),
            ("_loss", Given::None, "_loss is not a loss of scikit-learn"),
            (
                "_loss",
                loss(multinomial, "sklearn.preprocessing._data.StandardScaler"),
                LINK,
            ),
            (
                "_loss",
                loss(
                    "sklearn._loss.loss.HalfBinomialLoss",
                    "sklearn._loss.link.LogitLink",
                ),
                FEW,
            ),
            (
                "_loss",
                shadowed,
                "an attribute has the name of a method or constant of its class",
            ),
            (
                "_estimator_type",
                Given::Str("regressor"),
                "an attribute has the name of a method or constant of its class",
            ),
        ] {
            let mut changed = classifier();
            changed.set(name, value);
            assert_eq!(changed.refusal(gradient_boosting), Some(what), "{name}");
        }
        let mut changed = classifier();
        changed.remove("init_");
        assert_eq!(changed.refusal(gradient_boosting), Some("init_ is missing"));
    }

    #[test]
    fn an_output_of_init_is_counted() {
        let mut zero = classifier();
        zero.set("init_", Given::Str("zero"));
        assert_eq!(zero.refusal(gradient_boosting), None);
        zero.set("n_trees_per_iteration_", Given::Int(2));
        assert_eq!(
            zero.refusal(gradient_boosting),
            Some("n_trees_per_iteration_ is less than the columns of estimators_")
        );
        let single = |init: Given| {
            object(
                "sklearn.ensemble._gb.GradientBoostingRegressor",
                vec![
                    (
                        "estimators_",
                        Given::Objects(vec![1, 1], vec![regressor(3)]),
                    ),
                    ("init_", init),
                    (
                        "_loss",
                        loss(
                            "sklearn._loss.loss.HalfSquaredError",
                            "sklearn._loss.link.IdentityLink",
                        ),
                    ),
                ],
            )
            .refusal(gradient_boosting)
        };
        let constant = |outputs| {
            object(
                "sklearn.dummy.DummyRegressor",
                vec![("n_outputs_", Given::Int(outputs))],
            )
        };
        assert_eq!(single(constant(1)), None);
        assert_eq!(
            single(constant(0)),
            Some("init_ gives fewer columns than estimators_ has")
        );
        let linear = |coef: &[usize], intercept| {
            object(
                "sklearn.linear_model._base.LinearRegression",
                vec![("coef_", Given::zeros(coef)), ("intercept_", intercept)],
            )
        };
        let unknown = Some("init_ is an estimator whose output is not known before it runs");
        assert_eq!(single(linear(&[3], Given::Float(1.0))), None);
        assert_eq!(single(linear(&[0, 3], Given::Float(1.0))), unknown);
        assert_eq!(single(linear(&[3], Given::zeros(&[0]))), unknown);
        assert_eq!(single(dummy(3)), unknown);
    }
}
