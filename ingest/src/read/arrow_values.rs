//! Values of Arrow arrays as the JSON values that the same fields hold in JSON Lines.

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use serde_json::{Map, Value};

use crate::read::json_text::{NUL, beyond_64_bits};

/// A column in a form whose values are read one by one: dictionaries as their values, times as ISO text.
pub(super) fn plain_column(column: &ArrayRef) -> Result<ArrayRef, String> {
    let wanted = match column.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        data_type if data_type.is_temporal() => DataType::Utf8,
        _ => return Ok(column.clone()),
    };
    cast(column, &wanted).map_err(|error| error.to_string())
}

/// One value; null where it is missing, which is how pandas' NaN is taken too.
///
/// # Errors
/// Why the value cannot be a field of a prompt.
pub(super) fn value_at(array: &ArrayRef, row: usize) -> Result<Value, String> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    macro_rules! number {
        ($kind:ty) => {
            Ok(Value::from(array.as_primitive::<$kind>().value(row)))
        };
    }
    match array.data_type() {
        DataType::Null => Ok(Value::Null),
        DataType::Boolean => Ok(Value::from(array.as_boolean().value(row))),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => {
            let number = array.as_primitive::<UInt64Type>().value(row);
            i64::try_from(number).map(Value::from).map_err(|_| beyond_64_bits(&number.to_string()))
        }
        DataType::Float16 => float(f64::from(array.as_primitive::<Float16Type>().value(row))),
        // The shortest decimal of the 32-bit number, not that of its 64-bit neighbour.
        DataType::Float32 => {
            let number = array.as_primitive::<Float32Type>().value(row);
            float(number.to_string().parse().unwrap_or(f64::from(number)))
        }
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => text(array.as_string_view().value(row)),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(array.as_binary_view().value(row)),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        DataType::Struct(_) => object(array, row),
        DataType::Map(..) => map(&array.as_map().value(row)),
        other => {
            let one = array.slice(row, 1);
            let plain = plain_column(&one)?;
            match plain.data_type() == other {
                true => Err(format!("expected text, numbers, lists or structs, found {other}")),
                false => value_at(&plain, 0),
            }
        }
    }
}

fn float(number: f64) -> Result<Value, String> {
    match number {
        _ if number.is_nan() => Ok(Value::Null),
        _ if number.is_infinite() => Err("expected a finite number, found an infinity".to_owned()),
        _ => Ok(Value::from(number)),
    }
}

fn text(text: &str) -> Result<Value, String> {
    if text.contains('\0') { Err(NUL.to_owned()) } else { Ok(Value::from(text)) }
}

fn bytes(bytes: &[u8]) -> Result<Value, String> {
    text(std::str::from_utf8(bytes).map_err(|_| "expected text, found bytes that are not UTF-8".to_owned())?)
}

fn list(items: &ArrayRef) -> Result<Value, String> {
    (0..items.len()).map(|row| value_at(items, row)).collect()
}

/// A struct; its null members are left out, since writers give every struct of a column the members of all.
fn object(array: &ArrayRef, row: usize) -> Result<Value, String> {
    let structs = array.as_struct();
    let mut object = Map::new();
    for (name, column) in structs.column_names().into_iter().zip(structs.columns()) {
        match value_at(column, row).map_err(|message| format!("`{name}`: {message}"))? {
            Value::Null => {}
            value => insert_once(&mut object, name, value)?,
        }
    }
    Ok(Value::Object(object))
}

/// Entries of a map from text: a column of names and one of values.
fn map(entries: &StructArray) -> Result<Value, String> {
    let mut object = Map::new();
    let [keys, values] = [0, 1].map(|index| entries.column(index));
    for row in 0..entries.len() {
        let Value::String(name) = value_at(keys, row)? else {
            return Err("expected a map from text".to_owned());
        };
        match value_at(values, row)? {
            Value::Null => {}
            value => insert_once(&mut object, &name, value)?,
        }
    }
    Ok(Value::Object(object))
}

fn insert_once(object: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), String> {
    if name.chars().any(char::is_control) {
        return Err(format!("the name {name:?} has a control character; expected a printable name"));
    }
    match object.insert(name.to_owned(), value) {
        Some(_) => Err(format!("`{name}` is given twice; expected once")),
        None => Ok(()),
    }
}
