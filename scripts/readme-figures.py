#!/usr/bin/env python3
"""Compares the figures of README.md with the lake of `make run`, or writes them: readme-figures.py PROGRAM LAKE [--write].

scripts/readme-figures.toml names the texts and the SQL of their numbers. Without --write, a difference is an error that shows both;
with it, the README's numbers are replaced. A text that the README does not have, or has twice, is an error in both cases."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FIGURES = Path(__file__).with_suffix(".toml")

FIELD = re.compile(r"\{(\w+):([^}]*)\}")
# A number as the README writes it: a sign, digits, and a percent sign behind a space or in another cell.
NUMBER = r"[+−]?\d[\d,]*(?:\.\d+)?(?: %)?"


def ask(program, lake, sql):
    """The only row of a query."""
    command = [program, "-q", "sql", sql, "--lake", lake, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"readme-figures: {done.stderr.strip()}\nin the query\n{sql}")
    rows = json.loads(done.stdout)
    if len(rows) != 1:
        sys.exit(f"readme-figures: {len(rows)} rows, not one, from the query\n{sql}")
    return rows[0]


def write_number(value, form):
    """A value in the form of a field."""
    if value is None:
        return "undefined"
    text = format(float(value) if form.endswith(("f", "%")) else int(value), form)
    return text.replace("%", " %").replace("-", "−")


def pattern(text):
    """A regular expression for a text of the README, its numbers as groups, any white space for white space."""
    parts, end = [], 0
    for field in FIELD.finditer(text):
        parts += [re.escape(text[end : field.start()]), f"({NUMBER})"]
        end = field.end()
    parts.append(re.escape(text[end:]))
    return re.compile(re.sub(r"(\\\s)+", r"\\s+", "".join(parts)))


def line_of(readme, at):
    return readme.count("\n", 0, at) + 1


def main():
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    program, lake = arguments
    readme = README.read_text(encoding="utf-8")
    problems, changes = [], []
    for figure in tomllib.loads(FIGURES.read_text(encoding="utf-8"))["figure"]:
        found = list(pattern(figure["text"]).finditer(readme))
        if len(found) != 1:
            problems.append(f"README.md has {len(found)} times, not once: {figure['text']}")
            continue
        row = ask(program, lake, figure["sql"])
        for group, field in enumerate(FIELD.finditer(figure["text"]), start=1):
            name, form = field.groups()
            if name not in row:
                sys.exit(f"readme-figures: no column `{name}` in the query\n{figure['sql']}")
            expected, said = write_number(row[name], form), found[0].group(group)
            # A plus is written where the form asks for one; a percent sign belongs to the number.
            if said != expected:
                changes.append((found[0].span(group), said, expected, name))
    for (start, _), said, expected, name in sorted(changes):
        print(f"README.md:{line_of(readme, start)}: {name} is {said}, the lake has {expected}", file=sys.stderr)
    for problem in problems:
        print(f"readme-figures: {problem}", file=sys.stderr)
    if "--write" in sys.argv[1:] and not problems:
        for (start, end), _, expected, _ in sorted(changes, reverse=True):
            readme = readme[:start] + expected + readme[end:]
        README.write_text(readme, encoding="utf-8")
        print(f"readme-figures: {len(changes)} figures written", file=sys.stderr)
    elif changes or problems:
        sys.exit("readme-figures: the README does not say what the lake has; `make readme WRITE=1` writes its numbers")
    else:
        print("readme-figures: every figure of the README is the lake's", file=sys.stderr)


main()
