//! Cases of the ops that pool, resample and rearrange feature maps.

use hqcc_compiler::graph::Op;
use hqcc_compiler::ops::{
    AvgPool2d, AvgPool2dGrad, Concat, Crop2d, Displace, Dropout, MapAxis, MaxPool2d, MaxPool2dGrad,
    Pad2d, ReduceSum, Relayout, Reshape, Resize2d, Resize2dGrad, ResizeMode, Slice,
};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

fn map(rng: &mut Rng) -> [usize; 4] {
    [
        rng.int(1, 3),
        rng.pick(&[1, 2, 7, 16, 40]),
        rng.int(1, 9),
        rng.int(1, 13),
    ]
}

fn pool(rng: &mut Rng) -> (MaxPool2d, TensorType, TensorType) {
    loop {
        let kernel = [rng.int(1, 3), rng.int(1, 3)];
        let op = MaxPool2d {
            kernel,
            stride: [rng.int(1, 3), rng.int(1, 3)],
            padding: kernel.map(|k| rng.int(0, k / 2)),
        };
        let x = TensorType::image(map(rng));
        if let Ok(y) = op.infer(std::slice::from_ref(&x)) {
            return (op, x, y);
        }
    }
}

pub fn max_pool2d(rng: &mut Rng) -> Case {
    let (op, x, _) = pool(rng);
    Case::new(op, vec![Arg::apart(rng, x)], Tolerance::Exact).wrt(&[0])
}

pub fn max_pool2d_grad(rng: &mut Rng) -> Case {
    let (pool, x, y) = pool(rng);
    // Few distinct values: the first of equals must win.
    let args = vec![Arg::classes(rng, x, 3), Arg::unit(rng, y)];
    Case::new(MaxPool2dGrad { pool }, args, Tolerance::Close)
}

fn mean_pool(rng: &mut Rng) -> (AvgPool2d, TensorType, TensorType) {
    loop {
        let kernel = [rng.int(1, 4), rng.int(1, 4)];
        let op = AvgPool2d {
            kernel,
            stride: [rng.int(1, 4), rng.int(1, 4)],
            padding: kernel.map(|k| rng.int(0, k / 2)),
            ceil: rng.coin(),
            count_padding: rng.coin(),
        };
        let x = TensorType::image(map(rng));
        if let Ok(y) = op.infer(std::slice::from_ref(&x)) {
            return (op, x, y);
        }
    }
}

pub fn avg_pool2d(rng: &mut Rng) -> Case {
    let (op, x, _) = mean_pool(rng);
    Case::new(op, vec![Arg::unit(rng, x)], Tolerance::Close).wrt(&[0])
}

pub fn avg_pool2d_grad(rng: &mut Rng) -> Case {
    let (pool, x, y) = mean_pool(rng);
    let size = [x.shape[2], x.shape[3]];
    let op = AvgPool2dGrad { pool, size };
    Case::new(op, vec![Arg::unit(rng, y)], Tolerance::Close)
}

pub fn displace(rng: &mut Rng) -> Case {
    let op = Displace {
        axis: rng.pick(&[MapAxis::Height, MapAxis::Width]),
        groups: rng.int(1, 6),
        back: rng.coin(),
    };
    let x = TensorType::image(map(rng));
    Case::new(op, vec![Arg::unit(rng, x)], Tolerance::Exact).wrt(&[0])
}

pub fn dropout(rng: &mut Rng) -> Case {
    let op = Dropout {
        p: rng.pick(&[0.1, 0.25, 0.5, 0.9]),
        stream: [rng.int(0, 1 << 32) as u32, rng.int(0, 1 << 32) as u32],
    };
    let x = match rng.coin() {
        true => TensorType::image(map(rng)),
        false => TensorType::plain([rng.int(1, 3), rng.int(1, 900)]),
    };
    let key = Arg::classes(rng, TensorType::plain([4]), 1 << 16);
    Case::new(op, vec![Arg::unit(rng, x), key], Tolerance::Close).wrt(&[0])
}

fn mode(rng: &mut Rng) -> ResizeMode {
    rng.pick(&[
        ResizeMode::Nearest,
        ResizeMode::Bilinear,
        ResizeMode::BilinearCorners,
    ])
}

pub fn resize2d(rng: &mut Rng) -> Case {
    let x = map(rng);
    let size = if rng.coin() {
        [x[2] * 2, x[3] * 2]
    } else {
        [rng.int(1, 9), rng.int(1, 9)]
    };
    let op = Resize2d {
        size,
        mode: mode(rng),
    };
    Case::new(
        op,
        vec![Arg::unit(rng, TensorType::image(x))],
        Tolerance::Close,
    )
    .wrt(&[0])
}

pub fn resize2d_grad(rng: &mut Rng) -> Case {
    let op = Resize2dGrad {
        size: [rng.int(1, 6), rng.int(1, 6)],
        mode: mode(rng),
    };
    let ty = TensorType::image(map(rng));
    Case::new(op, vec![Arg::unit(rng, ty)], Tolerance::Close)
}

pub fn pad2d(rng: &mut Rng) -> Case {
    let op = Pad2d {
        rows: [rng.int(0, 2), rng.int(0, 3)],
        columns: [rng.int(0, 3), rng.int(0, 2)],
    };
    let ty = TensorType::image(map(rng));
    Case::new(op, vec![Arg::unit(rng, ty)], Tolerance::Exact).wrt(&[0])
}

pub fn crop2d(rng: &mut Rng) -> Case {
    let [n, c, h, w] = map(rng);
    let op = Crop2d {
        rows: [rng.int(0, 2), rng.int(0, 3)],
        columns: [rng.int(0, 3), rng.int(0, 2)],
    };
    let ty = TensorType::image([n, c, h + 5, w + 5]);
    Case::new(op, vec![Arg::unit(rng, ty)], Tolerance::Exact).wrt(&[0])
}

pub fn concat(rng: &mut Rng) -> Case {
    let [n, _, h, w] = map(rng);
    let count = rng.int(2, 4);
    let args: Vec<Arg> = (0..count)
        .map(|_| {
            let ty = TensorType::image([n, rng.int(1, 9), h, w]);
            Arg::unit(rng, ty)
        })
        .collect();
    let wrt: Vec<usize> = (0..count).collect();
    Case::new(Concat, args, Tolerance::Exact).wrt(&wrt)
}

pub fn slice(rng: &mut Rng) -> Case {
    let x = map(rng);
    let start = rng.int(0, x[1] - 1);
    let op = Slice {
        start,
        channels: rng.int(1, x[1] - start),
    };
    Case::new(
        op,
        vec![Arg::unit(rng, TensorType::image(x))],
        Tolerance::Exact,
    )
    .wrt(&[0])
}

pub fn reshape(rng: &mut Rng) -> Case {
    let [n, c, h, w] = map(rng);
    let ty = TensorType::image([n, c, h, w]);
    let to = TensorType::plain([n, h * w, c]);
    let (from, to) = if rng.coin() { (ty, to) } else { (to, ty) };
    Case::new(Reshape { to }, vec![Arg::unit(rng, from)], Tolerance::Exact).wrt(&[0])
}

pub fn relayout(rng: &mut Rng) -> Case {
    let shape = map(rng);
    let count: usize = shape.iter().product();
    let half = shape[0] * shape[1];
    let mut pick = || match rng.int(0, 3) {
        0 => TensorType::plain([half, count / half]),
        1 => TensorType::image([shape[2], shape[0], shape[3], shape[1]]),
        2 => TensorType::kernel([shape[1], shape[3], shape[2], shape[0]]),
        _ => TensorType::kernel(shape),
    };
    let (from, to) = (pick(), pick());
    Case::new(
        Relayout { to },
        vec![Arg::unit(rng, from)],
        Tolerance::Exact,
    )
    .wrt(&[0])
}

pub fn reduce_sum(rng: &mut Rng) -> Case {
    let shape = map(rng);
    let ty = match rng.int(0, 3) {
        0 => TensorType::plain(shape.to_vec()),
        1 => TensorType::kernel(shape),
        2 => TensorType::plain([rng.int(1, 3), 40_000]),
        _ => TensorType::image(shape),
    };
    let axes = (0..ty.rank()).filter(|_| rng.coin()).collect();
    Case::new(
        ReduceSum { axes },
        vec![Arg::unit(rng, ty)],
        Tolerance::Accumulated,
    )
    .wrt(&[0])
}
