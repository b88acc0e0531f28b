//! Decompositions whose Cython code trusts the shape of their components.

use super::fitted::{attribute, matrix, refuse_hidden_checks, width};
use super::{Refusal, Value};

/// What `_online_lda_fast.pyx` (`_dirichlet_expectation_1d`, `mean_change`) of scikit-learn 1.9.1 relies on: two
/// vectors of one length, which `_update_doc_distribution` (`decomposition/_lda.py`) computes from
/// `exp_dirichlet_component_`; `perplexity` reads `components_` beside it.
///
/// - `components_` and `exp_dirichlet_component_` are matrices of floats of one shape, with `n_features_in_` columns.
pub(super) fn verify_dirichlet(model: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(model)?;
    let mut shapes = Vec::new();
    for name in ["components_", "exp_dirichlet_component_"] {
        if let Some(value) = attribute(model, name) {
            let (rows, columns) = matrix(value)?;
            if rows == 0 || columns != width(model)? {
                return Err(
                    value.refuse("components have not n_features_in_ columns, or there is none")
                );
            }
            shapes.push(rows);
        }
    }
    if shapes.first() != shapes.last() {
        return Err(model.refuse("components_ and exp_dirichlet_component_ are not of one shape"));
    }
    Ok(())
}

/// What `sparse_encode` of scikit-learn 1.9.1 (`decomposition/_dict_learning.py`) relies on: with `lasso_cd` it calls
/// `Lasso.fit(dictionary.T, X.T, check_input=False)`, and `_cd_fast.pyx` then reads both with one number of rows.
/// `transform` compares the two widths, `partial_fit` of `MiniBatchDictionaryLearning` does not.
///
/// - `components_` is a matrix of floats with `n_features_in_` columns.
pub(super) fn verify_dictionary(model: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(model)?;
    if let Some(components) = attribute(model, "components_")
        && matrix(components)?.1 != width(model)?
    {
        return Err(components.refuse("components have not n_features_in_ columns"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    #[test]
    fn components_are_of_one_shape() {
        let model = |first: &[usize], second: &[usize]| {
            let state = Given::Dict(vec![
                ("n_features_in_", Given::Int(4)),
                ("components_", Given::zeros(first)),
                ("exp_dirichlet_component_", Given::zeros(second)),
            ]);
            let class = "sklearn.decomposition._lda.LatentDirichletAllocation";
            Given::Object(class, Box::new(state)).refusal(verify_dirichlet)
        };
        assert_eq!(model(&[2, 4], &[2, 4]), None);
        assert!(model(&[2, 4], &[3, 4]).is_some());
        assert!(model(&[2, 3], &[2, 3]).is_some());
        assert!(model(&[8], &[2, 4]).is_some());
    }

    #[test]
    fn a_dictionary_is_as_wide_as_the_input() {
        let model = |shape: &[usize]| {
            let state = Given::Dict(vec![
                ("n_features_in_", Given::Int(4)),
                ("components_", Given::zeros(shape)),
            ]);
            let class = "sklearn.decomposition._dict_learning.MiniBatchDictionaryLearning";
            Given::Object(class, Box::new(state)).refusal(verify_dictionary)
        };
        assert_eq!(model(&[2, 4]), None);
        assert!(model(&[2, 5]).is_some());
    }
}
