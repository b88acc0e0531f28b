//! Nearest neighbours without a tree.

use super::attributes::{count, csr_shape, string, tuple};
use super::{Refusal, Value, distance_metric};
use crate::dtype::Kind;

/// Metrics that native code compares rows with (`BaseDistancesReductionDispatcher.valid_metrics`),
/// and the class of `sklearn.metrics._dist_metrics` that each one is. Others are computed by numpy and
/// scipy. `euclidean` and `sqeuclidean` are left out: `EuclideanArgKmin` turns a distance that is not
/// a number into zero (`max(0., x)`).
const NATIVE: &[(&str, &str)] = &[
    ("braycurtis", "BrayCurtis"),
    ("canberra", "Canberra"),
    ("chebyshev", "Chebyshev"),
    ("cityblock", "Manhattan"),
    ("haversine", "Haversine"),
    ("infinity", "Chebyshev"),
    ("kulsinski", "Kulsinski"),
    ("l1", "Manhattan"),
    ("l2", "Euclidean"),
    ("manhattan", "Manhattan"),
    ("matching", "Matching"),
    ("minkowski", "Minkowski"),
    ("p", "Minkowski"),
    ("seuclidean", "SEuclidean"),
    ("sokalmichener", "SokalMichener"),
];

/// The largest number in the training data: products of three, and sums of those, stay finite.
const LARGEST: f64 = 1e100;

/// The largest number in the matrix or variances of a metric, and one over the smallest variance.
const LARGEST_PARAMETER: f64 = 1e50;

const NOT_A_NUMBER: &str = "a parameter of the metric can make a distance that is not a number";

/// What a search through all rows relies on: see
/// [`neighbors_estimators`](super::neighbors_estimators).
pub(super) fn verify(estimator: Value<'_>, rows: usize) -> Result<(), Refusal> {
    let is_precomputed =
        |name| estimator.get(name).and_then(string).as_deref() == Some("precomputed");
    let precomputed = is_precomputed("metric");
    if precomputed != is_precomputed("effective_metric_") {
        return Err(estimator
            .refuse("one of metric and effective_metric_ is precomputed and the other is not"));
    }
    let Some(fitted) = estimator.get("_fit_X") else {
        return Err(estimator.refuse("a brute-force search has no _fit_X"));
    };
    let shape = csr_shape(fitted).or_else(|| {
        let array = fitted.array().filter(|array| !array.is_fortran())?;
        let &[rows, columns] = array.shape() else {
            return None;
        };
        Some((rows, columns))
    });
    let Some((fitted_rows, columns)) = shape else {
        return Err(fitted.refuse("_fit_X is not a C-ordered matrix or a CSR matrix"));
    };
    if fitted_rows != rows || columns == 0 {
        return Err(
            fitted.refuse("_fit_X does not have n_samples_fit_ rows and at least one column")
        );
    }
    if precomputed {
        if columns != rows {
            return Err(fitted.refuse("a precomputed _fit_X is not square"));
        }
        return Ok(());
    }
    if count(estimator.get("n_features_in_")) != Some(columns) {
        return Err(estimator.refuse("n_features_in_ is not the number of columns of _fit_X"));
    }
    match estimator
        .get("effective_metric_")
        .and_then(|metric| native(estimator, metric))
    {
        Some(metric) => verify_distances(fitted, columns, &metric),
        None => Ok(()),
    }
}

/// A metric of native code: its class, and what its distances are computed with.
struct Metric<'a> {
    value: Value<'a>,
    name: &'a str,
    p: Option<Value<'a>>,
    vec: Option<Value<'a>>,
    mat: Option<Value<'a>>,
}

fn native<'a>(estimator: Value<'a>, value: Value<'a>) -> Option<Metric<'a>> {
    if let Some((name, _)) = distance_metric::name_and_width(value) {
        let state = value.state().and_then(tuple)?;
        return Some(Metric {
            value,
            name,
            p: state.first().copied(),
            vec: state.get(1).copied(),
            mat: state.get(2).copied(),
        });
    }
    let text = string(value)?;
    let row = NATIVE.binary_search_by(|row| row.0.cmp(&text)).ok()?;
    let &(_, name) = NATIVE.get(row)?;
    let parameters = estimator.get("effective_metric_params_");
    let parameter = |name| parameters.and_then(|parameters| parameters.get(name));
    Some(Metric {
        value,
        name,
        p: parameter("p"),
        vec: parameter(if name == "SEuclidean" { "V" } else { "w" }),
        mat: None,
    })
}

/// Refuses what can make a distance that is not a number, for rows of the input that are ordinary.
fn verify_distances(fitted: Value<'_>, columns: usize, metric: &Metric<'_>) -> Result<(), Refusal> {
    let sparse = fitted.array().is_none();
    let data = if sparse {
        fitted.get("data")
    } else {
        Some(fitted)
    };
    let Some(array) = data.and_then(Value::array) else {
        return Err(fitted.refuse("_fit_X is not a C-ordered matrix or a CSR matrix"));
    };
    let mut largest = 0.0_f64;
    let finite = array.all_floats(|number| {
        largest = largest.max(number.abs());
        number.abs() <= LARGEST
    });
    // Native code compares floats only.
    if finite.is_none() || !matches!(array.dtype().itemsize(), 4 | 8) {
        return Ok(());
    }
    if finite == Some(false) {
        return Err(fitted.refuse("_fit_X holds a number that is not finite, or over 1e100"));
    }
    let refuse_parameter = || Err(metric.value.refuse(NOT_A_NUMBER));
    let in_range = |number: f64| number.abs() <= LARGEST_PARAMETER;
    match metric.name {
        "BrayCurtis" | "Canberra" | "Dice" | "Haversine" | "SokalSneath" if sparse => {
            Err(fitted.refuse("the metric of sparse data can give a distance that is not a number"))
        }
        "Dice" | "SokalSneath" => {
            let mut column = 0_usize;
            let mut is_zero = true;
            let nonzero_rows = array.all_floats(|number| {
                is_zero &= number == 0.0;
                column = column.saturating_add(1);
                let ends = column == columns;
                let holds = !(ends && is_zero);
                if ends {
                    column = 0;
                    is_zero = true;
                }
                holds
            });
            if nonzero_rows != Some(true) {
                return Err(fitted.refuse("a row of zeros has a distance that is not a number"));
            }
            Ok(())
        }
        "Mahalanobis" if !all_numbers(metric.mat, in_range) => refuse_parameter(),
        "Minkowski" => {
            let p = metric.p.map_or(Some(2.0), Value::float);
            let Some(p) = p.filter(|p| p.is_finite() && *p > 0.0) else {
                return refuse_parameter();
            };
            let overflows = (largest * 2.0).powf(p).is_infinite();
            let is_weight =
                |weight: f64| weight.is_finite() && (weight > 0.0 || (weight == 0.0 && !overflows));
            if metric.vec.is_some_and(|weights| !weights.is_none())
                && !all_numbers(metric.vec, is_weight)
            {
                return refuse_parameter();
            }
            Ok(())
        }
        "PyFunc" => Err(metric
            .value
            .refuse("a distance function can give a distance that is not a number")),
        "SEuclidean" => {
            let is_variance =
                |variance: f64| in_range(variance) && variance >= 1.0 / LARGEST_PARAMETER;
            if !all_numbers(metric.vec, is_variance) {
                return refuse_parameter();
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether a test holds for all numbers of an array of integers or floats, or of a list.
fn all_numbers(value: Option<Value<'_>>, test: impl Fn(f64) -> bool) -> bool {
    let Some(value) = value else { return false };
    if let Some(items) = value.items() {
        return items.iter().all(|item| item.float().is_some_and(&test));
    }
    let Some(array) = value
        .array()
        .filter(|array| array.dtype().kind() != Kind::Bool)
    else {
        return false;
    };
    (0..array.len()).all(|index| array.float_at(index).is_some_and(&test))
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::super::neighbors_estimators;
    use super::*;
    use crate::dtype::DType;

    fn floats(shape: &[usize], values: &[f64]) -> Given {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Given::Array(DType::parse("<f8").unwrap(), shape.to_vec(), bytes)
    }

    fn neighbors(metric: Given, parameters: Vec<(&'static str, Given)>, data: &[f64; 4]) -> Given {
        Given::Object(
            "sklearn.neighbors._unsupervised.NearestNeighbors",
            Box::new(Given::Dict(vec![
                ("metric", metric.clone()),
                ("effective_metric_", metric),
                ("effective_metric_params_", Given::Dict(parameters)),
                ("_fit_method", Given::Str("brute")),
                ("_fit_X", floats(&[2, 2], data)),
                ("n_samples_fit_", Given::Int(2)),
                ("n_features_in_", Given::Int(2)),
            ])),
        )
    }

    #[test]
    fn names_are_sorted() {
        assert!(NATIVE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_can_make_a_distance_that_is_not_a_number_is_refused() {
        const DATA: [f64; 4] = [1.0, 2.0, 3.0, 4.0];
        const HUGE: [f64; 4] = [1.0, 2.0, 3.0, 1e99];
        let metric = |name, matrix: f64| {
            let state = vec![
                Given::Float(2.0),
                Given::zeros(&[1]),
                floats(&[1, 1], &[matrix]),
            ];
            Given::Object(name, Box::new(Given::Tuple(state)))
        };
        let pair = |first| floats(&[2], &[first, 1.0]);
        let seuclidean = |v| (Given::Str("seuclidean"), vec![("V", pair(v))]);
        let minkowski = |p, w| {
            (
                Given::Str("minkowski"),
                vec![("p", Given::Float(p)), ("w", pair(w))],
            )
        };
        let object = |name, matrix| (metric(name, matrix), vec![]);
        let manhattan = || (Given::Str("manhattan"), vec![]);
        let dice = || object("sklearn.metrics._dist_metrics.DiceDistance64", 0.0);
        for ((metric, parameters), data, what) in [
            (manhattan(), DATA, None),
            (
                manhattan(),
                [1.0, 2.0, f64::NAN, 4.0],
                Some("_fit_X holds a number that is not finite, or over 1e100"),
            ),
            (
                manhattan(),
                [1.0, 2.0, 1e200, 4.0],
                Some("_fit_X holds a number that is not finite, or over 1e100"),
            ),
            ((Given::Str("nan_euclidean"), vec![]), [f64::NAN; 4], None),
            ((Given::Str("euclidean"), vec![]), [f64::NAN; 4], None),
            (seuclidean(0.5), DATA, None),
            (seuclidean(0.0), DATA, Some(NOT_A_NUMBER)),
            (seuclidean(f64::NAN), DATA, Some(NOT_A_NUMBER)),
            (minkowski(3.0, 0.0), DATA, None),
            (minkowski(4.0, 0.0), HUGE, Some(NOT_A_NUMBER)),
            (minkowski(4.0, 0.5), HUGE, None),
            (minkowski(f64::NAN, 0.5), DATA, Some(NOT_A_NUMBER)),
            (minkowski(3.0, f64::INFINITY), DATA, Some(NOT_A_NUMBER)),
            (dice(), DATA, None),
            (
                dice(),
                [1.0, 0.0, 0.0, 0.0],
                Some("a row of zeros has a distance that is not a number"),
            ),
            (
                object("sklearn.metrics._dist_metrics.MahalanobisDistance64", 2.0),
                DATA,
                None,
            ),
            (
                object("sklearn.metrics._dist_metrics.MahalanobisDistance64", 1e300),
                DATA,
                Some(NOT_A_NUMBER),
            ),
            (
                object("sklearn.metrics._dist_metrics.PyFuncDistance64", 0.0),
                DATA,
                Some("a distance function can give a distance that is not a number"),
            ),
        ] {
            let model = neighbors(metric, parameters, &data);
            assert_eq!(model.refusal(neighbors_estimators::verify), what);
        }
    }
}
