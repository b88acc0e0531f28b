//! Encoders that make a sparse matrix, or fill one, by what they were loaded with.

use super::attributes::refuse_names;
use super::fitted::{attribute, refuse_hidden_checks, width};
use super::{ArrayView, Refusal, Value};
use crate::dtype::Kind;
use std::cmp::Ordering;

/// What `OneHotEncoder.transform` (also under `KBinsDiscretizer` and `RandomTreesEmbedding`) of scikit-learn 1.9.1
/// (`preprocessing/_encoders.py`, `utils/_encode.py`; the same in 1.4) relies on: it computes column indices of a CSR
/// matrix from the place of a value among its `categories_`, from the maps of infrequent and dropped categories, and
/// from `_n_features_outs`, and hands them to scipy, whose `toarray`, `@` and `tocsc` write and read where they point.
/// For numbers the place comes from `searchsorted`, which gives a place behind the last category if that is
/// not the largest.
///
/// - `categories_` is a list of `n_features_in_` rows of numbers or text (arrays, or arrays of objects), and the last
///   category of each is not smaller than another (NaN is the largest; text beside numbers cannot be compared and
///   is an error of Python's). Objects that are neither number, text nor `None` do not stand beside numbers.
/// - `_infrequent_enabled` is a bool. Where it is true, `_infrequent_indices` and `_default_to_infrequent_mappings` have one
///   item per feature, `None` in both or an array in both: places inside the categories, at least one; and one column
///   per category, inside those that are left.
/// - `_drop_idx_after_grouping` is `None`, or an array of one `None` or column that is left per feature.
/// - `_n_features_outs` is a list of the columns that are left then.
/// - No attribute hides a method on the way.
pub(super) fn verify_one_hot(encoder: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(encoder)?;
    refuse_names(
        encoder,
        &[
            "_check_X",
            "_check_infrequent_enabled",
            "_compute_n_features_outs",
            "_map_infrequent_categories",
            "infrequent_categories_",
        ],
    )?;
    let Some(categories) = encoder.get("categories_") else {
        return Ok(());
    };
    let features = width(encoder)?;
    let items = categories.items().filter(|items| {
        items.len() == features
            && matches!(categories.class(), Some("builtins.list" | "builtins.tuple"))
    });
    let Some(items) = items else {
        return Err(categories.refuse("categories_ is not a list of one array per feature"));
    };
    let mut columns = Vec::with_capacity(features);
    for item in items {
        columns.push(count_categories(item)?);
    }
    if let Some(enabled) = encoder.get("_infrequent_enabled") {
        match enabled.boolean() {
            Some(true) => group(encoder, &mut columns)?,
            Some(false) => {}
            None => return Err(enabled.refuse("_infrequent_enabled is not a bool")),
        }
    }
    if let Some(dropped) = attribute(encoder, "_drop_idx_after_grouping") {
        drop_columns(dropped, &mut columns)?;
    }
    let Some(outs) = encoder.get("_n_features_outs") else {
        return Err(encoder.refuse("a fitted encoder has no _n_features_outs"));
    };
    let fits = outs.class() == Some("builtins.list")
        && outs.items().is_some_and(|outs| {
            outs.len() == columns.len()
                && outs
                    .iter()
                    .zip(&columns)
                    .all(|(out, &left)| out.int() == Some(left))
        });
    if !fits {
        return Err(
            outs.refuse("_n_features_outs is not the columns that are left of each feature")
        );
    }
    Ok(())
}

/// Categories that are infrequent become one column, behind the others.
fn group(encoder: Value<'_>, columns: &mut [i64]) -> Result<(), Refusal> {
    let broken = "infrequent categories do not map to the columns that are left";
    let list = |name: &str| {
        let list = encoder.get(name)?;
        list.items()
            .filter(|items| items.len() == columns.len() && list.class() == Some("builtins.list"))
    };
    let (Some(infrequent), Some(maps)) = (
        list("_infrequent_indices"),
        list("_default_to_infrequent_mappings"),
    ) else {
        return Err(encoder.refuse("infrequent categories are not one item per feature"));
    };
    for ((infrequent, map), left) in infrequent.into_iter().zip(maps).zip(columns) {
        if infrequent.is_none() && map.is_none() {
            continue;
        }
        let all = *left;
        let row = |value: Value<'_>| {
            let array = value.array().filter(|array| array.shape().len() == 1)?;
            Some((
                i64::try_from(array.len()).ok()?,
                array.all_ints(|place| (0..all).contains(&place))?,
            ))
        };
        match row(infrequent) {
            Some((count, true)) if count > 0 => {
                *left = left.saturating_sub(count).saturating_add(1);
            }
            _ => return Err(infrequent.refuse(broken)),
        }
        let end = *left;
        let fits = map
            .array()
            .filter(|map| map.shape().len() == 1 && i64::try_from(map.len()) == Ok(all))
            .and_then(|map| map.all_ints(|column| (0..end).contains(&column)));
        if fits != Some(true) {
            return Err(map.refuse(broken));
        }
    }
    Ok(())
}

/// A dropped column moves those behind it.
fn drop_columns(dropped: Value<'_>, columns: &mut [i64]) -> Result<(), Refusal> {
    let expected = i64::try_from(columns.len()).unwrap_or(i64::MAX);
    let items = dropped.items().filter(|items| {
        items.len() == columns.len()
            && dropped
                .object_shape()
                .is_some_and(|shape| shape == [expected])
    });
    let Some(items) = items else {
        return Err(dropped.refuse("dropped categories are not an array of one object per feature"));
    };
    for (item, left) in items.into_iter().zip(columns) {
        if item.is_none() {
            continue;
        }
        if !item.int().is_some_and(|place| (0..*left).contains(&place)) {
            return Err(item.refuse("a dropped category is not one of its feature"));
        }
        *left = left.saturating_sub(1);
    }
    Ok(())
}

/// How many categories there are, of which the last is the largest.
fn count_categories(value: Value<'_>) -> Result<i64, Refusal> {
    let unordered = "the last category of a feature is not its largest";
    if let Some(items) = value.items() {
        if value.object_shape().is_none_or(|shape| shape.len() != 1) {
            return Err(value.refuse("categories are not one row"));
        }
        if !last_object_is_largest(&items) {
            return Err(value.refuse(unordered));
        }
        return Ok(i64::try_from(items.len()).unwrap_or(i64::MAX));
    }
    let Some(array) = value.array().filter(|array| array.shape().len() == 1) else {
        return Err(value.refuse("categories are not one row"));
    };
    match last_is_largest(array) {
        Some(true) => Ok(i64::try_from(array.len()).unwrap_or(i64::MAX)),
        Some(false) => Err(value.refuse(unordered)),
        None => Err(value.refuse("categories are not numbers, text or times")),
    }
}

/// `None` where the order of the elements is not known.
fn last_is_largest(array: ArrayView<'_>) -> Option<bool> {
    let dtype = array.dtype();
    let (size, little) = (dtype.itemsize(), dtype.is_little());
    let by = |order: &dyn Fn(&[u8], &[u8]) -> Ordering| {
        let mut elements = array.bytes().chunks_exact(size.max(1));
        let last = elements.next_back();
        last.is_none_or(|last| elements.all(|element| order(element, last) != Ordering::Greater))
    };
    // Most significant byte first.
    let word = |element: &[u8]| {
        let fold = |all: u64, byte: &u8| all.wrapping_shl(8) | u64::from(*byte);
        if little {
            element.iter().rev().fold(0, fold)
        } else {
            element.iter().fold(0, fold)
        }
    };
    Some(match dtype.kind() {
        Kind::Bool | Kind::UInt => by(&|a, b| word(a).cmp(&word(b))),
        Kind::Int => {
            // With the sign bit turned, two's complement is in order.
            let sign =
                1_u64.checked_shl(u32::try_from(size).ok()?.checked_mul(8)?.checked_sub(1)?)?;
            by(&|a, b| (word(a) ^ sign).cmp(&(word(b) ^ sign)))
        }
        Kind::Datetime | Kind::Timedelta => {
            // Not-a-time is the smallest integer, and the largest time.
            let time = |element: &[u8]| (word(element) ^ (1 << 63)).wrapping_sub(1);
            by(&|a, b| time(a).cmp(&time(b)))
        }
        Kind::Float if matches!(size, 2 | 4 | 8) => {
            let (bits, mantissa) = match size {
                2 => (16_u32, 10_u32),
                4 => (32, 23),
                _ => (64, 52),
            };
            let sign = 1_u64.checked_shl(bits.checked_sub(1)?)?;
            let infinity = sign.wrapping_sub(1) & !1_u64.checked_shl(mantissa)?.wrapping_sub(1);
            let number = |element: &[u8]| {
                let word = word(element);
                let size = word & !sign;
                match (size > infinity, word & sign != 0) {
                    (true, _) => u64::MAX,
                    (false, true) => sign.wrapping_sub(size),
                    (false, false) => sign.wrapping_add(size),
                }
            };
            by(&|a, b| number(a).cmp(&number(b)))
        }
        Kind::Bytes => by(&|a, b| a.cmp(b)),
        Kind::Unicode => by(&|a, b| {
            let letters = |element: &[u8]| element.chunks_exact(4).map(word).collect::<Vec<_>>();
            letters(a).cmp(&letters(b))
        }),
        _ => return None,
    })
}

/// A number of Python or numpy, as an integer where it is one.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

fn number(value: Value<'_>) -> Option<Number> {
    value
        .int()
        .map(Number::Int)
        .or_else(|| value.float().map(Number::Float))
}

fn last_object_is_largest(items: &[Value<'_>]) -> bool {
    let Some((last, others)) = items.split_last() else {
        return true;
    };
    if last.is_string() || last.is_none() {
        return true;
    }
    let Some(last) = number(*last) else {
        return others
            .iter()
            .all(|item| number(*item).is_none() && item.big_int().is_none());
    };
    others.iter().all(|item| match (number(*item), last) {
        (_, Number::Float(last)) if last.is_nan() => true,
        (Some(Number::Int(item)), Number::Int(last)) => item <= last,
        (Some(Number::Int(item)), Number::Float(last)) => {
            exact(item).is_some_and(|item| item <= last)
        }
        (Some(Number::Float(item)), Number::Int(last)) => {
            item.is_nan() || exact(last).is_some_and(|last| item <= last)
        }
        (Some(Number::Float(item)), Number::Float(last)) => item.is_nan() || item <= last,
        (None, _) => item.is_string() || item.is_none(),
    })
}

/// An integer that a float holds exactly.
fn exact(value: i64) -> Option<f64> {
    i32::try_from(value).ok().map(f64::from)
}

/// What `_csr_polynomial_expansion` of scikit-learn 1.9.1 (`preprocessing/_csr_polynomial_expansion.pyx`) relies on: the
/// caller counts the products of a row by a formula that holds for 0 and 1, and C then writes as many as two or three
/// nested loops find that start `interaction_only` places apart.
///
/// - `interaction_only` is 0 or 1.
pub(super) fn verify_polynomial(features: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(features)?;
    match features.get("interaction_only") {
        Some(only) if !only.int().is_some_and(|only| (0..=1).contains(&only)) => {
            Err(only.refuse("interaction_only is not a bool"))
        }
        _ => degrees(features),
    }
}

/// What `PolynomialFeatures.transform` counts through: for sparse input every degree up to `_max_degree`, for each row.
///
/// - The number of columns that the degrees give (`_num_combinations`) is `n_output_features_`, at most 10,000,000.
fn degrees(features: Value<'_>) -> Result<(), Refusal> {
    let number = |name: &str| features.get(name).and_then(Value::int);
    let Some(outputs) = number("n_output_features_") else {
        // Not fitted: `fit` looks at the parameters.
        return Ok(());
    };
    let parts = (
        number("n_features_in_"),
        number("_min_degree"),
        number("_max_degree"),
    );
    let (Some(inputs), Some(least), Some(most)) = parts else {
        return Err(
            features.refuse("the degrees of polynomial features are not those of its columns")
        );
    };
    let only = features.get("interaction_only").and_then(Value::int) == Some(1);
    let bias = features.get("include_bias").and_then(Value::int) != Some(0);
    let mut columns = i128::from(bias);
    // The number of monomials of one degree, from the one before it.
    let mut monomials: i128 = 1;
    let (inputs, least, most) = (i128::from(inputs), i128::from(least), i128::from(most));
    let mut degree: i128 = 1;
    while degree <= most && columns <= COLUMNS && monomials != 0 {
        let factor = if only {
            inputs.saturating_sub(degree).saturating_add(1)
        } else {
            inputs.saturating_add(degree).saturating_sub(1)
        };
        monomials = monomials
            .saturating_mul(factor.max(0))
            .checked_div(degree)
            .unwrap_or(0);
        if degree >= least {
            columns = columns.saturating_add(monomials);
        }
        degree = degree.saturating_add(1);
    }
    let counted =
        degree > most || (monomials == 0 && most <= inputs.saturating_mul(2).saturating_add(100));
    let ordered = 0 <= least && least <= most;
    if ordered && counted && columns == i128::from(outputs) && columns <= COLUMNS {
        return Ok(());
    }
    Err(features.refuse("the degrees of polynomial features are not those of its columns"))
}

/// Most columns of polynomial features.
const COLUMNS: i128 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;
    use crate::dtype::DType;

    fn text(value: &[u8], size: usize) -> Given {
        let dtype = DType::parse(&format!("|S{size}")).unwrap();
        Given::Array(dtype, vec![value.chunks(size).count()], value.to_vec())
    }

    fn floats(values: &[f64]) -> Given {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Given::Array(DType::parse("<f8").unwrap(), vec![values.len()], bytes)
    }

    fn encoder(categories: Vec<Given>, outs: &[i64]) -> Given {
        Given::Object(
            "sklearn.preprocessing._encoders.OneHotEncoder",
            Box::new(Given::Dict(vec![
                (
                    "n_features_in_",
                    Given::Int(i64::try_from(categories.len()).unwrap()),
                ),
                ("categories_", Given::List(categories)),
                ("_infrequent_enabled", Given::Bool(false)),
                ("_drop_idx_after_grouping", Given::None),
                (
                    "_n_features_outs",
                    Given::List(outs.iter().copied().map(Given::Int).collect()),
                ),
            ])),
        )
    }

    fn with(mut encoder: Given, name: &'static str, value: Given) -> Option<&'static str> {
        encoder.set(name, value);
        encoder.refusal(verify_one_hot)
    }

    #[test]
    fn columns_that_add_up_pass() {
        let two = || vec![Given::longs(&[-3, 0, 9]), text(b"a b ", 2)];
        assert_eq!(encoder(two(), &[3, 2]).refusal(verify_one_hot), None);
        assert!(encoder(two(), &[3, 1]).refusal(verify_one_hot).is_some());
        assert!(encoder(two(), &[3]).refusal(verify_one_hot).is_some());
        assert!(with(encoder(two(), &[3, 2]), "n_features_in_", Given::Int(3)).is_some());
        assert!(
            with(
                encoder(two(), &[3, 2]),
                "_transform",
                Given::Global("numpy.modf")
            )
            .is_some()
        );
    }

    #[test]
    fn the_last_category_is_the_largest() {
        let one = |categories: Given, count: i64| {
            encoder(vec![categories], &[count]).refusal(verify_one_hot)
        };
        assert_eq!(one(Given::longs(&[1, 5, 9]), 3), None);
        assert!(one(Given::longs(&[1, 9, 5]), 3).is_some());
        assert!(one(Given::longs(&[1, -1]), 2).is_some());
        assert_eq!(one(floats(&[-1.5, -0.0, 2.0, f64::NAN]), 4), None);
        assert!(one(floats(&[f64::NAN, 2.0]), 2).is_some());
        assert!(one(floats(&[-1.0, -2.0]), 2).is_some());
        assert!(one(text(b"b a ", 2), 2).is_some());
        let objects = |items: Vec<Given>| {
            let count = i64::try_from(items.len()).unwrap();
            one(Given::Objects(vec![count], items), count)
        };
        assert_eq!(
            objects(vec![Given::Str("b"), Given::Str("a"), Given::None]),
            None
        );
        assert_eq!(objects(vec![Given::Int(1), Given::Float(f64::NAN)]), None);
        assert!(objects(vec![Given::Int(2), Given::Float(1.0)]).is_some());
        assert!(objects(vec![Given::Int(2), Given::Tuple(vec![])]).is_some());
    }

    #[test]
    fn infrequent_and_dropped_categories_leave_fewer_columns() {
        let grouped = |infrequent: &[i64], map: &[i64], out: i64| {
            let mut encoder = encoder(vec![Given::longs(&[1, 2, 3, 4])], &[out]);
            encoder.set("_infrequent_enabled", Given::Bool(true));
            encoder.set(
                "_infrequent_indices",
                Given::List(vec![Given::longs(infrequent)]),
            );
            encoder.set(
                "_default_to_infrequent_mappings",
                Given::List(vec![Given::longs(map)]),
            );
            encoder
        };
        assert_eq!(
            grouped(&[0, 2], &[2, 0, 2, 1], 3).refusal(verify_one_hot),
            None
        );
        assert!(
            grouped(&[0, 2], &[3, 0, 2, 1], 3)
                .refusal(verify_one_hot)
                .is_some()
        );
        assert!(
            grouped(&[0, 4], &[2, 0, 2, 1], 3)
                .refusal(verify_one_hot)
                .is_some()
        );
        assert!(
            grouped(&[0, 2], &[2, 0, 2, 1], 4)
                .refusal(verify_one_hot)
                .is_some()
        );
        assert!(
            grouped(&[0, 2], &[2, 0, 2], 3)
                .refusal(verify_one_hot)
                .is_some()
        );
        let unmapped = Given::List(vec![Given::None]);
        assert!(
            with(
                grouped(&[0, 2], &[], 3),
                "_default_to_infrequent_mappings",
                unmapped
            )
            .is_some()
        );

        let dropped = |place: Given, out: i64| {
            let encoder = encoder(vec![Given::longs(&[1, 2])], &[out]);
            with(
                encoder,
                "_drop_idx_after_grouping",
                Given::Objects(vec![1], vec![place]),
            )
        };
        assert_eq!(dropped(Given::Int(1), 1), None);
        assert_eq!(dropped(Given::None, 2), None);
        assert!(dropped(Given::Int(2), 1).is_some());
        assert!(dropped(Given::Int(-1), 1).is_some());
        assert!(dropped(Given::None, 1).is_some());
    }

    #[test]
    fn interaction_only_is_a_bool() {
        let features = |only: Given| {
            let state = Given::Dict(vec![("interaction_only", only)]);
            Given::Object(
                "sklearn.preprocessing._polynomial.PolynomialFeatures",
                Box::new(state),
            )
            .refusal(verify_polynomial)
        };
        assert_eq!(features(Given::Bool(true)), None);
        assert!(features(Given::Int(2)).is_some());
        assert!(features(Given::Float(0.0)).is_some());
    }
}
