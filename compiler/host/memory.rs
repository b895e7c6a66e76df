//! Memory that vectors may read beyond its end.

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes from a multiple of 64 on, with a line to spare: a vector that starts within them may be read.
pub(super) struct Bytes {
    lines: Vec<Line>,
    len: usize,
}

impl Bytes {
    /// Zeros.
    pub(super) fn new(len: usize) -> Bytes {
        Bytes { lines: vec![Line([0; 64]); len.div_ceil(64) + 1], len }
    }

    /// Words, in the machine's order of bytes.
    pub(super) fn from_words(words: &[i32]) -> Bytes {
        let mut bytes = Bytes::new(4 * words.len());
        for (slot, word) in bytes.as_mut_slice().chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_ptr(&self) -> *const u8 {
        self.lines.as_ptr().cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        #[expect(unsafe_code, reason = "lines are bytes, and there are at least `len`")]
        // SAFETY: any byte may be read and written, and the lines are borrowed mutably.
        unsafe {
            std::slice::from_raw_parts_mut(self.as_mut_ptr(), self.len)
        }
    }
}
