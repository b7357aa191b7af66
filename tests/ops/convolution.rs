//! Cases of `conv2d`, `conv_transpose2d`, `conv2d_grad_weight` and `channel_sum`.

use hqcc_compiler::ops::{ChannelSum, Conv2d, Conv2dGradWeight, ConvTranspose2d};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

/// A convolution, the input it takes, channels of a group on both sides, and the kernel.
struct Geometry {
    conv: Conv2d,
    x: [usize; 4],
    weight: [usize; 4],
    y: [usize; 4],
}

fn geometry(rng: &mut Rng) -> Geometry {
    loop {
        let mut groups = rng.pick(&[1, 1, 1, 2, 3]);
        let conv = Conv2d {
            stride: [rng.pick(&[1, 1, 2, 3]), rng.pick(&[1, 1, 2])],
            padding: [rng.int(0, 2), rng.int(0, 2)],
            dilation: [rng.pick(&[1, 1, 2]), rng.pick(&[1, 1, 2])],
            groups: 1,
        };
        let channels = |rng: &mut Rng| rng.pick(&[1, 2, 3, 5, 8, 17, 33, 64]);
        let (mut i, mut o) = (channels(rng), channels(rng));
        // Every channel for itself now and then.
        if rng.int(0, 3) == 0 {
            groups = rng.pick(&[2, 16, 21, 70]);
            (i, o) = (1, 1);
        }
        let kernel = [rng.int(1, 4), rng.int(1, 4)];
        let size = [rng.int(1, 11), rng.int(1, 19)];
        let batch = rng.int(1, 3);
        if let Ok([oh, ow]) = conv.output_size(size, kernel) {
            let conv = Conv2d { groups, ..conv };
            return Geometry {
                conv,
                x: [batch, i * groups, size[0], size[1]],
                weight: [o * groups, i, kernel[0], kernel[1]],
                y: [batch, o * groups, oh, ow],
            };
        }
    }
}

pub fn conv2d(rng: &mut Rng) -> Case {
    let g = geometry(rng);
    let mut args = vec![
        Arg::unit(rng, TensorType::image(g.x)),
        Arg::unit(rng, TensorType::kernel(g.weight)),
    ];
    if rng.coin() {
        args.push(Arg::unit(rng, TensorType::plain([g.weight[0]])));
    }
    let wrt: Vec<usize> = (0..args.len()).collect();
    Case::new(g.conv, args, Tolerance::Accumulated).wrt(&wrt)
}

pub fn conv_transpose2d(rng: &mut Rng) -> Case {
    let g = geometry(rng);
    let mut args = vec![
        Arg::unit(rng, TensorType::image(g.y)),
        Arg::unit(rng, TensorType::kernel(g.weight)),
    ];
    if rng.coin() {
        args.push(Arg::unit(rng, TensorType::plain([g.x[1]])));
    }
    let wrt: Vec<usize> = (0..args.len()).collect();
    let op = ConvTranspose2d {
        conv: g.conv,
        output: [g.x[2], g.x[3]],
    };
    Case::new(op, args, Tolerance::Accumulated).wrt(&wrt)
}

pub fn conv2d_grad_weight(rng: &mut Rng) -> Case {
    let g = geometry(rng);
    let args = vec![
        Arg::unit(rng, TensorType::image(g.x)),
        Arg::unit(rng, TensorType::image(g.y)),
    ];
    let op = Conv2dGradWeight {
        conv: g.conv,
        kernel: [g.weight[2], g.weight[3]],
    };
    Case::new(op, args, Tolerance::Accumulated)
}

pub fn channel_sum(rng: &mut Rng) -> Case {
    let ty = TensorType::image([rng.int(1, 3), rng.int(1, 70), rng.int(1, 9), rng.int(1, 40)]);
    Case::new(ChannelSum, vec![Arg::unit(rng, ty)], Tolerance::Accumulated)
}
