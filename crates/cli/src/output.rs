//! Text for people: colours, columns, numbers, and nothing that a file could do to a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use nopickle_formats::Error;
use nopickle_gate::Error as GateError;
use serde::Serialize;

use crate::args::{Colour, When};
use crate::exit;

/// What a piece of text is, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Faint,
    Strong,
    Good,
    Doubt,
    Bad,
}

impl Paint {
    /// The colour of an answer.
    pub(crate) fn answer(code: u8) -> Self {
        match code {
            exit::FINE => Self::Good,
            exit::REFUSED => Self::Bad,
            _ => Self::Doubt,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\x1b[2m",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Doubt => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }
}

/// How stdout takes text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colour: bool,
    /// Columns of the terminal; none where stdout is no terminal.
    width: Option<usize>,
}

impl Style {
    pub(crate) fn of_stdout(colour: &Colour) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = match colour.when {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let set = |name| {
                    std::env::var_os(name).filter(|value: &std::ffi::OsString| !value.is_empty())
                };
                terminal
                    && set("NO_COLOR").is_none()
                    && set("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let width = console::Term::stdout()
            .size_checked()
            .map(|(_, columns)| usize::from(columns));
        Self {
            colour,
            width: width.filter(|&columns| terminal && columns > 20),
        }
    }
}

/// One line in pieces.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pieces: Vec<(Paint, String)>,
    whole: bool,
}

impl Line {
    pub(crate) fn push(&mut self, paint: Paint, text: impl Into<String>) {
        self.pieces.push((paint, text.into()));
    }

    /// The pieces of another line behind those of this one.
    pub(crate) fn append(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
        self.whole |= other.whole;
    }

    pub(crate) fn pieces(&self) -> &[(Paint, String)] {
        &self.pieces
    }

    /// Keeps the line from being cut at the edge of the terminal.
    pub(crate) fn keep_whole(&mut self) {
        self.whole = true;
    }

    pub(crate) fn write(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let mut room = style.width.filter(|_| !self.whole).unwrap_or(usize::MAX);
        let whole: usize = self
            .pieces
            .iter()
            .map(|(_, text)| console::measure_text_width(text))
            .sum();
        let cut = whole > room;
        for (paint, text) in &self.pieces {
            let mut text = Cow::Borrowed(text.as_str());
            if cut {
                let wide = console::measure_text_width(&text);
                if wide >= room {
                    text = console::truncate_str(&text, room.saturating_sub(1), "")
                        .into_owned()
                        .into();
                    room = 0;
                } else {
                    room -= wide;
                }
            }
            if style.colour && *paint != Paint::Plain {
                write!(out, "{}{text}\x1b[0m", paint.code())?;
            } else {
                out.write_all(text.as_bytes())?;
            }
            if room == 0 {
                out.write_all("\u{2026}".as_bytes())?;
                break;
            }
        }
        out.write_all(b"\n")
    }
}

/// Text of a file without what would act on a terminal or hide something: control characters, marks that
/// turn the direction of writing, letters without width.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    written_out(text, |letter| {
        !letter.is_ascii() && letter.escape_debug().count() == 1
    })
}

/// A name of code, or a message with one: letters outside ASCII, which may look like others, are written
/// out.
pub(crate) fn clean_name(name: &str) -> Cow<'_, str> {
    written_out(name, |_| false)
}

fn written_out(text: &str, keeps: impl Fn(char) -> bool) -> Cow<'_, str> {
    let plain = |letter: char| matches!(letter, ' '..='~') || keeps(letter);
    if text.chars().all(plain) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if plain(letter) {
            out.push(letter);
        } else {
            out.extend(letter.escape_default());
        }
    }
    out.into()
}

/// A path as it is shown.
pub(crate) fn path(path: &Path) -> String {
    clean(&path.to_string_lossy()).into_owned()
}

/// A path as it is typed into a shell.
pub(crate) fn shell(path: &Path) -> String {
    let shown = self::path(path);
    let plain = |letter: char| letter.is_alphanumeric() || "._-/+,:@%=".contains(letter);
    if !shown.is_empty() && shown.chars().all(plain) && !shown.starts_with('-') {
        return shown;
    }
    format!("'{}'", shown.replace('\'', "'\\''"))
}

/// 1234567 as `1,234,567`.
pub(crate) fn count(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 entry`, `2 entries`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        count(number as u64),
        if number == 1 { one } else { many }
    )
}

/// A number of bytes with a unit: powers of 1000.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let (mut unit, mut scale) = (None, 1_u64);
    for name in UNITS {
        if number / scale < 1000 {
            break;
        }
        (unit, scale) = (Some(name), scale * 1000);
    }
    let Some(unit) = unit else {
        return format!("{number} B");
    };
    let mut out = String::new();
    let tenths = number / (scale / 10);
    let _ = match tenths {
        ..100 => write!(out, "{}.{} {unit}", tenths / 10, tenths % 10),
        _ => write!(out, "{} {unit}", tenths / 10),
    };
    out
}

/// Says on stderr that a file could not be shown, and what to do.
pub(crate) fn complain(file: &Path, error: &GateError) -> io::Result<()> {
    let told = exit::tell_gate(error);
    let mut stderr = io::stderr();
    writeln!(
        stderr,
        "error: {}: {}: {}",
        path(file),
        exit::words(told.code),
        clean_name(&message(error))
    )?;
    hint(told.hint, file)
}

/// Says on stderr what to do next with a file.
pub(crate) fn hint(hint: &str, file: &Path) -> io::Result<()> {
    writeln!(io::stderr(), "hint: {}", hint_words(hint, file))
}

/// A hint with the file in it.
pub(crate) fn hint_words(hint: &str, file: &Path) -> String {
    hint.replace("FILE", &shell(file))
}

/// Says on stderr why the policy lets nothing be answered.
pub(crate) fn complain_of_gate(error: &nopickle_gate::Error) -> io::Result<()> {
    writeln!(io::stderr(), "error: {}", clean_name(&error.to_string()))
}

/// Says on stderr what a store could not do, and what to do.
pub(crate) fn complain_of_store(error: &nopickle_tracking::Error) -> io::Result<u8> {
    let mut stderr = io::stderr();
    writeln!(stderr, "error: {}", clean(&error.to_string()))?;
    if let Some(hint) = exit::store_hint(error) {
        writeln!(stderr, "hint: {hint}")?;
    }
    Ok(exit::UNANSWERED)
}

/// A line of the head of an answer: its name, and what it says, which is not cut.
pub(crate) fn field(
    out: &mut impl Write,
    style: Style,
    name: &str,
    pieces: Vec<(Paint, String)>,
) -> io::Result<()> {
    let mut line = Line::default();
    line.push(Paint::Faint, format!("{name:<9}"));
    for (paint, text) in pieces {
        line.push(paint, text);
    }
    line.keep_whole();
    line.write(out, style)
}

/// Rows in columns, each as wide as its widest cell; the last one is cut at the edge of the terminal.
pub(crate) fn table(
    out: &mut impl Write,
    style: Style,
    head: &[&str],
    rows: &[Vec<(Paint, String)>],
) -> io::Result<()> {
    let mut wide: Vec<usize> = head.iter().map(|cell| cell.len()).collect();
    for row in rows {
        for (width, (_, cell)) in wide.iter_mut().zip(row) {
            *width = (*width).max(console::measure_text_width(cell));
        }
    }
    let head = head.iter().map(|cell| (Paint::Faint, (*cell).to_owned()));
    let head: Vec<(Paint, String)> = head.collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = Line::default();
        for (index, (paint, cell)) in row.iter().enumerate() {
            line.push(*paint, cell.as_str());
            if index + 1 < row.len() {
                let width = wide.get(index).copied().unwrap_or(0);
                let room = width.saturating_sub(console::measure_text_width(cell)) + 2;
                line.push(Paint::Plain, " ".repeat(room));
            }
        }
        line.write(out, style)?;
    }
    Ok(())
}

/// Milliseconds since 1970 as `2026-11-23 04:05:06`, in UTC.
pub(crate) fn time(milliseconds: i64) -> String {
    let seconds = milliseconds.div_euclid(1000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The calendar in years of 400 x 365.2425 days that start in March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// An error in words. Names that are not trusted are told alone, without the rules of the policy.
pub(crate) fn message(error: &GateError) -> String {
    match error {
        GateError::Untrusted(refusal) => refusal.untrusted.to_string(),
        error => error.to_string(),
    }
}

/// An error as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorJson {
    kind: &'static str,
    message: String,
    entry: Option<String>,
    offset: Option<u64>,
    class: Option<String>,
    names: Vec<NameJson>,
}

#[derive(Debug, Serialize)]
struct NameJson {
    name: String,
    offset: u64,
}

impl ErrorJson {
    pub(crate) fn new(error: &GateError) -> Self {
        let told = exit::tell_gate(error);
        let untrusted = match error {
            GateError::Model(Error::Untrusted(untrusted)) => Some(untrusted),
            GateError::Untrusted(refusal) => Some(&refusal.untrusted),
            _ => None,
        };
        let (entry, names) = match untrusted {
            Some(untrusted) => {
                let name = |refused: &nopickle_formats::Refused| NameJson {
                    name: refused.name.clone(),
                    offset: refused.offset,
                };
                (
                    Some(untrusted.entry.clone()),
                    untrusted.names.iter().map(name).collect(),
                )
            }
            None => (told.at.map(|at| at.entry.clone()), Vec::new()),
        };
        Self {
            kind: told.kind,
            message: message(error),
            entry,
            offset: told.at.and_then(|at| at.offset),
            class: match error {
                GateError::Model(Error::Unverified { class, .. }) => Some(class.clone()),
                _ => None,
            },
            names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(count(0_u64), "0");
        assert_eq!(count(999_u64), "999");
        assert_eq!(count(1_234_567_u64), "1,234,567");
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_999, "9.9 kB"),
            (10_000, "10 kB"),
            (999_999, "999 kB"),
            (1_250_000, "1.2 MB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn a_time_is_written_as_a_date() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(time(1_795_408_138_763), "2026-11-23 04:28:58");
        assert_eq!(time(-1), "1969-12-31 23:59:59");
    }

    #[test]
    fn nothing_of_a_file_acts_on_a_terminal() {
        assert_eq!(
            clean("a \"b\" caf\u{e9} \u{4e2d}"),
            "a \"b\" caf\u{e9} \u{4e2d}"
        );
        assert_eq!(clean("\x1b[2J\r\n\x07"), "\\u{1b}[2J\\r\\n\\u{7}");
        assert_eq!(
            clean("a\u{202e}b\u{200b}c\u{2028}\u{9b}"),
            "a\\u{202e}b\\u{200b}c\\u{2028}\\u{9b}"
        );
        assert_eq!(
            clean_name("skl\u{435}arn.'Tree'\n"),
            "skl\\u{435}arn.'Tree'\\n"
        );
        assert_eq!(shell(Path::new("a b's.skops")), "'a b'\\''s.skops'");
        assert_eq!(shell(Path::new("models/a-1.skops")), "models/a-1.skops");
        assert_eq!(shell(Path::new("-x")), "'-x'");
    }

    #[test]
    fn a_line_is_cut_at_the_edge_unless_it_must_be_whole() {
        let mut line = Line::default();
        line.push(Paint::Plain, "12345");
        line.push(Paint::Bad, "6789012345");
        let written = |line: &Line, colour, width| {
            let mut out = Vec::new();
            line.write(&mut out, Style { colour, width }).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&line, false, None), "123456789012345\n");
        assert_eq!(written(&line, false, Some(15)), "123456789012345\n");
        assert_eq!(written(&line, false, Some(14)), "1234567890123\u{2026}\n");
        assert_eq!(written(&line, false, Some(4)), "123\u{2026}\n");
        assert_eq!(
            written(&line, true, Some(8)),
            "12345\x1b[1;31m67\x1b[0m\u{2026}\n"
        );
        line.keep_whole();
        assert_eq!(written(&line, false, Some(4)), "123456789012345\n");
    }
}
