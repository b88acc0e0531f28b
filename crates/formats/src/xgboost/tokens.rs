//! What UBJSON and JSON have in common: objects with keys in order, arrays, texts, numbers, lists of numbers.

use super::Refused;

pub(super) const ENDS: &str = "the file ends inside a value";
pub(super) const KIND: &str = "a value is not of the kind that XGBoost writes here";
pub(super) const INTEGER: &str = "a whole number is not written as XGBoost writes it";
pub(super) const TEXT: &str = "a text is not UTF-8 without control characters";
const KEYS: &str = "an object does not have the keys that XGBoost writes, in order";

/// One encoding of a document. Each call passes one value, or a part of one; none calls itself.
pub(super) trait Tokens<'a>: Sized {
    /// The byte that comes next.
    fn at(&self) -> usize;

    /// Passes the start of an object.
    fn object_start(&mut self) -> Result<(), Refused>;

    /// Passes the next key, or the end of the object.
    fn object_key(&mut self, first: bool) -> Result<Option<&'a str>, Refused>;

    /// Passes the start of an array; the number of its items, where the encoding says it.
    fn array_start(&mut self) -> Result<Option<u64>, Refused>;

    /// Passes what stands before the next item, or the end of the array, where the encoding has it.
    fn array_item(&mut self, first: bool) -> Result<bool, Refused>;

    /// A text as it is written.
    fn text(&mut self) -> Result<&'a str, Refused>;

    /// A whole number of at most 64 bits.
    fn integer(&mut self) -> Result<i64, Refused>;

    /// Passes a number of 32 bits.
    fn float(&mut self) -> Result<(), Refused>;

    /// Passes `true` or `false`.
    fn boolean(&mut self) -> Result<(), Refused>;

    /// Whether an object comes next.
    fn is_object(&self) -> bool;

    /// Passes a list of numbers of 32 or 64 bits; how many.
    fn floats(&mut self, wide: bool) -> Result<u64, Refused>;

    /// A list of whole numbers of this many bytes (1, 2, 4 or 8), put into `out`.
    fn integers(&mut self, width: u8, out: &mut Vec<i64>) -> Result<(), Refused>;

    /// A list of whole numbers of 32 bits, put into `out`.
    fn ints(&mut self, out: &mut Vec<i32>) -> Result<(), Refused>;

    /// A list of numbers from 0 to 255, put into `out`.
    fn bytes(&mut self, out: &mut Vec<u8>) -> Result<(), Refused>;

    fn malformed(&self, what: &'static str) -> Refused {
        Refused::malformed(self.at(), what)
    }

    fn unverified(&self, what: &'static str) -> Refused {
        Refused::unverified(self.at(), what)
    }
}

/// An object that is being read: its keys stand in order, so none stands twice.
#[derive(Debug)]
pub(super) struct Object<'a> {
    last: Option<&'a str>,
    /// The key that comes next, once it was passed; `None` for the end.
    next: Option<&'a str>,
    is_next_known: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(tokens: &mut impl Tokens<'a>) -> Result<Self, Refused> {
        tokens.object_start()?;
        Ok(Self {
            last: None,
            next: None,
            is_next_known: false,
        })
    }

    /// The key that comes next; it stays.
    pub(super) fn peek(
        &mut self,
        tokens: &mut impl Tokens<'a>,
    ) -> Result<Option<&'a str>, Refused> {
        if self.is_next_known {
            return Ok(self.next);
        }
        let key = tokens.object_key(self.last.is_none())?;
        if let (Some(last), Some(key)) = (self.last, key)
            && last >= key
        {
            return Err(tokens.malformed(KEYS));
        }
        self.next = key;
        self.is_next_known = true;
        Ok(key)
    }

    /// Takes the next key, whatever it is; `None` behind the last one.
    pub(super) fn any(&mut self, tokens: &mut impl Tokens<'a>) -> Result<Option<&'a str>, Refused> {
        let key = self.peek(tokens)?;
        self.last = key;
        self.is_next_known = false;
        Ok(key)
    }

    /// Takes a key if it comes next.
    pub(super) fn optional(
        &mut self,
        tokens: &mut impl Tokens<'a>,
        name: &str,
    ) -> Result<bool, Refused> {
        let found = self.peek(tokens)? == Some(name);
        if found {
            self.any(tokens)?;
        }
        Ok(found)
    }

    /// Takes a key that has to come next.
    pub(super) fn key(&mut self, tokens: &mut impl Tokens<'a>, name: &str) -> Result<(), Refused> {
        if self.optional(tokens, name)? {
            return Ok(());
        }
        Err(tokens.malformed(KEYS))
    }

    /// The end of the object.
    pub(super) fn close(mut self, tokens: &mut impl Tokens<'a>) -> Result<(), Refused> {
        match self.peek(tokens)? {
            None => Ok(()),
            Some(_) => Err(tokens.malformed(KEYS)),
        }
    }

    /// A key that has no place here.
    pub(super) fn unknown(tokens: &impl Tokens<'a>) -> Refused {
        tokens.malformed(KEYS)
    }
}

/// An array that is being read.
#[derive(Debug)]
pub(super) struct Items {
    left: Option<u64>,
    taken: u64,
}

impl Items {
    pub(super) fn open<'a>(tokens: &mut impl Tokens<'a>) -> Result<Self, Refused> {
        let left = tokens.array_start()?;
        Ok(Self { left, taken: 0 })
    }

    /// Whether another item comes next.
    pub(super) fn more<'a>(&mut self, tokens: &mut impl Tokens<'a>) -> Result<bool, Refused> {
        let more = match &mut self.left {
            Some(left) => match left.checked_sub(1) {
                Some(rest) => {
                    *left = rest;
                    true
                }
                None => false,
            },
            None => tokens.array_item(self.taken == 0)?,
        };
        if more {
            self.taken = self.taken.saturating_add(1);
        }
        Ok(more)
    }

    /// Items so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }
}
