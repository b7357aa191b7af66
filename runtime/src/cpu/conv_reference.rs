//! Tests of the convolutions against their defining sums.

use super::conv_shape::ConvShape;
use super::conv2d::{conv2d, conv2d_grad_input};
use super::conv2d_grad_weight::conv2d_grad_weight;
use super::real::Real;
use super::simd::{Isa, testing};
use super::{convolution, winograd, winograd_weight};

/// Calls `f(input, weight, output)` with the indices of every product of the convolution.
fn products(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let [oh, ow] = s.out_size;
    for (n, h, w) in (0..s.batch * oh * ow).map(|k| (k / (oh * ow), k / ow % oh, k % ow)) {
        for (a, b) in (0..s.taps()).map(|k| (k / s.kernel[1], k % s.kernel[1])) {
            let y = (h * s.stride[0] + a * s.dilation[0]).wrapping_sub(s.padding[0]);
            let x = (w * s.stride[1] + b * s.dilation[1]).wrapping_sub(s.padding[1]);
            if y >= s.in_size[0] || x >= s.in_size[1] {
                continue;
            }
            for o in 0..s.out_channels {
                for i in 0..s.group_in() {
                    let c = o / s.group_out() * s.group_in() + i;
                    f(
                        ((n * s.in_size[0] + y) * s.in_size[1] + x) * s.in_channels + c,
                        ((a * s.kernel[1] + b) * s.group_in() + i) * s.out_channels + o,
                        ((n * oh + h) * ow + w) * s.out_channels + o,
                    );
                }
            }
        }
    }
}

fn values<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            T::of((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
        })
        .collect()
}

fn check<T: Real>(s: &ConvShape, tolerance: f64) {
    let [x, w, dy] =
        [(s.in_len(), 1), (s.weight_len(), 2), (s.out_len(), 3)].map(|(n, k)| values::<T>(n, k));
    let bias = values::<T>(s.out_channels, 4);
    let mut want_y: Vec<f64> = (0..s.out_len())
        .map(|k| bias[k % s.out_channels].f64())
        .collect();
    let (mut want_dx, mut want_dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    products(s, |i, j, k| {
        want_y[k] += x[i].f64() * w[j].f64();
        want_dx[i] += dy[k].f64() * w[j].f64();
        want_dw[j] += x[i].f64() * dy[k].f64();
    });
    let nothing = |like: &[T]| vec![T::nan(); like.len()];
    // The direct way, then the one that the ops choose.
    let [mut y, mut chosen_y] = [(); 2].map(|()| nothing(&dy));
    let [mut dx, mut chosen_dx] = [(); 2].map(|()| nothing(&x));
    let [mut dw, mut chosen_dw] = [(); 2].map(|()| nothing(&w));
    conv2d(s, &x, &w, Some(&bias), &mut y);
    conv2d_grad_input(s, &dy, &w, None, &mut dx);
    conv2d_grad_weight(s, &x, &dy, &mut dw);
    convolution::forward(s, &x, &w, Some(&bias), &mut chosen_y);
    convolution::grad_input(s, &dy, &w, None, &mut chosen_dx);
    convolution::grad_weight(s, &x, &dy, &mut chosen_dw);
    for (name, got, want) in [
        ("y", y, &want_y),
        ("dx", dx, &want_dx),
        ("dw", dw, &want_dw),
        ("chosen y", chosen_y, &want_y),
        ("chosen dx", chosen_dx, &want_dx),
        ("chosen dw", chosen_dw, &want_dw),
    ] {
        let largest = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        for (k, (got, want)) in got.iter().zip(want).enumerate() {
            let error = (got.f64() - want).abs() / largest;
            assert!(
                error <= tolerance,
                "{name}[{k}] is {got}, not {want}, for {s:?}"
            );
        }
    }
}

fn shape(
    batch: usize,
    size: [usize; 2],
    channels: [usize; 2],
    kernel: [usize; 2],
    rest: [usize; 4],
) -> ConvShape {
    let [stride, padding, dilation, groups] = rest;
    ConvShape {
        batch,
        in_channels: channels[0],
        in_size: size,
        out_channels: channels[1],
        out_size: [0, 1]
            .map(|k| (size[k] + 2 * padding - (kernel[k] - 1) * dilation - 1) / stride + 1),
        kernel,
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [dilation; 2],
        groups,
    }
}

fn cases() -> Vec<ConvShape> {
    vec![
        shape(2, [9, 11], [3, 5], [3, 3], [1, 1, 1, 1]),
        shape(1, [17, 33], [64, 64], [3, 3], [1, 1, 1, 1]),
        shape(2, [6, 5], [40, 33], [3, 3], [1, 1, 1, 1]),
        shape(1, [4, 4], [300, 70], [3, 3], [1, 1, 1, 1]),
        shape(3, [8, 8], [1, 64], [3, 3], [1, 1, 1, 1]),
        shape(3, [8, 8], [64, 1], [1, 1], [1, 0, 1, 1]),
        shape(2, [8, 6], [20, 12], [2, 2], [2, 0, 1, 1]),
        shape(2, [9, 7], [4, 6], [2, 2], [2, 0, 1, 1]),
        shape(2, [11, 13], [8, 4], [3, 3], [2, 1, 1, 1]),
        shape(1, [15, 15], [3, 16], [7, 7], [2, 3, 1, 1]),
        shape(1, [12, 12], [6, 6], [3, 3], [1, 2, 2, 1]),
        shape(1, [12, 12], [6, 9], [3, 3], [1, 1, 1, 3]),
        shape(1, [7, 7], [8, 8], [3, 3], [1, 1, 1, 8]),
        shape(1, [16, 16], [2, 3], [4, 4], [4, 0, 1, 1]),
        shape(1, [5, 5], [2, 3], [1, 1], [2, 0, 1, 1]),
        shape(1, [3, 300], [16, 24], [3, 3], [1, 1, 1, 1]),
        shape(1, [3, 3], [2, 2], [5, 5], [1, 2, 1, 1]),
        shape(1, [6, 6], [2, 2], [1, 1], [1, 1, 1, 1]),
        shape(1, [2, 2], [1024, 64], [1, 1], [1, 0, 1, 1]),
        shape(2, [9, 7], [100, 100], [3, 3], [1, 1, 1, 100]),
        shape(2, [10, 9], [80, 80], [3, 3], [2, 1, 1, 80]),
        shape(1, [11, 9], [5, 5], [3, 3], [1, 2, 2, 5]),
        shape(1, [9, 40], [160, 160], [5, 4], [3, 2, 1, 160]),
        shape(2, [9, 7], [64, 1], [3, 3], [1, 1, 1, 1]),
        shape(2, [9, 7], [48, 1], [3, 3], [2, 1, 2, 1]),
        shape(3, [40, 30], [24, 40], [1, 1], [1, 0, 1, 1]),
        shape(1, [13, 13], [3, 32], [5, 5], [2, 1, 2, 1]),
    ]
}

#[test]
fn convolutions_are_their_defining_sums_in_f64() {
    for isa in testing::all() {
        testing::on(isa, || {
            cases().iter().for_each(|case| check::<f64>(case, 1e-13))
        });
    }
}

#[test]
fn convolutions_are_their_defining_sums_in_f32() {
    for isa in testing::all() {
        testing::on(isa, || {
            cases().iter().for_each(|case| check::<f32>(case, 2e-6))
        });
    }
}

#[test]
fn winograd_is_the_direct_convolution() {
    for isa in testing::all() {
        testing::on(isa, move || compare_winograd(isa));
    }
}

fn compare_winograd(isa: Isa) {
    // The larger shapes take emulated registers too long.
    let most = if testing::is_emulated(isa) {
        6e7
    } else {
        f64::INFINITY
    };
    let mut compared = 0;
    for (size, channels, padding) in [
        ([16, 16], [16, 16], 1),
        ([9, 15], [32, 48], 1),
        ([17, 33], [64, 64], 1),
        ([12, 13], [144, 80], 0),
        ([10, 9], [16, 32], 2),
        ([64, 64], [64, 64], 1),
    ] {
        let s = shape(2, size, channels, [3, 3], [1, padding, 1, 1]);
        assert!(winograd::suits(&s), "{s:?}");
        if s.flops() > most {
            continue;
        }
        let [x, w, dy, bias] = [
            (s.in_len(), 1),
            (s.weight_len(), 2),
            (s.out_len(), 3),
            (s.out_channels, 4),
        ]
        .map(|(n, k)| values::<f32>(n, k));
        let [mut y, mut direct_y] = [(); 2].map(|()| vec![f32::NAN; s.out_len()]);
        let [mut dx, mut direct_dx] = [(); 2].map(|()| vec![f32::NAN; s.in_len()]);
        let [mut dw, mut direct_dw] = [(); 2].map(|()| vec![f32::NAN; s.weight_len()]);
        winograd::forward(&s, &x, &w, Some(&bias), &mut y);
        conv2d(&s, &x, &w, Some(&bias), &mut direct_y);
        winograd::grad_input(&s, &dy, &w, None, &mut dx);
        conv2d_grad_input(&s, &dy, &w, None, &mut direct_dx);
        winograd_weight::grad_weight(&s, &x, &dy, &mut dw);
        conv2d_grad_weight(&s, &x, &dy, &mut direct_dw);
        for (name, got, want) in [
            ("y", y, direct_y),
            ("dx", dx, direct_dx),
            ("dw", dw, direct_dw),
        ] {
            let largest = want.iter().fold(0f32, |m, v| m.max(v.abs()));
            let worst =
                got.iter().zip(&want).fold(
                    0f32,
                    |m, (a, b)| if (a - b).abs() > m { (a - b).abs() } else { m },
                );
            assert!(got.iter().all(|v| v.is_finite()), "{name} for {s:?}");
            assert!(
                worst / largest < 2e-6,
                "{name} is off by {:e} of the largest, for {s:?}",
                worst / largest
            );
            compared += 1;
        }
    }
    assert_eq!(compared, if most.is_finite() { 12 } else { 18 });
}
