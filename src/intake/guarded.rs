use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// Counts the bytes that went through, and those of the element being read.
#[derive(Debug)]
pub struct Gauge {
    since: Cell<u64>,
    total: Cell<u64>,
    most: u64,
}

impl Gauge {
    /// A gauge that lets elements of `most` bytes through.
    pub fn new(most: u64) -> Rc<Self> {
        Rc::new(Self { since: Cell::new(0), total: Cell::new(0), most })
    }

    /// The next element begins.
    pub fn restart(&self) {
        self.since.set(0);
    }

    /// Bytes that went through.
    pub fn position(&self) -> u64 {
        self.total.get()
    }

    /// True when the element is too long.
    pub fn is_exceeded(&self) -> bool {
        self.since.get() > self.most
    }

    fn add(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.since.set(self.since.get().saturating_add(bytes));
        self.total.set(self.total.get().saturating_add(bytes));
    }
}

/// Ends the reading when one element swallows more than its gauge allows, so that no parser collects a whole file.
#[derive(Debug)]
pub struct Guarded<R> {
    text: R,
    gauge: Rc<Gauge>,
}

impl<R> Guarded<R> {
    /// Watches `text`.
    pub fn new(text: R, gauge: Rc<Gauge>) -> Self {
        Self { text, gauge }
    }
}

impl<R: BufRead> BufRead for Guarded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.gauge.is_exceeded() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "element too long"));
        }
        self.text.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.gauge.add(bytes);
        self.text.consume(bytes);
    }
}

impl<R: BufRead> Read for Guarded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let bytes = there.len().min(into.len());
        into[..bytes].copy_from_slice(&there[..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}
