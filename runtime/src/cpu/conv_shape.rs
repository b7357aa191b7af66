//! The geometry of a convolution.

/// Sizes of a convolution `[batch, in_size, in_channels] -> [batch, out_size, out_channels]`; pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Height and width of the input.
    pub in_size: [usize; 2],
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the output.
    pub out_size: [usize; 2],
    /// Height and width of the filter.
    pub kernel: [usize; 2],
    /// Distance between neighbouring outputs.
    pub stride: [usize; 2],
    /// Zeros above and left of the input.
    pub padding: [usize; 2],
    /// Distance between neighbouring taps of the filter.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl ConvShape {
    /// Input channels of one group.
    pub fn group_in(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels of one group.
    pub fn group_out(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Taps of the filter.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Elements of the input.
    pub fn in_len(&self) -> usize {
        self.batch * self.in_size[0] * self.in_size[1] * self.in_channels
    }

    /// Elements of the output.
    pub fn out_len(&self) -> usize {
        self.batch * self.out_size[0] * self.out_size[1] * self.out_channels
    }

    /// Elements of the weight.
    pub fn weight_len(&self) -> usize {
        self.taps() * self.group_in() * self.out_channels
    }

    /// Floating-point operations of the forward pass, two for a product and its sum.
    pub fn flops(&self) -> f64 {
        2.0 * self.out_len() as f64 * (self.taps() * self.group_in()) as f64
    }
}
