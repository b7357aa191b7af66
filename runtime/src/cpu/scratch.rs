//! Working memory of a thread, kept between calls so that a kernel does not fault in fresh pages each time.

use std::cell::RefCell;

use super::real::Real;

#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
struct Line([u64; 8]);

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with `len` elements of unspecified value, aligned to a cache line.
pub fn with_scratch<T: Real, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
    let mut memory = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if memory.len() < lines {
        memory.resize(lines, Line([0; 8]));
    }
    let result = f(&mut bytemuck::cast_slice_mut(&mut memory[..lines])[..len]);
    FREE.with_borrow_mut(|free| free.push(memory));
    result
}
