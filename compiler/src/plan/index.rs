//! Where an element-wise kernel finds its arguments: index expressions with constant divisors.

use crate::graph::Read;
use crate::tensor_type::{Layout, TensorType};

/// An index into an input as a function of the index `i` into the output, both in memory order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Extent and stride of each axis of the output as the input sees it, slowest first; neighbours are merged.
    axes: Vec<(usize, usize)>,
    offset: usize,
}

impl Index {
    /// The place that `read` names in `input`, for an output of type `output`.
    pub fn new(output: &TensorType, input: &TensorType, read: Read) -> Self {
        if let Read::Group { row, groups } = read {
            return Self::of_group(output, input, row, groups);
        }
        let mut strides = vec![0; output.rank()];
        let mut offset = 0;
        match read {
            Read::Broadcast => {
                let missing = output.rank().saturating_sub(input.rank());
                for (axis, stride) in input.strides().into_iter().enumerate() {
                    if input.shape[axis] > 1 {
                        strides[missing + axis] = stride;
                    }
                }
            }
            Read::Group { .. } => {}
            Read::Channel { row } => {
                let axis = if output.layout == Layout::Image {
                    1
                } else {
                    output.rank() - 1
                };
                strides[axis] = 1;
                offset = row * output.shape[axis];
            }
        }
        let order = output.memory_order();
        let axes = order
            .into_iter()
            .map(|axis| (output.shape[axis], strides[axis]));
        Self::merged(axes, offset)
    }

    /// The place of a group's number, for an output `[N, C, H, W]` in its memory order.
    fn of_group(output: &TensorType, input: &TensorType, row: usize, groups: usize) -> Self {
        let (samples, sample) = (output.shape[0], input.elements() / output.shape[0].max(1));
        let width = output.shape[1] / groups.max(1);
        let pixels = output.elements() / (samples * groups * width).max(1);
        let axes = [(samples, sample), (pixels, 0), (groups, 1), (width, 0)];
        Self::merged(axes, row * groups)
    }

    /// Extents and strides, slowest first, with neighbours merged.
    fn merged(all: impl IntoIterator<Item = (usize, usize)>, offset: usize) -> Self {
        let mut axes: Vec<(usize, usize)> = Vec::new();
        for (extent, stride) in all {
            if extent == 1 {
                continue;
            }
            match axes.last_mut() {
                Some(slower) if slower.1 == stride * extent => {
                    *slower = (slower.0 * extent, stride)
                }
                _ => axes.push((extent, stride)),
            }
        }
        Self { axes, offset }
    }

    /// Whether four neighbouring outputs read four neighbouring elements that form an aligned vector.
    pub fn is_vector(&self) -> bool {
        let Some((&(extent, stride), slower)) = self.axes.split_last() else {
            return false;
        };
        stride == 1
            && extent.is_multiple_of(4)
            && self.offset.is_multiple_of(4)
            && slower.iter().all(|(_, stride)| stride.is_multiple_of(4))
    }

    /// Whether four neighbouring outputs (from a multiple of four) read one and the same element.
    pub fn is_shared(&self) -> bool {
        self.axes
            .last()
            .is_none_or(|&(extent, stride)| stride == 0 && extent.is_multiple_of(4))
    }

    /// The index as a WGSL expression of `i`.
    pub fn expression(&self) -> String {
        let mut terms = Vec::new();
        let mut below = 1;
        for (at, &(extent, stride)) in self.axes.iter().enumerate().rev() {
            if stride > 0 {
                let mut term = if below == 1 {
                    "i".to_owned()
                } else {
                    format!("i / {below}u")
                };
                if at > 0 {
                    term = format!("{term} % {extent}u");
                }
                terms.push(if stride == 1 {
                    term
                } else {
                    format!("{term} * {stride}u")
                });
            }
            below *= extent;
        }
        if self.offset > 0 {
            terms.push(format!("{}u", self.offset));
        }
        if terms.is_empty() {
            "0u".to_owned()
        } else {
            terms.join(" + ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_shape_is_one_run() {
        let map = TensorType::image([2, 3, 4, 5]);
        assert_eq!(Index::new(&map, &map, Read::Broadcast).expression(), "i");
        assert_eq!(
            Index::new(&map, &TensorType::scalar(), Read::Broadcast).expression(),
            "0u"
        );
    }

    #[test]
    fn channels_lie_innermost() {
        let map = TensorType::image([2, 8, 4, 5]);
        let bias = Index::new(&map, &TensorType::image([1, 8, 1, 1]), Read::Broadcast);
        assert_eq!(bias.expression(), "i % 8u");
        assert!(bias.is_vector());
        assert_eq!(
            Index::new(&map, &TensorType::plain([2, 8]), Read::Channel { row: 1 }).expression(),
            "i % 8u + 8u"
        );
        let pixel = Index::new(&map, &TensorType::image([2, 1, 4, 5]), Read::Broadcast);
        assert_eq!(pixel.expression(), "i / 8u");
        assert!(pixel.is_shared());
    }

    #[test]
    fn groups_lie_between_channels() {
        let map = TensorType::image([2, 8, 4, 5]);
        let stats = TensorType::plain([2, 2, 2]);
        let read = |row, groups| Index::new(&map, &stats, Read::Group { row, groups });
        assert_eq!(read(1, 2).expression(), "i / 4u % 2u + i / 160u * 4u + 2u");
        assert!(read(0, 2).is_shared());
        let single = TensorType::plain([2, 2, 8]);
        let own = Index::new(&map, &single, Read::Group { row: 1, groups: 8 });
        assert_eq!(own.expression(), "i % 8u + i / 160u * 16u + 8u");
        assert!(own.is_vector());
    }

    #[test]
    fn layouts_may_differ() {
        let plain = TensorType::plain([2, 3, 4, 5]);
        let map = TensorType::image([2, 3, 4, 5]);
        assert_eq!(
            Index::new(&plain, &map, Read::Broadcast).expression(),
            "i % 20u * 3u + i / 20u % 3u + i / 60u * 60u"
        );
    }
}
