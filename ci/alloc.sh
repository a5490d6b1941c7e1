#!/usr/bin/env bash
# What the crate allocates is within its limits, and no key that it drew stands in memory that it gives back: ci/alloc-check, which prints every figure.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
cargo build --quiet --locked --release --manifest-path ci/alloc-check/Cargo.toml --target-dir "$target"
"$target/release/alloc-check"
