"""Prompts that pandas, polars, pyarrow and DuckDB wrote are ingested as they are: the same rows, whatever the writer.

    HYPERCOLUMN=target/release/hypercolumn .venv/bin/pytest tests/writers
"""

import json
import os
import pathlib
import subprocess

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.feather
import pytest

PROGRAM = pathlib.Path(os.environ.get("HYPERCOLUMN", "target/release/hypercolumn")).resolve()

TEXTS = ["One, \"two\"\nthree.", "Zoë 法国 🙂", " leads; and\ttabs", "'quotes' \\ and |"]
ROWS = [
    {"prompt_id": f"{i:04}", "text": text, "n_examples": i, "expected": str(i), "slope": i - 1.5, "name": f"n{i}", "is_odd": i % 2 == 1}
    for i, text in enumerate(TEXTS)
]
SEGMENTS = [[{"role": "first", "start": 0, "end": 2}]] * len(ROWS)
PARAMS = [{"slope": row["slope"], "name": row["name"], "is_odd": row["is_odd"]} for row in ROWS]


def flat():
    """Columns of plain values: what is no field is a param."""
    return {key: [row[key] for row in ROWS] for key in ROWS[0]}


def nested(as_json=False):
    """Columns with params and segments, as values or as JSON text."""
    columns = {key: [row[key] for row in ROWS] for key in ["prompt_id", "text", "n_examples", "expected"]}
    as_cell = json.dumps if as_json else (lambda value: value)
    return columns | {"params": [as_cell(p) for p in PARAMS], "segments": [as_cell(s) for s in SEGMENTS]}


def write_duckdb(path, options):
    rows = pyarrow.table(flat())  # noqa: F841, which DuckDB finds by its name
    duckdb.sql(f"COPY (SELECT * FROM rows) TO '{path}' ({options})")


def write_ipc_stream(path):
    table = pyarrow.table(nested())
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS = {
    "pandas.csv": lambda path: pandas.DataFrame(flat()).to_csv(path),
    "pandas-plain.csv": lambda path: pandas.DataFrame(flat()).to_csv(path, index=False),
    "pandas-json-text.csv": lambda path: pandas.DataFrame(nested(as_json=True)).to_csv(path, index=False),
    "pandas.csv.gz": lambda path: pandas.DataFrame(flat()).to_csv(path, index=False),
    "pandas.tsv": lambda path: pandas.DataFrame(flat()).to_csv(path, sep="\t", index=False),
    "pandas.parquet": lambda path: pandas.DataFrame(nested()).to_parquet(path),
    "pandas-index.parquet": lambda path: pandas.DataFrame(flat()).iloc[[0, 1, 2, 3]].to_parquet(path, index=True),
    "pandas-category.parquet": lambda path: pandas.DataFrame(flat()).astype({"name": "category"}).to_parquet(path),
    "pandas.feather": lambda path: pandas.DataFrame(nested()).to_feather(path),
    "pandas.json": lambda path: pandas.DataFrame(nested()).to_json(path, orient="records"),
    "pandas-indented.json": lambda path: pandas.DataFrame(flat()).to_json(path, orient="records", indent=2),
    "pandas.jsonl": lambda path: pandas.DataFrame(nested()).to_json(path, orient="records", lines=True),
    "pandas.jsonl.gz": lambda path: pandas.DataFrame(nested()).to_json(path, orient="records", lines=True),
    "polars.csv": lambda path: polars.DataFrame(flat()).write_csv(path),
    "polars.parquet": lambda path: polars.DataFrame(nested()).write_parquet(path),
    "polars.ndjson": lambda path: polars.DataFrame(nested()).write_ndjson(path),
    "polars.arrow": lambda path: polars.DataFrame(nested()).write_ipc(path),
    "pyarrow.parquet": lambda path: pyarrow.parquet.write_table(pyarrow.table(nested()), path),
    "pyarrow.feather": lambda path: pyarrow.feather.write_feather(pyarrow.table(nested()), path, compression="zstd"),
    "pyarrow-stream.arrows": write_ipc_stream,
    "duckdb.csv": lambda path: write_duckdb(path, "FORMAT csv, HEADER"),
    "duckdb.parquet": lambda path: write_duckdb(path, "FORMAT parquet"),
    "duckdb.json": lambda path: write_duckdb(path, "FORMAT json"),
    "duckdb-list.json": lambda path: write_duckdb(path, "FORMAT json, ARRAY true"),
}


def run(*words):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True)


@pytest.mark.parametrize("name", WRITERS)
def test_rows_are_the_same_whoever_wrote_them(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](path)
    lake = tmp_path / "lake"
    said = run("ingest", "--task", "t", "--prompts", path, "--lake", lake)
    assert said.returncode == 0, said.stderr
    question = "SELECT prompt_id, text, n_examples, expected, params FROM prompts ORDER BY prompt_id"
    rows = json.loads(run("sql", question, "--format", "json", "--lake", lake).stdout)
    for row, wanted, params in zip(rows, ROWS, PARAMS, strict=True):
        assert {key: row[key] for key in ["text", "n_examples"]} == {key: wanted[key] for key in ["text", "n_examples"]}
        # CSV has no types: ids and answers that look like numbers are texts all the same.
        assert (row["prompt_id"], row["expected"]) == (wanted["prompt_id"], wanted["expected"])
        assert json.loads(row["params"]) == params
