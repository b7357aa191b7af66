//! Files of named tensors in any supported container: lists the contents, then reads one tensor at a time.
//!
//! Nothing in a file is executed or believed: every size it declares is held against the bytes that are there before memory
//! is taken for it, and no name in it is ever used as a path.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use thiserror::Error;
use zip::ZipArchive;

use super::element::Element;
use super::{npz, safetensor, torch};
use crate::regular_file;
use crate::tensor::Tensor;

/// How many tensors a file may hold.
pub(super) const MAX_TENSORS: usize = 100_000;

/// How many entries a zip file may hold.
const MAX_ENTRIES: usize = 100_000;

/// How many axes a tensor may have.
pub(super) const MAX_AXES: usize = 32;

/// How long the name of a tensor may be. Units: bytes.
pub(super) const MAX_NAME: usize = 1024;

/// How many values a tensor may have that repeats the values it is stored as.
const MAX_REPEATED: u64 = 1 << 24;

/// Bytes that are decoded at once.
const CHUNK: usize = 1 << 18;

/// Most bytes that one compressed byte of a deflate stream can expand to.
const MAX_RATIO: u64 = 1032;

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is damaged or of the wrong kind; the text names a remedy if there is one.
    #[error("{0}")]
    Fault(String),
}

impl FileError {
    pub(super) fn fault(text: impl Into<String>) -> FileError {
        FileError::Fault(text.into())
    }

    /// An end of the data before its time is a fault of the file.
    pub(super) fn at_end(error: io::Error, what: &str) -> FileError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                FileError::Fault(format!("the file ends within {what}"))
            }
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                FileError::Fault(format!("{what} is damaged: {error}"))
            }
            _ => FileError::Io(error),
        }
    }
}

/// The kinds of files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// A header in JSON, then the values.
    Safetensors,
    /// `torch.save` since 1.6: a zip file with a pickle in it.
    TorchZip,
    /// `torch.save` before 1.6: pickles, then the values.
    TorchStream,
    /// `numpy.savez` and `savez_compressed`.
    Npz,
}

impl Container {
    /// The name people know it by.
    pub fn words(self) -> &'static str {
        match self {
            Container::Safetensors => "safetensors",
            Container::TorchZip => "PyTorch",
            Container::TorchStream => "PyTorch before 1.6",
            Container::Npz => "NumPy npz",
        }
    }
}

/// Place of the bytes of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file itself.
    File {
        /// Units: bytes from its start.
        start: u64,
    },
    /// In an entry of a zip file.
    Entry {
        /// Its number.
        index: usize,
        /// Bytes of it before the first value.
        start: u64,
    },
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name there.
    pub name: String,
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// What it holds.
    pub element: Element,
    /// Place of its storage.
    pub(super) place: Place,
    /// Elements in its storage.
    pub(super) stored: u64,
    /// Elements of the storage before its first one.
    pub(super) offset: u64,
    /// Elements between neighbours of each axis.
    pub(super) strides: Vec<u64>,
}

/// Entries of a file that are not tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name there.
    pub name: String,
    /// What it is.
    pub what: String,
}

/// What a container holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub tensors: Vec<Stored>,
    pub skipped: Vec<Skipped>,
    /// Free text beside the tensors.
    pub metadata: Option<String>,
}

/// The strides of a tensor whose last axis is the fastest; none where they overflow.
pub(super) fn row_major(shape: &[usize]) -> Option<Vec<u64>> {
    let mut strides = vec![0; shape.len()];
    let mut step = 1u64;
    for (stride, &size) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step = step.checked_mul(size as u64)?;
    }
    Some(strides)
}

impl Stored {
    /// The number of values. [`Stored::check`] has seen that it is one.
    fn count(&self) -> u64 {
        self.shape.iter().map(|&size| size as u64).product()
    }

    /// From the first to behind the last element that the tensor names, counted in its storage.
    fn span(&self) -> Option<u64> {
        let mut last = 0u64;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((size as u64).checked_sub(1)?.checked_mul(stride)?)?;
        }
        last.checked_add(1)
    }

    /// Checks the declared size of the tensor against its storage.
    pub(super) fn check(&self) -> Result<(), FileError> {
        let name = &self.name;
        if name.len() > MAX_NAME {
            return Err(FileError::fault("a name of a tensor is too long"));
        }
        let axes = self.shape.len();
        if axes > MAX_AXES || self.strides.len() != axes {
            return Err(FileError::fault(format!("`{name}` has {axes} axes")));
        }
        let sizes = self.shape.iter().map(|&size| size as u64);
        let count = sizes.into_iter().try_fold(1u64, u64::checked_mul);
        let Some(count) = count else {
            let text = format!(
                "`{name}` of shape {:?} is larger than any memory",
                self.shape
            );
            return Err(FileError::fault(text));
        };
        if count == 0 {
            return Ok(());
        }
        let end = self.span().and_then(|span| span.checked_add(self.offset));
        if end.is_none_or(|end| end > self.stored) {
            return Err(FileError::fault(format!(
                "`{name}` of shape {:?} does not lie within its storage of {} values",
                self.shape, self.stored
            )));
        }
        if count > self.stored.max(MAX_REPEATED) {
            return Err(FileError::fault(format!(
                "`{name}` makes {count} values of {} stored ones",
                self.stored
            )));
        }
        Ok(())
    }
}

/// Where bytes come from.
#[derive(Debug)]
enum Origin<R> {
    Plain(R),
    Zip(ZipArchive<R>),
}

/// A file of named tensors, open for reading.
#[derive(Debug)]
pub struct TensorFile<R> {
    origin: Origin<R>,
    /// What kind of file it is.
    pub container: Container,
    /// Its tensors in the order of the file.
    pub tensors: Vec<Stored>,
    /// Its entries that are not tensors.
    pub skipped: Vec<Skipped>,
    /// Free text beside the tensors.
    pub metadata: Option<String>,
}

impl TensorFile<BufReader<File>> {
    /// Opens a file and reads the list of its tensors, but no values.
    ///
    /// # Errors
    /// A file that cannot be read, is none of the containers, or is damaged.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = regular_file::open(path)?;
        TensorFile::new(BufReader::with_capacity(1 << 16, file))
    }
}

impl<R: Read + Seek> TensorFile<R> {
    /// Reads the list of tensors of a file, but no values.
    ///
    /// # Errors
    /// As [`TensorFile::open`].
    pub fn new(mut reader: R) -> Result<Self, FileError> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        reader.by_ref().take(512).read_to_end(&mut head)?;
        reader.seek(SeekFrom::Start(0))?;
        let (container, origin, contents) = match kind(&head, length)? {
            Container::Safetensors => {
                let contents = safetensor::contents(&mut reader, length)?;
                (Container::Safetensors, Origin::Plain(reader), contents)
            }
            Container::TorchStream => {
                let contents = torch::stream_contents(&mut reader, length)?;
                (Container::TorchStream, Origin::Plain(reader), contents)
            }
            Container::TorchZip | Container::Npz => {
                let mut archive = open_zip(reader)?;
                let (container, contents) = zip_contents(&mut archive)?;
                (container, Origin::Zip(archive), contents)
            }
        };
        let Contents {
            tensors,
            skipped,
            metadata,
        } = contents;
        if tensors.len() > MAX_TENSORS {
            let text = format!("the file holds more than {MAX_TENSORS} tensors");
            return Err(FileError::fault(text));
        }
        tensors.iter().try_for_each(Stored::check)?;
        Ok(TensorFile {
            origin,
            container,
            tensors,
            skipped,
            metadata,
        })
    }

    /// The values of tensor number `index`, row-major.
    ///
    /// # Errors
    /// The file system's; a damaged file.
    pub fn read(&mut self, index: usize) -> Result<Tensor, FileError> {
        let Some(tensor) = self.tensors.get(index).cloned() else {
            return Err(FileError::fault(format!("the file has no tensor {index}")));
        };
        let made = |values| {
            let tensor = Tensor::new(tensor.shape.clone(), values);
            tensor.map_err(|error| FileError::fault(error.to_string()))
        };
        if tensor.count() == 0 {
            return made(Vec::new());
        }
        let span = tensor.span().unwrap_or(0);
        let values = self.values(&tensor, span)?;
        if Some(&tensor.strides) == row_major(&tensor.shape).as_ref() {
            return made(values);
        }
        made(gather(&values, &tensor.shape, &tensor.strides))
    }

    /// `count` elements of the storage of a tensor from its offset.
    fn values(&mut self, tensor: &Stored, count: u64) -> Result<Vec<f32>, FileError> {
        let size = tensor.element.size();
        let (skip, length) = (tensor.offset * size, count * size);
        let at_end = |error| FileError::at_end(error, &format!("`{}`", tensor.name));
        match (&mut self.origin, tensor.place) {
            (Origin::Plain(reader), Place::File { start }) => {
                reader.seek(SeekFrom::Start(start + skip))?;
                decode(reader, tensor.element, length).map_err(at_end)
            }
            (Origin::Zip(archive), Place::Entry { index, start }) => {
                let whole = skip == 0 && count == tensor.stored;
                let stored = archive
                    .by_index_data(index)
                    .map_err(zip_error)?
                    .compression()
                    == zip::CompressionMethod::Stored;
                if stored && !whole {
                    let mut entry = archive.by_index_seek(index).map_err(zip_error)?;
                    entry.seek(SeekFrom::Start(start + skip))?;
                    return decode(&mut entry, tensor.element, length).map_err(at_end);
                }
                let mut entry = archive.by_index(index).map_err(zip_error)?;
                let before = start + skip;
                let skipped = io::copy(&mut entry.by_ref().take(before), &mut io::sink());
                if skipped.map_err(at_end)? < before {
                    return Err(at_end(io::ErrorKind::UnexpectedEof.into()));
                }
                let values = decode(&mut entry, tensor.element, length).map_err(at_end)?;
                // The checksum is compared at the end of the entry.
                if whole && io::copy(&mut entry, &mut io::sink()).map_err(at_end)? != 0 {
                    let text = format!("`{}` is followed by bytes of no tensor", tensor.name);
                    return Err(FileError::fault(text));
                }
                Ok(values)
            }
            _ => Err(FileError::fault("a tensor lies in no part of the file")),
        }
    }
}

/// What a file begins as.
fn kind(head: &[u8], length: u64) -> Result<Container, FileError> {
    let wrong = |text: &str| Err(FileError::fault(text));
    let first = |bytes: &[u8]| head.starts_with(bytes);
    if first(b"PK\x03\x04") {
        return Ok(Container::TorchZip);
    }
    if first(torch::STREAM_MAGIC) {
        return Ok(Container::TorchStream);
    }
    if head.get(257..262) == Some(b"ustar") {
        return wrong(
            "this is a tar file, which PyTorch wrote until 2017; load it in PyTorch and save its state dict again",
        );
    }
    let length_of_header = head.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
    if length_of_header.is_some_and(|n| n <= length) && head.get(8) == Some(&b'{') {
        return Ok(Container::Safetensors);
    }
    match () {
        () if head.is_empty() => wrong("the file is empty"),
        () if first(b"PK") => wrong("this zip file is empty, or only a part of one"),
        () if first(b"\x1f\x8b") => wrong("this is a gzip file; unpack it first"),
        () if first(b"\x93NUMPY") => {
            wrong("this is a single NumPy array without a name; save it with `numpy.savez`")
        }
        () if first(b"\x89HDF") => {
            wrong("this is an HDF5 file; save the weights as safetensors or npz")
        }
        () if first(b"\x80") => wrong(
            "this is a Python pickle that `torch.save` did not write; save a state dict with `torch.save`",
        ),
        () => wrong("this is neither a safetensors, a PyTorch nor a NumPy npz file"),
    }
}

pub(super) fn zip_error(error: zip::result::ZipError) -> FileError {
    match error {
        zip::result::ZipError::Io(error) => FileError::at_end(error, "the zip file"),
        error => FileError::Fault(format!("the zip file is damaged: {error}")),
    }
}

fn open_zip<R: Read + Seek>(reader: R) -> Result<ZipArchive<R>, FileError> {
    let archive = ZipArchive::new(reader).map_err(zip_error)?;
    if archive.len() > MAX_ENTRIES {
        let text = format!("the zip file has more than {MAX_ENTRIES} entries");
        return Err(FileError::fault(text));
    }
    if archive.has_duplicate_names() {
        return Err(FileError::fault("the zip file has two entries of one name"));
    }
    Ok(archive)
}

/// An entry of a zip file.
#[derive(Clone, Debug)]
pub(super) struct ZipEntry {
    /// Its number.
    pub index: usize,
    /// Its path in the archive.
    pub name: String,
    /// Its bytes, unpacked.
    pub size: u64,
}

fn zip_contents<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
) -> Result<(Container, Contents), FileError> {
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(zip_error)?;
        let name = entry.name().map_err(zip_error)?.into_owned();
        let fault = |text: &str| Err(FileError::Fault(format!("the entry `{name}` {text}")));
        if entry.enclosed_name().is_none() || leaves(&name) {
            return fault("of the zip file has a path outside of it");
        }
        if entry.encrypted() {
            return fault("is encrypted");
        }
        let (packed, size) = (entry.compressed_size(), entry.size());
        let fits = match entry.compression() {
            zip::CompressionMethod::Stored => size == packed,
            zip::CompressionMethod::Deflated => size <= packed.saturating_mul(MAX_RATIO),
            other => return fault(&format!("is packed by {other}, which is not read")),
        };
        if !fits {
            return fault(&format!(
                "cannot hold {size} bytes: it is {packed} bytes long"
            ));
        }
        if !entry.is_dir() {
            entries.push(ZipEntry { index, name, size });
        }
    }
    if let Some(pickle) = entries.iter().find(|entry| is_torch_pickle(&entry.name)) {
        let pickle = pickle.clone();
        let contents = torch::zip_contents(archive, &entries, &pickle)?;
        return Ok((Container::TorchZip, contents));
    }
    if entries.iter().any(|entry| entry.name.ends_with(".npy")) {
        return Ok((Container::Npz, npz::contents(archive, &entries)?));
    }
    let text = "this zip file holds neither a PyTorch state dict nor NumPy arrays";
    Err(FileError::fault(text))
}

/// Whether a path may lead out of its folder, on any system.
fn leaves(path: &str) -> bool {
    path.starts_with('/') || path.contains(['\\', ':']) || path.split('/').any(|part| part == "..")
}

/// `data.pkl` in a folder at the top.
fn is_torch_pickle(name: &str) -> bool {
    let folder = name.strip_suffix("/data.pkl");
    folder.is_some_and(|folder| !folder.is_empty() && !folder.contains('/'))
}

/// Reads so many bytes as elements.
fn decode(reader: &mut dyn Read, element: Element, length: u64) -> io::Result<Vec<f32>> {
    // A damaged file ends long before it has filled what it declares; memory follows what was read.
    let expected = (length / element.size()).min(1 << 22) as usize;
    let mut values = Vec::with_capacity(expected);
    let mut buffer = vec![0; CHUNK];
    let mut left = length;
    while left > 0 {
        let now = left.min(CHUNK as u64) as usize;
        reader.read_exact(&mut buffer[..now])?;
        element.decode(&buffer[..now], &mut values);
        left -= now as u64;
    }
    Ok(values)
}

/// The values of a tensor with these strides, row-major. `values` reach to its last element.
fn gather(values: &[f32], shape: &[usize], strides: &[u64]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let mut out = Vec::with_capacity(count);
    let mut position = vec![0; shape.len()];
    let mut at = 0u64;
    for _ in 0..count {
        out.push(values.get(at as usize).copied().unwrap_or_default());
        for axis in (0..shape.len()).rev() {
            position[axis] += 1;
            at += strides[axis];
            if position[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis] as u64;
            position[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_honoured() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        // A 3x4 matrix transposed, then its second row, then one value repeated.
        let transposed = gather(&values, &[4, 3], &[1, 4]);
        assert_eq!(transposed[..4], [0.0, 4.0, 8.0, 1.0]);
        assert_eq!(gather(&values[1..], &[3], &[4]), [1.0, 5.0, 9.0]);
        assert_eq!(gather(&values[5..], &[2, 2], &[0, 0]), [5.0; 4]);
    }

    #[test]
    fn what_lies_outside_its_storage_is_refused() {
        let mut tensor = Stored {
            name: "a".into(),
            shape: vec![2, 3],
            element: Element::F32,
            place: Place::File { start: 0 },
            stored: 6,
            offset: 0,
            strides: vec![3, 1],
        };
        assert!(tensor.check().is_ok());
        tensor.offset = 1;
        assert!(tensor.check().is_err());
        tensor.offset = u64::MAX;
        assert!(tensor.check().is_err());
        (tensor.offset, tensor.strides) = (0, vec![u64::MAX, 1]);
        assert!(tensor.check().is_err());
        (tensor.shape, tensor.strides) = (vec![usize::MAX, 2], vec![0, 0]);
        assert!(tensor.check().is_err());
        (tensor.shape, tensor.strides) = (vec![1 << 30], vec![0]);
        assert!(tensor.check().is_err());
        (tensor.shape, tensor.strides) = (vec![0, 1 << 30], vec![0, 0]);
        assert!(tensor.check().is_ok());
    }
}
