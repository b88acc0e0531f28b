//! Random number generators of numpy.

use super::attributes::string;
use super::{Refusal, Value};
use crate::dtype::Kind;

/// The pool of a seed sequence is mixed in quadratic time; numpy's own is 4, or 8 at a user's wish.
const LARGEST_POOL: i64 = 256;

/// Words or numbers of entropy that are mixed into the pool one by one.
const MOST_ENTROPY: usize = 65_536;

/// As many digits as Python itself turns into an integer (`sys.get_int_max_str_digits`).
const MOST_DIGITS: usize = 4_300;

/// What `set_state` and the `state` setters of numpy 2.4 (`random/mtrand.pyx`, `_mt19937.pyx`, `_pcg64.pyx`,
/// `_philox.pyx`, `_sfc64.pyx`) copy into C structures without a look, and C then indexes or loops with:
/// `mt19937_next` reads `key[pos]` unless `pos == 624`, `philox_next` reads `buffer[buffer_pos]` unless
/// `buffer_pos >= 4`, and the samplers that reject (`legacy_gauss`, the ziggurat, `random_bounded`) loop until
/// another number comes, which is never for a generator that stands still.
///
/// - The bit generator is one of `MT19937`, `PCG64`, `PCG64DXSM`, `Philox`, `SFC64`.
/// - `MT19937`: `key` is 624 words of 4 bytes, not all zero (of the first word the top bit counts); `pos` is in 0..=624.
/// - `PCG64`, `PCG64DXSM`: `state` and `inc` are in 0..2^128; `inc` is odd, as the full period needs.
/// - `Philox`: `counter` is four words of 8 bytes, `key` two, `buffer` four; `buffer_pos` is in 0..=4.
/// - `SFC64`: `state` is four words of 8 bytes.
/// - `has_uint32` and `has_gauss` are 0 or 1, `uinteger` fits 4 bytes, `gauss` is a float.
/// - Seed sequence (`bit_generator.pyx`, `SeedSequence.mix_entropy`): `pool_size` is in 4..=256, since mixing is
///   quadratic in it; entropy and `spawn_key` are integers, not negative, and not more than 65,536.
/// - An object that is not made by its constructor has no C structure behind it and is refused.
pub(super) fn verify(generator: Value<'_>) -> Result<(), Refusal> {
    if generator.is_object() || generator.args().is_some() {
        return Err(
            generator.refuse("a random number generator that its constructor does not make")
        );
    }
    let Some(state) = generator
        .state()
        .filter(|state| state.class() == Some("builtins.dict"))
    else {
        return Err(generator.refuse("the state of a random number generator is not a dict"));
    };
    bit_generator(state)?;
    if let Some(sequence) = generator.seed_sequence() {
        seed_sequence(sequence)?;
    }
    Ok(())
}

/// Refuses what only its constructor can make: see [`verify`].
pub(super) fn refuse_alone(part: Value<'_>) -> Result<(), Refusal> {
    Err(part.refuse("a part of a random number generator stands alone"))
}

fn bit_generator(state: Value<'_>) -> Result<(), Refusal> {
    let Some(inner) = state
        .get("state")
        .filter(|inner| inner.class() == Some("builtins.dict"))
    else {
        return Err(state.refuse("the state of a random number generator is not a dict"));
    };
    match state.get("bit_generator").and_then(string).as_deref() {
        Some("MT19937") => mersenne_twister(inner)?,
        Some("PCG64" | "PCG64DXSM") => congruential(inner)?,
        Some("Philox") => {
            words(inner, "counter", 8, 4)?;
            words(inner, "key", 8, 2)?;
            words(state, "buffer", 8, 4)?;
            if !number(state, "buffer_pos", 0, 4) {
                return Err(
                    state.refuse("buffer_pos of a random number generator is outside its buffer")
                );
            }
        }
        Some("SFC64") => words(inner, "state", 8, 4)?,
        _ => return Err(state.refuse("the name of a bit generator is not one of numpy's")),
    }
    let flags = ["has_uint32", "has_gauss"];
    if flags
        .iter()
        .any(|key| state.get(key).is_some() && !number(state, key, 0, 1))
    {
        return Err(state.refuse("a flag of a random number generator is not 0 or 1"));
    }
    if state.get("uinteger").is_some() && !number(state, "uinteger", 0, i64::from(u32::MAX)) {
        return Err(state.refuse("uinteger of a random number generator does not fit 4 bytes"));
    }
    if state
        .get("gauss")
        .is_some_and(|gauss| gauss.float().is_none())
    {
        return Err(state.refuse("gauss of a random number generator is not a number"));
    }
    Ok(())
}

fn mersenne_twister(state: Value<'_>) -> Result<(), Refusal> {
    words(state, "key", 4, 624)?;
    let mut first = true;
    let mut alive = false;
    if let Some(key) = state.get("key").and_then(Value::array) {
        key.all_ints(|word| {
            alive |= if first { word >> 31 != 0 } else { word != 0 };
            first = false;
            !alive
        });
    }
    if !alive {
        return Err(state.refuse("the key of a random number generator is all zero"));
    }
    if !number(state, "pos", 0, 624) {
        return Err(state.refuse("pos of a random number generator is outside its key"));
    }
    Ok(())
}

fn congruential(state: Value<'_>) -> Result<(), Refusal> {
    let number = |key: &str| state.get(key)?.big_int()?.parse::<u128>().ok();
    match (number("state"), number("inc")) {
        (Some(_), Some(increment)) if increment & 1 == 1 => Ok(()),
        (Some(_), Some(_)) => Err(state.refuse("inc of a random number generator is even")),
        _ => Err(state.refuse("state or inc of a random number generator does not fit 16 bytes")),
    }
}

fn words(state: Value<'_>, key: &str, size: usize, count: usize) -> Result<(), Refusal> {
    let fits = state.get(key).and_then(Value::array).is_some_and(|array| {
        array.shape() == [count]
            && array.dtype().kind() == Kind::UInt
            && array.dtype().itemsize() == size
    });
    if fits {
        Ok(())
    } else {
        Err(state.refuse("words of a random number generator are not of its number and size"))
    }
}

fn number(state: Value<'_>, key: &str, least: i64, most: i64) -> bool {
    state
        .get(key)
        .and_then(Value::int)
        .is_some_and(|value| (least..=most).contains(&value))
}

fn seed_sequence(sequence: Value<'_>) -> Result<(), Refusal> {
    let Some(entries) = sequence
        .entries()
        .filter(|_| sequence.class() == Some("builtins.dict"))
    else {
        return Err(sequence.refuse("the state of a seed sequence is not a dict"));
    };
    for (key, value) in entries {
        let fine = match key.text() {
            Some("entropy") => value.is_none() || is_entropy(value),
            Some("spawn_key") => is_entropy(value),
            Some("pool_size") => value
                .int()
                .is_some_and(|size| (4..=LARGEST_POOL).contains(&size)),
            Some("n_children_spawned") => value
                .int()
                .is_some_and(|count| (0..=i64::from(u32::MAX)).contains(&count)),
            _ => false,
        };
        if !fine {
            return Err(value.refuse("a value of a seed sequence is unknown or out of its range"));
        }
    }
    Ok(())
}

/// Whether a value is one or more integers that are not negative, and not too many.
fn is_entropy(value: Value<'_>) -> bool {
    if let Some(items) = value.items() {
        return items.len() <= MOST_ENTROPY && items.into_iter().all(is_natural);
    }
    if let Some(array) = value.array() {
        return array.len() <= MOST_ENTROPY
            && array.shape().len() < 2
            && array.all_ints(|word| word >= 0) == Some(true);
    }
    is_natural(value)
}

fn is_natural(value: Value<'_>) -> bool {
    value.int().is_some_and(|number| number >= 0)
        || value
            .big_int()
            .is_some_and(|digits| !digits.starts_with('-') && digits.len() <= MOST_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;
    use crate::dtype::DType;

    fn words(dtype: &str, words: &[u64]) -> Given {
        let size = DType::parse(dtype).unwrap().itemsize();
        let bytes = words
            .iter()
            .flat_map(|word| word.to_le_bytes()[..size].to_vec())
            .collect();
        Given::Array(DType::parse(dtype).unwrap(), vec![words.len()], bytes)
    }

    fn mersenne(key: &[u64], pos: i64) -> Given {
        let inner = vec![("key", words("<u4", key)), ("pos", Given::Int(pos))];
        Given::Dict(vec![
            ("bit_generator", Given::Str("MT19937")),
            ("state", Given::Dict(inner)),
            ("has_gauss", Given::Int(0)),
            ("gauss", Given::Float(0.0)),
        ])
    }

    fn philox(buffer: &[u64], place: i64) -> Given {
        let inner = vec![
            ("counter", words("<u8", &[0; 4])),
            ("key", words("<u8", &[1, 2])),
        ];
        Given::Dict(vec![
            ("bit_generator", Given::Str("Philox")),
            ("state", Given::Dict(inner)),
            ("buffer", words("<u8", buffer)),
            ("buffer_pos", Given::Int(place)),
            ("has_uint32", Given::Int(0)),
            ("uinteger", Given::Int(0)),
        ])
    }

    fn pcg(increment: i64) -> Given {
        let inner = vec![("state", Given::Int(0)), ("inc", Given::Int(increment))];
        Given::Dict(vec![
            ("bit_generator", Given::Str("PCG64")),
            ("state", Given::Dict(inner)),
        ])
    }

    #[test]
    fn a_position_is_inside_its_words() {
        let key = [7; 624];
        assert_eq!(mersenne(&key, 624).refusal(bit_generator), None);
        assert_eq!(mersenne(&key, 0).refusal(bit_generator), None);
        assert!(mersenne(&key, 625).refusal(bit_generator).is_some());
        assert!(mersenne(&key, -1).refusal(bit_generator).is_some());
        assert!(mersenne(&key[1..], 3).refusal(bit_generator).is_some());
        assert_eq!(philox(&[0; 4], 4).refusal(bit_generator), None);
        assert!(philox(&[0; 4], 5).refusal(bit_generator).is_some());
        assert!(philox(&[0; 4], -1).refusal(bit_generator).is_some());
        assert!(philox(&[0; 3], 3).refusal(bit_generator).is_some());
    }

    #[test]
    fn a_generator_moves() {
        let mut key = [0; 624];
        key[0] = 0x7fff_ffff;
        assert!(mersenne(&key, 0).refusal(bit_generator).is_some());
        key[0] = 0x8000_0000;
        assert_eq!(mersenne(&key, 0).refusal(bit_generator), None);
        assert_eq!(pcg(1).refusal(bit_generator), None);
        assert!(pcg(0).refusal(bit_generator).is_some());
        assert!(pcg(-1).refusal(bit_generator).is_some());
    }

    #[test]
    fn a_name_is_one_of_numpys() {
        let mut state = pcg(1);
        state.set("bit_generator", Given::Str("seed"));
        assert!(state.refusal(bit_generator).is_some());
    }

    #[test]
    fn a_seed_sequence_is_small() {
        let sequence = |name: &'static str, value: Given| {
            let mut sequence = Given::Dict(vec![
                ("entropy", Given::Int(3)),
                ("spawn_key", Given::Tuple(vec![Given::Int(1)])),
                ("pool_size", Given::Int(4)),
                ("n_children_spawned", Given::Int(0)),
            ]);
            sequence.set(name, value);
            sequence.refusal(seed_sequence)
        };
        assert_eq!(sequence("entropy", words("<u4", &[1, 2])), None);
        assert!(sequence("pool_size", Given::Int(1 << 20)).is_some());
        assert!(sequence("pool_size", Given::Int(3)).is_some());
        assert!(sequence("entropy", Given::Int(-1)).is_some());
        assert!(sequence("n_children_spawned", Given::Int(-1)).is_some());
        assert!(sequence("other", Given::Int(1)).is_some());
    }
}
