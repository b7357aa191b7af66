//! State dicts that `torch.save` wrote: the zip form of PyTorch 1.6 and later, and the stream before it.
//!
//! Source: `torch/serialization.py` of PyTorch 2 for both forms.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;

use super::element::Element;
use super::file::{
    Contents, FileError, MAX_NAME, MAX_TENSORS, Place, Skipped, Stored, ZipEntry, zip_error,
};
use super::pickle::{self, Id, Pickle, TensorRef, Value};

/// How a stream begins: protocol 2 and the number 0x1950a86a20f9469cfc6c as a pickle.
pub(super) const STREAM_MAGIC: &[u8] = &[
    0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
];

/// The version of the stream form.
const STREAM_PROTOCOL: i64 = 1001;

/// Where training scripts keep the state dict among other things.
const WRAPPERS: [&str; 4] = ["state_dict", "model", "model_state_dict", "net"];

/// Greatest depth of nested wrappers.
const MAX_WRAPPED: usize = 4;

/// How many entries that are not tensors are listed.
const MAX_SKIPPED: usize = 10_000;

/// A tensor and its name, before its storage is found.
type Named = (String, Rc<TensorRef>);

/// Reads the pickle of a zip file, and finds the storages.
///
/// # Errors
/// A pickle outside the subset; storages that are missing or have another size; TorchScript.
pub(super) fn zip_contents<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    entries: &[ZipEntry],
    pickle: &ZipEntry,
) -> Result<Contents, FileError> {
    let folder = pickle.name.strip_suffix("data.pkl").unwrap_or_default();
    let by_name: HashMap<&str, &ZipEntry> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    let code = format!("{folder}code/");
    if by_name.contains_key(format!("{folder}constants.pkl").as_str())
        || entries.iter().any(|entry| entry.name.starts_with(&code))
    {
        return Err(FileError::fault(
            "this is a TorchScript program, not a state dict; in PyTorch: `torch.save(torch.jit.load(file).state_dict(), other)`",
        ));
    }
    if let Some(entry) = by_name.get(format!("{folder}byteorder").as_str()) {
        let mut order = String::new();
        let reader = archive.by_index(entry.index).map_err(zip_error)?;
        let read = reader.take(16).read_to_string(&mut order);
        read.map_err(|error| FileError::at_end(error, "the entry `byteorder`"))?;
        if order != "little" {
            let text = format!("the file is of byte order `{}`", order.escape_debug());
            return Err(FileError::Fault(
                text + "; only little-endian ones are read",
            ));
        }
    }
    let reader = archive.by_index(pickle.index).map_err(zip_error)?;
    let pickle = pickle::read(&mut BufReader::new(reader))?;
    let (named, skipped) = state_dict(&pickle)?;
    let mut tensors = Vec::with_capacity(named.len());
    for (name, tensor) in named {
        let storage = &tensor.storage;
        let path = format!("{folder}data/{}", storage.key);
        let Some(entry) = by_name.get(path.as_str()) else {
            let text = format!("the file has no `{path}`, where `{name}` should lie");
            return Err(FileError::Fault(text));
        };
        let place = Place::Entry {
            index: entry.index,
            start: 0,
        };
        tensors.push(stored(name, &tensor, place, entry.size)?);
    }
    Ok(Contents {
        tensors,
        skipped,
        metadata: None,
    })
}

/// Reads the pickles of a stream of `length` bytes, and finds the storages behind them.
///
/// # Errors
/// As [`zip_contents`].
pub(super) fn stream_contents<R: Read + Seek>(
    reader: &mut R,
    length: u64,
) -> Result<Contents, FileError> {
    let damaged = |text: &str| FileError::Fault(format!("a damaged PyTorch file: {text}"));
    let magic = pickle::read(reader)?;
    let protocol = pickle::read(reader)?;
    match protocol.get(protocol.root) {
        Value::Int(STREAM_PROTOCOL) => {}
        _ => return Err(damaged("its version is not 1001")),
    }
    let system = pickle::read(reader)?;
    if let Value::Dict(items) = system.get(system.root)
        && items.iter().any(|&(key, value)| {
            matches!(system.get(key), Value::Text(key) if &**key == "little_endian")
                && matches!(system.get(value), Value::Bool(false))
        })
    {
        return Err(damaged("it was written by a big-endian machine"));
    }
    let object = pickle::read(reader)?;
    let (named, skipped) = state_dict(&object)?;
    let keys = pickle::read(reader)?;
    let Value::List(items) = keys.get(keys.root) else {
        return Err(damaged("its list of storages is missing"));
    };
    let mut at = [&magic, &protocol, &system, &object, &keys]
        .iter()
        .map(|pickle| pickle.length)
        .sum::<u64>();
    // The part also holds the storages of skipped tensors, so the element types of all storages must be known.
    let elements = elements(&object);
    let mut places: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for &key in items {
        let Value::Text(key) = keys.get(key) else {
            return Err(damaged("a storage has no name"));
        };
        let Some(element) = elements.get(&**key) else {
            return Err(damaged("it has a storage of unknown type"));
        };
        reader.seek(SeekFrom::Start(at))?;
        let mut count = [0; 8];
        let read = reader.read_exact(&mut count);
        read.map_err(|error| FileError::at_end(error, "its storages"))?;
        let bytes = u64::from_le_bytes(count).checked_mul(element.size());
        let end = bytes.and_then(|bytes| bytes.checked_add(at + 8));
        let (Some(bytes), Some(end)) = (bytes, end.filter(|&end| end <= length)) else {
            return Err(damaged(
                "it ends within its storages; was it copied in full?",
            ));
        };
        places.insert(key, (at + 8, bytes));
        at = end;
    }
    let mut tensors = Vec::with_capacity(named.len());
    for (name, tensor) in named {
        let Some(&(start, bytes)) = places.get(&*tensor.storage.key) else {
            let text = format!("the file has no values for `{name}`");
            return Err(FileError::Fault(text));
        };
        let place = Place::File { start };
        tensors.push(stored(name, &tensor, place, bytes)?);
    }
    Ok(Contents {
        tensors,
        skipped,
        metadata: None,
    })
}

/// The element type of every storage that a pickle names.
fn elements(pickle: &Pickle) -> HashMap<&str, Element> {
    let storages = pickle.values().filter_map(|value| match value {
        Value::Storage(storage) => Some((&*storage.key, storage.element)),
        _ => None,
    });
    storages.collect()
}

/// A tensor in a storage of so many bytes.
fn stored(name: String, tensor: &TensorRef, place: Place, bytes: u64) -> Result<Stored, FileError> {
    let storage = &tensor.storage;
    let size = storage.element.size();
    let end = storage.offset.checked_add(storage.count);
    let whole = end.and_then(|end| end.checked_mul(size));
    // A part of a storage ends before the storage does.
    let fits = match storage.offset {
        0 => whole.is_some_and(|whole| whole <= bytes),
        _ => whole.is_some_and(|whole| whole <= bytes) && bytes.is_multiple_of(size),
    };
    if !fits {
        return Err(FileError::Fault(format!(
            "the storage of `{name}` should hold {} values of {size} bytes, but it has {bytes} bytes",
            storage.count
        )));
    }
    let offset = storage.offset.checked_add(tensor.offset);
    let Some(offset) = offset else {
        let text = format!("`{name}` lies outside of its storage");
        return Err(FileError::Fault(text));
    };
    Ok(Stored {
        name,
        shape: tensor.shape.clone(),
        element: storage.element,
        place,
        stored: bytes / size,
        offset,
        strides: tensor.strides.clone(),
    })
}

/// The tensors of the state dict in a pickle, and its other entries.
fn state_dict(pickle: &Pickle) -> Result<(Vec<Named>, Vec<Skipped>), FileError> {
    let mut skipped = Vec::new();
    let mut root = pickle.root;
    for _ in 0..MAX_WRAPPED {
        let Value::Dict(items) = pickle.get(root) else {
            break;
        };
        let Some(inner) = wrapped(pickle, items) else {
            break;
        };
        for &(key, value) in items {
            if value != inner {
                skip(&mut skipped, pickle, key, value);
            }
        }
        root = inner;
    }
    let Value::Dict(items) = pickle.get(root) else {
        let text = format!(
            "the file holds {}, not a state dict; save one with `torch.save(model.state_dict(), file)`",
            pickle.get(root).kind()
        );
        return Err(FileError::Fault(text));
    };
    let mut named: Vec<Named> = Vec::new();
    let mut places: HashMap<Rc<str>, usize> = HashMap::new();
    for &(key, value) in items {
        let (Value::Text(name), Value::Tensor(tensor)) = (pickle.get(key), pickle.get(value))
        else {
            skip(&mut skipped, pickle, key, value);
            continue;
        };
        if name.len() > MAX_NAME || named.len() >= MAX_TENSORS {
            return Err(FileError::fault(
                "the names in this file are too long or too many",
            ));
        }
        // An entry that is set again has its last value, as in Python.
        match places.get(name) {
            Some(&place) => named[place].1 = tensor.clone(),
            None => {
                places.insert(name.clone(), named.len());
                named.push((name.to_string(), tensor.clone()));
            }
        }
    }
    if named.is_empty() {
        let found: Vec<_> = skipped
            .iter()
            .take(6)
            .map(|entry| format!("`{}`", entry.name))
            .collect();
        let found = match found.is_empty() {
            true => "nothing".to_owned(),
            false => found.join(", "),
        };
        let text = format!("the file holds no tensors where a state dict has them, but {found}");
        return Err(FileError::Fault(text));
    }
    Ok((named, skipped))
}

/// The dictionary of tensors under one of the names that training scripts use.
fn wrapped(pickle: &Pickle, items: &[(Id, Id)]) -> Option<Id> {
    let find = |word: &str| {
        items.iter().rev().find_map(|&(key, value)| {
            let named = matches!(pickle.get(key), Value::Text(name) if &**name == word);
            let holds = matches!(pickle.get(value), Value::Dict(items) if !items.is_empty());
            (named && holds).then_some(value)
        })
    };
    WRAPPERS.iter().find_map(|word| find(word))
}

fn skip(skipped: &mut Vec<Skipped>, pickle: &Pickle, key: Id, value: Id) {
    let name = match pickle.get(key) {
        Value::Text(name) => name.chars().take(MAX_NAME).collect(),
        Value::Int(number) => number.to_string(),
        key => format!("({})", key.kind()),
    };
    if skipped.len() < MAX_SKIPPED {
        let what = pickle.get(value).kind().to_owned();
        skipped.push(Skipped { name, what });
    }
}
