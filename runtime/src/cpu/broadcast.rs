//! Element-wise loops over tensors of unequal shapes.

use hqcc_compiler::tensor_type::TensorType;

use super::parallel::pieces;
use super::real::Real;

/// The loops that visit an output in memory order, with the distances that each input moves by.
struct Loops<const K: usize> {
    /// Extents, slowest first; the last is the inner loop.
    extents: Vec<usize>,
    /// Distance of each input along each loop.
    steps: Vec<[usize; K]>,
}

impl<const K: usize> Loops<K> {
    fn new(output: &TensorType, inputs: [&TensorType; K]) -> Self {
        let strides = inputs.map(|ty| broadcast_strides(output, ty));
        let (mut extents, mut steps): (Vec<usize>, Vec<[usize; K]>) = (Vec::new(), Vec::new());
        for axis in output.memory_order() {
            let extent = output.shape[axis];
            if extent == 1 {
                continue;
            }
            let step: [usize; K] = std::array::from_fn(|k| strides[k][axis]);
            match (extents.last_mut(), steps.last_mut()) {
                (Some(outer), Some(last)) if (0..K).all(|k| last[k] == step[k] * extent) => {
                    *outer *= extent;
                    *last = step;
                }
                _ => {
                    extents.push(extent);
                    steps.push(step);
                }
            }
        }
        if extents.is_empty() {
            extents.push(1);
            steps.push([0; K]);
        }
        Self { extents, steps }
    }

    /// Where each input is when the output is at `index`.
    fn offsets(&self, mut index: usize) -> [usize; K] {
        let mut at = [0; K];
        for (extent, step) in self.extents.iter().zip(&self.steps).rev() {
            let here = index % extent;
            index /= extent;
            for k in 0..K {
                at[k] += here * step[k];
            }
        }
        at
    }

    /// Calls `f(offsets, piece)` for pieces of the output that lie within one inner loop.
    fn visit<T: Real>(&self, out: &mut [T], f: impl Fn([usize; K], &mut [T]) + Sync) {
        let inner = self.extents[self.extents.len() - 1];
        pieces(out, 1, |start, piece| {
            let mut at = start;
            let mut rest = piece;
            while !rest.is_empty() {
                let count = (inner - at % inner).min(rest.len());
                let (line, tail) = rest.split_at_mut(count);
                f(self.offsets(at), line);
                at += count;
                rest = tail;
            }
        });
    }
}

/// The distance in memory that `input` moves by along each axis of `output`; 0 where it repeats.
fn broadcast_strides(output: &TensorType, input: &TensorType) -> Vec<usize> {
    let missing = output.rank() - input.rank();
    let own = input.strides();
    (0..output.rank())
        .map(|axis| match axis.checked_sub(missing) {
            Some(axis) if input.shape[axis] != 1 => own[axis],
            _ => 0,
        })
        .collect()
}

/// `y = f(x)`, where `x` repeats along the axes it lacks.
pub fn map<T: Real>(
    (x_type, x): (&TensorType, &[T]),
    (y_type, y): (&TensorType, &mut [T]),
    f: impl Fn(T) -> T + Sync,
) {
    let loops = Loops::new(y_type, [x_type]);
    let [step] = loops.steps[loops.steps.len() - 1];
    loops.visit(y, |[at], y| match step {
        1 => y.iter_mut().zip(&x[at..]).for_each(|(y, &x)| *y = f(x)),
        0 => y.fill(f(x[at])),
        _ => y
            .iter_mut()
            .zip(x[at..].iter().step_by(step))
            .for_each(|(y, &x)| *y = f(x)),
    });
}

/// `y = f(a, b)`, where `a` and `b` repeat along the axes they lack.
pub fn map2<T: Real>(
    (a_type, a): (&TensorType, &[T]),
    (b_type, b): (&TensorType, &[T]),
    (y_type, y): (&TensorType, &mut [T]),
    f: impl Fn(T, T) -> T + Sync,
) {
    let loops = Loops::new(y_type, [a_type, b_type]);
    let step = loops.steps[loops.steps.len() - 1];
    loops.visit(y, |[i, j], y| match step {
        [1, 1] => y
            .iter_mut()
            .zip(&a[i..])
            .zip(&b[j..])
            .for_each(|((y, &a), &b)| *y = f(a, b)),
        [1, 0] => {
            let b = b[j];
            y.iter_mut().zip(&a[i..]).for_each(|(y, &a)| *y = f(a, b));
        }
        [0, 1] => {
            let a = a[i];
            y.iter_mut().zip(&b[j..]).for_each(|(y, &b)| *y = f(a, b));
        }
        [p, q] => y
            .iter_mut()
            .enumerate()
            .for_each(|(k, y)| *y = f(a[i + k * p], b[j + k * q])),
    });
}
