//! What a constructor that is called while loading may be called with.

use super::{Refusal, Value, is_scalar};

/// Most items that a `range` of a file may have.
const RANGE: u128 = 100_000;

/// What `range(start, stop, step)` may be: lazy by itself, but everything that looks through it takes that long.
///
/// - Its arguments are integers, and it has at most 100,000 items.
pub(super) fn range(object: Value<'_>) -> Result<(), Refusal> {
    let args = object.args().and_then(Value::items).unwrap_or_default();
    let numbers: Option<Vec<i128>> = args
        .into_iter()
        .map(|arg| arg.int().map(i128::from))
        .collect();
    let (first, end, step) = match numbers.as_deref() {
        Some(&[end]) => (0, end, 1),
        Some(&[first, end]) => (first, end, 1),
        Some(&[first, end, step]) if step != 0 => (first, end, step),
        _ => return Err(object.refuse("the arguments of a range are not integers")),
    };
    let distance = end.abs_diff(first);
    if distance
        .checked_div(step.unsigned_abs())
        .is_none_or(|items| items > RANGE)
    {
        return Err(object.refuse("a range has more than 100,000 items"));
    }
    Ok(())
}

/// What `frozenset`, `Counter` and `OrderedDict` may be made from: they look through their argument at once
/// (`CPython` 3.11, `Objects/setobject.c`, `Lib/collections/__init__.py`), so that it must stand in the file itself.
///
/// - Each argument is a list, tuple, set or dict of the file, not an object that is made by a call.
pub(super) fn items(object: Value<'_>) -> Result<(), Refusal> {
    for arg in object.args().and_then(Value::items).unwrap_or_default() {
        let stands_there =
            arg.entries().is_some() || (!arg.is_construct() && arg.items().is_some());
        if !stands_there {
            return Err(object
                .refuse("a collection is made from something that does not stand in the file"));
        }
    }
    Ok(())
}

/// What a masked array may be made from (numpy 2.4, `numpy/ma/core.py`: both are handed to `numpy.array`).
///
/// - Data and mask are arrays.
pub(super) fn masked(object: Value<'_>) -> Result<(), Refusal> {
    if object
        .children()
        .all(|part| part.array().is_some() || part.object_shape().is_some())
    {
        return Ok(());
    }
    Err(object.refuse("the data or the mask of a masked array is not an array"))
}

/// What the class of a numpy scalar may be called with: it hands its argument to `numpy.array`, which looks through
/// everything that has items.
///
/// - Its arguments are scalars.
pub(super) fn scalar(object: Value<'_>) -> Result<(), Refusal> {
    if !object.is_construct() || !object.class().is_some_and(is_scalar) {
        return Ok(());
    }
    for arg in object.args().and_then(Value::items).unwrap_or_default() {
        let is_number = arg.float().is_some() || arg.big_int().is_some() || arg.boolean().is_some();
        if !(is_number || arg.text().is_some() || arg.is_none()) {
            return Err(object.refuse("a numpy scalar is made from something that is no scalar"));
        }
    }
    Ok(())
}
