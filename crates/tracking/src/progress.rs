//! Who wants to know how far a transfer is.

/// Is told of the bytes of one transfer.
pub trait Progress: Send + Sync {
    /// It starts, with so many bytes where that is known.
    fn start(&self, total: Option<u64>);
    /// So many bytes more are there.
    fn add(&self, bytes: u64);
    /// It ended, well or not.
    fn finish(&self);
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _total: Option<u64>) {}
    fn add(&self, _bytes: u64) {}
    fn finish(&self) {}
}
