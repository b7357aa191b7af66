//! NumPy archives: a zip file with one `.npy` array per entry.
//!
//! Source: NEP 1, "A Simple File Format for NumPy Arrays", versions 1.0 to 3.0.

use std::io::{Read, Seek};

use zip::ZipArchive;

use super::element::Element;
use super::file::{
    Contents, FileError, MAX_AXES, Place, Skipped, Stored, ZipEntry, row_major, zip_error,
};

/// Longest header of an array, as NumPy has it. Units: bytes.
const MAX_HEADER: u64 = 10_000;

/// What a `.npy` header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    descr: Option<String>,
    fortran: Option<bool>,
    shape: Option<Vec<usize>>,
}

/// Reads the headers of all arrays.
///
/// # Errors
/// An array whose header is damaged, or does not fit its entry.
pub(super) fn contents<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    entries: &[ZipEntry],
) -> Result<Contents, FileError> {
    let mut contents = Contents::default();
    for entry in entries {
        let Some(name) = entry.name.strip_suffix(".npy") else {
            contents.skipped.push(Skipped {
                name: entry.name.clone(),
                what: "no array".to_owned(),
            });
            continue;
        };
        let name = name.to_owned();
        let fault = |text: String| FileError::Fault(format!("the array `{name}` {text}"));
        let mut reader = archive.by_index(entry.index).map_err(zip_error)?;
        let (start, header) = header(&mut reader, &name)?;
        let header = parse(&header).ok_or_else(|| fault("has a damaged header".to_owned()))?;
        let (Some(descr), Some(fortran), Some(shape)) =
            (header.descr, header.fortran, header.shape)
        else {
            let text = "does not say its type, its order and its shape";
            return Err(fault(text.to_owned()));
        };
        let Some(element) = Element::of_numpy(&descr) else {
            if descr.starts_with('>') {
                let text = format!("is big-endian (`{descr}`); save it with `astype('<f4')`");
                return Err(fault(text));
            }
            let what = match descr.contains('O') {
                true => "Python objects, which are not read".to_owned(),
                false => format!("an array of `{descr}`, which is not read"),
            };
            contents.skipped.push(Skipped { name, what });
            continue;
        };
        let order = |shape: &[usize]| {
            if !fortran {
                return row_major(shape);
            }
            let turned: Vec<usize> = shape.iter().rev().copied().collect();
            let mut strides = row_major(&turned)?;
            strides.reverse();
            Some(strides)
        };
        let sizes = shape.iter().map(|&size| size as u64);
        let bytes = sizes.into_iter().try_fold(element.size(), u64::checked_mul);
        let (Some(bytes), Some(strides)) = (bytes, order(&shape)) else {
            return Err(fault(format!(
                "of shape {shape:?} is larger than any memory"
            )));
        };
        if entry.size.checked_sub(start) != Some(bytes) {
            return Err(fault(format!(
                "of shape {shape:?} and type `{descr}` needs {bytes} bytes, but its entry has {} behind a header of {start}",
                entry.size.saturating_sub(start)
            )));
        }
        contents.tensors.push(Stored {
            name,
            shape,
            element,
            place: Place::Entry {
                index: entry.index,
                start,
            },
            stored: bytes / element.size(),
            offset: 0,
            strides,
        });
    }
    Ok(contents)
}

/// The length of everything before the values, and the header's text.
fn header(reader: &mut dyn Read, name: &str) -> Result<(u64, String), FileError> {
    let at_end = |error| FileError::at_end(error, &format!("the header of the array `{name}`"));
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(at_end)?;
    let (magic, version) = start.split_at(6);
    if magic != b"\x93NUMPY" {
        let text = format!("the entry `{name}.npy` is no NumPy array");
        return Err(FileError::Fault(text));
    }
    let mut length = [0; 4];
    let width = match version[0] {
        1 => 2,
        2 | 3 => 4,
        other => {
            let text = format!("the array `{name}` is of version {other}, which is not read");
            return Err(FileError::Fault(text));
        }
    };
    reader.read_exact(&mut length[..width]).map_err(at_end)?;
    let length = u64::from(u32::from_le_bytes(length));
    if length > MAX_HEADER {
        let text = format!("the header of the array `{name}` has {length} bytes");
        return Err(FileError::Fault(text));
    }
    let mut text = vec![0; length as usize];
    reader.read_exact(&mut text).map_err(at_end)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((8 + width as u64 + length, text))
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
fn parse(text: &str) -> Option<Header> {
    let mut rest = text
        .trim()
        .strip_prefix('{')?
        .strip_suffix('}')?
        .trim_start();
    let mut header = Header::default();
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        rest = match key {
            "descr" => match quoted(value) {
                Some((descr, after)) => {
                    header.descr = Some(descr.to_owned());
                    after
                }
                // A record: a list of fields.
                None => {
                    let (list, after) = bracketed(value)?;
                    header.descr = Some(list.to_owned());
                    after
                }
            },
            "fortran_order" => {
                let (value, after) = match value.strip_prefix("True") {
                    Some(after) => (true, after),
                    None => (false, value.strip_prefix("False")?),
                };
                header.fortran = Some(value);
                after
            }
            "shape" => {
                let (inside, after) = value.strip_prefix('(')?.split_once(')')?;
                let sizes = inside.split(',').map(str::trim);
                let sizes: Vec<&str> = sizes.filter(|size| !size.is_empty()).collect();
                if sizes.len() > MAX_AXES {
                    return None;
                }
                // Python 2 wrote long integers with an L.
                let sizes = sizes
                    .iter()
                    .map(|size| size.trim_end_matches('L').parse().ok());
                header.shape = Some(sizes.collect::<Option<_>>()?);
                after
            }
            _ => return None,
        };
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(header)
}

/// A text between quotes, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// A list with its brackets, and what follows.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            _ if at == 0 => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(text.split_at(at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let header =
            parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!(header.descr.as_deref(), Some("<f4"));
        assert_eq!(header.fortran, Some(false));
        assert_eq!(header.shape, Some(vec![3, 4]));
        let scalar = parse("{\"shape\": (), 'descr': '<f8', 'fortran_order': True}").unwrap();
        assert_eq!((scalar.shape, scalar.fortran), (Some(vec![]), Some(true)));
        assert_eq!(parse("{'shape': (12L,)}").unwrap().shape, Some(vec![12]));
        let record = parse("{'descr': [('a', '|O'), ('b', ['<f4'])], 'shape': ()}").unwrap();
        assert!(record.descr.unwrap().contains("|O"));
    }

    #[test]
    fn broken_headers_are_none() {
        for text in [
            "",
            "{",
            "{'shape': (3, 4}",
            "{'shape': (-3,)}",
            "{'shape': (99999999999999999999999,)}",
            "{'descr': '<f4'  'shape': ()}",
            "{'descr': __import__('os')}",
            "{'other': 1}",
            "{'descr': [[}",
            "{'descr': ]}",
            "{é: 1}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
