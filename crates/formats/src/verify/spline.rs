//! B-splines of scipy.

use super::attributes::refuse_names;
use super::{Refusal, Value};
use crate::dtype::Kind;

/// Methods that evaluate (sorted).
const METHODS: &[&str] = &[
    "__call__",
    "_ensure_c_contiguous",
    "_evaluate",
    "design_matrix",
];

/// The same, and what scipy up to 1.14 keeps its knots and coefficients under.
const METHODS_AND_NAMES: &[&str] = &[
    "__call__",
    "_ensure_c_contiguous",
    "_evaluate",
    "c",
    "design_matrix",
    "t",
];

/// What `_dierckx.evaluate_spline` of scipy 1.17 (`interpolate/src/_dierckxmodule.cc`, `__fitpack.cc`; up to scipy 1.14
/// `_bspl.pyx`) relies on: for the interval `m` of a point it reads the knots `t[m - k]..t[m + k + 1]` and the rows
/// `c[m - k]..=c[m]`, with `m` in `k..len(t) - k - 1`, and takes `2 * k + 2` floats of work space. Only the types of
/// the arrays are checked; `SplineTransformer` makes its splines with `construct_fast`, which checks nothing.
///
/// - The knots are one-dimensional float64; the coefficients are float64 or complex128.
/// - The degree `k` is not negative, and there are at least `2 * k + 2` knots.
/// - There are at least `len(t) - k - 1` rows of coefficients.
///
/// Knots out of order and NaN cost no memory: the search for `m` stops at both ends. `design_matrix` checks them in Python.
pub(super) fn verify(spline: Value<'_>) -> Result<(), Refusal> {
    // scipy up to 1.14 reads `t` and `c`, later ones `_t` and `_c`, whatever else stands there.
    let is_old = spline.get("_t").is_none() && spline.get("_c").is_none();
    refuse_names(spline, if is_old { METHODS } else { METHODS_AND_NAMES })?;
    let state = spline.state().filter(|state| !state.is_none());
    if state.is_none() {
        // Called with its arguments, the class checks them.
        return Ok(());
    }
    if spline.args().is_some() {
        return Err(spline.refuse("a spline has a state besides its constructor's arguments"));
    }
    let names = if is_old { ["t", "c"] } else { ["_t", "_c"] };
    let [knots, coefficients] = names.map(|name| spline.get(name).and_then(Value::array));
    let Some(knots) = knots.filter(|knots| knots.is(Kind::Float, 8) && knots.shape().len() == 1)
    else {
        return Err(spline.refuse("the knots of a spline are not a row of float64"));
    };
    let numbers = coefficients.filter(|numbers| {
        (numbers.is(Kind::Float, 8) || numbers.is(Kind::Complex, 16)) && !numbers.shape().is_empty()
    });
    let Some(&rows) = numbers.and_then(|numbers| numbers.shape().first()) else {
        return Err(spline.refuse("the coefficients of a spline are not float64 or complex128"));
    };
    let degree = spline
        .get("k")
        .and_then(Value::int)
        .and_then(|degree| usize::try_from(degree).ok());
    let order = degree.and_then(|degree| degree.checked_add(1));
    let Some(order) = order.filter(|order| {
        order
            .checked_mul(2)
            .is_some_and(|least| least <= knots.len())
    }) else {
        return Err(spline.refuse("a spline has fewer knots than its degree needs"));
    };
    if rows < knots.len().saturating_sub(order) {
        return Err(spline.refuse("a spline has fewer coefficients than its knots need"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn spline(knots: usize, coefficients: &[usize], degree: i64) -> Option<&'static str> {
        let state = |names: [&'static str; 2]| {
            let state = Given::Dict(vec![
                (names[0], Given::zeros(&[knots])),
                (names[1], Given::zeros(coefficients)),
                ("k", Given::Int(degree)),
            ]);
            Given::Object("scipy.interpolate._bsplines.BSpline", Box::new(state)).refusal(verify)
        };
        let found = state(["_t", "_c"]);
        assert_eq!(found, state(["t", "c"]));
        found
    }

    #[test]
    fn a_spline_has_knots_and_coefficients_for_its_degree() {
        assert_eq!(spline(8, &[4, 4], 3), None);
        assert_eq!(spline(11, &[7], 3), None);
        assert!(spline(8, &[3, 4], 3).is_some());
        assert!(spline(7, &[4, 4], 3).is_some());
        assert!(spline(8, &[4, 4], -1).is_some());
        assert!(spline(8, &[4, 4], i64::MAX).is_some());
        assert!(spline(8, &[], 3).is_some());
    }
}
