//! The check of values: what native code follows without looking is looked at here first.
//!
//! One row per class in [`VERIFIERS`], one file per native type. A verifier sees one object of its
//! class, with everything below it, and refuses what its native code would follow blindly. Its doc
//! comment names the source that it was read from.

mod arrays;
mod attributes;
mod binary_tree;
mod birch;
mod brute_force;
mod calls;
mod catboost;
mod clusters;
mod decomposition;
mod distance_metric;
mod encoders;
mod fitted;
mod hist_gradient_boosting;
mod holders;
mod libsvm;
mod lightgbm;
mod linear_losses;
mod linear_models;
mod neighbors_estimators;
mod one_vs_rest;
mod parameters;
mod quantile_forest;
mod random;
mod regex;
mod sparse;
mod spline;
mod tree;
mod tree_estimators;
mod value;
mod vocabulary;
mod xgboost;

pub(crate) use arrays::is_scalar;

use crate::error::{Error, Location};
use crate::graph::{GlobalId, Graph, Node, NodeId};
use crate::limits::at_most;
pub(crate) use tree::{NativeWalk, Walked, node_arrays};
pub(crate) use value::{ArrayView, Arrays, Value, Work};

#[cfg(test)]
pub(crate) use tree::tests as tree_tests;

/// Which rule a value breaks, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) node: NodeId,
    pub(crate) what: &'static str,
}

/// Checks one object of a class: `Ok` where native code may see it.
pub(crate) type Verify = fn(Value<'_>) -> Result<(), Refusal>;

/// Every class whose values native code relies on, sorted by full name.
pub(crate) const VERIFIERS: &[(&str, Verify)] = &[
    ("_loss.CyAbsoluteError", linear_losses::verify),
    ("_loss.CyExponentialLoss", linear_losses::verify),
    ("_loss.CyHalfBinomialLoss", linear_losses::verify),
    ("_loss.CyHalfGammaLoss", linear_losses::verify),
    ("_loss.CyHalfMultinomialLoss", linear_losses::verify),
    ("_loss.CyHalfPoissonLoss", linear_losses::verify),
    ("_loss.CyHalfSquaredError", linear_losses::verify),
    ("_loss.CyHalfTweedieLoss", linear_losses::verify),
    ("_loss.CyHalfTweedieLossIdentity", linear_losses::verify),
    ("_loss.CyHuberLoss", linear_losses::verify),
    ("_loss.CyPinballLoss", linear_losses::verify),
    ("builtins.frozenset", calls::items),
    ("builtins.range", calls::range),
    ("catboost.core.CatBoost", catboost::estimator),
    ("catboost.core.CatBoostClassifier", catboost::estimator),
    ("catboost.core.CatBoostRanker", catboost::estimator),
    ("catboost.core.CatBoostRegressor", catboost::estimator),
    ("collections.Counter", calls::items),
    ("collections.OrderedDict", calls::items),
    ("lightgbm.basic.Booster", lightgbm::booster),
    ("lightgbm.basic._InnerPredictor", lightgbm::predictor),
    ("lightgbm.sklearn.LGBMClassifier", lightgbm::estimator),
    ("lightgbm.sklearn.LGBMModel", lightgbm::estimator),
    ("lightgbm.sklearn.LGBMRanker", lightgbm::estimator),
    ("lightgbm.sklearn.LGBMRegressor", lightgbm::estimator),
    ("numpy.ma.MaskedArray", calls::masked),
    ("numpy.ma.core.MaskedArray", calls::masked),
    ("numpy.random.BitGenerator", random::refuse_alone),
    ("numpy.random.Generator", random::verify),
    ("numpy.random.MT19937", random::refuse_alone),
    ("numpy.random.PCG64", random::refuse_alone),
    ("numpy.random.PCG64DXSM", random::refuse_alone),
    ("numpy.random.Philox", random::refuse_alone),
    ("numpy.random.RandomState", random::verify),
    ("numpy.random.SFC64", random::refuse_alone),
    ("numpy.random.SeedSequence", random::refuse_alone),
    ("numpy.random._generator.Generator", random::verify),
    ("numpy.random._mt19937.MT19937", random::refuse_alone),
    ("numpy.random._pcg64.PCG64", random::refuse_alone),
    ("numpy.random._pcg64.PCG64DXSM", random::refuse_alone),
    ("numpy.random._philox.Philox", random::refuse_alone),
    ("numpy.random._sfc64.SFC64", random::refuse_alone),
    (
        "numpy.random.bit_generator.BitGenerator",
        random::refuse_alone,
    ),
    (
        "numpy.random.bit_generator.SeedSequence",
        random::refuse_alone,
    ),
    (
        "numpy.random.bit_generator.SeedlessSeedSequence",
        random::refuse_alone,
    ),
    ("numpy.random.mtrand.RandomState", random::verify),
    (
        "quantile_forest._quantile_forest.ExtraTreesQuantileRegressor",
        quantile_forest::estimator,
    ),
    (
        "quantile_forest._quantile_forest.RandomForestQuantileRegressor",
        quantile_forest::estimator,
    ),
    (
        "quantile_forest._quantile_forest_fast.QuantileForest",
        quantile_forest::forest,
    ),
    ("scipy.interpolate._bsplines.BSpline", spline::verify),
    ("scipy.sparse._bsr.bsr_array", sparse::verify),
    ("scipy.sparse._bsr.bsr_matrix", sparse::verify),
    ("scipy.sparse._coo.coo_array", sparse::verify),
    ("scipy.sparse._coo.coo_matrix", sparse::verify),
    ("scipy.sparse._csc.csc_array", sparse::verify),
    ("scipy.sparse._csc.csc_matrix", sparse::verify),
    ("scipy.sparse._csr.csr_array", sparse::verify),
    ("scipy.sparse._csr.csr_matrix", sparse::verify),
    ("scipy.sparse._dia.dia_array", sparse::verify),
    ("scipy.sparse._dia.dia_matrix", sparse::verify),
    ("scipy.sparse._dok.dok_array", sparse::verify),
    ("scipy.sparse._dok.dok_matrix", sparse::verify),
    ("scipy.sparse._lil.lil_array", sparse::verify),
    ("scipy.sparse._lil.lil_matrix", sparse::verify),
    ("sklearn._loss._loss.CyAbsoluteError", linear_losses::verify),
    (
        "sklearn._loss._loss.CyExponentialLoss",
        linear_losses::verify,
    ),
    (
        "sklearn._loss._loss.CyHalfBinomialLoss",
        linear_losses::verify,
    ),
    ("sklearn._loss._loss.CyHalfGammaLoss", linear_losses::verify),
    (
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        linear_losses::verify,
    ),
    (
        "sklearn._loss._loss.CyHalfPoissonLoss",
        linear_losses::verify,
    ),
    (
        "sklearn._loss._loss.CyHalfSquaredError",
        linear_losses::verify,
    ),
    (
        "sklearn._loss._loss.CyHalfTweedieLoss",
        linear_losses::verify,
    ),
    (
        "sklearn._loss._loss.CyHalfTweedieLossIdentity",
        linear_losses::verify,
    ),
    ("sklearn._loss._loss.CyHuberLoss", linear_losses::verify),
    ("sklearn._loss._loss.CyPinballLoss", linear_losses::verify),
    (
        "sklearn.cluster._agglomerative.FeatureAgglomeration",
        clusters::verify_feature_agglomeration,
    ),
    ("sklearn.cluster._birch.Birch", birch::verify),
    (
        "sklearn.cluster._bisect_k_means.BisectingKMeans",
        clusters::verify,
    ),
    (
        "sklearn.cluster._hdbscan.hdbscan.HDBSCAN",
        clusters::verify_hdbscan,
    ),
    ("sklearn.cluster._kmeans.KMeans", clusters::verify),
    ("sklearn.cluster._kmeans.MiniBatchKMeans", clusters::verify),
    (
        "sklearn.decomposition._dict_learning.DictionaryLearning",
        decomposition::verify_dictionary,
    ),
    (
        "sklearn.decomposition._dict_learning.MiniBatchDictionaryLearning",
        decomposition::verify_dictionary,
    ),
    (
        "sklearn.decomposition._lda.LatentDirichletAllocation",
        decomposition::verify_dirichlet,
    ),
    (
        "sklearn.ensemble._gb.GradientBoostingClassifier",
        tree_estimators::gradient_boosting,
    ),
    (
        "sklearn.ensemble._gb.GradientBoostingRegressor",
        tree_estimators::gradient_boosting,
    ),
    (
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        hist_gradient_boosting::bin_mapper,
    ),
    (
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
        hist_gradient_boosting::estimator,
    ),
    (
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
        hist_gradient_boosting::estimator,
    ),
    (
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        hist_gradient_boosting::predictor,
    ),
    (
        "sklearn.feature_extraction._dict_vectorizer.DictVectorizer",
        vocabulary::verify,
    ),
    (
        "sklearn.feature_extraction._hash.FeatureHasher",
        vocabulary::verify_hasher,
    ),
    (
        "sklearn.feature_extraction.text.CountVectorizer",
        vocabulary::verify,
    ),
    (
        "sklearn.feature_extraction.text.HashingVectorizer",
        vocabulary::verify_hasher,
    ),
    (
        "sklearn.feature_extraction.text.TfidfVectorizer",
        vocabulary::verify,
    ),
    (
        "sklearn.linear_model._coordinate_descent.ElasticNet",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._coordinate_descent.ElasticNetCV",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._coordinate_descent.Lasso",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._coordinate_descent.LassoCV",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._coordinate_descent.MultiTaskElasticNet",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._coordinate_descent.MultiTaskElasticNetCV",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._coordinate_descent.MultiTaskLasso",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._coordinate_descent.MultiTaskLassoCV",
        linear_models::verify_coordinate_descent,
    ),
    (
        "sklearn.linear_model._passive_aggressive.PassiveAggressiveClassifier",
        linear_models::verify_gradient_descent,
    ),
    (
        "sklearn.linear_model._passive_aggressive.PassiveAggressiveRegressor",
        linear_models::verify_gradient_descent,
    ),
    (
        "sklearn.linear_model._perceptron.Perceptron",
        linear_models::verify_gradient_descent,
    ),
    (
        "sklearn.linear_model._sgd_fast.EpsilonInsensitive",
        linear_losses::verify,
    ),
    (
        "sklearn.linear_model._sgd_fast.Hinge",
        linear_losses::verify,
    ),
    (
        "sklearn.linear_model._sgd_fast.Huber",
        linear_losses::verify,
    ),
    ("sklearn.linear_model._sgd_fast.Log", linear_losses::verify),
    (
        "sklearn.linear_model._sgd_fast.ModifiedHuber",
        linear_losses::verify,
    ),
    (
        "sklearn.linear_model._sgd_fast.SquaredEpsilonInsensitive",
        linear_losses::verify,
    ),
    (
        "sklearn.linear_model._sgd_fast.SquaredHinge",
        linear_losses::verify,
    ),
    (
        "sklearn.linear_model._sgd_fast.SquaredLoss",
        linear_losses::verify,
    ),
    (
        "sklearn.linear_model._stochastic_gradient.SGDClassifier",
        linear_models::verify_gradient_descent,
    ),
    (
        "sklearn.linear_model._stochastic_gradient.SGDOneClassSVM",
        linear_models::verify_gradient_descent,
    ),
    (
        "sklearn.linear_model._stochastic_gradient.SGDRegressor",
        linear_models::verify_gradient_descent,
    ),
    (
        "sklearn.metrics._dist_metrics.BrayCurtisDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.BrayCurtisDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.CanberraDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.CanberraDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.ChebyshevDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.ChebyshevDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.DiceDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.DiceDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.EuclideanDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.HammingDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.HammingDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.HaversineDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.HaversineDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.JaccardDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.JaccardDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.KulsinskiDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.KulsinskiDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.MahalanobisDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.MahalanobisDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.ManhattanDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.MatchingDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.MatchingDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.MinkowskiDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.PyFuncDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.PyFuncDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.RogersTanimotoDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.RogersTanimotoDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.RussellRaoDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.RussellRaoDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.SEuclideanDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.SEuclideanDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.SokalMichenerDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.SokalMichenerDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.SokalSneathDistance32",
        distance_metric::verify,
    ),
    (
        "sklearn.metrics._dist_metrics.SokalSneathDistance64",
        distance_metric::verify,
    ),
    (
        "sklearn.multiclass.OneVsRestClassifier",
        one_vs_rest::verify,
    ),
    ("sklearn.neighbors._ball_tree.BallTree", binary_tree::verify),
    (
        "sklearn.neighbors._ball_tree.BallTree32",
        binary_tree::verify,
    ),
    (
        "sklearn.neighbors._ball_tree.BallTree64",
        binary_tree::verify,
    ),
    (
        "sklearn.neighbors._classification.KNeighborsClassifier",
        neighbors_estimators::verify,
    ),
    (
        "sklearn.neighbors._classification.RadiusNeighborsClassifier",
        neighbors_estimators::verify,
    ),
    (
        "sklearn.neighbors._graph.KNeighborsTransformer",
        neighbors_estimators::verify,
    ),
    (
        "sklearn.neighbors._graph.RadiusNeighborsTransformer",
        neighbors_estimators::verify,
    ),
    ("sklearn.neighbors._kd_tree.KDTree", binary_tree::verify),
    ("sklearn.neighbors._kd_tree.KDTree32", binary_tree::verify),
    ("sklearn.neighbors._kd_tree.KDTree64", binary_tree::verify),
    (
        "sklearn.neighbors._lof.LocalOutlierFactor",
        neighbors_estimators::verify,
    ),
    (
        "sklearn.neighbors._regression.KNeighborsRegressor",
        neighbors_estimators::verify,
    ),
    (
        "sklearn.neighbors._regression.RadiusNeighborsRegressor",
        neighbors_estimators::verify,
    ),
    (
        "sklearn.neighbors._unsupervised.NearestNeighbors",
        neighbors_estimators::verify,
    ),
    (
        "sklearn.preprocessing._encoders.OneHotEncoder",
        encoders::verify_one_hot,
    ),
    (
        "sklearn.preprocessing._label.MultiLabelBinarizer",
        vocabulary::verify_label_cache,
    ),
    (
        "sklearn.preprocessing._polynomial.PolynomialFeatures",
        encoders::verify_polynomial,
    ),
    ("sklearn.svm._classes.NuSVC", libsvm::verify),
    ("sklearn.svm._classes.NuSVR", libsvm::verify),
    ("sklearn.svm._classes.OneClassSVM", libsvm::verify),
    ("sklearn.svm._classes.SVC", libsvm::verify),
    ("sklearn.svm._classes.SVR", libsvm::verify),
    (
        "sklearn.tree._classes.DecisionTreeClassifier",
        tree_estimators::decision_tree,
    ),
    (
        "sklearn.tree._classes.DecisionTreeRegressor",
        tree_estimators::decision_tree,
    ),
    (
        "sklearn.tree._classes.ExtraTreeClassifier",
        tree_estimators::decision_tree,
    ),
    (
        "sklearn.tree._classes.ExtraTreeRegressor",
        tree_estimators::decision_tree,
    ),
    ("sklearn.tree._tree.Tree", tree::verify),
    ("xgboost.core.Booster", xgboost::booster),
    ("xgboost.sklearn.XGBClassifier", xgboost::estimator),
    ("xgboost.sklearn.XGBModel", xgboost::estimator),
    ("xgboost.sklearn.XGBRFClassifier", xgboost::estimator),
    ("xgboost.sklearn.XGBRFRegressor", xgboost::estimator),
    ("xgboost.sklearn.XGBRanker", xgboost::estimator),
    ("xgboost.sklearn.XGBRegressor", xgboost::estimator),
];

/// The names of all classes that have a verifier, sorted.
pub fn verified_classes() -> impl Iterator<Item = &'static str> {
    VERIFIERS.iter().map(|row| row.0)
}

/// The rules of a class, where it has some.
fn row_of(name: &str) -> Option<Verify> {
    let row = VERIFIERS.binary_search_by(|row| row.0.cmp(name)).ok()?;
    VERIFIERS.get(row).map(|row| row.1)
}

/// Checks every object of the graph whose class has a row.
pub(crate) fn verify(graph: &Graph, arrays: Arrays<'_>) -> Result<(), Error> {
    let rows: Vec<Option<Verify>> = (0..graph.global_count())
        .map(|index| row_of(graph.global_name_at(index)))
        .collect();
    // Honest files are looked at a few times over; objects that share large values again and again are not.
    let bytes = arrays
        .bytes
        .iter()
        .fold(0_usize, |all, bytes| all.saturating_add(bytes.len()));
    let size = u64::try_from(bytes.saturating_add(graph.len())).unwrap_or(u64::MAX);
    let budget = size.saturating_mul(100).saturating_add(100_000_000);
    for id in graph.ids() {
        at_most(budget, arrays.work.done(), "work of verification")?;
        let Some(class) = graph.class(id) else {
            continue;
        };
        if matches!(graph.node(id), Node::Global(_) | Node::Function(_)) {
            continue;
        }
        arrays::verify(graph, arrays, id).map_err(|refusal| unverified(graph, id, refusal))?;
        let object = Value::new(graph, arrays, id);
        calls::scalar(object).map_err(|refusal| unverified(graph, id, refusal))?;
        if let Some(Some(row)) = rows.get(class.index()) {
            attributes::refuse_other_arrays(object)
                .and_then(|()| row(object))
                .map_err(|refusal| unverified(graph, id, refusal))?;
        }
        parameters::verify(object).map_err(|refusal| unverified(graph, id, refusal))?;
    }
    holders::verify(graph, arrays).map_err(|refusal| unverified(graph, refusal.node, refusal))
}

/// Checks every object of `class` by the rules of another class.
pub(crate) fn verify_as(
    graph: &Graph,
    arrays: Arrays<'_>,
    class: GlobalId,
    name: &str,
) -> Result<(), Error> {
    let Some(row) = row_of(name) else {
        return Ok(());
    };
    for id in graph.ids().filter(|&id| graph.class(id) == Some(class)) {
        if matches!(graph.node(id), Node::Global(_) | Node::Function(_)) {
            continue;
        }
        row(Value::new(graph, arrays, id)).map_err(|refusal| unverified(graph, id, refusal))?;
    }
    Ok(())
}

/// The error for a rule that `object`, or something below it, breaks.
fn unverified(graph: &Graph, object: NodeId, refusal: Refusal) -> Error {
    Error::Unverified {
        at: Location::byte(graph.entry(), graph.place(refusal.node)),
        class: graph
            .class(object)
            .map_or("", |class| graph.name(class))
            .to_owned(),
        what: refusal.what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(VERIFIERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
