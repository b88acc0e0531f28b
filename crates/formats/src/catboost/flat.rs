//! A FlatBuffer, read by offsets that are all looked at, and every byte of which belongs to one value.
//!
//! Read from FlatBuffers 2.0 (`flatbuffers.h`): a table starts with the distance back to its vtable, which has its own
//! length, the length of the table and where each field is; a field that points has the distance forward to a vector, a
//! text or a table; a vector starts with its length; a text has one byte 0 behind it.

use super::Refused;

/// How often the bytes of one FlatBuffer may be read, on average: CTR features share their tables.
const READ_AGAIN: u64 = 8;

const OUT: &str = "an offset leads out of its FlatBuffer";
const ALIGNED: &str = "a value of a FlatBuffer is not aligned";
const VTABLE: &str = "a vtable does not fit its table";

/// The kind of a table: its name in the schema, the bytes that each field takes in it, and whether tables may share one.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) name: &'static str,
    pub(super) fields: &'static [u8],
    pub(super) shared: bool,
}

/// A value's bytes, and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: usize,
    end: usize,
    what: &'static str,
    shared: bool,
}

/// The bytes of one FlatBuffer, and which of them were read.
#[derive(Debug)]
pub(super) struct Buffer<'a> {
    bytes: &'a [u8],
    /// Where it starts in the file.
    base: usize,
    spans: Vec<Span>,
    work_left: u64,
}

/// A table whose vtable was looked at: where each field is, 0 for one that is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    at: usize,
    shared: bool,
    fields: [u16; 19],
}

impl Table {
    /// Where a field is; `None` where it is not there.
    fn field(&self, index: usize) -> Option<usize> {
        let offset = self.fields.get(index).copied().filter(|&at| at != 0)?;
        self.at.checked_add(usize::from(offset))
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }
}

impl<'a> Buffer<'a> {
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self {
            bytes,
            base,
            spans: Vec::new(),
            work_left: size.saturating_mul(READ_AGAIN),
        }
    }

    pub(super) fn malformed(&self, at: usize, what: &'static str) -> Refused {
        Refused::malformed(self.base.saturating_add(at), what)
    }

    pub(super) fn unverified(&self, at: usize, what: &'static str) -> Refused {
        Refused::unverified(self.base.saturating_add(at), what)
    }

    pub(super) fn unsupported(&self, at: usize, what: &'static str, name: &str) -> Refused {
        Refused::unsupported(self.base.saturating_add(at), what, name)
    }

    pub(super) fn limit(&self, at: usize, what: &'static str, found: u64, limit: u64) -> Refused {
        Refused::limit(self.base.saturating_add(at), what, found, limit)
    }

    /// Where a table is in the file.
    pub(super) fn place(&self, table: &Table) -> usize {
        self.base.saturating_add(table.at)
    }

    fn take<const N: usize>(&self, at: usize) -> Result<[u8; N], Refused> {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .ok_or_else(|| self.malformed(at, OUT))
    }

    /// Marks bytes as those of one value.
    fn own(
        &mut self,
        start: usize,
        length: usize,
        what: &'static str,
        shared: bool,
    ) -> Result<&'a [u8], Refused> {
        let (bytes, end) = start
            .checked_add(length)
            .and_then(|end| Some((self.bytes.get(start..end)?, end)))
            .ok_or_else(|| self.malformed(start, OUT))?;
        let cost = u64::try_from(length).unwrap_or(u64::MAX);
        self.work_left = self.work_left.checked_sub(cost).ok_or_else(|| {
            let what = "bytes of a CatBoost model that are read again";
            self.limit(start, what, cost, self.work_left)
        })?;
        self.spans.push(Span {
            start,
            end,
            what,
            shared,
        });
        Ok(bytes)
    }

    /// Where the 32 bits at `field` lead to.
    fn follow(&self, field: usize) -> Result<usize, Refused> {
        let distance = u32::from_le_bytes(self.take(field)?);
        let to = usize::try_from(distance)
            .ok()
            .filter(|&distance| distance > 0)
            .and_then(|distance| field.checked_add(distance))
            .ok_or_else(|| self.malformed(field, OUT))?;
        if !to.is_multiple_of(4) {
            return Err(self.malformed(field, ALIGNED));
        }
        Ok(to)
    }

    /// The table that the buffer starts with.
    pub(super) fn root(&mut self, schema: &'static Schema) -> Result<Table, Refused> {
        self.own(0, 4, "root", false)?;
        let at = self.follow(0)?;
        self.table_at(at, schema, false)
    }

    fn table_at(
        &mut self,
        at: usize,
        schema: &'static Schema,
        shared: bool,
    ) -> Result<Table, Refused> {
        let back = i32::from_le_bytes(self.take(at)?);
        let vtable = isize::try_from(back)
            .ok()
            .and_then(|back| at.checked_add_signed(back.checked_neg()?))
            .ok_or_else(|| self.malformed(at, OUT))?;
        if !vtable.is_multiple_of(2) {
            return Err(self.malformed(at, ALIGNED));
        }
        let [low, high, size_low, size_high] = self.take(vtable)?;
        let length = usize::from(u16::from_le_bytes([low, high]));
        let size = usize::from(u16::from_le_bytes([size_low, size_high]));
        if length < 4 || !length.is_multiple_of(2) || size < 4 {
            return Err(self.malformed(vtable, VTABLE));
        }
        let entries = self.own(vtable, length, "vtable", true)?;
        let inline = self.own(at, size, schema.name, schema.shared || shared)?;
        let mut table = Table {
            at,
            shared: schema.shared || shared,
            fields: [0; 19],
        };
        // Which bytes of the table have a value: first the distance to the vtable.
        let mut taken = vec![false; size];
        taken.iter_mut().take(4).for_each(|byte| *byte = true);
        let entries = entries.as_chunks::<2>().0.iter().skip(2);
        for (index, entry) in entries.enumerate() {
            let offset = u16::from_le_bytes(*entry);
            if offset == 0 {
                continue;
            }
            let (Some(&width), Some(slot)) =
                (schema.fields.get(index), table.fields.get_mut(index))
            else {
                let name = format!("{} {index}", schema.name);
                return Err(self.unsupported(at, "field of a CatBoost model", &name));
            };
            *slot = offset;
            let start = usize::from(offset);
            let width = usize::from(width);
            if !at.saturating_add(start).is_multiple_of(width) {
                return Err(self.malformed(at, ALIGNED));
            }
            let bytes = start
                .checked_add(width)
                .and_then(|end| taken.get_mut(start..end))
                .filter(|bytes| bytes.iter().all(|taken| !taken))
                .ok_or_else(|| self.malformed(at, VTABLE))?;
            bytes.fill(true);
        }
        let mut unused = inline.iter().zip(&taken).filter(|(_, taken)| !**taken);
        if unused.any(|(byte, _)| *byte != 0) {
            return Err(self.malformed(at, UNUSED));
        }
        Ok(table)
    }

    /// The table that a field points to.
    pub(super) fn table(
        &mut self,
        table: &Table,
        field: usize,
        schema: &'static Schema,
    ) -> Result<Option<Table>, Refused> {
        let Some(field) = table.field(field) else {
            return Ok(None);
        };
        let at = self.follow(field)?;
        self.table_at(at, schema, table.shared).map(Some)
    }

    /// The bytes of the elements of a vector, which are `width` bytes each; none where the field is not there.
    pub(super) fn vector(
        &mut self,
        table: &Table,
        field: usize,
        width: usize,
    ) -> Result<(usize, &'a [u8]), Refused> {
        let Some(field) = table.field(field) else {
            return Ok((table.at, &[]));
        };
        let at = self.follow(field)?;
        self.vector_at(at, width, 0, table.shared)
    }

    fn vector_at(
        &mut self,
        at: usize,
        width: usize,
        behind: usize,
        shared: bool,
    ) -> Result<(usize, &'a [u8]), Refused> {
        let count = u32::from_le_bytes(self.take(at)?);
        let length = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(width))
            .and_then(|length| length.checked_add(behind)?.checked_add(4))
            .ok_or_else(|| self.malformed(at, OUT))?;
        let bytes = self.own(at, length, "vector", shared)?;
        Ok((at, bytes.get(4..).unwrap_or_default()))
    }

    /// The doubles of a vector.
    pub(super) fn doubles(
        &mut self,
        table: &Table,
        field: usize,
    ) -> Result<(usize, &'a [[u8; 8]]), Refused> {
        let (at, bytes) = self.vector(table, field, 8)?;
        if !bytes.is_empty() && !at.saturating_add(4).is_multiple_of(8) {
            return Err(self.malformed(at, ALIGNED));
        }
        Ok((at, bytes.as_chunks().0))
    }

    /// Each table of a vector of tables.
    pub(super) fn tables(
        &mut self,
        table: &Table,
        field: usize,
        schema: &'static Schema,
    ) -> Result<Vec<Table>, Refused> {
        let (at, offsets) = self.vector(table, field, 4)?;
        let places = (at.saturating_add(4)..).step_by(4);
        let offsets = offsets.as_chunks::<4>().0.iter();
        // As many tables as offsets were paid for.
        let mut tables = Vec::with_capacity(offsets.len());
        for (place, _) in places.zip(offsets) {
            let at = self.follow(place)?;
            tables.push(self.table_at(at, schema, table.shared)?);
        }
        Ok(tables)
    }

    /// A text.
    pub(super) fn text(
        &mut self,
        table: &Table,
        field: usize,
    ) -> Result<Option<Text<'a>>, Refused> {
        let Some(field) = table.field(field) else {
            return Ok(None);
        };
        let at = self.follow(field)?;
        self.text_at(at).map(Some)
    }

    fn text_at(&mut self, at: usize) -> Result<Text<'a>, Refused> {
        let (at, bytes) = self.vector_at(at, 1, 1, false)?;
        let Some((0, bytes)) = bytes.split_last() else {
            return Err(self.malformed(at, "a text of a FlatBuffer does not end with 0"));
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|_| self.malformed(at, "a text of a FlatBuffer is not UTF-8"))?;
        Ok(Text { at, text })
    }

    /// Each text of a vector of texts.
    pub(super) fn texts(&mut self, table: &Table, field: usize) -> Result<Vec<Text<'a>>, Refused> {
        let (at, offsets) = self.vector(table, field, 4)?;
        let places = (at.saturating_add(4)..).step_by(4);
        let offsets = offsets.as_chunks::<4>().0.iter();
        let mut texts = Vec::with_capacity(offsets.len());
        for (place, _) in places.zip(offsets) {
            let at = self.follow(place)?;
            texts.push(self.text_at(at)?);
        }
        Ok(texts)
    }

    pub(super) fn int(&self, table: &Table, field: usize, absent: i32) -> Result<i32, Refused> {
        match table.field(field) {
            Some(at) => Ok(i32::from_le_bytes(self.take(at)?)),
            None => Ok(absent),
        }
    }

    pub(super) fn byte(&self, table: &Table, field: usize, absent: u8) -> Result<u8, Refused> {
        match table.field(field) {
            Some(at) => Ok(u8::from_le_bytes(self.take(at)?)),
            None => Ok(absent),
        }
    }

    pub(super) fn double(&self, table: &Table, field: usize, absent: f64) -> Result<f64, Refused> {
        match table.field(field) {
            Some(at) => Ok(f64::from_le_bytes(self.take(at)?)),
            None => Ok(absent),
        }
    }

    /// No byte is part of two values, and what is part of none is the few zeros that align the next one.
    pub(super) fn finish(mut self) -> Result<(), Refused> {
        self.spans.sort_unstable();
        self.spans
            .dedup_by(|again, first| again.shared && again == first);
        let mut end = 0;
        for span in &self.spans {
            if span.start < end {
                return Err(self.malformed(span.start, "two values of a FlatBuffer share bytes"));
            }
            self.gap(end, span.start)?;
            end = span.end;
        }
        self.gap(end, self.bytes.len())
    }

    fn gap(&self, start: usize, end: usize) -> Result<(), Refused> {
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        if bytes.len() > 7 || bytes.iter().any(|byte| *byte != 0) {
            return Err(self.malformed(start, UNUSED));
        }
        Ok(())
    }
}

const UNUSED: &str = "a FlatBuffer has bytes that no value has";

/// A text, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) at: usize,
    pub(super) text: &'a str,
}
