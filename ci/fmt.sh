#!/usr/bin/env bash
# Formatting of the crate (tests, examples and benches too), of the fuzz targets and of the check packages.
set -euo pipefail
cd "$(dirname "$0")/.."

for manifest in Cargo.toml fuzz/Cargo.toml ci/*-check/Cargo.toml; do
    cargo fmt --check --manifest-path "$manifest"
done
echo "formatted"
