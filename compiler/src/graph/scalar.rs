//! Element-wise ops as scalar functions, which a kernel can chain.

use serde::{Deserialize, Serialize};

/// Where an argument of a scalar function stands in an input, for the output element at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// At the same place, with numpy's broadcasting.
    Broadcast,
    /// At `row * C + c`, where c is the channel of the output element: a row of a `[rows, C]` input.
    Channel {
        /// The row.
        row: usize,
    },
    /// At `(n * rows + row) * groups + g`, where n is the sample and g the channel group of the output element of a
    /// feature map: a row of a sample of a `[N, rows, groups]` input.
    Group {
        /// The row.
        row: usize,
        /// The groups, which divide the channels.
        groups: usize,
    },
}

/// An op whose output element is a function of single elements of its inputs. `shaders/<op>.wgsl` holds the function.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Input and place of each argument, in order.
    pub arguments: Vec<(usize, Read)>,
    /// Constants of the function's text.
    pub constants: serde_json::Value,
}
