//! A reader of the pickles in which PyTorch keeps the names of tensors. It runs nothing.
//!
//! Opcodes and globals are those that `torch.save` writes for a dictionary of tensors; anything else is refused by name.
//! Values lie in one list and name one another by index, so that a value which is memoised a million times costs an index
//! each, and nothing here recurses. Sizes are bounded by the pickle's own.

use std::fmt;

/// The index of a value in the machine's list.
pub type Id = usize;

/// What a pickle can hold.
#[derive(Clone, Debug)]
pub enum Value {
    None,
    Bool,
    Integer(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dictionary(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(Tensor),
}

/// The globals that a dictionary of tensors needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A class of storages, with the name of its values' type.
    StorageOf(&'static str),
}

impl Global {
    /// The global of this module and name.
    fn named(module: &str, name: &str) -> Option<Self> {
        let storage = |kind| Some(Self::StorageOf(kind));
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", "FloatStorage") => storage("F32"),
            ("torch", "HalfStorage") => storage("F16"),
            ("torch", "BFloat16Storage") => storage("BF16"),
            ("torch", "DoubleStorage") => storage("F64"),
            ("torch", "LongStorage") => storage("I64"),
            ("torch", "IntStorage") => storage("I32"),
            ("torch", "ShortStorage") => storage("I16"),
            ("torch", "CharStorage") => storage("I8"),
            ("torch", "ByteStorage") => storage("U8"),
            ("torch", "BoolStorage") => storage("BOOL"),
            _ => None,
        }
    }
}

/// Values that tensors are views of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The name of the archive's file below `data/`.
    pub key: String,
    /// The type of its values.
    pub kind: &'static str,
    /// How many it has.
    pub n_values: usize,
}

/// A view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub storage: Storage,
    /// Values before its first.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Values from one element of a dimension to the next.
    pub strides: Vec<usize>,
}

/// Why a pickle is refused, as a clause.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It ends too early, or uses what it does not have.
    Damaged(String),
    /// It holds what is not read.
    Unread(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Damaged(clause) | Self::Unread(clause)) = self;
        f.write_str(clause)
    }
}

type Read<T> = Result<T, Refusal>;

fn damaged<T>(clause: impl Into<String>) -> Read<T> {
    Err(Refusal::Damaged(clause.into()))
}

fn unread<T>(clause: impl Into<String>) -> Read<T> {
    Err(Refusal::Unread(clause.into()))
}

/// The tensors of a pickled dictionary, by name, in its order.
///
/// # Errors
/// [`Refusal`] for anything but a dictionary from texts to tensors.
pub fn read_tensors(pickle: &[u8]) -> Read<Vec<(String, Tensor)>> {
    let mut machine = Machine { rest: pickle, values: Vec::new(), stack: Vec::new(), memo: Vec::new() };
    let top = machine.run()?;
    let Value::Dictionary(entries) = &machine.values[top] else {
        return unread("is no dictionary of tensors");
    };
    let mut tensors = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match (&machine.values[*key], &machine.values[*value]) {
            (Value::Text(name), Value::Tensor(tensor)) => tensors.push((name.clone(), tensor.clone())),
            (Value::Text(name), _) => return unread(format!("holds `{name}`, which is no tensor")),
            _ => return unread("has a key that is no text"),
        }
    }
    Ok(tensors)
}

/// What lies on the stack.
#[derive(Clone, Copy)]
enum Item {
    Mark,
    Value(Id),
}

struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Item>,
    memo: Vec<Option<Id>>,
}

impl<'a> Machine<'a> {
    /// Carries the pickle out to its end; the value that it leaves.
    fn run(&mut self) -> Read<Id> {
        loop {
            let opcode = self.byte()?;
            match opcode {
                b'.' => return self.pop(),
                0x80 => match self.byte()? {
                    0..=5 => {}
                    version => return unread(format!("is a pickle of protocol {version}")),
                },
                // The length of a frame, which says nothing about values.
                0x95 => drop(self.take(8)?),
                b'(' => self.stack.push(Item::Mark),
                b'N' => self.push(Value::None),
                0x88 | 0x89 => self.push(Value::Bool),
                b'J' => {
                    let bytes = self.array::<4>()?;
                    self.push(Value::Integer(i32::from_le_bytes(bytes).into()));
                }
                b'K' => {
                    let byte = self.byte()?;
                    self.push(Value::Integer(byte.into()));
                }
                b'M' => {
                    let bytes = self.array::<2>()?;
                    self.push(Value::Integer(u16::from_le_bytes(bytes).into()));
                }
                0x8a => self.push_long()?,
                b'X' => {
                    let length = u32::from_le_bytes(self.array()?) as usize;
                    self.push_text(length)?;
                }
                0x8c => {
                    let length = self.byte()?.into();
                    self.push_text(length)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push_global(module, name)?;
                }
                0x93 => self.push_stacked_global()?,
                b')' => self.push(Value::Tuple(Vec::new())),
                b']' => self.push(Value::List(Vec::new())),
                b'}' => self.push(Value::Dictionary(Vec::new())),
                0x85..=0x87 => {
                    let n = usize::from(opcode - 0x84);
                    let items = (0..n).map(|_| self.pop()).collect::<Read<Vec<Id>>>()?;
                    self.push(Value::Tuple(items.into_iter().rev().collect()));
                }
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Tuple(items));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend_list(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.extend_list(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.extend_dictionary(&[key, value])?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.extend_dictionary(&items)?;
                }
                b'q' => {
                    let index = self.byte()?.into();
                    self.memoize(index)?;
                }
                b'r' => {
                    let index = u32::from_le_bytes(self.array()?) as usize;
                    self.memoize(index)?;
                }
                0x94 => self.memoize(self.memo.len())?,
                b'h' => {
                    let index = self.byte()?.into();
                    self.recall(index)?;
                }
                b'j' => {
                    let index = u32::from_le_bytes(self.array()?) as usize;
                    self.recall(index)?;
                }
                b'Q' => self.push_storage()?,
                b'R' => self.call()?,
                b'b' => self.build()?,
                _ => {
                    return unread(format!(
                        "uses the pickle opcode 0x{opcode:02x}, which no state dictionary needs"
                    ));
                }
            }
        }
    }

    fn push(&mut self, value: Value) {
        self.values.push(value);
        self.stack.push(Item::Value(self.values.len() - 1));
    }

    fn pop(&mut self) -> Read<Id> {
        match self.stack.pop() {
            Some(Item::Value(id)) => Ok(id),
            _ => damaged("takes more from its stack than there is"),
        }
    }

    fn top(&self) -> Read<Id> {
        match self.stack.last() {
            Some(Item::Value(id)) => Ok(*id),
            _ => damaged("takes more from its stack than there is"),
        }
    }

    fn pop_to_mark(&mut self) -> Read<Vec<Id>> {
        let Some(mark) = self.stack.iter().rposition(|item| matches!(item, Item::Mark)) else {
            return damaged("has no mark where it needs one");
        };
        let items = self.stack.drain(mark..).skip(1);
        Ok(items.filter_map(|item| if let Item::Value(id) = item { Some(id) } else { None }).collect())
    }

    fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => damaged("ends in the middle"),
        }
    }

    fn byte(&mut self) -> Read<u8> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many bytes"))
    }

    /// The text up to the next line feed.
    fn line(&mut self) -> Read<&'a str> {
        let Some(length) = self.rest.iter().position(|byte| *byte == b'\n') else {
            return damaged("ends in the middle");
        };
        let line = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(line).or_else(|_| damaged("has a name that is not UTF-8"))
    }

    fn push_text(&mut self, length: usize) -> Read<()> {
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => {
                self.push(Value::Text(text.to_owned()));
                Ok(())
            }
            Err(_) => damaged("has a text that is not UTF-8"),
        }
    }

    fn push_long(&mut self) -> Read<()> {
        let length = usize::from(self.byte()?);
        let bytes = self.take(length)?;
        if length > 8 {
            return unread("has an integer beyond 64 bits");
        }
        let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut whole = [sign; 8];
        whole[..length].copy_from_slice(bytes);
        self.push(Value::Integer(i64::from_le_bytes(whole)));
        Ok(())
    }

    fn push_global(&mut self, module: &str, name: &str) -> Read<()> {
        match Global::named(module, name) {
            Some(global) => {
                self.push(Value::Global(global));
                Ok(())
            }
            None => unread(format!("names `{module}.{name}`, which could run code and is not called")),
        }
    }

    fn push_stacked_global(&mut self) -> Read<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        match (self.values[module].clone(), self.values[name].clone()) {
            (Value::Text(module), Value::Text(name)) => self.push_global(&module, &name),
            _ => damaged("has a global without a name"),
        }
    }

    fn memoize(&mut self, index: usize) -> Read<()> {
        let id = self.top()?;
        // Every memoised value has taken a byte of the pickle at least.
        if index > self.values.len() + self.memo.len() {
            return damaged("numbers a memo beyond its values");
        }
        if index >= self.memo.len() {
            self.memo.resize(index + 1, None);
        }
        self.memo[index] = Some(id);
        Ok(())
    }

    fn recall(&mut self, index: usize) -> Read<()> {
        match self.memo.get(index).copied().flatten() {
            Some(id) => {
                self.stack.push(Item::Value(id));
                Ok(())
            }
            None => damaged("recalls what it never kept"),
        }
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Read<()> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(list) => {
                list.extend(items);
                Ok(())
            }
            _ => damaged("appends to what is no list"),
        }
    }

    fn extend_dictionary(&mut self, items: &[Id]) -> Read<()> {
        let dictionary = self.top()?;
        if !items.len().is_multiple_of(2) {
            return damaged("sets a key without a value");
        }
        match &mut self.values[dictionary] {
            Value::Dictionary(entries) => {
                entries.extend(items.chunks(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            _ => damaged("sets a key of what is no dictionary"),
        }
    }

    /// A storage, from the tuple ('storage', class, key, location, number of values).
    fn push_storage(&mut self) -> Read<()> {
        let id = self.pop()?;
        let items = self.tuple(id)?;
        let [tag, class, key, _, n_values] = items[..] else {
            return damaged("has a storage of another form");
        };
        let fields = [tag, class, key, n_values].map(|id| self.values[id].clone());
        match fields {
            [
                Value::Text(tag),
                Value::Global(Global::StorageOf(kind)),
                Value::Text(key),
                Value::Integer(n_values),
            ] if tag == "storage" => {
                let Ok(n_values) = usize::try_from(n_values) else {
                    return damaged("has a storage of negative size");
                };
                self.push(Value::Storage(Storage { key, kind, n_values }));
                Ok(())
            }
            _ => damaged("has a storage of another form"),
        }
    }

    fn tuple(&self, id: Id) -> Read<Vec<Id>> {
        match &self.values[id] {
            Value::Tuple(items) => Ok(items.clone()),
            _ => damaged("has no tuple where it needs one"),
        }
    }

    /// Numbers of a tuple, none of them negative.
    fn sizes(&self, id: Id) -> Read<Vec<usize>> {
        self.tuple(id)?.into_iter().map(|id| self.size(id)).collect()
    }

    fn size(&self, id: Id) -> Read<usize> {
        match self.values[id] {
            Value::Integer(n) => usize::try_from(n).or_else(|_| damaged("has a negative size")),
            _ => damaged("has no number where it needs one"),
        }
    }

    /// The call of a global, of those that are known.
    fn call(&mut self) -> Read<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let arguments = self.tuple(arguments)?;
        let Value::Global(function) = self.values[function] else {
            return damaged("calls what is no function");
        };
        match (function, &arguments[..]) {
            (Global::OrderedDict, []) => self.push(Value::Dictionary(Vec::new())),
            // Whether gradients are asked for, and hooks, follow; newer versions add metadata.
            (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                let Value::Storage(storage) = self.values[*storage].clone() else {
                    return damaged("makes a tensor of what is no storage");
                };
                let (offset, shape, strides) =
                    (self.size(*offset)?, self.sizes(*shape)?, self.sizes(*strides)?);
                if shape.len() != strides.len() {
                    return damaged("has a tensor with other strides than dimensions");
                }
                self.push(Value::Tensor(Tensor { storage, offset, shape, strides }));
            }
            (Global::RebuildParameter, [tensor, ..]) if matches!(self.values[*tensor], Value::Tensor(_)) => {
                self.stack.push(Item::Value(*tensor));
            }
            _ => return damaged("calls a function with other arguments than it takes"),
        }
        Ok(())
    }

    /// Attributes of a value: a dictionary of tensors has the versions of modules, which say nothing of weights.
    fn build(&mut self) -> Read<()> {
        let _state = self.pop()?;
        let object = self.top()?;
        match &self.values[object] {
            Value::Dictionary(_) => Ok(()),
            _ => unread("sets attributes of what is no dictionary"),
        }
    }
}

#[cfg(test)]
mod tests;
