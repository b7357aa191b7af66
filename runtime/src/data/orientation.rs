//! The orientation of a volume in the patient, read from its affine, and the one that networks are trained on.
//!
//! Slices are cut along the first axis, and rows and columns are shown to the network as they lie in the file. Until volumes
//! are turned by their affine, a volume of another orientation is refused: the network would see slices it has never met.

/// Voxel index to position, in millimetres to the right, the front and the head.
pub type Affine = [[f64; 4]; 4];

/// Largest angle between an axis of a volume and the patient's. A gantry is tilted by at most 30 degrees.
const MAX_TILT: f64 = 30.0;

/// Where each patient axis points, by axis and sign: NIfTI's x goes to the right, y to the front, z to the head.
const WORDS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];

/// Axes that KiTS19 and the phantoms have: slices from head to feet, rows from front to back, columns from right to left.
/// Slices are looked at one by one, so their order does not matter.
const WANTED: [&str; 2] = ["IPL", "SPL"];

/// The letters of the three axes, each the direction in which the voxel index grows: `IPL` for KiTS19.
///
/// # Errors
/// In words: the affine is singular, or its axes lie between those of the patient.
pub fn letters(affine: &Affine) -> Result<String, String> {
    let mut letters = String::new();
    let mut used = [false; 3];
    let columns = [0, 1, 2].map(|axis| [0, 1, 2].map(|row| affine[row][axis]));
    for (axis, column) in columns.iter().enumerate() {
        let length = column.iter().map(|v| v * v).sum::<f64>().sqrt();
        if !(length > 0.0 && length.is_finite()) {
            return Err(format!(
                "its affine is singular: axis {axis} has no direction"
            ));
        }
        let (towards, largest) = column
            .iter()
            .enumerate()
            .max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()))
            .map_or((0, 0.0), |(at, v)| (at, *v));
        let tilt = (largest.abs() / length).min(1.0).acos().to_degrees();
        if tilt > MAX_TILT {
            return Err(format!(
                "it lies oblique: its axis {axis} is {tilt:.0} degrees off the nearest axis of the patient, and at most \
                 {MAX_TILT:.0} are accepted; resample it"
            ));
        }
        if std::mem::replace(&mut used[towards], true) {
            return Err("its affine is singular: two of its axes have one direction".into());
        }
        letters.push(WORDS[towards][usize::from(largest < 0.0)]);
    }
    Ok(letters)
}

/// Whether a volume lies as those that networks are trained on; if not, what it lies like and what is wanted.
///
/// # Errors
/// In words, as [`letters`].
pub fn require(affine: &Affine) -> Result<(), String> {
    let found = letters(affine)?;
    if WANTED.contains(&found.as_str()) {
        return Ok(());
    }
    let spelled = |letters: &str| {
        let letters: Vec<String> = letters.chars().map(String::from).collect();
        letters.join(", ")
    };
    Err(format!(
        "its axes run to {}, but slices are cut along the first axis, and {} is wanted (the first axis towards the feet, the \
         second to the back, the third to the patient's left, as in KiTS19); turn it and its mask, for example with \
         nibabel: `image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(\"IPL\")))`",
        spelled(&found),
        spelled(WANTED[0])
    ))
}

/// The largest distance between the positions that two volumes of one shape give to a corner.
///
/// - Units: millimetres
pub fn displacement(shape: [usize; 3], a: &Affine, b: &Affine) -> f64 {
    let mut largest = 0.0f64;
    for corner in 0..8 {
        let at = [0, 1, 2].map(|axis| match corner >> axis & 1 {
            0 => 0.0,
            _ => shape[axis] as f64 - 1.0,
        });
        let offset = |row: usize| -> f64 {
            let difference = |column: usize| a[row][column] - b[row][column];
            (0..3).map(|axis| difference(axis) * at[axis]).sum::<f64>() + difference(3)
        };
        let square: f64 = (0..3).map(|row| offset(row).powi(2)).sum();
        largest = largest.max(square.sqrt());
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The affine whose axes go along these rows of (x, y, z), in millimetres a voxel.
    fn placed(axes: [[f64; 3]; 3]) -> Affine {
        let mut affine = [[0.0; 4]; 4];
        for (axis, direction) in axes.iter().enumerate() {
            for (row, value) in direction.iter().enumerate() {
                affine[row][axis] = *value;
            }
        }
        affine[3][3] = 1.0;
        affine
    }

    #[test]
    fn letters_name_the_direction_of_each_axis() {
        let (x, y, z) = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]);
        let minus = |v: [f64; 3]| v.map(|v| -v);
        let kits = placed([minus(z), minus(y), minus(x)]);
        assert_eq!(letters(&kits).unwrap(), "IPL");
        assert!(require(&kits).is_ok());
        assert!(require(&placed([z, minus(y), minus(x)])).is_ok());
        for (axes, name) in [
            ([x, y, z], "R, A, S"),
            ([minus(x), minus(y), z], "L, P, S"),
            ([minus(z), y, minus(x)], "I, A, L"),
        ] {
            let fault = require(&placed(axes)).unwrap_err();
            assert!(
                fault.contains(name) && fault.contains("I, P, L is wanted"),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_slight_tilt_passes_and_an_oblique_volume_does_not() {
        let tilted = |degrees: f64| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            placed([[0.0, sin, -cos], [0.0, -cos, -sin], [-1.0, 0.0, 0.0]])
        };
        assert_eq!(letters(&tilted(25.0)).unwrap(), "IPL");
        let fault = letters(&tilted(40.0)).unwrap_err();
        assert!(fault.contains("40 degrees"), "{fault}");
    }

    #[test]
    fn affines_without_a_direction_are_refused() {
        let flat = placed([[0.0; 3], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]]);
        assert!(letters(&flat).unwrap_err().contains("singular"));
        let same = placed([[0.0, -1.0, 0.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]]);
        assert!(letters(&same).unwrap_err().contains("singular"));
    }

    #[test]
    fn the_largest_displacement_is_that_of_a_corner() {
        let a = placed([[0.0, 0.0, -5.0], [0.0, -0.7, 0.0], [-0.8, 0.0, 0.0]]);
        assert_eq!(displacement([3, 8, 6], &a, &a), 0.0);
        let mut moved = a;
        moved[0][3] = 50.0;
        assert_eq!(displacement([3, 8, 6], &a, &moved), 50.0);
        let mut stretched = a;
        stretched[2][0] = -9.0;
        assert_eq!(displacement([3, 8, 6], &a, &stretched), 8.0);
    }
}
