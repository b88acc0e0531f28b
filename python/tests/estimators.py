"""Every estimator class of the installed scikit-learn, and variants of them, ready to be fitted.

``cases()`` lists them: one case for each class of ``sklearn.utils.all_estimators`` (with the
experimental ones and ``FrozenEstimator``), and one for each variant of ``VARIANTS`` whose native
or Python state differs from the default's (neighbour trees and metrics, libsvm on sparse data,
categorical splits, kernels, scorers, nested pipelines). ``fitted(case)`` gives the estimator
after ``fit`` and inputs for its methods; ``outputs(estimator, X)`` calls every method that
answers to inputs.

Works on scikit-learn 1.4 and newer. Nothing here uses nopickle.
"""

from __future__ import annotations

import functools
import inspect
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse, special
from sklearn import config_context
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import (
    AgglomerativeClustering,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MiniBatchKMeans,
)
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.decomposition import NMF, PCA, KernelPCA, SparseCoder, TruncatedSVD
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    chi2,
    f_regression,
    mutual_info_classif,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    RANSACRegressor,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDOneClassSVM,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    NearestNeighbors,
    RadiusNeighborsClassifier,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    LabelBinarizer,
    LabelEncoder,
    MinMaxScaler,
    MultiLabelBinarizer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.semi_supervised import LabelPropagation, SelfTrainingClassifier
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators

try:
    from sklearn.frozen import FrozenEstimator
except ImportError:  # scikit-learn < 1.6
    FrozenEstimator = None

SAMPLES = 60
FEATURES = 6


# Data ----------------------------------------------------------------------------------------


def _features(seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).normal(size=(SAMPLES, FEATURES))


def _classes() -> tuple[np.ndarray, np.ndarray]:
    X = _features()
    y = (np.arange(SAMPLES) % 3).astype(np.int64)
    X[np.arange(SAMPLES), y] += 2.0
    return X, y


def _two_classes() -> tuple[np.ndarray, np.ndarray]:
    X, y = _classes()
    return X, (y > 0).astype(np.int64)


def _words() -> tuple[np.ndarray, np.ndarray]:
    X, y = _classes()
    return X, np.array(["ham", "spam", "\u00fcber"])[y]


def _numbers() -> tuple[np.ndarray, np.ndarray]:
    X = _features()
    weights = np.linspace(-2.0, 3.0, FEATURES)
    return X, X @ weights + 0.1 * np.random.RandomState(1).normal(size=SAMPLES)


def _positive_numbers() -> tuple[np.ndarray, np.ndarray]:
    X, y = _numbers()
    return X, np.abs(y) + 0.5


def _two_targets() -> tuple[np.ndarray, np.ndarray]:
    X, y = _numbers()
    return X, np.column_stack([y, X[:, 0] - X[:, 1]])


def _labels_2d() -> tuple[np.ndarray, np.ndarray]:
    X, y = _classes()
    return X, np.column_stack([y == 1, y == 2]).astype(np.int64)


def _counts() -> tuple[np.ndarray, np.ndarray]:
    _, y = _classes()
    X = np.random.RandomState(2).poisson(2.0, size=(SAMPLES, FEATURES)).astype(np.float64)
    X[np.arange(SAMPLES), y] += 3.0
    return X, y


def _kernel() -> tuple[np.ndarray, np.ndarray]:
    X, y = _classes()
    return np.exp(-0.2 * ((X[:, None, :] - X[None, :, :]) ** 2).sum(-1)), y


def _distances() -> tuple[np.ndarray, np.ndarray]:
    X, y = _classes()
    return np.abs(X[:, None, :] - X[None, :, :]).sum(-1), y


def _places() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(3)
    X = np.column_stack([rng.uniform(-1.5, 1.5, SAMPLES), rng.uniform(-3.0, 3.0, SAMPLES)])
    return X, (np.arange(SAMPLES) % 2).astype(np.int64)


def _bits() -> tuple[np.ndarray, np.ndarray]:
    X, y = _classes()
    return (X > 0.3).astype(np.float64), y


def _unit() -> tuple[np.ndarray, None]:
    return np.random.RandomState(4).uniform(size=(SAMPLES, FEATURES)), None


def _one_feature() -> tuple[np.ndarray, np.ndarray]:
    X, y = _numbers()
    return X[:, 0], y


def _one_column() -> tuple[np.ndarray, np.ndarray]:
    X, y = _numbers()
    return X[:, :1], y


def _gaps() -> tuple[np.ndarray, np.ndarray]:
    X, y = _classes()
    X[np.random.RandomState(5).uniform(size=X.shape) < 0.15] = np.nan
    return X, y


def _gaps_numbers() -> tuple[np.ndarray, np.ndarray]:
    X, y = _numbers()
    X[np.random.RandomState(5).uniform(size=X.shape) < 0.15] = np.nan
    return X, y


def _strings() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(6)
    X = np.empty((SAMPLES, 3), dtype=object)
    X[:, 0] = np.array(["red", "green", "blue", "\u8d64"], dtype=object)[
        rng.randint(4, size=SAMPLES)
    ]
    X[:, 1] = np.array(["s", "m", "l"], dtype=object)[rng.randint(3, size=SAMPLES)]
    X[:, 2] = rng.randint(5, size=SAMPLES)
    return X, (np.arange(SAMPLES) % 2).astype(np.int64)


def _categories() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(7)
    X, y = _classes()
    X[:, 1] = rng.randint(7, size=SAMPLES)
    X[:, 3] = (y + rng.randint(2, size=SAMPLES)) % 3
    return X, y


def _codes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(7)
    return rng.randint(4, size=(SAMPLES, FEATURES)), (np.arange(SAMPLES) % 3).astype(np.int64)


def _sparse(data: Callable[[], tuple[Any, Any]], kind: str = "csr_matrix"):
    X, y = data()
    X = np.where(np.abs(X) > 0.7, X, 0.0)
    return getattr(sparse, kind)(X), y


TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Never jump over the lazy dog quickly!",
    "A na\u00efve caf\u00e9 serves cr\u00e8me br\u00fbl\u00e9e daily",
    "Bright vixens jump; dozy fowl quack. \U0001f98a fox",
    "Pack my box with five dozen liquor jugs",
    "The five boxing wizards jump quickly over the dog",
    "\u6771\u4eac is a city, and Kyoto is a city as well",
    "Sphinx of black quartz, judge my vow: the dog is lazy",
]


def _texts() -> tuple[list[str], np.ndarray]:
    return list(TEXTS), np.arange(len(TEXTS)) % 2


def _dicts() -> tuple[list[dict[str, Any]], None]:
    return [{"foo": 1, "bar": 2.5, "city": "Rome"}, {"foo": 3, "baz": 1, "city": "Oslo"}], None


def _images() -> tuple[np.ndarray, None]:
    rows, columns = np.mgrid[0:12, 0:10]
    image = np.stack([rows * 17 % 256, columns * 29 % 256, (rows * columns) % 256], axis=-1)
    return np.stack([image, image[::-1]]).astype(np.float64), None


def _targets() -> tuple[np.ndarray, None]:
    return np.array(["paris", "tokyo", "amsterdam", "paris", "tokyo"]), None


def _target_sets() -> tuple[list[tuple[str, ...]], None]:
    return [("sci-fi", "thriller"), ("comedy",), (), ("comedy", "thriller")], None


def _frame():
    import pandas

    X, y = _classes()
    frame = pandas.DataFrame(X[:, :3], columns=["a", "b", "\u00e7"])
    frame["size"] = pandas.Categorical(np.array(["s", "m", "l"])[np.arange(SAMPLES) % 3])
    frame["city"] = np.array(["Rome", "Oslo"], dtype=object)[np.arange(SAMPLES) % 2]
    return frame, y


def _number_frame():
    import pandas

    X, y = _classes()
    return pandas.DataFrame(X, columns=[f"feature {i}" for i in range(FEATURES)]), y


# One case -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One estimator to be fitted: its name, how to make it, and on what data."""

    name: str
    make: Callable[[], BaseEstimator]
    data: Callable[[], tuple[Any, Any]]
    fit: Callable[[Any, Any, Any], Any] | None = None

    def __str__(self) -> str:
        return self.name


def _trees(seed: int = 0):
    return [
        ("shallow", DecisionTreeClassifier(max_depth=3, random_state=seed)),
        ("logistic", LogisticRegression()),
    ]


def _tree_regressors():
    return [("tree", DecisionTreeRegressor(max_depth=3, random_state=0)), ("ridge", Ridge())]


# Arguments that an estimator needs, or that keep its fit short. A name that the installed
# scikit-learn does not know is left out.
ARGUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "AdaBoostClassifier": lambda: {"n_estimators": 5},
    "AdaBoostRegressor": lambda: {"n_estimators": 5},
    "BaggingClassifier": lambda: {"n_estimators": 4},
    "BaggingRegressor": lambda: {"n_estimators": 4},
    "BayesianGaussianMixture": lambda: {"n_components": 2},
    "BernoulliRBM": lambda: {"n_components": 4, "n_iter": 3},
    "Birch": lambda: {"n_clusters": 3, "threshold": 0.8, "branching_factor": 4},
    "BisectingKMeans": lambda: {"n_clusters": 4},
    "CCA": lambda: {"n_components": 1},
    "CalibratedClassifierCV": lambda: {"estimator": LogisticRegression(), "cv": 3},
    "ClassifierChain": lambda: {"estimator": LogisticRegression()},
    "ColumnTransformer": lambda: {
        "transformers": [("scale", StandardScaler(), [0, 1]), ("norm", Normalizer(), slice(2, 4))]
    },
    "DictionaryLearning": lambda: {"n_components": 3, "max_iter": 10},
    "EllipticEnvelope": lambda: {"random_state": 0},
    "ExtraTreesClassifier": lambda: {"n_estimators": 5},
    "ExtraTreesRegressor": lambda: {"n_estimators": 5},
    "FeatureUnion": lambda: {"transformer_list": [("scale", StandardScaler()), ("pca", PCA(2))]},
    "FixedThresholdClassifier": lambda: {"estimator": LogisticRegression()},
    "FrozenEstimator": lambda: {"estimator": LogisticRegression().fit(*_classes())},
    "GaussianMixture": lambda: {"n_components": 2},
    "GaussianRandomProjection": lambda: {"n_components": 3},
    "GradientBoostingClassifier": lambda: {"n_estimators": 4},
    "GradientBoostingRegressor": lambda: {"n_estimators": 4},
    "GraphicalLasso": lambda: {"alpha": 0.5},
    "GraphicalLassoCV": lambda: {"alphas": [0.5, 1.0], "cv": 3},
    "GridSearchCV": lambda: {
        "estimator": LogisticRegression(),
        "param_grid": {"C": [0.1, 1.0], "class_weight": [None, "balanced"]},
        "cv": 2,
    },
    "HDBSCAN": lambda: {"min_cluster_size": 4, "copy": True},
    "HalvingGridSearchCV": lambda: {
        "estimator": LogisticRegression(),
        "param_grid": {"C": [0.1, 1.0, 10.0]},
        "cv": 2,
    },
    "HalvingRandomSearchCV": lambda: {
        "estimator": LogisticRegression(),
        "param_distributions": {"C": [0.1, 1.0, 10.0]},
        "cv": 2,
    },
    "HistGradientBoostingClassifier": lambda: {"max_iter": 4, "min_samples_leaf": 5},
    "HistGradientBoostingRegressor": lambda: {"max_iter": 4, "min_samples_leaf": 5},
    "IsolationForest": lambda: {"n_estimators": 5},
    "KMeans": lambda: {"n_clusters": 3, "n_init": 2},
    "LatentDirichletAllocation": lambda: {"n_components": 2, "max_iter": 3},
    "LogisticRegressionCV": lambda: {
        "Cs": 3,
        "cv": 2,
        "use_legacy_attributes": False,
        "scoring": "neg_log_loss",
        "l1_ratios": [0.0],
        "solver": "lbfgs",
    },
    "MDS": lambda: {"n_init": 1, "max_iter": 20},
    "MLPClassifier": lambda: {"hidden_layer_sizes": (8, 4), "max_iter": 20},
    "MLPRegressor": lambda: {"hidden_layer_sizes": (8,), "max_iter": 20},
    "MiniBatchDictionaryLearning": lambda: {"n_components": 3, "max_iter": 5, "batch_size": 20},
    "MiniBatchKMeans": lambda: {"n_clusters": 3, "n_init": 2},
    "MiniBatchNMF": lambda: {"n_components": 2, "max_iter": 20},
    "MiniBatchSparsePCA": lambda: {"n_components": 2, "max_iter": 5},
    "MultiOutputClassifier": lambda: {"estimator": LogisticRegression()},
    "MultiOutputRegressor": lambda: {"estimator": Ridge()},
    "NMF": lambda: {"n_components": 2, "max_iter": 100},
    "NeighborhoodComponentsAnalysis": lambda: {"max_iter": 5},
    "OneVsOneClassifier": lambda: {"estimator": LogisticRegression()},
    "OneVsRestClassifier": lambda: {"estimator": LogisticRegression()},
    "OutputCodeClassifier": lambda: {"estimator": LogisticRegression()},
    "PLSCanonical": lambda: {"n_components": 1},
    "PLSRegression": lambda: {"n_components": 2},
    "PLSSVD": lambda: {"n_components": 1},
    "PatchExtractor": lambda: {"patch_size": (3, 3), "max_patches": 10},
    "Pipeline": lambda: {"steps": [("scale", StandardScaler()), ("clf", LogisticRegression())]},
    "QuadraticDiscriminantAnalysis": lambda: {"reg_param": 0.5},
    "QuantileTransformer": lambda: {"n_quantiles": 20},
    "RANSACRegressor": lambda: {"estimator": LinearRegression()},
    "RFE": lambda: {"estimator": LogisticRegression()},
    "RFECV": lambda: {"estimator": LogisticRegression(), "cv": 2},
    "RadiusNeighborsClassifier": lambda: {"radius": 3.0, "outlier_label": 1},
    "RadiusNeighborsRegressor": lambda: {"radius": 30.0},
    "RandomForestClassifier": lambda: {"n_estimators": 5},
    "RandomForestRegressor": lambda: {"n_estimators": 5},
    "RandomTreesEmbedding": lambda: {"n_estimators": 4},
    "RandomizedSearchCV": lambda: {
        "estimator": LogisticRegression(),
        "param_distributions": {"C": [0.1, 1.0, 10.0]},
        "n_iter": 2,
        "cv": 2,
    },
    "RegressorChain": lambda: {"estimator": Ridge()},
    "SelectFdr": lambda: {"alpha": 0.9},
    "SelectFpr": lambda: {"alpha": 0.9},
    "SelectFromModel": lambda: {"estimator": SGDRegressor(random_state=0)},
    "SelectFwe": lambda: {"alpha": 0.9},
    "SelectKBest": lambda: {"k": 2},
    "SelfTrainingClassifier": lambda: {"estimator": LogisticRegression()},
    "SequentialFeatureSelector": lambda: {
        "estimator": LogisticRegression(),
        "n_features_to_select": 2,
        "cv": 2,
    },
    "SkewedChi2Sampler": lambda: {"skewedness": 20.0, "n_components": 4},
    "SparseCoder": lambda: {
        "dictionary": np.random.RandomState(8).normal(size=(4, FEATURES)),
        "transform_algorithm": "lasso_lars",
    },
    "SparsePCA": lambda: {"n_components": 2, "max_iter": 5},
    "SparseRandomProjection": lambda: {"n_components": 3},
    "SpectralBiclustering": lambda: {"n_clusters": 2},
    "SpectralClustering": lambda: {"n_clusters": 2},
    "SpectralCoclustering": lambda: {"n_clusters": 2},
    "StackingClassifier": lambda: {"estimators": _trees(), "cv": 2},
    "StackingRegressor": lambda: {"estimators": _tree_regressors(), "cv": 2},
    "TSNE": lambda: {"perplexity": 5.0, "max_iter": 250},
    "TargetEncoder": lambda: {"cv": 2},
    "TheilSenRegressor": lambda: {"max_subpopulation": 100},
    "TruncatedSVD": lambda: {"n_components": 2},
    "TunedThresholdClassifierCV": lambda: {"estimator": LogisticRegression(), "cv": 2},
    "TransformedTargetRegressor": lambda: {"regressor": Ridge()},
    "VotingClassifier": lambda: {"estimators": _trees()},
    "VotingRegressor": lambda: {"estimators": _tree_regressors()},
}

# Data of the classes that the three defaults (classes, numbers, features alone) do not fit.
DATA: dict[str, Callable[[], tuple[Any, Any]]] = {
    "AdditiveChi2Sampler": _counts,
    "BernoulliNB": _bits,
    "BernoulliRBM": _unit,
    "CCA": _two_targets,
    "CategoricalNB": _codes,
    "ClassifierChain": _labels_2d,
    "ComplementNB": _counts,
    "CountVectorizer": _texts,
    "DictVectorizer": _dicts,
    "FeatureHasher": _dicts,
    "FixedThresholdClassifier": _two_classes,
    "GammaRegressor": _positive_numbers,
    "HashingVectorizer": _texts,
    "IsotonicRegression": _one_feature,
    "KernelCenterer": _kernel,
    "LabelBinarizer": _targets,
    "LabelEncoder": _targets,
    "LatentDirichletAllocation": _counts,
    "MiniBatchNMF": _unit,
    "MissingIndicator": _gaps,
    "MultiLabelBinarizer": _target_sets,
    "MultiOutputClassifier": _labels_2d,
    "MultiOutputRegressor": _two_targets,
    "MultiTaskElasticNet": _two_targets,
    "MultiTaskElasticNetCV": _two_targets,
    "MultiTaskLasso": _two_targets,
    "MultiTaskLassoCV": _two_targets,
    "MultinomialNB": _counts,
    "NMF": _unit,
    "OneHotEncoder": _strings,
    "OrdinalEncoder": _strings,
    "PLSCanonical": _two_targets,
    "PLSRegression": _two_targets,
    "PLSSVD": _two_targets,
    "PatchExtractor": _images,
    "PoissonRegressor": _positive_numbers,
    "RegressorChain": _two_targets,
    "SimpleImputer": _gaps,
    "KNNImputer": _gaps,
    "IterativeImputer": _gaps,
    "SkewedChi2Sampler": _unit,
    "TargetEncoder": _strings,
    "TfidfTransformer": _counts,
    "TfidfVectorizer": _texts,
    "TunedThresholdClassifierCV": _two_classes,
    "TweedieRegressor": _positive_numbers,
}


def estimator_classes() -> list[type[BaseEstimator]]:
    """Every estimator class of the installed scikit-learn, by name.

    What ``sklearn.utils.all_estimators`` lists, the experimental estimators among them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classes = dict(all_estimators())
    if FrozenEstimator is not None:
        classes["FrozenEstimator"] = FrozenEstimator
    return [classes[name] for name in sorted(classes)]


def _make(cls: type[BaseEstimator]) -> BaseEstimator:
    known = inspect.signature(cls.__init__).parameters
    arguments = ARGUMENTS.get(cls.__name__, dict)()
    if "n_alphas" in known:
        arguments["n_alphas"] = 5
    elif "alphas" in known and known["alphas"].default in (100, "warn"):
        arguments["alphas"] = 5  # scikit-learn >= 1.9
    if "random_state" in known:
        arguments["random_state"] = 0
    if "estimator" in arguments and "estimator" not in known:
        arguments["base_estimator"] = arguments.pop("estimator")  # scikit-learn < 1.6
    return cls(**{name: value for name, value in arguments.items() if name in known})


def _data_of(cls: type[BaseEstimator]) -> Callable[[], tuple[Any, Any]]:
    if cls.__name__ in DATA:
        return DATA[cls.__name__]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _numbers if is_regressor(_make(cls)) else _classes


def _nested_pipeline() -> Pipeline:
    polynomials = FeatureUnion(
        [
            ("squares", PolynomialFeatures()),
            ("cubes", PolynomialFeatures(degree=3, include_bias=False)),
        ]
    )
    scaled = Pipeline([("polynomials", polynomials), ("scale", MinMaxScaler())])
    features = FeatureUnion(
        [("scaler", StandardScaler()), ("scaled", scaled)], transformer_weights={"scaler": 0.5}
    )
    return Pipeline([("features", features), ("clf", LogisticRegression(solver="liblinear"))])


def _columns() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("one", Normalizer(norm="l1"), [0]),
            ("two", StandardScaler(), [1, 2]),
            ("mask", MinMaxScaler(), [True, False, False, True, False, False]),
            ("array", StandardScaler(), np.array([1, 2])),
            ("slice", PCA(2), slice(3)),
            ("stepped", Normalizer(), slice(-4, -1, 2)),
            ("dropped", "drop", [5]),
        ],
        remainder=StandardScaler(),
        transformer_weights={"two": 2.0},
    )


def _frame_columns() -> Pipeline:
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), make_column_selector(dtype_include="number")),
            ("size", OneHotEncoder(handle_unknown="ignore"), ["size"]),
            ("city", OrdinalEncoder(), ["city"]),
        ],
        remainder="passthrough",
    )
    return Pipeline([("columns", columns), ("clf", RandomForestClassifier(3, random_state=0))])


def _kernels() -> dict[str, Callable[[], kernels.Kernel]]:
    return {
        "sum": lambda: (
            kernels.ConstantKernel(2.0) * kernels.RBF([1.0] * FEATURES) + kernels.WhiteKernel(0.1)
        ),
        "matern": lambda: kernels.Matern(length_scale=2.0, nu=1.5),
        "quadratic": lambda: kernels.RationalQuadratic() ** 2.0,
        "periodic": lambda: kernels.ExpSineSquared(1.0, 5.0, periodicity_bounds=(1e-2, 1e1)),
        "dot": lambda: kernels.DotProduct(sigma_0_bounds="fixed") + kernels.WhiteKernel(),
        "pairwise": lambda: kernels.PairwiseKernel(metric="rbf", gamma=0.5),
    }


def _routed() -> BaseEstimator:
    with config_context(enable_metadata_routing=True):
        return GridSearchCV(
            LogisticRegression()
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight="weights"),
            {"C": [0.1, 1.0]},
            cv=2,
        )


def _frame_output() -> BaseEstimator:
    return make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas")


def _isotonic_calibration() -> BaseEstimator:
    return CalibratedClassifierCV(
        LinearSVC(random_state=0), method="isotonic", cv=2, ensemble=False
    )


def _partial_fit(estimator: Any, X: Any, y: Any) -> Any:
    for rows in np.array_split(np.arange(len(y)), 3):
        estimator.partial_fit(X[rows], y[rows], classes=np.unique(y))
    return estimator


def _weighted(estimator: Any, X: Any, y: Any) -> Any:
    return estimator.fit(X, y, sample_weight=np.linspace(0.5, 2.0, len(y)))


METRICS = {
    "euclidean": (_classes, {}),
    "manhattan": (_classes, {}),
    "chebyshev": (_classes, {}),
    "minkowski": (_classes, {"p": 3}),
    "infinity": (_classes, {"metric": "minkowski", "p": np.inf}),
}

BALL_METRICS = {
    "haversine": (_places, {}),
    "hamming": (_codes, {}),
    "canberra": (_counts, {}),
    "braycurtis": (_counts, {}),
    "jaccard": (_bits, {}),
    "dice": (_bits, {}),
    "seuclidean": (_classes, {"metric_params": {"V": np.linspace(0.5, 2.0, FEATURES)}}),
    "mahalanobis": (
        _classes,
        {"metric_params": {"VI": np.diag(np.linspace(0.5, 2.0, FEATURES))}},
    ),
    "weighted": (
        _classes,
        {"metric": "minkowski", "metric_params": {"w": np.linspace(0.5, 2.0, FEATURES)}},
    ),
}


def _variants() -> list[Case]:
    """Estimators whose state differs in kind from the one that their defaults make."""
    found: list[Case] = []

    def add(name, make, data=_classes, fit=None):
        found.append(Case(name, make, data, fit))

    # Nesting
    add("Pipeline-nested", _nested_pipeline, _two_classes)
    add("Pipeline-frame", _frame_columns, _frame)
    add("Pipeline-pandas-output", _frame_output, _number_frame)
    add("ColumnTransformer-columns", _columns)
    add(
        "TransformedTargetRegressor-functions",
        lambda: TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
        _positive_numbers,
    )
    add(
        "TransformedTargetRegressor-transformer",
        lambda: TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
        _numbers,
    )

    # Searches
    add(
        "GridSearchCV-forest",
        lambda: GridSearchCV(
            RandomForestClassifier(3, random_state=0),
            {"max_depth": [2, None]},
            cv=2,
            return_train_score=True,
        ),
    )
    add(
        "GridSearchCV-scorers",
        lambda: GridSearchCV(
            LogisticRegression(),
            {"C": [0.1, 1.0]},
            cv=StratifiedKFold(2, shuffle=True, random_state=0),
            scoring={"accuracy": "accuracy", "f1": make_scorer(f1_score, average="macro")},
            refit="f1",
        ),
    )
    add(
        "GridSearchCV-pipeline",
        lambda: GridSearchCV(
            make_pipeline(StandardScaler(), SVC()),
            {"svc__C": [0.5, 1.0], "svc__kernel": ["rbf", "linear"]},
            cv=KFold(2),
            scoring="balanced_accuracy",
        ),
    )
    add(
        "GridSearchCV-estimators",
        lambda: GridSearchCV(
            Pipeline([("clf", LogisticRegression())]),
            {"clf": [LogisticRegression(), GaussianNB(), KNeighborsClassifier(3)]},
            cv=2,
        ),
    )
    add(
        "RandomizedSearchCV-shuffle",
        lambda: RandomizedSearchCV(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": [1, 2, 3]},
            n_iter=2,
            cv=ShuffleSplit(2, random_state=np.random.RandomState(0)),
            random_state=np.random.RandomState(1),
        ),
    )
    add(
        "HalvingGridSearchCV-tree",
        lambda: HalvingGridSearchCV(
            DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=2, random_state=0
        ),
    )
    add(
        "HalvingRandomSearchCV-tree",
        lambda: HalvingRandomSearchCV(
            DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=2, random_state=0
        ),
    )
    add("GridSearchCV-routed", _routed)

    # Neighbours: both trees, every kind of metric, brute force, sparse
    for metric, (data, options) in METRICS.items():
        for algorithm in ("kd_tree", "ball_tree"):
            add(
                f"KNeighborsClassifier-{algorithm}-{metric}",
                partial(
                    KNeighborsClassifier,
                    **{
                        "metric": metric,
                        "n_neighbors": 3,
                        "leaf_size": 5,
                        "algorithm": algorithm,
                        **options,
                    },
                ),
                data,
            )
    for metric, (data, options) in BALL_METRICS.items():
        add(
            f"KNeighborsClassifier-ball_tree-{metric}",
            partial(
                KNeighborsClassifier,
                **{
                    "metric": metric,
                    "n_neighbors": 3,
                    "leaf_size": 5,
                    "algorithm": "ball_tree",
                    **options,
                },
            ),
            data,
        )
    add(
        "KNeighborsClassifier-brute-cosine",
        lambda: KNeighborsClassifier(metric="cosine", algorithm="brute"),
    )
    add(
        "KNeighborsClassifier-precomputed",
        lambda: KNeighborsClassifier(metric="precomputed"),
        _distances,
    )
    add(
        "KNeighborsClassifier-sparse",
        lambda: KNeighborsClassifier(weights="distance"),
        partial(_sparse, _classes),
    )
    add("KNeighborsClassifier-words", lambda: KNeighborsClassifier(weights="distance"), _words)
    add(
        "KNeighborsRegressor-ball_tree",
        lambda: KNeighborsRegressor(algorithm="ball_tree"),
        _two_targets,
    )
    add(
        "RadiusNeighborsClassifier-kd_tree",
        lambda: RadiusNeighborsClassifier(3.0, algorithm="kd_tree", outlier_label="most_frequent"),
    )
    add("NearestNeighbors-kd_tree", lambda: NearestNeighbors(algorithm="kd_tree", leaf_size=2))
    add(
        "LocalOutlierFactor-novelty",
        lambda: LocalOutlierFactor(5, novelty=True, algorithm="ball_tree"),
    )
    add(
        "KernelDensity-ball_tree",
        lambda: KernelDensity(algorithm="ball_tree", kernel="tophat", bandwidth=2.0),
    )

    # Support vectors
    for kernel in ("linear", "poly", "sigmoid"):
        add(f"SVC-{kernel}", partial(SVC, kernel=kernel))
    add("SVC-precomputed", lambda: SVC(kernel="precomputed"), _kernel)
    add(
        "SVC-ovo",
        lambda: SVC(decision_function_shape="ovo", break_ties=False, class_weight="balanced"),
    )
    add("SVC-words", lambda: SVC(), _words)
    add("SVC-sparse", lambda: SVC(), partial(_sparse, _classes))
    add("SVC-sparse-array", lambda: SVC(kernel="linear"), partial(_sparse, _classes, "csr_array"))
    add("NuSVC-sparse", lambda: NuSVC(nu=0.3), partial(_sparse, _two_classes))
    add("SVR-sparse", lambda: SVR(kernel="poly"), partial(_sparse, _numbers))
    add("NuSVR-linear", lambda: NuSVR(kernel="linear"), _numbers)
    add("OneClassSVM-sparse", lambda: OneClassSVM(nu=0.2), partial(_sparse, _classes))
    add("LinearSVC-hinge", lambda: LinearSVC(loss="hinge", random_state=0), _two_classes)

    # Trees and forests
    add(
        "DecisionTreeClassifier-two-outputs",
        lambda: DecisionTreeClassifier(max_depth=4),
        _labels_2d,
    )
    add("DecisionTreeClassifier-words", lambda: DecisionTreeClassifier(max_leaf_nodes=7), _words)
    add("DecisionTreeClassifier-gaps", lambda: DecisionTreeClassifier(random_state=0), _gaps)
    add(
        "DecisionTreeClassifier-sparse",
        lambda: DecisionTreeClassifier(random_state=0),
        partial(_sparse, _classes, "csc_matrix"),
    )
    add("DecisionTreeClassifier-leaf", lambda: DecisionTreeClassifier(min_samples_split=1000))
    add(
        "DecisionTreeRegressor-monotonic",
        lambda: DecisionTreeRegressor(monotonic_cst=[1, 0, 0, -1, 0, 0], ccp_alpha=0.01),
        _numbers,
    )
    add(
        "DecisionTreeRegressor-absolute",
        lambda: DecisionTreeRegressor(criterion="absolute_error", max_depth=3),
        _two_targets,
    )
    add(
        "RandomForestClassifier-oob",
        lambda: RandomForestClassifier(
            12,
            oob_score=True,
            class_weight="balanced",
            max_samples=0.8,
            random_state=np.random.RandomState(0),
        ),
    )
    add(
        "RandomForestClassifier-two-outputs",
        lambda: RandomForestClassifier(3, random_state=0),
        _labels_2d,
    )
    add(
        "RandomForestRegressor-gaps",
        lambda: RandomForestRegressor(3, random_state=0),
        _gaps_numbers,
    )
    add(
        "RandomForestRegressor-two-targets",
        lambda: RandomForestRegressor(3, random_state=0),
        _two_targets,
    )
    add(
        "ExtraTreesClassifier-bootstrap",
        lambda: ExtraTreesClassifier(3, bootstrap=True, warm_start=True, random_state=0),
    )
    add(
        "ExtraTreesRegressor-friedman",
        lambda: ExtraTreesRegressor(
            3, max_features=2, min_weight_fraction_leaf=0.05, random_state=0
        ),
        _numbers,
        _weighted,
    )
    add(
        "RandomTreesEmbedding-dense",
        lambda: RandomTreesEmbedding(3, sparse_output=False, random_state=0),
    )
    add(
        "IsolationForest-features",
        lambda: IsolationForest(n_estimators=4, max_features=3, contamination=0.1, random_state=0),
    )

    # Boosting
    add(
        "GradientBoostingClassifier-exponential",
        lambda: GradientBoostingClassifier(loss="exponential", n_estimators=4, random_state=0),
        _two_classes,
    )
    add(
        "GradientBoostingClassifier-zero",
        lambda: GradientBoostingClassifier(
            init="zero", n_estimators=3, subsample=0.7, n_iter_no_change=2, random_state=0
        ),
    )
    add(
        "GradientBoostingClassifier-init",
        lambda: GradientBoostingClassifier(
            init=LogisticRegression(), n_estimators=3, random_state=0
        ),
    )
    for loss in ("absolute_error", "huber", "quantile"):
        add(
            f"GradientBoostingRegressor-{loss}",
            partial(GradientBoostingRegressor, loss=loss, n_estimators=3, random_state=0),
            _numbers,
        )
    add(
        "HistGradientBoostingClassifier-categories",
        lambda: HistGradientBoostingClassifier(
            max_iter=4, min_samples_leaf=3, categorical_features=[1, 3]
        ),
        _categories,
    )
    add(
        "HistGradientBoostingClassifier-frame",
        lambda: HistGradientBoostingClassifier(
            max_iter=3, min_samples_leaf=3, categorical_features=["size"]
        ),
        lambda: (_frame()[0].drop(columns="city"), _frame()[1]),
    )
    add(
        "HistGradientBoostingClassifier-gaps",
        lambda: HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3),
        _gaps,
    )
    add(
        "HistGradientBoostingClassifier-stopping",
        lambda: HistGradientBoostingClassifier(
            max_iter=5,
            early_stopping=True,
            scoring="accuracy",
            validation_fraction=0.3,
            random_state=0,
        ),
    )
    for loss in ("absolute_error", "gamma", "poisson"):
        add(
            f"HistGradientBoostingRegressor-{loss}",
            partial(HistGradientBoostingRegressor, loss=loss, max_iter=3, min_samples_leaf=5),
            _positive_numbers,
        )
    add(
        "HistGradientBoostingRegressor-quantile",
        lambda: HistGradientBoostingRegressor(
            loss="quantile",
            quantile=0.3,
            max_iter=3,
            min_samples_leaf=5,
            monotonic_cst=[1, 0, -1, 0, 0, 0],
            interaction_cst=[{0, 1}, {2, 3, 4, 5}],
        ),
        _numbers,
    )
    add(
        "AdaBoostClassifier-forest",
        lambda: AdaBoostClassifier(
            DecisionTreeClassifier(max_depth=2), n_estimators=3, random_state=0
        ),
    )

    # Meta-estimators
    add(
        "BaggingClassifier-neighbours",
        lambda: BaggingClassifier(
            KNeighborsClassifier(3, algorithm="kd_tree"),
            3,
            max_features=4,
            oob_score=False,
            random_state=0,
        ),
    )
    add(
        "StackingClassifier-passthrough",
        lambda: StackingClassifier(
            _trees(),
            final_estimator=GradientBoostingClassifier(n_estimators=2, random_state=0),
            passthrough=True,
            cv=2,
        ),
    )
    add(
        "StackingRegressor-drop",
        lambda: StackingRegressor(
            [*_tree_regressors(), ("none", "drop")], final_estimator=RidgeCV(), cv=KFold(2)
        ),
        _numbers,
    )
    add(
        "VotingClassifier-soft",
        lambda: VotingClassifier(
            _trees(), voting="soft", weights=[1.0, 2.0], flatten_transform=False
        ),
        _words,
    )
    add("CalibratedClassifierCV-isotonic", _isotonic_calibration)
    add(
        "CalibratedClassifierCV-tree",
        lambda: CalibratedClassifierCV(DecisionTreeClassifier(max_depth=2, random_state=0), cv=2),
        _words,
    )
    add(
        "OneVsRestClassifier-labels",
        lambda: OneVsRestClassifier(LinearSVC(random_state=0)),
        _labels_2d,
    )
    add("OneVsOneClassifier-svc", lambda: OneVsOneClassifier(SVC()))
    add(
        "ClassifierChain-order",
        lambda: ClassifierChain(LogisticRegression(), order="random", random_state=0),
        _labels_2d,
    )
    add(
        "MultiOutputClassifier-forest",
        lambda: MultiOutputClassifier(RandomForestClassifier(2, random_state=0)),
        _labels_2d,
    )
    add(
        "SelfTrainingClassifier-tree",
        lambda: SelfTrainingClassifier(DecisionTreeClassifier(max_depth=3, random_state=0)),
        lambda: (_classes()[0], np.where(np.arange(SAMPLES) % 5 == 0, -1, _classes()[1])),
    )
    add(
        "LabelPropagation-knn",
        lambda: LabelPropagation(kernel="knn", n_neighbors=4),
        lambda: (_classes()[0], np.where(np.arange(SAMPLES) % 5 == 0, -1, _classes()[1])),
    )
    add(
        "RANSACRegressor-tree",
        lambda: RANSACRegressor(DecisionTreeRegressor(max_depth=3), min_samples=20, random_state=0),
        _numbers,
    )
    add(
        "RFE-forest", lambda: RFE(RandomForestClassifier(2, random_state=0), n_features_to_select=3)
    )
    add(
        "SelectFromModel-forest", lambda: SelectFromModel(RandomForestClassifier(2, random_state=0))
    )
    add("SelectKBest-chi2", lambda: SelectKBest(chi2, k=2), _counts)
    add("SelectKBest-f_regression", lambda: SelectKBest(f_regression, k=2), _numbers)
    add(
        "SelectKBest-mutual", lambda: SelectKBest(partial(mutual_info_classif, random_state=0), k=2)
    )
    if FrozenEstimator is not None:
        add(
            "FrozenEstimator-forest",
            lambda: FrozenEstimator(RandomForestClassifier(2, random_state=0).fit(*_classes())),
        )

    # Kernels and Gaussian processes
    for name, kernel in _kernels().items():
        add(
            f"GaussianProcessRegressor-{name}",
            lambda kernel=kernel: GaussianProcessRegressor(
                kernel(), optimizer=None, normalize_y=True, alpha=1e-3, random_state=0
            ),
            _one_column if name == "periodic" else _numbers,
        )
    add(
        "GaussianProcessClassifier-one-vs-one",
        lambda: GaussianProcessClassifier(
            kernels.ConstantKernel() * kernels.RBF(),
            optimizer=None,
            multi_class="one_vs_one",
            random_state=0,
        ),
    )
    add("KernelRidge-rbf", lambda: KernelRidge(kernel="rbf"), _two_targets)
    add(
        "KernelPCA-inverse",
        lambda: KernelPCA(3, kernel="rbf", fit_inverse_transform=True, gamma=0.1),
    )

    # Linear models
    for loss in (
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
        "epsilon_insensitive",
        "squared_epsilon_insensitive",
    ):
        add(f"SGDClassifier-{loss}", partial(SGDClassifier, loss=loss, max_iter=20, random_state=0))
    add(
        "SGDClassifier-averaged",
        lambda: SGDClassifier(average=5, early_stopping=True, random_state=0),
        _words,
    )
    add("SGDClassifier-partial", lambda: SGDClassifier(random_state=0), _words, _partial_fit)
    add(
        "SGDRegressor-huber",
        lambda: SGDRegressor(loss="huber", learning_rate="adaptive", eta0=0.1, random_state=0),
        _numbers,
    )
    add("SGDOneClassSVM-averaged", lambda: SGDOneClassSVM(average=True, random_state=0))
    for solver in ("liblinear", "newton-cg", "newton-cholesky", "sag", "saga"):
        add(
            f"LogisticRegression-{solver}",
            partial(LogisticRegression, solver=solver, max_iter=50, random_state=0),
            _two_classes,
        )
    add(
        "LogisticRegression-words",
        lambda: LogisticRegression(class_weight={"ham": 2.0, "spam": 1.0, "\u00fcber": 1.0}),
        _words,
    )
    add(
        "LogisticRegression-single",
        lambda: LogisticRegression(),
        lambda: (_classes()[0].astype(np.float32), _classes()[1]),
    )
    add(
        "LogisticRegression-bool",
        lambda: LogisticRegression(),
        lambda: (_classes()[0], _classes()[1] > 0),
    )
    add(
        "LogisticRegressionCV-scorer",
        lambda: LogisticRegressionCV(
            Cs=2, cv=2, scoring=make_scorer(f1_score, average="macro"), solver="lbfgs"
        ),
    )
    add("LinearRegression-two-targets", lambda: LinearRegression(positive=True), _two_targets)
    add("Ridge-sparse", lambda: Ridge(solver="sparse_cg"), partial(_sparse, _two_targets))
    add(
        "TweedieRegressor-power", lambda: TweedieRegressor(power=1.5, link="log"), _positive_numbers
    )
    add(
        "IsotonicRegression-clip",
        lambda: IsotonicRegression(out_of_bounds="clip", increasing="auto", y_min=-3.0),
        _one_feature,
    )

    # Neural networks
    add(
        "MLPClassifier-stopping",
        lambda: MLPClassifier(
            (5,),
            solver="sgd",
            early_stopping=True,
            learning_rate="adaptive",
            max_iter=20,
            random_state=0,
        ),
    )
    add("MLPClassifier-words", lambda: MLPClassifier((5,), max_iter=20, random_state=0), _words)
    add(
        "MLPClassifier-labels",
        lambda: MLPClassifier((5,), solver="lbfgs", max_iter=10, random_state=0),
        _labels_2d,
    )
    add(
        "MLPRegressor-two-targets",
        lambda: MLPRegressor(
            hidden_layer_sizes=(4, 3), activation="tanh", max_iter=10, random_state=0
        ),
        _two_targets,
    )

    # Preprocessing
    add(
        "OneHotEncoder-infrequent",
        lambda: OneHotEncoder(
            min_frequency=0.2, handle_unknown="infrequent_if_exist", drop="first"
        ),
        _strings,
    )
    add(
        "OneHotEncoder-dense",
        lambda: OneHotEncoder(
            sparse_output=False, dtype=np.int32, drop="if_binary", feature_name_combiner="concat"
        ),
        _strings,
    )
    add(
        "OrdinalEncoder-unknown",
        lambda: OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        ),
        lambda: (np.array([["a", 1], ["b", np.nan], [None, 2], ["a", 3]], dtype=object), None),
    )
    add(
        "TargetEncoder-classes",
        lambda: TargetEncoder(cv=2, random_state=0),
        lambda: (_strings()[0], np.arange(SAMPLES) % 3),
    )
    add(
        "KBinsDiscretizer-kmeans",
        lambda: KBinsDiscretizer(3, encode="onehot-dense", strategy="kmeans"),
    )
    add(
        "SplineTransformer-periodic",
        lambda: SplineTransformer(n_knots=4, extrapolation="periodic", include_bias=False),
    )
    add(
        "PowerTransformer-box-cox",
        lambda: PowerTransformer("box-cox"),
        lambda: (np.abs(_features()) + 0.1, None),
    )
    add(
        "QuantileTransformer-normal",
        lambda: QuantileTransformer(
            n_quantiles=20, output_distribution="normal", random_state=np.random.RandomState(0)
        ),
    )
    add("FunctionTransformer-numpy", lambda: FunctionTransformer(np.sqrt, np.square), _unit)
    add(
        "FunctionTransformer-partial",
        lambda: FunctionTransformer(partial(np.add, 10), partial(np.add, -10)),
    )
    add("FunctionTransformer-scipy", lambda: FunctionTransformer(special.erf, special.erfinv))
    add("LabelBinarizer-sparse", lambda: LabelBinarizer(sparse_output=True), _targets)
    add("LabelEncoder-numbers", lambda: LabelEncoder(), lambda: (np.array([3, 1, 2, 3]), None))
    add("MultiLabelBinarizer-sparse", lambda: MultiLabelBinarizer(sparse_output=True), _target_sets)
    for strategy in ("median", "most_frequent", "constant"):
        add(
            f"SimpleImputer-{strategy}",
            partial(SimpleImputer, strategy=strategy, add_indicator=True),
            _gaps,
        )
    add(
        "SimpleImputer-strings",
        lambda: SimpleImputer(strategy="most_frequent", missing_values="s"),
        _strings,
    )
    add("KNNImputer-indicator", lambda: KNNImputer(n_neighbors=2, add_indicator=True), _gaps)

    # Text
    add(
        "TfidfVectorizer-ngrams",
        lambda: TfidfVectorizer(
            ngram_range=(1, 2),
            stop_words="english",
            sublinear_tf=True,
            strip_accents="unicode",
            max_df=0.9,
        ),
        _texts,
    )
    add(
        "TfidfVectorizer-single",
        lambda: TfidfVectorizer(dtype=np.float32, use_idf=False, min_df=2),
        _texts,
    )
    add(
        "CountVectorizer-vocabulary",
        lambda: CountVectorizer(vocabulary={"dog": 0, "fox": 1, "jump": 2}, binary=True),
        _texts,
    )
    add(
        "CountVectorizer-chars",
        lambda: CountVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=20),
        _texts,
    )
    add(
        "CountVectorizer-stop-words", lambda: CountVectorizer(stop_words=["the", "a", "is"]), _texts
    )
    add(
        "HashingVectorizer-signs",
        lambda: HashingVectorizer(n_features=64, alternate_sign=False),
        _texts,
    )
    add("TfidfTransformer-smooth", lambda: TfidfTransformer(smooth_idf=False), _counts)
    add(
        "Pipeline-text",
        lambda: make_pipeline(
            TfidfVectorizer(), TruncatedSVD(3, random_state=0), LogisticRegression()
        ),
        _texts,
    )

    # Decompositions and clusters
    for solver in ("arpack", "randomized", "covariance_eigh"):
        if solver != "covariance_eigh" or "covariance_eigh" in str(inspect.getsource(PCA)):
            add(f"PCA-{solver}", partial(PCA, 3, svd_solver=solver, whiten=True, random_state=0))
    add("PCA-fraction", lambda: PCA(0.9))
    add(
        "NMF-multiplicative",
        lambda: NMF(2, solver="mu", beta_loss="kullback-leibler", random_state=0),
        _unit,
    )
    add(
        "SparseCoder-threshold",
        lambda: SparseCoder(
            np.random.RandomState(8).normal(size=(4, FEATURES)), transform_algorithm="threshold"
        ),
    )
    add(
        "KMeans-sparse",
        lambda: KMeans(3, n_init=1, random_state=0, algorithm="lloyd"),
        partial(_sparse, _classes),
    )
    add(
        "KMeans-elkan",
        lambda: KMeans(3, n_init=1, random_state=np.random.RandomState(0), algorithm="elkan"),
    )
    add(
        "MiniBatchKMeans-partial",
        lambda: MiniBatchKMeans(3, n_init=1, random_state=0),
        _classes,
        lambda estimator, X, y: [estimator.partial_fit(X[:30]), estimator.partial_fit(X[30:])][-1],
    )
    add(
        "BisectingKMeans-sparse",
        lambda: BisectingKMeans(5, random_state=0),
        partial(_sparse, _classes),
    )
    add("Birch-deep", lambda: Birch(threshold=0.2, branching_factor=2, n_clusters=None))
    add("Birch-estimator", lambda: Birch(threshold=0.5, n_clusters=AgglomerativeClustering(3)))
    add(
        "Birch-partial",
        lambda: Birch(threshold=0.5, branching_factor=3),
        _classes,
        lambda estimator, X, y: [estimator.partial_fit(X[:30]), estimator.partial_fit(X[30:])][-1],
    )
    add("FeatureAgglomeration-median", lambda: FeatureAgglomeration(2, pooling_func=np.median))
    add(
        "AgglomerativeClustering-threshold",
        lambda: AgglomerativeClustering(
            n_clusters=None, distance_threshold=3.0, compute_full_tree=True
        ),
    )
    return found


# Which class an estimator of VARIANTS belongs to is the part of its name before the first "-".


@functools.cache
def cases() -> tuple[Case, ...]:
    """One case for each estimator class, then the variants. Names are unique."""
    listed = [Case(cls.__name__, partial(_make, cls), _data_of(cls)) for cls in estimator_classes()]
    listed += _variants()
    assert len({case.name for case in listed}) == len(listed), "two cases have one name"
    return tuple(listed)


def case(name: str) -> Case:
    """The case of that name."""
    return next(case for case in cases() if case.name == name)


# Classes whose ``fit``, ``transform`` and ``inverse_transform`` take what is called y elsewhere.
ONLY_TARGETS = ("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer")


@functools.cache
def fitted(name: str) -> tuple[BaseEstimator, Any]:
    """The estimator of the case ``name`` after ``fit``, and inputs for its methods.

    The same objects are given every time: a caller must not change them.
    """
    chosen = case(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y = chosen.data()
        estimator = chosen.make()
        if chosen.fit is not None:
            chosen.fit(estimator, X, y)
        elif (
            isinstance(estimator, (LabelBinarizer, LabelEncoder, MultiLabelBinarizer)) or y is None
        ):
            estimator.fit(X)
        else:
            estimator.fit(X, y)
    return estimator, X


METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score_samples",
    "apply",
    "decision_path",
    "kneighbors",
    "get_feature_names_out",
)

# What a clusterer or an embedding found, where it has no method that takes inputs.
FOUND = ("labels_", "embedding_", "rows_", "columns_", "precision_", "covariance_")


def outputs(estimator: Any, X: Any) -> dict[str, Any]:
    """What each method of the estimator answers to ``X``, by the method's name.

    A method that raises gives the exception's type and text: two estimators that are the same
    raise the same. Methods that draw random numbers from a state that they keep see a state
    that nobody used before only if each estimator is asked once.
    """
    answers: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in METHODS:
            try:
                method = getattr(estimator, name)
            except AttributeError:
                continue
            try:
                answers[name] = method() if name == "get_feature_names_out" else method(X)
            except Exception as error:
                answers[name] = (type(error).__name__, str(error))
        for name in FOUND:
            if name in vars(estimator):
                answers[name] = vars(estimator)[name]
    return answers


def is_supervised(estimator: Any) -> bool:
    """Whether the estimator is a classifier or a regressor."""
    return is_classifier(estimator) or is_regressor(estimator)


# Estimators that hold a function or a class of the user's choice, and what must be trusted then.
UNTRUSTED_VARIANTS: dict[str, tuple[Callable[[], BaseEstimator], list[str]]] = {
    "FunctionTransformer-function": (lambda: FunctionTransformer(len), ["builtins.len"]),
    "FunctionTransformer-operator": (
        lambda: FunctionTransformer(operator.methodcaller("round", 2)),
        ["operator.methodcaller"],
    ),
    "FunctionTransformer-partial": (
        lambda: FunctionTransformer(partial(max, key=len)),
        ["builtins.len", "builtins.max"],
    ),
}
