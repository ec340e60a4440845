"""Every table of a lake opens in duckdb, polars and pyarrow/pandas without a custom reader, with the same rows,
types and sums. Partition columns come from the path, as in any Hive-partitioned data set.

    python -m venv .venv && .venv/bin/pip install -r tests/readers/requirements.txt
    LAKE=lake .venv/bin/pytest tests/readers
"""

import json
import os
import pathlib
import subprocess

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet
import pytest

LAKE = pathlib.Path(os.environ.get("LAKE", "lake"))
PROGRAM = os.environ.get("HYPERCOLUMN", "target/release/hypercolumn")

# Column, type in Arrow's words, and whether its sum is compared.
TABLES = {
    "prompts": dict(prompt_id="string", n_examples="int32", params="string"),
    "segments": dict(prompt_id="string", segment="int16", start="int32", end="int32"),
    "tokens": dict(position="int32", token_id="uint32", is_response="bool"),
    "responses": dict(response="string", n_tokens="int32", expected_logprob="float"),
    "choices": dict(choice="string", n_tokens="int32", logprob="float"),
    "hidden_states": dict(segment="int16", n_tokens="int32", vector="fixed_size_list<element: float not null>[576]"),
    "attention": dict(head="int16", query_segment="int16", key_segment="int16", mass="float"),
    "behavior": dict(metric="string", score="double"),
    "rsa": dict(layer="int16", estimate="double", p_value="double", q_value="double", n_prompts="int32"),
    "probes": dict(layer="int16", score="double", selectivity="double", n_prompts="int32"),
    "attention_ratios": dict(head="int16", ratio="double", log_ratio="double", n_prompts="int32"),
    "measures": dict(layer="int16", value="double"),
    "associations": dict(layer="int16", estimate="double", n="int32"),
    "contrasts": dict(layer="int16", head="int16", change="double", n_items="int32"),
    "claims": dict(layer="int16", estimate="double", n="int32"),
}
PARTITIONS = {"prompts": ["task"], "segments": ["task"], "hidden_states": ["model", "task", "layer"],
              "attention": ["model", "task", "layer"]}
NUMBERS = ("int16", "int32", "uint32", "float", "double")


def pattern(table):
    return str(LAKE / table / "**" / "*.parquet")


def sums(table):
    return [name for name, kind in TABLES[table].items() if kind in NUMBERS]


def by_duckdb(table):
    picked = ", ".join(f'sum("{c}"::double)' for c in sums(table))
    row = duckdb.sql(f"SELECT count(*), {picked} FROM read_parquet('{pattern(table)}', hive_partitioning = true)")
    return list(row.fetchone())


def by_polars(table):
    frame = polars.scan_parquet(pattern(table), hive_partitioning=True)
    picked = [polars.len()] + [polars.col(c).cast(polars.Float64).sum().alias(c) for c in sums(table)]
    return list(frame.select(picked).collect().row(0))


def by_pandas(table):
    frame = pandas.read_parquet(LAKE / table)
    return [len(frame)] + [float(frame[c].astype("float64").sum()) for c in sums(table)]


def listed_rows(table):
    """Rows that the lake's own commits list."""
    status = subprocess.run([PROGRAM, "sql", f"SELECT count(*) AS n FROM {table}", "--lake", str(LAKE), "--format",
                             "json"], check=True, capture_output=True)
    return json.loads(status.stdout)[0]["n"]


@pytest.mark.parametrize("table", TABLES)
def test_types(table):
    dataset = pyarrow.dataset.dataset(LAKE / table, partitioning="hive")
    for column, kind in TABLES[table].items():
        assert str(dataset.schema.field(column).type) == kind, column
    for column in PARTITIONS.get(table, ["model", "task"]):
        assert column in dataset.schema.names
    file = pyarrow.parquet.read_schema(dataset.files[0])
    assert "task" not in file.names, "partition columns are in the path, not in the file"


@pytest.mark.parametrize("table", TABLES)
def test_readers_agree(table):
    expected = by_duckdb(table)
    assert expected[0] == listed_rows(table) > 0
    for found in (by_polars(table), by_pandas(table)):
        assert found[0] == expected[0]
        for a, b in zip(found[1:], expected[1:]):
            assert (a or 0.0) == pytest.approx(b or 0.0, rel=1e-6, abs=1e-6)


def test_vectors_are_the_same_everywhere():
    """The squared length of every vector, summed."""
    by_sql = duckdb.sql(
        f"SELECT sum(list_dot_product(vector, vector)::double) FROM read_parquet('{pattern('hidden_states')}')"
    ).fetchone()[0]
    frame = polars.read_parquet(pattern("hidden_states"), hive_partitioning=True)
    assert frame.schema["vector"] == polars.Array(polars.Float32, 576)
    by_frame = float((frame["vector"].explode().cast(polars.Float64) ** 2).sum())
    column = pyarrow.dataset.dataset(LAKE / "hidden_states", partitioning="hive").to_table(columns=["vector"])["vector"]
    values = pyarrow.compute.cast(column.combine_chunks().flatten(), pyarrow.float64())
    by_arrow = pyarrow.compute.sum(pyarrow.compute.multiply(values, values)).as_py()
    assert by_frame == pytest.approx(by_arrow, rel=1e-12)
    assert by_sql == pytest.approx(by_arrow, rel=1e-4)


def test_there_is_no_nan():
    for table in TABLES:
        for column in (c for c, kind in TABLES[table].items() if kind in ("float", "double")):
            sql = f"SELECT count(*) FILTER (isnan(\"{column}\")) FROM read_parquet('{pattern(table)}')"
            assert duckdb.sql(sql).fetchone()[0] == 0, f"{table}.{column}"
