#!/usr/bin/env bash
# Feeds the readers of model files with damaged input, SECONDS for each target.
#
#   scripts/fuzz.sh DIRECTORY SECONDS [TARGET...]
#
# Builds in DIRECTORY, which keeps the inputs that reached something new from run to run (corpus/) and those that broke
# a reader (findings/). Seeds are the repository's fixtures. Needs `cargo install cargo-fuzz` and a C++ compiler.
set -euo pipefail

usage="usage: fuzz.sh DIRECTORY SECONDS [TARGET...]"
directory=${1:?$usage}
seconds=${2:?$usage}
shift 2
[ $# -gt 0 ] || set -- config sentencepiece gguf pytorch
cargo fuzz --version >/dev/null 2>&1 || {
    echo "error: cargo-fuzz is missing; it comes with: cargo install cargo-fuzz" >&2
    exit 1
}
here=$(cd "$(dirname "$0")/.." && pwd)
fixtures=$here/tests/fixtures
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

# Copies a target's seeds, each under the name of its directory.
seed() { # TARGET FILE...
    local target=$1 file
    shift
    mkdir -p "$directory/seeds/$target"
    for file in "$@"; do
        # Of a model's file the header, and some values: the target puts a hole in place of the others.
        head -c 12000 "$file" >"$directory/seeds/$target/$(basename "$(dirname "$file")")"
    done
}

# The words that a reader asks for, out of its own code.
words() { (cd "$here/extract/src" && grep -hroE '"[A-Za-z_0-9.]{2,}"' "$@" | sort -u); }

seed config "$fixtures"/families/*/config.json
words model/families model/checkpoint | sed 's/"\(.*\)"/"\\"\1\\""/' >"$directory/seeds/config.words"
seed sentencepiece "$fixtures"/tokenizers/*/tokenizer.model
seed gguf "$fixtures"/families/*/model.gguf "$fixtures"/tokenizers/*/tokenizer.gguf
words model/families model/checkpoint tokenize/tokenizer/gguf.rs tokenize/tokenizer/pre_tokenizer.rs >"$directory/seeds/gguf.words"
pickle_of='import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
sys.stdout.buffer.write(archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl"))))'
# The pickle of each file behind a byte that says so, and the files themselves.
mkdir -p "$directory/seeds/pytorch"
for file in "$fixtures"/families/*/pytorch_model*.bin; do
    name=$(basename "$(dirname "$file")")-$(basename "$file" .bin)
    { printf '\0'; python3 -c "$pickle_of" "$file"; } >"$directory/seeds/pytorch/$name-pickle"
    { printf '\1'; head -c 16000 "$file"; } >"$directory/seeds/pytorch/$name"
done
printf '"collections"\n"OrderedDict"\n"torch._utils"\n"_rebuild_tensor_v2"\n"_rebuild_parameter"\n"storage"\n"FloatStorage"\n' \
    >"$directory/seeds/pytorch.words"
printf '"\\xe2\\x96\\x81"\n"<0x41>"\n' >"$directory/seeds/sentencepiece.words"

# What is fuzzed has the product's versions of its dependencies.
cp "$here/Cargo.lock" "$here/extract/fuzz/Cargo.lock"
# Inputs that steer by coverage need no nightly compiler, but cargo-fuzz takes it for granted.
export RUSTC_BOOTSTRAP=1 RAYON_NUM_THREADS=1
cd "$here/extract"
for target in "$@"; do
    mkdir -p "$directory/corpus/$target" "$directory/findings/$target"
    echo "== $target"
    cargo fuzz run --sanitizer none --codegen-units 8 --target-dir "$directory" "$target" \
        "$directory/corpus/$target" "$directory/seeds/$target" -- \
        -artifact_prefix="$directory/findings/$target/" -dict="$directory/seeds/$target.words" \
        -max_total_time="$seconds" -max_len=16384 -timeout=5 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
        -print_final_stats=1
done
