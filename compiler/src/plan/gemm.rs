//! The choice of tiles for a matrix product, and the constants that `shared/gemm` needs.

use serde::Serialize;

use super::Groups;

/// The extents of a matrix product `C[m, n] = sum_k A[m, k] B[k, n]` for `batch` values of z.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
    /// Independent products.
    pub batch: usize,
    /// Whether neighbouring `k` of A are neighbours in memory (otherwise neighbouring `m` are).
    pub a_along_k: bool,
    /// Whether neighbouring `k` of B are neighbours in memory (otherwise neighbouring `n` are).
    pub b_along_k: bool,
    /// Whether the sum over k may be split over workgroups and finished by another kernel.
    pub may_split: bool,
}

/// Tile sizes and grid of a matrix product: what the templates call `g`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tiling {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
    /// Rows of a workgroup's tile.
    pub bm: usize,
    /// Columns of a workgroup's tile.
    pub bn: usize,
    /// Terms per trip through workgroup memory.
    pub bk: usize,
    /// Rows per invocation.
    pub tm: usize,
    /// Columns per invocation.
    pub tn: usize,
    /// Invocations of a workgroup.
    pub threads: usize,
    /// Tiles along m.
    pub tiles_m: usize,
    /// Tiles along n.
    pub tiles_n: usize,
    /// Workgroups along x.
    pub groups_x: usize,
    /// Workgroups that share one sum.
    pub splits: usize,
    /// Terms that one of them takes.
    pub k_chunk: usize,
    /// See [`Product::a_along_k`].
    pub a_along_k: bool,
    /// See [`Product::b_along_k`].
    pub b_along_k: bool,
}

/// Tile rows, tile columns, rows and columns per invocation, largest `bk`, and how near the tile comes to the peak
/// rate: large tiles read less per multiply-add. All fit 16 KiB of workgroup memory and 256 invocations.
const TILES: [(usize, usize, usize, usize, usize, f64); 9] = [
    (128, 128, 8, 8, 8, 1.0),
    (128, 64, 8, 4, 16, 0.85),
    (64, 128, 4, 8, 16, 0.85),
    (64, 64, 4, 4, 16, 0.7),
    (128, 32, 4, 4, 16, 0.6),
    (32, 128, 4, 4, 16, 0.6),
    (256, 16, 4, 4, 8, 0.45),
    (16, 128, 4, 4, 16, 0.4),
    (256, 4, 4, 4, 8, 0.2),
];

/// Workgroups that keep a large device busy.
const BUSY: usize = 256;

impl Tiling {
    /// The tiling with the least estimated time: work on padded tiles, divided by the tile's rate and by the share of
    /// a large device that the grid fills.
    pub fn choose(product: &Product) -> Self {
        let mut best = Self::with_tile(product, TILES[0]);
        for tile in &TILES[1..] {
            let candidate = Self::with_tile(product, *tile);
            if candidate.1 < best.1 {
                best = candidate;
            }
        }
        best.0
    }

    /// Every tiling that [`Tiling::choose`] chooses from.
    pub fn candidates(product: &Product) -> impl Iterator<Item = Self> {
        TILES
            .into_iter()
            .map(|tile| Self::with_tile(product, tile).0)
    }

    fn with_tile(product: &Product, tile: (usize, usize, usize, usize, usize, f64)) -> (Self, f64) {
        let (bm, bn, tm, tn, bk_most, rate) = tile;
        let Product { m, n, k, batch, .. } = *product;
        let bk = bk_most.min(k.next_multiple_of(4));
        let (tiles_m, tiles_n) = (m.div_ceil(bm), n.div_ceil(bn));
        let tiles = tiles_m * tiles_n * batch;
        let trips = k.div_ceil(bk);
        // Each part gets at least 8 trips, and the parts of one sum stay few enough to add up quickly.
        let splits = if product.may_split {
            (2 * BUSY / tiles.max(1)).clamp(1, (trips / 8).clamp(1, 256))
        } else {
            1
        };
        let k_chunk = trips.div_ceil(splits) * bk;
        let splits = k.div_ceil(k_chunk).max(1);
        let filled = ((tiles * splits) as f64 / BUSY as f64).min(1.0);
        let padded = (tiles_m * bm) as f64 * (tiles_n * bn) as f64 * (trips * bk) as f64;
        let tiling = Self {
            m,
            n,
            k,
            bm,
            bn,
            bk,
            tm,
            tn,
            threads: bm / tm * (bn / tn),
            tiles_m,
            tiles_n,
            groups_x: Groups::for_count(tiles_m * tiles_n).x as usize,
            splits,
            k_chunk,
            a_along_k: product.a_along_k,
            b_along_k: product.b_along_k,
        };
        (tiling, padded / rate / filled)
    }

    /// The grid of workgroups.
    pub fn groups(&self, batch: usize) -> Groups {
        Groups {
            z: (batch * self.splits) as u32,
            ..Groups::for_count(self.tiles_m * self.tiles_n)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(m: usize, n: usize, k: usize, may_split: bool) -> Product {
        Product {
            m,
            n,
            k,
            batch: 1,
            a_along_k: true,
            b_along_k: false,
            may_split,
        }
    }

    #[test]
    fn every_tile_fits_the_default_limits() {
        for (bm, bn, tm, tn, bk, _) in TILES {
            assert!(bm / tm * (bn / tn) <= 256);
            let lines = |width: usize| [width * (bk / 4 + 1), bk * (width / 4 + 1)];
            for a in lines(bm) {
                for b in lines(bn) {
                    assert!((a + b) * 16 <= 16384, "{bm}x{bn}");
                }
            }
        }
    }

    #[test]
    fn shapes_get_the_tiles_meant_for_them() {
        let wide = Tiling::choose(&product(524_288, 128, 576, false));
        assert_eq!((wide.bm, wide.bn), (128, 128));
        let one_channel = Tiling::choose(&product(524_288, 1, 64, false));
        assert_eq!((one_channel.bm, one_channel.bn), (256, 4));
        let few_tiles = Tiling::choose(&product(576, 64, 524_288, true));
        assert!(
            few_tiles.splits * few_tiles.tiles_m * few_tiles.tiles_n >= 128,
            "{few_tiles:?}"
        );
    }

    #[test]
    fn the_parts_cover_the_sum_once() {
        for k in [1, 9, 64, 577, 100_000] {
            let g = Tiling::choose(&product(64, 64, k, true));
            assert!(
                g.k_chunk.is_multiple_of(g.bk)
                    && g.k_chunk * g.splits >= k
                    && g.k_chunk * (g.splits - 1) < k,
                "{g:?}"
            );
        }
    }
}
