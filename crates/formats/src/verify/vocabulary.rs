//! Vocabularies, caches of labels, and sizes of hash tables.

use super::attributes::refuse_names;
use super::{Refusal, Value, regex};
use std::collections::HashSet;

/// Names of what scikit-learn's own methods read the vocabulary with (sorted).
const METHODS: &[&str] = &[
    "_build_cache",
    "_check_vocabulary",
    "_count_vocab",
    "_transform",
    "_validate_vocabulary",
];

/// Classes of numpy whose text is the number that they make of it, and that compare as Python's numbers do.
const NUMBERS: &[&str] = &[
    "numpy.float64",
    "numpy.int32",
    "numpy.int64",
    "numpy.uint32",
    "numpy.uint64",
];

/// What `CountVectorizer._count_vocab` (also under `TfidfVectorizer`) and `DictVectorizer._transform` of scikit-learn
/// 1.9.1 (`feature_extraction/text.py`, `_dict_vectorizer.py`) rely on: they look words up in `vocabulary_` and
/// hand the numbers to scipy as the column indices of a CSR matrix with `len(vocabulary_)` columns. Nobody
/// compares the two, and `toarray`, `@` and `tocsc` then write or read where a number points.
///
/// - `vocabulary_` is a plain `dict` (another mapping could grow or answer unknown words).
/// - Each value is an integer in 0..n, where n is the number of keys that are certainly different.
/// - No attribute stands before a method that reads the vocabulary.
pub(super) fn verify(vectorizer: Value<'_>) -> Result<(), Refusal> {
    refuse_names(vectorizer, METHODS)?;
    ngrams(vectorizer)?;
    tokens(vectorizer)?;
    columns_of(vectorizer, "vocabulary_")
}

/// What the analyzers of scikit-learn 1.9.1 (`feature_extraction/text.py`, `_word_ngrams`, `_char_ngrams`) rely on:
/// they count from the first number to the second, whatever they are.
///
/// - `ngram_range` is a pair of integers, 1 <= first <= second <= 1000.
fn ngrams(vectorizer: Value<'_>) -> Result<(), Refusal> {
    let Some(range) = vectorizer.get("ngram_range") else {
        return Ok(());
    };
    let pair: Option<Vec<i64>> = range
        .items()
        .and_then(|items| items.into_iter().map(Value::int).collect());
    match pair.as_deref() {
        Some(&[first, last]) if 1 <= first && first <= last && last <= 1000 => Ok(()),
        _ => Err(range.refuse("ngram_range is not a pair of numbers from 1 to 1000")),
    }
}

/// The pattern that finds words, as [`regex::verify`] says.
fn tokens(vectorizer: Value<'_>) -> Result<(), Refusal> {
    vectorizer
        .get("token_pattern")
        .map_or(Ok(()), regex::verify)
}

/// What `MultiLabelBinarizer._transform` of scikit-learn 1.9.1 (`preprocessing/_label.py`) relies on: `_cached_dict`
/// gives the column indices of a CSR matrix with `len(_cached_dict)` columns, as in [`verify`].
///
/// - `_cached_dict` is `None`, or a plain `dict` whose values are integers in 0..n, where n is the number of keys
///   that are certainly different.
pub(super) fn verify_label_cache(binarizer: Value<'_>) -> Result<(), Refusal> {
    refuse_names(binarizer, METHODS)?;
    columns_of(binarizer, "_cached_dict")
}

/// What `_hashing_fast.transform` of scikit-learn 1.9.1 relies on: it computes `abs(hash) % n_features` in C, where 0
/// stops the process (SIGFPE) and more than 2^31 - 1 gives negative columns. Only `fit` looks at the parameter.
///
/// - `n_features` is in 1..=2^31 - 1.
pub(super) fn verify_hasher(hasher: Value<'_>) -> Result<(), Refusal> {
    refuse_names(hasher, &[])?;
    ngrams(hasher)?;
    tokens(hasher)?;
    match hasher.get("n_features") {
        Some(count)
            if !count
                .int()
                .is_some_and(|count| (1..=i64::from(i32::MAX)).contains(&count)) =>
        {
            Err(count.refuse("n_features of a hasher is not in 1..2^31"))
        }
        _ => Ok(()),
    }
}

fn columns_of(estimator: Value<'_>, key: &str) -> Result<(), Refusal> {
    let Some(mapping) = estimator.get(key).filter(|mapping| !mapping.is_none()) else {
        return Ok(());
    };
    let entries = mapping
        .entries()
        .filter(|_| mapping.class() == Some("builtins.dict"));
    let Some(entries) = entries else {
        return Err(mapping.refuse("a vocabulary is not a dict"));
    };
    let count = i64::try_from(distinct(entries.iter().map(|entry| entry.0))).unwrap_or(i64::MAX);
    for (_, column) in entries {
        if !column
            .int()
            .is_some_and(|column| (0..count).contains(&column))
        {
            return Err(column.refuse("a column of a vocabulary is not in 0..n for its n words"));
        }
    }
    Ok(())
}

/// How many keys are different for Python, at least: `1`, `1.0` and `True` are one key, a string of numpy is that of
/// Python, and keys of other types count for nothing.
fn distinct<'a>(keys: impl Iterator<Item = Value<'a>>) -> usize {
    let mut words = HashSet::new();
    let mut numbers = HashSet::new();
    let mut others = 0_usize;
    for key in keys {
        if let Some(word) = key.text() {
            words.insert(word);
        } else if key.is_string() {
            // Equal strings are equal keys of the file, which the reader refuses.
            others = others.saturating_add(1);
        } else if let Some(number) = key.float() {
            numbers.insert(bits(number));
        } else if let Some((class, text)) = key.key() {
            if class == "numpy.str_" {
                words.insert(text);
            } else if NUMBERS.contains(&class)
                && let Ok(number) = text.parse::<f64>()
            {
                numbers.insert(bits(number));
            }
        }
    }
    words
        .len()
        .saturating_add(numbers.len())
        .saturating_add(others)
}

/// The same bits for equal numbers.
fn bits(number: f64) -> u64 {
    if number == 0.0 { 0 } else { number.to_bits() }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn vectorizer(words: Vec<(&'static str, Given)>) -> Option<&'static str> {
        let state = Given::Dict(vec![("vocabulary_", Given::Dict(words))]);
        Given::Object(
            "sklearn.feature_extraction.text.CountVectorizer",
            Box::new(state),
        )
        .refusal(verify)
    }

    #[test]
    fn words_have_columns_that_are_there() {
        assert_eq!(
            vectorizer(vec![("b", Given::Int(0)), ("a", Given::Int(1))]),
            None
        );
        let refused = Some("a column of a vocabulary is not in 0..n for its n words");
        assert_eq!(
            vectorizer(vec![("b", Given::Int(0)), ("a", Given::Int(2))]),
            refused
        );
        assert_eq!(vectorizer(vec![("b", Given::Int(-1))]), refused);
        assert_eq!(vectorizer(vec![("b", Given::Float(0.0))]), refused);
    }

    #[test]
    fn an_unfitted_vectorizer_passes() {
        let state = Given::Dict(vec![("lowercase", Given::Bool(true))]);
        let object = Given::Object(
            "sklearn.feature_extraction.text.CountVectorizer",
            Box::new(state),
        );
        assert_eq!(object.refusal(verify), None);
    }

    #[test]
    fn a_hasher_has_columns() {
        let hasher = |count: Given| {
            let state = Given::Dict(vec![("n_features", count)]);
            Given::Object(
                "sklearn.feature_extraction._hash.FeatureHasher",
                Box::new(state),
            )
            .refusal(verify_hasher)
        };
        assert_eq!(hasher(Given::Int(1)), None);
        assert!(hasher(Given::Int(0)).is_some());
        assert!(hasher(Given::Int(-8)).is_some());
        assert!(hasher(Given::Int(1 << 31)).is_some());
        assert!(hasher(Given::None).is_some());
    }
}
