//! Volumes on disk: reading with every check before the allocation, and writing masks with the geometry of the image.
//!
//! NIfTI stores the first axis fastest, and KiTS19's first axis is the slice, so one slice is scattered over the whole
//! file. A volume is therefore read in one go and turned round, block by block, so that slices lie together in memory.

use super::error::DataError;
use super::header::{Element, Geometry, HEADER_BYTES};
use crate::durable::replace_with;
use crate::regular_file;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The most bytes that deflate makes of one compressed byte.
const MAX_RATIO: u64 = 1032;
/// Columns turned round at a time: 64 bytes of a row for 2-byte voxels.
const COLUMNS: usize = 32;

/// Voxels in memory, in the narrowest type that holds the file's values exactly; [slice, row, column].
#[derive(Clone, Debug)]
pub enum Voxels {
    /// From u8.
    U8(Vec<u8>),
    /// From i8 and i16.
    I16(Vec<i16>),
    /// From u16.
    U16(Vec<u16>),
    /// From f32.
    F32(Vec<f32>),
    /// From all wider types.
    F64(Vec<f64>),
}

/// A CT volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The file it came from.
    pub path: PathBuf,
    /// Shape, spacing, affine and header.
    pub geometry: Geometry,
    /// Stored values, before scaling.
    pub voxels: Voxels,
}

/// A label volume: 0 background, 1 kidney, 2 tumour.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The file it came from.
    pub path: PathBuf,
    /// Shape, spacing, affine and header.
    pub geometry: Geometry,
    /// Labels, [slice, row, column].
    pub voxels: Vec<u8>,
}

impl Volume {
    /// Reads a `.nii` or `.nii.gz` CT volume.
    ///
    /// # Errors
    /// What `Geometry::parse` finds, another orientation than networks are trained on, a file too short for its header,
    /// damaged compression, voxels that are NaN or infinite.
    pub fn read(path: &Path) -> Result<Volume, DataError> {
        let (geometry, reader) = open(path)?;
        geometry.require_orientation(path)?;
        let voxels = read_voxels(path, &geometry, reader)?;
        let (slope, inter) = geometry.scaling;
        // Other types hold finite numbers alone, which no scaling by an f32 takes out of the range of f64.
        let found = match &voxels {
            Voxels::F32(v) => not_finite(v, |x| f64::from(x) * slope + inter),
            Voxels::F64(v) => not_finite(v, |x| x * slope + inter),
            Voxels::U8(_) | Voxels::I16(_) | Voxels::U16(_) => None,
        };
        if let Some((first, value, count)) = found {
            return Err(DataError::NotFinite {
                path: path.to_owned(),
                at: position(geometry.shape, first),
                value,
                count,
            });
        }
        Ok(Volume {
            path: path.to_owned(),
            geometry,
            voxels,
        })
    }

    /// One slice with the scaling applied.
    ///
    /// - Shapes: `[rows * columns]`
    /// - Units: Hounsfield units
    pub fn slice(&self, z: usize) -> Vec<f64> {
        let n = self.geometry.shape[1] * self.geometry.shape[2];
        let range = z * n..(z + 1) * n;
        let (slope, inter) = self.geometry.scaling;
        let scale = |v: f64| {
            if (slope, inter) == (1.0, 0.0) {
                v
            } else {
                v * slope + inter
            }
        };
        match &self.voxels {
            Voxels::U8(v) => v[range].iter().map(|x| scale((*x).into())).collect(),
            Voxels::I16(v) => v[range].iter().map(|x| scale((*x).into())).collect(),
            Voxels::U16(v) => v[range].iter().map(|x| scale((*x).into())).collect(),
            Voxels::F32(v) => v[range].iter().map(|x| scale((*x).into())).collect(),
            Voxels::F64(v) => v[range].iter().map(|x| scale(*x)).collect(),
        }
    }

    /// Writes the volume as signed 16-bit integers with this geometry. Values are rounded and clamped.
    pub fn write_i16(path: &Path, geometry: &Geometry, voxels: &[i16]) -> Result<(), DataError> {
        write(path, geometry, Element::I16, voxels, |v, big, out| {
            out.extend_from_slice(&if big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            });
        })
    }
}

impl Labels {
    /// Reads a `.nii` or `.nii.gz` label volume of any element type.
    ///
    /// # Errors
    /// As `Volume::read` but for the orientation, which is that of the image; a label other than 0, 1 and 2.
    pub fn read(path: &Path) -> Result<Labels, DataError> {
        let (geometry, reader) = open(path)?;
        let scaling = geometry.scaling;
        let voxels = match read_voxels(path, &geometry, reader)? {
            Voxels::U8(v) if scaling == (1.0, 0.0) => match v.iter().position(|x| *x > 2) {
                None => Ok(v),
                Some(i) => Err((i, v[i].into())),
            },
            Voxels::U8(v) => to_labels(path, &v, scaling)?,
            Voxels::I16(v) => to_labels(path, &v, scaling)?,
            Voxels::U16(v) => to_labels(path, &v, scaling)?,
            Voxels::F32(v) => to_labels(path, &v, scaling)?,
            Voxels::F64(v) => to_labels(path, &v, scaling)?,
        };
        match voxels {
            Ok(voxels) => Ok(Labels {
                path: path.to_owned(),
                geometry,
                voxels,
            }),
            Err((i, label)) => Err(DataError::Label {
                path: path.to_owned(),
                at: position(geometry.shape, i),
                label,
            }),
        }
    }

    /// One slice of labels.
    ///
    /// - Shapes: `[rows * columns]`
    pub fn slice(&self, z: usize) -> &[u8] {
        let n = self.geometry.shape[1] * self.geometry.shape[2];
        &self.voxels[z * n..(z + 1) * n]
    }

    /// Writes labels as unsigned 8-bit integers whose shape, affine, codes and spacing are those of `geometry`.
    ///
    /// The file appears whole or not at all: it is written under a temporary name, synced and renamed.
    pub fn write(path: &Path, geometry: &Geometry, labels: &[u8]) -> Result<(), DataError> {
        write(path, geometry, Element::U8, labels, |v, _, out| out.push(v))
    }
}

/// Reads only the header of a file.
///
/// # Errors
/// As `Volume::read`, as far as header and file length tell.
pub fn read_geometry(path: &Path) -> Result<Geometry, DataError> {
    open(path).map(|(geometry, _)| geometry)
}

fn position(shape: [usize; 3], i: usize) -> [usize; 3] {
    let n = shape[1] * shape[2];
    [i / n, i % n / shape[2], i % shape[2]]
}

/// The first value that is not finite once it is scaled, and how many such there are.
fn not_finite<T: Copy>(v: &[T], scaled: impl Fn(T) -> f64) -> Option<(usize, f64, usize)> {
    let bad = |x: &T| !scaled(*x).is_finite();
    let first = v.iter().position(bad)?;
    let count = v[first..].iter().filter(|x| bad(x)).count();
    Some((first, scaled(v[first]), count))
}

/// Labels, or the first voxel that is none and its value.
type FoundLabels = Result<Vec<u8>, (usize, f64)>;

/// # Errors
/// `Memory`.
fn to_labels<T: Copy + Into<f64>>(
    path: &Path,
    v: &[T],
    (slope, inter): (f64, f64),
) -> Result<FoundLabels, DataError> {
    let mut labels = room_for(path, v.len())?;
    for (i, x) in v.iter().enumerate() {
        let x = (*x).into() * slope + inter;
        let rounded = x.round();
        if !(0.0..=2.0).contains(&rounded) || (x - rounded).abs() >= 1e-3 {
            return Ok(Err((i, x)));
        }
        labels.push(rounded as u8);
    }
    Ok(Ok(labels))
}

/// An empty vector with room for so many values; an allocation that fails elsewhere ends the process.
///
/// # Errors
/// `Memory`.
pub(super) fn room_for<T>(path: &Path, count: usize) -> Result<Vec<T>, DataError> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(count)
        .map_err(|_| DataError::Memory {
            path: path.to_owned(),
            bytes: (count as u64).saturating_mul(size_of::<T>() as u64),
        })?;
    Ok(values)
}

/// Opens a file, checks its header against its length and leaves the reader at the first voxel.
fn open(path: &Path) -> Result<(Geometry, Box<dyn Read>), DataError> {
    let file = regular_file::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => DataError::NoFile {
            path: path.to_owned(),
        },
        _ => DataError::io(path)(e),
    })?;
    let length = file.metadata().map_err(DataError::io(path))?.len();
    if length == 0 {
        return Err(DataError::EmptyFile {
            path: path.to_owned(),
        });
    }
    let mut file = BufReader::with_capacity(1 << 18, file);
    let magic = std::io::BufRead::fill_buf(&mut file).map_err(DataError::io(path))?;
    let compressed = magic.starts_with(&[0x1f, 0x8b]);
    let most = if compressed {
        length.saturating_mul(MAX_RATIO)
    } else {
        length
    };
    let mut reader: Box<dyn Read> = if compressed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut head = [0u8; HEADER_BYTES];
    fill(path, &mut reader, &mut head, 0, HEADER_BYTES as u64)?;
    let geometry = Geometry::parse(path, &head)?;
    if geometry.file_bytes() > most {
        return Err(DataError::Truncated {
            path: path.to_owned(),
            fault: format!("its {length} bytes on disk cannot hold that: it ends"),
            read: most,
            expected: geometry.file_bytes(),
        });
    }
    let gap = geometry.offset - HEADER_BYTES as u64;
    let skipped =
        std::io::copy(&mut reader.by_ref().take(gap), &mut std::io::sink()).map_err(|e| {
            DataError::Truncated {
                path: path.to_owned(),
                fault: e.to_string(),
                read: HEADER_BYTES as u64,
                expected: geometry.file_bytes(),
            }
        })?;
    if skipped < gap {
        return Err(DataError::Truncated {
            path: path.to_owned(),
            fault: "it ends".into(),
            read: HEADER_BYTES as u64 + skipped,
            expected: geometry.file_bytes(),
        });
    }
    Ok((geometry, reader))
}

/// Reads exactly `out.len()` bytes; `before` were read already, `expected` is the whole file.
fn fill(
    path: &Path,
    reader: &mut dyn Read,
    out: &mut [u8],
    before: u64,
    expected: u64,
) -> Result<(), DataError> {
    let mut done = 0;
    while done < out.len() {
        let fault = match reader.read(&mut out[done..]) {
            Ok(0) => "it ends".to_owned(),
            Ok(n) => {
                done += n;
                continue;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => e.to_string(),
        };
        return Err(DataError::Truncated {
            path: path.to_owned(),
            fault,
            read: before + done as u64,
            expected,
        });
    }
    Ok(())
}

fn read_voxels(path: &Path, g: &Geometry, mut reader: Box<dyn Read>) -> Result<Voxels, DataError> {
    let r = &mut *reader;
    let voxels = match g.element {
        Element::U8 => Voxels::U8(turn(path, g, r, |[b]: [u8; 1]| b)?),
        Element::I8 => Voxels::I16(turn(path, g, r, |b| i8::from_le_bytes(b).into())?),
        Element::I16 => Voxels::I16(turn(path, g, r, i16::from_le_bytes)?),
        Element::U16 => Voxels::U16(turn(path, g, r, u16::from_le_bytes)?),
        Element::I32 => Voxels::F64(turn(path, g, r, |b| i32::from_le_bytes(b).into())?),
        Element::U32 => Voxels::F64(turn(path, g, r, |b| u32::from_le_bytes(b).into())?),
        Element::I64 => Voxels::F64(turn(path, g, r, |b| i64::from_le_bytes(b) as f64)?),
        Element::U64 => Voxels::F64(turn(path, g, r, |b| u64::from_le_bytes(b) as f64)?),
        Element::F32 => Voxels::F32(turn(path, g, r, f32::from_le_bytes)?),
        Element::F64 => Voxels::F64(turn(path, g, r, f64::from_le_bytes)?),
    };
    // A damaged checksum shows only at the end of the stream, and what follows the voxels may be padding.
    std::io::copy(&mut reader, &mut std::io::sink()).map_err(|e| DataError::Truncated {
        path: path.to_owned(),
        fault: e.to_string(),
        read: g.file_bytes(),
        expected: g.file_bytes(),
    })?;
    Ok(voxels)
}

/// Reads voxels stored with the first axis fastest and returns them with the last axis fastest.
fn turn<const N: usize, T: Copy + Default>(
    path: &Path,
    geometry: &Geometry,
    reader: &mut dyn Read,
    decode: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, DataError> {
    let [slices, rows, columns] = geometry.shape;
    let total = geometry.voxels();
    let mut out: Vec<T> = room_for(path, total)?;
    out.resize(total, T::default());
    let plane = slices * rows;
    let wide = COLUMNS.min(columns);
    let mut block: Vec<u8> = room_for(path, plane * wide * N)?;
    block.resize(plane * wide * N, 0);
    let mut read = geometry.offset;
    for first in (0..columns).step_by(wide) {
        let here = wide.min(columns - first);
        let bytes = &mut block[..plane * here * N];
        fill(path, reader, bytes, read, geometry.file_bytes())?;
        read += bytes.len() as u64;
        if geometry.big_endian && N > 1 {
            bytes.chunks_exact_mut(N).for_each(<[u8]>::reverse);
        }
        for row in 0..rows {
            for slice in 0..slices {
                let to = &mut out[(slice * rows + row) * columns + first..][..here];
                let from = (row * slices + slice) * N;
                for (c, v) in to.iter_mut().enumerate() {
                    let at = from + c * plane * N;
                    let mut b = [0; N];
                    b.copy_from_slice(&bytes[at..at + N]);
                    *v = decode(b);
                }
            }
        }
    }
    Ok(out)
}

fn write<T: Copy>(
    path: &Path,
    geometry: &Geometry,
    element: Element,
    voxels: &[T],
    encode: impl Fn(T, bool, &mut Vec<u8>),
) -> Result<(), DataError> {
    if voxels.len() != geometry.voxels() {
        return Err(DataError::Header {
            path: path.to_owned(),
            fault: format!(
                "{} voxels were given for shape {:?}",
                voxels.len(),
                geometry.shape
            ),
        });
    }
    let [slices, rows, columns] = geometry.shape;
    let body = |out: &mut dyn Write| -> std::io::Result<()> {
        out.write_all(&geometry.header_for(element))?;
        let mut plane = Vec::new();
        for column in 0..columns {
            plane.clear();
            for row in 0..rows {
                for slice in 0..slices {
                    let at = (slice * rows + row) * columns + column;
                    encode(voxels[at], geometry.big_endian, &mut plane);
                }
            }
            out.write_all(&plane)?;
        }
        Ok(())
    };
    write_whole(path, |file| {
        if path.extension().is_some_and(|e| e == "gz") {
            let mut packed = GzEncoder::new(file, Compression::new(4));
            body(&mut packed)?;
            packed.finish().map(|_| ())
        } else {
            body(file)
        }
    })
}

/// Writes a file that is there in full or not at all, and its folder if need be.
pub(super) fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), DataError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    }
    replace_with(path, content).map_err(DataError::io(path))
}
