//! NIfTI-1 headers, checked field by field before anything is allocated for the voxels.

use super::error::DataError;
use super::orientation;
use nifti::{Endianness, NiftiHeader};
use std::path::Path;

/// Bytes of a NIfTI-1 header.
pub const HEADER_BYTES: usize = 348;

/// Element type of a voxel in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Unsigned, 8 bit (code 2).
    U8,
    /// Signed, 16 bit (code 4).
    I16,
    /// Signed, 32 bit (code 8).
    I32,
    /// Floating point, 32 bit (code 16).
    F32,
    /// Floating point, 64 bit (code 64).
    F64,
    /// Signed, 8 bit (code 256).
    I8,
    /// Unsigned, 16 bit (code 512).
    U16,
    /// Unsigned, 32 bit (code 768).
    U32,
    /// Signed, 64 bit (code 1024).
    I64,
    /// Unsigned, 64 bit (code 1280).
    U64,
}

impl Element {
    fn from_code(code: i16) -> Option<Element> {
        Some(match code {
            2 => Element::U8,
            4 => Element::I16,
            8 => Element::I32,
            16 => Element::F32,
            64 => Element::F64,
            256 => Element::I8,
            512 => Element::U16,
            768 => Element::U32,
            1024 => Element::I64,
            1280 => Element::U64,
            _ => return None,
        })
    }

    /// Bytes of one voxel.
    pub fn bytes(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::I16 | Element::U16 => 2,
            Element::I32 | Element::U32 | Element::F32 => 4,
            Element::F64 | Element::I64 | Element::U64 => 8,
        }
    }
}

/// What a checked header says of a volume, and the header itself for writing a mask that matches.
#[derive(Clone, Debug)]
pub struct Geometry {
    /// Voxels along the three axes, as stored: [slice, row, column] in KiTS19.
    pub shape: [usize; 3],
    /// Distance between voxels along these axes. Units: those of the file, millimetres in CT.
    pub spacing: [f64; 3],
    /// Voxel index to position: sform if its code is positive, otherwise qform, otherwise spacing alone.
    pub affine: [[f64; 4]; 4],
    /// Whether the file holds a form at all, so that the affine says how the patient lies.
    pub is_placed: bool,
    /// Element type of the voxels in the file.
    pub element: Element,
    /// Value = stored * slope + intercept; (1, 0) where the file asks for no scaling.
    pub scaling: (f64, f64),
    /// Where the voxels begin. Units: bytes, uncompressed.
    pub offset: u64,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
    /// The header as stored in the file.
    pub raw: Vec<u8>,
}

impl Geometry {
    /// Voxels of the volume.
    pub fn voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of the uncompressed file up to its last voxel.
    pub fn file_bytes(&self) -> u64 {
        self.offset + self.voxels() as u64 * self.element.bytes() as u64
    }

    /// Checks the header at the start of a file and returns the geometry that it declares.
    ///
    /// # Errors
    /// `Header` names the field: no NIfTI-1, a header without voxels in the same file, fewer than three axes,
    /// an element type that is no real number, sizes beyond the address space, spacing or affine that are no numbers.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Geometry, DataError> {
        let bad = |fault: String| DataError::Header {
            path: path.to_owned(),
            fault,
        };
        if bytes.len() < HEADER_BYTES {
            return Err(bad(format!(
                "it holds {} bytes where a header takes {HEADER_BYTES}",
                bytes.len()
            )));
        }
        let raw = &bytes[..HEADER_BYTES];
        let size: [u8; 4] = [raw[0], raw[1], raw[2], raw[3]];
        let big_endian = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
            (348, _) => false,
            (_, 348) => true,
            (540, _) | (_, 540) => {
                return Err(bad("NIfTI-2 is not read; convert it to NIfTI-1".into()));
            }
            (other, _) => return Err(bad(format!("its first field is {other}, not 348"))),
        };
        match &raw[344..348] {
            b"n+1\0" => {}
            b"ni1\0" => {
                return Err(bad(
                    "its voxels lie in a separate .img file; convert the pair to one .nii".into(),
                ));
            }
            other => {
                return Err(bad(format!(
                    "its magic is {:?}, not \"n+1\\0\"",
                    other.escape_ascii().to_string()
                )));
            }
        }
        // The crate guesses the byte order from dim[0]: settle that first.
        let dim0 = u16::from_le_bytes([raw[40], raw[41]]);
        let dim0 = if big_endian { dim0.swap_bytes() } else { dim0 };
        if !(1..=7).contains(&dim0) {
            return Err(bad(format!("dim[0] is {dim0}, not 1 to 7")));
        }
        let header = NiftiHeader::from_reader(raw).map_err(|e| bad(e.to_string()))?;
        let order = if big_endian {
            Endianness::Big
        } else {
            Endianness::Little
        };
        if header.endianness != order {
            return Err(bad("sizeof_hdr and dim[0] differ in byte order".into()));
        }
        let shape = shape(&header).map_err(&bad)?;
        let element = Element::from_code(header.datatype).ok_or_else(|| {
            bad(format!(
                "datatype {} is no real number type; convert it to int16 or float32",
                header.datatype
            ))
        })?;
        Ok(Geometry {
            shape,
            spacing: spacing(&header).map_err(&bad)?,
            affine: affine(&header, shape).map_err(&bad)?,
            is_placed: header.sform_code > 0 || header.qform_code > 0,
            element,
            scaling: scaling(&header).map_err(&bad)?,
            offset: offset(&header).map_err(&bad)?,
            big_endian,
            raw: raw.to_vec(),
        })
    }

    /// A header for a new volume with this geometry, for example one that no file held before.
    ///
    /// The sform holds the affine (code 2, aligned), the qform is unset, the units are millimetres.
    pub fn new(shape: [usize; 3], spacing: [f64; 3], affine: [[f64; 4]; 4]) -> Geometry {
        let mut raw = vec![0u8; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| raw[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &348i32.to_le_bytes());
        put(38, b"r");
        let dims = [3, shape[0], shape[1], shape[2], 1, 1, 1, 1];
        let pixdim = [1.0, spacing[0], spacing[1], spacing[2], 1.0, 1.0, 1.0, 1.0];
        for (i, (d, p)) in dims.iter().zip(pixdim).enumerate() {
            put(40 + 2 * i, &(*d as u16).to_le_bytes());
            put(76 + 4 * i, &(p as f32).to_le_bytes());
        }
        put(70, &4i16.to_le_bytes());
        put(72, &16i16.to_le_bytes());
        put(108, &352f32.to_le_bytes());
        put(112, &1f32.to_le_bytes());
        put(123, &[2]);
        put(254, &2i16.to_le_bytes());
        for (i, v) in affine[..3].iter().flatten().enumerate() {
            put(280 + 4 * i, &(*v as f32).to_le_bytes());
        }
        put(344, b"n+1\0");
        Geometry {
            shape,
            spacing,
            affine,
            is_placed: true,
            element: Element::I16,
            scaling: (1.0, 0.0),
            offset: 352,
            big_endian: false,
            raw,
        }
    }

    /// The header bytes of a volume of another element type in the same place: shape, spacing, sform, qform, codes and
    /// units stay as they are; scaling is none, display range unset, and the voxels follow at once.
    pub fn header_for(&self, element: Element) -> Vec<u8> {
        let code: i16 = match element {
            Element::U8 => 2,
            Element::I16 => 4,
            Element::I32 => 8,
            Element::F32 => 16,
            Element::F64 => 64,
            Element::I8 => 256,
            Element::U16 => 512,
            Element::U32 => 768,
            Element::I64 => 1024,
            Element::U64 => 1280,
        };
        let mut raw = self.raw.clone();
        let mut put = |at: usize, mut bytes: Vec<u8>| {
            if self.big_endian {
                bytes.reverse();
            }
            raw[at..at + bytes.len()].copy_from_slice(&bytes);
        };
        put(70, code.to_le_bytes().to_vec());
        put(72, ((element.bytes() * 8) as i16).to_le_bytes().to_vec());
        put(108, 352f32.to_le_bytes().to_vec());
        put(112, 1f32.to_le_bytes().to_vec());
        put(116, 0f32.to_le_bytes().to_vec());
        put(124, 0f32.to_le_bytes().to_vec());
        put(128, 0f32.to_le_bytes().to_vec());
        // No extension follows.
        raw.extend_from_slice(&[0; 4]);
        raw
    }
}

impl Geometry {
    /// Refuses a volume in another orientation than the one that networks are trained on.
    ///
    /// # Errors
    /// `Orientation`.
    pub fn require_orientation(&self, path: &Path) -> Result<(), DataError> {
        let placed = match self.is_placed {
            true => orientation::require(&self.affine),
            false => Err(
                "its header has neither a sform nor a qform (both codes are 0), so nobody knows how the patient lies in it; \
                 write one, for example with nibabel: `image.set_sform(affine, code=1)`"
                    .to_owned(),
            ),
        };
        placed.map_err(|fault| DataError::Orientation {
            path: path.to_owned(),
            fault,
        })
    }
}

/// Refuses a mask whose voxels do not have the positions of the image's voxels.
///
/// # Errors
/// `ShapeMismatch`, `AffineMismatch`.
pub fn require_same_place(
    image: (&Path, &Geometry),
    mask: (&Path, &Geometry),
) -> Result<(), DataError> {
    let (image_path, mask_path) = (image.0.to_owned(), mask.0.to_owned());
    let (image, mask) = (image.1, mask.1);
    if image.shape != mask.shape {
        return Err(DataError::ShapeMismatch {
            image_path,
            mask_path,
            image: image.shape,
            mask: mask.shape,
        });
    }
    let apart = orientation::displacement(image.shape, &image.affine, &mask.affine);
    // Half a voxel: less is rounding, and moves no label into another voxel.
    let allowed = 0.5 * image.spacing.into_iter().fold(f64::INFINITY, f64::min);
    if apart > allowed {
        return Err(DataError::AffineMismatch {
            image_path,
            mask_path,
            apart,
        });
    }
    Ok(())
}

fn shape(header: &NiftiHeader) -> Result<[usize; 3], String> {
    let rank = header.dim[0] as usize;
    let dims = &header.dim[1..=rank];
    if rank < 3 {
        return Err(format!("dim {dims:?} has {rank} axes; a volume has 3"));
    }
    if let Some(d) = dims.iter().find(|d| **d == 0 || **d > i16::MAX as u16) {
        return Err(format!("dim {dims:?} holds {}", *d as i16));
    }
    if dims[3..].iter().any(|d| *d != 1) {
        return Err(format!("dim {dims:?} has more than 3 axes longer than 1"));
    }
    Ok([dims[0] as usize, dims[1] as usize, dims[2] as usize])
}

fn spacing(header: &NiftiHeader) -> Result<[f64; 3], String> {
    let p = &header.pixdim[1..4];
    if p.iter().any(|v| !v.is_finite() || *v == 0.0) {
        return Err(format!("pixdim {p:?} is no voxel size"));
    }
    Ok([0, 1, 2].map(|i| f64::from(p[i]).abs()))
}

fn scaling(header: &NiftiHeader) -> Result<(f64, f64), String> {
    let (slope, inter) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        return Ok((1.0, 0.0));
    }
    if !inter.is_finite() {
        return Err(format!("scl_slope is {slope} but scl_inter is {inter}"));
    }
    Ok((slope.into(), inter.into()))
}

fn offset(header: &NiftiHeader) -> Result<u64, String> {
    let v = header.vox_offset;
    if v == 0.0 {
        return Ok(352);
    }
    if !v.is_finite() || v < HEADER_BYTES as f32 || v.fract() != 0.0 || v > 1e12 {
        return Err(format!("vox_offset is {v}"));
    }
    Ok(v as u64)
}

fn affine(header: &NiftiHeader, shape: [usize; 3]) -> Result<[[f64; 4]; 4], String> {
    let last = [0.0, 0.0, 0.0, 1.0];
    let affine = if header.sform_code > 0 {
        let row = |r: &[f32; 4]| r.map(f64::from);
        [
            row(&header.srow_x),
            row(&header.srow_y),
            row(&header.srow_z),
            last,
        ]
    } else if header.qform_code > 0 {
        quaternion_affine(header)?
    } else {
        // Neither form is set: voxel sizes alone, first axis towards the left, the centre at the origin.
        let mut a = [[0.0; 4], [0.0; 4], [0.0; 4], last];
        for i in 0..3 {
            let size = f64::from(header.pixdim[i + 1]).abs() * if i == 0 { -1.0 } else { 1.0 };
            a[i][i] = size;
            a[i][3] = -size * (shape[i] as f64 - 1.0) / 2.0;
        }
        a
    };
    if affine.iter().flatten().any(|v| !v.is_finite()) {
        return Err("its affine holds values that are no numbers".into());
    }
    Ok(affine)
}

/// The affine that the quaternion fields spell.
///
/// - Source: nifti1.h, "METHOD 2".
fn quaternion_affine(header: &NiftiHeader) -> Result<[[f64; 4]; 4], String> {
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let square = 1.0 - (b * b + c * c + d * d);
    if square < -1e-5 {
        return Err(format!("its quaternion [{b}, {c}, {d}] is longer than 1"));
    }
    // Near a half turn the rest is nothing but rounding to f32: it would turn the image by 0.02 degrees.
    let a = if square < 3.0 * f64::from(f32::EPSILON) {
        0.0
    } else {
        square.sqrt()
    };
    let length = (a * a + b * b + c * c + d * d).sqrt();
    let [a, b, c, d] = [a, b, c, d].map(|v| v / length);
    let flip = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let size = [1, 2, 3].map(|i| f64::from(header.pixdim[i]).abs());
    let size = [size[0], size[1], size[2] * flip];
    let r = [
        [
            a * a + b * b - c * c - d * d,
            2.0 * (b * c - a * d),
            2.0 * (b * d + a * c),
        ],
        [
            2.0 * (b * c + a * d),
            a * a + c * c - b * b - d * d,
            2.0 * (c * d - a * b),
        ],
        [
            2.0 * (b * d - a * c),
            2.0 * (c * d + a * b),
            a * a + d * d - b * b - c * c,
        ],
    ];
    let shift = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
    let row = |i: usize| {
        [
            r[i][0] * size[0],
            r[i][1] * size[1],
            r[i][2] * size[2],
            shift[i],
        ]
    };
    Ok([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]])
}
