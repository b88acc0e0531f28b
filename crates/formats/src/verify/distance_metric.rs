//! Distance metrics.

use super::attributes::{dimensions, tuple};
use super::{Refusal, Value};
use crate::dtype::Kind;

/// A distance of `sklearn.metrics`: what `DistanceMetric.__getstate__` gives.
///
/// Native code (scikit-learn 1.9.1 `metrics/_dist_metrics.pyx.tp`, the same in 1.4 to 1.8) indexes
/// `vec` and `mat` by column of the rows that it compares (`rdist`, `rdist_csr` of
/// `SEuclideanDistance`, `MinkowskiDistance`, `MahalanobisDistance`), with bounds checks off.
/// `_validate_data` compares their sizes with the width of rows where a metric is given by the
/// caller; a tree does so when it is built and not when it is loaded, so its verifier asks
/// [`takes_columns`].
///
/// - The state is the tuple that `__getstate__` makes: `p`, `vec`, `mat`, and for `PyFuncDistance`
///   the function and its keyword arguments.
/// - `p` is a positive number.
/// - `vec` is a vector and `mat` a C-ordered matrix of 64-bit floats; the matrix of a
///   `MahalanobisDistance` is square, since `_validate_data` looks at its rows only.
/// - There is no `PyFuncDistance32`: `_buffer_to_ndarray32` hands its function the 32-bit rows as
///   if they were 64-bit, so that it reads past their end.
///
/// What stands in `vec` and `mat` may be any float: it is multiplied and added.
pub(super) fn verify(metric: Value<'_>) -> Result<(), Refusal> {
    let Some((name, width)) = name_and_width(metric) else {
        return Err(metric.refuse("a distance metric of another name"));
    };
    if metric.args().is_some() {
        return Err(metric.refuse("a distance metric is built by its constructor"));
    }
    if name == "PyFunc" && width == 4 {
        return Err(
            metric.refuse("a distance function for 32-bit floats reads past the end of its rows")
        );
    }
    let state = metric.state().and_then(tuple);
    let (p, vec, mat) = match (name, state.as_deref()) {
        ("PyFunc", Some(&[p, vec, mat, _function, kwargs])) => {
            if kwargs.class() != Some("builtins.dict") {
                return Err(
                    kwargs.refuse("the keyword arguments of a distance function are not in a dict")
                );
            }
            (p, vec, mat)
        }
        ("PyFunc", _) => {
            return Err(
                metric.refuse("the state of a distance function is not a tuple of 5 values")
            );
        }
        (_, Some(&[p, vec, mat])) => (p, vec, mat),
        _ => return Err(metric.refuse("the state of a distance metric is not a tuple of 3 values")),
    };
    if p.float().is_none_or(|p| p.is_nan() || p <= 0.0) {
        return Err(p.refuse("p of a distance metric is not a positive number"));
    }
    if dimensions::<1>(Some(vec), Kind::Float, 8).is_none() {
        return Err(vec.refuse("vec of a distance metric is not a vector of 64-bit floats"));
    }
    let Some([rows, columns]) = dimensions(Some(mat), Kind::Float, 8) else {
        return Err(
            mat.refuse("mat of a distance metric is not a C-ordered matrix of 64-bit floats")
        );
    };
    if name == "Mahalanobis" && rows != columns {
        return Err(mat.refuse("the matrix of a Mahalanobis distance is not square"));
    }
    Ok(())
}

/// The name before `Distance`, and the bytes of the floats that the metric compares:
/// `EuclideanDistance32` is `Euclidean` and 4. (Names without a suffix are older than scikit-learn
/// 1.3.)
pub(super) fn name_and_width(metric: Value<'_>) -> Option<(&str, usize)> {
    let name = metric
        .class()?
        .strip_prefix("sklearn.metrics._dist_metrics.")?;
    let (name, width) = match name.strip_suffix("32") {
        Some(name) => (name, 4),
        None => (name.strip_suffix("64")?, 8),
    };
    Some((name.strip_suffix("Distance")?, width))
}

/// Whether a metric may compare rows of this many columns, as `_validate_data` says it.
pub(super) fn takes_columns(metric: Value<'_>, columns: usize) -> bool {
    let Some((name, _)) = name_and_width(metric) else {
        return false;
    };
    let Some(state) = metric.state().and_then(tuple) else {
        return false;
    };
    let vec = dimensions::<1>(state.get(1).copied(), Kind::Float, 8);
    let mat = dimensions::<2>(state.get(2).copied(), Kind::Float, 8);
    match name {
        "Haversine" => columns == 2,
        "Mahalanobis" => mat == Some([columns, columns]),
        "Minkowski" => vec == Some([0]) || vec == Some([columns]),
        "SEuclidean" => vec == Some([columns]),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn metric(class: &'static str, vec: usize, mat: [usize; 2]) -> Given {
        Given::Object(
            class,
            Box::new(Given::Tuple(vec![
                Given::Float(2.0),
                Given::zeros(&[vec]),
                Given::zeros(&mat),
            ])),
        )
    }

    #[test]
    fn metrics_as_scikit_learn_writes_them_are_verified() {
        for (class, vec, mat) in [
            (
                "sklearn.metrics._dist_metrics.EuclideanDistance32",
                1,
                [1, 1],
            ),
            (
                "sklearn.metrics._dist_metrics.MinkowskiDistance64",
                0,
                [1, 1],
            ),
            (
                "sklearn.metrics._dist_metrics.SEuclideanDistance64",
                3,
                [1, 1],
            ),
            (
                "sklearn.metrics._dist_metrics.MahalanobisDistance64",
                1,
                [3, 3],
            ),
        ] {
            assert_eq!(metric(class, vec, mat).refusal(verify), None, "{class}");
        }
    }

    #[test]
    fn each_rule_of_a_metric_is_held() {
        let euclidean = || {
            metric(
                "sklearn.metrics._dist_metrics.EuclideanDistance64",
                1,
                [1, 1],
            )
        };
        for (index, value, what) in [
            (
                0,
                Given::Float(f64::NAN),
                "p of a distance metric is not a positive number",
            ),
            (
                0,
                Given::None,
                "p of a distance metric is not a positive number",
            ),
            (
                1,
                Given::longs(&[1]),
                "vec of a distance metric is not a vector of 64-bit floats",
            ),
            (
                2,
                Given::zeros(&[1]),
                "mat of a distance metric is not a C-ordered matrix of 64-bit floats",
            ),
        ] {
            let mut changed = euclidean();
            *changed.item(index) = value;
            assert_eq!(changed.refusal(verify), Some(what));
        }
        let flat = metric(
            "sklearn.metrics._dist_metrics.MahalanobisDistance64",
            1,
            [3, 2],
        );
        assert_eq!(
            flat.refusal(verify),
            Some("the matrix of a Mahalanobis distance is not square")
        );
        let abstract_class = metric("sklearn.metrics._dist_metrics.DistanceMetric64", 1, [1, 1]);
        assert_eq!(
            abstract_class.refusal(verify),
            Some("a distance metric of another name")
        );
        let mut function = metric("sklearn.metrics._dist_metrics.PyFuncDistance32", 1, [1, 1]);
        function.items().extend([Given::None, Given::Dict(vec![])]);
        assert_eq!(
            function.refusal(verify),
            Some("a distance function for 32-bit floats reads past the end of its rows")
        );
    }
}
