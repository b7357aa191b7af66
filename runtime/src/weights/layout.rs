//! Foreign values in the order and the shape that a network has.

use std::fmt;

use hqcc_compiler::names::{Change, FileLayout};

use crate::tensor::Tensor;

/// What is done to a tensor of a file, in order, so that it fits the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    steps: Vec<Step>,
    shape: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `[KH, KW, I, O]` to `[O, I, KH, KW]`.
    KernelFirst,
    /// `[I, O]` to `[O, I]`, with either axis perhaps split into several.
    Transpose { inputs: usize, outputs: usize },
    /// Three input channels to one, their sum.
    SumChannels,
    /// Three input channels to `n`: channel `i` is channel `i mod 3`, times `3 / n`.
    SpreadChannels { channels: usize },
    /// A table of positions without its first tokens, its grid of `from` x `from` resized to `to` x `to`.
    Positions { skip: usize, from: usize, to: usize },
    /// The same values under another shape.
    Reshape,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::KernelFirst => write!(f, "HWIO to OIHW"),
            Step::Transpose { .. } => write!(f, "transposed"),
            Step::SumChannels => write!(f, "sum of 3 input channels"),
            Step::SpreadChannels { channels } => write!(f, "3 input channels on {channels}"),
            Step::Positions { skip, from, to } => {
                if *skip > 0 {
                    write!(f, "without {skip} tokens, ")?;
                }
                write!(f, "{from} x {from} places to {to} x {to}")
            }
            Step::Reshape => write!(f, "reshaped"),
        }
    }
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{step}")?;
        }
        Ok(())
    }
}

impl Conversion {
    /// How a tensor called `name` of a file gets from its shape to the network's; none if there is no way.
    pub fn plan(
        name: &str,
        layout: FileLayout,
        change: Option<Change>,
        found: &[usize],
        expected: &[usize],
    ) -> Option<Conversion> {
        let mut plan = Conversion {
            steps: Vec::new(),
            shape: expected.to_vec(),
        };
        if let Some(Change::Positions { skip }) = change {
            plan.steps.extend(positions(skip, found, expected)?);
            return Some(plan);
        }
        let leaf = name.rsplit(['.', '/']).next().unwrap_or(name);
        let mut shape = found.to_vec();
        if layout == FileLayout::Flax {
            match (leaf, found, expected) {
                ("kernel", &[kh, kw, i, o], [_, _, _, _]) => {
                    plan.steps.push(Step::KernelFirst);
                    shape = vec![o, i, kh, kw];
                }
                ("kernel", _, &[outputs, inputs]) => {
                    if !splits(found, inputs, outputs) {
                        return None;
                    }
                    plan.steps.push(Step::Transpose { inputs, outputs });
                    shape = vec![outputs, inputs];
                }
                (_, _, [_]) if product(found) == product(expected) => {
                    if found != expected {
                        plan.steps.push(Step::Reshape);
                    }
                    shape = expected.to_vec();
                }
                _ => {}
            }
        }
        if shape == expected {
            return Some(plan);
        }
        if let (&[o, 3, kh, kw], &[outputs, inputs, height, width]) = (&shape[..], expected)
            && [o, kh, kw] == [outputs, height, width]
            && inputs > 0
        {
            plan.steps.push(match inputs {
                1 => Step::SumChannels,
                channels => Step::SpreadChannels { channels },
            });
            return Some(plan);
        }
        // `[O, I]` and `[O, I, 1, 1]` are the same weight.
        let long = |shape: &[usize]| {
            shape
                .iter()
                .copied()
                .filter(|&size| size != 1)
                .collect::<Vec<_>>()
        };
        (long(&shape) == long(expected)).then(|| {
            plan.steps.push(Step::Reshape);
            plan
        })
    }

    /// Whether nothing is done to the values.
    pub fn is_none(&self) -> bool {
        self.steps.is_empty()
    }

    /// Applies the steps.
    pub fn apply(&self, tensor: Tensor) -> Tensor {
        let mut tensor = tensor;
        for step in &self.steps {
            tensor = step.apply(tensor, &self.shape);
        }
        tensor
    }
}

impl Step {
    fn apply(&self, tensor: Tensor, expected: &[usize]) -> Tensor {
        let shape = tensor.shape().to_vec();
        let data = tensor.data();
        match (self, shape.as_slice()) {
            (Step::KernelFirst, &[kh, kw, i, o]) => {
                let taps = kh * kw;
                Tensor::from_fn([o, i, kh, kw], |at| {
                    let (tap, pair) = (at % taps, at / taps);
                    data[(tap * i + pair % i) * o + pair / i]
                })
            }
            (&Step::Transpose { inputs, outputs }, _) => Tensor::from_fn([outputs, inputs], |at| {
                data[at % inputs * outputs + at / inputs]
            }),
            (Step::SumChannels, &[o, i, kh, kw]) => {
                let taps = kh * kw;
                Tensor::from_fn([o, 1, kh, kw], |at| {
                    let (output, tap) = (at / taps, at % taps);
                    (0..i).map(|c| data[(output * i + c) * taps + tap]).sum()
                })
            }
            (&Step::SpreadChannels { channels }, &[o, i, kh, kw]) => {
                let taps = kh * kw;
                let scale = i as f32 / channels as f32;
                Tensor::from_fn([o, channels, kh, kw], |at| {
                    let (tap, pair) = (at % taps, at / taps);
                    let (output, c) = (pair / channels, pair % channels);
                    data[(output * i + c % i) * taps + tap] * scale
                })
            }
            (&Step::Positions { skip, from, to }, _) => {
                let width = shape.last().copied().unwrap_or(1);
                resize_grid(&data[skip * width..], from, to, width, expected)
            }
            (Step::Reshape, _) => tensor.clone().reshaped(expected.to_vec()).unwrap_or(tensor),
            // `plan` has seen that the shape fits its step.
            _ => tensor,
        }
    }
}

/// Whether axes before some point have `inputs` elements in all, and those behind it `outputs`.
fn splits(shape: &[usize], inputs: usize, outputs: usize) -> bool {
    (0..=shape.len())
        .any(|at| product(&shape[..at]) == Some(inputs) && product(&shape[at..]) == Some(outputs))
}

fn product(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |all, &size| all.checked_mul(size))
}

/// The steps of a table of positions, `[1, T, C]`.
fn positions(skip: usize, found: &[usize], expected: &[usize]) -> Option<Option<Step>> {
    let (&[1, tokens, width], &[1, places, channels]) = (found, expected) else {
        return None;
    };
    let stored = tokens.checked_sub(skip)?;
    let side = |count: usize| {
        let side = count.isqrt();
        (side > 0 && side * side == count).then_some(side)
    };
    if width != channels {
        return None;
    }
    let (from, to) = (side(stored)?, side(places)?);
    let same = skip == 0 && from == to;
    Some((!same).then_some(Step::Positions { skip, from, to }))
}

/// A grid of `from` x `from` places with `width` values each on `to` x `to`, linear, ends on ends, as `scipy.ndimage.zoom` of order 1.
fn resize_grid(values: &[f32], from: usize, to: usize, width: usize, shape: &[usize]) -> Tensor {
    let place = |at: usize| {
        let at = match to {
            1 => 0.0,
            _ => at as f64 * (from - 1) as f64 / (to - 1) as f64,
        };
        let low = (at.floor() as usize).min(from - 1);
        (low, (low + 1).min(from - 1), at - low as f64)
    };
    Tensor::from_fn(shape.to_vec(), |at| {
        let (c, place_of) = (at % width, at / width);
        let ((top, bottom, v), (left, right, u)) = (place(place_of / to), place(place_of % to));
        let value =
            |row: usize, column: usize| f64::from(values[(row * from + column) * width + c]);
        let upper = value(top, left) * (1.0 - u) + value(top, right) * u;
        let lower = value(bottom, left) * (1.0 - u) + value(bottom, right) * u;
        (upper * (1.0 - v) + lower * v) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(shape: &[usize]) -> Tensor {
        Tensor::from_fn(shape.to_vec(), |i| i as f32)
    }

    fn converted(name: &str, layout: FileLayout, found: &[usize], expected: &[usize]) -> Tensor {
        let plan = Conversion::plan(name, layout, None, found, expected).unwrap();
        let tensor = plan.apply(numbers(found));
        assert_eq!(tensor.shape(), expected);
        tensor
    }

    #[test]
    fn flax_kernels_are_turned() {
        // [kh, kw, i, o] = [1, 2, 3, 4]: element (h, w, i, o) is ((w * 3) + i) * 4 + o.
        let conv = converted("a/kernel", FileLayout::Flax, &[1, 2, 3, 4], &[4, 3, 1, 2]);
        assert_eq!(conv.data()[..4], [0.0, 12.0, 4.0, 16.0]);
        let dense = converted("a/kernel", FileLayout::Flax, &[2, 3], &[3, 2]);
        assert_eq!(dense.data(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        // Heads are a part of the outputs, or of the inputs.
        let query = converted("q/kernel", FileLayout::Flax, &[2, 3, 4], &[12, 2]);
        assert_eq!(query.data()[..4], [0.0, 12.0, 1.0, 13.0]);
        let out = converted("o/kernel", FileLayout::Flax, &[3, 4, 2], &[2, 12]);
        assert_eq!(out.data()[..3], [0.0, 2.0, 4.0]);
        let bias = converted("q/bias", FileLayout::Flax, &[3, 4], &[12]);
        assert_eq!(bias.data()[11], 11.0);
        let scale = converted("gn/scale", FileLayout::Flax, &[1, 1, 1, 5], &[5]);
        assert_eq!(scale.data()[4], 4.0);
        assert!(Conversion::plan("q/kernel", FileLayout::Flax, None, &[2, 6], &[3, 4]).is_none());
    }

    #[test]
    fn three_channels_become_another_number() {
        let one = converted("w.weight", FileLayout::Torch, &[2, 3, 1, 2], &[2, 1, 1, 2]);
        assert_eq!(one.data(), [6.0, 9.0, 24.0, 27.0]);
        let four = converted("w.weight", FileLayout::Torch, &[1, 3, 1, 1], &[1, 4, 1, 1]);
        assert_eq!(four.data(), [0.0, 0.75, 1.5, 0.0]);
        let two = converted("w.weight", FileLayout::Torch, &[1, 3, 1, 1], &[1, 2, 1, 1]);
        assert_eq!(two.data(), [0.0, 1.5]);
        let flax = converted("w/kernel", FileLayout::Flax, &[1, 1, 3, 2], &[2, 1, 1, 1]);
        assert_eq!(flax.data(), [6.0, 9.0]);
    }

    #[test]
    fn axes_of_one_do_not_matter_and_others_do() {
        let linear = converted("w.weight", FileLayout::Torch, &[2, 3, 1, 1], &[2, 3]);
        assert_eq!(linear.data()[5], 5.0);
        let fits = |found: &[usize], expected: &[usize]| {
            Conversion::plan("w", FileLayout::Torch, None, found, expected).is_some()
        };
        assert!(!fits(&[2, 3], &[3, 2]));
        assert!(!fits(&[6], &[2, 3]));
        assert!(!fits(&[2, 3, 3, 3], &[2, 3, 5, 5]));
        assert!(!fits(&[2, 4, 3, 3], &[2, 1, 3, 3]));
        assert!(fits(&[1], &[]));
    }

    #[test]
    fn positions_are_resized_from_end_to_end() {
        let change = Some(Change::Positions { skip: 1 });
        let plan = |found: &[usize], expected: &[usize]| {
            Conversion::plan("p", FileLayout::Torch, change, found, expected)
        };
        let grown = plan(&[1, 5, 1], &[1, 9, 1])
            .unwrap()
            .apply(numbers(&[1, 5, 1]));
        assert_eq!(grown.data(), [1.0, 1.5, 2.0, 2.0, 2.5, 3.0, 3.0, 3.5, 4.0]);
        let same = plan(&[1, 5, 2], &[1, 4, 2])
            .unwrap()
            .apply(numbers(&[1, 5, 2]));
        assert_eq!(same.data(), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let single = plan(&[1, 5, 1], &[1, 1, 1])
            .unwrap()
            .apply(numbers(&[1, 5, 1]));
        assert_eq!(single.data(), [1.0]);
        assert!(plan(&[1, 4, 1], &[1, 9, 1]).is_none());
        assert!(plan(&[1, 5, 2], &[1, 9, 1]).is_none());
        assert!(plan(&[1, 5, 1], &[1, 8, 1]).is_none());
        assert!(plan(&[1, 0, 1], &[1, 9, 1]).is_none());
    }
}
