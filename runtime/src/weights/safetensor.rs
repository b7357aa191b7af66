//! The header of a safetensors file.

use std::io::{Read, Seek};

use safetensors::tensor::Metadata;

use super::METADATA_KEY;
use super::element::Element;
use super::file::{Contents, FileError, Place, Skipped, Stored, row_major};

/// Longest header, as the library that writes them has it. Units: bytes.
const MAX_HEADER: u64 = 100_000_000;

/// Reads the header from the start of a file of `length` bytes.
///
/// # Errors
/// A header that does not fit the file.
pub(super) fn contents<R: Read + Seek>(reader: &mut R, length: u64) -> Result<Contents, FileError> {
    let damaged = |text: String| FileError::Fault(format!("a damaged safetensors file: {text}"));
    let mut size = [0; 8];
    reader
        .read_exact(&mut size)
        .map_err(|error| FileError::at_end(error, "the header"))?;
    let size = u64::from_le_bytes(size);
    let rest = length.saturating_sub(8);
    if size > rest || size > MAX_HEADER {
        return Err(damaged(format!(
            "its header has {size} bytes, the file {length}"
        )));
    }
    let mut header = Vec::new();
    reader.by_ref().take(size).read_to_end(&mut header)?;
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    let values = rest - size;
    if header.data_len() as u64 != values {
        return Err(damaged(format!(
            "its tensors have {} bytes, but {values} follow the header",
            header.data_len()
        )));
    }
    let mut contents = Contents {
        metadata: header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(METADATA_KEY).cloned()),
        ..Contents::default()
    };
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else {
            continue;
        };
        let Some(element) = Element::of_safetensors(info.dtype) else {
            let what = format!("a tensor of {:?}, which is not read", info.dtype);
            contents.skipped.push(Skipped { name, what });
            continue;
        };
        let shape = info.shape.clone();
        let strides = row_major(&shape).ok_or_else(|| damaged(format!("`{name}` is too large")))?;
        let (from, to) = info.data_offsets;
        contents.tensors.push(Stored {
            name,
            shape,
            element,
            place: Place::File {
                start: 8 + size + from as u64,
            },
            stored: (to - from) as u64 / element.size(),
            offset: 0,
            strides,
        });
    }
    Ok(contents)
}
