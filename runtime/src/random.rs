//! Counter-based random numbers: Philox4x32-10.
//!
//! A number is a pure function of (seed, stream name, element index), so any thread, in any order, on any device, and a
//! run that was interrupted, draw the same ones. Initial parameters, the order of the data, augmentation and phantoms all
//! draw from here; two uses never share a stream, because their names differ.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

/// Multipliers of the two halves of a round.
const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What each key word grows by from round to round.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Rounds of Philox4x32-10.
const ROUNDS: usize = 10;

/// Philox4x32-10: four uniform 32-bit words from a counter and a key.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    philox4x32_lanes(counter.map(|word| [word]), key).map(|[word]| word)
}

/// [`philox4x32`] of several counters at once: word by word, so that loops over the lanes become vectors.
#[inline(always)]
pub fn philox4x32_lanes<const L: usize>(counter: [[u32; L]; 4], key: [u32; 2]) -> [[u32; L]; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..ROUNDS {
        let [a, b, d, e] = c;
        for lane in 0..L {
            let p0 = u64::from(MULTIPLIER[0]) * u64::from(a[lane]);
            let p1 = u64::from(MULTIPLIER[1]) * u64::from(d[lane]);
            c[0][lane] = (p1 >> 32) as u32 ^ b[lane] ^ k[0];
            c[1][lane] = p1 as u32;
            c[2][lane] = (p0 >> 32) as u32 ^ e[lane] ^ k[1];
            c[3][lane] = p0 as u32;
        }
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c
}

/// One named stream of random numbers of a run.
///
/// Element `i` of a stream is drawn from the Philox block whose key is the seed and whose counter is (i, hash of the
/// name); elements do not depend on one another. Indices run below 2^48: the bits above number the further draws that
/// rejection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    name: [u32; 2],
}

impl Stream {
    /// The stream called `name` of the run with this seed.
    pub fn new(seed: u64, name: &str) -> Self {
        let digest = blake3::hash(name.as_bytes());
        let word = |at: usize| {
            let b = &digest.as_bytes()[at..at + 4];
            u32::from_le_bytes([b[0], b[1], b[2], b[3]])
        };
        Stream {
            key: [seed as u32, (seed >> 32) as u32],
            name: [word(0), word(4)],
        }
    }

    /// The four 32-bit words of element `index`.
    pub fn bits(&self, index: u64) -> [u32; 4] {
        self.draw(index, 0)
    }

    fn draw(&self, index: u64, attempt: u64) -> [u32; 4] {
        let counter = index | attempt << 48;
        philox4x32(
            [
                counter as u32,
                (counter >> 32) as u32,
                self.name[0],
                self.name[1],
            ],
            self.key,
        )
    }

    /// A uniform number in [0, 1): a multiple of 2^-24.
    pub fn uniform_f32(&self, index: u64) -> f32 {
        (self.bits(index)[0] >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    /// A uniform number in [0, 1): a multiple of 2^-53.
    pub fn uniform_f64(&self, index: u64) -> f64 {
        let w = self.bits(index);
        unit(w[0], w[1])
    }

    /// A uniform integer in 0..`n`, and 0 for `n` = 0. The bias is below n / 2^64.
    pub fn below(&self, index: u64, n: u64) -> u64 {
        let w = self.bits(index);
        let bits = u64::from(w[0]) << 32 | u64::from(w[1]);
        ((u128::from(bits) * u128::from(n)) >> 64) as u64
    }

    /// A number of the standard normal distribution (Box-Muller).
    pub fn normal(&self, index: u64) -> f64 {
        box_muller(self.bits(index))
    }

    /// A standard normal number, truncated to [-`bound`, `bound`] (by rejection).
    ///
    /// With a bound so small that 65,536 draws all miss, the last one is clamped.
    pub fn truncated_normal(&self, index: u64, bound: f64) -> f64 {
        let mut z = 0.0;
        for attempt in 0..1 << 16 {
            z = box_muller(self.draw(index, attempt));
            if z.abs() <= bound {
                return z;
            }
        }
        z.clamp(-bound, bound)
    }

    /// A permutation of 0..`n` (Fisher-Yates; element `i` of the stream picks the partner of position `i`).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64, i as u64 + 1) as usize);
        }
        order
    }
}

/// The multiple of 2^-53 in [0, 1) that the upper bits of two words spell.
fn unit(high: u32, low: u32) -> f64 {
    let bits = u64::from(high) << 32 | u64::from(low);
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

fn box_muller(w: [u32; 4]) -> f64 {
    // 1 - u is in (0, 1], so the logarithm is finite.
    let radius = (-2.0 * (1.0 - unit(w[0], w[1])).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(w[2], w[3])).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three known answers that the authors ship with Random123 1.14.0 (`kat_vectors`).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(
            philox4x32([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(
            philox4x32(counter, [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_differ_by_seed_and_by_name() {
        let a = Stream::new(1, "a").bits(0);
        assert_eq!(a, Stream::new(1, "a").bits(0));
        assert_ne!(a, Stream::new(1, "b").bits(0));
        assert_ne!(a, Stream::new(2, "a").bits(0));
        assert_ne!(a, Stream::new(1 << 32 | 1, "a").bits(0));
        assert_ne!(a, Stream::new(1, "a").bits(1));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let s = Stream::new(7, "moments");
        let n = 200_000u64;
        let moments = |f: &dyn Fn(u64) -> f64| {
            let mean = (0..n).map(f).sum::<f64>() / n as f64;
            let var = (0..n).map(|i| (f(i) - mean).powi(2)).sum::<f64>() / n as f64;
            (mean, var)
        };
        let near = |(mean, var): (f64, f64), m: f64, v: f64| {
            assert!(
                (mean - m).abs() < 0.01 && (var - v).abs() < 0.01,
                "{mean} {var}"
            );
        };
        near(moments(&|i| f64::from(s.uniform_f32(i))), 0.5, 1.0 / 12.0);
        near(moments(&|i| s.uniform_f64(i)), 0.5, 1.0 / 12.0);
        near(moments(&|i| s.normal(i)), 0.0, 1.0);
        // Variance of the standard normal cut at 2: 1 - 4 phi(2) / (2 Phi(2) - 1).
        near(moments(&|i| s.truncated_normal(i, 2.0)), 0.0, 0.7737);
        assert!((0..n).all(|i| s.truncated_normal(i, 2.0).abs() <= 2.0));
        assert!((0..n).all(|i| (0.0..1.0).contains(&s.uniform_f32(i))));
    }

    #[test]
    fn permutations_hold_every_index_once_and_move_most() {
        let order = Stream::new(3, "order").permutation(1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert!(order.iter().enumerate().filter(|(i, o)| i == *o).count() < 20);
        assert_eq!(Stream::new(3, "order").permutation(0), Vec::<usize>::new());
    }
}
