#!/usr/bin/env bash
# Runs the small study and looks at what it leaves as others would: Python's readers open every table,
# and a headless Chromium opens the report.
#
#   scripts/check-lake.sh PROGRAM DIRECTORY
#
# Without Chromium the report's check is left out, and said so; REQUIRE_BROWSER=1 makes that an error.
set -euo pipefail

program=${1:?usage: check-lake.sh PROGRAM DIRECTORY}
directory=${2:?usage: check-lake.sh PROGRAM DIRECTORY}
here=$(cd "$(dirname "$0")/.." && pwd)
python=${HYPERCOLUMN_PYTHON:-python3}

mkdir -p "$directory"
lake="$directory/small-lake"
rm -rf "$lake"
"$program" --quiet run "$here/data/studies/small.toml" --lake "$lake"
"$program" verify --lake "$lake"

[ -x "$directory/venv/bin/python" ] || "$python" -m venv "$directory/venv"
"$directory/venv/bin/python" -m pip install --quiet \
    -r "$here/tests/readers/requirements.txt" -r "$here/tests/browser/requirements.txt"
LAKE="$lake" HYPERCOLUMN="$program" "$directory/venv/bin/python" -m pytest -q -p no:cacheprovider "$here/tests/readers"
HYPERCOLUMN="$program" "$directory/venv/bin/python" -m pytest -q -p no:cacheprovider "$here/tests/writers"

if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    "$directory/venv/bin/python" "$here/tests/browser/check_report.py" "$lake/reports/small.html"
elif [ -n "${REQUIRE_BROWSER:-}" ]; then
    echo "error: chromium and chromedriver are needed to check the report" >&2
    exit 1
else
    echo "note: the report was not opened in a browser: chromium or chromedriver is missing" >&2
fi
