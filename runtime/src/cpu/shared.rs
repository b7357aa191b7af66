//! Output memory that tasks fill together.

use std::marker::PhantomData;

/// A slice shared by tasks; each task writes elements of its own.
#[derive(Debug)]
pub(crate) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: it hands out pointers, and parts whose callers promise that they do not overlap.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares a slice.
    pub fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            slice: PhantomData,
        }
    }

    /// The elements `at..at + len` alone.
    pub fn range(self, at: usize, len: usize) -> Self {
        assert!(at <= self.len && len <= self.len - at);
        Self {
            start: self.start.wrapping_add(at),
            len,
            slice: PhantomData,
        }
    }

    /// A pointer to the elements from `at` on.
    pub fn from(self, at: usize) -> *mut T {
        self.range(at, self.len - at.min(self.len)).start
    }

    /// The elements `at..at + len`.
    ///
    /// # Safety
    /// While the part is in use, nobody else reads or writes its elements.
    #[allow(
        clippy::mut_from_ref,
        reason = "the caller promises that no other part overlaps this one"
    )]
    pub unsafe fn part(self, at: usize, len: usize) -> &'a mut [T] {
        let part = self.range(at, len);
        // SAFETY: in bounds, as just checked, and exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(part.start, part.len) }
    }
}
