//! Prompts survive every format, and the built-in tasks give the same bytes as ever.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, ListArray, RecordBatch, StringArray, StructArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use hypercolumn_ingest::{Generator, IngestError, PromptsFile, write_jsonl};
use hypercolumn_schemas::Prompt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;

fn generated() -> Vec<Prompt> {
    let tasks = Generator::names().map(|name| Generator::from_name(name).expect("a built-in task"));
    tasks.flat_map(|task| task.generate().expect("prompts")).collect()
}

fn read_prompts(path: &Path) -> Result<Vec<Prompt>, IngestError> {
    PromptsFile::new(path).read().map(|reading| reading.prompts)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/prompts")
}

fn params_text(prompt: &Prompt) -> Option<String> {
    let params = &prompt.params;
    (!params.is_empty()).then(|| serde_json::to_string(params).expect("JSON"))
}

fn segments_text(prompt: &Prompt) -> Option<String> {
    let segments = &prompt.segments;
    (!segments.is_empty()).then(|| serde_json::to_string(segments).expect("JSON"))
}

fn write_csv(prompts: &[Prompt], path: &Path) {
    let mut writer = csv::Writer::from_path(path).expect("a writer");
    let header =
        ["prompt_id", "item_id", "condition", "n_examples", "text", "expected", "params", "segments"];
    writer.write_record(header).expect("a header");
    for prompt in prompts {
        let n_examples = prompt.n_examples.to_string();
        let expected = prompt.expected.clone().unwrap_or_default();
        let params = params_text(prompt).unwrap_or_default();
        let segments = segments_text(prompt).unwrap_or_default();
        let Prompt { prompt_id, item_id, condition, text, .. } = prompt;
        writer
            .write_record([prompt_id, item_id, condition, &n_examples, text, &expected, &params, &segments])
            .expect("a row");
    }
    writer.flush().expect("flushed");
}

fn text_column<'a>(prompts: &'a [Prompt], text: fn(&'a Prompt) -> Option<String>) -> ArrayRef {
    Arc::new(prompts.iter().map(text).collect::<StringArray>())
}

fn segment_lists(prompts: &[Prompt]) -> ArrayRef {
    let all = || prompts.iter().flat_map(|prompt| &prompt.segments);
    let columns: Vec<(Arc<Field>, ArrayRef)> = vec![
        (
            Arc::new(Field::new("role", DataType::Utf8, true)),
            Arc::new(all().map(|s| Some(s.role.clone())).collect::<StringArray>()),
        ),
        (
            Arc::new(Field::new("start", DataType::UInt32, true)),
            Arc::new(all().map(|s| Some(s.start)).collect::<UInt32Array>()),
        ),
        (
            Arc::new(Field::new("end", DataType::UInt32, true)),
            Arc::new(all().map(|s| Some(s.end)).collect::<UInt32Array>()),
        ),
    ];
    let structs = StructArray::from(columns);
    let field = Arc::new(Field::new("item", structs.data_type().clone(), true));
    let lengths = prompts.iter().map(|prompt| prompt.segments.len());
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(ListArray::new(field, offsets, Arc::new(structs), None))
}

fn write_parquet(prompts: &[Prompt], path: &Path, segments: ArrayRef, compression: Compression) {
    let counts = prompts.iter().map(|prompt| prompt.n_examples).collect::<Vec<_>>();
    let batch = RecordBatch::try_from_iter([
        ("prompt_id", text_column(prompts, |p| Some(p.prompt_id.clone()))),
        ("item_id", text_column(prompts, |p| Some(p.item_id.clone()))),
        ("condition", text_column(prompts, |p| Some(p.condition.clone()))),
        ("n_examples", Arc::new(Int32Array::from(counts)) as ArrayRef),
        ("text", text_column(prompts, |p| Some(p.text.clone()))),
        ("expected", text_column(prompts, |p| p.expected.clone())),
        ("params", text_column(prompts, params_text)),
        ("segments", segments),
    ])
    .expect("columns of one length");
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = File::create(path).expect("created");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

fn distinct_ids(mut prompts: Vec<Prompt>) -> Vec<Prompt> {
    // Ids that only look like numbers or are not ASCII stay what they are.
    prompts[0].prompt_id = "0007".to_owned();
    prompts[1].prompt_id = "café, \"1\"\n2".to_owned();
    prompts[2].params.clear();
    prompts[2].segments.clear();
    prompts[2].expected = None;
    prompts[3].params.insert("weight".to_owned(), 0.123_456_789_012_345_68.into());
    prompts[3].params.insert("is_odd".to_owned(), true.into());
    prompts
}

#[test]
fn every_format_gives_back_the_same_prompts() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let prompts = distinct_ids(generated());

    write_jsonl(&prompts, File::create(at("a.jsonl")).expect("created")).expect("written");
    assert_eq!(read_prompts(&at("a.jsonl")).expect("JSON Lines"), prompts);

    write_csv(&prompts, &at("a.CSV"));
    assert_eq!(read_prompts(&at("a.CSV")).expect("CSV"), prompts);

    let text = || text_column(&prompts, segments_text);
    write_parquet(&prompts, &at("snappy.parquet"), text(), Compression::SNAPPY);
    assert_eq!(read_prompts(&at("snappy.parquet")).expect("Parquet"), prompts);
    let gzip = Compression::GZIP(GzipLevel::default());
    write_parquet(&prompts, &at("gzip.parquet"), text(), gzip);
    assert_eq!(read_prompts(&at("gzip.parquet")).expect("Parquet"), prompts);
    write_parquet(&prompts, &at("lists.parquet"), segment_lists(&prompts), Compression::SNAPPY);
    assert_eq!(read_prompts(&at("lists.parquet")).expect("lists of structs"), prompts);
}

#[test]
fn byte_order_marks_line_ends_and_trailing_blank_lines_are_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let prompts = generated();
    let mut bytes = Vec::new();
    write_jsonl(&prompts, &mut bytes).expect("written");
    let text = String::from_utf8(bytes).expect("UTF-8").replace('\n', "\r\n");
    let path = folder.path().join("a.ndjson");
    fs::write(&path, format!("\u{feff}{text}\r\n  \n")).expect("written");
    assert_eq!(read_prompts(&path).expect("read"), prompts);

    let path = folder.path().join("a.csv");
    write_csv(&prompts, &path);
    let marked = format!("\u{feff}{}", fs::read_to_string(&path).expect("read"));
    fs::write(&path, marked).expect("written");
    assert_eq!(read_prompts(&path).expect("read"), prompts);
}

#[test]
fn the_example_files_hold_the_same_prompts() {
    let jsonl = read_prompts(&fixtures().join("example.jsonl")).expect("the JSON Lines example");
    let csv = read_prompts(&fixtures().join("example.csv")).expect("the CSV example");
    assert_eq!(jsonl, csv);
    assert_eq!(jsonl[0].segments[0].slice(&jsonl[0].text), Some("Zoë is watering the plants."));
}

/// The digest of everything a task writes with its default settings: the same on every platform. A
/// change here means that studies run before cannot be continued with the same prompts.
#[test]
fn the_built_in_prompts_are_pinned() {
    let digest = |name: &str| {
        let prompts = Generator::from_name(name).and_then(|task| task.generate()).expect("prompts");
        let mut bytes = Vec::new();
        write_jsonl(&prompts, &mut bytes).expect("written");
        (prompts.len(), blake3::hash(&bytes).to_hex()[..16].to_owned())
    };
    assert_eq!(digest("linear_regression"), (1024, "8b4e0fb2028a6de8".to_owned()));
    assert_eq!(digest("reading_comprehension"), (480, "6c44df2ca911e0df".to_owned()));
}

#[test]
fn the_first_prompts_read_as_designed() {
    let first = |name: &str, condition: &str| {
        let prompts = Generator::from_name(name).and_then(|task| task.generate()).expect("prompts");
        let prompt = prompts.into_iter().find(|p| p.condition == condition).expect("the condition");
        format!("{}|{}", prompt.text, prompt.expected.unwrap_or_default())
    };
    assert_eq!(
        first("linear_regression", "icl_2"),
        "Here are a set of point coordinates that all fall on the same line: (0.65,25.95); \
         (0.59,26.97); (0.01,|36.83"
    );
    assert_eq!(
        first("reading_comprehension", "icl_1"),
        "Samuel is calling a friend. Tom is setting the table. Richard is drinking some tea.\n\
         Question: What is Samuel doing?\nAnswer: calling a friend.\n\n\
         Sarah is reading a book. Elizabeth is eating an apple. David is planting a tree.\n\
         Question: What is Sarah doing?\nAnswer:|reading a book"
    );
    assert_eq!(first("reading_comprehension", "simple"), "Sarah is reading a book.|");
}

#[test]
fn another_seed_gives_other_prompts_of_the_same_shape() {
    for name in Generator::names() {
        let with_seed = |seed: u64| {
            let settings = serde_json::Map::from_iter([("seed".to_owned(), seed.into())]);
            Generator::from_settings(name, &settings).and_then(|task| task.generate()).expect("prompts")
        };
        let (seven, eight) = (with_seed(7), with_seed(8));
        assert_eq!(seven, with_seed(7));
        assert_eq!(seven.len(), eight.len());
        let n_same = seven.iter().zip(&eight).filter(|(a, b)| a.text == b.text).count();
        assert!(n_same < seven.len() / 20, "{n_same} prompts do not depend on the seed");
    }
}
