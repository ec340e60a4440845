//! Query results as CSV (RFC 4180): a header, nested values as JSON, null as nothing and the empty text as `""`.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hypercolumn_analyze::QueryResult;

/// The query result as CSV.
pub fn encode(result: &QueryResult) -> Result<Vec<u8>, ArrowError> {
    let mut out = String::new();
    for (i, field) in result.schema.fields().iter().enumerate() {
        push_separator(&mut out, i);
        push_quoted(&mut out, field.name());
    }
    out.push_str("\r\n");
    for batch in &result.batches {
        encode_batch(batch, &mut out)?;
    }
    Ok(out.into_bytes())
}

/// The encoder of one column's cells.
enum Cells<'a> {
    Plain(ArrayFormatter<'a>),
    Nested(NullableEncoder<'a>),
}

fn encode_batch(batch: &RecordBatch, out: &mut String) -> Result<(), ArrowError> {
    let schema = batch.schema();
    let json_options = EncoderOptions::default();
    let text_options = FormatOptions::new();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        columns.push(match field.data_type() {
            DataType::List(_) | DataType::FixedSizeList(..) | DataType::Struct(_) | DataType::Map(..) => {
                Cells::Nested(make_encoder(field, array, &json_options)?)
            }
            _ => Cells::Plain(ArrayFormatter::try_new(array, &text_options)?),
        });
    }
    for row in 0..batch.num_rows() {
        for (i, (cells, array)) in columns.iter_mut().zip(batch.columns()).enumerate() {
            push_separator(out, i);
            if !array.is_null(row) {
                push_quoted(out, &cells.text(row)?);
            }
        }
        out.push_str("\r\n");
    }
    Ok(())
}

impl Cells<'_> {
    fn text(&mut self, row: usize) -> Result<String, ArrowError> {
        match self {
            Self::Plain(formatter) => Ok(formatter.value(row).try_to_string()?),
            Self::Nested(encoder) => {
                let mut json = Vec::new();
                encoder.encode(row, &mut json);
                String::from_utf8(json).map_err(|e| ArrowError::JsonError(e.to_string()))
            }
        }
    }
}

fn push_separator(out: &mut String, column: usize) {
    if column > 0 {
        out.push(',');
    }
}

fn push_quoted(out: &mut String, text: &str) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return out.push_str(text);
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Float32Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn quotes_nulls_and_digits_survive() {
        let texts: ArrayRef =
            Arc::new(StringArray::from(vec![Some("a,\"b\""), Some(""), None, Some("line\nend")]));
        let numbers: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 1e-9, -3.0, f32::MAX]));
        let batch = RecordBatch::try_from_iter([("text", texts), ("number", numbers)]).expect("a batch");
        let result = QueryResult { schema: batch.schema(), batches: vec![batch], tables: Vec::new() };
        let csv = String::from_utf8(encode(&result).expect("encoded")).expect("UTF-8");
        let rows: Vec<_> = csv.split("\r\n").collect();
        assert_eq!(rows[0], "text,number");
        assert_eq!(rows[1], "\"a,\"\"b\"\"\",0.1");
        assert_eq!(rows[2].split(',').next(), Some("\"\""));
        assert_eq!(rows[3].split(',').next(), Some(""));
        for (row, number) in [(2, 1e-9_f32), (3, -3.0)] {
            let text = rows[row].split(',').nth(1).expect("a second cell");
            assert_eq!(text.parse::<f32>().expect("a number").to_bits(), number.to_bits());
        }
    }
}
