//! Loss functions of linear models and of gradient boosting.

use super::attributes::tuple;
use super::{Refusal, Value};

/// Loss objects that are made again by their constructor.
///
/// `sklearn.linear_model._sgd_fast` (scikit-learn 1.9.1 `_sgd_fast.pyx.tp`; `Huber`, `Log` and
/// `SquaredLoss` up to 1.5) and `sklearn._loss._loss`
/// (`_loss.pyx.tp`; 1.5 to 1.8 call the module `_loss`) hold at most one C double,
/// which is the whole of their `__reduce__`: threshold, epsilon, `c`, power, quantile or delta.
/// They index nothing that stands in a file: the arrays that they loop over are made by `fit`. So
/// the rule is the constructor's signature:
///
/// - The arguments are a tuple of as many numbers as the class keeps. (skops 0.9 and 0.10 write none
///   and lose the number; such a loss holds zero.)
/// - There is no other state.
pub(super) fn verify(loss: Value<'_>) -> Result<(), Refusal> {
    let class = loss.class().unwrap_or_default();
    let name = class.rsplit('.').next().unwrap_or_default();
    let expected = match name {
        "CyHalfTweedieLoss"
        | "CyHalfTweedieLossIdentity"
        | "CyHuberLoss"
        | "CyPinballLoss"
        | "EpsilonInsensitive"
        | "Hinge"
        | "Huber"
        | "SquaredEpsilonInsensitive"
        | "SquaredHinge" => 1,
        _ => 0,
    };
    if let Some(arguments) = loss.args() {
        let numbers = tuple(arguments).filter(|items| items.len() == expected);
        if numbers.is_none_or(|items| items.iter().any(|item| item.float().is_none())) {
            return Err(loss
                .refuse("the arguments of a loss are not the numbers that its constructor takes"));
        }
    }
    let is_empty = |state: Value<'_>| {
        state.is_none()
            || state.entries().is_some_and(|entries| entries.is_empty())
            || state.items().is_some_and(|items| items.is_empty())
    };
    if loss.state().is_some_and(|state| !is_empty(state)) {
        return Err(loss.refuse("a loss has a state besides its constructor's arguments"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    #[test]
    fn losses_take_as_many_numbers_as_their_constructors() {
        const WRONG: &str =
            "the arguments of a loss are not the numbers that its constructor takes";
        let made = |class, arguments| Given::Construct(class, Box::new(Given::Tuple(arguments)));
        let number = || Given::Float(0.5);
        for (class, arguments, refused) in [
            ("sklearn._loss._loss.CyHalfSquaredError", vec![], None),
            ("sklearn._loss._loss.CyPinballLoss", vec![number()], None),
            ("sklearn._loss._loss.CyPinballLoss", vec![], Some(WRONG)),
            (
                "sklearn._loss._loss.CyPinballLoss",
                vec![Given::None],
                Some(WRONG),
            ),
            (
                "sklearn._loss._loss.CyHalfSquaredError",
                vec![number()],
                Some(WRONG),
            ),
            ("sklearn.linear_model._sgd_fast.Hinge", vec![number()], None),
            ("sklearn.linear_model._sgd_fast.Log", vec![], None),
        ] {
            assert_eq!(made(class, arguments).refusal(verify), refused, "{class}");
        }
        let bare = Given::Object("sklearn._loss._loss.CyHuberLoss", Box::new(Given::None));
        assert_eq!(bare.refusal(verify), None);
        let numbers = Given::Tuple(vec![number()]);
        let stateful = Given::Object("sklearn._loss._loss.CyHuberLoss", Box::new(numbers));
        assert_eq!(
            stateful.refusal(verify),
            Some("a loss has a state besides its constructor's arguments")
        );
    }
}
