#!/usr/bin/env bash
# Builds and links the program of ci/nostd-check for wasm32 and for bare metal, and runs the wasm in Node.
#
# The compiler is Debian's rustc-web, for it brings the source of its own standard library: it proves that the code builds for the targets, not that the
# crate's minimum version does. It moves with Debian's updates, so its version is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

RUSTC="$(dpkg -L rustc-web | grep -m1 '/bin/rustc$')"
export RUSTC RUSTC_BOOTSTRAP=1
# A directory of its own, or two compilers throw each other's work away.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/wasm"
"$RUSTC" --version

build() {
    local target=$1 linker=$2 flavor=$3
    RUSTFLAGS="-Clinker=$linker -Clinker-flavor=$flavor" cargo build --quiet --locked -Zbuild-std=core,alloc \
        --release --target "$target" --manifest-path ci/nostd-check/Cargo.toml
}

build wasm32-unknown-unknown wasm-ld-22 wasm-ld
node ci/wasm.mjs "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/nostd-check.wasm"

build thumbv7em-none-eabihf ld.lld-22 ld.lld
echo "thumbv7em-none-eabihf: linked"
