#!/usr/bin/env bash
# Fetches the prebuilt DuckDB library that the analyze crate links.
#
#   scripts/fetch-duckdb.sh DIRECTORY
#
# The library comes out of the npm package of DuckDB's own Node bindings, with the user's npm, so that
# mirrors and proxies work. Nothing is done where DIRECTORY has the library already.
set -euo pipefail

# The engine's version: keep it in step with the `duckdb` crate in Cargo.toml.
version=1.5.6-r.1
directory=${1:?usage: fetch-duckdb.sh DIRECTORY}

fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64)
        platform=linux-x64 library=libduckdb.so
        sha256=1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff ;;
    # No checksum is pinned for these: npm's own integrity check is what protects them.
    Linux-aarch64) platform=linux-arm64 library=libduckdb.so sha256= ;;
    Darwin-arm64) platform=darwin-arm64 library=libduckdb.dylib sha256= ;;
    Darwin-x86_64) platform=darwin-x64 library=libduckdb.dylib sha256= ;;
    *) fail "there is no prebuilt DuckDB for $(uname -s) on $(uname -m)" \
            "build with 'cargo build --release --features bundled', or set DUCKDB_LIB_DIR" ;;
esac

stamp="$directory/$library.version"
if [ -f "$directory/$library" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$version" ]; then
    exit 0
fi
command -v npm >/dev/null ||
    fail "npm is needed to fetch DuckDB" \
         "install npm, set DUCKDB_LIB_DIR to a directory with $library, or build with '--features bundled'"

mkdir -p "$directory"
staging=$(mktemp -d "$directory/fetch.XXXXXX")
trap 'rm -rf "$staging"' EXIT

echo "fetching DuckDB $version for $platform with npm" >&2
(cd "$staging" && npm pack --silent "@duckdb/node-bindings-$platform@$version" >/dev/null) ||
    fail "npm could not fetch DuckDB $version for $platform" \
         "check the connection or npm's registry setting, or build with '--features bundled'"
archive=$(find "$staging" -name '*.tgz' | head -n 1)
[ -n "$archive" ] || fail "npm left no archive" "run 'npm pack @duckdb/node-bindings-$platform@$version' to see why"

if command -v sha256sum >/dev/null; then
    found=$(sha256sum "$archive" | cut -d ' ' -f 1)
else
    found=$(shasum -a 256 "$archive" | cut -d ' ' -f 1)
fi
if [ -n "$sha256" ] && [ "$found" != "$sha256" ]; then
    fail "the DuckDB archive has SHA-256 $found, not $sha256" "it may have been altered on its way; try again"
fi
[ -n "$sha256" ] || echo "note: no checksum is pinned for $platform; the archive has SHA-256 $found" >&2

tar -xzf "$archive" -C "$staging" "package/$library"
mv "$staging/package/$library" "$directory/$library"
printf '%s\n' "$version" > "$stamp"
