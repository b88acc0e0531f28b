//! The categories of pandas' columns: a line of JSON behind the text.

use super::Refused;
use super::cursor::Cursor;

const WHAT: &str = "pandas_categorical is not null or lists of texts and numbers";

/// Checks the JSON up to the end of the line, and counts the categories of each column.
///
/// Python reads this line with `json.loads` and gives each list to `Series.cat.set_categories`.
pub(super) fn columns(cursor: &mut Cursor<'_>) -> Result<Option<Vec<u32>>, Refused> {
    if cursor.take(b"null") {
        return Ok(None);
    }
    let mut columns = Vec::new();
    cursor.expect(b"[", WHAT)?;
    if cursor.take(b"]") {
        return Ok(Some(columns));
    }
    loop {
        columns.push(column(cursor)?);
        if !cursor.take(b", ") {
            break;
        }
    }
    cursor.expect(b"]", WHAT)?;
    Ok(Some(columns))
}

fn column(cursor: &mut Cursor<'_>) -> Result<u32, Refused> {
    cursor.expect(b"[", WHAT)?;
    let mut count = 0_u32;
    if cursor.take(b"]") {
        return Ok(count);
    }
    loop {
        category(cursor)?;
        count = count.saturating_add(1);
        if !cursor.take(b", ") {
            break;
        }
    }
    cursor.expect(b"]", WHAT)?;
    Ok(count)
}

fn category(cursor: &mut Cursor<'_>) -> Result<(), Refused> {
    for word in ["null", "true", "false", "NaN", "Infinity", "-Infinity"] {
        if cursor.take(word.as_bytes()) {
            return Ok(());
        }
    }
    if cursor.take(b"\"") {
        return cursor.json_text(WHAT);
    }
    cursor.json_number(WHAT)
}
