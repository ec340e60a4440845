#!/usr/bin/env bash
# Runs the examples with make, DVC and Snakemake: a first run makes the summary, a second one and a comment in the study make
# nothing again, other prompts make it anew. DVC and Snakemake come from a virtual environment in DIRECTORY.
#
#   scripts/check-examples.sh PROGRAM DIRECTORY
set -euo pipefail

program=$(realpath "${1:?usage: check-examples.sh PROGRAM DIRECTORY}")
mkdir -p "${2:?usage: check-examples.sh PROGRAM DIRECTORY}"
directory=$(realpath "$2")
examples=$(realpath "$(dirname "$0")/../examples")
python=${HYPERCOLUMN_PYTHON:-python3}

[ -x "$directory/venv/bin/python" ] || "$python" -m venv "$directory/venv"
"$directory/venv/bin/python" -m pip install --quiet -r "$examples/requirements.txt"
mkdir -p "$directory/bin"
ln -sf "$program" "$directory/bin/hypercolumn"
export PATH="$directory/bin:$directory/venv/bin:$PATH" DVC_NO_ANALYTICS=1

fail() {
    echo "$tool: $1" >&2
    tail -n 40 log >&2
    exit 1
}

run() {
    case $tool in
    make) make ;;
    dvc) dvc repro ;;
    snakemake) snakemake --cores 1 tables && snakemake --cores 1 ;;
    esac >log 2>&1 || fail "the run failed"
}

moment() { stat --format %y "$1"; }
entries() { find lake/_log -name '[0-9]*.json' | wc -l; }

check() {
    tool=$1
    copy=$(mktemp -d)
    cp -r "$examples/." "$copy"
    if [ "$tool" = dvc ]; then (cd "$copy" && dvc init --quiet --no-scm); fi
    cd "$copy/$tool"

    run
    [ "$(wc -l <summary.csv)" -gt 4 ] || fail "the summary is too short"
    made=$(moment summary.csv)
    n_entries=$(entries)
    [ "$n_entries" -gt 2 ] || fail "the lake has no log"

    run
    [ "$(moment summary.csv)" = "$made" ] || fail "a second run made the summary again"
    [ "$(entries)" = "$n_entries" ] || fail "a second run wrote to the lake"

    sed -i '1i # A comment.' ../study/study.toml
    run
    [ "$(moment summary.csv)" = "$made" ] || fail "a comment made the summary again"
    if [ "$tool" = make ]; then make plan >log 2>&1 || fail "a step would run after a run"; fi

    before=$(cat summary.csv)
    sed -i 's/"expected": "Anna"/"expected": "Bob"/' ../study/prompts.jsonl
    if [ "$tool" = make ] && make plan >log 2>&1; then fail "changed prompts would run nothing"; fi
    run
    [ "$(cat summary.csv)" != "$before" ] || fail "other prompts left the summary as it was"

    echo "$tool: as it should be"
    cd "$directory"
    rm -rf "$copy"
}

for tool in make dvc snakemake; do check "$tool"; done
