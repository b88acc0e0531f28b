//! Linear models that go on learning from the coefficients that they were loaded with.

use super::fitted::{attribute, floats, refuse_hidden_checks, width};
use super::{ArrayView, Refusal, Value};

/// What `_plain_sgd` of scikit-learn 1.9.1 (`linear_model/_sgd_fast.pyx.tp`, `utils/_weight_vector.pyx.tp`) relies on when
/// `partial_fit` (or `fit` with `warm_start`) goes on: it adds the user's row to `coef_` and to the averaged
/// coefficients through bare pointers, at the columns of the row. Python compares the width with the last axis of
/// `coef_` alone, and takes `coef_[1]`, the whole of it, or row i for class i.
///
/// - `coef_` has `n_features_in_` columns, and one row, or one row per class where there are more than two.
/// - `_standard_coef` and `_average_coef`, where they are arrays, have as many numbers as `coef_` and end on the same axis.
/// - A `coef_` that `sparsify` made sparse is verified as a sparse container, and `partial_fit` refuses it.
/// - No attribute hides a check, and `n_features_in_` is there.
pub(super) fn verify_gradient_descent(model: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(model)?;
    let names = ["coef_", "_standard_coef", "_average_coef"];
    let held: Vec<_> = names
        .iter()
        .filter_map(|name| attribute(model, name))
        .collect();
    if held.is_empty() {
        return Ok(());
    }
    let columns = width(model)?;
    let rows = match attribute(model, "classes_") {
        Some(classes) => {
            let Some(count) = classes
                .array()
                .map(ArrayView::len)
                .or_else(|| classes.items().map(|items| items.len()))
            else {
                return Err(classes.refuse("classes_ of a linear model is not an array"));
            };
            if count > 2 { count } else { 1 }
        }
        None => 1,
    };
    for coefficients in held {
        if coefficients
            .class()
            .is_some_and(|class| class.starts_with("scipy.sparse."))
        {
            continue;
        }
        let shape = floats(coefficients)?.shape();
        let fits = match *shape {
            [only] => rows == 1 && only == columns,
            [first, second] => first == rows && second == columns,
            _ => false,
        };
        if !fits {
            return Err(coefficients
                .refuse("coefficients are not one row of n_features_in_ numbers per class"));
        }
    }
    Ok(())
}

/// What `enet_coordinate_descent` and its kin of scikit-learn 1.9.1 (`linear_model/_cd_fast.pyx`) rely on when `fit` goes on
/// with `warm_start`: they write one coefficient per column of the user's rows to `coef_`. With a Gram matrix in
/// `precompute` they take the number of columns from that.
///
/// - `coef_` ends on an axis of `n_features_in_`, and has one or two axes.
/// - `precompute`, where it is an array, is square, with `n_features_in_` rows where the model is fitted.
/// - No attribute hides a check, and `n_features_in_` is there.
pub(super) fn verify_coordinate_descent(model: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(model)?;
    let mut columns = None;
    if let Some(coefficients) = attribute(model, "coef_") {
        let shape = floats(coefficients)?.shape();
        let expected = width(model)?;
        if !matches!(shape.len(), 1 | 2) || shape.last() != Some(&expected) {
            return Err(coefficients.refuse("coefficients are not rows of n_features_in_ numbers"));
        }
        columns = Some(expected);
    }
    if let Some(gram) = attribute(model, "precompute")
        .filter(|gram| gram.boolean().is_none() && gram.text().is_none())
    {
        let fits = match *gram.array().map(ArrayView::shape).unwrap_or_default() {
            [rows, second] => rows == second && columns.is_none_or(|columns| columns == rows),
            _ => false,
        };
        if !fits {
            return Err(gram.refuse("a Gram matrix has not one row and one column per feature"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn classifier(classes: &[i64], shapes: [&[usize]; 2]) -> Option<&'static str> {
        let state = Given::Dict(vec![
            ("n_features_in_", Given::Int(4)),
            ("classes_", Given::longs(classes)),
            ("coef_", Given::zeros(shapes[0])),
            ("_average_coef", Given::zeros(shapes[1])),
            ("_standard_coef", Given::None),
        ]);
        let class = "sklearn.linear_model._stochastic_gradient.SGDClassifier";
        Given::Object(class, Box::new(state)).refusal(verify_gradient_descent)
    }

    #[test]
    fn averages_are_as_many_as_coefficients() {
        assert_eq!(classifier(&[0, 1], [&[1, 4], &[4]]), None);
        assert_eq!(classifier(&[0, 1, 2], [&[3, 4], &[3, 4]]), None);
        assert!(classifier(&[0, 1], [&[1, 4], &[1]]).is_some());
        assert!(classifier(&[0, 1], [&[1, 3], &[4]]).is_some());
        assert!(classifier(&[0, 1], [&[0, 4], &[4]]).is_some());
        assert!(classifier(&[0, 1, 2], [&[3, 4], &[4]]).is_some());
    }

    #[test]
    fn coefficients_and_gram_matrix_are_as_wide_as_the_input() {
        let lasso = |coefficients: &[usize], gram: Given| {
            let state = Given::Dict(vec![
                ("n_features_in_", Given::Int(4)),
                ("coef_", Given::zeros(coefficients)),
                ("precompute", gram),
            ]);
            Given::Object(
                "sklearn.linear_model._coordinate_descent.Lasso",
                Box::new(state),
            )
            .refusal(verify_coordinate_descent)
        };
        assert_eq!(lasso(&[4], Given::Bool(false)), None);
        assert_eq!(lasso(&[2, 4], Given::Str("auto")), None);
        assert_eq!(lasso(&[4], Given::zeros(&[4, 4])), None);
        assert!(lasso(&[3], Given::Bool(false)).is_some());
        assert!(lasso(&[4], Given::zeros(&[5, 5])).is_some());
        assert!(lasso(&[4], Given::zeros(&[4, 5])).is_some());
    }
}
