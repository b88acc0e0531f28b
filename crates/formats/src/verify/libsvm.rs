//! Support vector machines that libsvm predicts with.

use super::attributes::{count, csr_shape, dimensions, refuse_names, string, tuple};
use super::neighbors_estimators::vector_len;
use super::{Refusal, Value};
use crate::dtype::Kind;

/// Methods and constants that a prediction looks up on the instance, in scikit-learn 1.4 to 1.9.
const LOOKED_UP: &[&str] = &[
    "__sklearn_tags__",
    "_check_feature_names",
    "_check_n_features",
    "_check_proba",
    "_compute_kernel",
    "_decision_function",
    "_dense_decision_function",
    "_dense_fit",
    "_dense_predict",
    "_dense_predict_proba",
    "_get_coef",
    "_get_tags",
    "_impl",
    "_more_tags",
    "_sparse_decision_function",
    "_sparse_fit",
    "_sparse_kernels",
    "_sparse_predict",
    "_sparse_predict_proba",
    "_validate_data",
    "_validate_for_predict",
    "_validate_params",
    "_validate_targets",
    "_warn_from_fit_status",
    "coef_",
    "decision_function",
    "fit",
    "fit_predict",
    "n_support_",
    "predict",
    "predict_log_proba",
    "predict_proba",
    "score",
    "score_samples",
];

/// Attributes that `fit` sets and prediction hands to libsvm.
const FITTED: &[&str] = &[
    "_dual_coef_",
    "_intercept_",
    "_n_support",
    "_probA",
    "_probB",
    "support_",
    "support_vectors_",
];

/// Functions that give one row for each row of their first argument and one column for each row of
/// their second (`sklearn/metrics/pairwise.py`).
const KERNEL_FUNCTIONS: &[&str] = &[
    "sklearn.metrics.pairwise.additive_chi2_kernel",
    "sklearn.metrics.pairwise.chi2_kernel",
    "sklearn.metrics.pairwise.cosine_distances",
    "sklearn.metrics.pairwise.cosine_similarity",
    "sklearn.metrics.pairwise.euclidean_distances",
    "sklearn.metrics.pairwise.haversine_distances",
    "sklearn.metrics.pairwise.laplacian_kernel",
    "sklearn.metrics.pairwise.linear_kernel",
    "sklearn.metrics.pairwise.manhattan_distances",
    "sklearn.metrics.pairwise.nan_euclidean_distances",
    "sklearn.metrics.pairwise.pairwise_distances",
    "sklearn.metrics.pairwise.pairwise_kernels",
    "sklearn.metrics.pairwise.polynomial_kernel",
    "sklearn.metrics.pairwise.rbf_kernel",
    "sklearn.metrics.pairwise.sigmoid_kernel",
];

/// Objects that do so when they are called (`sklearn/gaussian_process/kernels.py`).
const KERNEL_OBJECTS: &[&str] = &[
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.DotProduct",
    "sklearn.gaussian_process.kernels.ExpSineSquared",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.PairwiseKernel",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.RationalQuadratic",
    "sklearn.gaussian_process.kernels.WhiteKernel",
];

const COEFFICIENTS: &str =
    "_dual_coef_ does not have one row less than classes and a column for each of support_";

/// `SVC`, `NuSVC`, `SVR`, `NuSVR` and `OneClassSVM`.
///
/// Each prediction makes a C model of the fitted attributes (scikit-learn 1.9.1 `svm/_base.py`,
/// `svm/_libsvm.pyx`, `_libsvm_sparse.pyx`, `svm/src/libsvm/libsvm_helper.c`: `set_model`,
/// `libsvm_sparse_helper.c`: `csr_set_model`; the same in 1.4 to 1.8) and walks it in
/// `svm/src/libsvm/svm.cpp` (`predict_values`, `predict_probability`). The number of classes is the
/// length of `_n_support`, the number of support vectors that of `support_` (sparse: rows of
/// `support_vectors_`); from these two every other length follows and none is compared. Python
/// compares the sum of `n_support_` with `support_vectors_`, for dense models that have any.
///
/// - The attributes stand in a dict, and none has the name of a method or class constant that
///   prediction uses: `_impl` says which of the two walks is taken, `_sparse_kernels` which kernel.
/// - Nothing of `fit` is there (not fitted), or all that libsvm gets is.
/// - `support_` is a vector of 32-bit integers, each a row of the training data (`shape_fit_`):
///   with a precomputed or callable kernel they are columns of the kernel matrix.
/// - `_n_support` is a vector of 32-bit integers. Classifiers: one for each of `classes_`, at least
///   two, none negative, in sum the number of support vectors: they say where each class starts.
///   Others: two (what they say is not used; in a sparse model it is uninitialised memory).
/// - `_intercept_` has one 64-bit float for each pair of classes, or one.
/// - `_probA` and `_probB` are empty or as long; not empty in a sparse model that asks for
///   probabilities, whose every prediction copies them.
/// - Dense: `support_vectors_` is a C-ordered matrix of 64-bit floats with one row for each support
///   vector and `n_features_in_` columns (any shape where the kernel is precomputed or callable),
///   `_dual_coef_` one with a row less than classes and a column for each support vector.
/// - Sparse (`_sparse`): `support_vectors_` is a CSR matrix with one row for each support vector
///   and `n_features_in_` columns, `_dual_coef_` one whose `data` and `indptr` say that it has as many
///   64-bit floats as the dense one would hold (scipy cuts `data` off where `indptr` ends); what stands in their index arrays is the rule of CSR matrices. The
///   kernel is neither precomputed nor callable.
/// - `kernel` is a name that libsvm has, or is called: then it is one of the kernel functions or
///   kernel objects of scikit-learn, or code of another package that the user trusts by name; the
///   training data that it is called with (`_BaseLibSVM__Xfit`) has `shape_fit_[0]` rows.
///   `decision_function` and `predict_proba` do not look at the shape of what a callable gives.
///
/// No rule is needed for `degree`, `_gamma`, `coef0`, `C`, `nu`, `tol`, `epsilon`, `cache_size`,
/// `shrinking`, `max_iter`, `fit_status_`: they become C numbers or a Python error, and only enter
/// sums. `dual_coef_`, `intercept_`, `offset_`, `n_iter_`, `class_weight_`,
/// `decision_function_shape` and `break_ties` are seen by Python and numpy only (`class_weight_` is
/// handed over and not read). Any float may stand in the arrays: votes are counted by comparison,
/// and `multiclass_probability` stops after a fixed number of rounds.
pub(super) fn verify(svm: Value<'_>) -> Result<(), Refusal> {
    refuse_names(svm, LOOKED_UP)?;
    if FITTED.iter().all(|name| svm.get(name).is_none()) {
        return Ok(());
    }
    let classifies = matches!(
        svm.class(),
        Some("sklearn.svm._classes.NuSVC" | "sklearn.svm._classes.SVC")
    );
    let Some(sparse) = svm.get("_sparse").and_then(Value::boolean) else {
        return Err(svm.refuse("_sparse is not a bool"));
    };

    let (fitted_rows, vectors) = verify_support(svm)?;
    let classes = verify_counts(svm, classifies, vectors)?;
    let pairs = classes.saturating_mul(classes.saturating_sub(1)) / 2;
    if floats(svm, "_intercept_") != Some([pairs]) {
        return Err(svm.refuse("_intercept_ is not one float for each pair of classes"));
    }
    verify_probability(svm, sparse, pairs)?;

    let coefficients = classes.saturating_sub(1);
    let computed = verify_kernel(svm, fitted_rows)?;
    if sparse {
        if computed {
            return Err(svm.refuse("a sparse model has a precomputed or callable kernel"));
        }
        return verify_sparse(svm, coefficients, vectors);
    }
    let Some([rows, columns]) = floats(svm, "support_vectors_") else {
        return Err(svm.refuse("support_vectors_ is not a C-ordered matrix of 64-bit floats"));
    };
    if !computed {
        if rows != vectors {
            return Err(svm.refuse("support_vectors_ does not have one row for each of support_"));
        }
        if rows > 0 && count(svm.get("n_features_in_")) != Some(columns) {
            return Err(
                svm.refuse("n_features_in_ is not the number of columns of support_vectors_")
            );
        }
    }
    if floats(svm, "_dual_coef_") != Some([coefficients, vectors]) {
        return Err(svm.refuse(COEFFICIENTS));
    }
    Ok(())
}

fn floats<const N: usize>(svm: Value<'_>, name: &str) -> Option<[usize; N]> {
    dimensions(svm.get(name), Kind::Float, 8)
}

/// The number of training rows and of support vectors.
fn verify_support(svm: Value<'_>) -> Result<(usize, usize), Refusal> {
    let fitted_rows = svm
        .get("shape_fit_")
        .and_then(tuple)
        .and_then(|shape| count(shape.first().copied()));
    let Some(fitted_rows) = fitted_rows else {
        return Err(svm.refuse("shape_fit_ is not a tuple that starts with a number of rows"));
    };
    let support = svm.get("support_");
    let Some([vectors]) = dimensions(support, Kind::Int, 4) else {
        return Err(svm.refuse("support_ is not a vector of 32-bit integers"));
    };
    let is_row = |row: i64| usize::try_from(row).is_ok_and(|row| row < fitted_rows);
    if support
        .and_then(Value::array)
        .and_then(|array| array.all_ints(is_row))
        != Some(true)
    {
        return Err(svm.refuse("support_ holds a number that is no row of the training data"));
    }
    if i32::try_from(vectors).is_err() {
        return Err(svm.refuse("support_ is longer than a C int counts"));
    }
    Ok((fitted_rows, vectors))
}

/// The number of classes, two for other than classifiers.
fn verify_counts(svm: Value<'_>, classifies: bool, vectors: usize) -> Result<usize, Refusal> {
    let counts = svm.get("_n_support");
    let Some([classes]) = dimensions(counts, Kind::Int, 4) else {
        return Err(svm.refuse("_n_support is not a vector of 32-bit integers"));
    };
    if classes < 2 || (!classifies && classes != 2) {
        return Err(svm.refuse("_n_support does not have one count for each class, or two"));
    }
    if !classifies {
        return Ok(classes);
    }
    if svm.get("classes_").and_then(vector_len) != Some(classes) {
        return Err(svm.refuse("_n_support does not have one count for each of classes_"));
    }
    let mut sum = 0_usize;
    let mut add = |count: i64| {
        let count = usize::try_from(count).ok();
        let total = count.and_then(|count| sum.checked_add(count));
        sum = total.unwrap_or(sum);
        total.is_some()
    };
    let counted = counts
        .and_then(Value::array)
        .and_then(|array| array.all_ints(&mut add))
        == Some(true);
    if !counted || sum != vectors {
        return Err(svm.refuse("_n_support does not count the support vectors"));
    }
    Ok(classes)
}

fn verify_probability(svm: Value<'_>, sparse: bool, pairs: usize) -> Result<(), Refusal> {
    let (Some([first]), Some([second])) = (floats::<1>(svm, "_probA"), floats::<1>(svm, "_probB"))
    else {
        return Err(svm.refuse("_probA and _probB are not vectors of 64-bit floats"));
    };
    if first != second || (first != 0 && first != pairs) {
        return Err(svm
            .refuse("_probA and _probB are neither empty nor one float for each pair of classes"));
    }
    let asks = |name| {
        let flag = svm.get(name);
        flag.and_then(Value::float).is_some_and(|flag| flag != 0.0)
    };
    if sparse && first != pairs && (asks("_effective_probability") || asks("probability")) {
        return Err(
            svm.refuse("a sparse model asks for probabilities and has no _probA and _probB")
        );
    }
    Ok(())
}

fn verify_sparse(svm: Value<'_>, coefficients: usize, vectors: usize) -> Result<(), Refusal> {
    let Some((rows, columns)) = svm.get("support_vectors_").and_then(csr_shape) else {
        return Err(svm.refuse("support_vectors_ of a sparse model is not a CSR matrix"));
    };
    if rows != vectors {
        return Err(svm.refuse("support_vectors_ does not have one row for each of support_"));
    }
    if rows > 0 && count(svm.get("n_features_in_")) != Some(columns) {
        return Err(svm.refuse("n_features_in_ is not the number of columns of support_vectors_"));
    }
    let coefficients = coefficients.checked_mul(vectors);
    let matrix = svm
        .get("_dual_coef_")
        .filter(|matrix| csr_shape(*matrix).is_some());
    // scipy cuts `data` off where `indptr` ends.
    let stored = matrix
        .and_then(|matrix| matrix.get("indptr")?.array())
        .and_then(|ends| ends.int_at(ends.len().checked_sub(1)?))
        .and_then(|end| usize::try_from(end).ok());
    let data = matrix.and_then(|matrix| dimensions(matrix.get("data"), Kind::Float, 8));
    if coefficients.is_none() || stored != coefficients || data != coefficients.map(|count| [count])
    {
        return Err(svm.refuse(COEFFICIENTS));
    }
    Ok(())
}

/// Whether the kernel matrix is made outside libsvm: given by the user, or by a call.
fn verify_kernel(svm: Value<'_>, fitted_rows: usize) -> Result<bool, Refusal> {
    let Some(kernel) = svm.get("kernel") else {
        return Err(svm.refuse("a fitted model has no kernel"));
    };
    match string(kernel).as_deref() {
        Some("linear" | "poly" | "rbf" | "sigmoid") => return Ok(false),
        Some("precomputed") => return Ok(true),
        Some(_) => return Err(kernel.refuse("a kernel that libsvm does not have")),
        None => {}
    }
    if !is_kernel(kernel) {
        return Err(kernel.refuse("a callable that is not known to give a kernel matrix"));
    }
    let rows = svm.get("_BaseLibSVM__Xfit").and_then(|fitted| {
        csr_shape(fitted)
            .map(|(rows, _)| rows)
            .or_else(|| fitted.array()?.shape().first().copied())
            .or_else(|| usize::try_from(*fitted.object_shape()?.first()?).ok())
            .or_else(|| Some(fitted.items()?.len()))
    });
    if rows != Some(fitted_rows) {
        return Err(
            svm.refuse("the training data of a callable kernel does not have shape_fit_[0] rows")
        );
    }
    Ok(true)
}

/// Whether a callable gives a matrix with one column for each row of its second argument, as far as
/// it comes with a library whose names are trusted by default. What else is trusted is the user's
/// own code.
fn is_kernel(kernel: Value<'_>) -> bool {
    if let Some(name) = kernel.global() {
        return KERNEL_FUNCTIONS.contains(&name) || is_foreign(name);
    }
    if let Some((function, arguments, _)) = kernel.partial() {
        let Some(name) = function.global() else {
            return false;
        };
        return is_foreign(name)
            || (KERNEL_FUNCTIONS.contains(&name)
                && arguments.items().is_some_and(|items| items.is_empty()));
    }
    kernel.array().is_none()
        && kernel
            .class()
            .is_some_and(|class| KERNEL_OBJECTS.contains(&class) || is_foreign(class))
}

/// Whether a name is of none of the packages whose names may be trusted by default.
fn is_foreign(name: &str) -> bool {
    let package = name.split('.').next().unwrap_or_default();
    !matches!(
        package,
        "_loss"
            | "builtins"
            | "catboost"
            | "collections"
            | "datetime"
            | "decimal"
            | "functools"
            | "itertools"
            | "lightgbm"
            | "math"
            | "numpy"
            | "operator"
            | "pandas"
            | "quantile_forest"
            | "scipy"
            | "sklearn"
            | "xgboost"
    )
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn svc() -> Given {
        Given::Object(
            "sklearn.svm._classes.SVC",
            Box::new(Given::Dict(vec![
                ("kernel", Given::Str("rbf")),
                ("probability", Given::Bool(false)),
                ("_sparse", Given::Bool(false)),
                ("n_features_in_", Given::Int(2)),
                (
                    "shape_fit_",
                    Given::Tuple(vec![Given::Int(9), Given::Int(2)]),
                ),
                ("classes_", Given::longs(&[0, 1, 2])),
                ("support_", Given::ints(&[0, 3, 4, 8])),
                ("support_vectors_", Given::zeros(&[4, 2])),
                ("_n_support", Given::ints(&[1, 2, 1])),
                ("_dual_coef_", Given::zeros(&[2, 4])),
                ("_intercept_", Given::zeros(&[3])),
                ("_probA", Given::zeros(&[0])),
                ("_probB", Given::zeros(&[0])),
            ])),
        )
    }

    fn csr(rows: i64, columns: i64, data: usize) -> Given {
        Given::Sparse(
            "scipy.sparse._csr.csr_matrix",
            vec![
                ("format", Given::text("csr")),
                ("shape", Given::longs(&[rows, columns])),
                ("data", Given::zeros(&[data])),
                ("indptr", Given::longs(&[0, i64::try_from(data).unwrap()])),
            ],
        )
    }

    fn sparse() -> Given {
        let mut model = svc();
        model.set("_sparse", Given::Bool(true));
        model.set("support_vectors_", csr(4, 2, 5));
        model.set("_dual_coef_", csr(2, 4, 8));
        model
    }

    fn called() -> Given {
        let mut model = svc();
        model.set(
            "kernel",
            Given::Global("sklearn.metrics.pairwise.rbf_kernel"),
        );
        model.set("support_vectors_", Given::zeros(&[0, 0]));
        model.set("_BaseLibSVM__Xfit", Given::zeros(&[9, 2]));
        model.remove("n_features_in_");
        model
    }

    #[test]
    fn models_as_scikit_learn_writes_them_are_verified() {
        for model in [svc(), sparse(), called()] {
            assert_eq!(model.refusal(verify), None);
        }
        let mut probable = sparse();
        let shape = Given::Tuple(vec![Given::Int(4), Given::Int(2)]);
        let object = Given::Dict(vec![("_shape", shape), ("data", Given::zeros(&[5]))]);
        let array = Given::Object("scipy.sparse._csr.csr_array", Box::new(object));
        probable.set("support_vectors_", array);
        probable.set("probability", Given::Bool(true));
        probable.set("_probA", Given::zeros(&[3]));
        probable.set("_probB", Given::zeros(&[3]));
        assert_eq!(probable.refusal(verify), None);
        let unfitted = Given::Object(
            "sklearn.svm._classes.SVR",
            Box::new(Given::Dict(vec![("kernel", Given::Str("rbf"))])),
        );
        assert_eq!(unfitted.refusal(verify), None);
    }

    #[test]
    fn each_rule_of_a_dense_model_is_held() {
        const COUNTS: &str = "_n_support does not count the support vectors";
        const PROBABILITIES: &str =
            "_probA and _probB are neither empty nor one float for each pair of classes";
        for (name, value, what) in [
            (
                "_impl",
                Given::Str("epsilon_svr"),
                "an attribute has the name of a method or constant of its class",
            ),
            ("_sparse", Given::None, "_sparse is not a bool"),
            (
                "support_",
                Given::ints(&[0, 3, 4, 9]),
                "support_ holds a number that is no row of the training data",
            ),
            (
                "support_",
                Given::ints(&[0, 3, -4, 8]),
                "support_ holds a number that is no row of the training data",
            ),
            ("support_", Given::ints(&[0, 3, 4]), COUNTS),
            ("_n_support", Given::ints(&[1, 3, 1]), COUNTS),
            ("_n_support", Given::ints(&[-1, 4, 1]), COUNTS),
            (
                "_n_support",
                Given::ints(&[1, 3]),
                "_n_support does not have one count for each of classes_",
            ),
            (
                "_intercept_",
                Given::zeros(&[2]),
                "_intercept_ is not one float for each pair of classes",
            ),
            ("_probA", Given::zeros(&[3]), PROBABILITIES),
            (
                "support_vectors_",
                Given::zeros(&[3, 2]),
                "support_vectors_ does not have one row for each of support_",
            ),
            (
                "support_vectors_",
                Given::zeros(&[4, 3]),
                "n_features_in_ is not the number of columns of support_vectors_",
            ),
            ("_dual_coef_", Given::zeros(&[2, 3]), COEFFICIENTS),
            ("_dual_coef_", Given::zeros(&[1, 4]), COEFFICIENTS),
            (
                "kernel",
                Given::Str("other"),
                "a kernel that libsvm does not have",
            ),
            (
                "kernel",
                Given::Global("numpy.subtract"),
                "a callable that is not known to give a kernel matrix",
            ),
        ] {
            let mut changed = svc();
            changed.set(name, value);
            assert_eq!(changed.refusal(verify), Some(what), "{name}");
        }
    }

    #[test]
    fn each_rule_of_a_sparse_or_called_model_is_held() {
        for (name, value, what) in [
            (
                "probability",
                Given::Bool(true),
                "a sparse model asks for probabilities and has no _probA and _probB",
            ),
            (
                "kernel",
                Given::Str("precomputed"),
                "a sparse model has a precomputed or callable kernel",
            ),
            (
                "support_vectors_",
                csr(3, 2, 5),
                "support_vectors_ does not have one row for each of support_",
            ),
            (
                "_dual_coef_",
                csr(2, 4, 7),
                "_dual_coef_ does not have one row less than classes and a column for each of support_",
            ),
        ] {
            let mut changed = sparse();
            changed.set(name, value);
            assert_eq!(changed.refusal(verify), Some(what), "{name}");
        }
        let mut cut = csr(2, 4, 8);
        cut.set("indptr", Given::longs(&[0, 0]));
        let mut changed = sparse();
        changed.set("_dual_coef_", cut);
        assert_eq!(changed.refusal(verify), Some(COEFFICIENTS));
        let mut short = called();
        short.set("_BaseLibSVM__Xfit", Given::zeros(&[8, 2]));
        assert_eq!(
            short.refusal(verify),
            Some("the training data of a callable kernel does not have shape_fit_[0] rows")
        );
    }

    #[test]
    fn no_name_that_is_trusted_by_default_counts_as_the_code_of_the_user() {
        for (name, _) in crate::default_names() {
            assert!(!is_foreign(name), "{name}");
        }
        assert!(is_foreign("my_package.kernels.graph_kernel"));
    }
}
