//! Output memory that tasks fill together.

/// A pointer that tasks share; they write disjoint elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<T>(pub *mut T);

// SAFETY: the users of a `Shared` write disjoint elements, and `T` is a plain number.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The pointer; a method, so that closures capture the whole value.
    pub fn get(self) -> *mut T {
        self.0
    }
}
