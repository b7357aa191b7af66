//! Filters against their definitions, on random images.

use hqcc::data::filters::{mean_f32, mean_u8, median_f32, median_u8};
use hqcc::data::resize::{bilinear, nearest};
use proptest::prelude::*;

/// Every neighbourhood of the image, border pixels found by `border(index, length)`.
fn neighbourhoods<T: Copy>(
    image: &[T],
    [rows, columns]: [usize; 2],
    side: usize,
    border: impl Fn(isize, isize) -> isize,
) -> Vec<Vec<T>> {
    let r = (side / 2) as isize;
    let pixel = |y: isize, x: isize| {
        let (y, x) = (border(y, rows as isize), border(x, columns as isize));
        image[y as usize * columns + x as usize]
    };
    let all = |y: isize, x: isize| {
        let ys = y - r..=y + r;
        ys.flat_map(|v| (x - r..=x + r).map(move |u| (v, u)))
            .map(|(v, u)| pixel(v, u))
            .collect()
    };
    (0..rows as isize)
        .flat_map(|y| (0..columns as isize).map(move |x| (y, x)))
        .map(|(y, x)| all(y, x))
        .collect()
}

fn replicate(i: isize, n: isize) -> isize {
    i.clamp(0, n - 1)
}

fn reflect(mut i: isize, n: isize) -> isize {
    while n > 1 && !(0..n).contains(&i) {
        i = if i < 0 { -i } else { 2 * (n - 1) - i };
    }
    if n == 1 { 0 } else { i }
}

/// Images with few or many grey levels: ties and long jumps of the median both occur.
fn images() -> impl Strategy<Value = ([usize; 2], Vec<u8>, usize)> {
    (1usize..24, 1usize..24, 0usize..5, 0u8..8).prop_flat_map(|(h, w, half, coarse)| {
        let pixel = any::<u8>().prop_map(move |v| v >> coarse << coarse);
        (
            Just([h, w]),
            proptest::collection::vec(pixel, h * w),
            Just(2 * half + 1),
        )
    })
}

proptest! {
    #[test]
    fn medians_are_the_middle_of_the_sorted_neighbourhood((shape, image, side) in images()) {
        let middle = |mut v: Vec<u8>| { v.sort_unstable(); v[v.len() / 2] };
        let all = neighbourhoods(&image, shape, side, replicate);
        let expected: Vec<u8> = all.into_iter().map(middle).collect();
        prop_assert_eq!(median_u8(&image, shape, side), expected.clone());
        let float: Vec<f32> = image.iter().map(|v| f32::from(*v) - 100.5).collect();
        let expected: Vec<f32> = expected.iter().map(|v| f32::from(*v) - 100.5).collect();
        prop_assert_eq!(median_f32(&float, shape, side), expected);
    }

    #[test]
    fn means_are_rounded_sums((shape, image, side) in images()) {
        let n = (side * side) as u32;
        let mean = |v: Vec<u8>| {
            let sum: u32 = v.iter().map(|x| u32::from(*x)).sum();
            (f64::from(sum) / f64::from(n) + 0.5).floor() as u8
        };
        let all = neighbourhoods(&image, shape, side, reflect);
        let expected: Vec<u8> = all.into_iter().map(mean).collect();
        prop_assert_eq!(mean_u8(&image, shape, side), expected);
        let float: Vec<f32> = image.iter().map(|v| f32::from(*v) / 255.0).collect();
        let all = neighbourhoods(&float, shape, side, reflect);
        for (found, v) in mean_f32(&float, shape, side).iter().zip(all) {
            let expected = v.iter().map(|x| f64::from(*x)).sum::<f64>() / f64::from(n);
            prop_assert!((f64::from(*found) - expected).abs() < 1e-7);
        }
    }

    #[test]
    fn resizing_keeps_the_range_and_the_values(
        (shape, image, _) in images(), h in 1usize..40, w in 1usize..40,
    ) {
        let float: Vec<f32> = image.iter().map(|v| f32::from(*v)).collect();
        let (lo, hi) = float.iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        let out = bilinear(&float, shape, [h, w]);
        prop_assert_eq!(out.len(), h * w);
        prop_assert!(out.iter().all(|v| (lo..=hi).contains(v)));
        prop_assert!(nearest(&image, shape, [h, w]).iter().all(|v| image.contains(v)));
        prop_assert_eq!(bilinear(&float, shape, shape), float);
        prop_assert_eq!(nearest(&image, shape, shape), image);
    }
}
