"""Round trips of random rows: what a writer of pandas, polars, pyarrow or DuckDB puts into a file is what the lake holds.

    HYPERCOLUMN=target/release/hypercolumn .venv/bin/pytest tests/writers
"""

import json
import os
import pathlib
import subprocess
import tempfile

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PROGRAM = pathlib.Path(os.environ.get("HYPERCOLUMN", "target/release/hypercolumn")).resolve()

# Everything that a text may hold: NUL is refused, and surrogates are no text.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
# Quotes, separators and line ends are what writers and readers disagree on, so they come more often than by chance.
texts = st.text(st.one_of(characters, st.sampled_from("\"',;\t\n\r\\ |[]{}")), min_size=1, max_size=12)
# The letter in front keeps a column of CSV, which has no types, from being one of numbers.
params = texts.map(lambda text: "t" + text)
numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False, width=64))


@st.composite
def tables(draw):
    n = draw(st.integers(1, 5))
    column = lambda strategy: draw(st.lists(strategy, min_size=n, max_size=n))  # noqa: E731
    slope = column(draw(st.sampled_from([st.integers(-(2**53), 2**53), st.floats(-1e300, 1e300)])))
    return {
        "prompt_id": [f"{i:02}" for i in range(n)],
        "text": column(texts),
        "expected": column(st.one_of(st.none(), texts)),
        "n_examples": column(st.integers(0, 2**31 - 1)),
        "name": column(params),
        "slope": slope,
        "is_odd": column(st.booleans()),
    }


def write_duckdb(columns, path, options):
    rows = arrow(columns)  # noqa: F841, which DuckDB finds by its name
    duckdb.sql(f"COPY (SELECT * FROM rows) TO '{path}' ({options})")


def arrow(columns):
    kinds = {"expected": pyarrow.string()}
    return pyarrow.table({name: pyarrow.array(values, kinds.get(name)) for name, values in columns.items()})


def frame(columns):
    return polars.DataFrame(columns, schema_overrides={"expected": polars.String})


WRITERS = {
    "pandas.csv": lambda c, path: pandas.DataFrame(c).to_csv(path, index=False),
    "pandas.tsv": lambda c, path: pandas.DataFrame(c).to_csv(path, sep="\t", index=False),
    "pandas.jsonl": lambda c, path: pandas.DataFrame(c).to_json(path, orient="records", lines=True, double_precision=15),
    "pandas.parquet": lambda c, path: pandas.DataFrame(c).to_parquet(path),
    "polars.csv": lambda c, path: frame(c).write_csv(path),
    "polars.ndjson": lambda c, path: frame(c).write_ndjson(path),
    "polars.parquet": lambda c, path: frame(c).write_parquet(path),
    "polars.arrow": lambda c, path: frame(c).write_ipc(path),
    "pyarrow.csv": lambda c, path: pyarrow.csv.write_csv(arrow(c), path),
    "pyarrow.parquet": lambda c, path: pyarrow.parquet.write_table(arrow(c), path),
    "pyarrow.feather": lambda c, path: pyarrow.feather.write_feather(arrow(c), str(path)),
    "duckdb.csv": lambda c, path: write_duckdb(c, path, "FORMAT csv, HEADER"),
    "duckdb.parquet": lambda c, path: write_duckdb(c, path, "FORMAT parquet"),
    "duckdb.json": lambda c, path: write_duckdb(c, path, "FORMAT json"),
}


# These write a carriage return without quotes, as if it ended a line; no reader, their own included, can tell.
LOSES_RETURNS = {"pandas.csv", "pandas.tsv"}


def has_return(columns):
    return any("\r" in str(value) for values in columns.values() for value in values)


def run(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@given(tables())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_rows_are_the_same_whoever_wrote_them(columns):
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        written = [name for name in WRITERS if name not in LOSES_RETURNS or not has_return(columns)]
        for name in written:
            write = WRITERS[name]
            path = directory / name
            write(columns, path)
            run("ingest", "--task", name, "--prompts", path, "--lake", directory / "lake")
        question = "SELECT task, prompt_id, text, expected, n_examples, params FROM prompts ORDER BY task, prompt_id"
        rows = json.loads(run("sql", question, "--format", "json", "--lake", directory / "lake"))
    wanted = [dict(zip(columns, values)) for values in zip(*columns.values())]
    for name in written:
        for row, want in zip([row for row in rows if row["task"] == name], wanted, strict=True):
            found = {key: row[key] for key in ["prompt_id", "text", "expected", "n_examples"]}
            assert found == {key: want[key] for key in found}, name
            found = json.loads(row["params"])
            assert found.pop("slope") == want["slope"] or name == "pandas.jsonl", name
            assert found == {key: want[key] for key in ["name", "is_odd"]}, name
