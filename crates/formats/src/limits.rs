//! What one load may cost: a budget that readers pay from before they allocate, index or nest.

use crate::error::Error;

/// What one load may cost. Readers pay before they allocate.
///
/// ```
/// let mut limits = nopickle_formats::Limits::default();
/// limits.inflated_bytes = 1 << 30; // at most 1 GiB may come out of compressed entries
/// ```
#[derive(Debug, Clone)]
pub struct Limits {
    /// Entries in all archives together.
    pub entries: u64,
    /// Bytes that compressed entries may inflate to, all together.
    pub inflated_bytes: u64,
    /// Bytes of array data that a load may hold, all together.
    pub array_bytes: u64,
    /// Bytes of `schema.json`.
    pub schema_bytes: u64,
    /// Bytes of one text of a model folder: its `MLmodel`, a requirements file, an environment.
    pub text_bytes: u64,
    /// Bytes of a booster's own text.
    pub booster_bytes: u64,
    /// Levels of nesting in JSON.
    pub depth: u64,
    /// Nodes of the graph.
    pub nodes: u64,
    /// Bytes of JSON that may be passed over and read a second time.
    pub reread_bytes: u64,
}

impl Default for Limits {
    /// 1,000,000 entries, 8 GiB inflated, 256 GiB of arrays, 2 GiB of JSON, 16 MiB of a text,
    /// 2 GiB of a booster, 50,000 levels, 200,000,000 nodes, 1 GiB read twice.
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            inflated_bytes: 8 << 30,
            array_bytes: 256 << 30,
            schema_bytes: 2 << 30,
            text_bytes: 16 << 20,
            booster_bytes: 2 << 30,
            depth: 50_000,
            nodes: 200_000_000,
            reread_bytes: 1 << 30,
        }
    }
}

/// Takes `amount` from `left`, or says that the limit is reached.
pub(crate) fn spend(left: &mut u64, amount: u64, what: &'static str) -> Result<(), Error> {
    match left.checked_sub(amount) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(Error::Limit {
            what,
            found: amount,
            limit: *left,
        }),
    }
}

/// Refuses a `found` that is over `limit`.
pub(crate) fn at_most(limit: u64, found: u64, what: &'static str) -> Result<(), Error> {
    if found > limit {
        return Err(Error::Limit { what, found, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spending_more_than_is_left_costs_nothing_and_is_refused() {
        let mut left = 10;
        assert!(spend(&mut left, 4, "bytes").is_ok());
        assert!(matches!(
            spend(&mut left, 7, "bytes"),
            Err(Error::Limit {
                found: 7,
                limit: 6,
                ..
            })
        ));
        assert_eq!(left, 6);
    }
}
