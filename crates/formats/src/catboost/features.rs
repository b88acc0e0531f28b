//! The features of a model: where their values are in a row, and the borders and values that splits compare them with.

use super::Refused;
use super::ctr::{BASE, Base};
use super::flat::{Buffer, Schema, Table, Text};

/// Borders and values of one bin: what one byte of the evaluator's rows can count.
const VALUES_PER_BIN: usize = 254;

/// `feature_names_` makes a name for each column up to the last one of the model.
const MOST_COLUMNS: u32 = 1 << 24;

const FLOAT: Schema = Schema {
    name: "TFloatFeature",
    fields: &[1, 4, 4, 4, 4, 1],
    shared: false,
};
const CATEGORICAL: Schema = Schema {
    name: "TCatFeature",
    fields: &[4, 4, 4, 1],
    shared: false,
};
const ONE_HOT: Schema = Schema {
    name: "TOneHotFeature",
    fields: &[4, 4, 4],
    shared: false,
};
const CTR_FEATURE: Schema = Schema {
    name: "TCtrFeature",
    fields: &[4, 4],
    shared: false,
};
const CTR: Schema = Schema {
    name: "TModelCtr",
    fields: &[4, 4, 4, 4, 4, 4],
    shared: true,
};

const RISE: &str = "the features of one kind do not rise, each at its own column";

/// What the evaluator's row holds for a border or a value: `TRepackedBin` as its four bytes.
type Bin = [u8; 4];

/// The features of a model.
#[derive(Debug)]
pub(super) struct Features<'a> {
    /// For each border and value in the order of their numbers; `None` past the 65,536th byte of a row.
    pub(super) bins: Vec<Option<Bin>>,
    /// One more than the largest flat index.
    pub(super) columns: u32,
    pub(super) names: Vec<&'a str>,
    /// What CTR features are computed from, which class of their table each asks for, and where in the file.
    pub(super) ctrs: Vec<(Base<'a>, i32, usize)>,
    /// The categorical features in use, each border of a float feature and each value of a one-hot feature: sorted.
    pub(super) categories: Vec<[u8; 4]>,
    pub(super) borders: Vec<[u8; 8]>,
    pub(super) values: Vec<[u8; 8]>,
}

/// Counts the bytes of the evaluator's row.
#[derive(Default)]
struct Row {
    bytes: usize,
    bins: Vec<Option<Bin>>,
}

impl Row {
    fn push(&mut self, count: usize, is_value: bool) {
        for index in 0..count {
            let byte = index
                .checked_div(VALUES_PER_BIN)
                .and_then(|byte| self.bytes.checked_add(byte));
            let number = index.checked_rem(VALUES_PER_BIN).unwrap_or_default();
            let number = u8::try_from(number.saturating_add(1)).unwrap_or(u8::MAX);
            let (mask, split) = if is_value {
                (!number, 255)
            } else {
                (0, number)
            };
            let byte = byte.and_then(|byte| u16::try_from(byte).ok());
            self.bins.push(byte.map(|byte| {
                let [low, high] = byte.to_le_bytes();
                [low, high, mask, split]
            }));
        }
        self.bytes = self.bytes.saturating_add(count.div_ceil(VALUES_PER_BIN));
    }
}

/// The columns that features stand at, so far.
struct Columns<'a> {
    flat: Vec<i32>,
    names: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    /// The index of a feature, which is larger than that of the one before; takes its column and its name.
    fn take(
        &mut self,
        buffer: &Buffer<'_>,
        table: &Table,
        place: (i32, i32),
        before: Option<i32>,
        name: Option<Text<'a>>,
    ) -> Result<i32, Refused> {
        let (index, flat) = place;
        if index < 0 || before.is_some_and(|before| index <= before) || flat < index {
            return Err(buffer.unverified(table.at(), RISE));
        }
        self.flat.push(flat);
        self.names.extend(name.map(|name| name.text));
        Ok(index)
    }
}

/// An index and a border or a value, as they stand in a combination.
fn pair(index: i32, value: [u8; 4]) -> [u8; 8] {
    let mut pair = [0; 8];
    let (first, second) = pair.split_at_mut(4);
    first.copy_from_slice(&index.to_le_bytes());
    second.copy_from_slice(&value);
    pair
}

/// The borders of a feature, which rise.
fn borders<'a>(
    buffer: &mut Buffer<'a>,
    table: &Table,
    field: usize,
) -> Result<&'a [[u8; 4]], Refused> {
    let (at, bytes) = buffer.vector(table, field, 4)?;
    let borders = bytes.as_chunks::<4>().0;
    let mut last = None;
    for border in borders {
        let border = f32::from_le_bytes(*border);
        if border.is_nan() || last.is_some_and(|last| border <= last) {
            return Err(buffer.unverified(at, "borders do not rise"));
        }
        last = Some(border);
    }
    Ok(borders)
}

/// Reads the features of `TModelTrees`.
pub(super) fn read<'a>(buffer: &mut Buffer<'a>, trees: &Table) -> Result<Features<'a>, Refused> {
    let mut columns = Columns {
        flat: Vec::new(),
        names: Vec::new(),
    };
    let mut row = Row::default();
    let mut all_borders = Vec::new();
    let mut before = None;
    for table in buffer.tables(trees, 5, &FLOAT)? {
        let place = (buffer.int(&table, 1, -1)?, buffer.int(&table, 2, -1)?);
        let name = buffer.text(&table, 4)?;
        let index = columns.take(buffer, &table, place, before, name)?;
        before = Some(index);
        if buffer.byte(&table, 0, 0)? > 1 || buffer.byte(&table, 5, 0)? > 2 {
            let what = "HasNans or NanValueTreatment is not one that CatBoost knows";
            return Err(buffer.unverified(table.at(), what));
        }
        let borders = borders(buffer, &table, 3)?;
        row.push(borders.len(), false);
        all_borders.extend(borders.iter().map(|border| pair(index, *border)));
    }
    let mut categories = Vec::new();
    before = None;
    for table in buffer.tables(trees, 4, &CATEGORICAL)? {
        let place = (buffer.int(&table, 0, -1)?, buffer.int(&table, 1, -1)?);
        let name = buffer.text(&table, 2)?;
        let index = columns.take(buffer, &table, place, before, name)?;
        before = Some(index);
        if buffer.byte(&table, 3, 1)? != 0 {
            categories.push(index.to_le_bytes());
        }
    }
    categories.sort_unstable();
    let values = one_hot(buffer, trees, &categories, &mut row)?;
    let mut ctrs = Vec::new();
    for table in buffer.tables(trees, 7, &CTR_FEATURE)? {
        let missing = buffer.malformed(table.at(), "a CTR feature does not say what it is of");
        let Some(ctr) = buffer.table(&table, 0, &CTR)? else {
            return Err(missing);
        };
        let Some(base) = buffer.table(&ctr, 0, &BASE)? else {
            return Err(missing);
        };
        let target = buffer.int(&ctr, 1, 0)?;
        ctrs.push((Base::read(buffer, &base)?, target, buffer.place(&ctr)));
        let borders = borders(buffer, &table, 1)?;
        row.push(borders.len(), false);
    }
    columns.flat.sort_unstable();
    if columns
        .flat
        .windows(2)
        .any(|pair| pair.first() == pair.last())
    {
        return Err(buffer.unverified(trees.at(), RISE));
    }
    let last = columns.flat.last().copied().unwrap_or(-1);
    let num_features = u32::try_from(last.saturating_add(1)).unwrap_or_default();
    if num_features > MOST_COLUMNS {
        let (what, most) = ("columns of a CatBoost model", MOST_COLUMNS.into());
        return Err(buffer.limit(trees.at(), what, num_features.into(), most));
    }
    all_borders.sort_unstable();
    Ok(Features {
        bins: row.bins,
        columns: num_features,
        names: columns.names,
        ctrs,
        categories,
        borders: all_borders,
        values,
    })
}

/// The values of one-hot features, each with its index, sorted.
fn one_hot(
    buffer: &mut Buffer<'_>,
    trees: &Table,
    categories: &[[u8; 4]],
    row: &mut Row,
) -> Result<Vec<[u8; 8]>, Refused> {
    let mut all = Vec::new();
    for table in buffer.tables(trees, 6, &ONE_HOT)? {
        let index = buffer.int(&table, 0, -1)?;
        if categories.binary_search(&index.to_le_bytes()).is_err() {
            let what = "a one-hot feature is not that of a categorical feature in use";
            return Err(buffer.unverified(table.at(), what));
        }
        let (at, bytes) = buffer.vector(&table, 1, 4)?;
        let values = bytes.as_chunks::<4>().0;
        let texts = buffer.texts(&table, 2)?.len();
        if texts != 0 && texts != values.len() {
            let what = "StringValues of a one-hot feature are not one for each value";
            return Err(buffer.unverified(at, what));
        }
        row.push(values.len(), true);
        all.extend(values.iter().map(|value| pair(index, *value)));
    }
    all.sort_unstable();
    if all.windows(2).any(|pair| pair.first() == pair.last()) {
        let what = "a one-hot feature has a value twice";
        return Err(buffer.unverified(trees.at(), what));
    }
    Ok(all)
}
