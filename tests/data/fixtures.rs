//! Files that the tests read.

use std::path::{Path, PathBuf};

/// A path of the test crate.
pub fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Real CT in KiTS19 layout; see its NOTICE.md.
pub fn ct() -> PathBuf {
    tests("fixtures/ct")
}

/// KiTS19 masks, which lie beside a checkout but never in it. `None`, with a message, where they are not there.
pub fn kits_masks() -> Option<PathBuf> {
    let folder = tests("../../shared/data/kits-masks");
    if folder.is_dir() {
        return Some(folder);
    }
    hqcc_tests::skip(format_args!("{} is not there", folder.display()));
    None
}

/// A NIfTI file to be: small, and wrong in any way that a test wants.
#[derive(Clone)]
pub struct Nifti {
    /// dim[0] to dim[7].
    pub dim: [i16; 8],
    /// Code of the element type.
    pub datatype: i16,
    /// pixdim[0] to pixdim[7].
    pub pixdim: [f32; 8],
    /// scl_slope and scl_inter.
    pub scaling: [f32; 2],
    /// sform_code and qform_code.
    pub codes: [i16; 2],
    /// Rows of the sform.
    pub sform: [f32; 12],
    /// Quaternion b, c, d and shift x, y, z.
    pub qform: [f32; 6],
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
    /// Voxels in file order, little endian, of `width` bytes each.
    pub voxels: Vec<u8>,
    /// Bytes of a voxel.
    pub width: usize,
}

impl Nifti {
    /// A volume of these voxels; the file has the first axis fastest.
    pub fn new(shape: [i16; 3], datatype: i16, width: usize, voxels: Vec<u8>) -> Nifti {
        let mut sform = [0.0; 12];
        (sform[2], sform[5], sform[8]) = (-0.8, -0.7, -5.0);
        Nifti {
            dim: [3, shape[0], shape[1], shape[2], 1, 1, 1, 1],
            datatype,
            pixdim: [1.0, 5.0, 0.7, 0.8, 0.0, 0.0, 0.0, 0.0],
            scaling: [1.0, 0.0],
            codes: [2, 0],
            sform,
            qform: [0.0; 6],
            big_endian: false,
            voxels,
            width,
        }
    }

    /// A volume of u8 voxels, for labels.
    pub fn labels(shape: [i16; 3], voxels: Vec<u8>) -> Nifti {
        Nifti::new(shape, 2, 1, voxels)
    }

    /// A volume of f32 voxels.
    pub fn floats(shape: [i16; 3], voxels: &[f32]) -> Nifti {
        let bytes = voxels.iter().flat_map(|v| v.to_le_bytes()).collect();
        Nifti::new(shape, 16, 4, bytes)
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut raw = vec![0u8; 352];
        let mut put = |at: usize, mut bytes: Vec<u8>| {
            if self.big_endian {
                bytes.reverse();
            }
            raw[at..at + bytes.len()].copy_from_slice(&bytes);
        };
        put(0, 348i32.to_le_bytes().to_vec());
        for i in 0..8 {
            put(40 + 2 * i, self.dim[i].to_le_bytes().to_vec());
            put(76 + 4 * i, self.pixdim[i].to_le_bytes().to_vec());
        }
        put(70, self.datatype.to_le_bytes().to_vec());
        put(72, (8 * self.width as i16).to_le_bytes().to_vec());
        put(108, 352f32.to_le_bytes().to_vec());
        put(112, self.scaling[0].to_le_bytes().to_vec());
        put(116, self.scaling[1].to_le_bytes().to_vec());
        put(252, self.codes[1].to_le_bytes().to_vec());
        put(254, self.codes[0].to_le_bytes().to_vec());
        for (i, v) in self.qform.iter().enumerate() {
            put(256 + 4 * i, v.to_le_bytes().to_vec());
        }
        for (i, v) in self.sform.iter().enumerate() {
            put(280 + 4 * i, v.to_le_bytes().to_vec());
        }
        raw[344..348].copy_from_slice(b"n+1\0");
        let mut voxels = self.voxels.clone();
        if self.big_endian {
            voxels
                .chunks_exact_mut(self.width)
                .for_each(<[u8]>::reverse);
        }
        raw.extend(voxels);
        raw
    }
}

/// Gzip of some bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Writes the two files of a case.
pub fn write_case(root: &Path, case: u32, image: &[u8], labels: &[u8]) {
    let folder = root.join(format!("case_{case:05}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("imaging.nii.gz"), image).unwrap();
    std::fs::write(folder.join("segmentation.nii.gz"), labels).unwrap();
}

/// A sound case of 3 slices of 8 x 6: labels on slice 1 and 2.
pub fn small_case() -> (Nifti, Nifti) {
    let shape = [3i16, 8, 6];
    let (mut grey, mut labels) = (Vec::new(), Vec::new());
    for column in 0..6 {
        for row in 0..8 {
            for slice in 0..3 {
                grey.push((slice * 100 + row * 10 + column) as f32 - 50.0);
                let inside = slice > 0 && (2..5).contains(&row) && (1..4).contains(&column);
                labels.push(u8::from(inside) + u8::from(inside && slice == 2 && row == 3));
            }
        }
    }
    (Nifti::floats(shape, &grey), Nifti::labels(shape, labels))
}
