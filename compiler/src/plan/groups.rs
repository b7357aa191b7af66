//! Grids of workgroups within the limits of every device.

/// Workgroups along x, y and z. Kernels number them `y * groups_x + x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Groups {
    /// Along x.
    pub x: u32,
    /// Along y.
    pub y: u32,
    /// Along z.
    pub z: u32,
}

/// The most workgroups along one axis that every device takes.
const MOST: usize = 65_535;

impl Groups {
    /// At least `count` workgroups, spread over x and y.
    pub fn for_count(count: usize) -> Self {
        let y = count.div_ceil(MOST).max(1);
        Self {
            x: count.div_ceil(y).max(1) as u32,
            y: y as u32,
            z: 1,
        }
    }

    /// Workgroups of 256 invocations for `elements` elements.
    pub fn for_elements(elements: usize) -> Self {
        Self::for_count(elements.div_ceil(256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_grid_spreads_over_two_axes() {
        assert_eq!(
            Groups::for_count(65_535),
            Groups {
                x: 65_535,
                y: 1,
                z: 1
            }
        );
        let groups = Groups::for_count(65_536);
        assert!(
            groups.y == 2
                && u64::from(groups.x) * u64::from(groups.y) >= 65_536
                && groups.x <= 65_535
        );
    }
}
