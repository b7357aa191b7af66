//! Numbers that two languages make alike from a name and a counter, and digests of tensors that are too large to keep.
//!
//! A reference holds no tensor. Its weights, input and target follow from names by [`uniform`], and what a network made of them is
//! kept as a [`Digest`]: a difference between two tensors changes the dot products by about its own norm.

use serde::Deserialize;

/// How many dot products a digest holds.
const DOTS: usize = 3;

/// Euclidean norm of a tensor, and its dot products with vectors of signs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Digest(pub [f64; 1 + DOTS]);

/// Uniform in [-1, 1), in steps of 2^-23 so that f32 holds it: SplitMix64 at counter `i`, keyed by the FNV-1a hash of a name.
pub fn uniform(name: &str) -> impl Fn(usize) -> f64 + use<> {
    let key = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    move |i| {
        let step = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut z = key.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f64 / (1_u64 << 23) as f64 - 1.0
    }
}

/// The values of a tensor of the original, by its name there. They are of a size that lets signals through: Kaiming-uniform weights, scales
/// around 1, small biases.
pub fn parameter(seed: &str, name: &str, shape: &[usize]) -> Vec<f64> {
    let count = shape.iter().product();
    let u = uniform(&format!("{seed}/{name}"));
    let (offset, factor) = match name {
        name if name.ends_with("running_var") => (1.0, 0.5),
        name if name.ends_with("running_mean") => (0.0, 0.2),
        name if name.ends_with("position_embeddings") => (0.0, 0.1),
        name if shape.len() == 1 && name.ends_with("weight") => (1.0, 0.2),
        _ if shape.len() == 1 => (0.0, 0.1),
        _ => {
            let fan_in: usize = shape[1..].iter().product();
            (0.0, (6.0 / fan_in as f64).sqrt())
        }
    };
    (0..count)
        .map(|i| f64::from((offset + factor * u(i)) as f32))
        .collect()
}

impl Digest {
    /// The digest of a tensor in logical order.
    pub fn of(values: &[f64]) -> Self {
        let mut found = [0.0; 1 + DOTS];
        found[0] = norm(values);
        for (k, dot) in found[1..].iter_mut().enumerate() {
            let u = uniform(&format!("signs/{k}"));
            let signed = |(i, v): (usize, &f64)| if u(i) < 0.0 { -v } else { *v };
            *dot = values.iter().enumerate().map(signed).sum();
        }
        Self(found)
    }

    /// The Euclidean norm.
    pub fn norm(&self) -> f64 {
        self.0[0]
    }

    /// How far two digests are apart; something that is no number is the farthest.
    pub fn distance(&self, other: &Self) -> f64 {
        let pairs = self.0.iter().zip(other.0);
        pairs
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, |m: f64, d| if m.is_nan() || d <= m { m } else { d })
    }
}

/// Euclidean norm.
pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_is_the_one_the_references_were_made_with() {
        let u = uniform("unet/0/input");
        let found: Vec<_> = (0..3).map(u).collect();
        assert_eq!(found, FIRST);
    }

    /// From the generator of the references.
    const FIRST: [f64; 3] = [0.4954204559326172, 0.975303053855896, -0.17257940769195557];

    #[test]
    fn a_digest_sees_every_difference() {
        let values = [1.0, -2.0, 3.0, 4.0];
        let moved = [1.0, -2.0, 3.0, 4.5];
        let distance = Digest::of(&values).distance(&Digest::of(&moved));
        assert!((0.4..0.6).contains(&distance), "{distance}");
        let swapped = Digest::of(&[-2.0, 1.0, 3.0, 4.0]);
        assert!(Digest::of(&values).distance(&swapped) > 1.0);
        assert!(
            Digest::of(&values)
                .distance(&Digest::of(&[f64::NAN; 4]))
                .is_nan()
        );
    }
}
