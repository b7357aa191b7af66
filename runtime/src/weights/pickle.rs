//! A reader for the part of Python's pickle format that state dicts use.
//!
//! It executes nothing: the few names that may occur ([`Global`]) are words to it, and building a tensor means keeping the
//! numbers that describe it. Any other name, and any other instruction, ends the reading with an error.
//!
//! Source: the documentation of Python's `pickletools` (protocols 0 to 5); `torch.save` writes protocol 2.

use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

use super::element::Element;
use super::file::{FileError, MAX_AXES};

/// Longest text. Units: bytes.
const MAX_TEXT: u64 = 1 << 16;

/// Most bytes of one pickle.
const MAX_LENGTH: u64 = 64 << 20;

/// Most values that one pickle makes.
const MAX_VALUES: usize = 1 << 20;

/// A value by its number: everything a pickle makes stays, in the order in which it was made.
pub(super) type Id = u32;

/// The names that may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch._utils._rebuild_tensor` of PyTorch before 0.4.
    Tensor,
    /// `torch._utils._rebuild_tensor_v2`
    TensorV2,
    /// `torch._utils._rebuild_parameter`
    Parameter,
    /// `torch.FloatStorage` and its like.
    Storage(Element),
}

impl Global {
    fn named(module: &str, name: &str) -> Option<Global> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor") => Global::Tensor,
            ("torch._utils", "_rebuild_tensor_v2") => Global::TensorV2,
            ("torch._utils", "_rebuild_parameter") => Global::Parameter,
            ("torch", class) => Global::Storage(Element::of_storage(class)?),
            _ => return None,
        })
    }
}

/// A storage that a tensor names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StorageRef {
    /// Its key in the file.
    pub key: Rc<str>,
    /// What it holds.
    pub element: Element,
    /// Its elements.
    pub count: u64,
    /// Where it begins in the storage of that key, if it is a part of one. Units: elements.
    pub offset: u64,
}

/// A tensor as `_rebuild_tensor_v2` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorRef {
    /// Its storage.
    pub storage: StorageRef,
    /// Elements of the storage before its first one.
    pub offset: u64,
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// Elements between neighbours of each axis.
    pub strides: Vec<u64>,
}

/// What a pickle makes.
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A number that means nothing to a tensor: a float, or one beyond 64 bits.
    Number,
    Text(Rc<str>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(StorageRef),
    Tensor(Rc<TensorRef>),
}

impl Value {
    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Number => "a number",
            Value::Text(_) => "a text",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a class",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle {
    values: Vec<Value>,
    /// The value that it represents.
    pub root: Id,
    /// Its bytes.
    pub length: u64,
}

impl Pickle {
    /// A value.
    pub fn get(&self, id: Id) -> &Value {
        self.values.get(id as usize).unwrap_or(&Value::None)
    }

    /// Everything that was made, whether it is part of the root or not.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }
}

type Step<T> = Result<T, FileError>;

fn fault<T>(text: impl Into<String>) -> Step<T> {
    Err(FileError::Fault(format!(
        "the pickle in this file {}",
        text.into()
    )))
}

/// Reads one pickle, up to its end and no byte further.
///
/// # Errors
/// An instruction or a name outside the subset, a broken or too large pickle.
pub(super) fn read(reader: &mut dyn Read) -> Step<Pickle> {
    let mut machine = Machine {
        reader,
        length: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        copied: 0,
    };
    let root = machine.run()?;
    Ok(Pickle {
        values: machine.values,
        root,
        length: machine.length,
    })
}

struct Machine<'r> {
    reader: &'r mut dyn Read,
    length: u64,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Entries of dictionaries that were made from lists.
    copied: usize,
}

impl Machine<'_> {
    fn bytes<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Step<()> {
        self.length += bytes.len() as u64;
        if self.length > MAX_LENGTH {
            return fault(format!("is longer than {} MiB", MAX_LENGTH >> 20));
        }
        let read = self.reader.read_exact(bytes);
        read.map_err(|error| FileError::at_end(error, "its pickle"))
    }

    fn byte(&mut self) -> Step<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    /// So many bytes, which must be few.
    fn some(&mut self, length: u64) -> Step<Vec<u8>> {
        if length > MAX_TEXT {
            return fault(format!(
                "holds a text of {length} bytes; {MAX_TEXT} are read"
            ));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn text(&mut self, length: u64) -> Step<Value> {
        let bytes = self.some(length)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text.into())),
            Err(_) => fault("holds a text that is not UTF-8"),
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Step<String> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => break,
                byte => line.push(byte),
            }
            if line.len() > 200 {
                return fault("holds a name that is too long");
            }
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn make(&mut self, value: Value) -> Step<Id> {
        if self.values.len() >= MAX_VALUES {
            return fault(format!("makes more than {MAX_VALUES} values"));
        }
        self.values.push(value);
        Ok((self.values.len() - 1) as Id)
    }

    fn push(&mut self, value: Value) -> Step<()> {
        let id = self.make(value)?;
        self.stack.push(id);
        Ok(())
    }

    /// The uppermost value; those below an open mark are out of reach.
    fn pop(&mut self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return fault("takes a value that is not there");
        }
        self.stack.pop().map_or_else(|| fault("is empty"), Ok)
    }

    fn top(&self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => fault("names a value that is not there"),
        }
    }

    /// Everything above the last mark.
    fn above_mark(&mut self) -> Step<Vec<Id>> {
        match self.marks.pop() {
            Some(floor) => Ok(self.stack.split_off(floor.min(self.stack.len()))),
            None => fault("closes a mark that is not open"),
        }
    }

    fn value(&self, id: Id) -> &Value {
        self.values.get(id as usize).unwrap_or(&Value::None)
    }

    fn run(&mut self) -> Step<Id> {
        loop {
            let code = self.byte()?;
            match code {
                // PROTO
                0x80 => match self.byte()? {
                    0..=5 => {}
                    other => return fault(format!("is of protocol {other}, which is not read")),
                },
                // FRAME: the length of what follows, which the instructions tell as well.
                0x95 => {
                    self.bytes::<8>()?;
                }
                // STOP
                b'.' => {
                    if !self.marks.is_empty() {
                        return fault("ends within a mark");
                    }
                    return self.pop();
                }
                // MARK
                b'(' => {
                    if self.marks.len() >= MAX_VALUES {
                        return fault("opens too many marks");
                    }
                    self.marks.push(self.stack.len());
                }
                // POP, POP_MARK
                b'0' => {
                    self.pop()?;
                }
                b'1' => {
                    self.above_mark()?;
                }
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                // BININT, BININT1, BININT2
                b'J' => {
                    let value = i32::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                b'K' => {
                    let value = self.byte()?;
                    self.push(Value::Int(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                // LONG1
                0x8a => {
                    let length = self.byte()?;
                    let bytes = self.some(length.into())?;
                    self.push(long(&bytes))?;
                }
                // BINFLOAT
                b'G' => {
                    self.bytes::<8>()?;
                    self.push(Value::Number)?;
                }
                // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8; SHORT_BINSTRING and BINSTRING of Python 2
                b'X' | b'T' => {
                    let length = u32::from_le_bytes(self.bytes()?);
                    let text = self.text(length.into())?;
                    self.push(text)?;
                }
                0x8c | b'U' => {
                    let length = self.byte()?;
                    let text = self.text(length.into())?;
                    self.push(text)?;
                }
                0x8d => {
                    let length = u64::from_le_bytes(self.bytes()?);
                    let text = self.text(length)?;
                    self.push(text)?;
                }
                // EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE
                b'}' => self.push(Value::Dict(Vec::new()))?,
                b']' => self.push(Value::List(Vec::new()))?,
                b')' => self.push(Value::Tuple(Vec::new()))?,
                // TUPLE, TUPLE1, TUPLE2, TUPLE3
                b't' => {
                    let items = self.above_mark()?;
                    self.push(Value::Tuple(items))?;
                }
                0x85..=0x87 => {
                    let mut items = Vec::new();
                    for _ in 0..code - 0x84 {
                        items.push(self.pop()?);
                    }
                    items.reverse();
                    self.push(Value::Tuple(items))?;
                }
                // APPEND, APPENDS
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.above_mark()?;
                    self.append(items)?;
                }
                // SETITEM, SETITEMS
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.above_mark()?;
                    self.set_items(&items)?;
                }
                // BINPUT, LONG_BINPUT, MEMOIZE
                b'q' => {
                    let place = self.byte()?;
                    self.memo.insert(place.into(), self.top()?);
                }
                b'r' => {
                    let place = u32::from_le_bytes(self.bytes()?);
                    self.memo.insert(place, self.top()?);
                }
                0x94 => {
                    let place = self.memo.len() as u32;
                    self.memo.insert(place, self.top()?);
                }
                // BINGET, LONG_BINGET
                b'h' => {
                    let place = self.byte()?;
                    self.recall(place.into())?;
                }
                b'j' => {
                    let place = u32::from_le_bytes(self.bytes()?);
                    self.recall(place)?;
                }
                // GLOBAL, STACK_GLOBAL
                b'c' => {
                    let module = self.line()?;
                    let name = self.line()?;
                    self.global(&module, &name)?;
                }
                0x93 => {
                    let name = self.pop()?;
                    let module = self.pop()?;
                    match (self.value(module).clone(), self.value(name).clone()) {
                        (Value::Text(module), Value::Text(name)) => self.global(&module, &name)?,
                        _ => return fault("names a class by something that is no text"),
                    }
                }
                // REDUCE
                b'R' => {
                    let arguments = self.pop()?;
                    let function = self.pop()?;
                    let made = self.reduce(function, arguments)?;
                    if let Value::Dict(pairs) = &made {
                        self.copied += pairs.len();
                        if self.copied > MAX_VALUES {
                            return fault("copies too many entries");
                        }
                    }
                    self.push(made)?;
                }
                // BUILD: attributes beside the entries, such as `_metadata`. They are dropped.
                b'b' => {
                    self.pop()?;
                    let kind = self.value(self.top()?);
                    if !matches!(kind, Value::Dict(_)) {
                        return fault(format!("sets attributes of {}", kind.kind()));
                    }
                }
                // BINPERSID
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(id)?;
                    self.push(Value::Storage(storage))?;
                }
                other => {
                    return fault(format!(
                        "holds the instruction {other:#04x} ({}), which state dicts do not need; save the state dict alone: \
                         `torch.save(model.state_dict(), file)`",
                        char::from(other).escape_default()
                    ));
                }
            }
        }
    }

    fn append(&mut self, items: Vec<Id>) -> Step<()> {
        let list = self.top()?;
        match self.values.get_mut(list as usize) {
            Some(Value::List(list)) => {
                list.extend(items);
                Ok(())
            }
            _ => fault("appends to something that is no list"),
        }
    }

    fn set_items(&mut self, items: &[Id]) -> Step<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return fault("sets an entry without a value");
        }
        let dict = self.top()?;
        match self.values.get_mut(dict as usize) {
            Some(Value::Dict(dict)) => {
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => fault("sets entries of something that is no dictionary"),
        }
    }

    fn recall(&mut self, place: u32) -> Step<()> {
        match self.memo.get(&place) {
            Some(&id) => {
                self.stack.push(id);
                Ok(())
            }
            None => fault(format!("recalls value {place}, which it never kept")),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Step<()> {
        let Some(global) = Global::named(module, name) else {
            let shown: String = format!("{module}.{name}")
                .escape_debug()
                .take(200)
                .collect();
            return Err(FileError::Fault(format!(
                "the file needs the Python name `{shown}`, which is not part of a state dict; nothing in it was run. \
                 Save the state dict alone: `torch.save(model.state_dict(), file)`"
            )));
        };
        self.push(Value::Global(global))
    }

    fn items(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    fn count(&self, id: Id) -> Option<u64> {
        match self.value(id) {
            Value::Int(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The result of calling `function`.
    fn reduce(&self, function: Id, arguments: Id) -> Step<Value> {
        let Value::Global(global) = self.value(function) else {
            return fault(format!("calls {}", self.value(function).kind()));
        };
        let Some(arguments) = self.items(arguments) else {
            return fault("calls something without arguments");
        };
        let made = match (global, arguments) {
            (Global::OrderedDict, []) => Some(Value::Dict(Vec::new())),
            // Python 2 gives the entries to the constructor.
            (Global::OrderedDict, [entries]) => self.pairs(*entries).map(Value::Dict),
            (Global::Tensor, [storage, offset, shape, strides])
            | (Global::TensorV2, [storage, offset, shape, strides, _, _, ..]) => self
                .tensor([*storage, *offset, *shape, *strides])
                .map(|tensor| Value::Tensor(Rc::new(tensor))),
            (Global::Parameter, [tensor, ..]) => match self.value(*tensor) {
                Value::Tensor(tensor) => Some(Value::Tensor(tensor.clone())),
                _ => None,
            },
            _ => None,
        };
        match made {
            Some(made) => Ok(made),
            None => fault("describes a tensor or a dictionary in a way that is not known"),
        }
    }

    fn pairs(&self, entries: Id) -> Option<Vec<(Id, Id)>> {
        let pairs = self.items(entries)?.iter().map(|&pair| {
            let pair = self.items(pair)?;
            <[Id; 2]>::try_from(pair)
                .ok()
                .map(|[key, value]| (key, value))
        });
        pairs.collect()
    }

    fn tensor(&self, [storage, offset, shape, strides]: [Id; 4]) -> Option<TensorRef> {
        let Value::Storage(storage) = self.value(storage) else {
            return None;
        };
        let numbers = |id: Id| {
            let items = self.items(id)?;
            let few = items.len() <= MAX_AXES;
            let numbers = few.then(|| items.iter().map(|&item| self.count(item)));
            numbers?.collect::<Option<Vec<u64>>>()
        };
        let shape = numbers(shape)?
            .into_iter()
            .map(|size| usize::try_from(size).ok());
        Some(TensorRef {
            storage: storage.clone(),
            offset: self.count(offset)?,
            shape: shape.collect::<Option<_>>()?,
            strides: numbers(strides)?,
        })
    }

    /// `("storage", class, key, location, count)`; before 1.6 with a sixth part: none, or the part of the storage
    /// that is meant, `(key, offset, count)`.
    fn storage(&self, id: Id) -> Step<StorageRef> {
        let found = self.items(id).and_then(|items| {
            let (&[word, class, key, _, count], rest) = items.split_first_chunk()?;
            if !matches!(self.value(word), Value::Text(word) if &**word == "storage") {
                return None;
            }
            let (Value::Global(Global::Storage(element)), Value::Text(key)) =
                (self.value(class), self.value(key))
            else {
                return None;
            };
            let mut storage = StorageRef {
                key: key.clone(),
                element: *element,
                count: self.count(count)?,
                offset: 0,
            };
            match rest {
                [] => {}
                [view] => match self.value(*view) {
                    Value::None => {}
                    Value::Tuple(parts) => {
                        let &[_, offset, count] = parts.as_slice() else {
                            return None;
                        };
                        storage.offset = self.count(offset)?;
                        storage.count = self.count(count)?;
                    }
                    _ => return None,
                },
                _ => return None,
            }
            Some(storage)
        });
        match found {
            Some(storage) => Ok(storage),
            None => fault("names something outside of it that is no storage of numbers"),
        }
    }
}

/// A whole number from its bytes, least first, the last one with the sign.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Number;
    }
    let negative = bytes.last().is_some_and(|byte| byte >> 7 == 1);
    let mut whole = [if negative { 0xff } else { 0 }; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        let mut bytes = bytes;
        read(&mut bytes).unwrap_err().to_string()
    }

    #[test]
    fn values_are_read() {
        let mut bytes = &b"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x07U\x01b\x8a\x02\xff\xffX\x01\x00\x00\x00ch\x00u.rest"[..];
        let pickle = read(&mut bytes).unwrap();
        assert_eq!(bytes, b"rest");
        let Value::Dict(items) = pickle.get(pickle.root) else {
            panic!("a dictionary")
        };
        assert!(matches!(pickle.get(items[0].1), Value::Int(7)));
        assert!(matches!(pickle.get(items[1].1), Value::Int(-1)));
        // A dictionary that holds itself is no trouble.
        assert_eq!(items[2].1, pickle.root);
    }

    #[test]
    fn nothing_is_run() {
        let system = message(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.");
        assert!(
            system.contains("`os.system`") && system.contains("nothing in it was run"),
            "{system}"
        );
        let text = message(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.");
        assert!(text.contains("`builtins.eval`"), "{text}");
        for code in [
            &b"\x80\x02)\x81."[..],
            b"\x80\x02(i",
            b"\x80\x02I1\n.",
            b"\x80\x02\x82\x01.",
        ] {
            assert!(message(code).contains("instruction"), "{code:?}");
        }
        assert!(message(b"\x80\x02ctorch\nTensor\n.").contains("`torch.Tensor`"));
    }

    #[test]
    fn broken_pickles_are_refused() {
        for bytes in [
            &b""[..],
            b"\x80",
            b"\x80\x09.",
            b".",
            b"(.",
            b"0.",
            b"1.",
            b"t.",
            b"K\x01(0.",
            b"K\x01(q\x00.",
            b"h\x05.",
            b"K\x01K\x02a.",
            b"K\x01K\x02K\x03s.",
            b"}(K\x01u.",
            b"K\x01K\x02b.",
            b"K\x01)R.",
            b"ccollections\nOrderedDict\nK\x01R.",
            b"ccollections\nOrderedDict\nK\x01\x85R.",
            b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
            b"X\x07\x00\x00\x00storageQ.",
            b"X\xff\xff\xff\xffabc.",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.",
            b"X\x01\x00\x00\x00\xff.",
        ] {
            let mut reader = bytes;
            assert!(read(&mut reader).is_err(), "{bytes:?}");
        }
    }
}
